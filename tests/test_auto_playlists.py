"""`playlists auto`: playlists of the clusters of a library."""

import json
import os
import time
from collections import Counter
from dataclasses import replace
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
from locations import location_in
from mpd_server import made_track, make_music, name_of, serving_mpd
from tracks import SPEC, heard, some_track, unit_vectors

from audiosearch import Index, LibraryError, UsageError
from audiosearch.cli.sending import Sending
from audiosearch.errors import PlayerError
from audiosearch.library.filters import Filters, Range
from audiosearch.maintenance.export_import import import_vectors
from audiosearch.players import PlayerAddress, SendOptions, SendResult
from audiosearch.playlist_files import PathStyle, PlaylistFormat, read_playlist
from audiosearch.playlists import Playlist, saved
from audiosearch.playlists.auto import (
    AutoOptions,
    auto_playlists,
    file_stem,
    save_all,
    write_folder,
)
from audiosearch.playlists.auto.folder import MANIFEST
from audiosearch.playlists.auto.state import SETTING
from audiosearch.playlists.songs import songs_only

KINDS = ["Jazz", "Metal", "Folk", "Techno"]
N_EACH = 30


def near(center, n, seed, spread=0.05):
    """Vectors around a center."""
    vectors = center + spread * np.random.default_rng(seed).standard_normal((n, len(center)))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def library(location, kinds=KINDS, n_each=N_EACH, first=0, **tags):
    """Add tracks of kinds that sound different: one artist for each five tracks."""
    with Index(location, spec=SPEC) as index:
        for kind, center in zip(kinds, unit_vectors(len(kinds), seed=7), strict=True):
            tracks = [
                replace(
                    some_track(n, folder=f"/music/{kind}"),
                    title=f"{kind} {n}",
                    content_hash="",
                    **({"artist": f"{kind} Artist {n % 5}", "genre": kind} | tags),
                )
                for n in range(first, first + n_each)
            ]
            index.add_all(zip(tracks, near(center, n_each, seed=first), strict=True))
    return location


@pytest.fixture
def folder(tmp_path):
    return library(str(tmp_path / "index"))


def auto(location, n_playlists=None, **options):
    with Index(location) as index:
        return auto_playlists(index, AutoOptions(n_playlists, **options)).playlists


def members(playlists):
    return {(p.name, track.path) for p in playlists for track in p.tracks}


def test_each_cluster_is_a_playlist_named_after_its_genre(folder):
    playlists = auto(folder, 4)
    assert sorted(p.name for p in playlists) == sorted(KINDS)
    for playlist in playlists:
        assert {track.genre for track in playlist.tracks} == {playlist.name}
        assert len(playlist.tracks) == N_EACH


@pytest.mark.parametrize("place", ["folder", "milvus", "toy"])
def test_every_backend_keeps_the_clusters(tmp_path, place, monkeypatch):
    location = library(location_in(place, tmp_path, monkeypatch), n_each=12)
    first = auto(location, 4)
    assert auto(location, 4) == first
    library(location, n_each=3, first=12)
    assert members(first) < members(auto(location, 4))


# Songs


def purity(groups):
    """Probability that two songs of a group are by the same artist."""
    pairs = [a == b for group in groups for a, b in combinations(group, 2)]
    return sum(pairs) / len(pairs)


def test_playlists_of_songs_are_purer_than_chance(songs, figures):
    start = time.perf_counter()
    playlists = auto(songs)
    seconds = time.perf_counter() - start
    with Index(songs) as index:
        chance = purity([[track.artist for track in index]])
    found = purity([[track.artist for track in p.tracks] for p in playlists])
    figures(purity=f"{found:.3f}", chance=f"{chance:.3f}", seconds=f"{seconds:.1f}")
    assert len(playlists) == 12
    assert len({p.name for p in playlists}) == 12
    assert found >= 3 * chance


def test_five_percent_more_songs_change_few_memberships(song_files, tmp_path, figures):
    vectors, tracks = np.load(song_files[0]), json.loads(song_files[1].read_text())
    order = np.random.default_rng(5).permutation(len(tracks))
    n_former = round(len(tracks) / 1.05)
    for number, rows in enumerate((order[:n_former], order[n_former:])):
        np.save(tmp_path / "v.npy", vectors[rows])
        rows_json = json.dumps([tracks[row] for row in rows])
        (tmp_path / "t.json").write_text(rows_json)
        import_vectors(tmp_path / "i", tmp_path / "v.npy", tmp_path / "t.json")
        if not number:
            former = auto(tmp_path / "i")
    later = auto(tmp_path / "i")
    changed = len(members(former) - members(later)) / len(members(former))
    figures(changed=f"{changed:.3f}")
    assert changed <= 0.15
    assert [p.name for p in later if p.name in {q.name for q in former}] == [p.name for p in later]


def forget(location):
    with Index(location) as index:
        index.storage.set_settings({SETTING: ""})


def test_the_same_songs_make_the_same_playlists(songs):
    forget(songs)
    first = auto(songs, 20)
    assert auto(songs, 20) == first
    forget(songs)
    assert auto(songs, 20) == first


# Members and order


def test_neighbors_in_a_playlist_sound_more_alike_than_any_two(songs):
    with Index(songs) as index:
        for playlist in auto_playlists(index).playlists:
            vectors = np.stack([index.vector(track) for track in playlist.tracks])
            steps = np.sum(vectors[1:] * vectors[:-1], axis=1).mean()
            any_two = (vectors @ vectors.T)[np.triu_indices(len(vectors), 1)].mean()
            assert steps > any_two


def test_no_artist_comes_twice_in_a_row(folder):
    for playlist in auto(folder, 4):
        artists = [track.artist for track in playlist.tracks]
        assert sum(a == b for a, b in pairwise(artists)) <= 2


@pytest.mark.parametrize(
    ("options", "n_tracks"),
    [
        pytest.param({"n_tracks": 7}, 7, id="a number of tracks"),
        pytest.param({"n_tracks": 1_000}, N_EACH, id="more than there are"),
    ],
)
def test_a_playlist_has_at_most_so_many_tracks(folder, options, n_tracks):
    assert {len(p.tracks) for p in auto(folder, 4, **options)} == {n_tracks}


def test_the_same_recording_comes_once(tmp_path):
    location = library(str(tmp_path / "index"), ["Jazz"], n_each=10)
    with Index(location) as index:
        track = next(iter(index))
        index.add(replace(track, id=0, path="/copy.mp3", title="Copy"), index.vector(track))
    (playlist,) = auto(location, 1)
    assert len(playlist.tracks) == 10


def test_limits_per_artist_apply(folder, run):
    result = run(
        *("playlists", "auto", "-n", "4", "--max-per-artist", "2", "--index", folder),
        *("--format", "json"),
    )
    assert [row["tracks"] for row in json.loads(result.stdout)["playlists"]] == [10] * 4


# Names


def named(tmp_path, groups):
    """Names of clusters of eight tracks with the given tags, in the order of the groups."""
    location = str(tmp_path / "index")
    with Index(location, spec=SPEC) as index:
        for number, tags in enumerate(groups):
            center = unit_vectors(len(groups), seed=7)[number]
            tracks = [
                replace(
                    some_track(n, folder=f"/{number}"),
                    content_hash="",
                    title=f"{number} {n}",
                    **tags,
                )
                for n in range(8)
            ]
            index.add_all(zip(tracks, near(center, 8, seed=number), strict=True))
    playlists = auto(location, len(groups))
    by_folder = {p.tracks[0].path.split("/")[1]: p.name for p in playlists}
    return [by_folder[str(number)] for number in range(len(groups))]


@pytest.mark.parametrize(
    ("groups", "names"),
    [
        pytest.param([{"genre": "Jazz"}, {"genre": "Rock"}], ["Jazz", "Rock"], id="genres"),
        pytest.param([{"year": 1972}, {"year": 1985}], ["1970s", "1980s"], id="decades"),
        pytest.param(
            [{"sounds": heard(Dog=0.9)}, {"sounds": heard(Rain=0.9)}], ["Dog", "Rain"], id="sounds"
        ),
        pytest.param(
            [{"artist": "Ann"}, {"artist": "Bob"}], ["Like Ann", "Like Bob"], id="artists"
        ),
        pytest.param([{}, {}], ["Mix", "Mix 2"], id="nothing"),
        pytest.param(
            [{"sounds": heard(Music=0.9)}, {"sounds": heard(Music=0.9, Piano=0.4)}],
            ["Mix", "Piano"],
            id="a sound that says little",
        ),
        pytest.param(
            [
                {"genre": "Rock", "artist": "Ann"},
                {"genre": "Rock", "artist": "Bob"},
                {"genre": "Folk", "artist": "Cid"},
            ],
            ["Rock", "Rock, like Ann", "Folk"],
            id="the same genre, other artists",
        ),
        pytest.param([{"genre": "Jazz", "artist": "Ann"}], ["Jazz"], id="one cluster"),
        pytest.param([{"artist": "Ann"}], ["Like Ann"], id="one artist"),
        pytest.param(
            [
                {"genre": "Rock", "sounds": heard(Organ=0.3)},
                {"genre": "Rock", "sounds": heard(Organ=0.3)},
                {"genre": "Folk"},
            ],
            ["Rock", "Rock, Organ", "Folk"],
            id="a second characteristic",
        ),
    ],
)
def test_clusters_are_named_after_what_is_characteristic(tmp_path, groups, names):
    assert sorted(named(tmp_path, groups)) == sorted(names)


def test_names_stay_when_tags_change(folder):
    first = auto(folder, 4)
    with Index(folder) as index, index.transaction():
        index.storage.set_fields((track, {"genre": "Pop"}) for track in list(index))
    assert {p.name for p in auto(folder, 4)} == {p.name for p in first}


def test_a_cluster_that_got_tags_gets_a_name(tmp_path):
    location = library(str(tmp_path / "index"), genre=None, artist=None)
    assert {p.name for p in auto(location, 4)} == {"Mix", "Mix 2", "Mix 3", "Mix 4"}
    with Index(location) as index, index.transaction():
        index.storage.set_fields(
            (track, {"genre": Path(track.path).parent.name}) for track in list(index)
        )
    assert {p.name for p in auto(location, 4)} == set(KINDS)


@pytest.mark.parametrize(
    ("first", "second"),
    [pytest.param(4, 6, id="more"), pytest.param(6, 4, id="fewer")],
)
def test_another_number_of_playlists_keeps_the_others(folder, first, second):
    former, later = auto(folder, first), auto(folder, second)
    assert (len(former), len(later)) == (first, second)
    names = Counter(p.name for p in [*former, *later])
    assert sum(count == 2 for count in names.values()) == 4


# Songs and samples


@pytest.mark.parametrize("place", ["folder", "milvus"])
def test_samples_are_left_out_of_a_library_of_music(tmp_path, place, run):
    location = str(tmp_path / "index") if place == "folder" else f"milvus+lite://{tmp_path}/m.db"
    library(location, n_each=10, seconds=180.0)
    library(location, kinds=["Samples"], n_each=100, first=1_000, seconds=2.0)
    library(location, kinds=["Unknown"], n_each=10, first=2_000, seconds=0.0)
    result = run("playlists", "auto", "-n", "5", "--index", location, "--format", "json")
    assert "100 tracks shorter than 20 seconds left out" in result.stderr
    playlists = json.loads(result.stdout)["playlists"]
    assert sum(p["tracks"] for p in playlists) == 50


def test_a_library_of_samples_is_clustered_too(tmp_path):
    location = library(str(tmp_path / "index"), seconds=2.0)
    library(location, kinds=["Songs"], n_each=3, first=1_000, seconds=180.0)
    playlists = auto(location, 4, n_tracks=1_000)
    assert sum(len(p.tracks) for p in playlists) == 4 * N_EACH + 3


def test_filters_by_length_decide_instead_of_the_rule(tmp_path):
    with Index(library(str(tmp_path / "index"), seconds=180.0)) as index:
        jingles = Filters(seconds=(Range(max=10.0),))
        assert songs_only(index, jingles) == jingles
        both = songs_only(index, Filters(genre=("Jazz",), exclude=Filters(artist=("Ann",))))
        assert both.exclude.artist == ("Ann",)
        assert both.genre == ("Jazz",)
        assert both.exclude.seconds


# Small and odd libraries


@pytest.mark.parametrize(
    ("n_tracks", "n_playlists", "expected"),
    [
        pytest.param(1, None, 1, id="one track"),
        pytest.param(3, None, 1, id="three tracks"),
        pytest.param(3, 12, 1, id="three tracks, twelve playlists"),
        pytest.param(12, 3, 3, id="twelve tracks, three playlists"),
        pytest.param(60, None, 3, id="sixty tracks"),
        pytest.param(250, None, 12, id="many tracks"),
    ],
)
def test_a_small_library_has_few_playlists(tmp_path, n_tracks, n_playlists, expected):
    location = str(tmp_path / "index")
    with Index(location, spec=SPEC) as index:
        tracks = (replace(some_track(n), content_hash="") for n in range(n_tracks))
        index.add_all(zip(tracks, unit_vectors(n_tracks), strict=True))
    playlists = auto(location, n_playlists, n_tracks=1_000)
    assert len(playlists) == expected
    assert sum(len(p.tracks) for p in playlists) == n_tracks


def test_an_empty_index_says_how_to_fill_it(tmp_path, run):
    Index(tmp_path / "index", spec=SPEC).close()
    result = run("playlists", "auto", "-o", tmp_path / "out", "--index", tmp_path / "index")
    assert result.exit_code == 1
    assert "The index is empty." in result.stderr
    assert not (tmp_path / "out").exists()


def test_tracks_with_equal_vectors_make_playlists(tmp_path):
    location = str(tmp_path / "index")
    with Index(location, spec=SPEC) as index:
        tracks = (replace(some_track(n), content_hash="", seconds=n + 21.0) for n in range(60))
        index.add_all((track, unit_vectors(1)[0]) for track in tracks)
    playlists = auto(location, 5)
    assert sum(len(p.tracks) for p in playlists) >= 50


def test_a_tagless_library_of_one_artist_makes_playlists(tmp_path):
    location = library(str(tmp_path / "index"), genre=None, artist="Only")
    playlists = auto(location, 4)
    assert len({p.name for p in playlists}) == 4
    assert {len(p.tracks) for p in playlists} == {N_EACH}


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("", id="empty"),
        pytest.param("x", id="no JSON"),
        pytest.param('{"names": ["A"], "model": "f"}', id="another model"),
        pytest.param('{"names": 7, "model": 1}', id="wrong types"),
        pytest.param(json.dumps({"names": ["A"] * 9, "model": SPEC.weights_digest}), id="too few"),
    ],
)
def test_a_damaged_state_is_made_again(folder, value):
    first = auto(folder, 4)
    with Index(folder) as index:
        index.storage.set_settings({SETTING: value})
    assert auto(folder, 4) == first


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"n_playlists": 0}, id="no playlist"),
        pytest.param({"n_playlists": 101}, id="too many"),
        pytest.param({"n_tracks": 0}, id="no track"),
    ],
)
def test_numbers_out_of_range_are_refused(options):
    with pytest.raises(UsageError, match="can't be"):
        AutoOptions(**options)


def test_an_index_that_cannot_be_written_makes_playlists_with_a_note(folder, monkeypatch):
    def fail(*_):
        raise LibraryError("It is read-only.", hint="")

    monkeypatch.setattr("audiosearch.playlists.auto.make.write_state", fail)
    with Index(folder) as index:
        result = auto_playlists(index, AutoOptions(4))
    assert len(result.playlists) == 4
    assert result.notes == ["the playlists may differ the next time: It is read-only."]


# Files


def test_a_folder_has_a_file_for_each_playlist(folder, run, tmp_path):
    out = tmp_path / "new" / "out"
    result = run("playlists", "auto", "-o", out, "-n", "4", "--index", folder)
    assert result.exit_code == 0, result.stderr
    assert sorted(os.listdir(out)) == [MANIFEST, *sorted(f"{kind}.m3u8" for kind in KINDS)]
    assert f"4 playlists written to {out}" in result.stderr
    assert {line.split("\t")[0] for line in result.stdout.splitlines()} == set(KINDS)
    playlist = read_playlist(str(out / "Jazz.m3u8"))
    assert {Path(entry.path).parent.name for entry in playlist} == {"Jazz"}


@pytest.mark.parametrize(
    ("options", "file", "path"),
    [
        pytest.param(["--files", "xspf"], "Jazz.xspf", "/music/Jazz/", id="another format"),
        pytest.param(["--relative"], "Jazz.m3u8", "music/Jazz/", id="relative"),
        pytest.param(["--prefix", "/music=D:/M"], "Jazz.m3u8", "D:/M/Jazz/", id="a prefix"),
    ],
)
def test_files_have_the_requested_format_and_paths(folder, run, tmp_path, options, file, path):
    run("playlists", "auto", "-o", tmp_path / "out", "-n", "4", *options, "--index", folder)
    text = (tmp_path / "out" / file).read_text()
    assert path in text
    assert ("../" in text) is ("--relative" in options)


def test_an_unknown_format_is_refused_before_anything_is_written(folder, run, tmp_path):
    result = run("playlists", "auto", "-o", tmp_path / "out", "--files", "x", "--index", folder)
    assert result.exit_code == 2
    assert "Unknown format x." in result.stderr
    assert not (tmp_path / "out").exists()


def playlists_of(*names):
    return [Playlist([some_track(1)], name=name) for name in names]


def test_only_files_of_the_last_run_are_replaced_and_removed(tmp_path):
    (tmp_path / "B.m3u8").write_text("mine")
    (tmp_path / "notes.txt").write_text("mine")
    first = write_folder(tmp_path, playlists_of("A", "B", "C", "D"))
    assert first.written == ["A.m3u8", "B 2.m3u8", "C.m3u8", "D.m3u8"]
    (tmp_path / "C.m3u8").write_text("changed by hand")
    second = write_folder(tmp_path, playlists_of("B", "C", "E"))
    assert second.written == ["B 2.m3u8", "C 2.m3u8", "E.m3u8"]
    assert second.removed == ["A.m3u8", "D.m3u8"]
    assert (tmp_path / "B.m3u8").read_text() == "mine"
    assert (tmp_path / "C.m3u8").read_text() == "changed by hand"
    assert (tmp_path / "notes.txt").exists()


def test_files_that_stay_the_same_are_not_written_again(tmp_path):
    write_folder(tmp_path, playlists_of("A"))
    before = (tmp_path / "A.m3u8").stat().st_mtime_ns
    write_folder(tmp_path, playlists_of("A", "B"))
    assert (tmp_path / "A.m3u8").stat().st_mtime_ns == before


def test_another_format_replaces_the_files(tmp_path):
    write_folder(tmp_path, playlists_of("A"))
    result = write_folder(tmp_path, playlists_of("A"), PlaylistFormat.XSPF, PathStyle())
    assert (result.written, result.removed) == (["A.xspf"], ["A.m3u8"])


def test_an_interrupted_run_is_finished_by_the_next(tmp_path, monkeypatch):
    write_folder(tmp_path, playlists_of("A", "B"))

    def fail(path, content):
        if path.name == "C.m3u8":
            raise OSError(28, "No space left on device")
        write(path, content)

    from audiosearch.playlists.auto import folder

    write = folder._write
    monkeypatch.setattr(folder, "_write", fail)
    with pytest.raises(UsageError, match="No space left"):
        write_folder(tmp_path, playlists_of("A", "C", "D"))
    monkeypatch.undo()
    result = write_folder(tmp_path, playlists_of("A", "C", "D"))
    assert result.written == ["A.m3u8", "C.m3u8", "D.m3u8"]
    assert sorted(os.listdir(tmp_path))[:4] == [MANIFEST, "A.m3u8", "C.m3u8", "D.m3u8"]
    assert "B.m3u8" not in os.listdir(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("x", id="no JSON"),
        pytest.param("[]", id="a list"),
        pytest.param('{"files": {"../victim.m3u8": ["%s"]}}', id="a path"),
        pytest.param('{"files": {"victim.m3u8": 7}}', id="no list"),
    ],
)
def test_a_damaged_manifest_removes_nothing(tmp_path, content):
    from blake3 import blake3

    out = tmp_path / "out"
    out.mkdir()
    for victim in (tmp_path / "victim.m3u8", out / "victim.m3u8"):
        victim.write_text("mine")
    digest = blake3(b"mine").hexdigest()
    (out / MANIFEST).write_text(content.replace("%s", digest))
    assert write_folder(out, playlists_of("A")).removed == []
    assert (tmp_path / "victim.m3u8").exists()
    assert (out / "victim.m3u8").exists()


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        pytest.param("AC/DC\\x", "AC-DC-x", id="slashes"),
        pytest.param("../../etc", "-..-etc", id="a path"),
        pytest.param('a<b>c:d"e|f?g*', "a-b-c-d-e-f-g-", id="signs"),
        pytest.param(" .hidden. ", "hidden", id="dots"),
        pytest.param("", "Playlist", id="empty"),
        pytest.param("nul", "nul_", id="a device"),
        pytest.param("é" * 200, "é" * 90, id="long"),
        pytest.param("a\nb\x7f", "a-b-", id="control characters"),
        pytest.param("bad \udcff byte", "bad ? byte".replace("?", "?"), id="no UTF-8"),
    ],
)
def test_names_become_names_of_files(name, stem):
    assert file_stem(name) == stem


def test_a_file_in_place_of_the_folder_is_an_error(folder, run, tmp_path):
    (tmp_path / "out").write_text("")
    result = run("playlists", "auto", "-o", tmp_path / "out", "-n", "4", "--index", folder)
    assert result.exit_code == 2
    assert "Can't write playlists to" in result.stderr


# Saved playlists


def test_saved_playlists_of_the_last_run_are_replaced_and_others_stay(folder):
    with Index(folder) as index:
        tracks = list(index)[:3]
        saved.save(index, "Jazz", tracks)
        playlists = auto_playlists(index, AutoOptions(4)).playlists
        assert save_all(index, playlists) == []
        names = {summary.name: summary.n_tracks for summary in saved.summaries(index)}
        assert names == {"Jazz": 3, "Jazz 2": 30, "Folk": 30, "Metal": 30, "Techno": 30}
        rest = [playlist for playlist in playlists if playlist.name != "Folk"]
        assert save_all(index, rest) == ["Folk"]
        saved.save(index, "Metal", tracks)
        assert save_all(index, []) == ["Jazz 2", "Techno"]
        assert [summary.name for summary in saved.summaries(index)] == ["Jazz", "Metal"]


def test_saved_playlists_stay_as_they_were_if_one_cannot_be_saved(folder):
    with Index(folder) as index:
        playlists = auto_playlists(index, AutoOptions(4)).playlists
        save_all(index, playlists)
        before = [(summary.name, summary.n_tracks) for summary in saved.summaries(index)]
        with pytest.raises(UsageError):
            save_all(
                index, [replace(playlists[0], tracks=playlists[0].tracks[:2]), Playlist([], [])]
            )
        assert [(summary.name, summary.n_tracks) for summary in saved.summaries(index)] == before


def test_the_command_saves_playlists(folder, run):
    result = run("playlists", "auto", "--save", "-n", "4", "--index", folder)
    assert result.exit_code == 0
    assert "Jazz" in run("playlists", "list", "--index", folder).stdout


@pytest.fixture
def mpd(tmp_path):
    """Run an MPD that knows tracks of two of three kinds."""
    music = make_music(tmp_path / "music", tmp_path / "unused", 40)
    with Index(str(tmp_path / "kinds"), spec=SPEC) as index:
        for kind, center in enumerate(unit_vectors(3, seed=7)):
            numbers = range(20 * kind, 20 * kind + 20)
            tracks = [
                replace(made_track(str(music / name_of(n)), n), genre=KINDS[kind], artist=None)
                for n in numbers
            ]
            index.add_all(zip(tracks, near(center, 20, seed=kind), strict=True))
    with serving_mpd(tmp_path / "mpd", music) as server:
        yield server


def send_kinds(run, tmp_path, address):
    return run(
        "playlists", "auto", "-n", "3", "--send", address, "--index", str(tmp_path / "kinds")
    )


def test_a_playlist_that_cannot_be_sent_does_not_keep_back_the_others(mpd, tmp_path, run):
    result = send_kinds(run, tmp_path, mpd.address)
    assert result.exit_code == 1
    assert f"Not sent to {mpd.address}: Folk." in result.stderr
    assert "Folk" in result.stdout  # all playlists are listed
    assert sorted(path.stem for path in (mpd.folder / "playlists").iterdir()) == ["Jazz", "Metal"]


def test_nothing_more_is_sent_to_a_player_that_is_gone(mpd, tmp_path, run):
    mpd.kill()
    result = send_kinds(run, tmp_path, mpd.tcp_address)
    assert result.exit_code == 1
    assert result.stderr.count("warning:") == 1
    names = result.stderr.rpartition(f"Not sent to {mpd.tcp_address}: ")[2].partition(".")[0]
    assert sorted(names.split(", ")) == ["Folk", "Jazz", "Metal"]


class HalfDeafPlayer:
    """A player that knows only tracks with even numbers, which are their sizes."""

    def send(self, tracks, options):
        known = [track for track in tracks if not track.size % 2]
        if not known:
            raise PlayerError("The player knows none of them.", hint="Scan the music.")
        unknown = [track for track in tracks if track.size % 2]
        return SendResult(len(known), options.name, unknown, "Update the database.")


def test_what_several_playlists_have_in_common_is_said_once(capsys):
    sending = Sending(PlayerAddress.parse("mpd://host"), HalfDeafPlayer(), SendOptions())
    tracks = [made_track(f"/music/{n}.mp3", n) for n in range(8)]
    playlists = {"A": tracks[:5], "B": tracks[3:], "C": tracks[1:2], "D": tracks[3:4]}
    with pytest.raises(PlayerError, match="Not sent to mpd://host: C, D"):
        sending.send_all(playlists.items())
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "3 tracks sent to A at mpd://host.",
        "2 tracks sent to B at mpd://host.",
        *(f"warning: mpd://host doesn't know /music/{n}.mp3" for n in (1, 3, 5, 7)),
        "hint: Update the database.",
        "warning: C, D: not sent. The player knows none of them.",
    ]
