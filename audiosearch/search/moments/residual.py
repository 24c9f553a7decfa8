"""The rest of a clip without a recording that was found in it: a clip may be a mix of several."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from audiosearch.models.front_end import LOG_OFFSET
from audiosearch.search.moments.clip import padded

if TYPE_CHECKING:
    from audiosearch.types import Float32

_GAIN_QUANTILE = 0.3  # of the ratios in a band: most of them are raised by the other sounds
_MIN_REST = 0.05  # part of a magnitude that always stays: silence would be a sound of its own


def without(frames: Float32, recording: Float32) -> Float32:
    """Return the log-mel frames of a clip without those of a recording in it.

    The recording may have another level in each band. Powers are subtracted: those of sounds that
    have nothing to do with each other add up.

    Parameters
    ----------
    frames : ndarray of float32, shape (n_frames, 64)
        Natural log of mel magnitude plus 0.01, of the clip.
    recording : ndarray of float32, shape (n_recording_frames, 64)
        The same of the recording, from the same time on. Silence follows if it is shorter.

    Returns
    -------
    ndarray of float32, shape (n_frames, 64)
    """
    clip = _magnitudes(frames)
    found = _magnitudes(padded(recording, len(frames))[: len(frames)])
    is_loud = found > np.median(found, axis=0)
    ratios = np.where(is_loud, clip / np.maximum(found, LOG_OFFSET), np.nan)
    gains = np.nan_to_num(np.nanquantile(ratios, _GAIN_QUANTILE, axis=0))
    power = clip**2 - (gains * found) ** 2
    rest = np.sqrt(np.maximum(power, (_MIN_REST * clip) ** 2))
    return np.asarray(np.log(rest + LOG_OFFSET), dtype=np.float32)


def _magnitudes(frames: Float32) -> Float32:
    return np.asarray(np.maximum(np.exp(frames) - np.float32(LOG_OFFSET), 0))
