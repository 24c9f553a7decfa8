"""Any audio file as a stream of mono blocks at 16 kHz."""

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

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from audiosearch.audio.recording import Recording
    from audiosearch.types import Float32

#: Suffixes by which a file in a folder is taken for audio.
SUFFIXES = frozenset(
    {
        *(".3gp", ".aac", ".ac3", ".aif", ".aifc", ".aiff", ".amr", ".ape", ".asf", ".au", ".caf"),
        *(".dsf", ".dts", ".flac", ".m4a", ".m4b", ".mka", ".mkv", ".mov", ".mp2", ".mp3", ".mp4"),
        *(".mpc", ".oga", ".ogg", ".opus", ".qoa", ".shn", ".snd", ".spx", ".tak", ".tta", ".voc"),
        *(".w64", ".wav", ".wave", ".weba", ".webm", ".wma", ".wv"),
    }
)

_QUALITY = "HQ"
_PLAUSIBLE_RATES_HZ = range(1_000, 1_000_001)


def open_recording(path: str) -> Recording:
    """Open an audio file by the first decoder that knows its format.

    Raises
    ------
    AudioError
        Where there is no such file, or no decoder knows what is in it.
    """
    _check_regular_file(path)
    recording = _by_libsndfile(path) or _by_ffmpeg(path)
    rate = recording.info.sample_rate_hz
    if rate not in _PLAUSIBLE_RATES_HZ:
        recording.close()
        raise AudioError(
            path,
            f"it claims a sample rate of {rate} Hz",
            hint="Export it again from the program that made it.",
        )
    return recording


def _by_libsndfile(path: str) -> Recording | None:
    try:
        recording = SndfileRecording(path)
        if recording.info.format in MPEG_FORMATS and not length_is_known(path):
            recording.close()
            return None
    except (soundfile.LibsndfileError, TypeError):  # TypeError: a name that ends in .raw
        return None
    except OSError as exc:
        raise _unreadable(path) from exc
    return recording


def _by_ffmpeg(path: str) -> Recording:
    import av  # costs 0.1 s, and few files need it

    from audiosearch.audio.ffmpeg import FfmpegRecording

    try:
        return FfmpegRecording(path)
    except (av.FFmpegError, LookupError, OSError, ValueError) as exc:
        raise _unreadable(path) from exc


def mono_blocks(recording: Recording, path: str) -> Iterator[Float32]:
    """Yield a recording from where it stands as mono blocks at 16 kHz.

    Channels are averaged; soxr resamples.

    Yields
    ------
    ndarray of float32, shape (n_samples,)
        Samples in [-1, 1] for what its file holds in that range.

    Raises
    ------
    AudioError
        Where a sample is not a finite number.
    """
    rate = recording.info.sample_rate_hz
    mono = (_finite_mono(block, path) for block in recording.blocks())
    if rate == SAMPLE_RATE_HZ:
        yield from mono
        return
    resampler = soxr.ResampleStream(rate, SAMPLE_RATE_HZ, 1, dtype="float32", quality=_QUALITY)
    for block in mono:
        yield resampler.resample_chunk(block)
    yield resampler.resample_chunk(np.empty(0, dtype=np.float32), last=True)


def patch_waveform(recording: Recording, path: str, *, at_seconds: float) -> Float32:
    """Seek to a place in a recording and return one patch's samples from there.

    Returns
    -------
    ndarray of float32, shape (n_samples,)
        Mono samples at 16 kHz: 15,600, or fewer where the recording ends before.
    """
    recording.seek(at_seconds)
    blocks = mono_blocks(recording, path)
    return _head(blocks, PATCH_SAMPLES)


def _head(blocks: Iterable[Float32], n_samples: int) -> Float32:
    taken: list[Float32] = []
    n_taken = 0
    for block in blocks:
        taken.append(block)
        n_taken += len(block)
        if n_taken >= n_samples:
            break
    return np.concatenate([np.empty(0, dtype=np.float32), *taken])[:n_samples]


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
        if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for its writer
            raise AudioError(path, "it is not a file", hint="Name an audio file.")
        with open(path, "rb"):
            pass
    except (OSError, ValueError) as exc:
        missing = isinstance(exc, FileNotFoundError)
        reason = "there is no such file" if missing else "it cannot be opened"
        raise AudioError(path, reason, hint="Check the path, and that you may read it.") from exc
    if not status.st_size:
        raise AudioError(path, "it is empty", hint="Copy or download it again.")


def _unreadable(path: str) -> AudioError:
    return AudioError(
        path,
        "it holds no sound that can be decoded",
        hint="Check that it plays in a music player; playlists and text are no sound.",
    )
