"""HTTP requests to servers that may do anything: limited redirects, waits and bodies."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import queue
import ssl
import threading
import time
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from audiosearch.errors import RefusedAnswer, UsageError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator, Mapping

MAX_REDIRECTS = 5  # from one request on
#: A body must arrive at this average rate, once `GRACE_SECONDS` have passed.
MIN_BYTES_PER_SECOND = 2_000
GRACE_SECONDS = 60.0

CONNECTION_LOST = "the connection was lost"
TOO_SLOW = "its answer takes too long"

#: Environment variables with a file or folder of trusted certificates. The first one counts.
CERTIFICATE_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")

_CHUNK_BYTES = 1 << 18
_PUBLIC, _PRIVATE, _LINK_LOCAL, _LOOPBACK = range(4)
_NETWORKS = ("a public", "a private", "a link-local", "this machine's own")


class HttpClient:
    """Requests on behalf of a URL that the user gave.

    Redirects are followed, but not from https to http, and not into a network that is closer to
    this machine than the host of the given URL is: from public to private, then link-local, then
    loopback addresses. The address that a connection really has counts, not what the name resolved
    to before. Credentials in ``~/.netrc`` are only sent to the scheme, host and port of the URL.

    Parameters
    ----------
    url : str
        The given URL. All requests have its scheme, host and port.
    response_seconds : float
        The headers of an answer must be complete within this time, which includes looking up the
        host's name.
    stall_seconds : float
        Longest time between two parts of a body.

    Raises
    ------
    UsageError
        If the trusted certificates can't be read: see `trusted_certificates`.
    """

    def __init__(self, url: str, *, response_seconds: float, stall_seconds: float) -> None:
        self._origin = _origin(url)
        self._response_seconds = response_seconds
        self._stall_seconds = stall_seconds
        self._network: int | None = None  # of the given host; unknown before the first connection
        self._session = _Session()
        self._session.verify = trusted_certificates() or True
        adapter = _CheckingAdapter(self._check_address)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)

    def request(self, url: str, *, method: str = "GET") -> requests.Response:
        """Return the last answer after all redirects, of any status, with its body unread.

        Raises
        ------
        RefusedAnswer
            If a redirect isn't followed.
        requests.RequestException
            If there is no answer.
        """
        for _ in range(MAX_REDIRECTS + 1):
            response = self._answer(method, url)
            if self._network is None:  # a proxy made the connection
                self._network = _PUBLIC
            location = requests.Session.get_redirect_target(self._session, response)
            if location is None:
                return response
            response.close()
            url = self._target(url, location)
        raise RefusedAnswer(f"it redirects more than {MAX_REDIRECTS} times")

    def post(
        self, url: str, form: Mapping[str, str | list[str]], headers: Mapping[str, str]
    ) -> requests.Response:
        """Send a form that may hold credentials, and return the answer, with its body unread.

        Credentials in ``~/.netrc`` are not used, and redirects are not followed.

        Raises
        ------
        RefusedAnswer
            If the answer is a redirect.
        requests.RequestException
            If there is no answer.
        """
        response = self._answer("POST", url, form=form, headers=headers)
        location = requests.Session.get_redirect_target(self._session, response)
        if location is None:
            return response
        response.close()
        parts = urlsplit(urljoin(url, location))
        raise RefusedAnswer(f"it redirects to {parts.scheme}://{parts.hostname}")

    def close(self) -> None:
        """Close the connections that no answer uses."""
        self._session.close()

    def _answer(
        self,
        method: str,
        url: str,
        *,
        form: Mapping[str, str | list[str]] | None = None,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> requests.Response:
        """Return the answer from a URL.

        The timeouts of requests don't limit the look-up of a host's name and headers that arrive
        byte by byte, so a thread that can be abandoned makes the request.
        """
        results: queue.SimpleQueue[requests.Response | Exception] = queue.SimpleQueue()
        auth = None if form is None and _origin(url) == self._origin else _no_credentials
        timeouts = (self._response_seconds, self._stall_seconds)

        def request() -> None:
            try:
                results.put(
                    self._session.request(
                        method,
                        url,
                        data=form,
                        headers={**headers, "Accept-Encoding": "identity"},
                        stream=True,
                        allow_redirects=False,
                        auth=auth,
                        timeout=timeouts,
                    )
                )
            except Exception as exc:  # noqa: BLE001  (raised again in the calling thread)
                results.put(exc)

        threading.Thread(target=request, daemon=True).start()
        try:
            result = results.get(timeout=self._response_seconds)
        except queue.Empty:
            message = f"no response within {self._response_seconds:.0f} s"
            raise requests.ConnectTimeout(message) from None
        if isinstance(result, Exception):
            raise result
        return result

    def _target(self, url: str, location: str) -> str:
        """Return the URL that a redirect leads to, if it may be followed."""
        try:
            target = urljoin(url, location)
        except ValueError:
            target = ""
        scheme, host, _ = _origin(target)
        if scheme not in ("http", "https") or not host:
            raise RefusedAnswer("it redirects to an address that isn't http:// or https://")
        if scheme == "http" and _origin(url)[0] == "https":
            raise RefusedAnswer("it redirects from https to http")
        with contextlib.suppress(ValueError):  # a name; its address is checked when connecting
            self._check_address(host)
        return target

    def _check_address(self, address: str) -> None:
        network = network_of(address)
        if self._network is None:
            self._network = network
        if network > self._network:
            raise RefusedAnswer(
                f"it redirects to {_NETWORKS[network]} address ({address}) from "
                f"{_NETWORKS[self._network]} one"
            )


def trusted_certificates() -> str | None:
    """Return the file or folder of trusted certificates in `CERTIFICATE_VARIABLES`; None for ours.

    Raises
    ------
    UsageError
        If it can't be read.
    """
    name = next(filter(os.environ.get, CERTIFICATE_VARIABLES), None)
    if name is None:
        return None
    path = os.environ[name]
    _check_certificates(name, path)
    return path


@lru_cache(1)  # reading many takes longer than a request
def _check_certificates(name: str, path: str) -> None:
    try:
        tls_context(path)
    except OSError as exc:
        reason = "has no certificates" if isinstance(exc, ssl.SSLError) else "can't be read"
        raise UsageError(
            f"{name} is set to {path}, which {reason}.",
            hint=f"Set {name} to a file of certificates in PEM format, or unset it.",
        ) from exc


def tls_context(path: str) -> ssl.SSLContext:
    """Return settings of TLS with which the certificates in a file or folder are trusted.

    Raises
    ------
    OSError
        If they can't be read.
    """
    if os.path.isdir(path):
        return ssl.create_default_context(capath=path)
    return ssl.create_default_context(cafile=path)


def network_of(address: str) -> int:
    """Return how close to this machine an IP address is: 0 for public to 3 for loopback.

    Examples
    --------
    >>> [network_of(ip) for ip in ("8.8.8.8", "10.0.0.1", "169.254.169.254", "::ffff:127.0.0.1")]
    [0, 1, 2, 3]
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        ip = ip.ipv4_mapped or ip.sixtofour or ip
    if ip.is_loopback or ip.is_unspecified:
        return _LOOPBACK
    if ip.is_link_local:
        return _LINK_LOCAL
    return _PUBLIC if ip.is_global and not ip.is_multicast else _PRIVATE


def body(response: requests.Response, *, max_bytes: int, max_seconds: float) -> Iterator[bytes]:
    """Yield the decoded body of an answer in parts, and close the answer.

    Raises
    ------
    RefusedAnswer
        If the body is too large or too slow, or the connection breaks.
    """
    n_bytes = 0
    start = time.monotonic()
    is_done, is_slow = threading.Event(), threading.Event()

    def watch() -> None:  # reading may wait for long, for example for the size of a chunk
        while True:
            allowed = min(max_seconds, GRACE_SECONDS + n_bytes / MIN_BYTES_PER_SECOND)
            seconds = start + allowed - time.monotonic()
            if is_done.wait(max(0, seconds)):
                return
            if seconds <= 0:
                is_slow.set()
                response.raw.shutdown()
                return

    threading.Thread(target=watch, daemon=True).start()
    try:
        while part := response.raw.read1(_CHUNK_BYTES, decode_content=True):
            n_bytes += len(part)
            if n_bytes > max_bytes:
                raise RefusedAnswer(f"its answer is larger than {max_bytes:,} bytes")
            yield part
    except (urllib3.exceptions.HTTPError, OSError) as exc:
        if not is_slow.is_set():
            raise RefusedAnswer(CONNECTION_LOST) from exc
    finally:
        is_done.set()
        response.close()
    if is_slow.is_set():
        raise RefusedAnswer(TOO_SLOW)


def _origin(url: str) -> tuple[str, str, int | None]:
    """Return the scheme, host and port of a URL. An invalid URL has an empty host."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return "", "", None
    return parts.scheme, parts.hostname or "", port


def _no_credentials(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Keep requests from looking up credentials in ``~/.netrc`` or the URL."""
    return request


class _Session(requests.Session):
    """A session that leaves redirects alone: requests would read the whole body of each one."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:  # noqa: ARG002
        return None


class _CheckingAdapter(HTTPAdapter):
    """Connects, and has the address checked before anything is sent.

    Connections to a proxy aren't checked: it decides what it connects to.

    Parameters
    ----------
    check : callable
        Called with the address of each new connection. It raises an error to refuse it.
    """

    def __init__(self, check: Callable[[str], None]) -> None:
        self._check = check
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = {
            "http": _checked(HTTPConnectionPool, HTTPConnection, self._check),
            "https": _checked(HTTPSConnectionPool, HTTPSConnection, self._check),
        }


def _checked(pool: type, connection: type, check: Callable[[str], None]) -> type:
    """Return a class of connection pools whose connections have their address checked."""
    members = {"check": staticmethod(check)}
    checked_connection = type(connection.__name__, (_CheckedConnection, connection), members)
    return type(pool.__name__, (pool,), {"ConnectionCls": checked_connection})


class _CheckedConnection(HTTPConnection):
    check: Callable[[str], None]

    def _new_conn(self) -> socket.socket:
        new = super()._new_conn()
        try:
            self.check(new.getpeername()[0])
        except BaseException:
            new.close()
            raise
        return new
