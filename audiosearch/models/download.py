"""Downloads that arrive whole, verified and under their name, or not at all."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from audiosearch.errors import DownloadError
from audiosearch.models.cache import cache_dir, unwritable

if TYPE_CHECKING:
    from pathlib import Path

    import requests

#: Called with what is being done, how much of it is done, and how much there is, if known.
Progress = Callable[[str, int, "int | None"], None]

#: An answer must begin within this time, looking up the name included.
ANSWER_SECONDS = 7.0
_STALL_SECONDS = 30.0
_CHUNK_BYTES = 1 << 20


def no_progress(what: str, done: int, total: int | None) -> None:
    """Let progress pass in silence."""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A published file: where it is, and the digest that proves it.

    ``AUDIOSEARCH_<key>_URL`` names a mirror, ``AUDIOSEARCH_<key>_SHA512`` the digest of what
    it serves where that is not the published file.
    """

    key: str
    title: str
    published_url: str
    published_sha512: str
    option: str  # the command line's way to use a local file instead

    @property
    def url(self) -> str:
        """Where to fetch it from."""
        return os.environ.get(f"AUDIOSEARCH_{self.key}_URL") or self.published_url

    @property
    def sha512(self) -> str:
        """What must arrive."""
        named = os.environ.get(f"AUDIOSEARCH_{self.key}_SHA512") or self.published_sha512
        return named.strip().lower()

    @property
    def path(self) -> Path:
        """Where it is kept, once it has arrived and was verified."""
        name = urlsplit(self.published_url).path.rpartition("/")[2]
        return cache_dir() / "downloads" / self.sha512[:16] / name

    def fetch(self, progress: Progress = no_progress) -> Path:
        """Download the file unless it is here, and return its path.

        Two processes may fetch at once: the second waits for the first.

        Raises
        ------
        DownloadError
            Where nothing answers, the answer breaks off, or its digest is wrong.
        ModelError
            Where the cache folder cannot be written.
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
            what = f"Downloading {self.title}"
            with contextlib.closing(_first_answer(url)) as answer, open(output_file, "wb") as file:
                answer.raise_for_status()
                length = answer.headers.get("content-length", "")
                total = int(length) if length.isdecimal() else None
                done = 0
                try:
                    for chunk in answer.iter_content(_CHUNK_BYTES):
                        done += file.write(chunk)
                        progress(what, done, total)
                except requests.RequestException as exc:
                    raise _BrokenOff from exc

        try:
            pooch.retrieve(
                self.url,
                f"sha512:{self.sha512}",
                fname=self.path.name,
                path=self.path.parent,
                downloader=write,
            )
        except (requests.RequestException, _BrokenOff) as exc:
            raise self._failed(_reason(exc)) from exc
        except ValueError as exc:  # pooch's word for a wrong digest
            raise self._failed("what it serves has another SHA-512 than expected") from exc

    def _failed(self, reason: str) -> DownloadError:
        return DownloadError(
            f"{self.title} could not be fetched from {self.url}: {reason}.",
            hint=f"Check the network, name a local file with {self.option}, or a mirror with "
            f"AUDIOSEARCH_{self.key}_URL (and AUDIOSEARCH_{self.key}_SHA512).",
        )


class _BrokenOff(OSError):
    """An answer that began, and did not end."""


def _remove_all_but(kept: Path) -> None:
    """Remove what a download that was killed has left beside its lock."""
    for path in kept.parent.iterdir():
        if path != kept:
            path.unlink()


def _first_answer(url: str) -> requests.Response:
    """Ask for a URL, and give up where no answer begins in time.

    The timeouts of requests do not bound the look-up of a name, so the asking is done by a
    thread that can be left behind.
    """
    import requests

    answers: queue.SimpleQueue[requests.Response | Exception] = queue.SimpleQueue()

    def ask() -> None:
        try:
            timeouts = (ANSWER_SECONDS, _STALL_SECONDS)
            answers.put(requests.get(url, stream=True, timeout=timeouts))
        except Exception as exc:  # noqa: BLE001  (raised again by the asking thread)
            answers.put(exc)

    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=ANSWER_SECONDS)
    except queue.Empty:
        message = f"no answer within {ANSWER_SECONDS:.0f} s"
        raise requests.ConnectTimeout(message) from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def _reason(error: requests.RequestException | _BrokenOff) -> str:
    import requests

    if isinstance(error, requests.HTTPError):
        return f"the server answers {error.response.status_code} {error.response.reason}".rstrip()
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate cannot be trusted"
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(error, _BrokenOff):
        return "the connection broke off"
    if isinstance(error, requests.ConnectionError):
        return "no connection"
    return str(error)
