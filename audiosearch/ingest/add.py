"""Adding files to an index: walk, decode, embed, store."""

from __future__ import annotations

import contextlib
from dataclasses import asdict, dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

from audiosearch.audio.discovery import find_audio, is_gone
from audiosearch.embedding.embedder import check_excerpt
from audiosearch.embedding.reader import LOCAL_READER, Reader
from audiosearch.errors import AudioError
from audiosearch.library.file_state import FileStates, State
from audiosearch.library.index import EmbeddingSpec, Failure, Index, Track
from audiosearch.models import registry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from audiosearch.audio.tags import Tags
    from audiosearch.embedding.decoder_worker import FileStat
    from audiosearch.embedding.embedder import Embedding
    from audiosearch.embedding.pipeline import EmbeddingResult
    from audiosearch.embedding.reader import EmbeddingResults
    from audiosearch.types import StrPath


_AUTO = registry.ModelRequest()


class Status(str, Enum):
    """What became of a file."""

    ADDED = "added"
    MOVED = "moved"
    UNCHANGED = "unchanged"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class AddResult:
    """What became of one file.

    Attributes
    ----------
    seconds : float
        Length of the sound that was added; 0 for a file that was not.
    message : str or None
        Why the file failed, or why it was added only in part.
    hint : str or None
        For a file that failed, what may help.
    """

    path: str
    status: Status
    seconds: float = 0.0
    message: str | None = None
    hint: str | None = None


class ReprocessPolicy(Enum):
    """Which files to embed again, of those that are known."""

    CHANGED = "changed"
    FAILED = "failed"  # and those that failed before
    ALL = "all"


def states(
    directory: StrPath, paths: Sequence[str], *, reader: Reader = LOCAL_READER
) -> Iterator[tuple[str, State]]:
    """Yield what an index, if there is one, knows of files, without opening them.

    Files that do not exist are passed over.
    """
    index = Index(directory) if Index.exists(directory) else None
    known = FileStates(index, paths)
    if index is not None:
        index.close()
    for path in paths:
        with contextlib.suppress(AudioError):
            yield path, known.state(path, *reader.size_and_time(path))


class Ingest:
    """Files about to be added to an index.

    Everything that can be refused is refused here, before the first file is decoded.
    Iterating, which can be done once, adds them, several at a time, and yields what became of
    each, in the order in which they are done.

    Parameters
    ----------
    directory : str or path-like
        The index; made with the first file that can be embedded, where there is none.
    paths : sequence of str
        Absolute paths of files, as `audiosearch.audio.discovery.find_audio` finds them.
    request : Request
        The model for a new index; an index that exists keeps its own, and takes no other.
    excerpt_seconds : float, optional
        Embed only about that much of each file.
    reprocess : ReprocessPolicy
        Which files to embed again that are known.
    reader : Reader
        Who reads the files, and where.

    Raises
    ------
    AudioError
        Where there is no audio file to add.
    ModelMismatch, IndexUnwritable, LibraryError
        Where the index cannot take the files.
    ModelError
        Where the model cannot be had.
    """

    def __init__(
        self,
        directory: StrPath,
        paths: Sequence[str],
        *,
        request: registry.ModelRequest = _AUTO,
        excerpt_seconds: float | None = None,
        reprocess: ReprocessPolicy = ReprocessPolicy.CHANGED,
        reader: Reader = LOCAL_READER,
    ) -> None:
        self._directory = directory
        check_excerpt(excerpt_seconds)
        self.paths = paths
        Index.check_writable(directory)
        self._index = Index(directory) if Index.exists(directory) else None
        self._reprocess = reprocess
        self._reader = reader
        self._unread: list[str] = []
        self._new_failures: list[Failure] = []  # that are yet to be written
        self._pipeline: EmbeddingResults | None = None
        self._heard_before = 0.0
        try:
            self._known = FileStates(self._index, paths)
            self._model = self._resolve_model(request)
            own = self._index.spec.excerpt_seconds if self._index else None
            excerpt_seconds = own if excerpt_seconds is None else excerpt_seconds
            self.spec = EmbeddingSpec(self._model.name, self._model.weights_digest, excerpt_seconds)
            if self._index is not None:
                self._index.require(self.spec)
        except BaseException:
            if self._index is not None:
                self._index.close()
            raise

    def _resolve_model(self, request: registry.ModelRequest) -> registry.Model:
        if self._index is not None:
            own = self._index.spec
            return registry.resolve_for_index(own.model, own.weights_digest, request)
        return registry.resolve(
            request.model, weights=request.weights, may_fetch=True, progress=request.progress
        )

    def __len__(self) -> int:
        """Return how many files there are."""
        return len(self.paths)

    @property
    def audio_seconds(self) -> float:
        """How much sound was embedded so far, that of files still being read included."""
        return self._heard_before + (self._pipeline.audio_seconds if self._pipeline else 0.0)

    def __iter__(self) -> Iterator[AddResult]:
        """Add the files, and yield what became of each; those that take no reading first."""
        try:
            for path in self.paths:
                outcome = self._skip_reason(path)
                if outcome is None:
                    self._unread.append(path)
                else:
                    yield outcome
            self._write_failures()
            while self._unread:
                self._pipeline = self._fresh_pipeline()
                self._unread = []
                with contextlib.closing(iter(self._pipeline)) as batches:
                    for readings in batches:
                        yield from self._stored(readings)
                self._heard_before = self.audio_seconds
                self._pipeline = None
        finally:
            if self._index is not None:
                with self._index:
                    self._index.sync()

    def _fresh_pipeline(self) -> EmbeddingResults:
        known: set[str] = set()
        if self._index is not None and self._reprocess is not ReprocessPolicy.ALL:
            known = self._index.content_hashes()
        return self._reader.readings(
            self._unread,
            self._model,
            excerpt_seconds=self.spec.excerpt_seconds,
            known=known,
        )

    def _skip_reason(self, path: str) -> AddResult | None:
        """Return what becomes of a file that need not be opened; None for one that must."""
        try:
            state = self._known.state(path, *self._reader.size_and_time(path))
        except AudioError as exc:
            return self._failed(exc)
        if state is State.UNCHANGED and self._reprocess is not ReprocessPolicy.ALL:
            return AddResult(path, Status.UNCHANGED)
        if state is State.FAILED and self._reprocess is ReprocessPolicy.CHANGED:
            hint = "Files that failed are tried again once they change, or with --retry."
            reason = self._known.failures[path].reason
            return AddResult(path, Status.FAILED, message=reason, hint=hint)
        return None

    def _stored(self, readings: list[EmbeddingResult]) -> list[AddResult]:
        """Write what came of some files, in one transaction."""
        embedded = [reading for reading in readings if reading.embedding is not None]
        if self._index is None and embedded:
            self._index = Index(self._directory, spec=self.spec)
        together = self._index.transaction() if self._index else contextlib.nullcontext()
        with together:
            if self._index is not None:
                _add_all(self._index, embedded)
            outcomes = [self._outcome(reading) for reading in readings]
            self._write_failures()
        return [outcome for outcome in outcomes if outcome is not None]

    def _outcome(self, reading: EmbeddingResult) -> AddResult | None:
        """Return what became of a file, and store what is yet to be; None to read it once more."""
        if reading.error is not None:
            return self._failed(reading.error)
        if reading.embedding is not None:
            embedding = reading.embedding
            return AddResult(reading.path, Status.ADDED, embedding.seconds, embedding.warning)
        if reading.found is None or self._index is None:
            message = "a reading without an error is of a file that was found"
            raise ValueError(message)
        outcome = _same_content(self._index, reading, reading.found)
        if outcome is None:  # the track that had its content has another one by now
            self._unread.append(reading.path)
        return outcome

    def _failed(self, error: AudioError) -> AddResult:
        path, message = error.path, error.reason
        self._record_failure(error)
        if self._index is not None and self._index.track_at(path) is not None:
            message += "; the index keeps what it was before"
        return AddResult(path, Status.FAILED, message=message, hint=error.hint)

    def _record_failure(self, error: AudioError) -> None:
        size_and_time = self._reader.size_and_time_when_failed(error)
        if size_and_time is not None:
            self._new_failures.append(Failure(error.path, error.reason, *size_and_time))

    def _write_failures(self) -> None:
        if self._index is None or not self._new_failures:
            return
        self._index.add_failures(self._new_failures)
        self._new_failures.clear()


def add(
    directory: StrPath,
    paths: StrPath | Iterable[StrPath],
    *,
    model: str = registry.AUTO,
    weights: StrPath | None = None,
    excerpt_seconds: float | None = None,
    reprocess: ReprocessPolicy = ReprocessPolicy.CHANGED,
    n_jobs: int | None = None,
) -> list[AddResult]:
    """Add files and folders to an index, and return what became of each file.

    The other parameters, and the errors, are those of `Ingest` and
    `audiosearch.models.registry.ModelRequest`.

    Parameters
    ----------
    directory : str or path-like
        The index; made where there is none.
    paths : str, path-like, or iterable of them
        Files, whatever their suffix, and folders, searched for audio files.
    """
    ingest = Ingest(
        directory,
        find_audio(paths),
        request=registry.ModelRequest(model, weights),
        excerpt_seconds=excerpt_seconds,
        reprocess=reprocess,
        reader=Reader(n_jobs=n_jobs),
    )
    return list(ingest)


def _add_all(index: Index, readings: list[EmbeddingResult]) -> None:
    """Store files that were embedded; one that moved keeps its id."""
    rows = []
    alike = index.tracks_of({r.found.content_hash for r in readings if r.found is not None})
    for reading in readings:
        found, embedding = reading.found, reading.embedding
        if found is None or embedding is None:
            message = "what was embedded was found"
            raise ValueError(message)
        gone = _first_missing(alike[found.content_hash])
        if gone is not None and index.track_at(reading.path) is None:
            index.update(replace(gone, path=reading.path))
            alike[found.content_hash].remove(gone)
        rows.append((_track(reading.path, found, embedding, reading.tags), embedding.vector))
    if rows:
        index.add_all(rows)


def _same_content(index: Index, reading: EmbeddingResult, found: FileStat) -> AddResult | None:
    """Take over what is known of a file whose content is stored: nothing is embedded.

    None where it is stored no more.
    """
    path = reading.path
    alike = index.tracks_of({found.content_hash})[found.content_hash]
    here, duplicate_of = (
        index.track_at(path),
        reading.duplicate_of and index.track_at(reading.duplicate_of),
    )
    if not alike:
        return None
    gone = _first_missing(alike)
    known = duplicate_of or (here if here in alike else None) or gone or alike[0]
    track = replace(known, path=path, size=found.size, mtime_ns=found.mtime_ns)
    if known is here:
        index.update(track)
        return AddResult(path, Status.UNCHANGED)
    if known is gone and here is None:
        index.update(track)
        return AddResult(path, Status.MOVED)
    index.add(track, index.vector(known))
    return AddResult(path, Status.ADDED, track.seconds)


def _first_missing(tracks: list[Track]) -> Track | None:
    return next((track for track in tracks if is_gone(track.path)), None)


def _track(path: str, found: FileStat, embedding: Embedding, tags: Tags) -> Track:
    return Track(
        path=path,
        **asdict(found),
        seconds=embedding.seconds,
        sample_rate_hz=embedding.info.sample_rate_hz,
        channels=embedding.info.channels,
        format=embedding.info.format,
        **asdict(tags),
    )
