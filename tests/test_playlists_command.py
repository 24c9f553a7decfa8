"""`audiosearch playlists` and `playlist --save`."""

import json
from dataclasses import replace

import pytest
from tracks import SPEC, some_track, unit_vectors

from audiosearch import Index
from audiosearch.playlists import saved


@pytest.fixture
def folder(tmp_path):
    """An index with a saved playlist of three tracks."""
    with Index(tmp_path / "index", spec=SPEC) as index:
        tracks = index.add_all(
            (replace(some_track(number), content_hash=f"{number:032x}"), vector)
            for number, vector in enumerate(unit_vectors(10))
        )
        saved.save(index, "AC/DC & friends", [tracks[4], tracks[1], tracks[7]])
    return tmp_path / "index"


def test_saved_playlists_are_listed(folder, run):
    result = run("playlists", "list", "--index", folder, "--format", "json")
    (row,) = json.loads(result.stdout)["playlists"]
    assert (row["name"], row["tracks"], row["seconds"]) == ("AC/DC & friends", 3, 30.0)
    assert run("playlists", "list", "--index", folder).stdout.startswith(
        "AC/DC & friends\t3\t30.00"
    )


def test_an_index_without_playlists_says_how_to_save_one(folder, run):
    run("playlists", "remove", "AC/DC & friends", "--index", folder)
    result = run("playlists", "list", "--index", folder)
    assert (result.exit_code, result.stdout) == (0, "")
    assert "--save NAME" in result.stderr


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        pytest.param(
            ["--format", "paths"], "/music/4.mp3\n/music/1.mp3\n/music/7.mp3\n", id="paths"
        ),
        pytest.param([], "#EXTM3U\n", id="m3u8 by default"),
        pytest.param(["--format", "xspf"], "<title>AC/DC &amp; friends</title>", id="xspf"),
        pytest.param(["--format", "pls"], "File1=/music/4.mp3", id="pls"),
    ],
)
def test_the_tracks_of_a_saved_playlist_are_printed(folder, run, style, expected):
    result = run("playlists", "show", "AC/DC & friends", "--index", folder, *style)
    assert result.exit_code == 0
    assert expected in result.stdout


def test_a_saved_playlist_is_written_to_a_file(folder, run, tmp_path):
    output = tmp_path / "out.m3u8"
    show = ("playlists", "show", "AC/DC & friends", "--index", folder)
    assert run(*show, "-o", output).exit_code == 0
    assert output.read_text().count("/music/") == 3
    result = run(*show, "-o", tmp_path / "out.txt")
    assert result.exit_code == 2 or "not a playlist file" in result.stderr


def test_missing_tracks_are_mentioned(folder, run):
    run("remove", "/music/4.mp3", "--index", folder)
    result = run("playlists", "show", "AC/DC & friends", "--index", folder, "--format", "json")
    assert [track["id"] for track in json.loads(result.stdout)["tracks"]] == [2, 8]
    assert "1 track was removed" in result.stderr


@pytest.mark.parametrize("command", ["show", "remove"])
def test_an_unknown_playlist_is_an_error(folder, run, command):
    result = run("playlists", command, "Evening", "--index", folder)
    assert result.exit_code == 1
    assert "There is no saved playlist Evening." in result.stderr
    assert "playlists list" in result.stderr


def test_a_new_playlist_can_be_saved(folder, run):
    result = run(
        "playlist", "#1", "-n", "4", "--save", "New", "--index", folder, "--format", "json"
    )
    assert result.exit_code == 0, result.stderr
    made = [track["id"] for track in json.loads(result.stdout)["tracks"]]
    shown = run("playlists", "show", "New", "--index", folder, "--format", "json")
    assert [track["id"] for track in json.loads(shown.stdout)["tracks"]] == made
    assert len(made) == 4


def test_a_name_that_cannot_be_saved_is_refused_before_the_playlist_is_made(folder, run):
    result = run("playlist", "#1", "--save", "a\nb", "--index", folder)
    assert result.exit_code != 0
    assert result.stdout == ""
    assert "control characters" in result.stderr


def test_the_name_of_a_playlist_is_escaped_on_a_terminal_and_in_json(folder, run):
    with Index(folder) as index:
        saved.save(index, "a\u202eb", [])
    result = run("playlists", "list", "--index", folder, "--format", "json")
    assert "\\u202e" in result.stdout
