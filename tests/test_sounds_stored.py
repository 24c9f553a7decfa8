"""Sounds of tracks are stored with them, in every backend."""

import dataclasses
from dataclasses import replace

import pytest
from locations import location_in
from tracks import LARGE, SPEC, some_track, unit, unit_vectors

from audiosearch import Index, LibraryError
from audiosearch.library.filters import EVERYTHING, Filters
from audiosearch.library.milvus import database, schema
from audiosearch.library.track import Sound
from audiosearch.maintenance.copy import copy
from audiosearch.maintenance.doctor import examine

DOG = Sound("Dog", 0.9, 0.25, 1.92)
RAIN = Sound("Rain on surface", 0.1 + 0.2, 1 / 3, 0.0)
BARK = Sound("Bark", 0.5, 0.125, 2.88)


def heard(number, *sounds, **fields):
    return replace(some_track(number, **fields), sounds=sounds, tagger="a" * 64)


@pytest.fixture(params=["folder", "milvus", "toy"])
def location(request, tmp_path, monkeypatch):
    """Location of a new index in each backend."""
    return location_in(request.param, tmp_path, monkeypatch)


@pytest.fixture
def index(location):
    with Index(location, spec=SPEC) as opened:
        yield opened


def test_every_way_to_read_tracks_returns_their_sounds_best_first(index):
    track = index.add(heard(1, DOG, BARK, RAIN), unit())
    other = index.add(some_track(2), unit())
    tracks = sorted([track, other], key=lambda stored: stored.id)
    assert (track.sounds, other.sounds) == ((DOG, BARK, RAIN), ())
    storage = index.storage
    assert list(index) == storage.list_tracks(10, 0) == tracks
    assert list(storage.tracks([track.id])) == [track]
    assert storage.track_at(track.path) == index.resolve(f"#{track.id}") == track
    assert list(storage.tracks_of_sizes([track.size])) == [track]
    assert sorted(storage.tracks_under("/music"), key=lambda stored: stored.id) == tracks
    assert index.fields(["path", "sounds", "id"], [track.id]) == [
        (track.path, track.sounds, track.id)
    ]
    assert index.fields(["sounds", "path"]) == [(t.sounds, t.path) for t in tracks]
    with storage.all_with_vectors() as (_, rows):
        assert [stored for stored, _ in rows] == tracks


def test_sounds_of_equal_scores_keep_one_order(index):
    index.add(heard(1, Sound("A", 0.5, 0.5, 0.0), Sound("B", 0.5, 0.5, 0.0)), unit())
    (track,) = index
    assert [sound.name for sound in track.sounds] == ["A", "B"]


def test_a_track_that_is_replaced_or_updated_takes_the_new_sounds(index):
    first = index.add(heard(1, DOG, BARK), unit())
    index.add(heard(1, RAIN), unit())
    assert index.resolve(first.path).sounds == (RAIN,)
    index.storage.update(replace(first, sounds=(BARK,), title="New"))
    assert index.resolve(first.path) == replace(first, sounds=(BARK,), title="New")
    index.storage.update(replace(first, sounds=()))
    assert index.resolve(first.path).sounds == ()


def test_a_moved_track_keeps_its_sounds_and_a_removed_one_takes_them_along(index):
    track = index.add(heard(1, DOG), unit())
    index.storage.move([(track, "/new.mp3")])
    moved = index.resolve("/new.mp3")
    assert (moved.sounds, moved.tagger) == ((DOG,), track.tagger)
    index.remove([moved])
    index.add(some_track(2), unit())
    assert [stored.sounds for stored in index] == [()]
    assert index.storage.problems() == []


def test_sounds_are_set_unless_the_file_has_changed(index):
    track = index.add(some_track(1), unit())
    index.storage.set_fields([(track, {"sounds": (DOG,), "tagger": "b"})])
    assert index.resolve(track.path) == replace(track, sounds=(DOG,), tagger="b")
    index.storage.set_fields([(track, {"title": "Only the title"})])
    assert index.resolve(track.path).sounds == (DOG,)
    changed = replace(track, content_hash="1" * 32)
    index.storage.set_fields([(changed, {"sounds": (RAIN,), "tagger": "c"})])
    assert index.resolve(track.path).sounds == (DOG,)
    removed = replace(track, id=track.id + 1)
    index.storage.update(replace(removed, path="/none", sounds=(RAIN,)))
    assert index.storage.problems() == []


def test_setting_sounds_counts_as_a_change_of_tracks(index):
    track = index.add(some_track(1), unit())
    before = index.version_token()
    index.storage.set_fields([(track, {"sounds": (DOG,), "tagger": "b"})])
    assert index.version_token() != before


def test_tracks_without_sounds_are_counted_and_named(index, caplog):
    index.require_sounds()
    for number in range(2):
        index.add(some_track(number), unit())
    assert index.storage.count_without_sounds() == 2
    with pytest.raises(LibraryError, match=r"2 of 2 tracks have no sounds; run `audiosearch re"):
        index.require_sounds()
    index.add(heard(1), unit())
    index.require_sounds()
    assert "1 of 2 tracks have no sounds; run `audiosearch refresh --sounds`" in caplog.text
    index.add(heard(0, DOG), unit())
    caplog.clear()
    index.require_sounds()
    assert caplog.text == ""


def test_a_copy_has_the_same_sounds(index, tmp_path):
    tracks = index.add_all((heard(n, DOG, RAIN), unit()) for n in range(3))
    for target in (str(tmp_path / "other"), f"milvus+lite://{tmp_path / 'other.db'}"):
        list(copy(index, target))
        with Index(target) as copied:
            assert sorted(copied, key=lambda track: track.path) == sorted(
                tracks, key=lambda track: track.path
            )


def test_many_tracks_are_read_with_their_sounds(tmp_path):
    with Index(tmp_path / "index", spec=SPEC) as index:
        vectors = unit_vectors(LARGE)
        index.add_all((heard(n, DOG, BARK), v) for n, v in enumerate(vectors))
        assert {track.sounds for track in index} == {(DOG, BARK)}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param("name = x'00'", id="name of a wrong type"),
        pytest.param("score = x'00'", id="score of a wrong type"),
        pytest.param("score = 9e999", id="infinite score"),
        pytest.param("score = -0.5", id="negative score"),
        pytest.param("mean = 1.5", id="mean out of range"),
    ],
)
@pytest.mark.parametrize(
    "read",
    [
        pytest.param(list, id="tracks"),
        pytest.param(lambda index: index.sounds.heard(EVERYTHING), id="sounds"),
    ],
)
def test_invalid_sounds_are_refused_and_found(change, read, tmp_path):
    with Index(tmp_path / "index", spec=SPEC) as index:
        index.add(heard(1, DOG), unit())
        index.storage.db.execute(f"UPDATE sounds SET {change}")
        index.storage.db.commit()
        with pytest.raises(LibraryError, match="is damaged: the table sounds"):
            read(index)
    assert "the table sounds with invalid values: 1" in examine(tmp_path / "index")[0].detail


@pytest.mark.parametrize("change", ["at = x'00'", "at = -1.0", "at = 9e999", "mean = 'nan'"])
def test_invalid_sounds_of_a_track_are_refused_and_found(change, tmp_path):
    with Index(tmp_path / "index", spec=SPEC) as index:
        index.add(heard(1, DOG), unit())
        index.storage.db.execute(f"UPDATE sounds SET {change}")
        index.storage.db.commit()
        with pytest.raises(LibraryError, match="is damaged: the table sounds"):
            list(index)
    assert "the table sounds with invalid values: 1" in examine(tmp_path / "index")[0].detail


def test_invalid_scores_rank_nothing(tmp_path):
    with Index(tmp_path / "index", spec=SPEC) as index:
        index.add(heard(1, DOG), unit())
        index.storage.db.execute("UPDATE sounds SET score = 9e999")
        with pytest.raises(LibraryError, match="is damaged: the table sounds"):
            index.sounds.scores(Filters(sound=("Dog",)))


@pytest.fixture
def older_collection(tmp_path, monkeypatch):
    """Location of a collection as an older version created it, with one track."""
    created = schema.track_schema

    def older_schema(client, dimension):
        result = created(client, dimension)
        result.fields[:] = [
            field for field in result.fields if not field.name.startswith(("sound", "tagger"))
        ]
        return result

    location = f"milvus+lite://{tmp_path / 'older.db'}"
    with monkeypatch.context() as patch:
        patch.setattr(database, "track_schema", older_schema)
        with Index(location, spec=SPEC) as index:
            index.add(some_track(1), unit())
    return location


def test_copying_sounds_to_an_older_collection_warns(older_collection, tmp_path, caplog):
    with Index(tmp_path / "index", spec=SPEC) as index:
        index.add(heard(2, DOG), unit())
        list(copy(index, older_collection))
    assert "can't hold the sounds of tracks" in caplog.text


def test_an_older_collection_is_read_and_its_copy_holds_sounds(older_collection, tmp_path):
    with Index(older_collection) as index:
        (track,) = index
        assert (track.sounds, track.tagger, index.storage.count_without_sounds()) == ((), "", 1)
        index.storage.update(replace(track, title="New", sounds=(DOG,)))
        (track,) = index
        assert (track.title, track.sounds) == ("New", ())
        with pytest.raises(LibraryError, match="can't hold sounds") as error:
            index.require_sounds()
        assert f"audiosearch copy {older_collection}" in error.value.hint
        target = f"milvus+lite://{tmp_path / 'new.db'}"
        list(copy(index, target))
    with Index(target) as copied:
        (track,) = copied
        copied.storage.set_fields([(track, {"sounds": (DOG,), "tagger": "a"})])
        assert [dataclasses.astuple(t.sounds[0]) for t in copied] == [dataclasses.astuple(DOG)]
