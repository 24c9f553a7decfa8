"""Playlists from a listening history: `playlist --history`, `--half-life` and `--skip-recent`."""

import contextlib
import json
import os
import time
import zipfile
from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest
from locations import location_in
from tracks import SPEC, some_track, unit_vectors

from audiosearch import Index, LibraryError, TrackNotFound
from audiosearch.playlists import HistoryOptions, PlaylistOptions, PlaylistRequest
from audiosearch.playlists import playlist as make_playlist
from audiosearch.plays import Recording, mpd_log, read_history

DAY = 86_400.0
NOW = time.time()
N_TRACKS = 40


def tagged(number):
    return replace(
        some_track(number, folder=f"/music/Artist {number % 8}/LP {number % 4}"),
        title=f"Song {number}",
        artist=f"Artist {number % 8}",
        album=f"LP {number % 4}",
        content_hash=f"{number:032x}",
    )


def fill(location):
    """Make an index of tracks with random vectors: ids 1 to 40 are the tracks 0 to 39."""
    with Index(location, spec=SPEC) as index:
        index.add_all(zip(map(tagged, range(N_TRACKS)), unit_vectors(N_TRACKS), strict=True))
    return location


@pytest.fixture
def folder(tmp_path):
    return fill(str(tmp_path / "index"))


def listen(number, days=0.0, **metadata):
    track = tagged(number)
    names = {"artist_name": track.artist, "track_name": track.title, "release_name": track.album}
    info = {"additional_info": {"recording_mbid": "x", "duration_ms": 10_000}}
    return {"listened_at": int(NOW - days * DAY), "track_metadata": names | info | metadata}


def answer(listens):
    """The answer of ListenBrainz' HTTP interface."""
    payload = {"count": len(listens), "latest_listen_ts": 1, "listens": listens, "user_id": "ann"}
    return {"payload": payload}


def write_zip(path, listens):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("user.json", '{"user_id": 1, "username": "ann"}')
        archive.writestr("feedback.jsonl", '{"recording_msid": "x", "score": 1}\n')
        for number, one in enumerate(listens, start=1):
            archive.writestr(f"listens/2024/{number}.jsonl", json.dumps(one) + "\n")
    return path


def jsonl(listens):
    return "".join(json.dumps(one) + "\n" for one in listens)


def write_history(path, listens):
    path.write_text(jsonl(listens))
    return path


def names_of(history):
    return {recording.path or recording.title: len(t) for recording, t in history.times.items()}


# Reading


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("a.jsonl", jsonl, id="one listen a line"),
        pytest.param("a.json", json.dumps, id="a list"),
        pytest.param("a.json", lambda x: json.dumps(x, indent=4), id="an indented list"),
        pytest.param("a.json", lambda x: json.dumps(answer(x)), id="an answer of the interface"),
        pytest.param("a.json", lambda x: json.dumps({"listens": x}), id="listens alone"),
        pytest.param(
            "a.json", lambda x: json.dumps({"listen_type": "import", "payload": x}), id="an import"
        ),
        pytest.param(
            "a.jsonl",
            lambda x: json.dumps(answer(x[:2])) + "\n" + json.dumps(answer(x[2:])),
            id="two answers",
        ),
        pytest.param("a.txt", lambda x: "\ufeff \n" + json.dumps(x), id="a byte order mark"),
    ],
)
@pytest.mark.parametrize(
    "is_long", [pytest.param(False, id="short"), pytest.param(True, id="long")]
)
def test_every_form_of_listens_is_read(tmp_path, name, content, is_long, monkeypatch):
    """Also if the file is much longer than what is read at a time."""
    if is_long:
        monkeypatch.setattr("audiosearch.plays.listenbrainz._CHUNK", 100)
    path = tmp_path / name
    path.write_text(content([listen(1), listen(2, days=3), listen(1, days=5)]))
    history = read_history(str(path))
    assert names_of(history) == {"Song 1": 2, "Song 2": 1}
    assert list(history.times[Recording(artist="Artist 2", title="Song 2", album="LP 2")]) == [
        int(NOW - 3 * DAY)
    ]
    assert history.warnings == ()


def test_an_export_is_a_zip_file_with_a_file_for_each_month(tmp_path):
    path = write_zip(tmp_path / "export.zip", [listen(1), listen(2), listen(1)])
    assert names_of(read_history(str(path))) == {"Song 1": 2, "Song 2": 1}


def stamp(days, form):
    return datetime.fromtimestamp(NOW - days * DAY).strftime(form)


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("%b %d %H:%M : player: played", id="until 0.23"),
        pytest.param("%Y-%m-%dT%H:%M:%S player: played", id="from 0.24"),
        pytest.param("%b %d %H:%M:%S host mpd[12]: player: played", id="syslog"),
        pytest.param("%Y-%m-%dT%H:%M:%S+0200 host mpd[12]: player: played", id="journal"),
        pytest.param("%b %d %H:%M : player_thread: played", id="very old"),
    ],
)
def test_a_log_of_mpd_is_read(tmp_path, line):
    path = tmp_path / "mpd.log"
    days = (800, 500, 370, 200, 1, 0)  # from one to the next less than a year
    lines = [f'{stamp(d, line)} "Artist 1/LP 1/{n}.mp3"' for n, d in enumerate(days)]
    noise = [
        "%b %d %H:%M : client: [0] opened from 127.0.0.1:1",
        '%b %d %H:%M : exception: Failed to decode "x.mp3"; played no note',
        "player: played",
        '%b %d player: played "no time.mp3"',
    ]
    lines[2:2] = [stamp(400, text) for text in noise]
    path.write_text("\n".join(lines) + "\n")
    history = read_history(str(path))
    found = {recording.path[-5:-4]: NOW - times[0] for recording, times in history.times.items()}
    assert [round(found[str(n)] / DAY) for n in range(6)] == list(days)


def test_times_without_a_year_are_those_before_the_last_change_of_the_log(tmp_path):
    path = tmp_path / "mpd.log"
    lines = ["Feb 29 10:00", "Dec 30 23:00", "Jan 02 08:00", "Jan 02 07:30", "Dec 24 20:00"]
    path.write_text("".join(f'{t} : player: played "{n}.mp3"\n' for n, t in enumerate(lines)))
    changed = datetime(2022, 3, 1).timestamp()
    os.utime(path, (changed, changed))
    times = {r.path: datetime.fromtimestamp(t[0]) for r, t in read_history(str(path)).times.items()}
    assert [times[f"{n}.mp3"].strftime("%Y-%m-%d") for n in range(5)] == [
        *("2020-02-29", "2020-12-30", "2021-01-02", "2021-01-02", "2021-12-24")
    ]


def test_a_time_that_the_system_can_not_tell_is_left_out(tmp_path, monkeypatch):
    class Time(datetime):
        def timestamp(self):  # as on Windows
            if self.year < 1970:
                raise OSError(22, "Invalid argument")
            return super().timestamp()

    monkeypatch.setattr(mpd_log, "datetime", Time)
    path = tmp_path / "mpd.log"
    lines = [f'{year}-05-01T10:00:00 player: played "{year}.mp3"' for year in (1960, 2020)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    history = read_history(str(path))
    assert [recording.path for recording in history.times] == ["2020.mp3"]


@pytest.mark.parametrize(
    ("entry", "warning"),
    [
        pytest.param(listen(2) | {"listened_at": None}, "1 entry without", id="no time"),
        pytest.param({"listened_at": 7}, "1 entry without", id="no metadata"),
        pytest.param(listen(2, artist_name=7), "1 entry without", id="an artist that is a number"),
        pytest.param(listen(2, track_name=""), "1 entry without", id="an empty title"),
        pytest.param(listen(2) | {"track_metadata": []}, "1 entry without", id="a list"),
        pytest.param(listen(2) | {"listened_at": "soon"}, "1 entry without", id="time in words"),
        pytest.param(listen(2) | {"listened_at": [1]}, "1 entry without", id="time in a list"),
        pytest.param(listen(2) | {"listened_at": float("nan")}, "1 entry without", id="NaN"),
        pytest.param(listen(2) | {"listened_at": float("inf")}, "1 entry without", id="infinite"),
        pytest.param(listen(2) | {"listened_at": 10**400}, "1 entry without", id="a huge time"),
        pytest.param(listen(2, days=-30), "1 play in the future", id="a future time"),
        pytest.param(listen(2) | {"listened_at": 10**13}, "1 play in the future", id="in ms"),
    ],
)
def test_an_unusable_entry_is_left_out_and_counted(tmp_path, entry, warning):
    history = read_history(str(write_history(tmp_path / "a.jsonl", [listen(1), entry])))
    assert names_of(history) == {"Song 1": 1}
    (text,) = history.warnings
    assert warning in text


FUTURE = jsonl([listen(2, days=-30), listen(3, days=-30)]).encode()
BAD = [
    pytest.param(FUTURE, "2 plays in the future left out; it contains no other", id="the future"),
    pytest.param(b"{}", "1 entry without a time, artist or title left out; it", id="an object"),
    pytest.param(b"", "contains no plays", id="empty"),
    pytest.param(b"just a text\n" * 9, "contains no plays", id="a text"),
    pytest.param(b"[]", "contains no plays", id="an empty list"),
    pytest.param(json.dumps(answer([])).encode(), "contains no plays", id="an empty answer"),
    pytest.param(b"\0" * 200_000, "contains no plays", id="zeros"),
    pytest.param(jsonl([listen(1)]).encode()[:-30], "damaged or cut off", id="a cut line"),
    pytest.param(
        json.dumps([listen(1)] * 5).encode()[:-200], "damaged or cut off", id="a cut list"
    ),
    pytest.param(
        json.dumps(answer([listen(1)] * 5)).encode()[:-300], "damaged or cut off", id="a cut answer"
    ),
    pytest.param(b'{"a": ' * 50_000, "damaged or cut off", id="nested too deeply"),
    pytest.param(b"[" * 50_000, "contains no plays", id="only brackets"),
    pytest.param(b'{"listened_at": ' + b"9" * 5_000 + b"}", "damaged or cut off", id="digits"),
    pytest.param(b'{"a": "\xff\xfe"}', "damaged or cut off", id="no UTF-8"),
    pytest.param(b"PK\3\4 no zip file", "damaged or cut off", id="no zip file"),
    pytest.param(b"{" + b"x" * 3_000_000, "damaged or cut off", id="no JSON"),
]


@pytest.mark.parametrize(("content", "reason"), BAD)
def test_a_hostile_file_ends_in_one_sentence_and_a_hint(tmp_path, run, folder, content, reason):
    path = tmp_path / "bad"
    path.write_bytes(content)
    result = run("playlist", "--history", path, "--index", folder)
    assert result.exit_code == 1
    error, hint = result.stderr.splitlines()
    assert reason in error
    assert error.endswith(".")
    assert hint.startswith("hint: ")


def test_a_damaged_export_ends_in_one_sentence(tmp_path):
    path = write_zip(tmp_path / "a.zip", [listen(n) for n in range(20)])
    content = bytearray(path.read_bytes())
    for start in range(30, len(content) - 30, 40):
        damaged = content.copy()
        damaged[start : start + 8] = b"\xff" * 8
        path.write_bytes(damaged)
        with contextlib.suppress(LibraryError):
            read_history(str(path))
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(LibraryError, match="damaged or cut off"):
        read_history(str(path))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        pytest.param("none", "there is no such file", id="missing"),
        pytest.param(".", "it is not a file", id="a folder"),
        pytest.param("/dev/zero", "it is not a file", id="a device"),
    ],
)
def test_what_is_not_a_file_is_refused(tmp_path, name, reason):
    with pytest.raises(LibraryError, match=reason):
        read_history(str(tmp_path / name))


def test_a_file_that_unfolds_to_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("audiosearch.plays.listenbrainz._MAX_CHARACTERS", 1_000)
    path = write_zip(tmp_path / "a.zip", [listen(n) for n in range(20)])
    with pytest.raises(LibraryError, match="more than 1,000 characters"):
        read_history(str(path))
    with pytest.raises(LibraryError, match="more than 1,000 characters"):
        read_history(str(write_history(tmp_path / "a.jsonl", [listen(1)] * 20)))


# Playlists


def center(weights):
    """Return the ids by cosine to the weighted mean of tracks."""
    vectors = unit_vectors(N_TRACKS)
    mean = sum(weight * vectors[number] for number, weight in weights.items())
    return [int(n) + 1 for n in np.argsort(-(vectors @ mean), kind="stable")]


def ids_of(folder, history, *, seeds=(), n_tracks=10, **options):
    request = PlaylistRequest(
        seeds=seeds,
        options=PlaylistOptions(n_tracks=n_tracks, keep_seeds=False),
        history=HistoryOptions((read_history(str(history)),), **options),
    )
    result = make_playlist(folder, request)
    return [track.id for track in result.tracks], result


@pytest.mark.parametrize(
    ("half_life", "weights"),
    [
        pytest.param(30 * DAY, {3: 1.0, 5: 0.25, 7: 1.5}, id="a month"),
        pytest.param(1 * DAY, {3: 1.0, 7: 1 + 2.0**-30}, id="a day"),
        pytest.param(1e6 * DAY, {3: 1.0, 5: 1.0, 7: 2.0}, id="thousands of years"),
    ],
)
def test_a_play_counts_half_as_much_after_a_half_life(folder, tmp_path, half_life, weights):
    listens = [listen(3), listen(5, days=60), listen(7), listen(7, days=30)]
    history = write_history(tmp_path / "a.jsonl", listens)
    ids, result = ids_of(folder, history, half_life_seconds=half_life)
    assert ids == center(weights)[:10]
    assert result.name == "Like recent plays"


def test_old_plays_count_as_much_as_new_ones_if_there_are_no_others(folder, tmp_path):
    history = write_history(tmp_path / "a.jsonl", [listen(3, 9_000), listen(5, 9_001)])
    ids, _ = ids_of(folder, history, half_life_seconds=DAY)
    assert ids == center({3: 1.0, 5: 0.5})[:10]


def test_the_plays_together_count_as_much_as_the_seeds(folder, tmp_path):
    history = write_history(tmp_path / "a.jsonl", [listen(3)] * 30 + [listen(5)] * 10)
    ids, result = ids_of(folder, history, seeds=("#10", "#11"))
    expected = center({9: 1.0, 10: 1.0, 3: 1.5, 5: 0.5})
    assert ids == [i for i in expected if i not in (10, 11)][:10]
    assert result.name == "Like Artist 1 - Song 9"


def test_the_playlist_does_not_begin_with_all_that_was_played(folder, tmp_path, run):
    history = write_history(tmp_path / "a.jsonl", [listen(n) for n in range(30)])
    result = run(
        *("playlist", "#40", "--history", history, "-n", "5", "--index", folder),
        *("--format", "json"),
    )
    tracks = json.loads(result.stdout)["tracks"]
    assert tracks[0]["id"] == 40
    assert len(tracks) == 5


@pytest.mark.parametrize("place", ["folder", "milvus", "toy"])
def test_recent_plays_are_left_out(tmp_path, place, monkeypatch):
    location = fill(location_in(place, tmp_path, monkeypatch))
    played = {n: n * 2.0 for n in range(1, 30)}  # days ago
    history = write_history(tmp_path / "a.jsonl", [listen(n, d) for n, d in played.items()])
    _, result = ids_of(location, history, skip_seconds=30.5 * DAY, n_tracks=N_TRACKS)
    titles = {track.title for track in result.tracks}
    assert titles == {f"Song {number}" for number in (0, *range(16, N_TRACKS))}


def test_other_tracks_of_a_recently_played_title_are_left_out_too(tmp_path):
    other = replace(tagged(3), path="/other.mp3", album="Best of", content_hash="f" * 32)
    location = fill(str(tmp_path / "index"))
    with Index(location) as index:
        index.add(other, unit_vectors(1, seed=9)[0])
    history = write_history(tmp_path / "a.jsonl", [listen(3), listen(5, days=90)])
    ids, _ = ids_of(location, history, skip_seconds=DAY, n_tracks=N_TRACKS + 1)
    assert {4, N_TRACKS + 1}.isdisjoint(ids)
    assert 6 in ids


@pytest.mark.parametrize(
    ("metadata", "found"),
    [
        pytest.param({}, 3, id="as it is tagged"),
        pytest.param({"artist_name": "ARTIST  3", "track_name": "song 3"}, 3, id="another case"),
        pytest.param({"artist_name": "Artist 3 feat. Someone"}, 3, id="a guest"),
        pytest.param({"track_name": "Song 3 (feat. Someone)"}, 3, id="a guest in the title"),
        pytest.param({"artist_name": "Artist 3 & Someone"}, 3, id="two artists"),
        pytest.param({"release_name": None}, 3, id="no album"),
        pytest.param({"additional_info": None}, 3, id="no more information"),
        pytest.param({"artist_name": "Artist 4"}, None, id="another artist"),
        pytest.param({"track_name": "Song"}, None, id="a part of the title"),
    ],
)
def test_listens_are_matched_by_artist_and_title(folder, tmp_path, metadata, found):
    listens = [listen(3, **metadata), listen(20, days=50)]
    ids, result = ids_of(
        folder,
        write_history(tmp_path / "a.jsonl", listens),
        skip_seconds=DAY,
        n_tracks=N_TRACKS,
    )
    assert set(range(1, N_TRACKS + 1)) - set(ids) == ({found + 1} if found else set())
    missing = [note for note in result.notes if "are not in the index" in note]
    assert missing == (
        [] if found else [f"{tmp_path}/a.jsonl: 1 of 2 recordings are not in the index"]
    )


def test_the_album_decides_between_tracks_with_the_same_title(tmp_path):
    location = fill(str(tmp_path / "index"))
    with Index(location) as index:
        vector = unit_vectors(1, seed=9)[0]
        index.add(replace(tagged(3), path="/b.mp3", album="Best of", content_hash="f" * 32), vector)
    history = write_history(tmp_path / "a.jsonl", [listen(3, release_name="Best Of")])
    ids, _ = ids_of(location, history)
    assert ids[0] == N_TRACKS + 1


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("/music/Artist 3/LP 3/3.mp3", id="as stored"),
        pytest.param("Artist 3/LP 3/3.mp3", id="below the music folder"),
        pytest.param("LP 3/3.mp3", id="a shorter end"),
        pytest.param("Artist 3/LP 3/3.cue/track0007", id="a part by a CUE sheet"),
        pytest.param("Artist 3/LP 3/3.mp3/track0007", id="a part by an embedded CUE sheet"),
        pytest.param("D:\\\\Artist 3\\\\LP 3\\\\3.mp3", id="escaped backslashes"),
    ],
)
def test_plays_of_a_log_are_matched_by_the_end_of_the_path(folder, tmp_path, path):
    history = tmp_path / "mpd.log"
    history.write_text(f'{stamp(0, "%Y-%m-%dT%H:%M:%S")} player: played "{path}"\n')
    ids, _ = ids_of(folder, history)
    assert ids == center({3: 1.0})[:10]


def test_a_history_without_a_track_of_the_index_says_so(folder, tmp_path):
    history = write_history(tmp_path / "a.jsonl", [listen(3, artist_name="Unknown")])
    with pytest.raises(TrackNotFound, match="no play is of a track") as error:
        ids_of(folder, history)
    assert "audiosearch add" in error.value.hint


def test_several_histories_are_one(folder, tmp_path, run):
    first = write_history(tmp_path / "a.jsonl", [listen(3), listen(4)])
    second = write_history(tmp_path / "b.jsonl", [listen(3, 1), listen(5, 40)])
    options = ("--skip-recent", "30d", "-n", "40", "--index", folder, "--format", "json")
    result = run("playlist", "--history", first, "--history", second, *options)
    ids = {track["id"] for track in json.loads(result.stdout)["tracks"]}
    assert ids == set(range(1, 41)) - {4, 5}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param(["#1", "--skip-recent", "3d"], "needs a listening history", id="no history"),
        pytest.param(["#1", "--half-life", "3d"], "needs a listening history", id="no plays"),
        pytest.param(["{h}", "--half-life", "x"], "is not a duration", id="no half-life"),
        pytest.param(["{h}", "--half-life", "0"], "can't be 0 seconds", id="no time at all"),
        pytest.param(["{h}", "--skip-recent", "-3d"], "is not a duration", id="negative"),
        pytest.param(["{h}", "#1", "--to", "#9"], "A path can't start from", id="a path"),
    ],
)
def test_mistakes_in_options_are_explained(folder, tmp_path, run, options, message):
    history = write_history(tmp_path / "a.jsonl", [listen(3)])
    words = [f"--history={history}" if word == "{h}" else word for word in options]
    result = run("playlist", *words, "--index", folder)
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_path_leaves_out_recent_plays(folder, tmp_path, run):
    played = [listen(n, 0 if n % 2 else 50) for n in range(2, 38)]
    history = write_history(tmp_path / "a.jsonl", played)
    result = run(
        *("playlist", "#1", "--to", "#40", "--history", history, "--skip-recent", "2d"),
        *("-n", "15", "--index", folder, "--format", "json"),
    )
    ids = [track["id"] for track in json.loads(result.stdout)["tracks"]]
    assert (ids[0], ids[-1], len(ids)) == (1, 40, 15)
    assert not set(ids) & {n + 1 for n in range(2, 38) if n % 2}
