"""A folder over HTTP, for tests."""

import contextlib
import functools
import http.server
import threading


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves files, and refuses some."""

    def send_head(self):
        for name, status in {"/forbidden": 403, "/broken": 500}.items():
            if self.path.startswith(name):
                self.send_error(status)
                return None
        return super().send_head()

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def over_http(folder):
    """Serve a folder for as long as the block lasts; gives its URL."""
    handler = functools.partial(Handler, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=[0.05], daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
