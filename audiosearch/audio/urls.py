"""Filesystems for URLs, by fsspec, and translation of their errors."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Any

from audiosearch.errors import AudioError, MissingExtra, RefusedAnswer, Unreachable, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

_REFUSED_HINT = "If you trust the server, download the file yourself and add the copy."
_RETRY_HINT = "Check the URL and the network connection, then add it again."
# Packages that fsspec needs, by scheme.
_DRIVERS = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs"}
_DRIVERS |= {"abfs": "adlfs", "az": "adlfs", "sftp": "paramiko"}
_CREDENTIALS_HINT = (
    "Set up credentials on every node: for s3:// as for the AWS command line, for gs:// as for "
    "gcloud, for https:// in ~/.netrc."
)


def scheme_of(url: str) -> str:
    """Return the scheme of a URL in lower case.

    Examples
    --------
    >>> scheme_of("HTTPS://host/a.wav")
    'https'
    """
    return url.partition("://")[0].lower()


def is_http(url: str) -> bool:
    """Return whether a URL's scheme is http or https."""
    return scheme_of(url) in ("http", "https")


def check_no_password(url: str) -> None:
    """Reject a URL that contains a password, because an index shows the URLs it stores.

    Raises
    ------
    UsageError
        If the URL contains a password or, over HTTP, a user name, which may be a token.
    """
    authority = re.split(r"[/?#]", url.partition("://")[2], maxsplit=1)[0]
    user, _, host = authority.rpartition("@")
    if ":" in user or (user and is_http(url)):
        raise UsageError(
            f"A URL of {host} contains a user name or password, which the index would store and "
            "show.",
            hint="For https://, put the credentials into ~/.netrc on every node; for other "
            "schemes, into fsspec's configuration in ~/.config/fsspec on every node.",
        )


def filesystem_of(url: str) -> tuple[Any, str]:
    """Return the fsspec filesystem of a URL, and the path of the URL within it.

    Raises
    ------
    MissingExtra
        If fsspec is not installed.
    """
    try:
        import fsspec
    except ImportError as exc:
        raise MissingExtra("Reading URLs", "fsspec", "ray") from exc
    filesystem, name = fsspec.core.url_to_fs(url)
    return filesystem, str(name)


@contextlib.contextmanager
def translate_errors(url: str) -> Iterator[None]:
    """Turn exceptions of fsspec and its drivers into AudioErrors.

    Parameters
    ----------
    url : str
        The URL that the block reads.

    Raises
    ------
    AudioError
        If the URL can't be read; an `Unreachable` if a later try may succeed.
    """
    try:
        yield
    except (AudioError, MissingExtra):
        raise
    except FileNotFoundError as exc:
        kind = "folder" if url.endswith("/") else "file"
        raise Unreachable(url, f"there is no such {kind}", hint="Check the URL.") from exc
    except ImportError as exc:
        scheme = scheme_of(url)
        package = _DRIVERS.get(scheme, exc.name)
        reason = f"the package that reads {scheme}:// is not installed"
        hint = f"Run on every node: pip install {package}" if package else f"{exc}, on every node."
        raise AudioError(url, reason, hint=hint) from exc
    except ValueError as exc:
        if "rotocol" not in str(exc):
            raise _unreachable(url, exc) from exc
        hint = "Use a supported scheme, such as s3://, gs:// or https://."
        raise AudioError(url, "URLs with this scheme are not supported", hint=hint) from exc
    except PermissionError as exc:
        raise Unreachable(url, "access is denied", hint=_CREDENTIALS_HINT) from exc
    except RefusedAnswer as exc:
        raise Unreachable(url, str(exc), hint=_REFUSED_HINT) from exc
    except Exception as exc:  # each driver of fsspec has its own exceptions
        raise _unreachable(url, exc) from exc


def _status(error: BaseException | None) -> int | None:
    """Return the HTTP status of an error; None if it has none."""
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", getattr(error, "status", None))
    return status if isinstance(status, int) else None


def _unreachable(url: str, error: BaseException | None) -> Unreachable:
    """Return the error for a failed request.

    The driver's own message is left out, because it may contain credentials.
    """
    status = _status(error)
    if status in (401, 403) or "Credentials" in type(error).__name__:
        return Unreachable(url, "access is denied", hint=_CREDENTIALS_HINT)
    if status is not None:
        return Unreachable(url, f"its server answers with status {status}", hint=_RETRY_HINT)
    if "Timeout" in type(error).__name__:
        return Unreachable(url, "its server doesn't answer in time", hint=_RETRY_HINT)
    detail = getattr(error, "strerror", None) or type(error).__name__
    return Unreachable(url, f"it can't be reached ({detail})", hint=_RETRY_HINT)
