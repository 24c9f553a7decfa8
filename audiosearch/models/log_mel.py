"""The front end: a waveform becomes log-mel patches, the input of a network."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from audiosearch.models.front_end import (
    FFT_SAMPLES,
    HOP_SAMPLES,
    LOG_OFFSET,
    MAX_BAND_HZ,
    MIN_BAND_HZ,
    N_BANDS,
    PATCH_FRAMES,
    PATCH_SAMPLES,
    SAMPLE_RATE_HZ,
    WINDOW_SAMPLES,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from audiosearch.types import Float32, Float64


def log_mel_patches(waveform: Float32) -> Float32:
    """Cut a waveform into the log-mel patches that VGGish reads.

    Parameters
    ----------
    waveform : ndarray of float32, shape (n_samples,)
        Mono samples in [-1, 1] at 16 kHz.

    Returns
    -------
    ndarray of float32, shape (n_patches, 96, 64)
        Natural log of mel magnitude plus 0.01; axes are patch, frame (10 ms), band.
        Patches don't overlap. A trailing partial patch is dropped, so fewer than 15,600
        samples give no patch.

    References
    ----------
    .. [1] Hershey et al., "CNN Architectures for Large-Scale Audio Classification",
       ICASSP 2017.

    Examples
    --------
    >>> log_mel_patches(np.zeros(32_000, dtype=np.float32)).shape
    (2, 96, 64)
    """
    return _log_mel_groups(waveform, PATCH_FRAMES)


def _log_mel_groups(waveform: Float32, n_frames: int) -> Float32:
    """Return log-mel frames in groups, without a trailing partial group.

    Parameters
    ----------
    waveform : ndarray of float32, shape (n_samples,)
    n_frames : int
        Frames in a group.

    Returns
    -------
    ndarray of float32, shape (n_groups, n_frames, 64)
    """
    n_overlap = WINDOW_SAMPLES - HOP_SAMPLES  # samples of a group's last frame in the next group
    n_groups = max(0, (len(waveform) - n_overlap) // (n_frames * HOP_SAMPLES))
    if not n_groups:
        return np.empty((0, n_frames, N_BANDS), dtype=np.float32)
    n_samples = n_groups * n_frames * HOP_SAMPLES + n_overlap
    frames = sliding_window_view(waveform[:n_samples], WINDOW_SAMPLES)[::HOP_SAMPLES]
    with np.errstate(over="ignore", invalid="ignore"):  # pooling rejects values that are not finite
        spectrum = np.abs(np.fft.rfft(frames * _periodic_hann(), FFT_SAMPLES))
        log_mel: Float32 = np.log(spectrum @ mel_weights() + np.float32(LOG_OFFSET))
    return log_mel.reshape(n_groups, n_frames, N_BANDS)


def patch_stream(blocks: Iterable[Float32], *, hop_frames: int = PATCH_FRAMES) -> Iterator[Float32]:
    """Turn a stream of waveform blocks into a stream of log-mel patches.

    The patches don't depend on the lengths of the blocks. At most one block and the samples of
    two patches are in memory at a time. Each frame is computed once, even if patches overlap.

    Parameters
    ----------
    blocks : iterable of ndarray of float32, shape (n_samples,)
        Mono samples in [-1, 1] at 16 kHz, in order. Blocks may differ in length.
    hop_frames : int
        Frames from the start of one patch to the start of the next; 96 is a multiple of it.

    Yields
    ------
    ndarray of float32, shape (n_patches, 96, 64)
        At least one patch. A stream shorter than one patch is zero-padded to one; an empty
        stream gives none.
    """
    pending = np.empty(0, dtype=np.float32)
    groups = np.empty((0, hop_frames, N_BANDS), dtype=np.float32)  # start of the next patches
    is_first = True
    for block in blocks:
        pending = np.concatenate([pending, block])
        new_groups = _log_mel_groups(pending, hop_frames)
        pending = pending[len(new_groups) * hop_frames * HOP_SAMPLES :]
        groups = np.concatenate([groups, new_groups]) if len(groups) else new_groups
        patches = _overlapping(groups)
        if len(patches):
            yield patches
            groups = groups[len(patches) :]
            is_first = False
    if is_first and len(pending):
        n_missing = PATCH_SAMPLES - len(groups) * hop_frames * HOP_SAMPLES - len(pending)
        padded = _log_mel_groups(np.pad(pending, (0, n_missing)), hop_frames)
        yield _overlapping(np.concatenate([groups, padded]))


def _overlapping(groups: Float32) -> Float32:
    """Return the patches that start at each group of frames, as far as all their groups follow."""
    n_groups = PATCH_FRAMES // groups.shape[1]
    if n_groups == 1:
        return groups
    n_patches = max(0, len(groups) - n_groups + 1)
    return np.concatenate([groups[i : i + n_patches] for i in range(n_groups)], axis=1)


@cache
def mel_weights() -> Float32:
    """Return the mel filter bank.

    Returns
    -------
    ndarray of float32, shape (257, 64)
        Axes are FFT bin and band. Triangular filters, equally spaced on the HTK mel scale
        between 125 and 7,500 Hz. The DC bin's row is zero.

    References
    ----------
    .. [1] Young et al., "The HTK Book", section 5.4: mel(f) = 1127 ln(1 + f / 700).
    """
    bins = _hertz_to_mel(np.linspace(0.0, SAMPLE_RATE_HZ / 2, FFT_SAMPLES // 2 + 1))[:, np.newaxis]
    edges = np.linspace(_hertz_to_mel(MIN_BAND_HZ), _hertz_to_mel(MAX_BAND_HZ), N_BANDS + 2)
    lower, center, upper = edges[:-2], edges[1:-1], edges[2:]
    rising = (bins - lower) / (center - lower)
    falling = (upper - bins) / (upper - center)
    weights = np.maximum(0.0, np.minimum(rising, falling))
    weights[0] = 0.0
    return np.asarray(weights, dtype=np.float32)


@cache
def _periodic_hann() -> Float32:
    phase = 2 * np.pi / WINDOW_SAMPLES * np.arange(WINDOW_SAMPLES)
    return np.asarray(0.5 - 0.5 * np.cos(phase), dtype=np.float32)


def _hertz_to_mel(hertz: float | Float64) -> Float64:
    return np.asarray(1127.0 * np.log1p(np.asarray(hertz) / 700.0))
