"""The corpus: training audio as labeled clips at 16 kHz, decoded once."""

from __future__ import annotations

import json
import logging
import os
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from audiosearch.audio.decode import mono_blocks, open_recording
from audiosearch.errors import AudioError, UsageError
from audiosearch.models.front_end import PATCH_SAMPLES, SAMPLE_RATE_HZ
from audiosearch.training.free_audio import Kind, LabeledFile
from audiosearch.training.processes import process_pool

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from audiosearch.types import Float32, StrPath

CLIP_SECONDS = 10
MAX_CLIPS = 6  # taken from one file
_INT16 = 32_767
_SAMPLES, _CLIPS, _FILES = "samples.i16", "clips.json", "files.json"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Clip:
    """Ten seconds of a file, or all of a shorter file.

    Attributes
    ----------
    start, length : int
        Position among the corpus's samples, in samples.
    label : str
        The clip's class.
    kind : Kind
    """

    start: int
    length: int
    label: str
    kind: Kind


class Corpus:
    """Clips on disk, mapped into memory.

    Parameters
    ----------
    folder : Path
        A folder that `write` wrote.

    Attributes
    ----------
    clips : list of Clip
    labels : list of str
        Every class, sorted.
    """

    def __init__(self, folder: Path) -> None:
        self._samples = np.memmap(folder / _SAMPLES, dtype=np.int16, mode="r")
        self.clips = [
            Clip(start, length, label, Kind(kind))
            for start, length, label, kind in json.loads((folder / _CLIPS).read_text())
        ]
        self.labels = sorted({clip.label for clip in self.clips})

    def waveform(self, clip: Clip, start: int = 0, length: int | None = None) -> Float32:
        """Return the samples of a clip or of a part of it.

        Parameters
        ----------
        clip : Clip
        start : int
            First sample of the part.
        length : int, optional
            Samples of the part. Default: up to the clip's end.

        Returns
        -------
        ndarray of float32, shape (n_samples,)
            Mono samples in [-1, 1] at 16 kHz.
        """
        stop = clip.length if length is None else min(clip.length, start + length)
        samples = self._samples[clip.start + start : clip.start + stop]
        return np.asarray(samples / np.float32(_INT16), dtype=np.float32)


def write(files: Iterable[LabeledFile], folder: Path) -> Corpus:
    """Decode files and write their clips. Skip a file that can't be decoded, with a warning.

    A long file gives six clips, evenly spaced. A corpus of the same files isn't written again.

    Raises
    ------
    UsageError
        If the folder holds a corpus of other files.
    """
    listed = list(files)
    names = json.dumps([(str(file.path), file.label, file.kind.value) for file in listed])
    if (folder / _FILES).exists():
        if (folder / _FILES).read_text() != names:
            raise UsageError(
                f"{folder} was made from other audio.",
                hint="Name another folder, or remove this one to start again.",
            )
        return Corpus(folder)
    folder.mkdir(parents=True, exist_ok=True)
    clips: list[Clip] = []
    written = 0
    with (folder / _SAMPLES).open("wb") as stream, process_pool() as processes:
        clips_of = processes.map(_clips, [file.path for file in listed], chunksize=8)
        for file, pieces in zip(listed, clips_of, strict=True):
            for piece in pieces:
                stream.write(piece)
                clips.append(Clip(written, len(piece) // 2, file.label, file.kind))
                written += len(piece) // 2
    rows = [list(asdict(clip).values()) for clip in clips]
    (folder / _CLIPS).write_text(json.dumps(rows))
    (folder / _FILES).write_text(names)  # last: the corpus is complete
    return Corpus(folder)


def decode(path: StrPath) -> Float32:
    """Return the samples of a whole file.

    Returns
    -------
    ndarray of float32, shape (n_samples,)
        Mono samples in [-1, 1] at 16 kHz.

    Raises
    ------
    AudioError
        If the file can't be decoded, or has no samples.
    """
    name = os.fspath(path)
    with closing(open_recording(name)) as recording:
        blocks = [block for block in mono_blocks(recording, name) if len(block)]
    if not blocks:
        raise AudioError(name, "it holds no samples", hint="Copy or download it again.")
    return np.concatenate(blocks)


def pad_to_patch(waveform: Float32) -> Float32:
    """Return a waveform, zero-padded to 15,600 samples if it is shorter."""
    return np.pad(waveform, (0, max(0, PATCH_SAMPLES - len(waveform))))


def _clips(path: Path) -> list[bytes]:
    """Return the clips of a file as 16-bit samples; none if it can't be decoded."""
    try:
        waveform = decode(path)
    except AudioError as exc:
        log.warning("%s", exc)
        return []
    length = CLIP_SECONDS * SAMPLE_RATE_HZ
    n_clips = int(np.clip(len(waveform) // length, 1, MAX_CLIPS))
    starts = np.linspace(0, max(0, len(waveform) - length), n_clips).astype(int)
    steps = (np.clip(waveform, -1, 1) * _INT16).astype("<i2")
    return [steps[start : start + length].tobytes() for start in starts]
