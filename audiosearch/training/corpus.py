"""The training audio, decoded once: clips at 16 kHz, each of a class."""

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
from audiosearch.training.free_audio import Kind, Labelled
from audiosearch.training.processes import pool

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from audiosearch.types import Float32, StrPath

CLIP_SECONDS = 10
N_CLIPS = 6  # of a file, at most
_INT16 = 32_767
_SAMPLES, _CLIPS, _FILES = "samples.i16", "clips.json", "files.json"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Clip:
    """Ten seconds of a file, or the whole of a shorter one.

    Attributes
    ----------
    start, length : int
        Where it is among the corpus's samples.
    label : str
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
        Where `write` wrote them.
    """

    def __init__(self, folder: Path) -> None:
        self._samples = np.memmap(folder / _SAMPLES, dtype=np.int16, mode="r")
        self.clips = [
            Clip(start, length, label, Kind(kind))
            for start, length, label, kind in json.loads((folder / _CLIPS).read_text())
        ]
        self.labels = sorted({clip.label for clip in self.clips})

    def waveform(self, clip: Clip, start: int = 0, length: int | None = None) -> Float32:
        """Return a clip's samples, or so many from a place on: float32 in [-1, 1] at 16 kHz."""
        stop = clip.length if length is None else min(clip.length, start + length)
        samples = self._samples[clip.start + start : clip.start + stop]
        return np.asarray(samples / np.float32(_INT16), dtype=np.float32)


def write(files: Iterable[Labelled], folder: Path) -> Corpus:
    """Decode files and write their clips; those that do not decode are left out, with a warning.

    Of a long file six clips are taken, evenly spaced. A corpus of the same files is left as it is.

    Raises
    ------
    UsageError
        Where the folder holds a corpus of other files.
    """
    listed = list(files)
    names = json.dumps([(str(file.path), file.label, file.kind.value) for file in listed])
    if (folder / _FILES).exists():
        if (folder / _FILES).read_text() != names:
            raise UsageError(
                f"{folder} was made of other audio.",
                hint="Name another folder, or remove this one to begin anew.",
            )
        return Corpus(folder)
    folder.mkdir(parents=True, exist_ok=True)
    clips: list[Clip] = []
    written = 0
    with (folder / _SAMPLES).open("wb") as stream, pool() as processes:
        clips_of = processes.map(_clips, [file.path for file in listed], chunksize=8)
        for file, pieces in zip(listed, clips_of, strict=True):
            for piece in pieces:
                stream.write(piece)
                clips.append(Clip(written, len(piece) // 2, file.label, file.kind))
                written += len(piece) // 2
    rows = [list(asdict(clip).values()) for clip in clips]
    (folder / _CLIPS).write_text(json.dumps(rows))
    (folder / _FILES).write_text(names)  # last: all is there
    return Corpus(folder)


def decoded(path: StrPath) -> Float32:
    """Return a whole file's samples: float32 in [-1, 1], mono, at 16 kHz.

    Raises
    ------
    AudioError
        Where it cannot be decoded, or holds no samples.
    """
    name = os.fspath(path)
    with closing(open_recording(name)) as recording:
        blocks = [block for block in mono_blocks(recording, name) if len(block)]
    if not blocks:
        raise AudioError(name, "it holds no samples", hint="Copy or download it again.")
    return np.concatenate(blocks)


def at_least_a_patch(waveform: Float32) -> Float32:
    """Return a waveform, followed by silence where it is shorter than a patch."""
    return np.pad(waveform, (0, max(0, PATCH_SAMPLES - len(waveform))))


def _clips(path: Path) -> list[bytes]:
    """Return a file's clips as 16-bit samples."""
    try:
        waveform = decoded(path)
    except AudioError as exc:
        log.warning("%s", exc)
        return []
    length = CLIP_SECONDS * SAMPLE_RATE_HZ
    n_clips = int(np.clip(len(waveform) // length, 1, N_CLIPS))
    starts = np.linspace(0, max(0, len(waveform) - length), n_clips).astype(int)
    steps = (np.clip(waveform, -1, 1) * _INT16).astype("<i2")
    return [steps[start : start + length].tobytes() for start in starts]
