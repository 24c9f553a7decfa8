"""The log-mel frames of clips and of their parts, decoded in other processes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol
from weakref import WeakKeyDictionary

from audiosearch.embedding.decoder_worker import StretchEnd
from audiosearch.embedding.stretches import Stretch, StretchReader
from audiosearch.errors import AudioError
from audiosearch.models.front_end import PATCH_HOP_SECONDS
from audiosearch.times import position

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audiosearch.library.index import Index
    from audiosearch.search.options import TimeRange
    from audiosearch.types import Float32

_readers: WeakKeyDictionary[Index, StretchReader] = WeakKeyDictionary()


def stretch_reader(index: Index) -> StretchReader:
    """Return the reader of stretches that lives as long as an index is open."""
    if index not in _readers:
        _readers[index] = index.resources.enter_context(StretchReader())
        index.resources.callback(_readers.pop, index)
    return _readers[index]


def stretch_of(
    path: str,
    part: TimeRange | None,
    *,
    real_path: str = "",
    middle_seconds: float | None = None,
) -> Stretch:
    """Return the stretch of a file that is a part of it.

    If the part is None, it is all of the file, or `middle_seconds` in its middle.
    """
    if part is None:
        is_middle = middle_seconds is not None
        return Stretch(path, 0.0, middle_seconds, real_path, is_middle=is_middle)
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
        Fault of the file, or that only its middle is read; None if there is none. Valid once the
        stream has ended.
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
            If the file can't be fetched or decoded, or the part lies beyond its end.
        """
        is_empty = True
        try:
            for message in self._reader.stream(self._stretch):
                if isinstance(message, StretchEnd):
                    self.seconds = self._checked_seconds(message)
                    self.warning = "; ".join(self._remarks(message)) or None
                else:
                    is_empty = False
                    yield message
        except AudioError as exc:
            raise exc.at(self._name) from exc
        if is_empty:  # as at the very end, or where the length that the file declares is wrong
            raise AudioError(
                self._name,
                f"nothing of it can be decoded at {self._stretch.start:.1f} s",
                hint="Choose a part within the clip.",
            )

    @property
    def span(self) -> tuple[float, float]:
        """Start and end, in seconds, of what was asked for: a part, or all of the file."""
        start, seconds = self._stretch.start, self._stretch.seconds
        return start, math.inf if self._stretch.is_middle or seconds is None else start + seconds

    def _remarks(self, end: StretchEnd) -> Iterator[str]:
        if self._stretch.is_middle and end.start:
            times = f"{position(end.start)} to {position(end.start + self.seconds)}"
            yield (
                f"it is {position(end.seconds)} long, so only its middle is searched with, from "
                f"{times}"
            )
        if end.warning:
            yield end.warning

    def _checked_seconds(self, stretch_end: StretchEnd) -> float:
        """Return the length of the part."""
        start, seconds, length = self._stretch.start, self._stretch.seconds, stretch_end.seconds
        if self._stretch.is_middle:
            return (seconds or length) if stretch_end.start else length
        end = length if seconds is None else start + seconds
        if start >= length or end > length + PATCH_HOP_SECONDS:
            what, at = ("start", start) if start >= length else ("end", end)
            raise AudioError(
                self._name,
                f"it is {length:.1f} s long, so no part of it can {what} at {at:.1f} s",
                hint="Choose a part within the clip.",
            )
        return min(end, length) - start
