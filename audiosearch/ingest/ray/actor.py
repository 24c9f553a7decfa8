"""What runs on a machine of the cluster: one network, and one process that decodes."""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import threading
import time
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from audiosearch.audio.discovery import is_gone
from audiosearch.audio.remote import open_local, temporary_folder
from audiosearch.embedding.pipeline import Pipeline
from audiosearch.errors import AudiosearchError, ModelError, Unreachable
from audiosearch.models import registry
from audiosearch.models.cache import cached_file, model_path
from audiosearch.paths import is_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np

    from audiosearch.embedding.pipeline import EmbeddingResult, LocalFile

_CLOSING_SECONDS = 1.0
_ANSWER_SECONDS = 1.0  # after so long there is an answer, though no file is done
_GATHER_SECONDS = 0.05  # so long an answer waits for more of it: each costs as much as a sound


@dataclass(frozen=True, slots=True)
class Task:
    """A file to read; of a URL, the size and time of change by which it is known."""

    path: str
    listed: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class JobSpec:
    """What a actor needs to begin.

    Attributes
    ----------
    version : str
        Of audiosearch, where the index is.
    model, weights_digest : str
    content : ObjectRef of bytes
        The network's LiteRT file.
    excerpt_seconds : float or None
    """

    version: str
    model: str
    weights_digest: str
    content: Any
    excerpt_seconds: float | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a actor did since it was last asked; an error is the end of it."""

    readings: list[EmbeddingResult]
    audio_seconds: float = 0.0
    error: AudiosearchError | None = None


class KnownContents:
    """Content hashes, sorted, in an array that the processes of a machine share.

    Parameters
    ----------
    hashes : ndarray of bytes, shape (n,)
        Ascending.

    Examples
    --------
    >>> import numpy as np
    >>> known = KnownContents(np.array([b"1a", b"2b"]))
    >>> "2b" in known, "3c" in known
    (True, False)
    """

    def __init__(self, hashes: np.ndarray[Any, np.dtype[np.bytes_]]) -> None:
        self._hashes = hashes

    def __contains__(self, content_hash: object) -> bool:
        wanted = str(content_hash).encode()
        place = int(self._hashes.searchsorted(wanted))
        return place < len(self._hashes) and bool(self._hashes[place] == wanted)


class EmbeddingActor:
    """Reads the files it is given, in a thread, and tells what became of them when asked."""

    def __init__(self) -> None:
        self._paths: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[list[EmbeddingResult] | BaseException] = queue.SimpleQueue()
        self._tasks: dict[str, Task] = {}
        self._folder: str | None = None  # of what is fetched
        self._is_closed = False

    def begin(self, work: JobSpec, known: np.ndarray[Any, np.dtype[np.bytes_]]) -> Answer:
        """Get ready; an answer without an error says that files may come."""
        try:
            _check_version(work.version)
            model = _local_model(work)
        except ModelError as exc:
            error = AudiosearchError(f"On the node {_address()}: {exc}", hint=exc.hint)
            return Answer([], error=error)
        except AudiosearchError as exc:
            return Answer([], error=exc)
        except OSError as exc:
            return Answer([], error=_unfit(exc))
        self._pipeline = Pipeline(
            iter(self._paths.get, None),
            model,
            excerpt_seconds=work.excerpt_seconds,
            n_jobs=1,
            known=KnownContents(known),
            open_local=self._open_local,
        )
        threading.Thread(target=self._read, daemon=True).start()
        return Answer([])

    def submit_and_poll(self, tasks: list[Task]) -> Answer:
        """Take more files to read; return what was read, once there is something to tell."""
        for task in tasks:
            self._tasks[task.path] = task
            self._paths.put(task.path)
        readings: list[EmbeddingResult] = []
        try:
            item = self._done.get(timeout=_ANSWER_SECONDS)
            time.sleep(_GATHER_SECONDS)
            while not isinstance(item, BaseException):
                readings += item
                item = self._done.get_nowait()
        except queue.Empty:
            return Answer(readings, self._pipeline.audio_seconds)
        if isinstance(item, OSError):
            item = _unfit(item)
        if not isinstance(item, AudiosearchError):
            raise item
        return Answer(readings, self._pipeline.audio_seconds, item)

    def close(self) -> None:
        """Leave nothing behind on this machine, before the end."""
        self._is_closed = True
        end = time.monotonic() + _CLOSING_SECONDS
        while self._folder and os.path.lexists(self._folder) and time.monotonic() < end:
            shutil.rmtree(self._folder, ignore_errors=True)  # while a file may still come in
            time.sleep(0.01)

    def _read(self) -> None:
        try:
            for readings in self._pipeline:
                self._done.put(readings)
        except BaseException as exc:  # noqa: BLE001  (for whoever asks)
            self._done.put(exc)

    @contextlib.contextmanager
    def _open_local(self, path: str) -> Iterator[LocalFile]:
        task = self._tasks.pop(path)
        if self._is_closed:
            raise Unreachable(path, "its worker was sent home", hint="Add it once more.")
        folder = self._folder_for(path) if is_url(path) else None
        if is_gone(path):
            raise Unreachable(
                path,
                f"the worker at {_address()} sees no such file",
                hint="Each node needs the folder at the same path, by NFS for example; or add "
                "URLs, which each can fetch.",
            )
        with open_local(path, listed=task.listed, folder=folder) as file:
            yield file

    def _folder_for(self, url: str) -> str:
        """Return the folder of what is fetched, which whoever tidies up may have taken away."""
        if self._folder is None or not os.path.isdir(self._folder):
            self._folder = temporary_folder(url)
        if self._is_closed:  # meanwhile, and so nobody else removes it
            shutil.rmtree(self._folder, ignore_errors=True)
        return self._folder


def _check_version(wanted: str) -> None:
    here = version("audiosearch")
    if here != wanted:
        raise AudiosearchError(
            f"The node {_address()} has audiosearch {here}, and the index is added to by {wanted}.",
            hint=f"pip install 'audiosearch[ray]=={wanted}' on every node.",
        )


def _unfit(error: OSError) -> AudiosearchError:
    return AudiosearchError(
        f"The node {_address()} cannot read files: {error.strerror or error}.",
        hint="Check its disks and its limits. What was added is kept; the same command goes on "
        "from there.",
    )


def _local_model(work: JobSpec) -> registry.Model:
    """Return the model; where it is not on this machine, it is kept in its cache."""
    shipped = registry.compact()
    if shipped.weights_digest == work.weights_digest:
        return shipped
    path = model_path(work.weights_digest)
    if not os.path.exists(path):
        import ray

        with cached_file(path) as draft:
            draft.write_bytes(ray.get(work.content))
    return registry.Model(work.model, work.weights_digest, path)


def _address() -> str:
    from ray import util

    address: Callable[[], str] = util.get_node_ip_address
    return address()
