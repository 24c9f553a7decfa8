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
    damage : str or None
        Reason why decoding stopped before the end; None if it didn't. Valid once ``blocks`` has
        ended.
    """

    info: AudioInfo
    damage: str | None

    def blocks(self) -> Iterator[Float32]:
        """Yield the samples from the current position on.

        Yields
        ------
        ndarray of float32, shape (n_samples, channels)
            Samples, in [-1, 1] for integer formats.
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
