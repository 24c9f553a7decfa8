"""A connection to Milvus: where it goes, and what its failures mean."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import threading
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from audiosearch.errors import LibraryError, MissingExtra, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The environment variable with the token, or ``user:password``, that a server asks for.
TOKEN = "AUDIOSEARCH_MILVUS_TOKEN"  # noqa: S105  (its name)

_LITE = "milvus+lite:"
_LITE_COLLECTION = "audiosearch"
_DEFAULT_PORT = 19530
_CONNECT_SECONDS = 10.0
_PATIENCE_SECONDS = 60.0  # for one answer
# The client's own default asks every ten seconds whether the server is there, even when nothing is
# going on, and a server of gRPC's own defaults, such as Milvus Lite's, hangs up on that.
_QUIET = {"grpc.keepalive_time_ms": 60_000, "grpc.keepalive_permit_without_calls": False}
_REFUSED = ("UNAUTHENTICATED", "PERMISSION_DENIED")
_FORM = "Write milvus://HOST:PORT/COLLECTION, or milvus+lite:///folder/file.db."

_embedded: Counter[str] = Counter()  # how many connections there are to a file's engine
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Address:
    """Where a collection is.

    Attributes
    ----------
    location : str
        As it was given.
    uri : str
        As Milvus's client takes it.
    collection : str
    file : str or None
        Of the engine that is embedded, in place of a server.
    """

    location: str
    uri: str
    collection: str
    file: str | None = None

    @classmethod
    def parsed(cls, location: str) -> Address:
        """Return the address that is written ``milvus://HOST:PORT/COLLECTION`` or alike.

        Raises
        ------
        UsageError
            Where it is none.
        """
        if location.startswith(_LITE):
            file = os.path.abspath(re.sub("^//", "", location.removeprefix(_LITE)))
            if not file.endswith(".db"):
                raise UsageError(f"{location} names no file that ends in .db.", hint=_FORM)
            return cls(location, file, _LITE_COLLECTION, file)
        parts = urlsplit(location)
        collection = parts.path.strip("/")
        try:
            port = parts.port or _DEFAULT_PORT
        except ValueError:
            port = 0
        if "@" in parts.netloc:
            raise UsageError(
                "An address of Milvus's holds no password.", hint=f"Put it into {TOKEN}."
            )
        if not (parts.hostname and port and collection) or parts.query or parts.fragment:
            raise UsageError(f"{location} is no address of a collection.", hint=_FORM)
        if not re.fullmatch(r"[A-Za-z_]\w{0,200}", collection, re.ASCII):
            raise UsageError(
                f"No collection can be called {collection}.",
                hint="Names are letters from A to Z, digits and _, and do not begin with a digit.",
            )
        scheme = "https" if parts.scheme == "milvus+tls" else "http"
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        return cls(location, f"{scheme}://{host}:{port}", collection)


class Connection:
    """Milvus's client, whose failures end in sentences.

    Parameters
    ----------
    address : Address
        The file of an embedded engine is made where there is none.

    Attributes
    ----------
    client : pymilvus.MilvusClient

    Raises
    ------
    MissingExtra
        Where the client is not installed.
    LibraryError
        Where the server cannot be reached, or refuses.
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        milvus = _pymilvus(address)
        with contextlib.ExitStack() as on_failure, self._errors():
            if address.file:
                _embed(address.file)
                on_failure.callback(_let_go, address.file)
            self.client = milvus.MilvusClient(
                uri=address.uri,
                token=os.environ.get(TOKEN, ""),
                timeout=_CONNECT_SECONDS,
                grpc_options=_QUIET,
            )
            on_failure.callback(self.client.close)
            self._closing = on_failure.pop_all()

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def ask(self, request: str, *args: Any, **options: Any) -> Any:
        """Make a request, by its name among the client's methods, and return the answer.

        Raises
        ------
        LibraryError
            Where it fails.
        """
        with self._errors():
            return getattr(self.client, request)(*args, **{"timeout": _PATIENCE_SECONDS} | options)

    def next(self, found: Any) -> list[dict[str, Any]]:
        """Return the next rows of an iterator; none at its end."""
        with self._errors():
            return list(found.next())

    def close(self) -> None:
        """Close the connection; an engine that nobody uses any more lets go of its file."""
        self._closing.close()

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """Put the failures of Milvus, and of the way there, into sentences."""
        import grpc
        from pymilvus import MilvusException

        where = self.address.location
        try:
            yield
        except grpc.RpcError as exc:
            raise _refused(where) if _is_refusal(exc) else _unreachable(where) from exc
        except MilvusException as exc:
            if _is_refusal(exc.__cause__ or exc.__context__):
                raise _refused(where) from exc
            text = " ".join(str(exc.message).split()).rstrip(".")
            if "Fail connecting" in text or "UNAVAILABLE" in text or "DEADLINE" in text:
                raise _unreachable(where) from exc
            raise LibraryError(
                f"The index {where} cannot do what was asked: {text}.", hint="Its log may say more."
            ) from exc
        except OSError as exc:
            raise LibraryError(
                f"{where} cannot be opened: {exc.strerror or exc}.",
                hint="Check that the folder is yours to write.",
            ) from exc


def _embed(file: str) -> None:
    """Start the engine of a file, which serves this process alone."""
    from milvus_lite import server_manager_instance

    os.makedirs(os.path.dirname(file), exist_ok=True)
    if os.path.isfile(file):
        raise LibraryError(
            f"{file} is no index of Milvus Lite, which keeps a folder under such a name.",
            hint="Name another one: it is made where there is none.",
        )
    with _lock:
        if server_manager_instance.start_and_get_uri(file) is None:
            raise LibraryError(
                f"{file} cannot be opened by Milvus Lite.",
                hint="One process at a time can have it open; end the other one. Check too "
                "that the folder is yours to write.",
            )
        _embedded[file] += 1


def _let_go(file: str) -> None:
    from milvus_lite import server_manager_instance

    with _lock:
        _embedded[file] -= 1
        if not _embedded[file]:
            server_manager_instance.release_server(file)


def check_installed(location: str) -> None:
    """Check that what an address needs is installed.

    Raises
    ------
    MissingExtra
        Where it is not.
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
    for name in ("pymilvus", "milvus_lite"):  # they log what they raise, stack and all
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    return pymilvus


def _is_refusal(error: BaseException | None) -> bool:
    import grpc

    return isinstance(error, grpc.Call) and error.code().name in _REFUSED


def _refused(where: str) -> LibraryError:
    return LibraryError(
        f"The index {where} refuses: the token is missing, wrong, or has not the right.",
        hint=f"Put the token, or user:password, into the environment variable {TOKEN}.",
    )


def _unreachable(where: str) -> LibraryError:
    return LibraryError(
        f"The index {where} cannot be reached: no Milvus answers there.",
        hint="Check host and port, that the server runs, and whether it speaks TLS: milvus+tls:// "
        "is for those that do.",
    )
