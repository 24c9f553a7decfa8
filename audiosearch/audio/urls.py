"""What reads URLs, by fsspec; what fails there is put into sentences."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Any

from audiosearch.errors import AudioError, MissingExtra, Unreachable, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

_NOTHING_THERE = (404, 410)
_SILENCE_SECONDS = 60.0  # after so long without a byte, a server has gone
_ATTEMPTS_HINT = "Check the URL, and that this machine may reach it; then add it once more."


def scheme_of(url: str) -> str:
    """Return what a URL begins with, in lower case.

    Examples
    --------
    >>> scheme_of("HTTPS://host/a.wav")
    'https'
    """
    return url.partition("://")[0].lower()


def is_http(url: str) -> bool:
    """Return whether a URL is one of the web's."""
    return scheme_of(url) in ("http", "https")


def check_no_password(url: str) -> None:
    """Refuse a URL with a password in it, for an index shows what it stores.

    Raises
    ------
    UsageError
        Where there is one; over HTTP a name alone may be one.
    """
    authority = re.split(r"[/?#]", url.partition("://")[2], maxsplit=1)[0]
    user, _, host = authority.rpartition("@")
    if ":" in user or (user and is_http(url)):
        raise UsageError(
            f"A URL of {host} holds a name or password, which would be stored and shown with each "
            "file.",
            hint="For https://, put it into ~/.netrc on every node; for others, into fsspec's "
            "configuration there, in ~/.config/fsspec.",
        )


def filesystem_of(url: str) -> tuple[Any, str]:
    """Return what reads a URL, and the URL's name there."""
    try:
        import fsspec
    except ImportError as exc:
        raise MissingExtra("What reads URLs", "fsspec", "ray") from exc
    options = {}
    if is_http(url):
        import aiohttp

        # A large file may take its time, a silent server not.
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=_SILENCE_SECONDS, sock_read=_SILENCE_SECONDS
        )
        options = {"client_kwargs": {"timeout": timeout, "trust_env": True}}  # and so ~/.netrc
    filesystem, name = fsspec.core.url_to_fs(url, **options)
    return filesystem, str(name)


@contextlib.contextmanager
def translate_errors(url: str) -> Iterator[None]:
    """Put what the libraries behind fsspec raise into sentences."""
    try:
        yield
    except (AudioError, MissingExtra):
        raise
    except FileNotFoundError as exc:
        cause = exc.__cause__  # of HTTP, where every failure becomes this one
        if type(cause).__module__.startswith("aiohttp") and _status(cause) not in _NOTHING_THERE:
            raise _refused(url, cause) from exc
        kind = "folder" if url.endswith("/") else "file"
        raise Unreachable(url, f"there is no such {kind}", hint="Check the URL.") from exc
    except ImportError as exc:
        scheme = scheme_of(url)
        package = _DRIVERS.get(scheme, exc.name)
        reason = f"what reads {scheme}:// is not installed"
        hint = f"pip install {package}" if package else str(exc)
        raise AudioError(url, reason, hint=f"{hint}, on every node.") from exc
    except ValueError as exc:
        if "rotocol" not in str(exc):
            raise _refused(url, exc) from exc
        hint = "URLs begin with s3://, gs://, https:// and the like."
        raise AudioError(url, "nothing reads URLs of that kind", hint=hint) from exc
    except PermissionError as exc:
        raise Unreachable(url, "you may not read it", hint=_CREDENTIALS) from exc
    except Exception as exc:  # each library behind fsspec has errors of its own
        raise _refused(url, exc) from exc


_DRIVERS = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "http": "aiohttp"}
_DRIVERS |= {"https": "aiohttp", "abfs": "adlfs", "az": "adlfs", "sftp": "paramiko"}
_CREDENTIALS = (
    "Each node needs credentials for it: for s3:// as the AWS command line has them, for gs:// as "
    "gcloud has, for https:// in ~/.netrc."
)


def _status(error: BaseException | None) -> int | None:
    """Return the HTTP status that an error is about; None where there is none."""
    status = getattr(error, "status", None)
    return status if isinstance(status, int) else None


def _refused(url: str, error: BaseException | None) -> Unreachable:
    """Say why a server gives no file; its own words might repeat what only it should know."""
    status = _status(error)
    if status in (401, 403) or "Credentials" in type(error).__name__:
        return Unreachable(url, "you may not read it", hint=_CREDENTIALS)
    if status is not None:
        return Unreachable(url, f"its server answers with {status}", hint=_ATTEMPTS_HINT)
    if "Timeout" in type(error).__name__:
        return Unreachable(url, "its server does not answer in time", hint=_ATTEMPTS_HINT)
    words = getattr(error, "strerror", None) or type(error).__name__
    return Unreachable(url, f"it cannot be reached ({words})", hint=_ATTEMPTS_HINT)
