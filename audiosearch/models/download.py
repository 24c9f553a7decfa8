"""Downloads: a file gets its name in the cache only when it is complete and verified."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from audiosearch.errors import DownloadError
from audiosearch.models.cache import cache_dir, unwritable

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


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A published file: its address, and the digest that verifies it.

    The environment variable ``AUDIOSEARCH_<key>_URL`` names a mirror, and
    ``AUDIOSEARCH_<key>_SHA512`` the digest of a file on the mirror that isn't the published one.

    Attributes
    ----------
    key : str
        Part of the names of the environment variables; upper case.
    title : str
        Name in messages.
    published_url : str
    published_sha512 : str
        128 hexadecimal digits.
    option : str
        The command line's option to use a local file instead, as in "--weights FILE".
    size_mb : float
        Approximate size, in units of 1,000,000 bytes.
    license : str
        SPDX identifier.
    """

    key: str
    title: str
    published_url: str
    published_sha512: str
    option: str
    size_mb: float
    license: str

    @property
    def label(self) -> str:
        """Name in messages, with the size of a large file."""
        return f"{self.title} ({self.size_mb:.0f} MB)" if self.size_mb >= 1 else self.title

    @property
    def url(self) -> str:
        """Address to download from."""
        return os.environ.get(f"AUDIOSEARCH_{self.key}_URL") or self.published_url

    @property
    def sha512(self) -> str:
        """Expected digest: 128 hexadecimal digits in lower case."""
        named = os.environ.get(f"AUDIOSEARCH_{self.key}_SHA512") or self.published_sha512
        return named.strip().lower()

    @property
    def path(self) -> Path:
        """Path in the cache. The file exists once it was downloaded and verified."""
        name = urlsplit(self.published_url).path.rpartition("/")[2]
        return cache_dir() / "downloads" / self.sha512[:16] / name

    def fetch(self, progress: Progress = no_progress) -> Path:
        """Download the file unless the cache has it, and return its path.

        If two processes fetch the same file, the second one waits for the first.

        Raises
        ------
        DownloadError
            If the server doesn't respond, the connection breaks, or the digest is wrong.
        ModelError
            If the cache can't be written.
        """
        from filelock import FileLock

        if os.path.exists(self.path):
            return self.path
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            lock = self.path.with_name("lock")
            with FileLock(lock):
                if not self.path.exists():
                    _remove_all_but(lock)
                    self._download(progress)
        except OSError as exc:
            raise unwritable(exc) from exc
        return self.path

    def _download(self, progress: Progress) -> None:
        import pooch
        import requests

        pooch.get_logger().setLevel("ERROR")

        def write(url: str, output_file: str, _pooch: object) -> None:
            what = f"Downloading {self.label}"
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
            pooch.retrieve(
                self.url,
                f"sha512:{self.sha512}",
                fname=self.path.name,
                path=self.path.parent,
                downloader=write,
            )
        except (requests.RequestException, _ConnectionLost) as exc:
            raise self._failed(_reason(exc)) from exc
        except ValueError as exc:  # pooch's error for a wrong digest
            raise self._failed("the file has the wrong SHA-512") from exc

    def _failed(self, reason: str) -> DownloadError:
        return DownloadError(
            f"Can't download {self.label} from {self.url}: {reason}.",
            hint=f"Check the network, use a local file with {self.option}, or set "
            f"AUDIOSEARCH_{self.key}_URL (and AUDIOSEARCH_{self.key}_SHA512) to a mirror.",
        )


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
