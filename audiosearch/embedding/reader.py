"""Who reads files, and where: what adding files needs to know of that."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Protocol

from audiosearch.embedding.pipeline import Pipeline
from audiosearch.errors import AudioError, Unreachable

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from collections.abc import Set as AbstractSet

    from audiosearch.embedding.pipeline import EmbeddingResult
    from audiosearch.models.registry import Model

#: A size and time that no file has: one that failed so is tried again as it is.
ALWAYS_RETRY = (-1, -1)


class EmbeddingResults(Protocol):
    """Files on their way to being read, as `audiosearch.embedding.pipeline.Pipeline` is."""

    @property
    def audio_seconds(self) -> float:
        """How much sound was embedded so far."""

    def __iter__(self) -> Generator[list[EmbeddingResult], None, None]:  # noqa: PYI058  (to be closed)
        """Yield what became of files, in the order in which they are done."""


class Reader:
    """Reads local files by processes on this machine.

    Parameters
    ----------
    n_jobs : int, optional
        How many processes decode; as many as there are cores, unless given.
    """

    def __init__(self, *, n_jobs: int | None = None) -> None:
        self._n_jobs = n_jobs

    def readings(
        self,
        paths: Sequence[str],
        model: Model,
        *,
        excerpt_seconds: float | None,
        known: AbstractSet[str],
    ) -> EmbeddingResults:
        """Return files on their way to being read; those of ``known`` contents are not embedded."""
        return Pipeline(
            paths, model, excerpt_seconds=excerpt_seconds, n_jobs=self._n_jobs, known=known
        )

    def size_and_time(self, path: str) -> tuple[int, int]:
        """Return a file's size in bytes and its time of change in ns, without opening it.

        Raises
        ------
        AudioError
            Where there is no such file.
        """
        try:
            status = os.stat(path)
        except FileNotFoundError as exc:
            raise AudioError(path, "there is no such file", hint="Check the path.") from exc
        except OSError as exc:
            hint = "Check that you may read it."
            raise AudioError(path, "it cannot be opened", hint=hint) from exc
        if stat.S_ISDIR(status.st_mode):
            hint = "Check that you may read it."
            raise AudioError(path, "this folder cannot be opened", hint=hint)
        if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for its writer
            raise AudioError(path, "it is not a file", hint="Name an audio file.")
        return status.st_size, status.st_mtime_ns

    def size_and_time_when_failed(self, error: AudioError) -> tuple[int, int] | None:
        """Return by what a file that failed is known not to have changed.

        None where nothing is there that could be tried again; and what no file has where it
        may be read one day without having changed.
        """
        path = error.path
        if isinstance(error, Unreachable):
            return ALWAYS_RETRY
        if not os.path.lexists(path):
            return None
        try:
            status = os.stat(path)
        except OSError:
            return ALWAYS_RETRY
        return (status.st_size, status.st_mtime_ns) if os.access(path, os.R_OK) else ALWAYS_RETRY


#: Reads with all cores.
LOCAL_READER = Reader()
