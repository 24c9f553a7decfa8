"""Scores: how well models and the teacher separate classes of files."""

from __future__ import annotations

import logging
import tempfile
from contextlib import closing
from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING

import numpy as np

from audiosearch.audio.decode import mono_blocks, open_recording
from audiosearch.embedding.pooling import unit
from audiosearch.ingest.add import Status, add
from audiosearch.library.index import Index
from audiosearch.models.front_end import PATCH_HOP_SAMPLES, PATCH_SAMPLES
from audiosearch.search.evaluate import Label, Scores, deduplicate, label_ids, n_labels, scores_of
from audiosearch.training.processes import process_pool
from audiosearch.training.yamnet import load_yamnet

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from audiosearch.library.index import Track
    from audiosearch.types import Float32, StrPath

TEACHER = "YAMNet, the teacher"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Scores of models, and of the teacher, on the files of one folder.

    Attributes
    ----------
    scores : dict of str to Scores
        Scores by the model's name. The teacher comes last.
    n_files, n_classes : int
        Files that were scored, and their classes.
    n_failed : int
        Files left out because they can't be decoded.
    """

    scores: dict[str, Scores]
    n_files: int
    n_classes: int
    n_failed: int


def compare(folder: Path, models: dict[str, Path], teacher: Path) -> Comparison:
    """Evaluate models and the teacher on a folder with one subfolder per class.

    The first model's scores equal those of ``audiosearch add FOLDER --model MODEL`` followed by
    ``audiosearch evaluate --by folder``. Files that are duplicates by the first model are left
    out for every model.

    Parameters
    ----------
    folder : Path
    models : dict of str to Path
        ``.tflite`` files by name.
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
            kept = [tracks[row] for row in deduplicate(tracks, matrix)]
            labels = label_ids(kept, Label.FOLDER)
        rows = np.stack([vectors[track.path][1] for track in kept])
        scores[name] = scores_of(rows, labels)
    with process_pool() as processes:
        paths = [track.path for track in kept]
        teacher_vectors = np.stack(
            list(processes.map(_teacher_embedding, paths, repeat(teacher), chunksize=8))
        )
    scores[TEACHER] = scores_of(teacher_vectors, labels)
    return Comparison(scores, len(kept), n_labels(labels), n_failed)


def _vectors(folder: Path, model: Path) -> tuple[dict[str, tuple[Track, Float32]], int]:
    """Return a folder's tracks and vectors by path, and the number of files that failed."""
    with tempfile.TemporaryDirectory() as index:
        results = add(index, folder, model=str(model))
        failures = [result for result in results if result.status is Status.FAILED]
        for failure in failures:
            log.warning("%s", failure.message)
        with Index(index) as opened, opened.storage.all_with_vectors() as (_, rows):
            return {track.path: (track, vector) for track, vector in rows}, len(failures)


def _teacher_embedding(path: str, teacher: Path) -> Float32:
    """Return the teacher's embedding of a file: float32, shape (1024,), of length 1."""
    yamnet = load_yamnet(teacher)
    return unit(np.mean([yamnet(patch)[0] for patch in patch_waveforms(waveform_of(path))], axis=0))


def waveform_of(path: StrPath) -> Float32:
    """Return a file's mono samples at 16 kHz: float32, shape (n_samples,).

    Raises
    ------
    AudioError
        If the file can't be decoded.
    """
    with closing(open_recording(str(path))) as recording:
        return np.concatenate(list(mono_blocks(recording, str(path))))


def patch_waveforms(waveform: Float32) -> Iterator[Float32]:
    """Yield the samples of each patch of a waveform: float32, shape (15600,).

    A waveform shorter than one patch is zero-padded.
    """
    waveform = np.pad(waveform, (0, max(0, PATCH_SAMPLES - len(waveform))))
    for start in range(0, len(waveform) - PATCH_SAMPLES + 1, PATCH_HOP_SAMPLES):
        yield waveform[start : start + PATCH_SAMPLES]
