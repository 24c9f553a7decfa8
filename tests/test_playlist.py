"""Playlists: similar to the seeds, within the constraints, or along a path."""

import asyncio
import itertools
import json
import math
import random
from dataclasses import replace

import httpx
import numpy as np
import pytest
from test_ranking import a_track, crowd

from audiosearch import Index, LibraryError, TrackNotFound, UsageError
from audiosearch.cli.playlist_options import parse_duration as parse_length
from audiosearch.library.backend import BACKENDS
from audiosearch.library.filters import Filters, Range
from audiosearch.library.index import EmbeddingSpec
from audiosearch.models.registry import compact
from audiosearch.playlist_files import Entry, PlaylistFormat, playlist_text, read_playlist
from audiosearch.playlists import (
    STRATEGIES,
    Constraints,
    Playlist,
    PlaylistOptions,
    PlaylistRequest,
)
from audiosearch.playlists import playlist as make_playlist
from audiosearch.playlists.main_artists import MainArtists
from audiosearch.web import create_app

N_TRACKS = 400


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    directory = tmp_path_factory.mktemp("library") / "i"
    spec = EmbeddingSpec("compact", compact().weights_digest)
    with Index(directory, spec=spec) as index, index.transaction():
        for number, vector in enumerate(crowd(N_TRACKS)):
            index.add(a_track(number), vector)
    return directory


def playlist(directory, *seeds, path=(), constraints=None, filters=None, strategy=None, **options):
    """Make a playlist without its seeds. Of the tracks in ``path``, the last is the destination."""
    request = PlaylistRequest(
        seeds=seeds,
        destination=path[-1] if path else None,
        waypoints=tuple(path[:-1]),
        strategy=strategy,
        options=PlaylistOptions(**{"keep_seeds": False} | options),
        constraints=constraints or Constraints(),
        filters=filters or Filters(),
    )
    return make_playlist(directory, request)


def vectors_of(directory, tracks):
    with Index(directory) as index:
        return np.stack([index.vector(track) for track in tracks])


def test_more_seeds_than_tracks_add_a_note(directory):
    result = playlist(directory, *(f"#{n}" for n in range(1, 9)), n_tracks=5, keep_seeds=True)
    assert [track.id for track in result.tracks] == [1, 2, 3, 4, 5]
    assert result.notes == ["the playlist has only the first 5 of 8 seeds"]


@pytest.mark.parametrize("strategy", ["similar", "drift"])
@pytest.mark.parametrize(
    ("seconds", "n_seeds", "note"),
    [
        pytest.param(200.0, 4, "the playlist has only the first 4 of 40 seeds", id="few fit"),
        pytest.param(20.0, 1, "the playlist has only the first seed of 40 seeds", id="one fits"),
        pytest.param(
            9_000.0, 34, "the playlist has only the first 34 of 40 seeds", id="more than 25"
        ),
    ],
)
def test_a_playing_time_limits_the_seeds_instead_of_a_count(
    directory, strategy, seconds, n_seeds, note
):
    seeds = [f"#{n}" for n in range(2, 42)]
    result = playlist(directory, *seeds, strategy=strategy, seconds=seconds, keep_seeds=True)
    assert [track.id for track in result.tracks] == list(range(2, 2 + n_seeds))
    lengths = [track.seconds or 240.0 for track in result.tracks]
    assert sum(lengths) >= seconds > sum(lengths[:-1])
    assert note in result.notes


@pytest.mark.parametrize(
    ("seeds", "named", "ids"),
    [
        pytest.param(["#8", "#9", "#8"], [], [8, 9], id="the same name"),
        pytest.param(["#8", a_track(7).path, "#9"], [], [8, 9], id="an id and a path"),
        pytest.param(["#8", "#9"], ["Song 7"], [8, 9], id="an id and words"),
        pytest.param(["#8", "#401", "#9"], [], [8, 9], id="a copy"),
    ],
)
def test_a_seed_named_twice_comes_once(directory, tmp_path, seeds, named, ids):
    with Index(tmp_path / "i", spec=EmbeddingSpec("compact", "f")) as index:
        for number, vector in enumerate(crowd(N_TRACKS)):
            index.add(a_track(number), vector)
        index.add(replace(a_track(7), path="/copy.mp3", title="Copy", id=401), crowd(8)[7])
    options = PlaylistOptions(n_tracks=4)
    request = PlaylistRequest(seeds=tuple(seeds), named=tuple(named), options=options)
    result = make_playlist(tmp_path / "i", request)
    once = make_playlist(directory, PlaylistRequest(seeds=("#8", "#9"), options=options))
    assert [track.id for track in result.tracks[:2]] == ids
    assert len({track.content_hash for track in result.tracks}) == 4
    if "#401" not in seeds:  # the mean has each seed once
        assert [track.id for track in result.tracks] == [track.id for track in once.tracks]
    assert result.notes == []


def test_a_path_may_name_its_seed_twice(directory):
    tracks = playlist(directory, "#1", "#1", path=["#9"], n_tracks=5).tracks
    assert (tracks[0].id, tracks[-1].id, len(tracks)) == (1, 9, 5)


@pytest.mark.parametrize("seconds", [600.0, 1_800.0, 7_200.0])
@pytest.mark.parametrize("ends", [("#2", "#3"), ("#19", "#20"), ("#1", "#21")])
def test_a_path_reaches_the_requested_playing_time(directory, ends, seconds):
    """The tracks of an index differ in length. The ends have 30 s, 570 s, or no known duration."""
    result = playlist(directory, ends[0], path=ends[1:], seconds=seconds)
    lengths = [track.seconds or 240.0 for track in result.tracks]
    assert seconds <= sum(lengths) <= seconds + 2 * max(lengths)
    assert ("the path takes longer than requested" in result.notes) is (
        sum(lengths) - max(lengths) >= seconds
    )


def test_a_path_longer_than_requested_has_a_note(directory):
    result = playlist(directory, "#19", path=["#39", "#20"], seconds=600.0)
    assert len(result.tracks) == 3
    assert result.notes == ["the path takes longer than requested"]


@pytest.mark.parametrize("length", [{"n_tracks": 10**9}, {"seconds": 3.6e9}])
def test_a_path_longer_than_the_index_is_short_and_says_so(tmp_path, length):
    with Index(tmp_path / "i", spec=EmbeddingSpec("compact", "f")) as index:
        for number, vector in enumerate(crowd(12)):
            index.add(replace(a_track(number), artist=None, seconds=60.0), vector)
    result = playlist(tmp_path / "i", "#1", path=["#12"], **length)
    requested = "60,000,000 minutes" if "seconds" in length else "1000000000"
    assert len(result.tracks) <= 12
    assert f" instead of {requested}; " in result.notes[0]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("3000s", 3_000),
        ("1h30m", 5_400),
        ("1h30", 5_400),
        ("45m", 2_700),
        ("45", 2_700),
        ("1h", 3_600),
        ("2h5s", 7_205),
        ("1h 2m 3s", 3_723),
        ("1.5h", 5_400),
        ("90 min", 5_400),
        ("2M", 120),
    ],
)
def test_a_length_means_what_it_says(text, seconds):
    assert parse_length(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", "s", "soon", "-5", "1:30", "5m3h", "90x", "5s5", "1e3", "nan", "9999999h", "\u0663m"],
)
def test_other_lengths_are_a_sentence_with_a_hint(directory, run, text):
    result = run("playlist", "#8", "--index", directory, f"--length={text}")
    assert (result.exit_code, "is not a duration." in result.stderr) == (2, True)
    assert "hint: Enter a duration like 90s, 60m, 1h30m or 30d." in result.stderr


def test_a_short_length_is_a_short_playlist(directory, run):
    arguments = ("playlist", "#8", "--index", directory, "--format", "json", "--length")
    tracks = json.loads(run(*arguments, "400s").stdout)["tracks"]
    assert sum(t["seconds"] for t in tracks) >= 400 > sum(t["seconds"] for t in tracks[:-1])


def test_excluded_playlists_without_a_track_of_the_index_add_a_note(directory):
    elsewhere = Constraints(excluded_paths=frozenset({"/elsewhere/1.mp3"}))
    notes = playlist(directory, "#8", constraints=elsewhere).notes
    assert notes == ["the excluded playlists contain no track of the index"]
    here = Constraints(excluded_paths=frozenset({"/elsewhere/1.mp3", a_track(9).path}))
    assert playlist(directory, "#8", constraints=here).notes == []


def test_a_path_is_named_after_its_ends_and_has_no_copy_of_its_destination(tmp_path):
    spec = EmbeddingSpec("compact", compact().weights_digest)
    vectors = crowd(60)
    with Index(tmp_path / "i", spec=spec) as index:
        for number, vector in enumerate(vectors):
            index.add(replace(a_track(number), artist=None, title=f"t{number}"), vector)
        copied = replace(a_track(50), path="/music/copy.mp3", artist=None)
        copy = index.add(copied, vectors[50])
        titles = [index.resolve(f"#{n}").title for n in (3, 51)]
    result = playlist(tmp_path / "i", "#3", path=("#51",), n_tracks=6)
    assert copy.id not in {track.id for track in result.tracks}
    assert result.name == f"From {titles[0]} to {titles[1]}"


def test_a_playlist_is_named_after_its_first_seed(directory):
    assert playlist(directory, "#8", "#9").name == "Like Band 1 - Song 7"


def test_seeds_come_first_or_not_at_all(directory):
    with_seeds = playlist(directory, "#8", "#9", n_tracks=10, keep_seeds=True)
    without = playlist(directory, "#8", "#9", n_tracks=10)
    assert [track.id for track in with_seeds.tracks[:2]] == [8, 9]
    assert not {8, 9} & {track.id for track in without.tracks}
    assert [t.id for t in with_seeds.tracks[2:]] == [t.id for t in without.tracks[:8]]
    cosines = vectors_of(directory, without.tracks) @ vectors_of(directory, with_seeds.tracks[:2]).T
    assert cosines.mean() > np.percentile(crowd(N_TRACKS) @ crowd(N_TRACKS)[7], 90)


def test_python_keeps_the_seeds_by_default_as_the_command_line_does(directory):
    result = make_playlist(directory, PlaylistRequest(seeds=("#8",)))
    assert (result.tracks[0].id, len(result.tracks)) == (8, 25)


@pytest.mark.parametrize("whiten", [False, True])
def test_similar_tracks_are_the_nearest_in_order(directory, whiten):
    with Index(directory) as index:
        vector_index = index.vector_index(whiten=whiten)
        vectors = vector_index.vectors_of(np.arange(1, N_TRACKS + 1))
        products = vectors @ vector_index.vectors_of(np.array([8]))[0]
    products[7] = -2
    expected = (np.argsort(-products)[:10] + 1).tolist()
    result = playlist(directory, "#8", n_tracks=10, whiten=whiten)
    assert [track.id for track in result.tracks] == expected


def test_diversity_lowers_the_similarity_of_the_tracks(directory):
    def mean_cosine(diversity):
        tracks = playlist(directory, "#8", n_tracks=12, diversity=diversity).tracks
        vectors = vectors_of(directory, tracks)
        return float(np.mean(vectors @ vectors.T))

    assert mean_cosine(0.0) > mean_cosine(0.5)
    assert mean_cosine(0.0) > mean_cosine(1.0)


def test_a_random_seed_makes_a_varied_playlist_repeatable(directory):
    plain = playlist(directory, "#8").tracks
    first, again = (playlist(directory, "#8", vary=True, random_seed=1).tracks for _ in range(2))
    other = playlist(directory, "#8", vary=True, random_seed=2).tracks
    assert first == again
    assert first not in (other, plain)
    assert other != plain


def test_a_playlist_reaches_the_requested_playing_time(directory):
    result = playlist(directory, "#8", seconds=3_600.0, filters=Filters(seconds=(Range(1),)))
    seconds = [track.seconds for track in result.tracks]
    assert sum(seconds) >= 3_600 > sum(seconds[:-1])


def check_constraints(tracks, constraints):
    artists = [track.artist for track in tracks]
    positions = {name: [i for i, a in enumerate(artists) if a == name] for name in set(artists)}
    albums = [(track.album_artist or track.artist, track.album) for track in tracks]
    assert len({track.id for track in tracks}) == len(tracks)
    if constraints.max_per_artist is not None:
        assert max(map(len, positions.values())) <= constraints.max_per_artist
    if constraints.max_per_album is not None:
        assert max(albums.count(album) for album in albums) <= constraints.max_per_album
    for of_one in positions.values():
        assert all(b - a > constraints.artist_gap for a, b in itertools.pairwise(of_one))
    assert not constraints.excluded_paths & {track.path for track in tracks}


def test_constraints_hold_for_random_requests(directory, request):
    rng = random.Random(0)
    for _ in range(request.config.getoption("--playlists")):
        constraints = Constraints(
            max_per_artist=rng.choice([None, 1, 2, 3]),
            max_per_album=rng.choice([None, 1, 2]),
            artist_gap=rng.choice([0, 0, 1, 3]),
            excluded_paths=frozenset(a_track(rng.randrange(N_TRACKS)).path for _ in range(20)),
        )
        seeds = [f"#{rng.randint(1, N_TRACKS)}"]
        options = {
            "n_tracks": rng.randint(1, 40),
            "drift": rng.random() < 0.3,
            "diversity": rng.choice([0.0, 0.0, 0.4, 1.0]),
            "vary": rng.random() < 0.3,
            "random_seed": rng.randint(0, 9),
            "whiten": rng.random() < 0.5,
        }
        result = playlist(directory, *seeds, constraints=constraints, **options)
        check_constraints(result.tracks, constraints)
        assert len(result.tracks) == options["n_tracks"] or result.notes


def test_constraints_hold_on_paths(directory):
    rng = random.Random(1)
    for _ in range(20):
        ids = [f"#{i}" for i in rng.sample(range(1, N_TRACKS + 1), 3)]
        constraints = Constraints(max_per_artist=rng.choice([2, 3]), artist_gap=rng.choice([0, 1]))
        result = playlist(directory, ids[0], path=ids[1:], n_tracks=15, constraints=constraints)
        between = [t for t in result.tracks if f"#{t.id}" not in ids]
        check_constraints(between, replace(constraints, artist_gap=0))


def test_the_limit_per_album_holds_for_tracks_without_an_artist(tmp_path):
    with Index(tmp_path / "i", spec=EmbeddingSpec("compact", "f")) as index:
        for number, vector in enumerate(crowd(30)):
            index.add(replace(a_track(number), artist=None, album_artist=None), vector)
    constraints = Constraints(max_per_album=1)
    tracks = playlist(tmp_path / "i", "#9", constraints=constraints, n_tracks=10).tracks
    assert sorted(track.album for track in tracks) == ["LP 0", "LP 1", "LP 2"]


LIBRARY = ("Anna", "Bj\u00f6rk", "Simon & Garfunkel", "Duo & Co feat. Carl", "Dora; Eva")


@pytest.mark.parametrize(
    ("tag", "artist"),
    [
        pytest.param("Anna feat. Bob", "anna", id="feat."),
        pytest.param("Zed ft. Bob", "zed", id="ft. of an artist without own tracks"),
        pytest.param("Zed (featuring Bob)", "zed", id="in parentheses"),
        pytest.param("Anna; Bob", "anna", id="list"),
        pytest.param("Anna & Bob", "anna", id="known artist &"),
        pytest.param("ANNA & Bob", "anna", id="in any case"),
        pytest.param("Bjo\u0308rk & Bob", "bj\u00f6rk", id="in any normal form"),
        pytest.param("Anna, Bob & Carl", "anna", id="comma"),
        pytest.param("Anna vs. Bob", "anna", id="vs."),
        pytest.param("Eva and Bob", "eva", id="known from a list"),
        pytest.param("Bob & Anna", "bob & anna", id="unknown artist &"),
        pytest.param("Simon & Garfunkel", "simon & garfunkel", id="band"),
        pytest.param("Duo & Co & Bob", "duo & co", id="band & guest"),
        pytest.param("Anna \u00d7 Bob", "anna", id="multiplication sign"),
        pytest.param("Anna (with Bob)", "anna", id="equal rank in parentheses"),
        pytest.param("Anna w/ Bob", "anna", id="short for with"),
        pytest.param("Earth, Wind & Fire", "earth, wind & fire", id="band with a comma"),
        pytest.param("Defeat. Now", "defeat. now", id="feat inside a word"),
        pytest.param("Annabel", "annabel", id="longer name"),
        pytest.param(None, "", id="no tag"),
    ],
)
def test_the_main_artist_is_the_first_in_a_tag(tag, artist):
    assert MainArtists(lambda: LIBRARY).of(tag) == artist


def made_of(tmp_path, *tags):
    """An index of 30 tracks with different titles. They have the given tags in turn."""
    with Index(tmp_path / "i", spec=EmbeddingSpec("compact", "f")) as index:
        for number, vector in enumerate(crowd(30)):
            tagged = {"album_artist": None} | tags[number % len(tags)]
            index.add(replace(a_track(number), **tagged), vector)
    return tmp_path / "i"


@pytest.mark.parametrize(
    "tags",
    [
        pytest.param([{"album_artist": "Various", "artist": a} for a in "ABC"], id="compilation"),
        pytest.param([{"artist": a} for a in ("A", "A feat. B", "A; C", "A & D")], id="guests"),
        pytest.param([{"artist": "A"}, {"album_artist": "a", "artist": "B"}], id="partly tagged"),
        pytest.param([{"artist": a} for a in ("Bj\u00f6rk", "Bjo\u0308rk")], id="normal forms"),
    ],
)
def test_the_limit_per_album_counts_by_the_album_artist(tmp_path, tags):
    directory = made_of(tmp_path, *[tag | {"album": "LP"} for tag in tags])
    result = playlist(directory, "#9", constraints=Constraints(max_per_album=2), n_tracks=10)
    assert len(result.tracks) == 2


def test_albums_with_the_same_name_by_different_artists_count_apart(tmp_path):
    directory = made_of(tmp_path, *[{"album": "Hits", "artist": artist} for artist in "ABC"])
    result = playlist(directory, "#9", constraints=Constraints(max_per_album=2), n_tracks=10)
    assert len(result.tracks) == 6


@pytest.mark.parametrize("path", [(), ("#20",)])
def test_limits_on_artists_apply_to_the_main_artist(tmp_path, path):
    names = ("A", "A feat. B", "A; B", "A & B", "B & A")
    directory = made_of(tmp_path, *[{"artist": name, "album": None} for name in names])
    constraints = Constraints(max_per_artist=2)
    tracks = playlist(directory, "#5", path=path, constraints=constraints, n_tracks=12).tracks
    assert sum(track.artist != "B & A" for track in tracks) <= 2
    gap = playlist(directory, "#9", constraints=Constraints(artist_gap=1), n_tracks=8).tracks
    by_a = [track.artist != "B & A" for track in gap]
    assert not any(first and second for first, second in itertools.pairwise(by_a))


def test_a_short_playlist_has_a_note_with_the_reason(directory):
    result = playlist(directory, "#8", n_tracks=30, filters=Filters(artist=("Band 3",)))
    assert result.notes == ["found 5 tracks instead of 30; no more tracks match the filters"]
    limited = playlist(
        directory,
        "#8",
        filters=Filters(album=("LP 3",)),
        constraints=Constraints(max_per_artist=1),
        n_tracks=8,
    )
    assert limited.notes == [
        "found 2 tracks instead of 8; tracks left out by: limit of 1 per artist (8)"
    ]


@pytest.mark.parametrize(
    ("n_stored", "options", "constraints", "note"),
    [
        pytest.param(
            1, {}, {}, "found 1 track instead of 30; the index has no more tracks", id="one track"
        ),
        pytest.param(
            6, {}, {}, "found 6 tracks instead of 30; the index has no more tracks", id="no filter"
        ),
        pytest.param(
            6,
            {"seconds": 90.0},
            {"max_per_artist": 1},
            "found 2 tracks of 1 minute in all instead of 1.5 minutes; tracks left out by: "
            "limit of 1 per artist (4)",
            id="playing time",
        ),
        pytest.param(
            6,
            {"seconds": 3_600.0},
            {},
            "found 6 tracks of 3 minutes in all instead of 60 minutes; "
            "the index has no more tracks",
            id="an hour",
        ),
        pytest.param(
            20,
            {},
            {"artist_gap": 4},
            "found 4 tracks instead of 30; tracks left out by: artist gap of 4 (16)",
            id="each track counts once",
        ),
    ],
)
def test_the_note_on_a_short_playlist_is_true(tmp_path, n_stored, options, constraints, note):
    with Index(tmp_path / "i", spec=EmbeddingSpec("compact", "f")) as index:
        for number, vector in enumerate(crowd(n_stored)):
            index.add(replace(a_track(number), seconds=30.0), vector)
    options = {"n_tracks": 30, "keep_seeds": True} | options
    result = playlist(tmp_path / "i", "#1", constraints=Constraints(**constraints), **options)
    assert result.notes == [note]


def test_unknown_durations_are_counted_and_said(tmp_path):
    with Index(tmp_path / "i", spec=EmbeddingSpec("compact", "f")) as index:
        for number, vector in enumerate(crowd(40)):
            index.add(replace(a_track(number), seconds=0.0), vector)
    result = playlist(tmp_path / "i", "#1", seconds=3_600.0)
    assert len(result.tracks) == 15
    assert result.notes == ["15 tracks of unknown duration counted as 4 minutes each"]


def test_a_recording_and_a_title_are_not_repeated(tmp_path):
    with Index(tmp_path / "i", spec=EmbeddingSpec("compact", "f")) as index:
        vectors = crowd(30)
        for number, vector in enumerate(vectors):
            index.add(a_track(number), vector)
        same_title = replace(a_track(1), path="/live.mp3", content_hash="x", seconds=999.0)
        index.add(same_title, vectors[2])
        index.add(replace(a_track(3), path="/same_bytes.mp3", title="Other"), vectors[3])
        near = vectors[4] + 1e-4
        near /= np.linalg.norm(near)
        same_sound = replace(a_track(4), path="/same_sound.mp3", title="?", content_hash="y")
        index.add(same_sound, near)
    paths = {track.path for track in playlist(tmp_path / "i", "#9", n_tracks=40).tracks}
    for number, copy in ((1, "/live.mp3"), (3, "/same_bytes.mp3"), (4, "/same_sound.mp3")):
        assert len(paths & {a_track(number).path, copy}) == 1


def test_a_path_goes_through_its_waypoints_at_an_even_pace(directory):
    result = playlist(directory, "#1", path=["#200", "#390", "#50"], n_tracks=31)
    ids = [track.id for track in result.tracks]
    assert (ids[0], ids[-1], len(ids), len(set(ids))) == (1, 50, 31, 31)
    positions = [ids.index(i) for i in (1, 200, 390, 50)]
    assert positions == sorted(positions)
    vectors = crowd(N_TRACKS)[[0, 199, 389, 49]]
    angles = np.arccos(np.sum(vectors[:-1] * vectors[1:], axis=1))
    expected = np.cumsum(angles) / angles.sum() * 27 + np.arange(1, 4)
    np.testing.assert_allclose(positions[1:], expected, atol=1.0)


def nearest_to_even_points(vectors, start, end):
    """Return a simple path of 20 tracks: for each of 18 points, the nearest track not yet used."""
    angle = np.arccos(vectors[start] @ vectors[end])
    chosen = [start]
    for share in np.arange(1, 19) / 19:
        weights = np.sin((1 - share) * angle), np.sin(share * angle)
        point = weights[0] * vectors[start] + weights[1] * vectors[end]
        order = np.argsort(-(vectors @ point))
        chosen.append(next(i for i in order if i not in chosen and i != end))
    return vectors[[*chosen, end]]


def test_paths_have_more_even_steps_than_the_nearest_tracks_to_even_points(songs):
    with Index(songs) as index:
        ids = index.vector_index().ids
        vectors = index.vector_index().vectors_of(ids)
    rng = np.random.default_rng(0)
    medians, simple_medians, n_no_worse = [], [], 0
    for _ in range(20):
        start, end = rng.choice(len(ids), 2, replace=False)
        result = playlist(songs, f"#{ids[start]}", path=[f"#{ids[end]}"], n_tracks=20)
        assert (result.tracks[0].id, result.tracks[-1].id) == (ids[start], ids[end])
        assert len({track.id for track in result.tracks}) == 20
        paths = vectors_of(songs, result.tracks), nearest_to_even_points(vectors, start, end)
        steps, simple_steps = (np.sum(v[1:] * v[:-1], axis=1) for v in paths)
        medians.append(np.median(steps))
        simple_medians.append(np.median(simple_steps))
        n_no_worse += steps.min() >= simple_steps.min() - 1e-6
    assert np.median(medians) >= np.median(simple_medians)
    assert n_no_worse >= 0.8 * 20


def test_a_drifting_playlist_stays_near_its_seeds(songs):
    rng = np.random.default_rng(1)
    for seed in rng.integers(1, 915, 40):
        tracks = playlist(songs, f"#{seed}", strategy="drift").tracks
        with Index(songs) as index:
            cosines = vectors_of(songs, tracks) @ index.vector(index.resolve(f"#{seed}"))
        assert cosines[-5:].mean() >= 0.9 * cosines[:5].mean()


# Requests and strategies


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        pytest.param({}, "similar", id="no parameters"),
        pytest.param({"options": PlaylistOptions(drift=True)}, "drift", id="drift"),
        pytest.param({"destination": "#2"}, "path", id="destination"),
        pytest.param({"destination": "#2", "strategy": "toy"}, "toy", id="named"),
    ],
)
def test_the_strategy_is_named_or_follows_from_the_parameters(fields, name):
    assert PlaylistRequest(seeds=("#1",), **fields).strategy_name == name


@pytest.mark.parametrize("strategy", ["similar", "drift"])
def test_a_strategy_by_name_makes_the_same_playlist(directory, strategy):
    by_name = playlist(directory, "#8", strategy=strategy)
    assert by_name == playlist(directory, "#8", drift=strategy == "drift")


def post_playlist(directory, **fields):
    """Request a playlist from a server in this process."""

    async def post():
        app = create_app(directory)
        transport = httpx.ASGITransport(app=app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
        ):
            return await client.post("/api/playlist", json=fields)

    return asyncio.run(post())


def newest_first(index, seeds, request):
    """A toy strategy: the tracks with the highest ids."""
    tracks = sorted(index, key=lambda track: -track.id)
    return Playlist(tracks[: request.options.n_tracks], notes=["a toy"], name="Newest first")


def test_a_new_strategy_works_from_python_command_line_and_http(directory, run, monkeypatch):
    monkeypatch.setitem(STRATEGIES, "newest", newest_first)
    expected = [400, 399, 398]
    result = playlist(directory, "#8", strategy="newest", n_tracks=3)
    assert [track.id for track in result.tracks] == expected
    assert (result.name, result.notes) == ("Newest first", ["a toy"])
    arguments = ["playlist", "#8", "--strategy", "newest", "-n", 3, "--index", directory]
    command = run(*arguments, "--format", "json")
    assert [row["id"] for row in json.loads(command.stdout)["tracks"]] == expected
    assert "a toy" in command.stderr
    answer = post_playlist(directory, tracks=[8], n=3, strategy="newest").json()
    assert [track["id"] for track in answer["tracks"]] == expected
    assert answer["notes"] == ["a toy"]


def test_an_unknown_strategy_is_a_usage_error_that_names_the_known_ones(directory, run):
    known = f"Use one of: {', '.join(STRATEGIES)}."
    with pytest.raises(UsageError, match="no playlist strategy jump") as raised:
        playlist(directory, "#8", strategy="jump")
    assert raised.value.hint == known
    command = run("playlist", "#8", "--strategy", "jump", "--index", directory)
    assert (command.exit_code, known in command.stderr) == (2, True)
    answer = post_playlist(directory, tracks=[8], strategy="jump")
    assert (answer.status_code, answer.json()["hint"]) == (400, known)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        pytest.param(lambda: PlaylistOptions(n_tracks=0), "can't have 0 tracks", id="no tracks"),
        pytest.param(lambda: PlaylistOptions(diversity=1.1), "diversity", id="diversity"),
        pytest.param(lambda: PlaylistOptions(seconds=0.0), "playing time", id="no seconds"),
        pytest.param(lambda: PlaylistOptions(seconds=math.inf), "playing time", id="endless"),
        pytest.param(lambda: Constraints(max_per_artist=0), "per artist", id="artist limit"),
        pytest.param(lambda: Constraints(max_per_album=0), "per album", id="album limit"),
        pytest.param(lambda: Constraints(artist_gap=-1), "artist gap", id="artist gap"),
        pytest.param(
            lambda: PlaylistRequest(waypoints=("#2",)), "needs a destination", id="no destination"
        ),
        pytest.param(
            lambda: PlaylistRequest(destination="#2", options=PlaylistOptions(drift=True)),
            "path can't be combined with drift",
            id="path and drift",
        ),
    ],
)
def test_a_contradictory_request_is_a_usage_error(make, message):
    with pytest.raises(UsageError, match=message) as raised:
        make()
    assert raised.value.hint


@pytest.mark.parametrize(
    ("request_fields", "message"),
    [
        pytest.param({"strategy": "path"}, "A path needs a destination", id="no destination"),
        pytest.param({"path": ["#2"], "vary": True}, "diversity or variation", id="variation"),
        pytest.param({"path": ["#2"], "diversity": 0.5}, "diversity or variation", id="diversity"),
        pytest.param(
            {"path": ["#2"], "strategy": "similar"}, "doesn't lead to a track", id="not a path"
        ),
    ],
)
def test_a_strategy_rejects_options_that_it_cannot_honor(directory, request_fields, message):
    with pytest.raises(UsageError, match=message):
        playlist(directory, "#1", **request_fields)


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["nowhere.mp3"], 1, "neither a track"),
        ([], 2, "No clip was given that the playlist starts from"),
        (["--sound", "rain"], 2, "No clip was given that the playlist starts from"),
        (["#1", "--to", "#9999"], 1, "has no track under #9999"),
        (["#1", "--diversity", "2"], 2, "The diversity can't be 2"),
        (["#1", "--length", "soon"], 2, "soon is "),
        (["#1", "--year", "x"], 2, "x is "),
        (["#1", "--to", "#2", "-n", "1"], 2, "can't go through 2"),
        (["#1", "--to", "#1"], 2, "can't go through the same track twice"),
        (["#1", "#3", "--to", "#2"], 2, "exactly one seed"),
        (["#1", "--to", "#2", "--drift"], 2, "can't be combined with drift"),
        (["#1", "--to", "#2", "--vary"], 2, "can't be combined with diversity or variation"),
        (["#1", "--via", "#2"], 2, "needs a destination"),
        (["#1", "--to", "song nowhere"], 1, "No track has all"),
        (["#1", "-o", "list.txt"], 2, "list.txt is "),
        (["#1", "--format", "wav"], 2, "format wav"),
        (["#1", "--prefix", "x"], 2, "OLD=NEW"),
        (["#1", "--exclude-playlist", "gone.m3u8"], 1, "Can't read gone.m3u8 as a playlist"),
    ],
)
def test_a_contradictory_command_ends_with_a_sentence_and_a_hint(
    directory, run, arguments, status, message
):
    result = run("playlist", "--index", directory, *arguments)
    assert (result.exit_code, message in result.stderr) == (status, True), result.stderr
    assert "hint: " in result.stderr


def test_an_empty_index_and_one_too_small_to_whiten_are_errors(tmp_path):
    with Index(tmp_path / "i", spec=EmbeddingSpec("compact", "f")) as index:
        index.add(a_track(0), crowd(2)[0])
        with pytest.raises(LibraryError, match="too few to whiten"):
            playlist(tmp_path / "i", "#1", whiten=True)
        index.remove(list(index))
    with pytest.raises(TrackNotFound):
        playlist(tmp_path / "i", "#1")


def test_the_command_writes_playlist_files_that_can_be_seeds(directory, run, tmp_path):
    for playlist_format in PlaylistFormat:
        file = tmp_path / f"list.{playlist_format.value}"
        arguments = ["playlist", "#8", "-n", 5, "--index", directory]
        assert run(*arguments, "-o", file).exit_code == 0
        entries = read_playlist(str(file))
        assert entries[0].path == a_track(7).path
        assert len(entries) == 5
        printed = run(*arguments, "--format", playlist_format.value).stdout_bytes
        assert printed == file.read_bytes()
        query = run("query", file, "-k", 1, "--index", directory, "--format", "json")
        assert query.exit_code == 0
        others = run(*arguments, "--no-seeds", "--exclude-playlist", file, "--format", "paths")
        assert not set(others.stdout.split()) & {entry.path for entry in entries}


def test_paths_are_written_in_the_requested_style(directory, run, tmp_path):
    file = tmp_path / "lists" / "a.m3u8"
    file.parent.mkdir()
    arguments = ["playlist", "#8", "-n", 2, "--index", directory, "-o", file]
    assert run(*arguments, "--relative").exit_code == 0
    lines = file.read_text().splitlines()
    assert lines[3].startswith("../")
    assert run(*arguments, "--prefix", "/music=D:/Music").exit_code == 0
    assert file.read_text().splitlines()[3].startswith("D:/Music/")


def test_missing_files_of_a_playlist_cause_a_warning(directory, run, tmp_path):
    file = tmp_path / "list.m3u8"
    entries = [Entry(a_track(7).path), Entry("/nowhere/x.mp3")]
    file.write_bytes(playlist_text(entries, "n", PlaylistFormat.M3U8))
    result = run("playlist", file, "-n", 3, "--index", directory)
    assert result.exit_code == 0
    assert "/nowhere/x.mp3 is neither a track nor a file" in result.stderr


def test_a_backend_that_cannot_whiten_compares_plain_vectors(tmp_path, monkeypatch):
    monkeypatch.setitem(BACKENDS, "toy", "toy_backend")
    with Index(f"toy:{tmp_path}", spec=EmbeddingSpec("compact", compact().weights_digest)) as index:
        index.add_all((a_track(n), vector) for n, vector in enumerate(crowd(320)))
        plain = playlist(index, "#1", n_tracks=10, whiten=False)
        assert playlist(index, "#1", n_tracks=10).tracks == plain.tracks
        with pytest.raises(LibraryError, match="whiten"):
            playlist(index, "#1", n_tracks=10, whiten=True)
