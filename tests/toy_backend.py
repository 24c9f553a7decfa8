"""A backend that keeps indexes in memory: as little as `Index` needs.

It is registered by one line: ``BACKENDS["toy"] = "toy_backend"``.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import unicodedata
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from audiosearch import defaults
from audiosearch.errors import IndexNotFound, LibraryError, TrackNotFound
from audiosearch.library.backend import Backend, Capability, OpenIndex, Unsupported
from audiosearch.library.filters import artist_values, genre_values
from audiosearch.library.neighbors import PatchNeighbors, drop_excluded, top_k
from audiosearch.library.saved_playlist import too_many_playlists
from audiosearch.library.track import fold
from audiosearch.paths import folder_names, path_parts

if TYPE_CHECKING:
    from audiosearch.types import Int64


class ToyStorage:
    """Tracks, vectors, failures and settings in dicts."""

    def __init__(self, settings):
        self._settings = dict(settings)
        self._tracks, self._vectors, self._failures = {}, {}, {}
        self._new_ids, self._n_changes = itertools.count(1), 0
        self.changed = set()

    def settings(self):
        return dict(self._settings)

    def set_settings(self, settings):
        self._settings.update(settings)

    def transaction(self):
        return contextlib.nullcontext()

    def revision(self):
        return self._n_changes

    def track_changes(self):
        return self._n_changes

    def problems(self):
        return []

    def file_bytes(self):
        return None

    def close(self):
        pass

    # Tracks

    def put(self, rows):
        return [self._put(track, vector) for track, vector in rows]

    def _put(self, track, vector):
        stored = self.track_at(track.path)
        if stored and not hashes_of(stored) & hashes_of(track):
            self.changed.add(stored.id)  # its moments are those of another sound
        track_id = stored.id if stored else track.id
        if not stored and (not track_id or track_id in self._tracks):
            track_id = next(i for i in self._new_ids if i not in self._tracks)
        self._tracks[track_id] = replace(track, id=track_id)
        self._vectors[track_id] = vector.astype(np.float32)
        self._failures.pop(track.path, None)
        self._n_changes += 1
        return self._tracks[track_id]

    def update(self, track):
        self._tracks[track.id] = track
        self._failures.pop(track.path, None)
        self._n_changes += 1

    def set_fields(self, changes):
        for track, fields in changes:
            stored = self._tracks[track.id]
            if stored.content_hash == track.content_hash:
                self.update(replace(stored, **fields))

    def move(self, tracks):
        for track, path in tracks:
            self.update(replace(self._tracks[track.id], path=path))

    def remove(self, tracks):
        for track in tracks:
            if track.id in self._tracks and self._tracks[track.id].path == track.path:
                del self._tracks[track.id], self._vectors[track.id]
        self._n_changes += 1

    def tracks(self, ids=None):
        ids = self._tracks if ids is None else ids
        return iter([self._tracks[i] for i in sorted(ids) if i in self._tracks])

    def _where(self, condition):
        return [track for track in self.tracks() if condition(track)]

    def list_tracks(self, limit, offset):
        return list(self.tracks())[offset : offset + limit]

    def track_at(self, path):
        return next(iter(self._where(lambda track: track.path == path)), None)

    def tracks_of(self, hashes):
        return iter(self._where(lambda track: hashes_of(track) & set(hashes)))

    def tracks_of_sizes(self, sizes):
        return iter(self._where(lambda track: track.size in sizes))

    def tracks_under(self, folder):
        return self._where(lambda track: track.path.startswith(os.path.join(folder, "")))

    def ids(self, filters):
        ids = [track.id for track in self._where(lambda track: passes(track, filters))]
        return np.array(ids, dtype=np.int64)

    def search_text(self, words, limit, offset):
        wanted = plain(words).split()
        tracks = self._where(
            lambda track: wanted and all(f" {word}" in text_of(track) for word in wanted)
        )
        return [track.id for track in tracks][offset : offset + limit]

    def hashes(self):
        return {digest for track in self.tracks() for digest in hashes_of(track)}

    def artists(self):
        return {name for t in self.tracks() for name in (t.artist, t.album_artist)} - {None}

    def sizes_and_times(self, paths):
        tracks = self._where(lambda track: track.path in paths)
        return {track.path: (track.size, track.mtime_ns) for track in tracks}

    def count(self):
        return len(self._tracks)

    def count_without_sounds(self):
        return len(self._where(lambda track: not track.tagger))

    def totals(self):
        seconds = sum(track.seconds for track in self.tracks())
        return len(self._tracks), seconds, len(self._failures)

    # Vectors

    def vector(self, track_id):
        return self.vectors_of(np.array([track_id]))[0]

    def vectors_of(self, ids):
        try:
            vectors = [self._vectors[i] for i in ids.tolist()]
        except KeyError as exc:
            raise TrackNotFound("A track was removed.", hint="Ask again.") from exc
        return np.array(vectors, dtype=np.float32).reshape(-1, self.dimension)

    @property
    def dimension(self):
        return int(self._settings["dimension"])

    @contextlib.contextmanager
    def all_with_vectors(self):
        rows = [(track, self._vectors[track.id]) for track in self.tracks()]
        yield len(rows), iter(rows)

    def missing_vectors(self):
        return []

    # Failures

    def add_failures(self, failures):
        self._failures.update((failure.path, failure) for failure in failures)

    def failures(self):
        return [self._failures[path] for path in sorted(self._failures)]

    def remove_failures(self, failures):
        for failure in failures:
            self._failures.pop(failure.path, None)


class ToyVectorIndex:
    """All vectors, compared one by one; it is its own `VectorIndexes`."""

    max_k = None

    def __init__(self, storage):
        self._storage = storage

    @property
    def n_tracks(self):
        return self._storage.count()

    @property
    def dimension(self):
        return self._storage.dimension

    def transform(self, vectors):
        return vectors

    def vectors_of(self, ids):
        return self._storage.vectors_of(ids)

    def search(self, vector, k, *, candidates=None, exclude_ids=()):
        if candidates is None:
            ids = [track.id for track in self._storage.tracks()]
            candidates = np.array(ids, dtype=np.int64)
        products = self.vectors_of(candidates) @ vector
        ids, products = top_k(candidates, products, k + len(exclude_ids))
        return drop_excluded(ids, products, k, exclude_ids)

    def search_batch(self, vectors, ks, exclude_ids):
        queries = zip(vectors, ks, exclude_ids, strict=True)
        return [self.search(vector, k, exclude_ids=ids) for vector, k, ids in queries]

    def vector_index(self, *, whiten=False):
        if whiten:
            raise LibraryError("A toy can't whiten.", hint="Leave out --whiten.")
        return self

    def candidates(self, filters, *, near=None):
        ids = self._storage.ids(filters)
        if near is not None:
            ids = ids[self.vectors_of(ids) @ near[0] >= near[1]]
        return ids

    def index_type(self):
        return "flat"

    def details(self):
        return "up to date"

    def file_bytes(self):
        return None

    def memory_bytes(self):
        return None

    def max_memory_bytes(self):
        return None

    def problem(self):
        return None

    def delete_file(self):
        pass


class ToyMoments:
    """Moments in a dict, compared one by one."""

    def __init__(self, storage):
        self._storage, self._moments = storage, {}

    def _current(self):
        ids = {track.id for track in self._storage.tracks()} - self._storage.changed
        self._storage.changed.clear()
        self._moments = {i: value for i, value in self._moments.items() if i in ids}
        return self._moments

    def put(self, moments):
        self._current().update(moments)
        self._moments = {i: value for i, value in self._moments.items() if value is not None}

    def of(self, ids):
        moments = self._current()
        return ((i, moments[i]) for i in ids if i in moments)

    def prints(self):
        return ((i, value.prints) for i, value in self._current().items())

    def missing(self):
        return [track for track in self._storage.tracks() if track.id not in self._current()]

    def damaged(self):
        return []

    def remove_all(self):
        self._moments.clear()

    def totals(self):
        moments = self._current().values()
        return len(moments), sum(map(len, moments)), sum(m.codes.nbytes for m in moments)

    def search(self, vectors, k, *, ids=None):
        found = list(self.of(list(self._moments) if ids is None else ids.tolist()))
        keys = [(i, n) for i, moments in found for n in range(len(moments))]
        keys = np.array(keys, dtype=np.int64).reshape(-1, 2)
        parts = [moments.vectors() for _, moments in found]
        matrix = np.concatenate([np.empty((0, vectors.shape[1]), np.float32), *parts])
        best = (top_k(np.arange(len(matrix)), matrix @ vector, k) for vector in vectors)
        return [PatchNeighbors(*keys[rows].T, products) for rows, products in best]

    def sync(self):
        pass

    def file_bytes(self):
        return None

    def problem(self):
        return None

    def delete_file(self):
        pass


class ToyPlaylists:
    """Saved playlists in a dict."""

    def __init__(self):
        self._playlists = {}

    def playlists(self):
        return [playlist.summary for playlist in self._playlists.values()]

    def playlist(self, name):
        return self._playlists.get(name)

    def put_playlist(self, playlist):
        others = self._playlists.keys() - {playlist.summary.name}
        if len(others) >= defaults.MAX_SAVED_PLAYLISTS:
            raise too_many_playlists()
        self._playlists[playlist.summary.name] = playlist

    def remove_playlist(self, name):
        return self._playlists.pop(name, None) is not None


class ToyBackend:
    """Indexes by their locations, ``toy:NAME``."""

    recover = None

    def __init__(self):
        limit = Unsupported("{location} is a toy.", hint="Use an index in a folder.")
        self.unsupported = dict.fromkeys(Capability, limit)
        self._indexes = {}

    def display(self, location):
        return location

    def exists(self, location):
        return location in self._indexes

    def check_writable(self, location):
        pass

    def open(self, location, settings):
        if location not in self._indexes:
            if settings is None:
                raise IndexNotFound(f"There is no index {location}.", hint="Create it.")
            storage = ToyStorage(settings)
            self._indexes[location] = storage, ToyMoments(storage), ToyPlaylists()
        storage, moments, playlists = self._indexes[location]
        vectors = ToyVectorIndex(storage)
        return OpenIndex(storage, vectors, moments=moments, playlists=playlists)


BACKEND: Backend[Int64] = ToyBackend()


def passes(track, filters):
    """Return whether a track passes filters."""
    excluded = filters.exclude and any(conditions(track, filters.exclude))
    return all(conditions(track, filters)) and not excluded


def conditions(track, filters):
    """Yield for each field with values whether the track fulfils one of them."""
    tags = {
        "artist": [*artist_values(track.artist), *artist_values(track.album_artist)],
        "album": [track.album],
        "genre": genre_values(track.genre),
    }
    for name, texts in tags.items():
        if values := getattr(filters, name):
            folded = [fold(text) for text in texts if text is not None]
            yield any(fold(value) in folded for value in values)
    for name, number in (("year", track.year), ("seconds", track.seconds or None)):
        if ranges := getattr(filters, name):
            yield number is not None and any(r.min <= number <= r.max for r in ranges)
    if filters.folder:
        prefixes = [
            os.path.join(name, "") for folder in filters.folder for name in folder_names(folder)
        ]
        yield track.path.startswith(tuple(prefixes))
    if filters.folder_name:
        parts = [part for name in filters.folder_name for part in path_parts(name)]
        yield any(part in track.path for part in parts)
    if filters.sound:
        yield any(sound.name in filters.sound for sound in track.sounds)


def hashes_of(track):
    """Return the known hashes of a track."""
    return {track.content_hash, track.audio_hash} - {""}


def text_of(track):
    """Return the texts of a track, each word after a space."""
    texts = (track.title, track.artist, track.album, track.album_artist, track.genre, track.path)
    words = plain(" ".join(filter(None, texts)))
    return f" {''.join(char if char.isalnum() else ' ' for char in words)}"


def plain(text):
    """Return a text without case and accents."""
    folded = unicodedata.normalize("NFKD", fold(text))
    return "".join(char for char in folded if not unicodedata.combining(char))
