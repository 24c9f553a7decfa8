"""Downloads: a file gets its name in the cache only when it is complete and verified."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from audiosearch.errors import DownloadError, RefusedAnswer
from audiosearch.models.cache import unwritable

if TYPE_CHECKING:
    from pathlib import Path

    import requests

#: Called with a description of the work, the amount done, and the total amount if known.
Progress = Callable[[str, int, "int | None"], None]

#: A response must start within this time. It includes looking up the host's name.
RESPONSE_SECONDS = 7.0
_STALL_SECONDS = 30.0
_MAX_BYTES = 1_000_000_000  # of a download; the largest published file has 289 MB
_MAX_SECONDS = 6 * 3_600.0


def no_progress(what: str, done: int, total: int | None) -> None:
    """Ignore progress."""


def download(
    url: str, path: Path, *, sha512: str, label: str, hint: str, progress: Progress = no_progress
) -> None:
    """Download a file unless it exists.

    If two processes download the same file, the second one waits for the first. The file's
    folder must hold no other files that begin with "tmp".

    Parameters
    ----------
    url : str
    path : Path
        The file to write.
    sha512 : str
        Expected digest: 128 hexadecimal digits in lower case.
    label : str
        Name of the file in messages.
    hint : str
        Hint of the error if the download fails.
    progress : callable
        Called with the number of bytes so far.

    Raises
    ------
    DownloadError
        If the server doesn't respond, the connection breaks, or the digest is wrong.
    ModelError
        If the folder can't be written.
    """
    from filelock import FileLock

    if os.path.exists(path):
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.with_name("lock")
        with FileLock(lock):
            if not path.exists():
                _remove_remains(path.parent)
                reason = _failure(url, path, sha512, f"Downloading {label}", progress)
                if reason is not None:
                    message = f"Can't download {label} from {_without_password(url)}: {reason}."
                    raise DownloadError(message, hint=hint)
    except OSError as exc:
        raise unwritable(exc) from exc


def _failure(url: str, path: Path, sha512: str, what: str, progress: Progress) -> str | None:
    """Download a file. Return the reason if that fails, else None."""
    import pooch
    import requests

    from audiosearch.http_client import HttpClient, body

    pooch.get_logger().setLevel("ERROR")

    def write(url: str, output_file: str, _pooch: object) -> None:
        client = HttpClient(url, response_seconds=RESPONSE_SECONDS, stall_seconds=_STALL_SECONDS)
        response = client.request(url)
        with contextlib.closing(response), open(output_file, "wb") as file:
            response.raise_for_status()
            length = response.headers.get("content-length", "")
            total = int(length) if re.fullmatch("[0-9]{1,18}", length) else None
            done = 0
            for part in body(response, max_bytes=_MAX_BYTES, max_seconds=_MAX_SECONDS):
                done += file.write(part)
                progress(what, done, total)

    try:
        pooch.retrieve(url, f"sha512:{sha512}", fname=path.name, path=path.parent, downloader=write)
    except RefusedAnswer as exc:
        return str(exc)
    except requests.RequestException as exc:
        return _reason(exc)
    except ValueError:  # the error of pooch for a wrong digest
        return "the file has the wrong SHA-512"
    return None


def _without_password(url: str) -> str:
    scheme, _, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}://{authority.rpartition('@')[2]}{slash}{path}"


def _remove_remains(folder: Path) -> None:
    """Remove what a killed download has left: temporary files of pooch."""
    for path in folder.glob("tmp*"):
        path.unlink()


def _reason(error: requests.RequestException) -> str:
    import requests

    if isinstance(error, requests.HTTPError):
        response = error.response
        return f"the server responded {response.status_code} {response.reason}".rstrip()
    if isinstance(error, requests.exceptions.SSLError):
        return "the server's certificate isn't trusted"
    if isinstance(error, requests.Timeout):
        return "no response in time"
    if isinstance(error, requests.ConnectionError):
        return "no connection"
    return str(error)
