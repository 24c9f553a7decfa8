"""Readers embed files for ingest: `Reader` on this machine; `RayReader` on a Ray cluster."""

from __future__ import annotations

from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Protocol

from audiosearch.audio import file_stat
from audiosearch.audio.local_file import open_local
from audiosearch.embedding.pipeline import Pipeline, load_networks

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from collections.abc import Set as AbstractSet
    from contextlib import AbstractContextManager

    from audiosearch.audio.input_files import InputFiles
    from audiosearch.audio.local_file import LocalFile
    from audiosearch.embedding.result import EmbeddingResult
    from audiosearch.errors import AudioError
    from audiosearch.models.registry import Model


class EmbeddingResults(Protocol):
    """Files being embedded, like an `audiosearch.embedding.pipeline.Pipeline`."""

    @property
    def audio_seconds(self) -> float:
        """Seconds of audio embedded so far."""

    def __iter__(self) -> Generator[list[EmbeddingResult], None, None]:  # noqa: PYI058  (closable)
        """Yield results in the order in which files are done."""


class Reader:
    """Reads files with decoder processes on this machine.

    Parameters
    ----------
    n_jobs : int, optional
        Number of decoder processes. Default: the number of cores.
    has_sounds : bool
        Whether to find the sounds that are heard in the files. Also an attribute.
    input_files : InputFiles, optional
        The files, with the sizes and modification times of those at URLs. Default: local files.
    keeps_networks : bool
        Whether to keep the networks loaded for the next call of `embed`. Two calls at the same time
        are not possible then.
    """

    def __init__(
        self,
        *,
        n_jobs: int | None = None,
        has_sounds: bool = True,
        input_files: InputFiles | None = None,
        keeps_networks: bool = False,
    ) -> None:
        self._n_jobs = n_jobs
        self._input_files = input_files
        self.has_sounds = has_sounds
        self._load = lru_cache(maxsize=1)(load_networks) if keeps_networks else load_networks

    def embed(
        self,
        paths: Sequence[str],
        model: Model,
        *,
        excerpt_seconds: float | None,
        known_hashes: AbstractSet[str],
        moment_hop: float | None = None,
    ) -> EmbeddingResults:
        """Start to embed files.

        Parameters
        ----------
        paths : sequence of str
        model : Model
        excerpt_seconds : float or None
            Embed only about this much of each file; None for all of it.
        known_hashes : set of str
            Hashes of content and of audio packets that need no embedding.
        moment_hop : float, optional
            Keep the moments of each file, with this many seconds from one patch to the next.

        Returns
        -------
        EmbeddingResults
            Iterating over it embeds the files.
        """
        return Pipeline(
            paths,
            model,
            excerpt_seconds=excerpt_seconds,
            n_jobs=self._n_jobs,
            known_hashes=known_hashes,
            open_local=partial(self._open_local, in_parts=excerpt_seconds is not None),
            has_sounds=self.has_sounds,
            moment_hop=moment_hop,
            load=self._load,
        )

    def _open_local(self, path: str, **options: Any) -> AbstractContextManager[LocalFile]:
        stat = self._input_files.urls.get(path) if self._input_files else None
        return open_local(path, size_and_mtime=stat, **options)

    def size_and_mtime(self, path: str) -> tuple[int, int]:
        """Return a file's size in bytes and modification time in ns since 1970, without opening it.

        Raises
        ------
        AudioError
            If there is no such file, it is not a regular file, or a URL can't be read.
        """
        return (self._input_files or file_stat).size_and_mtime(path)

    def size_and_mtime_after_failure(self, error: AudioError) -> tuple[int, int] | None:
        """Return the size and modification time to store with a failure; None to store none.

        See Also
        --------
        audiosearch.audio.file_stat.size_and_mtime_after_failure
        """
        return (self._input_files or file_stat).size_and_mtime_after_failure(error)


#: Reads local files with all cores.
LOCAL_READER = Reader()
