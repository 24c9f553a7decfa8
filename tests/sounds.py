"""Synthesize sounds for tests, and write them in every format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import soundfile

#: FFmpeg's name of the layout by number of channels.
LAYOUTS = {1: "mono", 2: "stereo", 3: "2.1", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}


def tone(hertz: float = 440.0, seconds: float = 3.0, rate: int = 16_000) -> np.ndarray:
    """A sine with amplitude 0.5: float32, shape (n_samples,)."""
    t = np.arange(int(seconds * rate)) / rate
    return (0.5 * np.sin(2 * np.pi * hertz * t)).astype(np.float32)


def noise(seconds: float = 3.0, rate: int = 16_000, seed: int = 0) -> np.ndarray:
    """White noise: float32, shape (n_samples,)."""
    samples = np.random.default_rng(seed).standard_normal(int(seconds * rate))
    return (0.1 * samples).astype(np.float32)


def melody(seconds: float = 3.0, rate: int = 16_000, seed: int = 0) -> np.ndarray:
    """A sequence of tones over noise: float32, shape (n_samples,)."""
    rng = np.random.default_rng(seed)
    notes = [
        tone(hertz, min(0.25, seconds), rate) for hertz in rng.uniform(150, 3_000, int(4 * seconds))
    ]
    line = np.concatenate(notes)
    return line + 0.2 * noise(len(line) / rate, rate, seed)[: len(line)]


def upsampled(samples: np.ndarray, rate: int) -> np.ndarray:
    """Bring 16 kHz samples to a higher rate by their spectrum, in float64.

    Unlike a resampler with a filter, this keeps everything below 8 kHz and adds nothing above.
    """
    n_samples = round(len(samples) * rate / 16_000)
    spectrum = np.fft.rfft(samples.astype(np.float64))
    return np.fft.irfft(spectrum, n_samples) * (n_samples / len(samples))


def write(path: Path, samples: np.ndarray, rate: int = 16_000, **options: Any) -> Path:
    """Write samples, shape (n,) or (n, channels), with libsndfile, in blocks."""
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    with soundfile.SoundFile(path, "w", rate, channels, **options) as file:
        for start in range(0, len(samples), 65_536):
            file.write(samples[start : start + 65_536])
    return path


def encode(
    path: Path, samples: np.ndarray, rate: int, *, container: str, codec: str, **tags: str
) -> Path:
    """Write samples, shape (n,) or (n, channels), with FFmpeg."""
    layout = LAYOUTS[1 if samples.ndim == 1 else samples.shape[1]]
    with av.open(str(path), "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate, layout=layout, bit_rate=96_000)
        output.metadata.update(tags)
        frame_size = stream.codec_context.frame_size or 1_024
        resampler = av.AudioResampler(stream.codec_context.format, layout, rate, frame_size)
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="flt", layout=layout)
        frame.sample_rate = rate
        for converted in resampler.resample(frame):
            output.mux(stream.encode(converted))
        output.mux(stream.encode(None))
    return path


def cut(path: Path, share: float = 0.6) -> Path:
    """Truncate a file to the first part of its bytes."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path
