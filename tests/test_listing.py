"""`list`: words, filters, order and number of tracks."""

import json
from dataclasses import replace

import pytest
from locations import location_in
from tracks import SPEC, some_track, unit_vectors

from audiosearch import Index, UsageError
from audiosearch.library.filters import Filters, Range
from audiosearch.search.listing import list_tracks

TRACKS = [
    {"path": "/drums/kick.wav", "title": None, "artist": None, "year": None, "seconds": 0.28},
    {"path": "/songs/b.mp3", "title": "beta", "artist": "Zoe", "year": 2004, "seconds": 200.0},
    {"path": "/songs/A.mp3", "title": "Alpha", "artist": "anna", "year": 1997, "seconds": 0.0},
    {"path": "/songs/kick.mp3", "title": "Kick", "artist": "Zoe", "year": 2004, "seconds": 60.0},
]


def fill(location):
    with Index(location, spec=SPEC) as index:
        tracks = [replace(some_track(n), **fields) for n, fields in enumerate(TRACKS, start=1)]
        index.add_all(zip(tracks, unit_vectors(len(tracks)), strict=True))


@pytest.fixture(params=["folder", pytest.param("milvus", marks=pytest.mark.slow), "toy"])
def index(request, tmp_path, monkeypatch):
    location = location_in(request.param, tmp_path, monkeypatch)
    fill(location)
    with Index(location) as opened:
        yield opened


def names(tracks):
    return [track.path.removeprefix("/") for track in tracks]


def test_words_and_filters_select_tracks(index):
    assert sorted(names(list_tracks(index, "kick"))) == ["drums/kick.wav", "songs/kick.mp3"]
    assert names(list_tracks(index, "zoe ki")) == ["songs/kick.mp3"]
    assert names(list_tracks(index, "kick", filters=Filters(folder=("/drums",)))) == [
        "drums/kick.wav"
    ]
    years = Filters(year=(Range(2000, 2010),))
    assert sorted(names(list_tracks(index, filters=years))) == ["songs/b.mp3", "songs/kick.mp3"]
    assert list_tracks(index, "nothing") == []


def test_texts_that_are_not_utf_8_match_no_track(index):
    for field in ("artist", "album", "genre", "folder", "folder_name"):
        assert list_tracks(index, filters=Filters(**{field: ("\udcffzoe",)})) == []


def test_a_limit_counts_the_tracks_that_match(index):
    assert len(list_tracks(index, limit=3)) == 3
    assert len(list_tracks(index, "kick", limit=1)) == 1
    anna = Filters(artist=("Anna",))
    assert names(list_tracks(index, filters=anna, limit=1)) == ["songs/A.mp3"]
    assert names(list_tracks(index, sort="-seconds", limit=1)) == ["songs/b.mp3"]


KICK_WAV, B, A, KICK = (track["path"].removeprefix("/") for track in TRACKS)


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        pytest.param("path", [KICK_WAV, A, B, KICK], id="path"),
        pytest.param("title", [A, B, KICK, KICK_WAV], id="title, without regard to case"),
        pytest.param("-title", [KICK_WAV, KICK, B, A], id="a file's name stands for its title"),
        pytest.param("seconds", [KICK_WAV, KICK, B, A], id="unknown lengths are last"),
        pytest.param("year", [A, B, KICK, KICK_WAV], id="equal years by id"),
        pytest.param("-year", [B, KICK, A, KICK_WAV], id="equal years by id in reverse too"),
        pytest.param("artist", [A, B, KICK, KICK_WAV], id="artist"),
        pytest.param("-id", [KICK, A, B, KICK_WAV], id="id"),
    ],
)
def test_tracks_are_sorted(tmp_path, sort, expected):
    fill(tmp_path / "index")
    with Index(tmp_path / "index") as index:
        assert names(list_tracks(index, sort=sort)) == expected


def test_an_unknown_sort_key_is_an_error(index):
    with pytest.raises(UsageError, match="sorted by size"):
        list_tracks(index, sort="size")


def test_the_command_takes_words_filters_an_order_and_a_limit(run):
    fill("index")
    listed = run("list", "songs", "--artist", "zoe", "--sort", "-seconds", "--format", "paths")
    assert listed.stdout == "/songs/b.mp3\n/songs/kick.mp3\n"
    limited = run("list", "--sort", "-year", "--limit", "1", "--format", "json").stdout
    assert [track["year"] for track in json.loads(limited)["tracks"]] == [2004]
    nothing = run("list", "oboe")
    assert (nothing.exit_code, nothing.stdout) == (0, "")
    assert "No track matches" in nothing.stderr
    assert run("list", "--sort", "size").exit_code == 2
