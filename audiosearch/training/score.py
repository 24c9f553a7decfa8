"""How well classes of files are told apart: by models, and by the teacher, on the same files."""

from __future__ import annotations

import logging
import tempfile
from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING

import numpy as np

from audiosearch.embedding.pooling import unit
from audiosearch.ingest.add import Status, add
from audiosearch.library.index import Index
from audiosearch.models.front_end import PATCH_HOP_SAMPLES, PATCH_SAMPLES
from audiosearch.search.evaluate import Label, Scores, deduplicate, label_ids, n_labels, scores_of
from audiosearch.training.corpus import at_least_a_patch, decoded
from audiosearch.training.processes import pool
from audiosearch.training.teacher import teacher_in

if TYPE_CHECKING:
    from pathlib import Path

    from audiosearch.library.index import Track
    from audiosearch.types import Float32

TEACHER = "YAMNet, the teacher"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Models, and the teacher last, on the files of one folder.

    Attributes
    ----------
    scores : dict of str to Scores
        By name.
    n_files, n_classes : int
        What they were scored on.
    n_failed : int
        How many more files do not decode, and count for nobody.
    """

    scores: dict[str, Scores]
    n_files: int
    n_classes: int
    n_failed: int


def compare(folder: Path, models: dict[str, Path], teacher: Path) -> Comparison:
    """Evaluate models, and the teacher, on a folder of a folder a class.

    The first model's scores are those of ``audiosearch add FOLDER --model MODEL`` and
    ``audiosearch evaluate --by folder``. What are duplicates by it are left out for all.

    Parameters
    ----------
    folder : Path
    models : dict of str to Path
        A ``.tflite`` file each, by what it is to be called.
    teacher : Path
        ``yamnet.tflite``.
    """
    kept: list[Track] = []
    n_failed = 0
    scores = {}
    for name, model in models.items():
        vectors, n_failed = _vectors(folder, model)
        if not kept:
            tracks = [track for track, _ in vectors.values()]
            matrix = np.stack([vector for _, vector in vectors.values()])
            kept = [tracks[place] for place in deduplicate(tracks, matrix)]
            codes = label_ids(kept, Label.FOLDER)
        rows = np.stack([vectors[track.path][1] for track in kept])
        scores[name] = scores_of(rows, codes)
    with pool() as processes:
        paths = [track.path for track in kept]
        opinions = np.stack(list(processes.map(_opinion, paths, repeat(teacher), chunksize=8)))
    scores[TEACHER] = scores_of(opinions, codes)
    return Comparison(scores, len(kept), n_labels(codes), n_failed)


def _vectors(folder: Path, model: Path) -> tuple[dict[str, tuple[Track, Float32]], int]:
    """Return the tracks of a folder with a model's vectors, by path, and how many files failed."""
    with tempfile.TemporaryDirectory() as index:
        outcomes = add(index, folder, model=str(model))
        failures = [outcome for outcome in outcomes if outcome.status is Status.FAILED]
        for failure in failures:
            log.warning("%s", failure.message)
        with Index(index) as opened, opened.all_with_vectors() as (_, rows):
            return {track.path: (track, vector) for track, vector in rows}, len(failures)


def _opinion(path: str, teacher_path: Path) -> Float32:
    """Return the teacher's embedding of a file, of unit length."""
    teacher = teacher_in(teacher_path)
    waveform = at_least_a_patch(decoded(path))
    starts = range(0, len(waveform) - PATCH_SAMPLES + 1, PATCH_HOP_SAMPLES)
    return unit(np.mean([teacher(waveform[s : s + PATCH_SAMPLES]) for s in starts], axis=0))
