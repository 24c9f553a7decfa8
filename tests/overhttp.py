"""Serve a folder, or answers that a test makes up, over HTTP."""

import base64
import contextlib
import functools
import http.server
import threading
import urllib.parse

import pytest

from audiosearch import AudioError
from audiosearch.audio.url_listing import list_url

#: Status of paths that begin like this, whether they exist or not.
ERROR_STATUSES = {"/forbidden": 403, "/broken": 500, "/gone": 404}
#: Paths that begin like this require a user name and password.
PRIVATE = "/private"
#: A folder that is only found with a slash at the end.
SLASH_ONLY = "/strict"
USER, PASSWORD = "user", "secret"


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves files, with an error status for some paths."""

    def send_head(self):
        status = next(
            (ERROR_STATUSES[name] for name in ERROR_STATUSES if self.path.startswith(name)), None
        )
        credentials = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        is_authorised = self.headers.get("Authorization") == f"Basic {credentials}"
        if self.path.startswith(PRIVATE) and not is_authorised:
            status = 401
        if self.path == SLASH_ONLY:
            status = 404
        if status is not None:
            self.send_error(status)
            return None
        return super().send_head()

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def over_http(folder):
    """Serve a folder for the length of a block; yields its URL."""
    with _listening(functools.partial(Handler, directory=folder)) as url:
        yield url


@contextlib.contextmanager
def answering(answer, host="127.0.0.1"):
    """Call a function with the handler of each request, which has the ``form`` of a POST.

    Yields the URL, and the list of the requests so far: paths and logins.
    """
    requests = []

    class Answering(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            requests.append((self.path, self.headers.get("Authorization")))
            with contextlib.suppress(OSError):  # the client hangs up
                answer(self)

        def do_HEAD(self):
            self.do_GET()

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.form = urllib.parse.parse_qs(body.decode())
            self.do_GET()

        def log_message(self, *_):
            pass

    with _listening(Answering, host) as url:
        yield url, requests


def send(handler, content=b"no sound", status=200, **headers):
    """Send an answer; ``Content_Type`` becomes ``Content-Type``."""
    handler.send_response(status)
    for name, value in ({"Content_Length": str(len(content))} | headers).items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(content)


@contextlib.contextmanager
def _listening(handler, host="127.0.0.1"):
    with http.server.ThreadingHTTPServer((host, 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=[0.02], daemon=True).start()
        yield f"http://{host}:{server.server_port}"
        server.shutdown()


def list_files(url, **options):
    """The files at a URL, with their sizes and times; all must be readable."""
    listing = list_url(url, **options)
    assert listing.errors == {}
    return listing.files


def listing_error(url):
    """The reason and the hint of the error of listing a URL."""
    with pytest.raises(AudioError) as caught:
        list_url(url)
    assert str(caught.value).startswith(f"{url}: ")
    return caught.value.reason, caught.value.hint
