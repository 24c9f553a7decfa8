"""Interface that every decoder implements: facts about a file, and its samples in blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audiosearch.types import Float32

#: Approximate samples per block, counted over all channels. This is small compared with memory
#: and large enough that the cost of a call doesn't matter.
BLOCK_SAMPLES = 65_536

CUT_SHORT = "it is cut short"
DAMAGED = "it is cut short or damaged"
JOINED = "another file is joined to its end"
WRONG_LENGTH = "its header declares a wrong length"


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """Facts about a file, as its decoder reports them.

    Attributes
    ----------
    sample_rate_hz : int
    channels : int
    seconds : float or None
        Length declared by the file; None if it declares none.
    format : str
        Common name of the codec in lower case: "flac", "mp3", "aac".
    """

    sample_rate_hz: int
    channels: int
    seconds: float | None
    format: str


class Recording(Protocol):
    """An open audio file.

    Attributes
    ----------
    info : AudioInfo
    is_seekable : bool
        Whether `seek` finds positions. If it doesn't, only `blocks` from the start are right.
        Valid after `measured_seconds`.
    is_seek_exact : bool
        Whether `blocks` gives the same samples after `seek` as if all before them had been decoded.
    damage : str or None
        Reason why not all of the file was decoded, or why this can't be told; None if there is
        none. Valid once the blocks that are needed have been read.
    """

    info: AudioInfo

    @property
    def is_seekable(self) -> bool:
        """Whether `seek` finds positions."""

    @property
    def is_seek_exact(self) -> bool:
        """Whether decoding from a position on gives the same samples as decoding all."""

    @property
    def damage(self) -> str | None:
        """Reason why not all of the file was decoded."""

    def blocks(self) -> Iterator[Float32]:
        """Yield the samples from the current position on.

        Yields
        ------
        ndarray of float32, shape (n_samples, channels)
            Samples, in [-1, 1] for integer formats. All blocks have the same sample rate, but in
            a few files the number of channels changes midway.
        """
        ...

    def measured_seconds(self) -> float:
        """Return the declared length in seconds, or else measure it by reading through the file."""
        ...

    def seek(self, seconds: float) -> None:
        """Move to a position, in seconds from the start."""
        ...

    def close(self) -> None:
        """Close the file."""
        ...


class Decoder(Recording, Protocol):
    """A recording as one library decodes it.

    Attributes
    ----------
    has_given_up : bool
        Whether the last `blocks` ended before the declared end.
    """

    has_given_up: bool

    def next_start(self) -> int | None:
        """Return the position in bytes of another file that is joined to this one, if any.

        It is searched for after the samples that have been read.
        """
        ...
