"""Two collections of Milvus's: tracks with their vectors; settings and failures."""

from __future__ import annotations

import contextlib
import json
import os
import time
from dataclasses import asdict, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
from blake3 import blake3

from audiosearch.errors import IndexNotFound, LibraryError, TrackNotFound
from audiosearch.library.milvus.client import Address, Connection
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
    notes_schema,
    split,
    track_of,
    track_schema,
)
from audiosearch.library.positions import Positions
from audiosearch.library.records import Failure
from audiosearch.params import EMBEDDING_SIZE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from audiosearch.library.filters import Filters
    from audiosearch.library.records import Identity, Track
    from audiosearch.library.succession import Succession
    from audiosearch.params import Float32, Int64

_AT_A_TIME = 500  # tracks a request
_LISTED_AT_A_TIME = 10_000  # ids a request, below Milvus's limit of 16,384
_MOST_ID = 2**53  # whole numbers that JavaScript has too
_CHANGED = "changed"  # the setting that is another after every change


def exists(location: str) -> bool:
    """Return whether there is a collection of tracks at an address."""
    address = Address.parsed(location)
    if address.file and not os.path.exists(address.file):
        return False
    with Connection(address) as connection:
        return bool(connection.ask("has_collection", address.collection))


class MilvusCatalog:
    """The tracks, vectors, failures and settings of a collection.

    Milvus has no transactions: what is written is written at once, a request at a time. Ids
    are made of paths, so that two who add the same file add one track.

    Parameters
    ----------
    location : str
        Its address: see `audiosearch.library.milvus.client.Address`.
    settings : dict, optional
        Makes a collection with these settings where there is none.

    Raises
    ------
    IndexNotFound
        Where there is none, and no settings are given.
    LibraryError
        Where the server cannot be had, or the collection is somebody else's.
    """

    def __init__(self, location: str, *, settings: dict[str, str] | None = None) -> None:
        address = Address.parsed(location)
        self.location = location
        if settings is None and not exists(location):
            raise IndexNotFound(
                f"There is no index {location}.",
                hint="`audiosearch add FOLDER --index ...` makes one.",
            )
        self._connection = Connection(address)
        self._tracks = address.collection
        self._notes = f"{address.collection}_notes"
        try:
            if not self._ask("has_collection", self._tracks):
                self._create(settings or {})
            self._check_schema()
            for name in (self._tracks, self._notes):
                self._ask("load_collection", name)
        except BaseException:
            self.close()
            raise

    def _ask(self, request: str, *args: Any, **options: Any) -> Any:
        return self._connection.ask(request, *args, **options)

    def _create(self, settings: dict[str, str]) -> None:
        self._create_collection(self._notes, notes_schema, "nothing")
        self.set_settings(settings | {_CHANGED: "0"})
        self._create_collection(self._tracks, track_schema, "embedding")

    def _create_collection(self, name: str, schema: Any, vectors: str) -> None:
        client = self._connection.client
        indexes = client.prepare_index_params()
        indexes.add_index(vectors, index_type="FLAT", metric_type="IP")
        if name == self._tracks:
            for field in ("path", "content_hash"):
                indexes.add_index(field, index_type="INVERTED")
        made = schema(client)
        self._ask("create_collection", name, schema=made, consistency_level="Strong")
        self._ask("create_index", name, indexes, sync=False)  # there is nothing in it yet

    def _check_schema(self) -> None:
        described = self._ask("describe_collection", self._tracks)
        found = {field["name"]: field for field in described["fields"]}
        size = found.get("embedding", {}).get("params", {}).get("dim")
        if size is not None and int(size) != EMBEDDING_SIZE:
            raise LibraryError(
                f"The collection {self.location} holds vectors of {size} numbers, not of "
                f"{EMBEDDING_SIZE}.",
                hint="Name another collection: one that is not there yet is made.",
            )
        is_ours = set(TRACK_FIELDS) < found.keys() and self._ask("has_collection", self._notes)
        if not is_ours:
            raise LibraryError(
                f"The collection {self.location} was not made by audiosearch.",
                hint="Name another one: it is made where there is none.",
            )

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def transaction(self) -> AbstractContextManager[None]:
        """Do nothing: Milvus has no transactions."""
        return contextlib.nullcontext()

    # Settings

    def settings(self) -> dict[str, str]:
        """Return all settings."""
        rows = self._noted("setting")
        return {row["key"].removeprefix("setting:"): row["text"] for row in rows}

    def set_settings(self, settings: dict[str, str]) -> None:
        """Write settings; those of other names stay as they are."""
        self._note("setting", settings)

    def _noted(self, kind: str) -> list[dict[str, Any]]:
        return self._all(self._notes, f"kind == {literal(kind)}", ["key", "text"])

    def _note(self, kind: str, texts: dict[str, str]) -> None:
        nothing = [0.0, 0.0]
        rows = [
            {"key": f"{kind}:{name}", "kind": kind, "text": text, "nothing": nothing}
            for name, text in texts.items()
        ]
        if rows:
            self._ask("upsert", self._notes, rows)

    def revision(self) -> int:
        """Return a number that grows with every change."""
        return int(self.settings()[_CHANGED])

    def track_changes(self) -> int:
        """Return a number that is another one after every change of a track."""
        return self.revision()

    def _changed(self) -> None:
        self.set_settings({_CHANGED: str(time.time_ns())})

    # Tracks

    def put(self, rows: Iterable[tuple[Track, Float32]]) -> list[Track]:
        """Store tracks with their vectors, in place of any under their paths, and return them.

        A track that was stored keeps its id; a new one has that which it brings, where that is
        free. Failures recorded under the paths are forgotten.
        """
        stored: list[Track] = []
        left = iter(rows)
        while some := list(islice(left, _AT_A_TIME)):
            tracks = self._with_ids([track for track, _ in some])
            vectors = (vector for _, vector in some)
            entities = map(entity, tracks, vectors)
            self._upsert({row["id"]: row for row in entities})
            self._forget_failures(track.path for track in tracks)
            stored += tracks
        return stored

    def _upsert(self, entities: dict[int, dict[str, Any]]) -> None:
        if entities:
            self._ask("upsert", self._tracks, list(entities.values()))
            self._changed()

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
        self._forget_failures([track.path])

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
        for some in _some(list(changes)):
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
        for some in _some(list(paths)):
            rows = self._where(one_of("id", some), ["path"])
            found = [row["id"] for row in rows if decoded(row["path"]) == paths[row["id"]]]
            if found:
                self._ask("delete", self._tracks, filter=one_of("id", found))
        self._changed()

    def tracks(self, ids: Sequence[int] | None = None) -> Iterator[Track]:
        """Yield tracks in the order of their ids; all of them unless some are named."""
        for some in _some(sorted(ids) if ids is not None else self.vector_ids().tolist()):
            rows = self._where(one_of("id", some), TRACK_FIELDS)
            yield from map(track_of, sorted(rows, key=lambda row: int(row["id"])))

    def track_at(self, path: str) -> Track | None:
        """Return the track stored under a path, to the letter."""
        return next(iter(self._tracks_where(f"path == {literal(coded(path))}")), None)

    def tracks_of(self, content_hash: str) -> list[Track]:
        """Return the tracks whose files had that content."""
        return self._tracks_where(f"content_hash == {literal(content_hash)}")

    def tracks_under(self, folder: str) -> list[Track]:
        """Return the tracks whose paths lie in a folder or its subfolders."""
        return self._tracks_where(inside(folder))

    def _tracks_where(self, condition: str) -> list[Track]:
        return list(self.tracks(self._ids_where(condition).tolist()))

    def content_hashes(self) -> set[str]:
        """Return the hashes of the stored tracks' files, as far as they are known."""
        rows = self._all(self._tracks, 'content_hash != ""', ["content_hash"])
        return {row["content_hash"] for row in rows}

    def unchanged(self) -> dict[str, tuple[int, int]]:
        """Return size and time of change of every stored track, by path."""
        rows = self._all(self._tracks, "", ["path", "size", "mtime_ns"])
        return {decoded(row["path"]): (row["size"], row["mtime_ns"]) for row in rows}

    def ids(self, filters: Filters) -> Int64:
        """Return the ids of the tracks that pass filters, ascending: int64, shape (n,)."""
        return self._ids_where(expression(filters))

    def named(self, text: str, limit: int, offset: int) -> list[int]:
        """Return the ids of tracks in which every word occurs, or begins one; shortest first."""
        wanted = [split(word) for word in text.split()]
        rows = self._all(self._tracks, words(wanted), ["id", "words"])
        rows.sort(key=lambda row: (len(row["words"]), row["id"]))
        return [row["id"] for row in rows[offset : offset + limit]]

    def count(self, condition: str = "") -> int:
        """Return the number of tracks, or of those that fulfil a condition."""
        answer = self._ask("query", self._tracks, filter=condition, output_fields=["count(*)"])
        return int(answer[0]["count(*)"])

    def totals(self) -> tuple[int, float, int]:
        """Return the number of tracks, their seconds in all, and the number of failures."""
        lengths = [row["seconds"] for row in self._all(self._tracks, "", ["seconds"])]
        return len(lengths), float(sum(lengths)), len(self._noted("failure"))

    def file_bytes(self) -> None:
        """Return None: what a server keeps is its own business."""

    # Failures

    def put_failure(self, failure: Failure) -> None:
        """Record a file that could not be embedded."""
        row = asdict(failure)
        self._note("failure", {coded(row.pop("path")): json.dumps(row)})

    def failures(self) -> list[Failure]:
        """Return the files that could not be embedded, by path."""
        found = [
            Failure(path=decoded(row["key"].removeprefix("failure:")), **json.loads(row["text"]))
            for row in self._noted("failure")
        ]
        return sorted(found, key=lambda failure: failure.path)

    def remove_failures(self, failures: Iterable[Failure]) -> None:
        """Forget failures."""
        self._forget_failures(failure.path for failure in failures)

    def _forget_failures(self, paths: Iterable[str]) -> None:
        keys = [f"failure:{coded(path)}" for path in paths]
        for some in _some(keys):
            self._ask("delete", self._notes, filter=one_of("key", some))

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
        found: dict[int, list[float]] = {}
        for some in _some(ids.tolist()):
            rows = self._where(one_of("id", some), ["embedding"])
            found.update((row["id"], row["embedding"]) for row in rows)
        if len(found) < len(set(ids.tolist())):
            raise TrackNotFound("A track was removed meanwhile.", hint="Ask once more.")
        vectors = [found[i] for i in ids.tolist()]
        return np.array(vectors, dtype=np.float32).reshape(-1, EMBEDDING_SIZE)

    @contextlib.contextmanager
    def all_with_vectors(self) -> Iterator[tuple[int, Iterator[tuple[Track, Float32]]]]:
        """Give the number of tracks, and all of them with their vectors.

        Raises
        ------
        LibraryError
            On iterating, where another process removes one meanwhile.
        """
        ids = self.vector_ids().tolist()
        yield len(ids), self._with_vectors(ids)

    def _with_vectors(self, ids: list[int]) -> Iterator[tuple[Track, Float32]]:
        for some in _some(ids):
            rows = self._where(one_of("id", some), [*TRACK_FIELDS, "embedding"])
            if len(rows) < len(some):
                raise LibraryError(
                    f"Tracks of {self.location} were removed meanwhile.",
                    hint="Run the same command again.",
                )
            for row in sorted(rows, key=lambda row: int(row["id"])):
                yield track_of(row), np.array(row["embedding"], dtype=np.float32)

    def nearest(
        self, vectors: Float32, k: int, condition: str, options: dict[str, Any]
    ) -> list[tuple[Int64, Float32]]:
        """Return for each vector the ids of the nearest, and their inner products, best first."""
        answers = self._ask(
            "search",
            self._tracks,
            data=list(vectors),
            anns_field="embedding",
            limit=k,
            filter=condition,
            search_params={"metric_type": "IP", "params": options},
        )
        return [_sorted(hits) for hits in answers]

    def index_type(self) -> str:
        """Return the type of the index of the vectors, in lower case."""
        described = self._ask("describe_index", self._tracks, "embedding")
        return str(described["index_type"]).lower()

    # What is kept beside in a folder only

    def succession(self, identity: Identity) -> Succession:
        """Refuse: LibraryError."""
        raise LibraryError(
            f"The vectors of {self.location} cannot be replaced by those of {identity} there.",
            hint="Add the files to another collection, with --model.",
        )

    def pending(self) -> tuple[None, int]:
        """Return that no other model's vectors are on their way."""
        return None, 0

    def positions(self) -> Positions:
        """Return that no track has a place on the map yet."""
        return Positions("", np.empty(0, dtype=np.int64), np.empty((0, 2)))

    def put_positions(self, found: Positions, *, as_of: int) -> bool:  # noqa: ARG002
        """Keep none: the map is laid out anew each time."""
        return True

    def problems(self) -> list[str]:
        """Return nothing: Milvus sees to that itself."""
        return []

    def without_vectors(self) -> list[Track]:
        """Return nothing: every entity has its vector."""
        return []

    # Requests

    def _where(self, condition: str, names: Iterable[str]) -> list[dict[str, Any]]:
        """Return some fields of the tracks that fulfil a condition: of few of them."""
        rows: list[dict[str, Any]] = self._ask(
            "query", self._tracks, filter=condition, output_fields=[*{"id", *names}]
        )
        return rows

    def _ids_where(self, condition: str) -> Int64:
        ids = (row["id"] for row in self._all(self._tracks, condition, ["id"]))
        return np.sort(np.fromiter(ids, dtype=np.int64))

    def _all(self, collection: str, condition: str, names: list[str]) -> list[dict[str, Any]]:
        """Return some fields of all that fulfil a condition, however many they are."""
        found = self._ask(
            "query_iterator",
            collection,
            batch_size=_LISTED_AT_A_TIME,
            filter=condition,
            output_fields=names,
        )
        rows: list[dict[str, Any]] = []
        with contextlib.closing(found):
            while some := self._connection.next(found):
                rows += some
        return rows


def _made_id(track: Track, attempt: int) -> int:
    """Return the id of a new track: its own at first, then some that its path gives."""
    if track.id and not attempt:
        return track.id
    digest = blake3(f"{attempt} {coded(track.path)}".encode()).digest(8)
    return int.from_bytes(digest, "little") % (_MOST_ID - 1) + 1


def _some(values: Sequence[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(values), _AT_A_TIME):
        yield list(values[start : start + _AT_A_TIME])


def _sorted(hits: Sequence[dict[str, Any]]) -> tuple[Int64, Float32]:
    ids = np.array([hit["id"] for hit in hits], dtype=np.int64)
    products = np.array([hit["distance"] for hit in hits], dtype=np.float32)
    order = np.lexsort((ids, -products))
    return ids[order], products[order]
