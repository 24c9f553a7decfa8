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
    PATCH_HOP_SAMPLES,
    PATCH_SAMPLES,
    SAMPLE_RATE_HZ,
    WINDOW_SAMPLES,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from audiosearch.types import Float32, Float64

_STREAM_SAMPLES = 15 * PATCH_HOP_SAMPLES  # turned into frames at a time: limits the memory
_GROUP_FRAMES = 80  # whose spectra are computed at a time: they fit into the processor's cache
_N_BINS = FFT_SAMPLES // 2 + 1
_BANDS_AT_A_TIME = 16  # whose filters pass few of the bins


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
    return patches_of(log_mel_frames(waveform))


def log_mel_frames(waveform: Float32) -> Float32:
    """Return the log-mel frames of a waveform.

    Parameters
    ----------
    waveform : ndarray of float32, shape (n_samples,)
        Mono samples in [-1, 1] at 16 kHz.

    Returns
    -------
    ndarray of float32, shape (n_frames, 64)
        Natural log of mel magnitude plus 0.01; axes are frame (10 ms), band. A frame takes 400
        samples; those at the end that don't fill one are dropped.

    Examples
    --------
    >>> log_mel_frames(np.zeros(16_000, dtype=np.float32)).shape
    (98, 64)
    """
    if len(waveform) < WINDOW_SAMPLES:
        return np.empty((0, N_BANDS), dtype=np.float32)
    frames = sliding_window_view(waveform, WINDOW_SAMPLES)[::HOP_SAMPLES]
    log_mel = np.empty((len(frames), N_BANDS), dtype=np.float32)
    windowed = np.zeros((_GROUP_FRAMES, FFT_SAMPLES), dtype=np.float32)  # zeros follow the window
    magnitudes = np.empty((_GROUP_FRAMES, _N_BINS), dtype=np.float32)
    with np.errstate(over="ignore", invalid="ignore"):  # pooling rejects values that are not finite
        for start in range(0, len(frames), _GROUP_FRAMES):
            group = frames[start : start + _GROUP_FRAMES]
            used = slice(len(group))
            np.multiply(group, _periodic_hann(), out=windowed[used, :WINDOW_SAMPLES])
            np.abs(np.fft.rfft(windowed[used]), out=magnitudes[used])
            mel = log_mel[start : start + _GROUP_FRAMES]
            for bins, bands, weights in _filters():
                np.matmul(magnitudes[used, bins], weights, out=mel[:, bands])
        log_mel += np.float32(LOG_OFFSET)
        return np.log(log_mel, out=log_mel)


def patches_of(frames: Float32, *, hop_frames: int = PATCH_FRAMES) -> Float32:
    """Cut log-mel frames into patches.

    Parameters
    ----------
    frames : ndarray of float32, shape (n_frames, 64)
    hop_frames : int
        Frames from the start of one patch to that of the next. By default they don't overlap.

    Returns
    -------
    ndarray of float32, shape (n_patches, 96, 64)
        A view of the frames. A trailing partial patch is dropped.

    Examples
    --------
    >>> frames = np.zeros((200, 64), dtype=np.float32)
    >>> len(patches_of(frames)), len(patches_of(frames, hop_frames=48))
    (2, 3)
    """
    if len(frames) < PATCH_FRAMES:
        return np.empty((0, PATCH_FRAMES, N_BANDS), dtype=np.float32)
    windows = sliding_window_view(frames, PATCH_FRAMES, axis=0)[::hop_frames]
    patches: Float32 = windows.swapaxes(1, 2)
    return patches


def patch_groups(parts: Iterable[Float32], *, hop_frames: int = PATCH_FRAMES) -> Iterator[Float32]:
    """Cut a stream of log-mel frames into patches.

    Parameters
    ----------
    parts : iterable of ndarray of float32, shape (n_frames, 64)
    hop_frames : int
        See `patches_of`.

    Yields
    ------
    ndarray of float32, shape (n_patches, 96, 64)
        At least one patch each.
    """
    pending = np.empty((0, N_BANDS), dtype=np.float32)
    for frames in parts:
        pending = np.concatenate([pending, frames])
        if len(patches := patches_of(pending, hop_frames=hop_frames)):
            yield patches
            pending = pending[len(patches) * hop_frames :]


def patch_stream(blocks: Iterable[Float32], *, hop_frames: int = PATCH_FRAMES) -> Iterator[Float32]:
    """Turn a stream of waveform blocks into a stream of log-mel patches.

    The patches don't depend on the lengths of the blocks. At most one block and the samples of
    15 patches are in memory at a time.

    Parameters
    ----------
    blocks : iterable of ndarray of float32, shape (n_samples,)
        Mono samples in [-1, 1] at 16 kHz, in order. Blocks may differ in length.
    hop_frames : int
        See `patches_of`.

    Yields
    ------
    ndarray of float32, shape (n_patches, 96, 64)
        At least one patch. A stream shorter than one patch is zero-padded to one; an empty
        stream gives none.
    """
    return patch_groups(frame_stream(blocks), hop_frames=hop_frames)


def frame_stream(blocks: Iterable[Float32]) -> Iterator[Float32]:
    """Turn a stream of waveform blocks into a stream of log-mel frames.

    Parameters
    ----------
    blocks : iterable of ndarray of float32, shape (n_samples,)
        Mono samples in [-1, 1] at 16 kHz, in order.

    Yields
    ------
    ndarray of float32, shape (n_frames, 64)
        At most 28.8 s each. A stream shorter than one patch is zero-padded to one; an empty stream
        gives none.
    """
    pending: list[Float32] = []
    n_pending = 0
    is_first = True
    for block in blocks:
        for start in range(0, len(block), _STREAM_SAMPLES):
            pending.append(block[start : start + _STREAM_SAMPLES])
            n_pending += len(pending[-1])
            if n_pending >= _STREAM_SAMPLES:
                waveform = np.concatenate(pending)
                yield (frames := log_mel_frames(waveform))
                pending = [waveform[len(frames) * HOP_SAMPLES :]]
                n_pending = len(pending[0])
                is_first = False
    if is_first and 0 < n_pending < PATCH_SAMPLES:
        pending.append(np.zeros(PATCH_SAMPLES - n_pending, dtype=np.float32))
    if pending and len(frames := log_mel_frames(np.concatenate(pending))):
        yield frames


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
def _filters() -> list[tuple[slice, slice, Float32]]:
    """Return `mel_weights` in parts without most of its zeros: bins, bands and their weights."""
    parts = []
    for start in range(0, N_BANDS, _BANDS_AT_A_TIME):
        bands = slice(start, start + _BANDS_AT_A_TIME)
        passed = np.flatnonzero(mel_weights()[:, bands].any(axis=1))
        bins = slice(passed[0], passed[-1] + 1)
        parts.append((bins, bands, np.ascontiguousarray(mel_weights()[bins, bands])))
    return parts


@cache
def _periodic_hann() -> Float32:
    phase = 2 * np.pi / WINDOW_SAMPLES * np.arange(WINDOW_SAMPLES)
    return np.asarray(0.5 - 0.5 * np.cos(phase), dtype=np.float32)


def _hertz_to_mel(hertz: float | Float64) -> Float64:
    return np.asarray(1127.0 * np.log1p(np.asarray(hertz) / 700.0))
