"""The tracks and vectors of a collection of Milvus's: the part of `Catalog` there."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
from blake3 import blake3

from audiosearch.errors import LibraryError, TrackNotFound
from audiosearch.library.milvus.database import AT_A_TIME, MilvusStore, in_parts
from audiosearch.library.milvus.expressions import (
    expression,
    inside,
    literal,
    one_of,
    words,
)
from audiosearch.library.milvus.schema import (
    TRACK_FIELDS,
    coded,
    decoded,
    entity,
    split,
    track_of,
)
from audiosearch.library.sqlite.coordinates import Coordinates
from audiosearch.models.front_end import EMBEDDING_SIZE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from audiosearch.library.filters import Filters
    from audiosearch.library.sqlite.staged_vectors import StagedVectors
    from audiosearch.library.track import EmbeddingSpec, Track
    from audiosearch.types import Float32, Int64

#: As many can be found by one search: Milvus's own limit.
MAX_K = 16_384
_MOST_ID = 2**53  # whole numbers that JavaScript has too
# What indexes of Milvus's call how much a search looks at.
_EFFORTS = {"hnsw": "ef", "diskann": "search_list"}
_LEAST_EFFORT = 128
_LEAST_LISTS, _SHARE_OF_LISTS = 64, 16


class MilvusCatalog(MilvusStore):
    """The tracks and vectors of a collection; parameters and errors as of `MilvusStore`.

    Ids are made of paths, so that two who add the same file add one track.
    """

    # Tracks

    def put(self, rows: Iterable[tuple[Track, Float32]]) -> list[Track]:
        """Store tracks with their vectors, in place of any under their paths, and return them.

        A track that was stored keeps its id; a new one has that which it brings, where that is
        free. Failures recorded under the paths are forgotten.
        """
        stored: list[Track] = []
        left = iter(rows)
        while some := list(islice(left, AT_A_TIME)):
            tracks = self._with_ids([track for track, _ in some])
            vectors = (vector for _, vector in some)
            entities = map(entity, tracks, vectors)
            self._upsert({row["id"]: row for row in entities})
            self.forget_failures(track.path for track in tracks)
            stored += tracks
        return stored

    def _upsert(self, entities: dict[int, dict[str, Any]]) -> None:
        if entities:
            self.ask("upsert", self.collection, list(entities.values()))
            self.changed()

    def _with_ids(self, tracks: Sequence[Track]) -> list[Track]:
        paths = {coded(track.path): track for track in tracks}
        ids = {row["path"]: row["id"] for row in self._where(one_of("path", paths), ["path"])}
        new = {path: track for path, track in paths.items() if path not in ids}
        attempt = 0
        while new:
            wanted = {path: _made_id(track, attempt) for path, track in new.items()}
            taken = {row["id"] for row in self._where(one_of("id", wanted.values()), ["id"])}
            for path, number in wanted.items():
                if number not in taken:
                    ids[path] = number
                    taken.add(number)
                    del new[path]
            attempt += 1
        return [replace(track, id=ids[coded(track.path)]) for track in tracks]

    def update(self, track: Track) -> None:
        """Write a stored track's fields anew, its path among them; its vector stays."""
        self._rewrite({track.id: lambda _: track})
        self.forget_failures([track.path])

    def set_tags(self, track: Track, tags: dict[str, Any]) -> None:
        """Write some of a track's fields, unless its file was embedded anew meanwhile."""

        def tagged(stored: Track) -> Track | None:
            is_same = stored.content_hash == track.content_hash
            return replace(stored, **tags) if is_same else None

        self._rewrite({track.id: tagged})

    def move(self, tracks: Iterable[tuple[Track, str]]) -> None:
        """Give tracks new paths."""

        def moved(path: str) -> Any:
            return lambda stored: replace(stored, path=path)

        self._rewrite({track.id: moved(path) for track, path in tracks})

    def _rewrite(self, changes: dict[int, Any]) -> None:
        """Store tracks anew, as functions of what is stored: with their vectors as they are."""
        for some in in_parts(list(changes)):
            entities = {}
            for row in self._where(one_of("id", some), [*TRACK_FIELDS, "embedding"]):
                changed = changes[row["id"]](track_of(row))
                if changed is not None:
                    vector = np.array(row["embedding"], dtype=np.float32)
                    entities[row["id"]] = entity(changed, vector)
            self._upsert(entities)

    def remove(self, tracks: Iterable[Track]) -> None:
        """Forget tracks and their vectors; not those that have moved meanwhile."""
        paths = {track.id: track.path for track in tracks}
        for some in in_parts(list(paths)):
            rows = self._where(one_of("id", some), ["path"])
            found = [row["id"] for row in rows if decoded(row["path"]) == paths[row["id"]]]
            if found:
                self.ask("delete", self.collection, filter=one_of("id", found))
        self.changed()

    def tracks(self, ids: Sequence[int] | None = None) -> Iterator[Track]:
        """Yield tracks in the order of their ids; all of them unless some are named."""
        if ids is None:
            yield from map(track_of, self.everything(self.collection, "", list(TRACK_FIELDS)))
            return
        for some in in_parts(sorted(ids)):
            yield from self._few(one_of("id", some))

    def list_tracks(self, limit: int, offset: int) -> list[Track]:
        """Return some tracks, in the order of their ids; those before them are counted off."""
        rows = self.everything(self.collection, "", ["id"])
        ids = [row["id"] for row in islice(rows, offset, offset + limit)]
        return list(self.tracks(ids))

    def track_at(self, path: str) -> Track | None:
        """Return the track stored under a path, to the letter."""
        return next(iter(self._few(f"path == {literal(coded(path))}")), None)

    def tracks_of(self, content_hashes: Sequence[str]) -> Iterator[Track]:
        """Yield the tracks whose files had one of some contents."""
        for some in in_parts(content_hashes):
            yield from self._few(one_of("content_hash", some))

    def _few(self, condition: str) -> list[Track]:
        """Return the tracks that fulfil a condition that few do, in the order of their ids."""
        rows = self._where(condition, TRACK_FIELDS, limit=MAX_K)
        return sorted(map(track_of, rows), key=lambda track: track.id)

    def tracks_under(self, folder: str) -> list[Track]:
        """Return the tracks whose paths lie in a folder or its subfolders."""
        rows = self.everything(self.collection, inside(folder), list(TRACK_FIELDS))
        return list(map(track_of, rows))

    def content_hashes(self) -> set[str]:
        """Return the hashes of the stored tracks' files, as far as they are known."""
        rows = self.everything(self.collection, 'content_hash != ""', ["content_hash"])
        return {row["content_hash"] for row in rows}

    def sizes_and_times(self, paths: Sequence[str]) -> dict[str, tuple[int, int]]:
        """Return the size and the time of change of those paths that are stored."""
        found: dict[str, tuple[int, int]] = {}
        for some in in_parts([coded(path) for path in paths]):
            rows = self._where(one_of("path", some), ["path", "size", "mtime_ns"])
            found |= {decoded(row["path"]): (row["size"], row["mtime_ns"]) for row in rows}
        return found

    def ids(self, filters: Filters) -> Int64:
        """Return the ids of the tracks that pass filters, ascending: int64, shape (n,)."""
        return self._ids_where(expression(filters))

    def search_text(self, text: str, limit: int, offset: int) -> list[int]:
        """Return the ids of tracks in which every word occurs, or begins one; shortest first.

        Of more than `MAX_K`, some are not looked at.
        """
        condition = words([split(word) for word in text.split()])
        rows = self._where(condition, ["words"], limit=MAX_K)
        rows.sort(key=lambda row: (len(row["words"]), row["id"]))
        return [row["id"] for row in rows[offset : offset + limit]]

    def count(self, condition: str = "") -> int:
        """Return the number of tracks, or of those that fulfil a condition."""
        answer = self.ask("query", self.collection, filter=condition, output_fields=["count(*)"])
        return int(answer[0]["count(*)"])

    def totals(self) -> tuple[int, float, int]:
        """Return the number of tracks, their seconds in all, and the number of failures."""
        rows = self.everything(self.collection, "", ["seconds"])
        lengths = np.fromiter((row["seconds"] for row in rows), dtype=np.float64)
        return len(lengths), float(lengths.sum()), len(self.failures())

    # Vectors

    def vector(self, track_id: int) -> Float32:
        """Return a track's vector: float32, shape (128,); TrackNotFound where it is gone."""
        vector: Float32 = self.vectors_of(np.array([track_id]))[0]
        return vector

    def vector_ids(self) -> Int64:
        """Return the ids of all tracks, ascending: int64, shape (n,)."""
        return self._ids_where("")

    def vectors_of(self, ids: Int64) -> Float32:
        """Return tracks' vectors, in the order of their ids as given: float32, shape (n, 128).

        Raises
        ------
        TrackNotFound
            Where another process has removed one.
        """
        found: dict[int, Float32] = {}
        for some in in_parts(ids.tolist()):
            rows = self._where(one_of("id", some), ["embedding"])
            found.update((row["id"], np.array(row["embedding"], np.float32)) for row in rows)
        if len(found) < len(set(ids.tolist())):
            raise TrackNotFound("A track was removed meanwhile.", hint="Ask once more.")
        vectors = [found[i] for i in ids.tolist()]
        return np.array(vectors, dtype=np.float32).reshape(-1, EMBEDDING_SIZE)

    def sample(self, n_vectors: int) -> Float32:
        """Return the vectors of so many tracks, about, chosen by their contents' hashes."""
        share = n_vectors / max(1, self.count())
        condition = "" if share >= 1 else f"content_hash < {literal(f'{int(share * 2**32):08x}')}"
        rows = self.everything(self.collection, condition, ["embedding"])
        vectors = [np.array(row["embedding"], np.float32) for row in islice(rows, 2 * n_vectors)]
        return np.array(vectors, dtype=np.float32).reshape(-1, EMBEDDING_SIZE)

    @contextlib.contextmanager
    def all_with_vectors(self) -> Iterator[tuple[int, Iterator[tuple[Track, Float32]]]]:
        """Give the number of tracks, and all of them with their vectors.

        Raises
        ------
        LibraryError
            At the end, where there were more of them, or fewer, meanwhile.
        """
        n_tracks = self.count()
        yield n_tracks, self._with_vectors(n_tracks)

    def _with_vectors(self, n_tracks: int) -> Iterator[tuple[Track, Float32]]:
        n_found = 0
        for row in self.everything(self.collection, "", [*TRACK_FIELDS, "embedding"]):
            yield track_of(row), np.array(row["embedding"], dtype=np.float32)
            n_found += 1
        if n_found != n_tracks:
            raise LibraryError(
                f"The tracks of {self.location} were others meanwhile.",
                hint="Run the same command again.",
            )

    def search(
        self, vectors: Float32, k: int, condition: str, *, beyond: float | None = None
    ) -> list[tuple[Int64, Float32]]:
        """Return for each vector the ids of the nearest, and their inner products, best first.

        Parameters
        ----------
        vectors : ndarray of float32, shape (n, 128)
        k : int
            How many: no more than `MAX_K`, whatever is asked for.
        condition : str
            What they must fulfil; "" for anything.
        beyond : float, optional
            The products are to be larger than this.
        """
        k = min(k, MAX_K)
        options = self._effort(k) | ({} if beyond is None else {"radius": beyond})
        answers = self.ask(
            "search",
            self.collection,
            data=list(vectors),
            anns_field="embedding",
            limit=k,
            filter=condition,
            search_params={"metric_type": "IP", "params": options},
        )
        return [_sorted(hits) for hits in answers]

    def _effort(self, k: int) -> dict[str, int]:
        """Return how much an index that looks at some vectors only is to look at."""
        kind = self.index_type
        if kind.startswith("ivf"):
            return {
                "nprobe": max(_LEAST_LISTS, int(self._index.get("nlist", 0)) // _SHARE_OF_LISTS)
            }
        names = (name for prefix, name in _EFFORTS.items() if kind.startswith(prefix))
        return {name: max(_LEAST_EFFORT, 2 * k) for name in names}

    @property
    def index_type(self) -> str:
        """The type of the index of the vectors, in lower case: flat, unless it was changed."""
        return str(self._index["index_type"]).lower()

    @cached_property
    def _index(self) -> dict[str, Any]:
        (name, *_) = self.ask("list_indexes", self.collection, field_name="embedding")
        described = self.ask("describe_index", self.collection, name)
        index: dict[str, Any] = described | described.get("params", {})
        return index

    # What is kept beside in a folder only

    def staged_vectors(self, spec: EmbeddingSpec) -> StagedVectors:
        """Refuse: LibraryError."""
        raise LibraryError(
            f"The vectors of {self.location} cannot be replaced by those of {spec} there.",
            hint="Add the files to another collection, with --model.",
        )

    def pending(self) -> tuple[None, int]:
        """Return that no other model's vectors are on their way."""
        return None, 0

    def coordinates(self) -> Coordinates:
        """Return that no track has a place on the map yet."""
        return Coordinates("", np.empty(0, dtype=np.int64), np.empty((0, 2)))

    def put_coordinates(self, found: Coordinates, *, as_of: int) -> bool:  # noqa: ARG002
        """Keep none: the map is laid out anew each time."""
        return True

    def problems(self) -> list[str]:
        """Return nothing: Milvus sees to that itself."""
        return []

    def missing_vectors(self) -> list[Track]:
        """Return nothing: every entity has its vector."""
        return []

    def _where(self, condition: str, names: Iterable[str], **options: Any) -> list[dict[str, Any]]:
        """Return some fields of the tracks that fulfil a condition: of few of them."""
        fields = [*{"id", *names}]
        rows: list[dict[str, Any]] = self.ask(
            "query", self.collection, filter=condition, output_fields=fields, **options
        )
        return rows

    def _ids_where(self, condition: str) -> Int64:
        ids = (row["id"] for row in self.everything(self.collection, condition, ["id"]))
        return np.sort(np.fromiter(ids, dtype=np.int64))


def _made_id(track: Track, attempt: int) -> int:
    """Return the id of a new track: its own at first, then some that its path gives."""
    if track.id and not attempt:
        return track.id
    digest = blake3(f"{attempt} {coded(track.path)}".encode()).digest(8)
    return int.from_bytes(digest, "little") % (_MOST_ID - 1) + 1


def _sorted(hits: Sequence[dict[str, Any]]) -> tuple[Int64, Float32]:
    ids = np.array([hit["id"] for hit in hits], dtype=np.int64)
    products = np.array([hit["distance"] for hit in hits], dtype=np.float32)
    order = np.lexsort((ids, -products))
    return ids[order], products[order]
