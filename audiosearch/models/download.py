"""Downloads: a file gets its name in the cache only when it is complete and verified."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from audiosearch.errors import DownloadError
from audiosearch.models.cache import unwritable

if TYPE_CHECKING:
    from pathlib import Path

    import requests

#: Called with a description of the work, the amount done, and the total amount if known.
Progress = Callable[[str, int, "int | None"], None]

#: A response must start within this time. It includes looking up the host's name.
RESPONSE_SECONDS = 7.0
_STALL_SECONDS = 30.0
_CHUNK_BYTES = 1 << 20


def no_progress(what: str, done: int, total: int | None) -> None:
    """Ignore progress."""


def download(
    url: str, path: Path, *, sha512: str, label: str, hint: str, progress: Progress = no_progress
) -> None:
    """Download a file unless it exists.

    If two processes download the same file, the second one waits for the first. The file's
    folder must hold no other files.

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
                _remove_all_but(lock)
                reason = _failure(url, path, sha512, f"Downloading {label}", progress)
                if reason is not None:
                    message = f"Can't download {label} from {url}: {reason}."
                    raise DownloadError(message, hint=hint)
    except OSError as exc:
        raise unwritable(exc) from exc


def _failure(url: str, path: Path, sha512: str, what: str, progress: Progress) -> str | None:
    """Download a file. Return the reason if that fails, else None."""
    import pooch
    import requests

    pooch.get_logger().setLevel("ERROR")

    def write(url: str, output_file: str, _pooch: object) -> None:
        with contextlib.closing(_response(url)) as response, open(output_file, "wb") as file:
            response.raise_for_status()
            length = response.headers.get("content-length", "")
            total = int(length) if length.isdecimal() else None
            done = 0
            try:
                for chunk in response.iter_content(_CHUNK_BYTES):
                    done += file.write(chunk)
                    progress(what, done, total)
            except requests.RequestException as exc:
                raise _ConnectionLost from exc

    try:
        pooch.retrieve(url, f"sha512:{sha512}", fname=path.name, path=path.parent, downloader=write)
    except (requests.RequestException, _ConnectionLost) as exc:
        return _reason(exc)
    except ValueError:  # the error of pooch for a wrong digest
        return "the file has the wrong SHA-512"
    return None


class _ConnectionLost(OSError):
    """A response broke off before its end."""


def _remove_all_but(kept: Path) -> None:
    """Remove all files beside a lock file: the remains of a killed download."""
    for path in kept.parent.iterdir():
        if path != kept:
            path.unlink()


def _response(url: str) -> requests.Response:
    """Return the response from a URL, or give up if none starts in time.

    The timeouts of requests don't limit the look-up of a host's name, so a thread that can be
    abandoned makes the request.
    """
    import queue
    import threading

    import requests

    results: queue.SimpleQueue[requests.Response | Exception] = queue.SimpleQueue()

    def request() -> None:
        try:
            timeouts = (RESPONSE_SECONDS, _STALL_SECONDS)
            results.put(requests.get(url, stream=True, timeout=timeouts))
        except Exception as exc:  # noqa: BLE001  (raised again in the calling thread)
            results.put(exc)

    threading.Thread(target=request, daemon=True).start()
    try:
        result = results.get(timeout=RESPONSE_SECONDS)
    except queue.Empty:
        message = f"no response within {RESPONSE_SECONDS:.0f} s"
        raise requests.ConnectTimeout(message) from None
    if isinstance(result, Exception):
        raise result
    return result


def _reason(error: requests.RequestException | _ConnectionLost) -> str:
    import requests

    if isinstance(error, requests.HTTPError):
        response = error.response
        return f"the server responded {response.status_code} {response.reason}".rstrip()
    if isinstance(error, requests.exceptions.SSLError):
        return "the server's certificate isn't trusted"
    if isinstance(error, requests.Timeout):
        return "no response in time"
    if isinstance(error, _ConnectionLost):
        return "the connection was lost"
    if isinstance(error, requests.ConnectionError):
        return "no connection"
    return str(error)
