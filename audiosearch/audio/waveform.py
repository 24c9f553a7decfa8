"""The outline of a recording, as players draw it: the peak of each of many equal parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from audiosearch.types import Float32, Int32, UInt8

#: Parts into which a recording is cut.
N_PEAKS: Final = 800

_LOUDEST = 255  # byte of the loudest peak
_WITHOUT_SIGN = np.int32(0x7FFFFFFF)  # of a float32
_MAX_HELD = 2**16  # samples of a short recording, which are not counted in bins
_MIN_BIN_SAMPLES = 64
_MAX_BINS = 2 * 4 * N_PEAKS  # halved when full: so a part has at least 4, and ends within 1/4


class Peaks:
    """The peaks of a recording that is read once, and whose length isn't known before its end.

    The samples of a short recording are held. Those of a longer one are counted in bins of equal
    length. When there are too many bins, each two become one.

    Attributes
    ----------
    n_samples : int
        Number of samples so far.

    Examples
    --------
    >>> peaks = Peaks()
    >>> for block in np.split(np.linspace(0, -0.5, 8_000, dtype=np.float32), 10):
    ...     _ = peaks.add(block)
    >>> peaks.values()[[0, 399, 799]].round(2).tolist()
    [0.0, 0.5, 1.0]
    """

    def __init__(self) -> None:
        self.n_samples = 0
        # Without its sign, a float is larger than another if its bits are, as a whole number.
        self._held: list[Int32] = []
        self._bins = np.zeros(0, dtype=np.int32)
        self._bin_samples = _MIN_BIN_SAMPLES
        self._buffer = np.empty(0, dtype=np.int32)

    def add(self, block: Float32) -> float:
        """Count the next samples, and return the largest magnitude of them.

        Parameters
        ----------
        block : ndarray of float32, shape (n_samples,)
            Any number of samples. Parts with numbers that aren't finite count as silent.

        Returns
        -------
        float
            Not finite if one of the samples isn't.
        """
        bits = np.ascontiguousarray(block).view(np.int32)
        if not len(bits):
            return 0.0
        if not len(self._bins):
            self._held.append(bits & _WITHOUT_SIGN)
            self.n_samples += len(bits)
            if self.n_samples <= _MAX_HELD:
                return _largest(self._held[-1])
            self._bins = np.zeros(_MAX_BINS, dtype=np.int32)
            held, self._held, self.n_samples = self._held, [], 0
            return [self._count(magnitudes) for magnitudes in held][-1]
        if len(bits) > len(self._buffer):
            self._buffer = np.empty(len(bits), dtype=np.int32)
        return self._count(np.bitwise_and(bits, _WITHOUT_SIGN, out=self._buffer[: len(bits)]))

    def values(self) -> Float32:
        """Return the largest magnitude in each 1/800 of the recording, divided by the largest.

        Returns
        -------
        ndarray of float32, shape (800,)
            In [0, 1]. All are 0 if the recording is silent or empty.
        """
        if not self.n_samples:
            return np.zeros(N_PEAKS, dtype=np.float32)
        starts = np.arange(N_PEAKS) * self.n_samples // N_PEAKS
        if len(self._bins):
            parts = np.maximum.reduceat(self._bins[: self._n_bins], starts // self._bin_samples)
        else:
            parts = np.maximum.reduceat(np.concatenate(self._held), starts)
        peaks: Float32 = parts.view(np.float32)
        peaks[~np.isfinite(peaks)] = 0
        highest = peaks.max()
        return peaks / highest if highest else peaks

    def _count(self, magnitudes: Int32) -> float:
        """Count magnitudes in bins, and return the largest."""
        first = self.n_samples
        self.n_samples += len(magnitudes)
        while self.n_samples > _MAX_BINS * self._bin_samples:
            self._halve()
        positions = np.arange(first // self._bin_samples, self._n_bins) * self._bin_samples
        positions -= first
        positions[0] = 0  # the first bin may have begun in the block before
        peaks = np.maximum.reduceat(magnitudes, positions)
        current = self._bins[self._n_bins - len(peaks) : self._n_bins]
        np.maximum(current, peaks, out=current)
        return _largest(peaks)

    @property
    def _n_bins(self) -> int:
        """Number of bins that have samples."""
        return -(-self.n_samples // self._bin_samples)

    def _halve(self) -> None:
        """Make the bins twice as long."""
        merged = np.maximum(self._bins[::2], self._bins[1::2])
        self._bins[: len(merged)] = merged
        self._bins[len(merged) :] = 0
        self._bin_samples *= 2


def _largest(magnitudes: Int32) -> float:
    return float(magnitudes.max().view(np.float32))


def is_valid(values: object) -> bool:
    """Return whether values are what `Peaks.values` returns."""
    if not (isinstance(values, np.ndarray) and values.shape == (N_PEAKS,)):
        return False
    return values.dtype == np.float32 and bool(np.all((values >= 0) & (values <= 1)))


def to_bytes(values: Float32) -> bytes:
    """Return what `Peaks.values` returns as 800 bytes, the loudest of which is 255."""
    steps: UInt8 = np.rint(values * _LOUDEST).astype(np.uint8)
    return steps.tobytes()


def from_bytes(content: bytes) -> list[float]:
    """Return the values in bytes from `to_bytes`, exact to 1/510.

    Examples
    --------
    >>> from_bytes(bytes([0, 51, 255]))
    [0.0, 0.2, 1.0]
    """
    return [step / _LOUDEST for step in content]
