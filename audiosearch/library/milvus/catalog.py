"""Tracks and vectors of an index in Milvus."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
from blake3 import blake3

from audiosearch.errors import LibraryError
from audiosearch.library.milvus.database import batches
from audiosearch.library.milvus.expressions import (
    contains_phrases,
    expression,
    inside,
    literal,
    one_of,
)
from audiosearch.library.milvus.schema import (
    SOUND_FIELDS,
    TRACK_FIELDS,
    coded,
    decoded,
    row_of,
    sounds_of,
    split,
    text_of,
    track_of,
)
from audiosearch.library.milvus.vectors import MAX_K, MilvusVectors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from audiosearch.library.filters import Filters
    from audiosearch.library.track import Track
    from audiosearch.models.sound import Sound
    from audiosearch.types import Float32, Int64

_MAX_ID = 2**53  # JavaScript can't represent all larger whole numbers


class MilvusCatalog(MilvusVectors):
    """The tracks and vectors of a collection; it implements `Storage`.

    Ids are computed from paths. So two processes that add the same file add one track. The
    parameters and errors of the class are those of `MilvusDatabase`.
    """

    # Tracks

    def put(self, rows: Iterable[tuple[Track, Float32]]) -> list[Track]:
        """Store tracks with vectors of unit length, and return the tracks with their ids.

        A track with the path of a stored track replaces it and takes over its id. A new track
        keeps its own id if no other track has it. Failures with the same paths are removed.

        Parameters
        ----------
        rows : iterable of (Track, ndarray of float32 of shape (dimension,))
        """
        stored: list[Track] = []
        remaining = iter(rows)
        while batch := list(islice(remaining, self.vector_batch_rows)):
            tracks = self._with_ids([track for track, _ in batch])
            vectors = (vector for _, vector in batch)
            self._upsert({row["id"]: row for row in map(row_of, tracks, vectors)})
            self.remove_failures_at(track.path for track in tracks)
            stored += tracks
        return stored

    @property
    def _track_fields(self) -> list[str]:
        return [name for name in TRACK_FIELDS if name in self.fields]

    def _upsert(self, rows: dict[int, dict[str, Any]]) -> None:
        if rows:
            known = [
                {name: value for name, value in row.items() if name in self.fields}
                for row in rows.values()
            ]
            self.call("upsert", self.collection, known)
            self.count_change()

    def _with_ids(self, tracks: Sequence[Track]) -> list[Track]:
        paths = {coded(track.path): track for track in tracks}
        rows = self.query(one_of("path", paths), ["path", *self._hash_fields])
        self._remove_outdated_moments(rows, paths)
        ids = {row["path"]: row["id"] for row in rows}
        new = {path: track for path, track in paths.items() if path not in ids}
        attempt = 0
        while new:
            candidates = {path: _new_id(track, attempt) for path, track in new.items()}
            taken = {row["id"] for row in self.query(one_of("id", candidates.values()), ["id"])}
            for path, track_id in candidates.items():
                if track_id not in taken:
                    ids[path] = track_id
                    taken.add(track_id)
                    del new[path]
            attempt += 1
        return [replace(track, id=ids[coded(track.path)]) for track in tracks]

    def _remove_outdated_moments(
        self, rows: Iterable[dict[str, Any]], tracks: Mapping[str, Track]
    ) -> None:
        """Remove the moments of stored rows whose tracks, by coded path, have another sound now."""
        outdated = []
        for row in rows:
            track = tracks[row["path"]]
            hashes = {row[field] for field in self._hash_fields} - {""}
            if not hashes & {track.content_hash, track.audio_hash}:
                outdated.append(row["id"])
        if outdated:
            self.remove_moments(outdated)

    def update(self, track: Track) -> None:
        """Replace all fields of the track with the same id, its path included."""
        self._rewrite({track.id: lambda _: track})
        self.remove_failures_at([track.path])

    def set_fields(self, changes: Iterable[tuple[Track, Mapping[str, Any]]]) -> None:
        """Set the given fields of each track, unless its stored content hash has changed."""

        def with_fields(track: Track, fields: Mapping[str, Any]) -> Callable[[Track], Track | None]:
            def changed(stored: Track) -> Track | None:
                is_same = stored.content_hash == track.content_hash
                return replace(stored, **fields) if is_same else None

            return changed

        self._rewrite({track.id: with_fields(track, fields) for track, fields in changes})

    def move(self, tracks: Iterable[tuple[Track, str]]) -> None:
        """Give each track a new path and the given real path, a batch at a time."""

        def with_paths(track: Track, path: str) -> Callable[[Track], Track]:
            return lambda stored: replace(stored, path=path, real_path=track.real_path)

        self._rewrite({track.id: with_paths(track, path) for track, path in tracks})

    def _rewrite(self, changes: Mapping[int, Callable[[Track], Track | None]]) -> None:
        """Store changed tracks with their current vectors.

        Parameters
        ----------
        changes : mapping
            By track id, a function that takes the stored track and returns the changed one. If it
            returns None, the track isn't changed.
        """
        for batch in batches(list(changes), self.vector_batch_rows):
            rows = {}
            for row in self.query(one_of("id", batch), [*self._track_fields, "embedding"]):
                changed = changes[row["id"]](track_of(row))
                if changed is not None:
                    vector = np.array(row["embedding"], dtype=np.float32)
                    rows[row["id"]] = row_of(changed, vector)
            self._upsert(rows)

    def remove(self, tracks: Iterable[Track]) -> None:
        """Remove tracks and their vectors, except tracks that have another path by now."""
        paths = {track.id: track.path for track in tracks}
        for batch in batches(list(paths)):
            rows = self.query(one_of("id", batch), ["path"])
            ids = [row["id"] for row in rows if decoded(row["path"]) == paths[row["id"]]]
            if ids:
                self.remove_moments(ids)  # first, so that a kill leaves none without a track
                self.call("delete", self.collection, filter=one_of("id", ids))
        self.count_change()

    def tracks(self, ids: Sequence[int] | None = None) -> Iterator[Track]:
        """Yield the tracks with the given ids, or all tracks, in ascending order of id."""
        if ids is None:
            yield from map(track_of, self.iterate(self.collection, "", self._track_fields))
            return
        for batch in batches(sorted(ids)):
            yield from self._tracks_where(one_of("id", batch))

    def list_tracks(self, limit: int, offset: int) -> list[Track]:
        """Return one page of all tracks, in ascending order of id."""
        rows = self.iterate(self.collection, "", ["id"])  # Milvus itself can't skip many rows
        ids = [row["id"] for row in islice(rows, offset, offset + limit)]
        return list(self.tracks(ids))

    def track_at(self, path: str) -> Track | None:
        """Return the track with exactly this path; None if there is none."""
        return next(iter(self._tracks_where(f"path == {literal(coded(path))}")), None)

    def tracks_of(self, hashes: Sequence[str]) -> Iterator[Track]:
        """Yield the tracks that have one of the given hashes, of their content or their audio."""
        for batch in batches(hashes):
            conditions = (one_of(field, batch) for field in self._hash_fields)
            yield from self._tracks_where(" or ".join(conditions))

    def tracks_of_sizes(self, sizes: Sequence[int]) -> Iterator[Track]:
        """Yield the tracks whose files had one of the given sizes, in bytes."""
        for batch in batches(sizes):
            rows = self.iterate(self.collection, one_of("size", batch), self._track_fields)
            yield from map(track_of, rows)

    def _tracks_where(self, condition: str) -> list[Track]:
        """Return the tracks that meet a condition, at most `MAX_K`, in ascending order of id."""
        rows = self.query(condition, self._track_fields, limit=MAX_K)
        return sorted(map(track_of, rows), key=lambda track: track.id)

    def tracks_under(self, folder: str) -> list[Track]:
        """Return the tracks in a folder and its subfolders."""
        rows = self.iterate(self.collection, inside(folder), self._track_fields)
        return list(map(track_of, rows))

    def hashes(self) -> set[str]:
        """Return the known hashes of all tracks, of their content and of their audio."""
        rows = self.iterate(self.collection, "", self._hash_fields)
        return {row[field] for row in rows for field in self._hash_fields} - {""}

    @property
    def _hash_fields(self) -> list[str]:
        return [name for name in ("content_hash", "audio_hash") if name in self.fields]

    def artists(self) -> set[str]:
        """Return the different artist and album artist tags."""
        fields = ["artist", "album_artist"]
        rows = self.iterate(self.collection, "", fields)
        names = (text_of(row[field]) for row in rows for field in fields)
        return {name for name in names if name is not None}

    def sizes_and_times(self, paths: Sequence[str]) -> dict[str, tuple[int, int]]:
        """Return size (bytes) and modification time (ns) by path, for the paths that are stored."""
        result: dict[str, tuple[int, int]] = {}
        for batch in batches([coded(path) for path in paths]):
            rows = self.query(one_of("path", batch), ["path", "size", "mtime_ns"])
            result |= {decoded(row["path"]): (row["size"], row["mtime_ns"]) for row in rows}
        return result

    def linked_paths(self, paths: Sequence[str]) -> dict[str, str]:
        """Return the stored real path of each stored path from which it differs; empty if unknown.

        Call it only if the collection has the field ``real_path``.
        """
        result: dict[str, str] = {}
        for batch in batches([coded(path) for path in paths]):
            rows = self.query(one_of("path", batch), ["path", "real_path"])
            result |= {
                decoded(row["path"]): decoded(row["real_path"])
                for row in rows
                if row["path"] != row["real_path"]
            }
        return result

    def ids(self, filters: Filters) -> Int64:
        """Return the ids of the tracks that pass filters, ascending: int64, shape (n,)."""
        rows = self.iterate(self.collection, expression(filters, self.fields), ["id"])
        return np.sort(np.fromiter((row["id"] for row in rows), dtype=np.int64))

    def search_text(self, words: str, limit: int, offset: int) -> list[int]:
        """Return the ids of tracks with all words in their tags or path, shortest texts first.

        A word also matches longer words that begin with it. If more than `MAX_K` tracks match,
        only that many are considered. Before Milvus 2.4, the words of all tracks are read.
        """
        phrases = [phrase for word in words.split() if (phrase := split(word))]
        if self.has_infix_patterns:
            rows = self.query(contains_phrases(phrases), ["words"], limit=MAX_K)
        else:
            rows = [
                row
                for row in self.iterate(self.collection, "", ["id", "words"])
                if phrases and all(f" {' '.join(phrase)}" in row["words"] for phrase in phrases)
            ]
        rows.sort(key=lambda row: (len(row["words"]), row["id"]))
        return [row["id"] for row in rows[offset : offset + limit]]

    def sounds(self, filters: Filters) -> Iterator[tuple[int, tuple[Sound, ...]]]:
        """Yield the id and the sounds of each track that passes filters."""
        condition = expression(filters, self.fields)
        for row in self.iterate(self.collection, condition, ["id", *SOUND_FIELDS]):
            yield row["id"], sounds_of(row)

    def count_without_sounds(self) -> int:
        """Return the number of tracks in which no tagger has looked for sounds yet."""
        return self.count(f"tagger == {literal('')}" if "tagger" in self.fields else "")

    def totals(self) -> tuple[int, float, int]:
        """Return the number of tracks, their total seconds, and the number of failures."""
        rows = self.iterate(self.collection, "", ["seconds"])
        lengths = np.fromiter((row["seconds"] for row in rows), dtype=np.float64)
        return len(lengths), float(lengths.sum()), len(self.failures())

    # Tracks with their vectors

    @contextlib.contextmanager
    def all_with_vectors(self) -> Iterator[tuple[int, Iterator[tuple[Track, Float32]]]]:
        """Yield the number of tracks, and an iterator over all tracks with their vectors.

        Raises
        ------
        LibraryError
            At the end of the iterator, if the number of tracks has changed.
        """
        n_tracks = self.count()
        yield n_tracks, self._with_vectors(n_tracks)

    def _with_vectors(self, n_tracks: int) -> Iterator[tuple[Track, Float32]]:
        n_read = 0
        for row in self.iterate(self.collection, "", [*self._track_fields, "embedding"]):
            yield track_of(row), np.array(row["embedding"], dtype=np.float32)
            n_read += 1
        if n_read != n_tracks:
            raise LibraryError(
                f"Another process changed the tracks of {self.location} at the same time.",
                hint="Run the same command again.",
            )

    def missing_vectors(self) -> list[Track]:
        """Return an empty list: in Milvus, each track has its vector."""
        return []


def _new_id(track: Track, attempt: int) -> int:
    """Return an id for a new track: its own id, or a hash of its path.

    Each further attempt returns another hash.
    """
    if track.id and not attempt:
        return track.id
    digest = blake3(f"{attempt} {coded(track.path)}".encode()).digest(8)
    return int.from_bytes(digest, "little") % (_MAX_ID - 1) + 1
