"""Playlists: near their seeds, within what was asked for, and on the way that was asked for."""

import itertools
import random
from dataclasses import replace

import numpy as np
import pytest
from test_ranking import a_track, crowd

from audiosearch import Index, LibraryError, TrackNotFound
from audiosearch.library.filters import Filters, Range
from audiosearch.library.index import EmbeddingSpec
from audiosearch.models.registry import ModelRequest, compact
from audiosearch.playlist_files.formats import Entry, PlaylistFormat, playlist_text, read_playlist
from audiosearch.playlists import Constraints, PlaylistOptions, PlaylistRequest
from audiosearch.playlists import playlist as found_playlist

N_TRACKS = 400


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    directory = tmp_path_factory.mktemp("library") / "i"
    spec = EmbeddingSpec("compact", compact().weights_digest)
    with Index(directory, spec=spec) as index, index.transaction():
        for number, vector in enumerate(crowd(N_TRACKS)):
            index.add(a_track(number), vector)
    return directory


def playlist(directory, *seeds, caps=None, waypoints=(), filters=None, whiten=None, **shape):
    wishes = PlaylistRequest(
        seeds=seeds, waypoints=waypoints, filters=filters or Filters(), whiten=whiten
    )
    return found_playlist(
        directory, wishes, PlaylistOptions(**shape), caps or Constraints(), ModelRequest()
    )


def vectors_of(directory, tracks):
    with Index(directory) as index:
        return np.stack([index.vector(track) for track in tracks])


def test_more_seeds_than_tracks_are_said(directory):
    found = playlist(directory, *(f"#{n}" for n in range(1, 9)), n_tracks=5, keep_seeds=True)
    assert [track.id for track in found.tracks] == [1, 2, 3, 4, 5]
    assert found.notes == ["5 of the 8 seeds fill it"]


def test_playlists_to_exclude_that_hold_nothing_of_the_index_are_said(directory):
    elsewhere = Constraints(recent=frozenset({"/elsewhere/1.mp3"}))
    assert "nothing of the playlists" in playlist(directory, "#8", caps=elsewhere).notes[0]
    here = Constraints(recent=frozenset({"/elsewhere/1.mp3", a_track(9).path}))
    assert playlist(directory, "#8", caps=here).notes == []


def test_a_path_says_where_it_leads_and_takes_no_copy_of_where(tmp_path):
    spec = EmbeddingSpec("compact", compact().weights_digest)
    vectors = crowd(60)
    with Index(tmp_path / "i", spec=spec) as index:
        for number, vector in enumerate(vectors):
            index.add(replace(a_track(number), artist=None, title=f"t{number}"), vector)
        copied = replace(a_track(50), path="/music/copy.mp3", artist=None)
        copy = index.add(copied, vectors[50])
        names = [index.resolve(f"#{n}").title for n in (3, 51)]
    found = playlist(tmp_path / "i", "#3", waypoints=("#51",), n_tracks=6)
    assert copy.id not in {track.id for track in found.tracks}
    assert found.name == f"From {names[0]} to {names[1]}"


def test_it_is_around_its_seeds_which_come_first_or_not_at_all(directory):
    with_seeds = playlist(directory, "#8", "#9", n_tracks=10, keep_seeds=True)
    without = playlist(directory, "#8", "#9", n_tracks=10)
    assert [track.id for track in with_seeds.tracks[:2]] == [8, 9]
    assert not {8, 9} & {track.id for track in without.tracks}
    assert [t.id for t in with_seeds.tracks[2:]] == [t.id for t in without.tracks[:8]]
    near = vectors_of(directory, without.tracks) @ vectors_of(directory, with_seeds.tracks[:2]).T
    everything = crowd(N_TRACKS) @ crowd(N_TRACKS)[7]
    assert near.mean() > np.percentile(everything, 90)


@pytest.mark.parametrize("whiten", [False, True])
def test_what_is_plain_is_the_nearest_in_order(directory, whiten):
    with Index(directory) as index:
        space = index.vector_index(whiten=whiten)
        products = space.vectors_of(np.arange(1, N_TRACKS + 1)) @ space.vectors_of(np.array([8]))[0]
    products[7] = -2
    expected = (np.argsort(-products)[:10] + 1).tolist()
    found = playlist(directory, "#8", n_tracks=10, whiten=whiten)
    assert [track.id for track in found.tracks] == expected


def test_diversity_spreads_it(directory):
    def spread(diversity):
        tracks = playlist(directory, "#8", n_tracks=12, diversity=diversity).tracks
        vectors = vectors_of(directory, tracks)
        return float(np.mean(vectors @ vectors.T))

    assert spread(0.0) > spread(0.5)
    assert spread(0.0) > spread(1.0)


def test_it_varies_as_a_number_says(directory):
    plain = playlist(directory, "#8").tracks
    first, again = (playlist(directory, "#8", vary=True, random_seed=1).tracks for _ in range(2))
    other = playlist(directory, "#8", vary=True, random_seed=2).tracks
    assert first == again
    assert first not in (other, plain)
    assert other != plain


def test_it_is_as_long_as_asked_for(directory):
    found = playlist(directory, "#8", seconds=3_600.0, filters=Filters(seconds=(Range(1),)))
    seconds = [track.seconds for track in found.tracks]
    assert sum(seconds) >= 3_600 > sum(seconds[:-1])


def holds(tracks, caps):
    artists = [track.artist for track in tracks]
    places = {artist: [i for i, a in enumerate(artists) if a == artist] for artist in set(artists)}
    albums = [(track.artist, track.album) for track in tracks]
    assert len({track.id for track in tracks}) == len(tracks)
    if caps.per_artist is not None:
        assert max(map(len, places.values())) <= caps.per_artist
    if caps.per_album is not None:
        assert max(albums.count(album) for album in albums) <= caps.per_album
    for found in places.values():
        assert all(b - a > caps.artist_gap for a, b in itertools.pairwise(found))
    assert not caps.recent & {track.path for track in tracks}


def test_caps_and_gaps_hold_whatever_is_asked_for(directory):
    rng = random.Random(0)
    for _ in range(1_000):
        caps = Constraints(
            per_artist=rng.choice([None, 1, 2, 3]),
            per_album=rng.choice([None, 1, 2]),
            artist_gap=rng.choice([0, 0, 1, 3]),
            recent=frozenset(a_track(rng.randrange(N_TRACKS)).path for _ in range(20)),
        )
        seeds = [f"#{rng.randint(1, N_TRACKS)}"]
        shape = {
            "n_tracks": rng.randint(1, 40),
            "drift": rng.random() < 0.3,
            "diversity": rng.choice([0.0, 0.0, 0.4, 1.0]),
            "vary": rng.random() < 0.3,
            "random_seed": rng.randint(0, 9),
        }
        found = playlist(directory, *seeds, caps=caps, whiten=rng.random() < 0.5, **shape)
        holds(found.tracks, caps)
        assert len(found.tracks) == shape["n_tracks"] or found.notes


def test_caps_hold_on_paths(directory):
    rng = random.Random(1)
    for _ in range(20):
        ids = [f"#{i}" for i in rng.sample(range(1, N_TRACKS + 1), 3)]
        caps = Constraints(per_artist=rng.choice([2, 3]), artist_gap=rng.choice([0, 1]))
        found = playlist(directory, ids[0], waypoints=ids[1:], n_tracks=15, caps=caps)
        inner = [t for t in found.tracks if f"#{t.id}" not in ids]
        holds(inner, replace(caps, artist_gap=0))


def test_albums_are_capped_without_an_artist_s_name(tmp_path):
    with Index(tmp_path / "i", spec=EmbeddingSpec("compact", "f")) as index:
        for number, vector in enumerate(crowd(30)):
            index.add(replace(a_track(number), artist=None), vector)
    tracks = playlist(tmp_path / "i", "#9", caps=Constraints(per_album=1), n_tracks=10).tracks
    assert sorted(track.album for track in tracks) == ["LP 0", "LP 1", "LP 2"]


def test_what_bound_it_is_said(directory):
    found = playlist(directory, "#8", n_tracks=30, filters=Filters(artist=("Band 3",)))
    assert len(found.tracks) == 5
    assert "no more tracks fit the filters" in found.notes[0]
    capped = playlist(
        directory,
        "#8",
        filters=Filters(album=("LP 3",)),
        caps=Constraints(per_artist=1),
        n_tracks=8,
    )
    assert len(capped.tracks) == 2
    assert "more than 1 by an artist" in capped.notes[0]


def test_the_same_recording_and_the_same_title_come_once(tmp_path):
    with Index(tmp_path / "i", spec=EmbeddingSpec("compact", "f")) as index:
        vectors = crowd(30)
        for number, vector in enumerate(vectors):
            index.add(a_track(number), vector)
        again = replace(a_track(1), path="/live.mp3", content_hash="x", seconds=999.0)
        index.add(again, vectors[2])  # its title and artist
        index.add(replace(a_track(3), path="/copy.mp3", title="Other"), vectors[3])  # its bytes
        near = vectors[4] + 1e-4
        near /= np.linalg.norm(near)
        index.add(replace(a_track(4), path="/near.mp3", title="?", content_hash="y"), near)
    paths = {track.path for track in playlist(tmp_path / "i", "#9", n_tracks=40).tracks}
    for one, other in ((1, "/live.mp3"), (3, "/copy.mp3"), (4, "/near.mp3")):
        assert len(paths & {a_track(one).path, other}) == 1


def test_a_path_has_its_ends_and_waypoints_in_place(directory):
    found = playlist(directory, "#1", waypoints=["#200", "#390", "#50"], n_tracks=31)
    ids = [track.id for track in found.tracks]
    assert (ids[0], ids[-1], len(ids), len(set(ids))) == (1, 50, 31, 31)
    places = [ids.index(i) for i in (1, 200, 390, 50)]
    assert places == sorted(places)
    vectors = crowd(N_TRACKS)[[0, 199, 389, 49]]
    angles = np.arccos(np.sum(vectors[:-1] * vectors[1:], axis=1))
    expected = np.cumsum(angles) / angles.sum() * 27 + np.arange(1, 4)
    np.testing.assert_allclose(places[1:], expected, atol=1.0)


def test_paths_go_in_more_even_steps_than_the_naive_way(songs):
    with Index(songs) as index:
        ids = index.vector_index().ids
        vectors = index.vector_index().vectors_of(ids)
    rng = np.random.default_rng(0)
    medians, naive_medians, n_no_worse = [], [], 0
    for _ in range(40):
        start, end = rng.choice(len(ids), 2, replace=False)
        found = playlist(songs, f"#{ids[start]}", waypoints=[f"#{ids[end]}"], n_tracks=20)
        assert (found.tracks[0].id, found.tracks[-1].id) == (ids[start], ids[end])
        assert len({track.id for track in found.tracks}) == 20
        ours = vectors_of(songs, found.tracks)
        angle = np.arccos(vectors[start] @ vectors[end])
        naive = [start]
        for share in np.arange(1, 19) / 19:
            weights = np.sin((1 - share) * angle), np.sin(share * angle)
            point = weights[0] * vectors[start] + weights[1] * vectors[end]
            order = np.argsort(-(vectors @ point))
            naive.append(next(i for i in order if i not in naive and i != end))
        naive = vectors[[*naive, end]]
        steps, naive_steps = (np.sum(v[1:] * v[:-1], axis=1) for v in (ours, naive))
        medians.append(np.median(steps))
        naive_medians.append(np.median(naive_steps))
        n_no_worse += steps.min() >= naive_steps.min() - 1e-6
    assert np.median(medians) >= np.median(naive_medians)
    assert n_no_worse >= 0.8 * 40


def test_what_drifts_does_not_wander_off(songs):
    rng = np.random.default_rng(1)
    for seed in rng.integers(1, 915, 40):
        tracks = playlist(songs, f"#{seed}", drift=True).tracks
        with Index(songs) as index:
            cosines = vectors_of(songs, tracks) @ index.vector(index.resolve(f"#{seed}"))
        assert cosines[-5:].mean() >= 0.9 * cosines[:5].mean()


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["nowhere.mp3"], 1, "neither a track"),
        ([], 2, "No clip was named"),
        (["#1", "--diversity", "2"], 2, "no diversity of 2"),
        (["#1", "--length", "soon"], 2, "no length"),
        (["#1", "--year", "x"], 2, "no range"),
        (["#1", "--to", "#2", "-n", "1"], 2, "cannot go through 2"),
        (["#1", "--to", "#1"], 2, "goes through each track once"),
        (["#1", "--to", "#2", "--drift"], 2, "neither drifts nor varies"),
        (["#1", "--via", "#2"], 2, "--via leads nowhere"),
        (["#1", "--to", "song nowhere"], 1, "No track has all"),
        (["#1", "-o", "list.txt"], 2, "is no playlist"),
        (["#1", "--format", "wav"], 2, "There is no format wav"),
        (["#1", "--prefix", "x"], 2, "no OLD=NEW"),
        (["#1", "--exclude-playlist", "gone.m3u8"], 1, "cannot be read as a playlist"),
    ],
)
def test_what_makes_no_sense_ends_in_a_sentence(directory, run, arguments, status, said):
    result = run("playlist", "--index", directory, *arguments)
    assert (result.exit_code, said in result.stderr) == (status, True), result.stderr
    assert "hint: " in result.stderr


def test_an_empty_index_and_too_small_a_one_are_said(tmp_path):
    with Index(tmp_path / "i", spec=EmbeddingSpec("compact", "f")) as index:
        index.add(a_track(0), crowd(2)[0])
        with pytest.raises(LibraryError, match="too few to whiten"):
            playlist(tmp_path / "i", "#1", whiten=True)
        index.remove(list(index))
    with pytest.raises(TrackNotFound):
        playlist(tmp_path / "i", "#1")


def test_the_command_writes_what_players_read_and_takes_it_for_seeds(directory, run, tmp_path):
    for kind in PlaylistFormat:
        file = tmp_path / f"list.{kind.value}"
        arguments = ["playlist", "#8", "-n", 5, "--index", directory]
        assert run(*arguments, "-o", file).exit_code == 0
        entries = read_playlist(str(file))
        assert entries[0].path == a_track(7).path
        assert len(entries) == 5
        printed = run(*arguments, "--format", kind.value).stdout_bytes
        assert printed == file.read_bytes()
        again = run("query", file, "-k", 1, "--index", directory, "--format", "json")
        assert again.exit_code == 0
        recent = run(*arguments, "--no-seeds", "--exclude-playlist", file, "--format", "paths")
        assert not set(recent.stdout.split()) & {entry.path for entry in entries}


def test_paths_are_written_relative_on_request(directory, run, tmp_path):
    file = tmp_path / "lists" / "a.m3u8"
    file.parent.mkdir()
    arguments = ["playlist", "#8", "-n", 2, "--index", directory, "-o", file]
    assert run(*arguments, "--relative").exit_code == 0
    lines = file.read_text().splitlines()
    assert lines[3].startswith("../")
    assert run(*arguments, "--prefix", "/music=D:/Music").exit_code == 0
    assert file.read_text().splitlines()[3].startswith("D:/Music/")


def test_missing_files_of_a_playlist_are_warned_of(directory, run, tmp_path):
    file = tmp_path / "list.m3u8"
    entries = [Entry(a_track(7).path), Entry("/nowhere/x.mp3")]
    file.write_bytes(playlist_text(entries, "n", PlaylistFormat.M3U8))
    result = run("playlist", file, "-n", 3, "--index", directory)
    assert result.exit_code == 0
    assert "/nowhere/x.mp3 is neither a track nor a file" in result.stderr
