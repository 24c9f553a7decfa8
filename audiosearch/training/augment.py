"""Data augmentation: detuning, mixing, filters, rooms, noise and levels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from audiosearch.models.front_end import PATCH_SAMPLES, SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from audiosearch.types import Float32

#: Samples that a detuned patch needs at most.
MAX_SAMPLES = 20_000

_N_FFT = 2 * PATCH_SAMPLES


def augment(waveform: Float32, other: Float32, random: np.random.Generator) -> Float32:
    """Return a patch of a waveform with random changes.

    Parameters
    ----------
    waveform : ndarray of float32, shape (n_samples,)
        The sound to recognize: mono samples in [-1, 1] at 16 kHz. Samples after the first
        20,000 aren't used.
    other : ndarray of float32, shape (n_samples,)
        Another sound, in the same form. One time in four it is mixed in, 3 to 25 dB softer.
    random : Generator

    Returns
    -------
    ndarray of float32, shape (15600,)
        Mono samples in [-1, 1] at 16 kHz.
    """
    if random.random() < 0.3:
        waveform = _detune(waveform, random.uniform(0.8, 1.25))
    patch = _crop_or_pad(waveform)
    if random.random() < 0.25:
        patch = _mix_in(patch, _crop_or_pad(other), decibels=random.uniform(3, 25))
    spectrum = np.fft.rfft(patch, _N_FFT)
    if random.random() < 0.35:
        spectrum *= _equalizer(random, _N_FFT)
    if random.random() < 0.2:
        spectrum *= np.fft.rfft(_room(random), _N_FFT)
    patch = np.fft.irfft(spectrum, _N_FFT)[:PATCH_SAMPLES].astype(np.float32)
    if random.random() < 0.25:
        patch = _mix_in(patch, _noise(random), decibels=random.uniform(5, 40))
    return _set_level(patch, random)


def change_timbre(waveform: Float32, random: np.random.Generator) -> Float32:
    """Return a waveform with a random level and, one time in two, a random filter.

    Parameters
    ----------
    waveform : ndarray of float32, shape (n_samples,)
        Mono samples in [-1, 1] at 16 kHz.
    random : Generator

    Returns
    -------
    ndarray of float32, shape (n_samples,)
        Mono samples in [-1, 1], up to 12 dB louder or softer.
    """
    n_samples = len(waveform)
    if random.random() < 0.5:
        spectrum = np.fft.rfft(waveform) * _equalizer(random, n_samples)
        waveform = np.fft.irfft(spectrum, n_samples).astype(np.float32)
    loudest = float(np.abs(waveform).max()) + 1e-9
    gain = min(10 ** (random.uniform(-12, 12) / 20), 1 / loudest)
    return np.asarray(gain * waveform, dtype=np.float32)


def _detune(waveform: Float32, ratio: float) -> Float32:
    positions = np.arange(int(len(waveform) / ratio)) * ratio
    detuned = np.interp(positions, np.arange(len(waveform)), waveform)
    return np.asarray(detuned, dtype=np.float32)


def _crop_or_pad(waveform: Float32) -> Float32:
    waveform = waveform[:PATCH_SAMPLES]
    return np.pad(waveform, (0, PATCH_SAMPLES - len(waveform)))


def _rms(waveform: Float32) -> float:
    return float(np.sqrt(np.mean(np.square(waveform, dtype=np.float64)))) + 1e-9


def _mix_in(patch: Float32, other: Float32, *, decibels: float) -> Float32:
    """Return a patch plus another one, which is softer by a number of decibels."""
    gain = _rms(patch) / _rms(other) * 10 ** (-decibels / 20)
    return np.asarray(patch + min(gain, 100.0) * other, dtype=np.float32)


def _equalizer(random: np.random.Generator, n_fft: int) -> Float32:
    """Return the gains of a smooth curve, or of a low-pass or high-pass filter.

    Returns
    -------
    ndarray of float32, shape (n_fft // 2 + 1,)
    """
    frequencies_hz = np.fft.rfftfreq(n_fft, 1 / SAMPLE_RATE_HZ)
    if random.random() < 0.6:
        octaves = np.log2(np.maximum(frequencies_hz, 40) / 40)
        knots = random.normal(0, 5, 9)
        return np.asarray(10 ** (np.interp(octaves, np.arange(9), knots) / 20), dtype=np.float32)
    corner = float(np.exp(random.uniform(np.log(300), np.log(5_000))))
    ratio = np.maximum(frequencies_hz, 1.0) / corner
    power = 4 if random.random() < 0.7 else -4
    return np.asarray(1 / np.sqrt(1 + ratio**power), dtype=np.float32)


def _room(random: np.random.Generator) -> Float32:
    """Return a room's impulse response: the direct sound and decaying noise."""
    seconds = random.uniform(0.1, 0.8)
    time = np.arange(int(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    tail = random.standard_normal(len(time)) * 10 ** (-3 * time / seconds)
    response = tail * random.uniform(0.1, 0.8) / np.linalg.norm(tail)
    response[0] = 1.0
    return np.asarray(response, dtype=np.float32)


def _noise(random: np.random.Generator) -> Float32:
    """Return a patch of noise with power that falls by 0 to 6 dB per octave."""
    spectrum = np.fft.rfft(random.standard_normal(PATCH_SAMPLES))
    tilt = np.maximum(np.arange(len(spectrum)), 1.0) ** -random.uniform(0, 1)
    return np.asarray(np.fft.irfft(spectrum * tilt, PATCH_SAMPLES), dtype=np.float32)


def _set_level(patch: Float32, random: np.random.Generator) -> Float32:
    """Return a patch unchanged (except for peaks above 0 dB), or with a peak from -36 to 0 dB."""
    peak = float(np.abs(patch).max()) + 1e-9
    target = 10 ** (random.uniform(-36, 0) / 20) if random.random() < 0.5 else min(peak, 1.0)
    return np.asarray(patch * (target / peak), dtype=np.float32)
