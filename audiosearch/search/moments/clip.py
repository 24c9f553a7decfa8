"""A clip to find moments with: its log-mel frames, and the embeddings of its patches."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from audiosearch.models.front_end import LOG_OFFSET, N_BANDS, PATCH_FRAMES
from audiosearch.models.log_mel import patches_of
from audiosearch.models.moments import unit_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from audiosearch.library.track import Track
    from audiosearch.types import Float32

FRAMES_PER_SECOND: Final = 100
#: Frames between the offsets at which a clip is cut into patches. So one is within 0.12 s of
#: the patches of a track that holds the clip.
OFFSET_FRAMES: Final = 24
OFFSET_SECONDS: Final = OFFSET_FRAMES / FRAMES_PER_SECOND


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """A clip.

    Attributes
    ----------
    frames : ndarray of float32, shape (n_frames, 64)
        Natural log of mel magnitude plus 0.01; axes are frame (10 ms), band. At least a patch.
    vectors : tuple of ndarray of float32, shape (n_patches, dimension)
        Embeddings of unit length of its patches, for each offset: item i begins i * 24 frames after
        the start of the clip. They are fewer patches, or none, at the later offsets.
    seconds : float
        Length of the clip.
    path : str
        Path of its file; empty if unknown.
    track : Track or None
        The track that it is a part of, if that is known.
    span : tuple of (float, float)
        Start and end in seconds, in that file, of what the query names: the clip is all or the
        middle of it. Infinity for the end of the file.
    """

    frames: Float32
    vectors: tuple[Float32, ...]
    seconds: float
    path: str = ""
    track: Track | None = None
    span: tuple[float, float] = (0.0, math.inf)


def embedded_clip(
    frames: Float32, embed: Callable[[Float32], Float32], *, hop: float, seconds: float
) -> Clip:
    """Return a clip, given its frames. No file is read.

    Parameters
    ----------
    frames : ndarray of float32, shape (n_frames, 64)
        At least 96 frames, as `audiosearch.embedding.decoder_process.DecoderProcess.read_stretches`
        yields them.
    embed : callable
        Returns the embeddings of patches: (n, 96, 64) becomes (n, dimension).
    hop : float
        Seconds from one patch of a track to the next.
    seconds : float
        Length of the clip. It is less than that of the frames if these are padded to a patch.
    """
    return Clip(frames, offset_vectors(frames, embed, hop=hop), seconds)


def offset_vectors(
    frames: Float32, embed: Callable[[Float32], Float32], *, hop: float
) -> tuple[Float32, ...]:
    """Return the embeddings of a clip's patches at several offsets: see `Clip.vectors`.

    Parameters
    ----------
    frames : ndarray of float32, shape (n_frames, 64)
    embed : callable
        Returns the embeddings of patches: (n, 96, 64) becomes (n, dimension).
    hop : float
        Seconds from one patch of a track to the next.
    """
    offsets = range(0, round(hop * FRAMES_PER_SECOND), OFFSET_FRAMES)
    patches = [patches_of(frames[offset:]) for offset in offsets]
    vectors = unit_rows(embed(np.concatenate(patches)))
    ends = np.cumsum([len(part) for part in patches])[:-1]
    return tuple(np.split(vectors, ends))


def padded(frames: Float32, n_frames: int = PATCH_FRAMES) -> Float32:
    """Return frames, followed by silence if they are fewer than ``n_frames``."""
    missing = max(0, n_frames - len(frames))
    silence = np.full((missing, N_BANDS), np.log(LOG_OFFSET), dtype=np.float32)
    return np.concatenate([frames, silence]) if missing else frames
