"""Decode any audio file into a stream of mono blocks at 16 kHz."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import numpy as np
import soundfile
import soxr

from audiosearch.audio.mp3 import length_is_known
from audiosearch.audio.sndfile import MPEG_FORMATS, SndfileRecording
from audiosearch.errors import AudioError
from audiosearch.models.front_end import PATCH_SAMPLES, SAMPLE_RATE_HZ
from audiosearch.paths import why_missing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from audiosearch.audio.recording import Recording
    from audiosearch.types import Float32

#: Suffixes by which audio files in folders are recognized.
SUFFIXES = frozenset(
    {
        *(".3gp", ".aac", ".ac3", ".aif", ".aifc", ".aiff", ".amr", ".ape", ".asf", ".au", ".caf"),
        *(".dsf", ".dts", ".flac", ".m4a", ".m4b", ".mka", ".mkv", ".mov", ".mp2", ".mp3", ".mp4"),
        *(".mpc", ".oga", ".ogg", ".opus", ".qoa", ".shn", ".snd", ".spx", ".tak", ".tta", ".voc"),
        *(".w64", ".wav", ".wave", ".weba", ".webm", ".wma", ".wv"),
    }
)

_RESAMPLING_QUALITY = "HQ"  # of soxr
_PLAUSIBLE_RATES_HZ = range(1_000, 1_000_001)


def open_recording(path: str) -> Recording:
    """Open an audio file with the first decoder that supports its format.

    libsndfile is tried first, then FFmpeg.

    Raises
    ------
    AudioError
        If there is no such file, or no decoder supports its content.
    """
    _check_regular_file(path)
    recording = _open_with_libsndfile(path) or _open_with_ffmpeg(path)
    rate = recording.info.sample_rate_hz
    if rate not in _PLAUSIBLE_RATES_HZ:
        recording.close()
        raise AudioError(
            path,
            f"its sample rate of {rate} Hz is not plausible",
            hint="Export it again from the program that made it.",
        )
    return recording


def _open_with_libsndfile(path: str) -> Recording | None:
    try:
        recording = SndfileRecording(path)
        if recording.info.format in MPEG_FORMATS and not length_is_known(path):
            recording.close()
            return None
    except (soundfile.LibsndfileError, TypeError):  # TypeError: the name ends in .raw
        return None
    except OSError as exc:
        raise _unreadable(path) from exc
    return recording


def _open_with_ffmpeg(path: str) -> Recording:
    import av  # takes 0.1 s to import, and few files need it

    from audiosearch.audio.ffmpeg import FfmpegRecording

    try:
        return FfmpegRecording(path)
    except (av.FFmpegError, LookupError, OSError, ValueError) as exc:
        raise _unreadable(path) from exc


def mono_blocks(recording: Recording, path: str) -> Iterator[Float32]:
    """Convert a recording, from its current position on, to mono blocks at 16 kHz.

    Channels are averaged, then soxr resamples.

    Parameters
    ----------
    recording : Recording
    path : str
        Path of the recording, for error messages.

    Yields
    ------
    ndarray of float32, shape (n_samples,)
        Samples at 16 kHz. Samples of integer formats lie in [-1, 1]; floating-point files and
        resampling may exceed this range.

    Raises
    ------
    AudioError
        If a sample is not a finite number.
    """
    rate = recording.info.sample_rate_hz
    mono = (_finite_mono(block, path) for block in recording.blocks())
    if rate == SAMPLE_RATE_HZ:
        yield from mono
        return
    resampler = soxr.ResampleStream(
        rate, SAMPLE_RATE_HZ, 1, dtype="float32", quality=_RESAMPLING_QUALITY
    )
    for block in mono:
        yield resampler.resample_chunk(block)
    yield resampler.resample_chunk(np.empty(0, dtype=np.float32), last=True)


def patch_waveform(recording: Recording, path: str, *, at_seconds: float) -> Float32:
    """Seek to a position in a recording and return the samples of one patch from there.

    Parameters
    ----------
    recording : Recording
    path : str
        Path of the recording, for error messages.
    at_seconds : float
        Position, in seconds from the start.

    Returns
    -------
    ndarray of float32, shape (n_samples,)
        Mono samples at 16 kHz: 15,600, or fewer if the recording ends earlier.
    """
    recording.seek(at_seconds)
    return _first_samples(mono_blocks(recording, path), PATCH_SAMPLES)


def _first_samples(blocks: Iterable[Float32], n_samples: int) -> Float32:
    collected: list[Float32] = []
    n_collected = 0
    for block in blocks:
        collected.append(block)
        n_collected += len(block)
        if n_collected >= n_samples:
            break
    return np.concatenate([np.empty(0, dtype=np.float32), *collected])[:n_samples]


def _finite_mono(block: Float32, path: str) -> Float32:
    n_channels = block.shape[1]
    with np.errstate(over="ignore", invalid="ignore"):
        mono = block @ np.full(n_channels, 1 / n_channels, dtype=np.float32)
    if not np.isfinite(mono).all():
        raise AudioError(
            path,
            "it contains samples that are not finite numbers",
            hint="Export it again from the program that made it, or as 16-bit integers.",
        )
    return mono


def _check_regular_file(path: str) -> None:
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):  # opening a pipe would block until it has a writer
            raise AudioError(path, "it is not a file", hint="Name an audio file.")
        with open(path, "rb"):
            pass
    except (OSError, ValueError) as exc:
        is_missing = isinstance(exc, FileNotFoundError)
        reason = why_missing(path) if is_missing else "it can't be opened"
        raise AudioError(path, reason, hint="Check the path and its read permission.") from exc
    if not status.st_size:
        raise AudioError(path, "it is empty", hint="Copy or download it again.")


def _unreadable(path: str) -> AudioError:
    return AudioError(
        path,
        "it contains no audio that can be decoded",
        hint="Check that it plays in a music player. Playlists and text files can't be added.",
    )
