"""Indexes made before the hash of the audio and the lists of artists were stored."""

from dataclasses import replace
from pathlib import Path

import pytest
from sounds import melody, write
from tracks import SPEC, some_track, unit_vectors

from audiosearch import Index, add
from audiosearch.ingest.add import Status
from audiosearch.library.backend import recover
from audiosearch.library.filters import Filters
from audiosearch.library.milvus import database, schema

ARTISTS = ("Band; Singer", "Singer", None)


def filled(location):
    """An index of three tracks with the given artists."""
    tracks = [
        replace(some_track(number), artist=artist, content_hash=f"{number:032x}")
        for number, artist in enumerate(ARTISTS)
    ]
    with Index(location, spec=SPEC) as index:
        index.add_all(zip(tracks, unit_vectors(3), strict=True))
        index.sync()
    return location


def without_audio_hash(folder):
    """Bring the database of an index into the state before the last migrations."""
    with Index(folder) as index:
        db = index.storage.db
        for table in ("waveforms", "playlists"):
            db.execute(f"DROP TABLE {table}")
        db.execute("DROP TRIGGER sound_changed")
        db.execute("ALTER TABLE tracks DROP COLUMN has_cover")
        db.execute("DROP INDEX idx_tracks_audio_hash")
        db.execute("ALTER TABLE tracks DROP COLUMN audio_hash")
        db.execute("ALTER TABLE tracks DROP COLUMN real_path")
        db.execute("DROP TABLE prints")
        db.execute("DELETE FROM _sqlite_migrations WHERE name >= 'm008'")
        db.commit()
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return folder


@pytest.fixture
def folder(tmp_path):
    return without_audio_hash(filled(tmp_path / "index"))


def contents(folder):
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def test_an_older_index_is_read_without_being_written(folder, run):
    before = contents(folder)
    with Index(folder) as index:
        tracks = list(index)
        assert [track.audio_hash for track in tracks] == [""] * 3
        assert tracks[0].artists == ["Band", "Singer"]
        assert index.tracks_of([tracks[1].content_hash])[tracks[1].content_hash] == [tracks[1]]
        assert index.storage.hashes() == {track.content_hash for track in tracks}
        assert len(index.search(index.vector(tracks[0]), 5)) == 3
        assert len(index.storage.ids(Filters(artist=("singer",)))) == 2
    assert run("list", "--index", folder).exit_code == 0
    assert run("query", "#1", "--index", folder).exit_code == 0
    assert contents(folder) == before


def test_an_older_index_is_completed_by_the_first_change(folder):
    with Index(folder) as reader, Index(folder) as index:
        assert len(list(reader)) == 3
        changed = replace(next(iter(index)), audio_hash="a" * 32)
        index.storage.update(changed)
        assert index.storage.hashes() >= {"a" * 32}
        assert [track.audio_hash for track in index] == ["a" * 32, "", ""]
        assert [track.audio_hash for track in reader] == ["a" * 32, "", ""]


def test_files_of_an_older_index_are_embedded_once_more_and_then_recognized(tmp_path):
    path = write(tmp_path / "a.flac", melody())
    add("index", [path], model="compact")
    without_audio_hash("index")
    (unchanged,) = add("index", [path])
    assert unchanged.status is Status.UNCHANGED
    write(path, melody(seed=1))
    (result,) = add("index", [path])
    assert result.status is Status.ADDED
    with Index("index") as index:
        assert next(iter(index)).audio_hash


def test_an_older_collection_in_milvus_can_be_read_and_changed(tmp_path, monkeypatch):
    older = schema.track_schema

    def older_schema(client, dimension):
        result = older(client, dimension)
        for field in result.fields:
            field.nullable = field.name in schema._TEXTS
        result.fields[:] = [f for f in result.fields if f.name not in schema.ADDED_FIELDS]
        return result

    location = f"milvus+lite://{tmp_path / 'index.db'}"
    with monkeypatch.context() as patch:
        patch.setattr(database, "track_schema", older_schema)
        patch.setattr(database, "INDEXED_FIELDS", ("path", "content_hash"))
        filled(location)
    with Index(location) as index:
        assert len(index.storage.ids(Filters(artist=("SINGER",)))) == 1
        assert len(list(index.storage.tracks_of_sizes([some_track(1).size]))) == 1
        assert len(index.storage.ids(Filters(artist=("band; singer",)))) == 1
        track = next(track for track in index if track.artist == "Singer")
        assert (track.audio_hash, index.storage.hashes()) == ("", {f"{n:032x}" for n in range(3)})
        index.storage.update(replace(track, artist="New", audio_hash="a" * 32))
        assert next(index.storage.tracks([track.id])).artist == "New"
        (row,) = index.storage.query(f"id == {track.id}", index.storage.fields)
        nothing = dict.fromkeys(schema._TEXTS)
        index.storage.call("upsert", index.storage.collection, [dict(row) | nothing])
        assert next(index.storage.tracks([track.id])).artist is None
        assert index.storage.artists() == {"Band; Singer"}


@pytest.mark.parametrize("is_older", [True, False])
def test_a_damaged_database_is_recovered_with_or_without_the_hash(folder, is_older):
    if not is_older:
        with Index(folder) as index:
            index.storage.update(replace(next(iter(index)), audio_hash="a" * 32))
            index.storage.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    path = folder / "audiosearch.db"
    path.write_bytes(bytes(4096) + path.read_bytes()[4096:])
    assert recover(folder, SPEC).tracks == 3
    with Index(folder) as index:
        expected = ["" if is_older else "a" * 32, "", ""]
        assert [track.audio_hash for track in index] == expected
