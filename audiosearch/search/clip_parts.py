"""Parts of clips: from one time to another."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Protocol
from weakref import WeakKeyDictionary

from audiosearch.embedding.decoder_worker import StretchEnd
from audiosearch.embedding.stretches import Stretch, StretchReader
from audiosearch.errors import AudioError, UsageError
from audiosearch.models.front_end import PATCH_HOP_SECONDS
from audiosearch.playlist_files import SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from audiosearch.library.index import Index
    from audiosearch.search.options import TimeRange
    from audiosearch.types import Float32, StrPath

_HINT = "Give seconds from the start of the clip, for example from 62 to 69."
_readers: WeakKeyDictionary[Index, StretchReader] = WeakKeyDictionary()


def stretch_reader(index: Index) -> StretchReader:
    """Return the reader of stretches that lives as long as an index is open."""
    if index not in _readers:
        _readers[index] = index.resources.enter_context(StretchReader())
        index.resources.callback(_readers.pop, index)
    return _readers[index]


def check_part(
    part: TimeRange | None, clips: StrPath | Iterable[StrPath], named: Sequence[str]
) -> list[str]:
    """Return the clips, after checking that a part is a valid range of exactly one clip.

    Parameters
    ----------
    part : TimeRange or None
        None: any number of clips may be given.
    clips : str, path-like, or iterable of them
    named : sequence of str
        More clips, by their words.

    Raises
    ------
    UsageError
        If the range is invalid, or there are several clips, none, or a playlist.
    """
    paths = [clips] if isinstance(clips, (str, os.PathLike)) else clips
    names = [os.fspath(path) for path in paths]
    if part is None:
        return names
    if not 0 <= part.start < math.inf:
        raise UsageError(f"A part of a clip can't start at {part.start:g} s.", hint=_HINT)
    if part.end is not None and not part.start < part.end < math.inf:
        raise UsageError(
            f"A part of a clip can't reach from {part.start:g} s to {part.end:g} s.", hint=_HINT
        )
    n_clips = len(names) + len(named)
    if n_clips != 1:
        raise UsageError(
            f"A part needs exactly one clip, and there are {n_clips}.",
            hint="Name one audio file, or one track.",
        )
    for name in names:
        if is_playlist_file(name):
            raise UsageError(
                f"{name} is a playlist, and a part needs exactly one clip.",
                hint="Name one audio file, or one track.",
            )
    return names


def is_playlist_file(path: str) -> bool:
    """Return whether a path leads to a file with the suffix of a playlist."""
    return os.path.splitext(path)[1].lower() in SUFFIXES and os.path.isfile(path)


def stretch_of(path: str, part: TimeRange | None, *, real_path: str = "") -> Stretch:
    """Return the stretch of a file that is a part of it; all of it if the part is None."""
    if part is None:
        return Stretch(path, real_path=real_path)
    seconds = None if part.end is None else part.end - part.start
    return Stretch(path, part.start, seconds, real_path)


class FrameSource(Protocol):
    """Decodes stretches of files. `StretchReader` implements it."""

    def stream(self, stretch: Stretch) -> Iterator[Float32 | StretchEnd]:
        """Yield the frames of a stretch, and a `StretchEnd` after them."""


class PartFrames:
    """The log-mel frames of a part of a file, read as a stream.

    Parameters
    ----------
    reader : FrameSource
    stretch : Stretch
    name : str
        Name of the file, for errors.

    Attributes
    ----------
    seconds : float
        Length of the part, valid once the stream has ended. An end beyond the end of the file by
        less than a patch is moved there.
    warning : str or None
        Fault of the file; None if there is none. Valid once the stream has ended.
    """

    def __init__(self, reader: FrameSource, stretch: Stretch, *, name: str) -> None:
        self._reader, self._stretch, self._name = reader, stretch, name
        self.seconds = 0.0
        self.warning: str | None = None

    def __iter__(self) -> Iterator[Float32]:
        """Yield the frames: arrays of float32, shape (n_frames, 64).

        Raises
        ------
        AudioError
            If the file can't be decoded, or the part lies beyond its end.
        """
        try:
            for message in self._reader.stream(self._stretch):
                if isinstance(message, StretchEnd):
                    self.seconds = self._checked_seconds(message.seconds)
                    self.warning = message.warning
                else:
                    yield message
        except AudioError as exc:
            raise exc.at(self._name) from exc

    def _checked_seconds(self, length: float) -> float:
        """Return the length of the part, given that of the file."""
        start, seconds = self._stretch.start, self._stretch.seconds
        end = length if seconds is None else start + seconds
        if start >= length or end > length + PATCH_HOP_SECONDS:
            what, at = ("start", start) if start >= length else ("end", end)
            raise AudioError(
                self._name,
                f"it is {length:.1f} s long, so no part of it can {what} at {at:.1f} s",
                hint="Choose a part within the clip.",
            )
        return min(end, length) - start
