"""What every decoder offers: facts about a file, and its samples in blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audiosearch.types import Float32

#: Blocks hold about as many samples, all channels together: small beside memory, large
#: beside the cost of a call.
BLOCK_SAMPLES = 65_536

CUT_SHORT = "it is cut short"
DAMAGED = "it is cut short or damaged"


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """What a decoder says of a file."""

    sample_rate_hz: int
    channels: int
    seconds: float | None  # as the file declares it; None where it does not
    format: str  # the codec's usual name, in lower case: "flac", "mp3", "aac"


class Recording(Protocol):
    """An open audio file.

    ``damage`` says, once ``blocks`` has ended, what kept the file from decoding to its end;
    None where nothing did.
    """

    info: AudioInfo
    damage: str | None

    def blocks(self) -> Iterator[Float32]:
        """Yield samples from here on: float32 in [-1, 1], shape (n_frames, channels)."""
        ...

    def measured_seconds(self) -> float:
        """Return the length by the file's own account, or else by going through it."""
        ...

    def seek(self, seconds: float) -> None:
        """Move to that many seconds from the start."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...
