"""Make playlists of the clusters of a library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from audiosearch import defaults
from audiosearch.counting import counted
from audiosearch.errors import LibraryError, UsageError
from audiosearch.playlists.auto.clusters import Clusters, clustered, scattered
from audiosearch.playlists.auto.members import central_tracks, in_flow
from audiosearch.playlists.auto.names import ClusterNames
from audiosearch.playlists.auto.state import State, read_state, write_state
from audiosearch.playlists.builder import Playlist
from audiosearch.playlists.kept import kept
from audiosearch.playlists.main_artists import main_artists
from audiosearch.playlists.request import NO_CONSTRAINTS, Constraints
from audiosearch.playlists.songs import MIN_SONG_SECONDS, songs_only
from audiosearch.search.same_recording import KnownPrints

if TYPE_CHECKING:
    from audiosearch.library.index import Index

_MAX_NAMING_SAMPLE = 20_000  # tracks whose tags and sounds tell what is characteristic
#: Fewest tracks of the library for each playlist, if nobody says how many.
TRACKS_PER_PLAYLIST: Final = 20
#: Fewest tracks of the library for each playlist in any case.
MIN_TRACKS_PER_PLAYLIST: Final = 3


@dataclass(frozen=True, slots=True)
class AutoOptions:
    """Number and lengths of the playlists.

    Attributes
    ----------
    n_playlists : int or None
        Largest number of playlists. A small library has fewer. Default: 12, or one for each 20
        tracks.
    n_tracks : int
        Largest number of tracks of a playlist: those nearest to the center of the cluster.
    constraints : Constraints
        Rules for the tracks of each playlist.

    Raises
    ------
    UsageError
        If a number is out of range.
    """

    n_playlists: int | None = None
    n_tracks: int = defaults.AUTO_TRACKS
    constraints: Constraints = NO_CONSTRAINTS

    def __post_init__(self) -> None:
        """Check the ranges."""
        for what, number, most in (
            ("playlists", self.n_playlists, defaults.MAX_AUTO_PLAYLISTS),
            ("tracks", self.n_tracks, defaults.MAX_PLAYLIST_TRACKS),
        ):
            if number is not None and not 1 <= number <= most:
                raise UsageError(
                    f"The number of {what} can't be {number}.", hint=f"Use 1 to {most:,}."
                )


@dataclass(frozen=True, slots=True)
class AutoPlaylists:
    """Playlists of the clusters of a library.

    Attributes
    ----------
    playlists : list of Playlist
        With different names, the playlist of the largest cluster first.
    notes : list of str
        Sentences about requests that could not be fulfilled.
    """

    playlists: list[Playlist]
    notes: list[str]


def auto_playlists(index: Index, options: AutoOptions = AutoOptions()) -> AutoPlaylists:
    """Cluster the songs of a library, and make a playlist of each cluster.

    Samples and sound effects are left out, unless there is little else: see `songs_only`. The
    index keeps the clusters. So the playlists keep their names and most of their tracks when the
    library grows.

    Parameters
    ----------
    index : Index
    options : AutoOptions

    Raises
    ------
    LibraryError
        If the index is empty, or has no vectors.
    """
    index.require_vectors()
    ids = index.storage.ids(songs_only(index))
    notes = []
    if n_short := index.n_tracks - len(ids):
        notes.append(
            f"{counted(n_short, 'track')} shorter than {MIN_SONG_SECONDS:g} seconds left out"
        )
    ids = np.setdiff1d(ids, [track.id for track in index.storage.missing_vectors()])
    state = read_state(index)
    n_clusters = _n_clusters(len(ids), options)
    clusters = clustered(index, ids, n_clusters, None if state is None else state.centers)
    names = _names(index, clusters, state)
    try:
        write_state(index, State(clusters.centers, [text if ok else "" for text, ok in names]))
    except LibraryError as exc:
        notes.append(f"the playlists may differ the next time: {exc}")
    artists, prints = kept(index, main_artists), KnownPrints(index)
    playlists = []
    for number, (name, _) in enumerate(names):
        ids = clusters.ids[clusters.rows(number)]
        builder = central_tracks(
            index, ids, options.n_tracks, options.constraints, artists=artists, prints=prints
        )
        tracks = in_flow(builder.tracks, builder.vectors, artists)
        if tracks:
            playlists.append((len(ids), Playlist(tracks, name=name)))
    playlists.sort(key=lambda pair: (-pair[0], pair[1].name))
    return AutoPlaylists([playlist for _, playlist in playlists], notes)


def _n_clusters(n_tracks: int, options: AutoOptions) -> int:
    if options.n_playlists is None:
        return max(1, min(defaults.AUTO_PLAYLISTS, n_tracks // TRACKS_PER_PLAYLIST))
    return max(1, min(options.n_playlists, n_tracks // MIN_TRACKS_PER_PLAYLIST))


def _names(index: Index, clusters: Clusters, state: State | None) -> list[tuple[str, bool]]:
    """Return the name of each cluster, and whether it is kept. Former clusters keep theirs."""
    former = [] if state is None else state.names
    origins = enumerate(clusters.origins.tolist())
    names = {number: former[origin] for number, origin in origins if origin >= 0}
    names = {number: name for number, name in names.items() if name}
    if len(names) == len(clusters.centers):
        return [(names[number], True) for number in range(len(names))]
    sample = scattered(clusters.ids, _MAX_NAMING_SAMPLE)
    tracks = index.by_id(sample.tolist())
    ids = np.array([i for i in sample.tolist() if i in tracks], dtype=np.int64)
    numbers = clusters.numbers[np.searchsorted(clusters.ids, ids)]
    naming = ClusterNames([tracks[i] for i in ids.tolist()], list(names.values()))
    counts = np.bincount(clusters.numbers, minlength=len(clusters.centers))
    results = {number: (name, True) for number, name in names.items()}
    for number in np.argsort(-counts, kind="stable").tolist():
        if number not in results:
            results[number] = naming.name(np.flatnonzero(numbers == number).tolist())
    return [results[number] for number in range(len(results))]
