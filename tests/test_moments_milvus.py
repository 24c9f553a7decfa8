"""Moments in Milvus, which has no transactions: what an interrupted write leaves is noticed."""

import dataclasses

import numpy as np
import pytest
from tracks import SPEC, made_moments, some_track, unit, unit_vectors

from audiosearch import Index, LibraryError
from audiosearch.library.milvus.database import MilvusDatabase
from audiosearch.library.milvus.moments import MilvusMoments
from audiosearch.library.milvus.schema import moment_schema, notes_schema
from audiosearch.maintenance.doctor import State, examine, repair


class Killed(BaseException):
    """Stands for the end of the process."""


def hashed(number, content="a"):
    return dataclasses.replace(some_track(number), content_hash=f"{content}{number}")


@pytest.fixture
def index(tmp_path):
    location = f"milvus+lite://{tmp_path / 'index.db'}"
    with Index(location, spec=SPEC, moment_hop=0.96) as opened:
        rows = [(hashed(number), unit()) for number in range(3)]
        opened.add_all(rows, moments=[made_moments(4, seed=number) for number in range(3)])
        yield opened


def collections(index):
    return index.storage.call("list_collections")


def finding(index):
    return {found.check: found for found in examine(index.location)}["moments"]


def found_tracks(index):
    (found,) = index.moments.search(unit_vectors(1), 1_000)
    return set(found.track_ids.tolist())


def test_the_collection_exists_only_while_there_are_moments(tmp_path):
    with Index(f"milvus+lite://{tmp_path / 'i.db'}", spec=SPEC) as index:
        index.add(hashed(1), unit())
        names = {"audiosearch", "audiosearch_notes"}
        assert set(collections(index)) == names
        index.set_moment_hop(0.96)
        index.moments.put({track.id: made_moments(2) for track in index})
        assert set(collections(index)) == {*names, "audiosearch_moments"}
        index.set_moment_hop(None)
        assert set(collections(index)) == names


@pytest.fixture
def kill(monkeypatch):
    """Return a function: the process ends at a call of the client for the collection of moments."""

    def kill_at(method, number):
        calls = []

        def call(database, name, *args, _call=MilvusDatabase.call, **options):
            if name == method and args and args[0] == database.moments_collection:
                calls.append(name)
                if len(calls) == number:
                    raise Killed
            return _call(database, name, *args, **options)

        monkeypatch.setattr(MilvusDatabase, "call", call)
        return monkeypatch.undo

    return kill_at


@pytest.mark.parametrize(
    ("method", "number"),
    [
        pytest.param("delete", 1, id="before the former moments are removed"),
        pytest.param("upsert", 1, id="before patches are written"),
        pytest.param("upsert", 2, id="before the first patches are written"),
    ],
)
def test_a_kill_leaves_the_changed_track_without_moments(index, kill, method, number):
    undo = kill(method, number)
    with pytest.raises(Killed):
        index.add_all([(hashed(1, "b"), unit())], moments=[made_moments(6, seed=66)])
    undo()
    track = index.resolve("/music/1.mp3")
    if track.content_hash == "b1":
        assert found_tracks(index) == {other.id for other in index} - {track.id}
        assert index.moments.missing() == [track]
        assert finding(index).state is (State.ERROR if number == 2 else State.WARNING)
        repair(index.location)
        assert finding(index).state is State.WARNING
        assert "1 of 3 tracks have none" in finding(index).detail
    else:  # nothing was changed yet
        assert finding(index).state is State.OK


def test_a_kill_during_a_removal_leaves_no_moments_without_a_track(index, monkeypatch):
    track = index.resolve("/music/1.mp3")

    def call(database, name, *args, _call=MilvusDatabase.call, **options):
        if name == "delete" and args[0] == database.collection:
            raise Killed
        return _call(database, name, *args, **options)

    with monkeypatch.context() as patched:
        patched.setattr(MilvusDatabase, "call", call)
        with pytest.raises(Killed):
            index.remove([track])
    assert index.moments.missing() == [track]
    assert index.moments.damaged() == []


def test_moments_without_a_track_are_not_found_and_removed_by_repair(index):
    track = index.resolve("/music/1.mp3")
    # An older version knows nothing of moments.
    index.storage.call("delete", index.storage.collection, filter=f"id == {track.id}")
    assert track.id not in found_tracks(index)
    assert index.moments.damaged() == [track.id]
    assert finding(index).state is State.ERROR
    assert "Damaged moments of 1 track removed" in " ".join(repair(index.location))
    assert finding(index).state is State.OK
    assert index.moments.totals()[:2] == (2, 8)


def test_many_allowed_tracks_are_searched_in_several_requests(index, monkeypatch):
    monkeypatch.setattr("audiosearch.library.milvus.moments._BATCH_IDS", 2)
    ids = np.array([track.id for track in index])
    (expected,) = index.moments.search(unit_vectors(1), 7)
    (found,) = index.moments.search(unit_vectors(1), 7, ids=ids)
    assert found.track_ids.tolist() == expected.track_ids.tolist()
    assert found.patches.tolist() == expected.patches.tolist()


def test_an_interrupted_creation_of_the_collection_is_completed(index):
    index.moments.remove_all()
    database = index.storage
    schema = moment_schema(database._connection.client, 128)
    database.call("create_collection", database.moments_collection, schema=schema)
    assert MilvusMoments(database).totals() == (0, 0, 0)
    index.moments.put({track.id: made_moments(2) for track in index})
    assert index.moments.totals()[:2] == (3, 6)


def test_another_index_of_the_same_name_is_left_alone(index):
    database = index.storage
    index.moments.remove_all()
    schema = notes_schema(database._connection.client)
    database.call("create_collection", database.moments_collection, schema=schema)
    assert index.moments.totals() == (0, 0, 0)
    index.set_moment_hop(None)
    assert database.moments_collection in collections(index)
    with pytest.raises(LibraryError, match="doesn't hold moments"):
        index.moments.put({track.id: made_moments(2) for track in index})
