"""Filesystems for URLs, by fsspec, and translation of their errors."""

from __future__ import annotations

import contextlib
import errno
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from audiosearch.errors import AudioError, MissingExtra, RefusedAnswer, Unreachable, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

_REFUSED_HINT = "If you trust the server, download the file yourself and add the copy."
_RETRY_HINT = "Check the URL and the network connection, then add it again."
_BUSY_HINT = "Run the same command again later, with fewer files at a time: -j 1."
# Packages that fsspec needs, by scheme.
_DRIVERS = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs"}
_DRIVERS |= {"abfs": "adlfs", "az": "adlfs", "sftp": "paramiko"}
# Where credentials are set up, by package or scheme.
_CREDENTIALS = {
    "s3fs": "as for the AWS command line: in ~/.aws/credentials, or in AWS_ACCESS_KEY_ID and "
    "AWS_SECRET_ACCESS_KEY",
    "gcsfs": "as for gcloud: `gcloud auth application-default login`",
    "https": "in ~/.netrc",
    "http": "in ~/.netrc",
}
# Reasons and the settings to look at, by the start of the class and message of an error.
_WRONG_URLS = {
    r"\w*Prox|HTTPClientError:.*proxies": ("its proxy can't be used", "HTTP_PROXY and HTTPS_PROXY"),
    "InvalidURL": (
        "its URL, or that of its proxy, is malformed",
        "the URL, HTTP_PROXY and HTTPS_PROXY",
    ),
}
_WRONG_S3 = {
    "ValueError: Invalid endpoint": (
        "the address that is set for its server is not a URL",
        "AWS_ENDPOINT_URL, and endpoint_url in ~/.aws/config",
    ),
    "InvalidRegion|OSError:.*(Moved Permanently|the region )": (
        "the region that is set for it is wrong",
        "AWS_DEFAULT_REGION, and region in ~/.aws/config",
    ),
    "EndpointConnectionError": (
        "it can't be reached",
        "the network connection, AWS_ENDPOINT_URL, AWS_DEFAULT_REGION and HTTPS_PROXY",
    ),
    "ValueError: invalid|Invalid|Config": (
        "the settings for it are invalid",
        "the variables that start with AWS_, and ~/.aws/config",
    ),
}
# Names of parameters of HTTP that let anybody who sees them read a file.
_SECRET = re.compile(
    "signature|token|credential|secret|passw|api[-_]?key|access[-_]?key|^(sig|auth|key|pwd)$",
    re.IGNORECASE,
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


def without_query(url: str) -> str:
    """Return a URL up to its query.

    Examples
    --------
    >>> without_query("https://host/a.wav?version=2#start")
    'https://host/a.wav'
    """
    return re.split("[?#]", url, maxsplit=1)[0]


def has_secret_query(url: str) -> bool:
    """Return whether a parameter in the query of a URL is a signature, token or password.

    Examples
    --------
    >>> has_secret_query("https://host/a.wav?X-Amz-Signature=fe5f"), has_secret_query("s3://a?v=2")
    (True, False)
    """
    return any(_SECRET.search(name) for name, _ in parse_qsl(url.partition("?")[2]))


def check_no_secret(url: str) -> None:
    """Reject a URL that contains a secret, because an index shows the URLs it stores.

    Raises
    ------
    UsageError
        If the URL contains a password or, over HTTP, a user name, which may be a token; or if its
        query contains a signature, token or password, as presigned URLs do.
    """
    if has_secret_query(url):
        raise UsageError(
            f"The query of {without_query(url)} contains a signature, token or password, which "
            "the index would store and show.",
            hint="Use a URL such as s3://BUCKET/KEY, with credentials from your configuration; or "
            "download the file, and add that.",
        )
    authority = re.split(r"[/?#]", url.partition("://")[2], maxsplit=1)[0]
    user, _, host = authority.rpartition("@")
    if ":" in user or (user and is_http(url)):
        raise UsageError(
            f"A URL of {host} contains a user name or password, which the index would store and "
            "show.",
            hint="For https://, put the credentials into ~/.netrc; for other schemes, into "
            "fsspec's configuration in ~/.config/fsspec. With --ray, do it on every node.",
        )


def filesystem_of(url: str) -> tuple[Any, str]:
    """Return the fsspec filesystem of a URL, and the name by which it knows the URL.

    Only the host or bucket decides which it is. In the rest of a URL, fsspec takes "::" for the
    start of another one, so that a name in a bucket could lead to a file on this machine.

    Raises
    ------
    MissingExtra
        If fsspec is not installed.
    """
    scheme = scheme_of(url)
    try:
        import fsspec
    except ImportError as exc:
        raise MissingExtra(f"Reading {scheme}://", "fsspec", "urls") from exc
    name = url.partition("://")[2]
    filesystem, _ = fsspec.core.url_to_fs(f"{scheme}://{name.partition('/')[0]}")
    return filesystem, f"{scheme}://{name}"


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
        reason = f"reading {scheme}:// needs the package {package}, which is not installed"
        hint = f"pip install {package} (with --ray, on every node)"
        raise AudioError(url, reason, hint=hint) from exc
    except ValueError as exc:
        if "rotocol" not in str(exc):
            raise _unreachable(url, exc) from exc
        hint = "Use a supported scheme, such as s3://, gs:// or https://."
        raise AudioError(url, "URLs with this scheme are not supported", hint=hint) from exc
    except PermissionError as exc:
        raise _denied(url, "access is denied") from exc
    except RefusedAnswer as exc:
        raise Unreachable(url, str(exc), hint=_REFUSED_HINT) from exc
    except Exception as exc:  # each driver of fsspec has its own exceptions
        raise _unreachable(url, exc) from exc


def replaced(url: str) -> Unreachable:
    """Return the error that a file isn't the one any more of which a part was read."""
    return Unreachable(url, "it was replaced while it was read", hint="Add it again.")


def _denied(url: str, reason: str) -> Unreachable:
    scheme = scheme_of(url)
    place = _CREDENTIALS.get(_DRIVERS.get(scheme, scheme), "as fsspec's documentation says")
    return Unreachable(
        url, reason, hint=f"Set up credentials {place}. With --ray, do it on every node."
    )


def _wrong_setting(url: str, error: BaseException | None) -> Unreachable | None:
    """Return the error for a failure that a wrong setting causes; None for any other."""
    of_driver = _WRONG_S3 if _DRIVERS.get(scheme_of(url)) == "s3fs" else {}
    text = f"{type(error).__name__}: {error}"
    for pattern, (reason, settings) in (_WRONG_URLS | of_driver).items():
        if re.match(pattern, text):
            return Unreachable(url, reason, hint=f"Check {settings}. With --ray, on every node.")
    return None


def _status(error: BaseException | None) -> int | None:
    """Return the HTTP status of an error; None if it has none."""
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", getattr(error, "status", None))
    return status if isinstance(status, int) else None


def _unreachable(url: str, error: BaseException | None) -> Unreachable:
    """Return the error for a failed request.

    The driver's own message is left out, because it may contain credentials.
    """
    if wrong := _wrong_setting(url, error):
        return wrong
    status, kind = _status(error), type(error).__name__
    if "Credentials" in kind or kind == "ProfileNotFound":
        return _denied(url, "there are no credentials for it")
    if status in (401, 403):
        return _denied(url, "access is denied")
    if kind == "FileExpired":  # of s3fs
        return replaced(url)
    hint = _RETRY_HINT
    if status is not None:
        reason = f"its server answers with status {status}"
    elif getattr(error, "errno", None) == errno.EBUSY:  # S3's answers 503 and SlowDown
        reason, hint = "its server is too busy", _BUSY_HINT
    elif "Timeout" in kind:
        reason = "its server doesn't answer in time"
    else:
        reason = f"it can't be reached ({getattr(error, 'strerror', None) or kind})"
    return Unreachable(url, reason, hint=hint)
