"""A folder over HTTP, for tests."""

import base64
import contextlib
import functools
import http.server
import threading

import pytest
from audiosearch.audio.remote import listing

from audiosearch import AudioError

#: What files and folders that begin so answer with, be there what may.
REFUSED = {"/forbidden": 403, "/broken": 500, "/gone": 404}
#: Files and folders that begin so are for a user with a password.
PRIVATE = "/private"
#: A folder that is none without its slash.
STRICT = "/strict"
USER, PASSWORD = "user", "secret"


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves files, and refuses some."""

    def send_head(self):
        status = next((REFUSED[name] for name in REFUSED if self.path.startswith(name)), None)
        credentials = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        is_theirs = self.headers.get("Authorization") == f"Basic {credentials}"
        if self.path.startswith(PRIVATE) and not is_theirs:
            status = 401
        if self.path == STRICT:
            status = 404
        if status is not None:
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


def listed(url, **options):
    """Return the files at a URL, all of which can be had."""
    found = listing(url, **options)
    assert found.failed == {}
    return found.files


def sentence(url):
    """Return why nothing is listed at a URL, and the hint."""
    with pytest.raises(AudioError) as caught:
        listing(url)
    assert str(caught.value).startswith(f"{url}: ")
    return caught.value.reason, caught.value.hint
