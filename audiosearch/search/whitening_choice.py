"""Decide whether to compare whitened vectors in a library, if the user doesn't say."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

import numpy as np

from audiosearch import time_limit
from audiosearch.errors import LibraryError, OverMemoryLimit
from audiosearch.library.backend import Capability
from audiosearch.library.faiss.whitening import min_tracks_to_whiten
from audiosearch.library.filters import EVERYTHING
from audiosearch.models.installed import find_spec
from audiosearch.models.spec import Ability
from audiosearch.search.evaluate import Label, deduplicate, evaluate_vectors, label_ids

if TYPE_CHECKING:
    from audiosearch.library.index import Index
    from audiosearch.types import Int64

SETTING: Final = "whitening_choice"  # version of the tracks, and the decision for it
_WHITENED, _PLAIN = "whitened", "plain"

# The sample is blocks of consecutive tracks, because tracks that share a label are often added one
# after the other. The evaluation takes less than a second.
_SAMPLE_TRACKS, _BLOCK_TRACKS = 1_200, 50
# With this many labels and tracks of 915 real songs, the sign of the difference was wrong for 1 in
# 100 random choices of labels.
_MIN_LABELS, _MIN_LABELED_TRACKS = 10, 100


def is_whitening_better(index: Index) -> bool:
    """Return whether whitened vectors find similar tracks better than plain ones in a library.

    An evaluation by the first kind of `Label` with enough labels decides: whether whitening raises
    the mean average precision on a sample of the tracks. If there are too few labels, the model's
    `Ability` decides. The decision is kept in the index until its tracks change.

    Returns
    -------
    bool
        False if there are too few tracks to whiten, if searches would need more memory than
        `optimize` was given, or if the backend can't.
    """
    n_needed = min_tracks_to_whiten(index.spec.dimension)
    if not index.supports(Capability.WHITEN) or index.n_tracks < n_needed:
        return False
    version = " ".join(map(str, index.version_token()))
    kept_version, _, kept = index.storage.settings().get(SETTING, "").rpartition(" ")
    if kept_version == version:
        return kept == _WHITENED and _fits(index)
    with time_limit.limited(None):
        measured = _measure(index) if n_needed <= _SAMPLE_TRACKS else None
    is_better = _has_ability(index) if measured is None else measured
    with contextlib.suppress(LibraryError):  # the index may be read-only
        choice = _WHITENED if is_better else _PLAIN
        index.storage.set_settings({SETTING: f"{version} {choice}"})
    return is_better and _fits(index)


def _fits(index: Index) -> bool:
    """Return whether the whitened vectors keep to the memory that `optimize` was given."""
    try:
        index.vector_index(whiten=True)
    except OverMemoryLimit:
        return False
    return True


def _has_ability(index: Index) -> bool:
    spec = find_spec(index.spec.model)
    return spec is not None and Ability.WHITENING in spec.abilities


def _measure(index: Index) -> bool | None:
    """Return whether whitening is better by the library's labels; None if there are too few."""
    ids = _sample(index.storage.ids(EVERYTHING))
    stored = index.by_id(ids.tolist())
    ids = np.array([i for i in ids.tolist() if i in stored], dtype=np.int64)
    vectors = index.vector_index().vectors_of(ids)
    kept = deduplicate([stored[i] for i in ids.tolist()], vectors)
    tracks, vectors = [stored[i] for i in ids[kept].tolist()], vectors[kept]
    for label in Label:
        numbers = label_ids(tracks, label)
        counts = np.bincount(numbers[numbers >= 0])
        counts = counts[counts > 1]
        if len(counts) >= _MIN_LABELS and counts.sum() >= _MIN_LABELED_TRACKS:
            plain, whitened = evaluate_vectors(vectors, numbers)
            return None if whitened is None else whitened.map > plain.map
    return None


def _sample(ids: Int64) -> Int64:
    """Return blocks of consecutive ids, evenly spaced; all ids if there are few."""
    if len(ids) <= _SAMPLE_TRACKS:
        return ids
    starts = np.linspace(0, len(ids) - _BLOCK_TRACKS, _SAMPLE_TRACKS // _BLOCK_TRACKS).astype(int)
    return ids[np.unique(starts[:, np.newaxis] + np.arange(_BLOCK_TRACKS))]
