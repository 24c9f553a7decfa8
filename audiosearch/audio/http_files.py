"""Files and folders over HTTP: details, contents, and the links of a web page."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urldefrag, urljoin

import requests

from audiosearch.errors import AudioError, RefusedAnswer
from audiosearch.http_client import HttpClient, body

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_FILE_BYTES = 32_000_000_000
MAX_FILE_SECONDS = 6 * 3_600.0
MAX_PAGE_BYTES = 16_000_000
_MAX_PAGE_SECONDS = 300.0
_TIMEOUT_SECONDS = 60.0  # for the start of an answer, and between two parts of it
_MAX_LINK_LENGTH = 4_096  # characters
_MISSING_STATUSES = (404, 410)  # HTTP: Not Found, Gone
_DETAILS = ("ETag", "Content-MD5", "Last-Modified")

_ANCHOR = re.compile(r"<a\s([^<>]*)", re.IGNORECASE)
_LINK = re.compile(r"""\bhref\s?=\s?["']([^"'<>]+)""", re.IGNORECASE)
_PLAIN_URL = re.compile(r"https?://[-a-zA-Z0-9@:%_+.~#?&/=]+")  # also in the text of a page
_CHARSET = re.compile(r"charset=\"?((?:iso-8859-|windows-125)[0-9]{1,2})\b", re.IGNORECASE)


def client_for(url: str) -> HttpClient:
    """Return a client for requests on behalf of a URL that the user gave."""
    return HttpClient(url, response_seconds=_TIMEOUT_SECONDS, stall_seconds=_TIMEOUT_SECONDS)


def details(client: HttpClient, url: str) -> dict[str, Any]:
    """Return the details of a file, such as its size, for `url_stat.url_size_and_mtime`.

    Raises
    ------
    FileNotFoundError
        If the server says that there is no such file.
    requests.RequestException, RefusedAnswer
        If there is no acceptable answer.
    """
    found: dict[str, Any] = {}
    for method in ("HEAD", "GET"):
        try:
            with _response(client, url, method) as response:
                headers = response.headers
        except (requests.RequestException, RefusedAnswer, FileNotFoundError):
            if method == "GET":
                raise
            continue  # some servers don't answer HEAD
        found |= {name: headers[name] for name in _DETAILS if headers.get(name)}
        length = headers.get("Content-Length", "")
        is_encoded = headers.get("Content-Encoding", "identity") not in ("identity", "")
        if re.fullmatch("[0-9]{1,18}", length) and not is_encoded:
            return found | {"size": int(length)}
    return found


def file_content(url: str) -> Iterator[bytes]:
    """Return the content of a file in parts.

    Raises
    ------
    FileNotFoundError
        If the server says that there is no such file.
    requests.RequestException, RefusedAnswer
        If there is no acceptable answer.
    AudioError
        If it is a web page.
    """
    response = _response(client_for(url), url)
    is_called_html = _content_type(response) == "text/html"
    for part in body(response, max_bytes=MAX_FILE_BYTES, max_seconds=MAX_FILE_SECONDS):
        if is_called_html and part.lstrip().startswith(b"<"):
            raise AudioError(
                url, "it is a web page", hint="For a folder, end its URL with a slash."
            )
        is_called_html = False
        yield part


def page_links(client: HttpClient, folder: str) -> tuple[str, list[str]]:
    """Return the links of a web page to files and folders below it.

    Parameters
    ----------
    client : HttpClient
    folder : str
        URL that ends in a slash.

    Returns
    -------
    address : str
        URL of the page after redirects.
    links : list of str
        Paths relative to the folder, each once. Those of folders end in a slash.

    Raises
    ------
    FileNotFoundError
        If the server says that there is no such page.
    requests.RequestException, RefusedAnswer
        If there is no acceptable answer.
    """
    response = _response(client, folder)
    address = urldefrag(response.url).url.rpartition("/")[0] + "/"
    if _content_type(response) != "text/html":
        response.close()
        return address, []
    parts = body(response, max_bytes=MAX_PAGE_BYTES, max_seconds=_MAX_PAGE_SECONDS)
    charset = _CHARSET.search(response.headers.get("Content-Type", "")[:1_000])
    text = b"".join(parts).decode(charset[1] if charset else "utf-8", errors="ignore")
    links = (_relative(link, folder, address) for link in _hrefs(text))
    return address, sorted({link for link in links if link})


def _response(client: HttpClient, url: str, method: str = "GET") -> requests.Response:
    """Return the answer from a URL if its status is good."""
    response = client.request(url, method=method)
    if not response.ok:
        response.close()
        if response.status_code in _MISSING_STATUSES:
            raise FileNotFoundError(url)
        response.raise_for_status()
    return response


def _content_type(response: requests.Response) -> str:
    """Return the type of a body without its parameters; that of a web page if it is unknown."""
    return response.headers.get("Content-Type", "text/html").partition(";")[0].strip().lower()


def _hrefs(text: str) -> Iterable[str]:
    for anchor in _ANCHOR.finditer(text):
        link = _LINK.search(anchor[1])
        if link and len(link[1]) <= _MAX_LINK_LENGTH:
            yield html.unescape(link[1])
    yield from _PLAIN_URL.findall(text)


def _relative(link: str, folder: str, address: str) -> str:
    """Return a link as a path relative to its page; empty if it points elsewhere.

    Examples
    --------
    >>> _relative("./b.wav", "http://host/a/", "http://host/a/")
    'b.wav'
    """
    if link.startswith("../"):  # `urljoin` would drop it at the root of the server
        return ""
    if "://" not in link and not link.startswith("/"):
        link = f"./{link}"  # a name may contain a colon
    try:
        url = urljoin(address, link)
    except ValueError:
        return ""
    for base in (address, folder):
        if url.startswith(base):
            path = urldefrag(url).url.removeprefix(base)
            return "" if "?" in path and path.endswith("/") else path
    return ""
