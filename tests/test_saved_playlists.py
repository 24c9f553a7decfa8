"""Playlists and waveforms that are kept in an index, over HTTP and in every backend."""

import os
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from urllib.parse import quote

import numpy as np
import pytest
from images import PNG
from in_process import answered
from locations import location_in
from sounds import encode, noise, tone, write
from tagging import with_cover
from tracks import SPEC, some_track, unit_vectors

from audiosearch import Index, LibraryError, UsageError, add, defaults
from audiosearch.library.backend import recover
from audiosearch.library.saved_playlist import PlaylistSummary, SavedPlaylist, SavedTrack
from audiosearch.maintenance.copy import copy
from audiosearch.playlists import saved

NAMES = [
    pytest.param("Morning", id="a word"),
    pytest.param("AC/DC & friends? 100 % #1", id="characters of addresses"),
    pytest.param("/", id="only a slash"),
    pytest.param("a/../b//c", id="like a path"),
    pytest.param("Ünïcødé 𠮷野家 👩‍👩‍👧", id="any script"),
    pytest.param('"; DROP TABLE playlists', id="quotes"),
    pytest.param("a%2Fb", id="percent-encoded already"),
    pytest.param("x" * 200, id="as long as may be"),
]


@pytest.fixture(params=["folder", "milvus", "toy"])
def location(request, tmp_path, monkeypatch):
    """Location of a new index in each backend."""
    return location_in(request.param, tmp_path, monkeypatch)


@pytest.fixture
def index(location):
    """An index of ten tracks."""
    with Index(location, spec=SPEC) as opened:
        rows = zip(map(hashed, range(10)), unit_vectors(10), strict=True)
        opened.add_all(rows)
        yield opened


def hashed(number):
    return replace(some_track(number), content_hash=f"{number:032x}")


@pytest.fixture
def folder(tmp_path):
    """A folder with an index of ten tracks."""
    with Index(tmp_path / "index", spec=SPEC) as opened:
        opened.add_all(zip(map(hashed, range(10)), unit_vectors(10), strict=True))
    return tmp_path / "index"


@pytest.fixture
def api(folder):
    with answered(folder) as client:
        yield client


# Waveforms


def test_waveforms_of_tracks_are_kept(index):
    tracks = list(index)
    assert index.waveforms(tracks) == {}
    index.put_waveforms((track, bytes([n]) * 800) for n, track in enumerate(tracks[:5]))
    if not index.waveforms(tracks[:1]):
        return  # a toy keeps none
    assert index.waveforms(tracks) == {t.id: bytes([n]) * 800 for n, t in enumerate(tracks[:5])}
    index.put_waveforms([(tracks[0], b"\xff" * 800)])
    with Index(index.location) as again:
        assert again.waveforms(tracks[:1]) == {tracks[0].id: b"\xff" * 800}


def test_only_waveforms_are_kept(index):
    (track, other, third, *_) = index
    index.put_waveforms(
        [(track, b""), (other, b"x"), (replace(third, content_hash=""), bytes(800))]
    )
    assert index.waveforms([track, other, third]) == {}


@pytest.mark.parametrize(
    ("change", "is_kept"),
    [
        pytest.param({"content_hash": "f" * 32, "audio_hash": ""}, False, id="another content"),
        pytest.param({"content_hash": "f" * 32, "audio_hash": "b" * 32}, False, id="another sound"),
        pytest.param({"content_hash": "f" * 32, "audio_hash": "a" * 32}, True, id="other tags"),
        pytest.param({"title": "New"}, True, id="another title"),
        pytest.param({"path": "/elsewhere.mp3"}, True, id="moved"),
    ],
)
def test_the_waveform_of_a_file_stays_until_its_sound_changes(index, change, is_kept):
    (track, *_) = index
    track = replace(track, audio_hash="a" * 32)
    index.storage.update(track)
    index.put_waveforms([(track, bytes(800))])
    if index.location.startswith("toy"):
        return
    index.storage.update(replace(track, **change))
    (changed,) = index.storage.tracks([track.id])
    assert bool(index.waveforms([changed])) is is_kept


def test_the_waveform_of_a_removed_track_goes(folder):
    with Index(folder) as index:
        tracks = list(index)
        index.put_waveforms((track, bytes(800)) for track in tracks)
        index.remove(tracks[:4])
        index.put_waveforms((track, bytes(800)) for track in tracks)
        (row,) = index.storage.rows("SELECT count(*) AS n FROM waveforms")
        assert row["n"] == 6


def test_a_waveform_takes_less_than_a_kilobyte(tmp_path):
    with Index(tmp_path / "index", spec=SPEC) as index:
        tracks = index.add_all(zip(map(hashed, range(1_000)), unit_vectors(1_000), strict=True))
        before = size_of(index)
        index.put_waveforms((track, os.urandom(800)) for track in tracks)
        assert size_of(index) - before < 1_000 * 1_000


def size_of(index):
    index.storage.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return index.storage.path.stat().st_size


def test_add_keeps_the_waveform_of_each_file_and_of_its_copies(tmp_path):
    music = tmp_path / "music"
    music.mkdir()
    rising = tone(500, 2.0) * np.linspace(0, 1, 32_000, dtype=np.float32)
    for name in ("a.wav", "copy.wav"):
        write(music / name, rising)
    add(tmp_path / "index", music, model="compact")
    write(music / "later.wav", rising)
    add(tmp_path / "index", music)
    with Index(tmp_path / "index") as index:
        waveforms = index.waveforms(index)
        assert waveforms.keys() == {track.id for track in index}
        for content in waveforms.values():
            np.testing.assert_allclose(list(content), np.linspace(0, 255, 800), atol=6)


def test_an_index_of_excerpts_keeps_no_waveforms(tmp_path):
    path = write(tmp_path / "a.wav", noise(8.0))
    add(tmp_path / "index", path, model="compact", excerpt_seconds=2)
    with Index(tmp_path / "index") as index:
        assert index.waveforms(index) == {}


@pytest.fixture
def library(tmp_path):
    """An index of two sounds without waveforms, as older versions made it."""
    music = tmp_path / "music"
    music.mkdir()
    rising = tone(500, 2.0) * np.linspace(0, 1, 32_000, dtype=np.float32)
    write(music / "rising.wav", rising)
    write(music / "gone.wav", noise(1.5))
    add(tmp_path / "library", music, model="compact")
    with Index(tmp_path / "library") as index, index.transaction():
        index.storage.db.execute("DELETE FROM waveforms")
    (music / "gone.wav").unlink()
    return tmp_path / "library"


def ids_by_title(client):
    return {t["file"]: t["id"] for t in client.get("/tracks").json()["tracks"]}


def test_the_waveform_of_an_older_track_is_made_when_asked_for_and_then_kept(library):
    with answered(library) as client:
        address = f"/tracks/{ids_by_title(client)['rising.wav']}/waveform"
        found = client.get(address).json()
        assert found["seconds"] == 2.0
        np.testing.assert_allclose(found["peaks"], np.linspace(0, 1, 800), atol=0.02)
        with Index(library) as index:
            assert len(index.waveforms(index)) == 1
        (library.parent / "music" / "rising.wav").unlink()
        assert client.get(address).json() == found


def test_the_waveform_of_a_missing_file_is_an_error_unless_it_may_be_missing(library):
    with answered(library) as client:
        address = f"/tracks/{ids_by_title(client)['gone.wav']}/waveform"
        response = client.get(address)
        assert response.status_code == 404
        assert "is missing" in response.json()["error"]
        assert client.get(address, params={"missing": "ok"}).status_code == 204
        assert client.get("/tracks/999/waveform", params={"missing": "ok"}).status_code == 204


def test_a_waveform_that_cannot_be_stored_is_kept_in_memory(library, monkeypatch):
    monkeypatch.setattr(Index, "put_waveforms", _full)
    with answered(library) as client:
        address = f"/tracks/{ids_by_title(client)['rising.wav']}/waveform"
        found = client.get(address).json()
        (library.parent / "music" / "rising.wav").unlink()
        assert client.get(address).json() == found


def _full(*_):
    raise LibraryError("The disk is full.", hint="Free some space.")


def test_the_waveform_of_a_changed_file_is_not_stored_for_its_former_sound(library):
    write(library.parent / "music" / "rising.wav", noise(1.0))
    with answered(library) as client:
        address = f"/tracks/{ids_by_title(client)['rising.wav']}/waveform"
        assert min(client.get(address).json()["peaks"][1:]) > 0
    with Index(library) as index:
        assert index.waveforms(index) == {}


# Covers


@pytest.fixture
def covers(tmp_path):
    """A folder of files with and without covers."""
    music = tmp_path / "music"
    music.mkdir()
    plain = encode(music / "plain.mp3", tone(), 16_000, container="mp3", codec="mp3").read_bytes()
    (music / "cover.mp3").write_bytes(with_cover(plain, PNG))
    (music / "text.mp3").write_bytes(with_cover(plain, b"no image"))
    write(music / "sound.wav", tone(700))
    return music


def test_add_finds_whether_a_file_has_a_cover(covers, tmp_path):
    add(tmp_path / "index", covers, model="compact")
    with answered(tmp_path / "index") as client:
        tracks = client.get("/tracks").json()["tracks"]
        found = {track["file"]: track["has_cover"] for track in tracks}
        names = ("cover.mp3", "plain.mp3", "text.mp3", "sound.wav")
        assert found == {name: name == "cover.mp3" for name in names}
        for track in tracks:
            address = f"/tracks/{track['id']}/cover"
            assert client.get(address).status_code == (200 if track["has_cover"] else 404)
            missing = client.get(address, params={"missing": "ok"})
            assert missing.status_code == (200 if track["has_cover"] else 204)


@pytest.mark.parametrize("has_cover", [True, False, None])
def test_whether_a_track_has_a_cover_is_kept(index, has_cover):
    (track, *_) = index
    index.storage.update(replace(track, has_cover=has_cover))
    with Index(index.location) as again:
        (stored, *_) = again
        assert stored.has_cover is has_cover
        assert again.fields(("id", "has_cover"), [track.id]) == [(track.id, has_cover)]


def test_refresh_finds_the_covers_of_older_tracks_without_changing_their_tags(
    covers, tmp_path, run
):
    add(tmp_path / "index", covers, model="compact")
    with Index(tmp_path / "index") as index:
        index.storage.set_fields([(track, {"has_cover": None}) for track in index])
    result = run("refresh", "--index", tmp_path / "index")
    assert result.exit_code == 0
    assert "cover.mp3" not in result.stdout
    with Index(tmp_path / "index") as index:
        found = {os.path.basename(track.path): track.has_cover for track in index}
    assert found["cover.mp3"] is True
    assert found["plain.mp3"] is False


def test_the_cover_of_a_track_at_a_url_is_not_asked_for(folder):
    with Index(folder) as index:
        url = replace(hashed(99), path="https://example.org/a.mp3", has_cover=True)
        url_id = index.add(url, unit_vectors(1)[0]).id
    with answered(folder) as client:
        assert client.get(f"/tracks/{url_id}").json()["has_cover"] is False


# Playlists in the index


@pytest.mark.parametrize("name", NAMES)
def test_a_saved_playlist_is_found_again(index, name):
    tracks = [*index][::-1]
    settings = {"n": 25, "only": {"genre": ["Jazz"]}, "text": "é\u2028 👍"}
    saved.save(index, name, [*tracks, tracks[0]], settings)
    with Index(index.location) as again:
        found = saved.load(again, name)
        assert found.tracks == [*tracks, tracks[0]]
        assert (found.n_missing, found.settings) == (0, settings)
        (summary,) = saved.summaries(again)
        assert summary == found.summary
        assert (summary.name, summary.n_tracks, summary.seconds) == (name, 11, 110.0)
        saved.remove(again, name)
        assert saved.summaries(again) == []
        with pytest.raises(LibraryError, match="no saved playlist"):
            saved.remove(again, name)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        pytest.param("", "is empty", id="empty"),
        pytest.param("  ", "is empty", id="spaces"),
        pytest.param("x" * 201, "201 characters", id="too long"),
        pytest.param("a\nb", "control", id="line break"),
        pytest.param("a\0", "control", id="NUL"),
        pytest.param("a\u2028b", "control", id="line separator"),
        pytest.param("a\udcff", "control", id="not UTF-8"),
        pytest.param("..", "can't have the name", id="dots"),
    ],
)
def test_other_names_are_refused(index, name, reason):
    with pytest.raises(UsageError, match=reason):
        saved.save(index, name, [])
    with pytest.raises(UsageError, match=reason):
        saved.load(index, name)


def test_names_are_the_same_in_every_normal_form(index):
    saved.save(index, " Cafe\u0301 ", list(index))
    saved.save(index, "Café", [])
    assert [summary.name for summary in saved.summaries(index)] == ["Café"]
    assert saved.load(index, "Café").tracks == []


def test_playlists_are_ordered_by_name(index):
    for name in ("b", "A", "Ä", "c", "10"):
        saved.save(index, name, [])
    assert [summary.name for summary in saved.summaries(index)] == ["10", "A", "b", "c", "Ä"]


def test_removed_tracks_are_missing_until_they_are_added_again(index):
    tracks = list(index)
    saved.save(index, "All", tracks)
    index.remove(tracks[:3])
    found = saved.load(index, "All")
    assert (found.tracks, found.n_missing, found.summary.n_tracks) == (tracks[3:], 3, 10)
    other = index.add(some_track(77), unit_vectors(1)[0])
    assert other not in saved.load(index, "All").tracks
    again = index.add(replace(tracks[1], id=0), unit_vectors(1)[0])
    found = saved.load(index, "All")
    assert (found.tracks, found.n_missing) == ([again, *tracks[3:]], 2)


def test_a_renamed_playlist_keeps_the_tracks_that_are_missing_now(index, monkeypatch):
    tracks = list(index)
    monkeypatch.setattr(defaults, "MAX_SAVED_PLAYLISTS", 2)
    former = saved.save(index, "Old", tracks, {"n": 1})
    saved.save(index, "Other", tracks)
    index.remove(tracks[:1])
    assert saved.rename(index, "Old", "New") == replace(former, name="New")
    found = saved.load(index, "New")
    assert (found.tracks, found.n_missing, found.settings) == (tracks[1:], 1, {"n": 1})
    assert [summary.name for summary in saved.summaries(index)] == ["New", "Other"]
    with pytest.raises(LibraryError, match="There is a saved playlist Other already"):
        saved.rename(index, "New", "Other")


def test_a_moved_track_stays_in_its_playlists(index):
    (track, *_) = index
    saved.save(index, "One", [track])
    index.storage.move([(track, "/elsewhere/a.mp3")])
    index.add(replace(some_track(50), path=track.path), unit_vectors(1)[0])
    (found,) = saved.load(index, "One").tracks
    assert (found.id, found.path) == (track.id, "/elsewhere/a.mp3")


def test_a_path_of_any_bytes_is_found_again(index):
    track = replace(some_track(60), path="/music/caf\udce9\n.mp3")
    stored = index.add(track, unit_vectors(1)[0])
    saved.save(index, "One", [stored])
    index.remove([stored])
    again = index.add(track, unit_vectors(1)[0])
    assert saved.load(index, "One").tracks == [again]


def test_saving_a_playlist_is_no_change_of_the_tracks(index):
    before = index.version_token()
    saved.save(index, "All", list(index))
    assert index.version_token() == before


def test_a_playlist_of_10_000_tracks_can_be_saved_but_no_longer_one(index):
    (track, *_) = index
    saved.save(index, "Long", [track] * 10_000)
    assert len(saved.load(index, "Long").tracks) == 10_000
    with pytest.raises(UsageError, match="10001 tracks"):
        saved.save(index, "Long", [track] * 10_001)


def test_there_may_be_so_many_playlists_and_no_more(index, monkeypatch):
    monkeypatch.setattr(defaults, "MAX_SAVED_PLAYLISTS", 3)
    for name in "abc":
        saved.save(index, name, [])
    with pytest.raises(LibraryError, match="which is the limit") as error:
        saved.save(index, "d", [])
    assert "playlists remove" in error.value.hint
    saved.save(index, "c", list(index))
    saved.remove(index, "a")
    saved.save(index, "d", [])


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"n": float("nan")}, id="not a number"),
        pytest.param({"text": "\ud800"}, id="half a character"),
        pytest.param({"text": "x" * 100_001}, id="too long"),
    ],
)
def test_settings_that_json_cannot_hold_are_refused(index, settings):
    with pytest.raises(UsageError, match="settings of the playlist"):
        saved.save(index, "a", [], settings)


def test_writers_at_the_same_time_leave_whole_playlists(location):
    with Index(location, spec=SPEC) as index:
        index.add_all(zip(map(hashed, range(10)), unit_vectors(10), strict=True))
        if location.startswith("milvus"):
            tracks = list(index)
    if location.startswith("toy"):
        return
    barrier = threading.Barrier(4)

    def write_some(number):
        with Index(location) as own:
            tracks = list(own)
            barrier.wait()
            for turn in range(5):
                saved.save(own, "Same", tracks[:number], {"by": number})
                saved.save(own, f"{number}.{turn}", tracks[:number])

    if location.startswith("milvus"):  # a file of Milvus Lite has one connection per process
        with Index(location) as one:
            for number in range(1, 5):
                saved.save(one, "Same", tracks[:number], {"by": number})
            assert len(saved.load(one, "Same").tracks) == 4
            kinds = one.storage.iterate(one.storage._notes, 'kind like "playlist:%"', ["kind"])
            assert len(list(kinds)) == 1  # nothing is left of the former ones
        return
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(write_some, range(1, 5)))
    with Index(location) as index:
        found = saved.load(index, "Same")
        assert len(found.tracks) == found.settings["by"]
        assert len(saved.summaries(index)) == 21


def test_a_damaged_playlist_is_reported_and_can_be_removed(folder):
    with Index(folder) as index:
        saved.save(index, "Bad", list(index))
        saved.save(index, "Good", list(index))
        with index.transaction():
            index.storage.db.execute("UPDATE playlists SET content = '{' WHERE name = 'Bad'")
        with pytest.raises(LibraryError, match="saved playlist Bad is damaged"):
            saved.load(index, "Bad")
        assert len(saved.load(index, "Good").tracks) == 10
        saved.remove(index, "Bad")


def test_an_index_of_an_older_version_has_no_playlists_until_one_is_saved(folder):
    with closing(sqlite3.connect(folder / "audiosearch.db")) as db:
        for table in ("playlists", "waveforms"):
            db.execute(f"DROP TABLE {table}")
        db.execute("DROP TRIGGER sound_changed")
        db.execute("ALTER TABLE tracks DROP COLUMN has_cover")
        db.execute("DELETE FROM _sqlite_migrations WHERE name >= 'm015'")
        db.commit()
    with Index(folder) as index:
        assert saved.summaries(index) == []
        with pytest.raises(LibraryError, match="no saved playlist"):
            saved.load(index, "a")
        assert index.waveforms(index) == {}
        assert {track.has_cover for track in index} == {None}
        saved.save(index, "a", list(index))
        assert len(saved.load(index, "a").tracks) == 10


def test_a_damaged_database_is_recovered_with_its_playlists(folder):
    with Index(folder) as index:
        for n in (5, 7):
            saved.save(index, "Morning", list(index)[:n], {"n": n})
        saved.save(index, "Empty", [])
        index.storage.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    path = folder / "audiosearch.db"
    path.write_bytes(bytes(4096) + path.read_bytes()[4096:])
    assert recover(folder, SPEC).tracks == 10
    with Index(folder) as index:
        assert [summary.name for summary in saved.summaries(index)] == ["Empty", "Morning"]
        found = saved.load(index, "Morning")
        assert (len(found.tracks), found.settings) == (7, {"n": 7})


# Copies


def test_a_copy_has_the_playlists_and_waveforms(location, tmp_path, folder):
    if location.startswith("toy"):
        return
    with Index(folder) as source:
        tracks = list(source)
        saved.save(source, "All", tracks, {"n": 1})
        saved.save(source, "Ä/b", tracks[:2])
        source.put_waveforms([(tracks[0], b"\x07" * 800)])
        source.remove([tracks[9]])
        target = location if location.startswith("milvus") else tmp_path / "other"
        with Index(target, spec=SPEC) as other:  # so that the ids differ
            other.add_all(
                (replace(t, path=f"/taken/{t.id}", id=t.id), v)
                for t, v in zip(tracks[:3], unit_vectors(3), strict=True)
            )
        for _ in range(2):
            list(copy(source, target))
    with Index(target) as other:
        assert [summary.name for summary in saved.summaries(other)] == ["All", "Ä/b"]
        found = saved.load(other, "All")
        assert [track.path for track in found.tracks] == [track.path for track in tracks[:9]]
        assert (found.n_missing, found.settings) == (1, {"n": 1})
        assert other.waveforms(found.tracks) == {found.tracks[0].id: b"\x07" * 800}


def test_of_two_playlists_of_the_same_name_a_copy_keeps_the_one_saved_last(folder, tmp_path):
    with Index(folder) as source, Index(tmp_path / "other", spec=SPEC) as other:
        for time, name in [("2026-01-01", "a"), ("2026-03-01", "b")]:
            put(source, name, time, {"from": "source"})
            put(other, name, "2026-02-01", {"from": "other"})
        list(copy(source, tmp_path / "other"))
        assert saved.load(other, "a").settings == {"from": "other"}
        assert saved.load(other, "b").settings == {"from": "source"}


def test_playlists_for_which_there_is_no_room_are_left_out_of_a_copy(
    folder, tmp_path, monkeypatch, caplog
):
    with Index(folder) as source, Index(tmp_path / "other", spec=SPEC) as other:
        for name in "abc":
            saved.save(source, name, [])
        saved.save(other, "d", [])
        put(other, "b", "2000-01-01", {})
        monkeypatch.setattr(defaults, "MAX_SAVED_PLAYLISTS", 3)
        list(copy(source, tmp_path / "other"))
        assert [summary.name for summary in saved.summaries(other)] == ["a", "b", "d"]
    assert "1 saved playlist left out" in caplog.text


def put(index, name, time, settings):
    summary = PlaylistSummary(name, 1, 1.0, f"{time}T00:00:00Z")
    index.playlists.put_playlist(SavedPlaylist(summary, (SavedTrack(1, "/a"),), settings))


def test_an_export_has_the_playlists_and_import_takes_them(folder, tmp_path, run):
    with Index(folder) as source:
        tracks = list(source)
        saved.save(source, "All/1", [*tracks, tracks[0]], {"n": 1})
        source.remove([tracks[4]])
    assert run("export", tmp_path / "out", "--index", folder).exit_code == 0
    files = [tmp_path / "out" / name for name in ("vectors.npy", "tracks.jsonl")]
    result = run("import", *files, "--index", tmp_path / "new")
    assert result.exit_code == 0, result.stderr
    with Index(tmp_path / "new") as other:
        found = saved.load(other, "All/1")
        expected = [track.path for track in [*tracks[:4], *tracks[5:], tracks[0]]]
        assert [track.path for track in found.tracks] == expected
        assert (found.n_missing, found.settings, found.summary.n_tracks) == (1, {"n": 1}, 11)
    with Index(folder) as source:
        saved.remove(source, "All/1")
    assert run("export", tmp_path / "out", "--index", folder).exit_code == 0
    assert not (tmp_path / "out" / "playlists.json").exists()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("{", id="no JSON"),
        pytest.param("[]", id="a list"),
        pytest.param('{"playlists": [{"name": "a"}]}', id="no tracks"),
        pytest.param('{"playlists": [{"name": 1, "tracks": []}]}', id="a name that is no text"),
        pytest.param('{"playlists": [{"name": "..", "tracks": []}]}', id="a forbidden name"),
        pytest.param('{"playlists": [{"name": "a", "tracks": [1]}]}', id="a path that is no text"),
    ],
)
def test_a_file_of_playlists_that_cannot_be_read_is_refused_before_anything_is_imported(
    folder, tmp_path, run, content
):
    with Index(folder) as source:
        saved.save(source, "All", list(source))
    run("export", tmp_path / "out", "--index", folder)
    (tmp_path / "out" / "playlists.json").write_text(content)
    files = [tmp_path / "out" / name for name in ("vectors.npy", "tracks.jsonl")]
    result = run("import", *files, "--index", tmp_path / "new")
    assert result.exit_code == 1
    assert "playlists.json" in result.stderr
    assert not (tmp_path / "new").exists()


# Over HTTP


@pytest.mark.parametrize("name", NAMES)
def test_a_playlist_is_saved_listed_read_and_removed(api, name):
    address = f"/playlists/{quote(name, safe='')}"
    assert api.get("/playlists").json() == {"playlists": []}
    content = {"tracks": [3, 1, 3], "settings": {"n": 25, "minutes": None}}
    answer = api.put(address, json=content)
    assert answer.status_code == 200
    summary = {"name": name, "tracks": 3, "seconds": 30.0, "saved": answer.json()["saved"]}
    assert answer.json() == summary
    assert api.get("/playlists").json() == {"playlists": [summary]}
    found = api.get(address).json()
    assert [track["id"] for track in found["tracks"]] == [3, 1, 3]
    assert {key: found[key] for key in ("name", "missing", "settings", "saved")} == {
        "name": name,
        "missing": 0,
        "settings": content["settings"],
        "saved": summary["saved"],
    }
    assert api.delete(address).status_code == 204
    for method in ("GET", "DELETE"):
        response = api.request(method, address)
        assert response.status_code == 404
        assert response.json()["error"].startswith("There is no saved playlist")
        assert response.json()["hint"]


@pytest.mark.parametrize(
    ("name", "body", "status"),
    [
        pytest.param("a", {"tracks": [999]}, 404, id="unknown track"),
        pytest.param("a", {"tracks": [0]}, 422, id="impossible track"),
        pytest.param("a", {"tracks": [1] * 10_001}, 422, id="too many tracks"),
        pytest.param("a", {"settings": {}}, 422, id="no tracks"),
        pytest.param("a", {"tracks": [], "other": 1}, 422, id="unknown field"),
        pytest.param("a", {"tracks": [], "settings": {"x": "x" * 100_001}}, 400, id="settings"),
        pytest.param("x" * 201, {"tracks": []}, 400, id="long name"),
        pytest.param("%0A", {"tracks": []}, 400, id="control character"),
        pytest.param("", {"tracks": []}, 400, id="no name"),
    ],
)
def test_what_cannot_be_saved_is_refused(api, name, body, status):
    response = api.put(f"/playlists/{name}", json=body)
    assert response.status_code == status
    assert response.json()["error"]
    assert api.get("/playlists").json() == {"playlists": []}


def test_a_saved_playlist_is_renamed_over_http(api):
    api.put("/playlists/Old", json={"tracks": [2, 1], "settings": {"n": 2}})
    former = api.get("/playlists/Old").json()
    assert api.request("PATCH", "/playlists/Old", json={"name": " A/B "}).json()["name"] == "A/B"
    assert api.get("/playlists/A%2FB").json() == former | {"name": "A/B"}
    assert [one["name"] for one in api.get("/playlists").json()["playlists"]] == ["A/B"]
    assert api.request("PATCH", "/playlists/Old", json={"name": "New"}).status_code == 404


@pytest.mark.parametrize(
    ("name", "status"),
    [
        pytest.param("taken", 409, id="name of another one"),
        pytest.param("", 400, id="no name"),
        pytest.param("..", 400, id="like a folder"),
        pytest.param("Old", 200, id="the same"),
    ],
)
def test_a_playlist_keeps_its_name_if_it_cannot_have_another(api, name, status):
    for one in ("Old", "taken"):
        api.put(f"/playlists/{one}", json={"tracks": [1]})
    before = api.get("/playlists").json()
    response = api.request("PATCH", "/playlists/Old", json={"name": name})
    assert response.status_code == status
    assert api.get("/playlists").json() == before


def test_settings_that_are_no_json_are_refused(api):
    body = b'{"tracks": [], "settings": {"n": NaN}}'
    response = api.put("/playlists/a", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code in (400, 422)


def test_an_index_that_cannot_be_written_says_so(api, folder, monkeypatch):
    api.put("/playlists/a", json={"tracks": [1]})

    def refuse(*_):
        raise sqlite3.OperationalError("attempt to write a readonly database")

    monkeypatch.setattr("audiosearch.library.sqlite.database.Database._migrate", refuse)
    bodies = {"PUT": {"tracks": [2]}, "PATCH": {"name": "b"}, "DELETE": None}
    for method, body in bodies.items():
        options = {"json": body} if body else {}
        response = api.request(method, "/playlists/a", **options)
        assert response.status_code == 409
        assert "can't be opened or written" in response.json()["error"]
        assert response.json()["hint"]
    assert [track["id"] for track in api.get("/playlists/a").json()["tracks"]] == [1]
