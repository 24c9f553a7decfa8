"""Synthesized sounds of eight kinds, to try a search with."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from audiosearch.atomic import atomic_path
from audiosearch.demo_tags import tagged_wav, untagged_wav

if TYPE_CHECKING:
    from pathlib import Path

    from audiosearch.types import Float32, Float64

RATE_HZ = 22_050
SECONDS = 3.0  # length of a sound
N_VARIANTS = 5  # sounds of each kind, besides the query

Synthesizer = Callable[[np.random.Generator], "Float64"]


@dataclass(frozen=True, slots=True)
class DemoSound:
    """Kind and file of one sound of the demo."""

    kind: str
    path: Path


def write_sounds(folder: Path) -> tuple[list[DemoSound], list[DemoSound]]:
    """Write the demo's sounds as 16-bit WAV files. Files that are up to date are left as they are.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    sounds : list of DemoSound
        Five variants of each kind, in ``sounds/KIND/``, with made-up tags and covers.
    queries : list of DemoSound
        One more variant of each kind, in ``queries/``.

    Raises
    ------
    OSError
        If a file can't be written, or a folder is a symbolic link, which might lead to other music.
    """
    _require_no_links(folder)
    sounds, queries = [], []
    for number, (kind, synthesize) in enumerate(KINDS.items()):
        for variant in range(N_VARIANTS + 1):
            waveform = _normalized(synthesize(np.random.default_rng([number, variant])))
            if variant:
                path = folder / "sounds" / kind / f"{kind}-{variant}.wav"
                sounds.append(DemoSound(kind, path))
                _write(path, tagged_wav(waveform, RATE_HZ, kind, variant - 1))
            else:
                path = folder / "queries" / f"{kind}.wav"
                queries.append(DemoSound(kind, path))
                _write(path, untagged_wav(waveform, RATE_HZ))
    return sounds, queries


def _require_no_links(folder: Path) -> None:
    kinds = [folder / "sounds" / kind for kind in KINDS]
    for path in (folder, folder / "index", folder / "queries", folder / "sounds", *kinds):
        if path.is_symlink():
            raise OSError(errno.ELOOP, f"{path} is a symbolic link")


def _normalized(waveform: Float64) -> Float32:
    """Scale a waveform to a peak of 0.8, and fade out the last 50 ms."""
    fade_samples = int(0.05 * RATE_HZ)
    waveform[-fade_samples:] *= np.linspace(1.0, 0.0, fade_samples)
    return np.asarray(0.8 * waveform / np.abs(waveform).max(), dtype=np.float32)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    has_same_size = path.is_file() and path.stat().st_size == len(content)
    if not has_same_size or path.read_bytes() != content:
        with atomic_path(path) as draft:
            draft.write_bytes(content)


def _times() -> Float64:
    """Return the time of each sample, in seconds: float64, shape (n_samples,)."""
    return np.arange(int(SECONDS * RATE_HZ)) / RATE_HZ


def _strike(waveform: Float64, sound: Float64, at_seconds: float) -> None:
    """Add a sound to a waveform, starting at a time. Samples beyond the end are dropped."""
    start = int(at_seconds * RATE_HZ)
    end = min(len(waveform), start + len(sound))
    waveform[start:end] += sound[: end - start]


def _low_passed(noise: Float64, cutoff_hz: float) -> Float64:
    """Return noise with the frequencies above a cutoff damped."""
    spectrum = np.fft.rfft(noise)
    hertz = np.fft.rfftfreq(len(noise), 1 / RATE_HZ)
    return np.fft.irfft(spectrum / (1 + (hertz / cutoff_hz) ** 4), len(noise))


def pluck(rng: np.random.Generator) -> Float64:
    """Return six notes of a plucked string, by Karplus and Strong's averaging delay line."""
    waveform = np.zeros_like(_times())
    root_hz = rng.uniform(140, 170)
    for step, semitones in enumerate(rng.choice([0, 3, 5, 7, 10, 12], size=6)):
        period = int(RATE_HZ / (root_hz * 2 ** (semitones / 12)))
        line = rng.uniform(-1, 1, period)
        note = []
        for _ in range(int(1.2 * RATE_HZ / period)):
            note.append(line)
            line = 0.498 * (line + np.roll(line, 1))
        _strike(waveform, np.concatenate(note), step * 0.5)
    return waveform


def organ(rng: np.random.Generator) -> Float64:
    """Return a held chord of organ pipes, each with its octaves and twelfth."""
    t = _times()
    root_hz = rng.uniform(180, 220)
    chord = root_hz * np.array([1.0, rng.choice([1.2, 1.25]), 1.5])
    stops = [(1, 1.0), (2, 0.7), (3, 0.4), (4, 0.35), (6, 0.2), (8, 0.15)]
    pipes = [a * np.sin(2 * np.pi * hz * n * t) for hz in chord for n, a in stops]
    chord_of_pipes: Float64 = np.sum(pipes, axis=0)
    return chord_of_pipes * (1 + 0.05 * np.sin(2 * np.pi * 6 * t)) * np.minimum(1, t / 0.05)


def drum(rng: np.random.Generator) -> Float64:
    """Return drum beats: a falling tone under a burst of noise."""
    waveform = np.zeros_like(_times())
    t = np.arange(int(0.4 * RATE_HZ)) / RATE_HZ
    low_hz, beat_seconds = rng.uniform(50, 80), rng.uniform(0.3, 0.45)
    for i in range(int(SECONDS / beat_seconds)):
        tone = np.sin(2 * np.pi * (low_hz * t + 6 * (1 - np.exp(-t * 30)) / 3)) * np.exp(-t * 12)
        snare = rng.standard_normal(len(t)) * np.exp(-t * 35) * (0.7 if i % 2 else 0.15)
        _strike(waveform, tone + snare, i * beat_seconds)
    return waveform


def bell(rng: np.random.Generator) -> Float64:
    """Return two strokes of a bell: inharmonic partials; the high ones decay first."""
    waveform = np.zeros_like(_times())
    t = np.arange(int(2.5 * RATE_HZ)) / RATE_HZ
    strike_hz = rng.uniform(500, 900)
    ratios = np.array([0.5, 1.0, 1.19, 1.56, 2.0, 2.51, 2.66, 3.01, 4.1])
    partials = [
        np.exp(-t * (0.8 + 0.9 * r)) * np.sin(2 * np.pi * strike_hz * r * t) / r for r in ratios
    ]
    for at_seconds in (0.0, rng.uniform(1.2, 1.6)):
        _strike(waveform, np.sum(partials, axis=0), at_seconds)
    return waveform


def siren(rng: np.random.Generator) -> Float64:
    """Return a siren that moves up and down between two pitches."""
    t = _times()
    low_hz, high_hz = rng.uniform(500, 650), rng.uniform(1_100, 1_400)
    swing = 0.5 - 0.5 * np.cos(2 * np.pi * rng.uniform(0.5, 0.9) * t)
    phase = 2 * np.pi * np.cumsum(low_hz + (high_hz - low_hz) * swing) / RATE_HZ
    return np.sin(phase) + 0.4 * np.sin(2 * phase) + 0.25 * np.sin(3 * phase)


def birds(rng: np.random.Generator) -> Float64:
    """Return birdsong: short falling and rising whistles with gaps in between."""
    waveform = 0.003 * rng.standard_normal(len(_times()))
    at_seconds = 0.05
    while at_seconds < SECONDS - 0.2:
        t = np.arange(int(rng.uniform(0.06, 0.15) * RATE_HZ)) / RATE_HZ
        start_hz, end_hz = rng.uniform(2_500, 5_500, size=2)
        bend = start_hz * t + (end_hz - start_hz) * t**2 / (2 * t[-1])
        _strike(waveform, np.sin(2 * np.pi * bend) * np.hanning(len(t)), at_seconds)
        at_seconds += rng.uniform(0.1, 0.3)
    return waveform


def rain(rng: np.random.Generator) -> Float64:
    """Return rain: steady soft noise with drops in it."""
    n_samples = len(_times())
    hiss = rng.standard_normal(n_samples)
    waveform = 0.3 * (hiss - _low_passed(hiss, rng.uniform(800, 1_500)))
    t = np.arange(int(0.02 * RATE_HZ)) / RATE_HZ
    for at_seconds in rng.uniform(0, SECONDS, size=int(rng.uniform(80, 160))):
        drop = np.sin(2 * np.pi * rng.uniform(1_500, 4_000) * t) * np.exp(-t * 300)
        _strike(waveform, rng.uniform(0.3, 1.0) * drop, at_seconds)
    return waveform


def engine(rng: np.random.Generator) -> Float64:
    """Return an idling engine: a low hum of many harmonics that pulses with the strokes."""
    t = _times()
    hum_hz = rng.uniform(35, 55)
    drift = 1 + 0.01 * np.sin(2 * np.pi * rng.uniform(0.3, 0.8) * t)
    phase = 2 * np.pi * np.cumsum(hum_hz * drift) / RATE_HZ
    hum: Float64 = np.sum(
        [np.sin(n * phase + rng.uniform(0, 6)) / n**0.8 for n in range(1, 16)], axis=0
    )
    strokes = 1 + 0.5 * np.sin(phase / 2)
    return hum * strokes + 0.5 * _low_passed(rng.standard_normal(len(t)), 400)


KINDS: dict[str, Synthesizer] = {
    "pluck": pluck,
    "organ": organ,
    "drum": drum,
    "bell": bell,
    "siren": siren,
    "birds": birds,
    "rain": rain,
    "engine": engine,
}
