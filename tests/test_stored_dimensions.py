"""Vectors of any dimension: store them, replace them with another model's, recover them."""

import sqlite3
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tracks import SPEC, some_track, unit, unit_vectors

from audiosearch import Index, LibraryError, ModelMismatch, UsageError
from audiosearch.library.backend import BACKENDS, Capability, recover
from audiosearch.library.track import EmbeddingSpec, Failure
from audiosearch.maintenance.doctor import State, examine
from audiosearch.maintenance.optimize import make_exact, optimize

OTHER = EmbeddingSpec("other", "e" * 64, dimension=512)
N_TRACKS = 40


@pytest.fixture
def index(tmp_path):
    """An index of 128 dimensions in a folder, with its FAISS file."""
    with Index(tmp_path / "index", spec=SPEC) as opened:
        rows = zip(map(some_track, range(N_TRACKS)), unit_vectors(N_TRACKS), strict=True)
        opened.add_all(replaced(rows))
        opened.sync()
        yield opened


def replaced(rows):
    """Give each track a different content hash."""
    return [(replace(track, content_hash=f"{track.size:032x}"), vector) for track, vector in rows]


def stage(index, spec, n_tracks=N_TRACKS):
    """Stage vectors of a spec for the first tracks."""
    staged = index.staged_vectors(spec)
    vectors = unit_vectors(N_TRACKS, seed=1, dimension=spec.dimension)
    for track in list(index)[:n_tracks]:
        staged.put(track, track.content_hash, vectors[track.size])
    return staged, vectors


@pytest.mark.parametrize("dimension", [1, 0, -128, 4_097])
def test_a_dimension_out_of_range_is_refused(dimension):
    with pytest.raises(UsageError, match=f"vectors of {dimension} numbers") as caught:
        EmbeddingSpec("model", "digest", dimension=dimension)
    assert "2 to 4,096" in caught.value.hint


def test_an_index_without_the_setting_has_128_dimensions_and_stays_unchanged(index):
    index.storage.db.execute("DELETE FROM settings WHERE key = 'dimension'")
    index.storage.db.commit()
    index.close()
    folder = Path(index.location)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with Index(folder) as opened:
        assert opened.spec == SPEC
        assert len(list(opened)) == N_TRACKS
        assert len(opened.search(unit(), 5)) == 5
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize("text", ["", "many", "1", "5000"])
def test_an_invalid_dimension_in_the_settings_is_reported(index, text):
    index.storage.set_settings({"dimension": text})
    with pytest.raises(LibraryError, match="which model"):
        Index(index.location)


@pytest.mark.parametrize("dimension", [2, 512])
def test_staged_vectors_of_another_dimension_replace_the_current_ones(index, dimension):
    spec = replace(OTHER, dimension=dimension)
    staged, vectors = stage(index, spec)
    assert index.pending() == ("other", N_TRACKS)
    np.testing.assert_array_equal(staged.vector(1), vectors[0])
    ((first, _),) = index.search(unit_vectors(N_TRACKS)[3], 1)
    assert first.size == 3
    assert staged.commit([])
    with Index(index.location) as opened:
        assert opened.spec == spec
        assert opened.storage.missing_vectors() == []
        for track in opened:
            np.testing.assert_array_equal(opened.vector(track), vectors[track.size])
        ((first, cosine),) = opened.search(vectors[5], 1)
        assert (first.size, cosine) == (5, pytest.approx(1.0))
    assert {finding.state for finding in examine(index.location)[:3]} == {State.OK}


def test_an_open_index_reports_that_another_process_changed_the_dimension(index):
    with Index(index.location) as other:
        staged, _ = stage(other, OTHER)
        assert staged.commit([])
        other.spec = OTHER
        other.sync()
    for act in (
        lambda: index.search(unit(), 1),
        lambda: index.add(some_track(1), unit()),
        index.vector_index,
    ):
        with pytest.raises(ModelMismatch, match=r"changed the model.*512 dimensions"):
            act()


def test_a_staged_vector_has_the_dimension_of_its_spec(index):
    staged = index.staged_vectors(OTHER)
    with pytest.raises(ModelMismatch, match="128 numbers"):
        staged.put(next(iter(index)), "", unit())


def test_an_interrupted_run_continues_without_the_dimension_setting(index):
    other = replace(OTHER, dimension=128)
    stage(index, other, n_tracks=10)
    index.storage.db.execute("DELETE FROM settings WHERE key = 'pending_dimension'")
    index.storage.db.commit()
    assert len(index.staged_vectors(other).missing()) == N_TRACKS - 10
    assert len(index.staged_vectors(OTHER).missing()) == N_TRACKS


def test_tracks_without_a_staged_vector_become_failures_only_if_named(index):
    staged, _ = stage(index, OTHER, n_tracks=N_TRACKS - 1)
    assert not staged.commit([])
    (lost,) = staged.missing()
    assert staged.commit([(lost, Failure(lost.path, "It is gone.", -1, -1))])
    with Index(index.location) as opened:
        assert opened.n_tracks == N_TRACKS - 1
        assert [failure.path for failure in opened.storage.failures()] == [lost.path]


def wipe_first_page(path):
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    path.write_bytes(bytes(4096) + path.read_bytes()[4096:])


@pytest.mark.parametrize("dimension", [2, 96, 512, 4_096])
@pytest.mark.parametrize("has_settings", [True, False])
def test_a_damaged_database_of_any_dimension_is_recovered(tmp_path, dimension, has_settings):
    spec = replace(OTHER, dimension=dimension)
    vectors = unit_vectors(N_TRACKS, dimension=dimension)
    folder = tmp_path / "index"
    with Index(folder, spec=spec) as index:
        index.add_all(zip(map(some_track, range(N_TRACKS)), vectors, strict=True))
        if not has_settings:
            index.storage.db.execute("DELETE FROM settings WHERE key = 'model'")
            index.storage.db.execute("PRAGMA secure_delete = ON")
            index.storage.db.execute("VACUUM")
    wipe_first_page(folder / "audiosearch.db")
    with pytest.raises(LibraryError, match="damaged"):
        Index(folder)
    report = recover(folder, EmbeddingSpec("other", "e" * 64))
    assert (report.tracks, report.lost) == (N_TRACKS, 0)
    with Index(folder) as index:
        assert index.spec == spec
        for track in index:
            np.testing.assert_array_equal(index.vector(track), vectors[track.size])


def test_vectors_of_an_earlier_model_are_not_recovered(index):
    staged, vectors = stage(index, OTHER)
    assert staged.commit([])
    index.close()
    wipe_first_page(Path(index.location) / "audiosearch.db")
    recover(index.location, None)
    with Index(index.location) as opened:
        assert opened.spec == OTHER
        assert opened.n_tracks == N_TRACKS
        for track in opened:
            np.testing.assert_array_equal(opened.vector(track), vectors[track.size])


def test_an_index_whose_backend_has_one_type_is_not_optimized(tmp_path, monkeypatch):
    monkeypatch.setitem(BACKENDS, "toy", "toy_backend")
    with Index(f"toy:{tmp_path}", spec=SPEC) as index:
        index.add(some_track(0), unit_vectors(1)[0])
        for change in (optimize, make_exact):
            with pytest.raises(LibraryError, match="is a toy") as caught:
                change(index)
            assert caught.value.hint


def test_an_unsupported_operation_is_rejected_with_a_hint(tmp_path):
    location = f"milvus+lite:{tmp_path / 'index.db'}"
    with Index(location, spec=SPEC) as index:
        for act in (
            lambda: index.staged_vectors(OTHER),
            lambda: index.require_capability(Capability.REEMBED),
            lambda: recover(location, SPEC),
        ):
            with pytest.raises(LibraryError, match=r"index\.db") as caught:
                act()
            assert caught.value.hint
        assert index.pending() == (None, 0)
        coordinates = index.coordinates()
        assert (coordinates.layout, len(coordinates.ids)) == ("", 0)
        assert index.put_coordinates(coordinates, as_of=index.storage.revision())
