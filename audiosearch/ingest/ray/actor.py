"""Ray actor: embeds files on a node of the cluster, with one network and one decoder process."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
import time
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from audiosearch.audio.discovery import is_missing
from audiosearch.audio.local_file import open_local
from audiosearch.embedding.pipeline import Pipeline
from audiosearch.errors import AudiosearchError, MissingExtra, ModelError, Unreachable, UsageError
from audiosearch.models import registry
from audiosearch.models.cache import cached_file, model_path
from audiosearch.models.runtime_choice import AUTO_F32, RuntimeChoice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np

    from audiosearch.audio.local_file import LocalFile
    from audiosearch.embedding.result import EmbeddingResult

_POLL_SECONDS = 1.0  # longest time that a poll waits for a result
_GATHER_SECONDS = 0.05  # time to wait for more results; a poll costs as much as a short file


@dataclass(frozen=True, slots=True)
class FileTask:
    """A file to embed.

    Attributes
    ----------
    path : str
        Path or URL.
    size_and_mtime : tuple of int or None
        Size in bytes and modification time in ns of a URL, as they were listed.
    """

    path: str
    size_and_mtime: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class JobSpec:
    """Settings that an actor starts with.

    Attributes
    ----------
    version : str
        Version of audiosearch on the driver.
    model : str
        Name of the model.
    weights_digest : str
        Digest of the model's weights.
    content : ObjectRef of bytes
        The network's LiteRT file.
    excerpt_seconds : float or None
        Embed only about this much of each file; None for all of it.
    has_sounds : bool
        Whether to find the sounds that are heard in the files.
    moment_hop : float or None
        Seconds from one patch to the next in the moments of files; None to keep none.
    runtime : RuntimeChoice
        Runtime and precision of the network.
    """

    version: str
    model: str
    weights_digest: str
    content: Any
    excerpt_seconds: float | None
    has_sounds: bool = False
    moment_hop: float | None = None
    runtime: RuntimeChoice = AUTO_F32


@dataclass(frozen=True, slots=True)
class PollResult:
    """Results of an actor since the last poll.

    Attributes
    ----------
    results : list of EmbeddingResult
    audio_seconds : float
        Seconds of audio embedded since the actor started.
    error : AudiosearchError or None
        Reason why the actor can't go on; None if it can.
    """

    results: list[EmbeddingResult]
    audio_seconds: float = 0.0
    error: AudiosearchError | None = None


class KnownHashes:
    """Set of hashes, as a sorted array that all processes of a node share.

    Parameters
    ----------
    hashes : ndarray of bytes, shape (n,)
        In ascending order.

    Examples
    --------
    >>> import numpy as np
    >>> known_hashes = KnownHashes(np.array([b"1a", b"2b"]))
    >>> "2b" in known_hashes, "3c" in known_hashes
    (True, False)
    """

    def __init__(self, hashes: np.ndarray[Any, np.dtype[np.bytes_]]) -> None:
        self._hashes = hashes

    def __contains__(self, content_hash: object) -> bool:
        encoded = str(content_hash).encode()
        position = int(self._hashes.searchsorted(encoded))
        return position < len(self._hashes) and bool(self._hashes[position] == encoded)


class EmbeddingActor:
    """Embeds files in a thread, and hands over the results when polled."""

    def __init__(self) -> None:
        self._paths: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[list[EmbeddingResult] | BaseException]
        self._results = queue.SimpleQueue()
        self._tasks: dict[str, FileTask] = {}
        self._is_closed = False

    def begin(self, job: JobSpec, known_hashes: np.ndarray[Any, np.dtype[np.bytes_]]) -> PollResult:
        """Prepare to embed files.

        Parameters
        ----------
        job : JobSpec
        known_hashes : ndarray of bytes, shape (n,)
            Hashes of content and of audio packets that need no embedding, in ascending order.

        Returns
        -------
        PollResult
            With an error if the actor can't start, else empty.
        """
        try:
            _check_version(job.version)
            model = _local_model(job).on(job.runtime)
        except (ModelError, MissingExtra, UsageError) as exc:
            error = AudiosearchError(f"On the node {_address()}: {exc}", hint=exc.hint)
            return PollResult([], error=error)
        except AudiosearchError as exc:
            return PollResult([], error=exc)
        except OSError as exc:
            return PollResult([], error=_system_error(exc))
        self._pipeline = Pipeline(
            iter(self._paths.get, None),
            model,
            excerpt_seconds=job.excerpt_seconds,
            n_jobs=1,
            known_hashes=KnownHashes(known_hashes),
            open_local=partial(self._open_local, in_parts=job.excerpt_seconds is not None),
            has_sounds=job.has_sounds,
            moment_hop=job.moment_hop,
        )
        threading.Thread(target=self._embed, daemon=True).start()
        return PollResult([])

    def submit_and_poll(self, tasks: list[FileTask]) -> PollResult:
        """Take more files to embed, and return the results since the last poll.

        Waits up to a second for a result.
        """
        for task in tasks:
            self._tasks[task.path] = task
            self._paths.put(task.path)
        results: list[EmbeddingResult] = []
        try:
            item = self._results.get(timeout=_POLL_SECONDS)
            time.sleep(_GATHER_SECONDS)
            while not isinstance(item, BaseException):
                results += item
                item = self._results.get_nowait()
        except queue.Empty:
            return PollResult(results, self._pipeline.audio_seconds)
        if isinstance(item, OSError):
            item = _system_error(item)
        if not isinstance(item, AudiosearchError):
            raise item
        return PollResult(results, self._pipeline.audio_seconds, item)

    def close(self) -> None:
        """Fetch no more URLs."""
        self._is_closed = True

    def _embed(self) -> None:
        try:
            for results in self._pipeline:
                self._results.put(results)
        except BaseException as exc:  # noqa: BLE001  (raised again by the next poll)
            self._results.put(exc)

    @contextlib.contextmanager
    def _open_local(
        self, path: str, *, is_stopped: Callable[[], bool], **options: Any
    ) -> Iterator[LocalFile]:
        task = self._tasks.pop(path)

        def is_over() -> bool:
            return self._is_closed or is_stopped()

        if is_missing(path):
            raise Unreachable(
                path,
                f"there is no such file on the node {_address()}",
                hint="Mount the folder at the same path on every node, for example by NFS; or add "
                "URLs, which every node can fetch.",
            )
        size_and_mtime = task.size_and_mtime
        with open_local(path, size_and_mtime=size_and_mtime, is_stopped=is_over, **options) as file:
            yield replace(file, is_original=False)  # links may differ from node to node


def _check_version(driver_version: str) -> None:
    node_version = version("audiosearch")
    if node_version != driver_version:
        raise AudiosearchError(
            f"The node {_address()} has audiosearch {node_version}, but this machine has "
            f"{driver_version}.",
            hint=f"Run on every node: pip install 'audiosearch[ray]=={driver_version}'",
        )


def _system_error(error: OSError) -> AudiosearchError:
    return AudiosearchError(
        f"The node {_address()} can't read files: {error.strerror or error}.",
        hint="Check the node's disks and resource limits. Files added so far are kept; run the "
        "same command again to continue.",
    )


def _local_model(job: JobSpec) -> registry.Model:
    """Return the model on this node. A model that is missing is saved in the node's cache."""
    shipped = registry.compact()
    if shipped.weights_digest == job.weights_digest:
        return shipped
    path = model_path(job.weights_digest)
    if not os.path.exists(path):
        import ray

        with cached_file(path) as draft:
            draft.write_bytes(ray.get(job.content))
    return registry.Model(job.model, job.weights_digest, path)


def _address() -> str:
    from ray import util

    address: Callable[[], str] = util.get_node_ip_address
    return address()
