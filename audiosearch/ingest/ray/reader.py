"""Reader that embeds files on a Ray cluster."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from audiosearch.embedding.reader import Reader
from audiosearch.ingest.ray.actor import FileTask, JobSpec
from audiosearch.ingest.ray.results import TIMEOUT_SECONDS, RayResults
from audiosearch.ingest.ray.task_queue import TaskQueue
from audiosearch.ingest.ray.worker_pool import WorkerPool

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet

    from audiosearch.audio.input_files import InputFiles
    from audiosearch.models.registry import Model


class RayReader(Reader):
    """Embeds files on a Ray cluster: URLs, and local files at the same path on every node.

    Parameters
    ----------
    input_files : InputFiles
        The files, with the sizes and modification times of the URLs.
    n_workers : int
        Number of workers, if the cluster has that many free CPUs.
    has_sounds : bool
        Whether to find the sounds that are heard in the files.
    timeout_seconds : float
        The run ends after this time without any started worker.
    """

    def __init__(
        self,
        input_files: InputFiles,
        *,
        n_workers: int,
        has_sounds: bool = True,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        super().__init__(n_jobs=n_workers, has_sounds=has_sounds, input_files=input_files)
        self._urls = input_files.urls
        self._n_workers = n_workers
        self._timeout_seconds = timeout_seconds

    def embed(
        self,
        paths: Sequence[str],
        model: Model,
        *,
        excerpt_seconds: float | None,
        known_hashes: AbstractSet[str],
        moment_hop: float | None = None,
    ) -> RayResults:
        """Start to embed files; see `audiosearch.embedding.reader.Reader.embed`."""
        import ray

        job = JobSpec(
            version("audiosearch"),
            model.name,
            model.weights_digest,
            ray.put(model.path.read_bytes()),
            excerpt_seconds,
            self.has_sounds,
            moment_hop,
            model.runtime,
        )
        return RayResults(
            TaskQueue(paths),
            WorkerPool(job, known_hashes),
            self._task,
            n_workers=max(1, min(self._n_workers, len(paths))),
            timeout_seconds=self._timeout_seconds,
        )

    def _task(self, path: str) -> FileTask:
        return FileTask(path, self._urls.get(path))
