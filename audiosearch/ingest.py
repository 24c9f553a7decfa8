"""Adding files to an index: walk, decode, embed, store."""

from __future__ import annotations

import contextlib
from dataclasses import asdict, dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

from audiosearch.errors import AudioError
from audiosearch.library.index import Failure, Identity, Index, Track
from audiosearch.library.known import Known, State
from audiosearch.models import registry
from audiosearch.sound.embedder import check_excerpt
from audiosearch.sound.reader import HERE, Reader
from audiosearch.sound.walk import find_audio, is_gone

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from audiosearch.params import StrPath
    from audiosearch.sound.embedder import Embedding
    from audiosearch.sound.pipeline import Reading
    from audiosearch.sound.reader import Readings
    from audiosearch.sound.tags import Tags
    from audiosearch.sound.worker import Found


_AUTO = registry.Request()


class Status(str, Enum):
    """What became of a file."""

    ADDED = "added"
    MOVED = "moved"
    UNCHANGED = "unchanged"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Outcome:
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


class Redo(Enum):
    """Which files to embed again, of those that are known."""

    CHANGED = "changed"
    FAILED = "failed"  # and those that failed before
    ALL = "all"


def states(
    directory: StrPath, paths: Sequence[str], *, reader: Reader = HERE
) -> Iterator[tuple[str, State]]:
    """Yield what an index, if there is one, knows of files, without opening them.

    Files that do not exist are passed over.
    """
    index = Index(directory) if Index.exists(directory) else None
    known = Known(index, paths)
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
        Absolute paths of files, as `audiosearch.sound.walk.find_audio` finds them.
    request : Request
        The model for a new index; an index that exists keeps its own, and takes no other.
    excerpt_seconds : float, optional
        Embed only about that much of each file.
    redo : Redo
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
        request: registry.Request = _AUTO,
        excerpt_seconds: float | None = None,
        redo: Redo = Redo.CHANGED,
        reader: Reader = HERE,
    ) -> None:
        self._directory = directory
        check_excerpt(excerpt_seconds)
        self.paths = paths
        Index.check_writable(directory)
        self._index = Index(directory) if Index.exists(directory) else None
        self._redo = redo
        self._reader = reader
        self._unread: list[str] = []
        self._new_failures: list[Failure] = []  # that are yet to be written
        self._pipeline: Readings | None = None
        self._heard_before = 0.0
        try:
            self._known = Known(self._index, paths)
            self._model = self._chosen(request)
            own = self._index.identity.excerpt_seconds if self._index else None
            excerpt_seconds = own if excerpt_seconds is None else excerpt_seconds
            self.identity = Identity(self._model.name, self._model.fingerprint, excerpt_seconds)
            if self._index is not None:
                self._index.require(self.identity)
        except BaseException:
            if self._index is not None:
                self._index.close()
            raise

    def _chosen(self, request: registry.Request) -> registry.Model:
        if self._index is not None:
            own = self._index.identity
            return registry.choose_again(own.model, own.fingerprint, request)
        return registry.choose(
            request.model, weights=request.weights, may_fetch=True, progress=request.progress
        )

    def __len__(self) -> int:
        """Return how many files there are."""
        return len(self.paths)

    @property
    def heard_seconds(self) -> float:
        """How much sound was embedded so far, that of files still being read included."""
        return self._heard_before + (self._pipeline.heard_seconds if self._pipeline else 0.0)

    def __iter__(self) -> Iterator[Outcome]:
        """Add the files, and yield what became of each; those that take no reading first."""
        try:
            for path in self.paths:
                outcome = self._at_first_sight(path)
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
                self._heard_before = self.heard_seconds
                self._pipeline = None
        finally:
            if self._index is not None:
                with self._index:
                    self._index.catch_up()

    def _fresh_pipeline(self) -> Readings:
        known: set[str] = set()
        if self._index is not None and self._redo is not Redo.ALL:
            known = self._index.content_hashes()
        return self._reader.readings(
            self._unread,
            self._model,
            excerpt_seconds=self.identity.excerpt_seconds,
            known=known,
        )

    def _at_first_sight(self, path: str) -> Outcome | None:
        """Return what becomes of a file that need not be opened; None for one that must."""
        try:
            state = self._known.state(path, *self._reader.size_and_time(path))
        except AudioError as exc:
            return self._failed(exc)
        if state is State.UNCHANGED and self._redo is not Redo.ALL:
            return Outcome(path, Status.UNCHANGED)
        if state is State.FAILED and self._redo is Redo.CHANGED:
            hint = "Files that failed are tried again once they change, or with --retry."
            reason = self._known.failures[path].reason
            return Outcome(path, Status.FAILED, message=reason, hint=hint)
        return None

    def _stored(self, readings: list[Reading]) -> list[Outcome]:
        """Write what came of some files, in one transaction."""
        embedded = [reading for reading in readings if reading.embedding is not None]
        if self._index is None and embedded:
            self._index = Index(self._directory, identity=self.identity)
        together = self._index.together() if self._index else contextlib.nullcontext()
        with together:
            if self._index is not None:
                _add_all(self._index, embedded)
            outcomes = [self._outcome(reading) for reading in readings]
            self._write_failures()
        return [outcome for outcome in outcomes if outcome is not None]

    def _outcome(self, reading: Reading) -> Outcome | None:
        """Return what became of a file, and store what is yet to be; None to read it once more."""
        if reading.error is not None:
            return self._failed(reading.error)
        if reading.embedding is not None:
            embedding = reading.embedding
            return Outcome(reading.path, Status.ADDED, embedding.seconds, embedding.warning)
        if reading.found is None or self._index is None:
            message = "a reading without an error is of a file that was found"
            raise ValueError(message)
        outcome = _same_content(self._index, reading, reading.found)
        if outcome is None:  # the track that had its content has another one by now
            self._unread.append(reading.path)
        return outcome

    def _failed(self, error: AudioError) -> Outcome:
        path, message = error.path, error.reason
        self._record_failure(error)
        if self._index is not None and self._index.track_at(path) is not None:
            message += "; the index keeps what it was before"
        return Outcome(path, Status.FAILED, message=message, hint=error.hint)

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
    redo: Redo = Redo.CHANGED,
    n_jobs: int | None = None,
) -> list[Outcome]:
    """Add files and folders to an index, and return what became of each file.

    The other parameters, and the errors, are those of `Ingest` and
    `audiosearch.models.registry.Request`.

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
        request=registry.Request(model, weights),
        excerpt_seconds=excerpt_seconds,
        redo=redo,
        reader=Reader(n_jobs=n_jobs),
    )
    return list(ingest)


def _add_all(index: Index, readings: list[Reading]) -> None:
    """Store files that were embedded; one that moved keeps its id."""
    rows = []
    alike = index.tracks_of({r.found.content_hash for r in readings if r.found is not None})
    for reading in readings:
        found, embedding = reading.found, reading.embedding
        if found is None or embedding is None:
            message = "what was embedded was found"
            raise ValueError(message)
        gone = _gone(alike[found.content_hash])
        if gone is not None and index.track_at(reading.path) is None:
            index.update(replace(gone, path=reading.path))
            alike[found.content_hash].remove(gone)
        rows.append((_track(reading.path, found, embedding, reading.tags), embedding.vector))
    if rows:
        index.add_all(rows)


def _same_content(index: Index, reading: Reading, found: Found) -> Outcome | None:
    """Take over what is known of a file whose content is stored: nothing is embedded.

    None where it is stored no more.
    """
    path = reading.path
    alike = index.tracks_of({found.content_hash})[found.content_hash]
    here, twin = index.track_at(path), reading.twin and index.track_at(reading.twin)
    if not alike:
        return None
    gone = _gone(alike)
    known = twin or (here if here in alike else None) or gone or alike[0]
    track = replace(known, path=path, size=found.size, mtime_ns=found.mtime_ns)
    if known is here:
        index.update(track)
        return Outcome(path, Status.UNCHANGED)
    if known is gone and here is None:
        index.update(track)
        return Outcome(path, Status.MOVED)
    index.add(track, index.vector(known))
    return Outcome(path, Status.ADDED, track.seconds)


def _gone(tracks: list[Track]) -> Track | None:
    return next((track for track in tracks if is_gone(track.path)), None)


def _track(path: str, found: Found, embedding: Embedding, tags: Tags) -> Track:
    return Track(
        path=path,
        **asdict(found),
        seconds=embedding.seconds,
        sample_rate_hz=embedding.info.sample_rate_hz,
        channels=embedding.info.channels,
        format=embedding.info.format,
        **asdict(tags),
    )
