"""Adding files to an index: walk, decode, embed, store."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from dataclasses import asdict, dataclass, replace
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING

from audiosearch.errors import AudioError
from audiosearch.library.index import Failure, Identity, Index, Track
from audiosearch.models import registry
from audiosearch.models.download import Progress, no_progress
from audiosearch.sound.embedder import Embedder, check_excerpt
from audiosearch.sound.tags import read_tags
from audiosearch.sound.walk import find_audio, is_gone

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from audiosearch.params import StrPath
    from audiosearch.sound.embedder import Embedding


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


class State(str, Enum):
    """What an index knows of a file, before it is opened."""

    NEW = "new"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    FAILED = "failed"  # before, and not changed since


class _Known:
    """What an index knows of files: all of it in memory, for a look-up each."""

    def __init__(self, index: Index | None) -> None:
        self._tracks = index.unchanged() if index else {}
        self.failures = {f.path: f for f in index.failures()} if index else {}

    def state(self, path: str, size: int, mtime_ns: int) -> State:
        if self._tracks.get(path) == (size, mtime_ns):
            return State.UNCHANGED
        failure = self.failures.get(path)
        if failure and (failure.size, failure.mtime_ns) == (size, mtime_ns):
            return State.FAILED
        return State.CHANGED if path in self._tracks else State.NEW


def states(directory: StrPath, paths: Iterable[str]) -> Iterator[tuple[str, State]]:
    """Yield what an index, if there is one, knows of files, without opening them.

    Files that do not exist are passed over.
    """
    index = Index(directory) if Index.exists(directory) else None
    known = _Known(index)
    if index is not None:
        index.close()
    for path in paths:
        with contextlib.suppress(AudioError):
            yield path, known.state(path, *_size_and_time(path))


class Ingest:
    """Files about to be added to an index.

    Everything that can be refused is refused here, before the first file is decoded.
    Iterating, which can be done once, adds file after file and yields what became of each.

    Parameters
    ----------
    directory : str or path-like
        The index; made with the first file that can be embedded, where there is none.
    paths : sequence of str
        Absolute paths of files, as `audiosearch.sound.walk.find_audio` finds them.
    model, weights
        As for `audiosearch.models.registry.choose`; an index that exists keeps its own.
    excerpt_seconds : float, optional
        Embed only about that much of each file.
    redo : Redo
        Which files to embed again that are known.
    progress : callable, optional
        Told about a download or a conversion.

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
        model: str = registry.AUTO,
        weights: StrPath | None = None,
        excerpt_seconds: float | None = None,
        redo: Redo = Redo.CHANGED,
        progress: Progress = no_progress,
    ) -> None:
        self._directory = directory
        check_excerpt(excerpt_seconds)
        self.paths = paths
        Index.check_writable(directory)
        self._index = Index(directory) if Index.exists(directory) else None
        self._known = _Known(self._index)
        self._redo = redo
        self._early_failures: list[Failure] = []  # before there is an index
        try:
            self._model = self._chosen(model, weights, progress)
            own = self._index.identity.excerpt_seconds if self._index else None
            excerpt_seconds = own if excerpt_seconds is None else excerpt_seconds
            self.identity = Identity(self._model.name, self._model.fingerprint, excerpt_seconds)
            if self._index is not None:
                self._index.require(self.identity)
        except BaseException:
            if self._index is not None:
                self._index.close()
            raise

    def _chosen(self, model: str, weights: StrPath | None, progress: Progress) -> registry.Model:
        if self._index is None:
            return registry.choose(model, weights=weights, may_fetch=True, progress=progress)
        own = self._index.identity
        return registry.choose_again(
            own.model, own.fingerprint, requested=model, weights=weights, progress=progress
        )

    def __len__(self) -> int:
        """Return how many files there are."""
        return len(self.paths)

    def __iter__(self) -> Iterator[Outcome]:
        """Add the files, and yield what became of each."""
        try:
            for path in self.paths:
                yield self._outcome(path)
        finally:
            if self._index is not None:
                with self._index:
                    self._index.catch_up()

    def _outcome(self, path: str) -> Outcome:
        """Add one file, unless it is unchanged, and return what became of it."""
        try:
            size, mtime_ns = _size_and_time(path)
            state = self._known.state(path, size, mtime_ns)
            if state is State.UNCHANGED and self._redo is not Redo.ALL:
                return Outcome(path, Status.UNCHANGED)
            if state is State.FAILED and self._redo is Redo.CHANGED:
                hint = "Files that failed are tried again once they change, or with --retry."
                reason = self._known.failures[path].reason
                return Outcome(path, Status.FAILED, message=reason, hint=hint)
            content_hash = _content_hash(path)
            if self._index and self._redo is not Redo.ALL:
                twins = self._index.tracks_of(content_hash)
                if twins:
                    return _same_content(self._index, path, size, mtime_ns, twins)
            embedding = self._embedder.embed(path)
            track = _track(path, size, mtime_ns, content_hash, embedding)
        except OSError as exc:
            hint = "Add it again when it is back."
            return Outcome(path, Status.FAILED, message=f"it is gone ({exc.strerror})", hint=hint)
        except AudioError as exc:
            self._record_failure(path, exc.reason)
            known = self._index is not None and self._index.track_at(path) is not None
            message = f"{exc.reason}; the index keeps what it was before" if known else exc.reason
            return Outcome(path, Status.FAILED, message=message, hint=exc.hint)
        if self._index is None:
            self._index = Index(self._directory, identity=self.identity)
            for failure in self._early_failures:
                self._index.add_failure(failure)
        self._index.add(track, embedding.vector)
        return Outcome(path, Status.ADDED, embedding.seconds, embedding.warning)

    @cached_property
    def _embedder(self) -> Embedder:
        return Embedder(self._model, excerpt_seconds=self.identity.excerpt_seconds)

    def _record_failure(self, path: str, reason: str) -> None:
        try:
            status = os.stat(path)
        except OSError:  # nothing is there that could be tried again
            return
        if not os.access(path, os.R_OK):  # what may change without the file's changing
            return
        failure = Failure(path, reason, status.st_size, status.st_mtime_ns)
        if self._index is None:
            self._early_failures.append(failure)
        else:
            self._index.add_failure(failure)


def add(
    directory: StrPath,
    paths: StrPath | Iterable[StrPath],
    *,
    model: str = registry.AUTO,
    weights: StrPath | None = None,
    excerpt_seconds: float | None = None,
    redo: Redo = Redo.CHANGED,
) -> list[Outcome]:
    """Add files and folders to an index, and return what became of each file.

    The other parameters, and the errors, are those of `Ingest`.

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
        model=model,
        weights=weights,
        excerpt_seconds=excerpt_seconds,
        redo=redo,
    )
    return list(ingest)


def _size_and_time(path: str) -> tuple[int, int]:
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


def _same_content(index: Index, path: str, size: int, mtime_ns: int, twins: list[Track]) -> Outcome:
    """Take over what is known of a file whose content is stored: nothing is embedded."""
    here = next((twin for twin in twins if twin.path == path), None)
    gone = next((twin for twin in twins if is_gone(twin.path)), None)
    track = replace(here or gone or twins[0], path=path, size=size, mtime_ns=mtime_ns)
    if here:
        index.update(track)
        return Outcome(path, Status.UNCHANGED)
    if gone and index.track_at(path) is None:
        index.update(track)
        return Outcome(path, Status.MOVED)
    index.add(track, index.vector(track))
    return Outcome(path, Status.ADDED, track.seconds)


def _track(path: str, size: int, mtime_ns: int, content_hash: str, embedding: Embedding) -> Track:
    return Track(
        path=path,
        size=size,
        mtime_ns=mtime_ns,
        content_hash=content_hash,
        seconds=embedding.seconds,
        sample_rate_hz=embedding.info.sample_rate_hz,
        channels=embedding.info.channels,
        format=embedding.info.format,
        **asdict(read_tags(path)),
    )


def _content_hash(path: str) -> str:
    """Return BLAKE2b of a file's bytes, as 32 hexadecimal digits."""
    digest = hashlib.blake2b(digest_size=16)
    try:
        with open(path, "rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    except FileNotFoundError as exc:
        raise AudioError(path, "it is gone", hint="Add it again when it is back.") from exc
    except OSError as exc:
        reason = f"it cannot be read ({exc.strerror})"
        raise AudioError(path, reason, hint="Check that you may read it.") from exc
    return digest.hexdigest()
