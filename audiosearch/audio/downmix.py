"""From blocks of several channels to mono."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from audiosearch.audio.waveform import Peaks
from audiosearch.errors import AudioError

if TYPE_CHECKING:
    from audiosearch.types import Float32

# Energy of the mix, relative to unrelated channels, below which they begin to cancel each other
# (-20 dB), and above which they no longer do (-6 dB).
_CANCELED, _RELEASED = 0.01, 0.25
_FADE_SAMPLES = 1_024  # over which weights change, so that the change doesn't click
_MIN_PEAK = 1e-5  # -100 dB; VGGish's log-mel offset hides anything quieter
_FULL_SCALES = (2.0**15, 2.0**23, 2.0**31)  # of integers
_MAX_PEAK = 2.0  # lossy decoders overshoot 1 by less than this


class RangeScale:
    """Scales blocks, one after the other, whose samples are far outside [-1, 1].

    Samples with a magnitude above 2 are divided by a power of two, together with all that follow:
    by the smallest one that brings them to at most 1; above 256 by the full scale of 16, 24 or 32
    bits. This is what the reference does, which reads integers and divides them by their full
    scale. Clipping would turn floats from -32,768 to 32,767 into square waves. Smaller overshoots,
    as lossy decoders cause, are left alone.

    Attributes
    ----------
    peak : float
        Largest magnitude so far, before scaling.
    """

    def __init__(self) -> None:
        self._scale = 1.0
        self.peak = 0.0

    def __call__(self, samples: Float32, peak: float) -> Float32:
        """Return the next samples, of any shape, scaled. Their largest magnitude is given."""
        self.peak = max(self.peak, peak)
        if peak / self._scale > _MAX_PEAK:
            full_scales = [scale for scale in _FULL_SCALES if 256 < peak <= scale]
            self._scale = min(full_scales, default=2.0 ** math.ceil(math.log2(peak)))
        return samples if self._scale == 1.0 else samples * np.float32(1 / self._scale)


class Downmix:
    """Mixes blocks to mono, one after the other.

    Mono is the mean of the channels. Where channels cancel each other, as in stereo whose right
    channel is the inverted left one, the louder channel is used instead. Channels count as
    canceling each other if the mean has 20 dB less energy than it would have if they were
    unrelated, which ordinary stereo never has; its mix is the plain mean. This is decided for each
    block, because a file is never held as a whole, and one passage must not decide for the rest.
    So that the mix doesn't click, decisions are sticky and changes are faded: the mean comes back
    only at -6 dB, and a channel is kept until another one has twice its energy.

    Samples outside of the usual range are scaled: see `RangeScale`.

    Parameters
    ----------
    path : str
        Path of the file, for error messages.

    Attributes
    ----------
    peaks : Peaks
        Peaks of the mix so far, before scaling.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self.peaks = Peaks()
        self._weights: Float32 | None = None
        self._is_canceled = False
        self._scale = RangeScale()

    @property
    def peak(self) -> float:
        """Largest magnitude so far, before scaling."""
        return self._scale.peak

    @property
    def is_silent(self) -> bool:
        """Whether there was no sample above -100 dB."""
        return self.peak < _MIN_PEAK

    @property
    def is_out_of_range(self) -> bool:
        """Whether samples were so far outside [-1, 1] that they were scaled."""
        return self.peak > _MAX_PEAK

    def mono(self, block: Float32) -> Float32:
        """Mix the next block.

        Parameters
        ----------
        block : ndarray of float32, shape (n_samples, channels)

        Returns
        -------
        ndarray of float32, shape (n_samples,)

        Raises
        ------
        AudioError
            If a sample is not a finite number.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            mix = self._mixed(block)
        peak = self.peaks.add(mix)
        if not math.isfinite(peak):
            raise AudioError(
                self._path,
                "it contains samples that are not finite numbers",
                hint="Export it again from the program that made it, or as 16-bit integers.",
            )
        return self._scale(mix, peak)

    def _mixed(self, block: Float32) -> Float32:
        n_channels = block.shape[1]
        if n_channels == 1:
            self._weights, self._is_canceled = None, False
            return block[:, 0]
        before = self._weights
        weights = np.full(n_channels, 1 / n_channels, dtype=np.float32)
        mix: Float32 = block @ weights
        limit = _RELEASED if self._is_canceled else _CANCELED
        self._is_canceled = _energy(mix) < limit * _energy(block) / n_channels**2
        if self._is_canceled:
            weights = self._loudest(block)
            mix = block @ weights
        self._weights = weights
        if before is None or len(before) != n_channels or np.array_equal(before, weights):
            return mix
        fade = np.linspace(0, 1, min(_FADE_SAMPLES, len(mix)), dtype=np.float32)
        start = block[: len(fade)]
        mix[: len(fade)] = (1 - fade) * (start @ before) + fade * (start @ weights)
        return mix

    def _loudest(self, block: Float32) -> Float32:
        """Return weights that select the loudest channel, or the current one if it is similar."""
        energies = np.einsum("ij,ij->j", block, block)
        loudest = int(energies.argmax())
        if self._weights is not None and len(self._weights) == len(energies):
            current = int(self._weights.argmax())  # 0 if the current weights are the mean
            loudest = current if energies[current] > energies[loudest] / 2 else loudest
        weights = np.zeros(len(energies), dtype=np.float32)
        weights[loudest] = 1
        return weights


def _energy(samples: Float32) -> float:
    flat = samples.ravel()
    return float(np.dot(flat, flat))
