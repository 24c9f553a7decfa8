"""Connection to Milvus: parse addresses, call the client, give its errors a hint."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import threading
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from audiosearch.errors import LibraryError, MissingExtra, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Name of the environment variable with the token, or ``user:password``, of a server.
TOKEN = "AUDIOSEARCH_MILVUS_TOKEN"  # noqa: S105  (not a password: a variable's name)

_LITE = "milvus+lite:"
_LITE_COLLECTION = "audiosearch"
_DEFAULT_PORT = 19530
_CONNECT_SECONDS = 10.0
_TIMEOUT_SECONDS = 60.0  # for one call
# By default, the client pings an idle server every ten seconds. A server with gRPC's defaults, such
# as Milvus Lite, then closes the connection.
_KEEPALIVE = {"grpc.keepalive_time_ms": 60_000, "grpc.keepalive_permit_without_calls": False}
_REFUSAL_CODES = ("UNAUTHENTICATED", "PERMISSION_DENIED")
_FORM = "Write milvus://HOST:PORT/COLLECTION, or milvus+lite:///folder/file.db."

_engines: Counter[str] = Counter()  # number of connections to Milvus Lite, by file
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Address:
    """Address of a collection.

    Attributes
    ----------
    location : str
        The address as the user wrote it.
    uri : str
        The address in the form that Milvus's client takes.
    collection : str
        Name of the collection.
    file : str or None
        Absolute path of the file of Milvus Lite; None for a server.
    """

    location: str
    uri: str
    collection: str
    file: str | None = None

    @classmethod
    def parsed(cls, location: str) -> Address:
        """Return the address written as a URL.

        Raises
        ------
        UsageError
            If the URL is malformed.

        Examples
        --------
        >>> Address.parsed("milvus://host/music").uri
        'http://host:19530'
        """
        if location.startswith(_LITE):
            file = os.path.abspath(re.sub("^//", "", location.removeprefix(_LITE)))
            if not file.endswith(".db"):
                raise UsageError(f"{location} doesn't name a file that ends in .db.", hint=_FORM)
            return cls(location, file, _LITE_COLLECTION, file)
        parts = urlsplit(location)
        collection = parts.path.strip("/")
        try:
            port = parts.port or _DEFAULT_PORT
        except ValueError:
            port = 0
        if "@" in parts.netloc:
            raise UsageError(
                "The address contains a password.",
                hint=f"Put it into the environment variable {TOKEN} instead.",
            )
        if not (parts.hostname and port and collection) or parts.query or parts.fragment:
            raise UsageError(f"{location} is not the address of a collection.", hint=_FORM)
        if not re.fullmatch(r"[A-Za-z_]\w{0,200}", collection, re.ASCII):
            raise UsageError(
                f"{collection} can't be the name of a collection.",
                hint="Use letters from A to Z, digits and _. Don't begin with a digit.",
            )
        scheme = "https" if parts.scheme == "milvus+tls" else "http"
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        return cls(location, f"{scheme}://{host}:{port}", collection)


class Connection:
    """Connection to Milvus. Its errors are `LibraryError` with a hint.

    Parameters
    ----------
    address : Address
        The file of Milvus Lite is created if it doesn't exist.

    Attributes
    ----------
    client : pymilvus.MilvusClient

    Raises
    ------
    MissingExtra
        If Milvus's client isn't installed.
    LibraryError
        If the server can't be reached, or refuses the token.
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        milvus = _pymilvus(address)
        with contextlib.ExitStack() as on_failure, self._errors():
            if address.file:
                _start_engine(address.file)
                on_failure.callback(_release_engine, address.file)
            self.client = milvus.MilvusClient(
                uri=address.uri,
                token=os.environ.get(TOKEN, ""),
                timeout=_CONNECT_SECONDS,
                # The shared connections of the client stay open after `close`, and are used again
                # for another server of Milvus Lite that happens to get the same port.
                dedicated=True,
                grpc_options=_KEEPALIVE,
            )
            on_failure.callback(self.client.close)
            self._closing = on_failure.pop_all()

    def call(self, method: str, *args: Any, **options: Any) -> Any:
        """Call a method of the client by its name, and return the result.

        Raises
        ------
        LibraryError
            If the call fails.
        """
        with self._errors():
            return getattr(self.client, method)(*args, **{"timeout": _TIMEOUT_SECONDS} | options)

    def next_rows(self, iterator: Any) -> list[dict[str, Any]]:
        """Return the next rows of a query iterator of the client; an empty list at its end."""
        with self._errors():
            return list(iterator.next())

    @cached_property
    def _version(self) -> str:
        return str(self.call("get_server_version"))

    @property
    def scalar_index_type(self) -> str:
        """Type of an index of texts. A server chooses it by itself; Milvus Lite has only one."""
        return "INVERTED" if self._version.startswith("milvus_lite") else ""

    @property
    def has_infix_patterns(self) -> bool:
        """Whether ``like`` finds a text in the middle of another text: since Milvus 2.4."""
        return re.match(r"v?2\.[0-3]\.", self._version) is None

    def close(self) -> None:
        """Close the connection. The last one to a file of Milvus Lite releases the file."""
        self._closing.close()

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """Raise errors of Milvus and of the network as errors with a hint."""
        import grpc
        from pymilvus import MilvusException

        location = self.address.location
        try:
            yield
        except grpc.RpcError as exc:
            if _is_refusal(exc):
                raise _refused(location) from exc
            raise _failed_call(location, str(exc)) from exc
        except MilvusException as exc:
            if _is_refusal(exc.__cause__ or exc.__context__):
                raise _refused(location) from exc
            text = " ".join(str(exc.message).split()).rstrip(".")
            if "Fail connecting" in text or "UNAVAILABLE" in text or "DEADLINE" in text:
                raise _failed_call(location, text) from exc
            raise LibraryError(
                f"The index {location} reports an error: {text}.",
                hint="Look into the log of the server for the cause.",
            ) from exc
        except OSError as exc:
            raise LibraryError(
                f"Can't open {location}: {exc.strerror or exc}.",
                hint="Check that you may write to its folder.",
            ) from exc


def _start_engine(file: str) -> None:
    """Start Milvus Lite on a file. No other process can open the file while it runs."""
    from milvus_lite import server_manager_instance

    os.makedirs(os.path.dirname(file), exist_ok=True)
    if os.path.isfile(file):
        raise LibraryError(
            f"{file} is a file. An index of Milvus Lite is a folder.",
            hint="Use another name. The index is created if it doesn't exist.",
        )
    with _lock:
        if server_manager_instance.start_and_get_uri(file) is None:
            raise LibraryError(
                f"Milvus Lite can't open {file}.",
                hint="Only one process can open it at a time: end the other one. Also check that "
                "you may write to the folder.",
            )
        _engines[file] += 1


def _release_engine(file: str) -> None:
    """Count a connection to a Milvus Lite file as closed. After the last one, release the file."""
    from milvus_lite import server_manager_instance

    with _lock:
        _engines[file] -= 1
        if not _engines[file]:
            server_manager_instance.release_server(file)


def check_installed(location: str) -> None:
    """Check that the packages that an address needs are installed.

    Raises
    ------
    MissingExtra
        If a package is missing.
    """
    _pymilvus(Address.parsed(location))


def _pymilvus(address: Address) -> Any:
    try:
        import pymilvus

        if address.file:
            import milvus_lite  # noqa: F401
    except ModuleNotFoundError as exc:
        package = "milvus-lite" if exc.name == "milvus_lite" else "pymilvus"
        raise MissingExtra("An index in Milvus", package, "milvus") from exc
    for name in ("pymilvus", "milvus_lite"):  # they log a traceback for every error
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    return pymilvus


def _is_refusal(error: BaseException | None) -> bool:
    import grpc

    return isinstance(error, grpc.Call) and error.code().name in _REFUSAL_CODES


def _refused(location: str) -> LibraryError:
    return LibraryError(
        f"The index {location} refuses access: the token is missing, wrong, or lacks permission.",
        hint=f"Put the token, or user:password, into the environment variable {TOKEN}.",
    )


def _failed_call(location: str, text: str) -> LibraryError:
    """Return the error for a failed call, given the text of gRPC's error."""
    if "DEADLINE" in text and "UNAVAILABLE" not in text:
        return LibraryError(
            f"The index {location} doesn't answer within {_TIMEOUT_SECONDS:.0f} s.",
            hint="Its server may be busy, or still starting. Wait, then run the command again.",
        )
    return LibraryError(
        f"Can't reach the index {location}: no Milvus answers there.",
        hint="Check the host and port, and that the server runs. If it uses TLS, write "
        "milvus+tls://.",
    )
