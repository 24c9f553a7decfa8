"""Add files to an index: find, decode, embed, store."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING

from audiosearch.audio.disk import disks_of
from audiosearch.audio.input_files import InputFiles
from audiosearch.embedding.patch_reader import check_excerpt
from audiosearch.embedding.reader import LOCAL_READER, Reader
from audiosearch.errors import AudioError, LibraryError
from audiosearch.ingest.moments import (
    bytes_of,
    check_unchanged_hop,
    chosen_hop,
    min_moments,
    require_space,
)
from audiosearch.ingest.plan import find_states
from audiosearch.ingest.result import AddResult, ReprocessPolicy, Status
from audiosearch.ingest.store import settle, store_embedded, store_known_sound
from audiosearch.library.file_state import FileStates, State
from audiosearch.library.index import EmbeddingSpec, Failure, Index
from audiosearch.library.known_mounts import remember_mounts
from audiosearch.library.runtimes import RuntimeRecord
from audiosearch.models import registry
from audiosearch.models.runtime_choice import F32, RuntimeChoice

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from audiosearch.embedding.reader import EmbeddingResults
    from audiosearch.embedding.result import EmbeddingResult
    from audiosearch.library.file_state import KnownFile
    from audiosearch.types import StrPath

__all__ = ["AddResult", "Ingest", "ReprocessPolicy", "Status", "add"]

log = logging.getLogger(__name__)


def add(  # noqa: PLR0913
    directory: StrPath,
    paths: StrPath | Iterable[StrPath],
    *,
    model: str = registry.AUTO,
    weights: StrPath | None = None,
    runtime: str = registry.AUTO,
    precision: str = F32,
    excerpt_seconds: float | None = None,
    reprocess: ReprocessPolicy = ReprocessPolicy.CHANGED,
    sounds: bool = True,
    moments: bool = False,
    moment_hop: float | None = None,
    n_jobs: int | None = None,
) -> list[AddResult]:
    """Add files and folders to an index.

    Parameters
    ----------
    directory : str or path-like
        Location of the index. It is created if it doesn't exist.
    paths : str, path-like, or iterable of them
        Files with any suffix, and folders to search for audio files. URLs of files and folders.
    model : str
        Embedding model of a new index: "vggish", "compact", the path of a .tflite file, or
        "auto". An existing index keeps its model; asking for another one is an error.
    weights : str or path-like, optional
        VGGish checkpoint.
    runtime : {"auto", "litert", "openvino"}
        Library that runs the network.
    precision : {"f32", "bf16"}
        Precision of the network. See `audiosearch.models.runtime_choice.RuntimeChoice`.
    excerpt_seconds : float, optional
        Embed only about this much of each file.
    reprocess : ReprocessPolicy
        Known files to embed again.
    sounds : bool
        Whether to find the sounds that are heard in the files.
    moments : bool
        Make a new index with moments. An existing index keeps its moments without it, and must
        have some with it.
    moment_hop : float, optional
        Seconds from one moment to the next: 0.96 (default) or 0.48. An existing index keeps its
        own.
    n_jobs : int, optional
        Number of decoder processes. Default: the number of cores.

    Returns
    -------
    list of AddResult
        One per file, in the order in which files were done.

    Raises
    ------
    AudioError
        If there is no audio file.
    ModelMismatch, IndexUnwritable, LibraryError
        If the index can't take the files.
    ModelError
        If the model is unavailable.
    MissingExtra, UsageError
        If the runtime can't run the model with this precision.

    See Also
    --------
    Ingest : Does the same step by step.
    """
    files = InputFiles(paths)
    ingest = Ingest(
        directory,
        files.paths,
        folder_aliases=files.folder_aliases,
        request=registry.ModelRequest(model, weights, runtime=RuntimeChoice(runtime, precision)),
        excerpt_seconds=excerpt_seconds,
        reprocess=reprocess,
        reader=Reader(n_jobs=n_jobs, has_sounds=sounds, input_files=files),
        moments=moments,
        moment_hop=moment_hop,
    )
    return list(ingest)


class Ingest:
    """Files to be added to an index.

    The constructor checks everything that can be checked before the first file is decoded.
    Iterating, which is possible once, adds the files, several at a time, and yields an
    `AddResult` for each, in the order in which files are done.

    Parameters
    ----------
    directory : str or path-like
        Location of the index. If it doesn't exist, it is created with the first embedded file.
    paths : sequence of str
        Absolute paths of files and URLs, as `audiosearch.audio.input_files.InputFiles` has them.
        Paths of the same file, by symbolic links, count once.
    folder_aliases : sequence of str
        Other paths of folders with these files. Tracks that are stored under them count too.
    request : ModelRequest
        Embedding model of a new index. An existing index keeps its model; asking for another
        one is an error.
    excerpt_seconds : float, optional
        Embed only about this much of each file. Default: as in the index; whole files for a new
        index.
    reprocess : ReprocessPolicy
        Known files to embed again.
    reader : Reader
        Reads the files: on this machine, or on a Ray cluster.
    moments, moment_hop : bool, float
        See `add`.

    Attributes
    ----------
    spec : EmbeddingSpec
        Model and excerpt of the index.
    sizes : dict of str to int
        Sizes in bytes of the files that are embedded, by path. Iterating fills it before the first
        file is embedded.

    Raises
    ------
    ModelMismatch, IndexUnwritable, LibraryError
        If the index can't take the files.
    ModelError
        If the model is unavailable.
    UsageError
        If options contradict each other, or a number is out of range.
    """

    def __init__(  # noqa: PLR0913
        self,
        directory: StrPath,
        paths: Sequence[str],
        *,
        folder_aliases: Sequence[str] = (),
        request: registry.ModelRequest = registry.AUTO_REQUEST,
        excerpt_seconds: float | None = None,
        reprocess: ReprocessPolicy = ReprocessPolicy.CHANGED,
        reader: Reader = LOCAL_READER,
        moments: bool = False,
        moment_hop: float | None = None,
    ) -> None:
        self._directory = directory
        check_excerpt(excerpt_seconds)
        Index.check_writable(directory)
        self._index = Index(directory) if Index.exists(directory) else None
        self._reprocess = reprocess
        self._reader = reader
        self._paths_to_embed: list[str] = []
        self.sizes: dict[str, int] = {}
        self._unwritten_failures: list[Failure] = []
        self._runtimes = RuntimeRecord()
        self._results: EmbeddingResults | None = None  # of the current pass over the files
        self._previous_audio_seconds = 0.0  # of earlier passes
        try:
            self._moment_hop = chosen_hop(
                self._index, moments=moments, hop=moment_hop, excerpt_seconds=excerpt_seconds
            )
            self._file_states = FileStates(self._index, paths, folder_aliases)
            self._model = self._resolve_model(request)
            if excerpt_seconds is None and self._index:
                excerpt_seconds = self._index.spec.excerpt_seconds
            self.spec = EmbeddingSpec(
                self._model.name,
                self._model.weights_digest,
                excerpt_seconds,
                dimension=self._model.dimension,
            )
            if self._index is not None:
                self._index.require(self.spec)
                self._warn_of_lost_sounds(self._index)
        except BaseException:
            if self._index is not None:
                self._index.close()
            raise

    def _warn_of_lost_sounds(self, index: Index) -> None:
        if self._reader.has_sounds:
            try:
                index.require_sound_storage()
            except LibraryError as exc:
                log.warning("%s %s", exc, exc.hint)

    def _resolve_model(self, request: registry.ModelRequest) -> registry.Model:
        if self._index is not None:
            current = self._index.spec
            return registry.resolve_for_index(current.model, current.weights_digest, request)
        return registry.resolve_request(request, may_fetch=True)

    def __len__(self) -> int:
        """Return the number of files."""
        return len(self._file_states.files)

    @property
    def audio_seconds(self) -> float:
        """Seconds of audio embedded so far, including files in progress."""
        return self._previous_audio_seconds + (self._results.audio_seconds if self._results else 0)

    def __iter__(self) -> Iterator[AddResult]:
        """Add the files; results of files that need no embedding come first."""
        try:
            yield from self._known_results()
            self._write_failures()
            self.sizes = dict(self._sizes_to_embed())
            if self._moment_hop is not None:
                n_moments = min_moments(self.sizes.values(), self._moment_hop)
                require_space(self._directory, bytes_of(n_moments, self.spec.dimension))
            while self._paths_to_embed:
                self._results = self._start_embedding()
                self._paths_to_embed = []
                with contextlib.closing(iter(self._results)) as batches:
                    for batch in batches:
                        yield from self._store(batch)
                self._previous_audio_seconds = self.audio_seconds
                self._results = None
        finally:
            if self._index is not None:
                with self._index:
                    real_paths = (file.real_path for file in self._file_states.files)
                    remember_mounts(self._index, disks_of(real_paths))
                    self._index.sync()

    def _sizes_to_embed(self) -> Iterator[tuple[str, int]]:
        for path in self._paths_to_embed:
            with contextlib.suppress(AudioError):  # it was removed: embedding it will fail
                yield path, self._reader.size_and_mtime(path)[0]

    def _start_embedding(self) -> EmbeddingResults:
        known_hashes: set[str] = set()
        if self._index is not None and self._reprocess is not ReprocessPolicy.ALL:
            known_hashes = self._index.storage.hashes()
        return self._reader.embed(
            self._paths_to_embed,
            self._model,
            excerpt_seconds=self.spec.excerpt_seconds,
            known_hashes=known_hashes,
            moment_hop=self._moment_hop,
        )

    def _known_results(self) -> Iterator[AddResult]:
        """Yield the results of files that need no embedding. Remember the paths of the others."""
        self._forget_failures_of_links()
        unsettled = []
        for file, state in find_states(self._index, self._file_states, self._reader):
            if isinstance(state, AudioError):
                yield self._failed(state)
            elif file.is_settled and not self._file_states.lacks_real_path(file):
                yield from self._skipped(file, state)
            else:
                unsettled.append((file, state))
        if self._index is not None and unsettled:
            settle(self._index, [file for file, _ in unsettled])
            for file, state in unsettled:
                yield from self._skipped(file, state)

    def _forget_failures_of_links(self) -> None:
        failures = self._file_states.failures
        links = [path for file in self._file_states.files for path in file.paths[1:]]
        if self._index is not None:
            self._index.storage.remove_failures(failures[p] for p in links if p in failures)

    def _skipped(self, file: KnownFile, state: State) -> Iterator[AddResult]:
        """Yield the result of a file that needs no embedding. Remember the path of another one."""
        path = file.path
        is_current = state in (State.UNCHANGED, State.MOVED)
        if is_current and self._reprocess is not ReprocessPolicy.ALL:
            yield AddResult(path, Status(state.value))
        elif state is State.FAILED and self._reprocess is ReprocessPolicy.CHANGED:
            hint = "Failed files are tried again once they change, or with --retry."
            reason = self._file_states.failures[path].reason
            yield AddResult(path, Status.FAILED, 0.0, reason, hint, is_known_failure=True)
        else:
            self._paths_to_embed.append(path)

    def _store(self, batch: list[EmbeddingResult]) -> list[AddResult]:
        """Store a batch of results in one transaction."""
        embedded = [result for result in batch if result.embedding is not None]
        if self._index is None and embedded:
            self._index = Index(self._directory, spec=self.spec, moment_hop=self._moment_hop)
        with self._index.transaction() if self._index else contextlib.nullcontext():
            if self._index is not None:
                check_unchanged_hop(self._index, self._moment_hop)
                store_embedded(self._index, embedded, self._runtimes)
            add_results = [self._add_result(result) for result in batch]
            self._write_failures()
        return [result for result in add_results if result is not None]

    def _add_result(self, result: EmbeddingResult) -> AddResult | None:
        """Return the result of adding a file; None if the file must be embedded after all.

        Failures and files with known content or audio are stored here; embedded files are stored
        already.
        """
        if result.error is not None:
            return self._failed(result.error)
        if result.embedding is not None:
            embedding = result.embedding
            return AddResult(result.path, Status.ADDED, embedding.seconds, embedding.warning)
        if result.file_stat is None or self._index is None:
            message = "a result without an error has the file's size and modification time"
            raise ValueError(message)
        add_result = store_known_sound(self._index, result, result.file_stat)
        if add_result is None:  # the track with this sound has changed in the meantime
            self._paths_to_embed.append(result.path)
        return add_result

    def _failed(self, error: AudioError) -> AddResult:
        path, message = error.path, error.reason
        self._record_failure(error)
        if self._index is not None and self._index.storage.track_at(path) is not None:
            message += "; the index keeps the previous version"
        return AddResult(path, Status.FAILED, message=message, hint=error.hint)

    def _record_failure(self, error: AudioError) -> None:
        size_and_mtime = self._reader.size_and_mtime_after_failure(error)
        if size_and_mtime is not None:
            self._unwritten_failures.append(Failure(error.path, error.reason, *size_and_mtime))

    def _write_failures(self) -> None:
        if self._index is None or not self._unwritten_failures:
            return
        self._index.storage.add_failures(self._unwritten_failures)
        self._unwritten_failures.clear()
