"""Decode any audio file into a stream of mono blocks at 16 kHz."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

import numpy as np
import soundfile
import soxr

from audiosearch.audio.containers import container_damage
from audiosearch.audio.continued import ContinuedRecording, open_with_ffmpeg
from audiosearch.audio.downmix import Downmix
from audiosearch.audio.recording import WRONG_LENGTH
from audiosearch.audio.sndfile import SndfileRecording
from audiosearch.errors import AudioError
from audiosearch.models.front_end import SAMPLE_RATE_HZ
from audiosearch.paths import why_missing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from audiosearch.audio.recording import Recording
    from audiosearch.types import Float32

#: Suffixes by which audio files in folders are recognized. docs/guide.md lists them.
SUFFIXES = frozenset(
    {
        *(".3g2", ".3gp", ".aac", ".ac3", ".aif", ".aifc", ".aiff", ".amr", ".ape", ".asf", ".au"),
        *(".avi", ".bwf", ".caf", ".dff", ".dsf", ".dts", ".dtshd", ".ec3", ".eac3", ".flac"),
        *(".flv", ".gsm", ".m2ts", ".m4a", ".m4b", ".m4v", ".mka", ".mkv", ".mlp", ".mov", ".mp2"),
        *(".mp3", ".mp4", ".mpc", ".mpeg", ".mpg", ".mts", ".oga", ".ogg", ".ogv", ".opus"),
        *(".qoa", ".rf64", ".shn", ".snd", ".spx", ".tak", ".thd", ".ts", ".tta", ".vob", ".voc"),
        *(".w64", ".wav", ".wave", ".weba", ".webm", ".wma", ".wmv", ".wv"),
    }
)

_RESAMPLING_QUALITY = "HQ"  # of soxr
_PLAUSIBLE_RATES_HZ = range(1_000, 3_000_001)  # DSD512 is decoded at 2.8 MHz


def open_recording(path: str) -> Recording:
    """Open an audio file with the first decoder that supports its format.

    libsndfile is tried first. FFmpeg decodes the files that libsndfile doesn't support, those of
    which it doesn't know the length or can't seek in, and what is left where it gives up.

    Raises
    ------
    AudioError
        If there is no such file, or no decoder supports its content.
    """
    _check_regular_file(path)
    try:
        recording = _open(path)
    except OSError as exc:
        raise _unreadable(path) from exc
    rate = recording.info.sample_rate_hz
    if rate not in _PLAUSIBLE_RATES_HZ:
        recording.close()
        raise AudioError(
            path,
            f"its sample rate of {rate} Hz is not plausible",
            hint="Export it again from the program that made it.",
        )
    return recording


def _open(path: str) -> Recording:
    try:
        first = SndfileRecording(path)
    except soundfile.SoundFileError:
        first = None
    damage = container_damage(path)
    is_wrong = damage == WRONG_LENGTH
    if first is not None and first.is_length_known and first.is_seekable and not is_wrong:
        return ContinuedRecording(path, first, damage=damage)
    second = open_with_ffmpeg(path, ignores_length=is_wrong)
    if second is not None:
        if first is not None:
            first.close()
        return ContinuedRecording(path, second, damage=damage)
    if first is None:
        raise _unreadable(path)
    return ContinuedRecording(path, first, damage=damage)


def mono_blocks(
    recording: Recording, path: str, *, downmix: Downmix | None = None
) -> Iterator[Float32]:
    """Convert a recording, from its current position on, to mono blocks at 16 kHz.

    Channels are mixed, then soxr resamples.

    Parameters
    ----------
    recording : Recording
    path : str
        Path of the recording, for error messages.
    downmix : Downmix, optional
        Mixes the channels. One that is passed in knows about all blocks afterwards.

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
    mono = map((downmix or Downmix(path)).mono, recording.blocks())
    if rate == SAMPLE_RATE_HZ:
        yield from mono
        return
    resampler = soxr.ResampleStream(
        rate, SAMPLE_RATE_HZ, 1, dtype="float32", quality=_RESAMPLING_QUALITY
    )
    for block in mono:
        yield resampler.resample_chunk(block)
    yield resampler.resample_chunk(np.empty(0, dtype=np.float32), last=True)


def part_blocks(
    recording: Recording, path: str, start: float, n_samples: int | None, *, downmix: Downmix
) -> Iterator[Float32]:
    """Convert a part of a recording to mono blocks at 16 kHz.

    Where positions can't be sought, the recording is read from its start; it can't be read again
    then.

    Parameters
    ----------
    recording : Recording
    path : str
        Path of the recording, for error messages.
    start : float
        Start of the part, in seconds from the start of the recording.
    n_samples : int or None
        Samples at 16 kHz. There are fewer if the recording ends earlier. None: up to its end.
    downmix : Downmix
        Mixes the channels.

    Yields
    ------
    ndarray of float32, shape (n_samples,)
    """
    n_skipped = 0
    if recording.is_seekable:
        recording.seek(start)
    else:
        n_skipped = round(start * SAMPLE_RATE_HZ)
    for block in mono_blocks(recording, path, downmix=downmix):
        rest = block[n_skipped:]
        n_skipped = max(0, n_skipped - len(block))
        if n_samples is None:
            yield rest
            continue
        yield rest[:n_samples]
        n_samples -= len(rest)
        if n_samples <= 0:
            return


def part_waveforms(
    recording: Recording, path: str, parts: Sequence[tuple[float, int]], *, downmix: Downmix
) -> Iterator[Float32]:
    """Yield the samples of several parts of a recording.

    Where positions can't be sought, the recording is read once from its start.

    Parameters
    ----------
    recording : Recording
    path : str
        Path of the recording, for error messages.
    parts : sequence of (float, int)
        Start of each part in seconds, in ascending order, and its length in samples at 16 kHz.
    downmix : Downmix
        Mixes the channels.

    Yields
    ------
    ndarray of float32, shape (n_samples,)
        Mono samples at 16 kHz, fewer than asked for if the recording ends earlier.
    """
    if not recording.is_seekable:
        blocks = mono_blocks(recording, path, downmix=downmix)
        yield from _pieces(blocks, [(round(start * SAMPLE_RATE_HZ), n) for start, n in parts])
        return
    for start, n_samples in parts:
        blocks = part_blocks(recording, path, start, n_samples, downmix=downmix)
        yield np.concatenate([np.empty(0, dtype=np.float32), *blocks])


def _pieces(blocks: Iterator[Float32], pieces: Iterable[tuple[int, int]]) -> Iterator[Float32]:
    """Yield pieces of a stream of blocks, given their starts and lengths in samples."""
    held = np.empty(0, dtype=np.float32)
    position = 0  # of the first sample that is held
    for start, n_samples in pieces:
        while position + len(held) < start + n_samples:
            block = next(blocks, None)
            if block is None:
                break
            n_dropped = min(len(held), max(0, start - position))
            held = np.concatenate([held[n_dropped:], block])
            position += n_dropped
        at = max(0, start - position)
        yield held[at : at + n_samples]


def _check_regular_file(path: str) -> None:
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):  # opening a pipe would block until it has a writer
            raise AudioError(path, "it is not a file", hint="Name an audio file.")
        with open(path, "rb"):
            pass
    except (OSError, ValueError) as exc:
        is_missing = isinstance(exc, OSError) and exc.errno in {errno.ENOENT, errno.ELOOP}
        reason = why_missing(path) if is_missing else "it can't be opened"
        raise AudioError(path, reason, hint="Check the path and its read permission.") from exc
    if not status.st_size:
        raise AudioError(path, "it is empty", hint="Copy or download it again.")


def _unreadable(path: str) -> AudioError:
    return AudioError(
        path,
        "it contains no audio that can be decoded",
        hint="Check that it plays in a music player. Playlists, texts and pictures hold no audio.",
    )
