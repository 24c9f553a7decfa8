"""Moments of tracks, in a Milvus collection of their own."""

from __future__ import annotations

from collections import defaultdict
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

import numpy as np

from audiosearch.library.milvus.database import SEARCH_CONSISTENCY, batches
from audiosearch.library.milvus.expressions import one_of
from audiosearch.library.milvus.schema import MOMENT_FIELDS, PRINT_FIELD, moment_rows
from audiosearch.library.milvus.vectors import MAX_K
from audiosearch.library.neighbors import PatchNeighbors
from audiosearch.models.moments import Moments, PatchSounds, quantized

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from audiosearch.library.milvus.catalog import MilvusCatalog
    from audiosearch.library.track import Track
    from audiosearch.types import Float32, Int64, UInt16

_FIRST = "patch == 0"
_BATCH_TRACKS = 50  # whose moments are read at a time
_BATCH_IDS = 10_000  # in the condition of a search
_FLOAT_BYTES = 4


class MilvusMoments:
    """Moments in the collection ``NAME_moments``, a patch a row; it implements `MomentStorage`.

    The collection is created when the first moments are stored. The first patch of a track is
    stored last. So a track without it has no moments: a write was interrupted.

    Parameters
    ----------
    catalog : MilvusCatalog
    """

    def __init__(self, catalog: MilvusCatalog) -> None:
        self._catalog = catalog
        self._collection = catalog.moments_collection

    def put(self, moments: Mapping[int, Moments | None]) -> None:
        """Store the moments of tracks by id, in place of their former ones; None removes those.

        Ids of removed tracks are ignored.
        """
        if not moments:
            return
        catalog = self._catalog
        catalog.remove_moments(moments)
        found = self._existing(moments)
        stored = {i: value for i, value in moments.items() if value is not None and i in found}
        if stored:
            catalog.create_moments()
            self._upsert(chain.from_iterable(moment_rows(*item, 1) for item in stored.items()))
            self._upsert(chain.from_iterable(moment_rows(*item, 0, 1) for item in stored.items()))

    def _upsert(self, rows: Iterator[dict[str, Any]]) -> None:
        has_prints = self._catalog.has_prints_of_patches()
        while batch := list(islice(rows, self._catalog.vector_batch_rows)):
            if not has_prints:
                batch = [{k: v for k, v in row.items() if k != PRINT_FIELD} for row in batch]
            self._catalog.call("upsert", self._collection, batch)

    def _existing(self, ids: Iterable[int]) -> set[int]:
        """Return those of some ids that tracks have."""
        catalog = self._catalog
        parts = (catalog.query(one_of("id", batch), []) for batch in batches(list(ids)))
        return {row["id"] for row in chain.from_iterable(parts)}

    def _rows(self, condition: str, fields: Iterable[str]) -> Iterator[dict[str, Any]]:
        if not self._catalog.has_moments():
            return iter(())
        return self._catalog.iterate(self._collection, condition, list(fields))

    def of(self, ids: Sequence[int]) -> Iterator[tuple[int, Moments]]:
        """Yield the id and the moments of each track that has any, in any order.

        Incomplete ones are left out.
        """
        for batch in batches(ids, _BATCH_TRACKS):
            rows: defaultdict[int, dict[int, dict[str, Any]]] = defaultdict(dict)
            for row in self._rows(one_of("track_id", batch), self._fields()):
                vector = np.array(row["embedding"], dtype=np.float32)[np.newaxis]
                rows[row["track_id"]][row["patch"]] = row | {"embedding": quantized(vector)}
            for track_id, patches in rows.items():
                if max(patches) == len(patches) - 1:
                    yield track_id, _moments([patches[n] for n in range(len(patches))])

    def _fields(self) -> tuple[str, ...]:
        has_prints = self._catalog.has_prints_of_patches()
        return (*MOMENT_FIELDS, PRINT_FIELD) if has_prints else MOMENT_FIELDS

    def prints(self) -> Iterator[tuple[int, UInt16]]:
        """Yield the id and the prints of the patches of each track that has any, in any order."""
        if not self._catalog.has_prints_of_patches():
            return
        by_track: defaultdict[int, dict[int, list[int]]] = defaultdict(dict)
        for row in self._rows("", ["track_id", "patch", PRINT_FIELD]):
            by_track[row["track_id"]][row["patch"]] = row[PRINT_FIELD]
        for track_id, prints in by_track.items():
            if max(prints) == len(prints) - 1 and all(prints.values()):
                yield track_id, np.array([prints[n] for n in range(len(prints))], np.uint16)

    def missing(self) -> list[Track]:
        """Return the tracks without moments, in ascending order of id.

        In a collection of an older version they lack prints, which it can't hold.
        """
        complete = {row["track_id"] for row in self._rows(_FIRST, ["track_id"])}
        return [track for track in self._catalog.tracks() if track.id not in complete]

    def damaged(self) -> list[int]:
        """Return the track ids of moments that are incomplete, or whose track doesn't exist."""
        counts: defaultdict[int, int] = defaultdict(int)
        ends: defaultdict[int, int] = defaultdict(int)  # after the last patch
        for row in self._rows("", ["track_id", "patch"]):
            counts[row["track_id"]] += 1
            ends[row["track_id"]] = max(ends[row["track_id"]], row["patch"] + 1)
        existing = self._existing(counts)
        return [i for i in sorted(counts) if i not in existing or ends[i] != counts[i]]

    def remove_all(self) -> None:
        """Remove the moments of all tracks, and their collection."""
        if self._catalog.has_moments():
            self._catalog.call("drop_collection", self._collection)

    def totals(self) -> tuple[int, int, int]:
        """Return the numbers of tracks with moments, of their patches, and of bytes of vectors."""
        if not self._catalog.has_moments():
            return 0, 0, 0
        n_tracks, n_patches = map(self._count, (_FIRST, ""))
        return n_tracks, n_patches, n_patches * self._catalog.dimension * _FLOAT_BYTES

    def _count(self, condition: str) -> int:
        rows = self._catalog.call(
            "query", self._collection, filter=condition, output_fields=["count(*)"]
        )
        return int(rows[0]["count(*)"])

    def search(self, vectors: Float32, k: int, *, ids: Int64 | None = None) -> list[PatchNeighbors]:
        """Return the k nearest patches, at most `MAX_K`: see `MomentStorage.search`."""
        conditions = [""]
        if ids is not None:
            conditions = [one_of("track_id", batch) for batch in batches(ids.tolist(), _BATCH_IDS)]
        hits: list[list[dict[str, Any]]] = [[] for _ in vectors]
        for condition in conditions if k and self._catalog.has_moments() else ():
            for n, result in enumerate(self._search(vectors, min(k, MAX_K), condition)):
                hits[n] += result
        complete = self._complete({hit["track_id"] for result in hits for hit in result})
        kept = ([hit for hit in result if hit["track_id"] in complete] for result in hits)
        return [_neighbors(result, k) for result in kept]

    def _search(self, vectors: Float32, k: int, condition: str) -> list[list[dict[str, Any]]]:
        results = self._catalog.call(
            "search",
            self._collection,
            data=list(vectors),
            anns_field="embedding",
            limit=k,
            filter=condition,
            output_fields=["track_id", "patch"],
            search_params={"metric_type": "IP"},
            consistency_level=SEARCH_CONSISTENCY,
        )
        return [
            [hit["entity"] | {"product": hit["distance"]} for hit in result] for result in results
        ]

    def _complete(self, ids: Iterable[int]) -> set[int]:
        """Return those of some ids whose track exists and has complete moments."""
        existing = self._existing(ids)
        complete: set[int] = set()
        for batch in batches(list(existing)):
            rows = self._rows(f"{_FIRST} and {one_of('track_id', batch)}", ["track_id"])
            complete |= {row["track_id"] for row in rows}
        return complete

    # There is no FAISS file.

    def sync(self) -> None:
        """Do nothing, because there is no FAISS file."""

    def file_bytes(self) -> None:
        """Return None, because a server keeps the moments."""

    def problem(self) -> None:
        """Return None, because there is no FAISS file."""

    def delete_file(self) -> None:
        """Do nothing, because there is no FAISS file."""


def _moments(rows: Sequence[dict[str, Any]]) -> Moments:
    """Return the moments in the rows of a track, in the order of their patches."""
    codes = np.concatenate([row["embedding"] for row in rows])
    prints = None
    if all(row.get(PRINT_FIELD) for row in rows):
        prints = np.array([row[PRINT_FIELD] for row in rows], dtype=np.uint16)
    if not rows[0]["has_sounds"]:
        return Moments(codes, None, prints)
    counts = np.array([len(row["sound_classes"]) for row in rows], dtype=np.uint8)
    classes, scores = (
        list(chain.from_iterable(row[name] for row in rows))
        for name in ("sound_classes", "sound_scores")
    )
    sounds = PatchSounds(counts, np.array(classes, np.uint16), np.array(scores, np.uint8))
    return Moments(codes, sounds, prints)


def _neighbors(hits: Sequence[dict[str, Any]], k: int) -> PatchNeighbors:
    arrays = [np.array([hit[name] for hit in hits]) for name in ("track_id", "patch", "product")]
    track_ids, patches, products = arrays
    order = np.lexsort((patches, track_ids, -products))[:k]
    return PatchNeighbors(
        track_ids[order].astype(np.int64),
        patches[order].astype(np.int64),
        products[order].astype(np.float32),
    )
