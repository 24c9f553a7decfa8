"""How well classes of files are told apart: a model's vectors, and the teacher's own."""

from __future__ import annotations

import tempfile
from functools import cache
from itertools import repeat
from typing import TYPE_CHECKING

import numpy as np

from audiosearch.evaluate import Evaluation, Label, evaluate, evaluate_vectors
from audiosearch.ingest import add
from audiosearch.library.index import Index
from audiosearch.models import registry
from audiosearch.params import PATCH_HOP_SAMPLES, PATCH_SAMPLES
from audiosearch.sound.pooling import unit
from audiosearch.training.corpus import decoded
from audiosearch.training.processes import pool
from audiosearch.training.teacher import Teacher

if TYPE_CHECKING:
    from pathlib import Path

    from audiosearch.params import Float32


def of_model(folder: Path, model: str = registry.COMPACT) -> Evaluation:
    """Evaluate a model on a folder of a folder a class.

    The same as ``audiosearch add FOLDER --model MODEL``, ``audiosearch evaluate --by folder``.
    """
    with tempfile.TemporaryDirectory() as index:
        add(index, folder, model=model)
        with Index(index) as opened:
            return evaluate(opened, Label.FOLDER)


def of_teacher(folder: Path, teacher: Path) -> Evaluation:
    """Evaluate the teacher's embeddings, averaged over each file, on the same files."""
    with tempfile.TemporaryDirectory() as index:
        add(index, folder, model=registry.COMPACT)
        with Index(index) as opened:
            tracks = list(opened)
    paths = [track.path for track in tracks]
    with pool() as processes:
        vectors = list(processes.map(_opinion, paths, repeat(teacher), chunksize=8))
    return evaluate_vectors(tracks, np.stack(vectors), Label.FOLDER)


def _opinion(path: str, teacher_path: Path) -> Float32:
    """Return the teacher's embedding of a file, of unit length."""
    teacher = _teacher(teacher_path)
    waveform = decoded(path)
    waveform = np.pad(waveform, (0, max(0, PATCH_SAMPLES - len(waveform))))
    starts = range(0, len(waveform) - PATCH_SAMPLES + 1, PATCH_HOP_SAMPLES)
    return unit(np.mean([teacher(waveform[s : s + PATCH_SAMPLES]) for s in starts], axis=0))


_teacher = cache(Teacher)
