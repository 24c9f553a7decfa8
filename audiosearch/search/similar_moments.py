"""The search for moments of the public API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audiosearch import defaults
from audiosearch.embedding.patch_reader import PatchReader
from audiosearch.library.index import Index
from audiosearch.models import registry
from audiosearch.search.options import DEFAULT_OPTIONS, SearchOptions, TimeRange
from audiosearch.search.query import Hit, SearchResult

if TYPE_CHECKING:
    from collections.abc import Iterable

    from audiosearch.types import StrPath

_INDEX_MODEL = registry.ModelRequest()


def similar_moments(
    index: Index | StrPath,
    clips: StrPath | Iterable[StrPath] = (),
    *,
    named: Iterable[str] = (),
    unlike: Iterable[StrPath] = (),
    k: int = defaults.HITS,
    per_track: int = defaults.MOMENTS_PER_TRACK,
    part: TimeRange | None = None,
    within: StrPath | None = None,
    options: SearchOptions = DEFAULT_OPTIONS,
    request: registry.ModelRequest = _INDEX_MODEL,
) -> SearchResult:
    """Find the moments in tracks that sound most like a clip. (Provisional: one clip, one patch.)"""
    if not isinstance(index, Index):
        with Index(index) as opened:
            return similar_moments(opened, clips, k=k, per_track=per_track)
    from audiosearch.embedding.embedder import Embedder

    hop = index.require_moments()
    model = registry.resolve_for_index(index.spec.model, index.spec.weights_digest, request)
    clip = clips if isinstance(clips, str) else next(iter(map(str, clips)))
    with PatchReader(clip) as reader:
        values = next(Embedder(model).vectors(reader))
    vectors = values / (values**2).sum(axis=1, keepdims=True) ** 0.5
    (found,) = index.moments.search(vectors[:1], k)
    tracks = index.by_id(found.track_ids.tolist())
    hits = [
        Hit(rank, tracks[i], float(product), None, patch * hop, patch * hop + reader.seconds)
        for rank, (i, patch, product) in enumerate(
            zip(*(array.tolist() for array in found), strict=True), start=1
        )
    ]
    return SearchResult(index.spec, hits, [])
