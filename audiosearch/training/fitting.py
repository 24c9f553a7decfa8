"""Fitting the projection on files of known classes, and sampling patches of them."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import numpy as np

from audiosearch.errors import AudioError, UsageError
from audiosearch.training.averages import file_averages, patches_of
from audiosearch.training.free_audio import MIN_FILES, spaced, spaced_by_class
from audiosearch.training.projection import Projection, fit

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from audiosearch.training.free_audio import LabeledFile
    from audiosearch.types import Float32, Float64, Int64

#: Files whose first patch is used to find the ranges of the integers.
N_PATCHES = 1_024


def fit_on_files(files: Sequence[LabeledFile], teacher: Path, cache: Path) -> Projection:
    """Fit the projection.

    Classes of fewer than 5 files aren't used; larger ones give up to 30 files, evenly spaced. Each
    class of a package has the same weight, and so has each file of a class. A package's weight is
    the square root of its number of classes.

    Parameters
    ----------
    files : sequence of LabeledFile
    teacher : Path
        ``yamnet.tflite``.
    cache : Path
        ``.npz`` file for the averages. They aren't computed again for the same files.

    Raises
    ------
    UsageError
        If no class has five files.
    """
    sample = spaced_by_class(files)
    if not sample:
        raise UsageError(
            f"No class has {MIN_FILES} audio files.",
            hint="Use a folder with one subfolder per class.",
        )
    values = _averages(sample, teacher, cache)
    is_readable = np.isfinite(values).all(axis=1)
    kept = [sample[row] for row in np.flatnonzero(is_readable)]
    labels = np.unique([file.label for file in kept], return_inverse=True)[1]
    return fit(values[is_readable], labels, _weights(kept, labels))


def write_patches(files: Sequence[LabeledFile], path: Path) -> None:
    """Write the first patch of each of 1,024 files: ``.npy``, float32, shape (n, 96, 64)."""
    patches = []
    for file in spaced(spaced_by_class(files), N_PATCHES):
        try:
            patches.append(next(patches_of(file.path))[0])
        except (AudioError, StopIteration):
            continue
    np.save(path, np.stack(patches))


def _averages(files: Sequence[LabeledFile], teacher: Path, cache: Path) -> Float32:
    """Return the averages of files, with NaN for a file that can't be decoded."""
    names = json.dumps([str(file.path) for file in files]).encode()
    digest = hashlib.sha256(names + teacher.read_bytes()).hexdigest()
    if cache.exists():
        with np.load(cache) as stored:
            if str(stored["digest"]) == digest:
                return np.asarray(stored["values"])
    rows = file_averages([file.path for file in files], teacher)
    size = next((len(row) for row in rows if row is not None), 0)
    missing = np.full(size, np.nan, dtype=np.float32)
    values = np.stack([missing if row is None else row for row in rows])
    np.savez(cache, values=values, digest=digest)
    return values


def _weights(files: Sequence[LabeledFile], labels: Int64) -> Float64:
    packages = np.array([file.package for file in files])
    weights = 1.0 / np.bincount(labels)[labels]
    for package in np.unique(packages):
        weights[packages == package] /= np.sqrt(len(np.unique(labels[packages == package])))
    return weights
