"""An index in a folder: the FAISS file is derived from the database, and rebuilt from it."""

import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import faiss
import numpy as np
import pytest
from tracks import SPEC, some_track, unit, unit_vectors

from audiosearch import (
    Index,
    IndexNotFound,
    IndexUnwritable,
    LibraryError,
    ModelMismatch,
)
from audiosearch.library.faiss.index_file import FILE_NAME
from audiosearch.library.track import EmbeddingSpec


@pytest.fixture
def index(tmp_path):
    with Index(tmp_path / "index", spec=SPEC) as opened:
        yield opened


@pytest.fixture
def filled(index):
    vectors = unit_vectors(50)
    for number, vector in enumerate(vectors):
        index.add(some_track(number), vector)
    return index, vectors


def reopened(index):
    return Index(index.location)


def test_the_id_of_a_removed_track_is_not_used_again(filled):
    index, _ = filled
    index.remove([index.resolve("#50")])
    assert index.add(some_track(99), unit()).id == 51


def damage_cut(path):
    path.write_bytes(path.read_bytes()[:-100])


def damage_flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def damage_revision(path):
    content = path.read_bytes()
    assert content.count(b'"revision": 50') == 1
    path.write_bytes(content.replace(b'"revision": 50', b'"revision": 54'))


def damage_junk(path):
    path.write_bytes(os.urandom(10_000))


@pytest.mark.parametrize("damage", [damage_cut, damage_flip, damage_revision, damage_junk])
def test_a_damaged_faiss_file_is_rebuilt_with_a_warning(filled, damage, caplog):
    index, vectors = filled
    expected = index.search(vectors[5], 10)
    damage(Path(index.location) / FILE_NAME)
    with reopened(index) as again:
        assert again.search(vectors[5], 10) == expected
    assert "rebuilt from the database" in caplog.text


def test_a_missing_faiss_file_is_rebuilt(filled):
    index, vectors = filled
    expected = index.search(vectors[5], 10)
    (Path(index.location) / FILE_NAME).unlink()
    with reopened(index) as again:
        assert again.search(vectors[5], 10) == expected
    assert (Path(index.location) / FILE_NAME).exists()


def test_an_outdated_faiss_file_is_brought_up_to_date(filled):
    index, vectors = filled
    index.sync()
    old = (Path(index.location) / FILE_NAME).read_bytes()
    index.remove(index.resolve_all("#1"))
    index.add(some_track(77), vectors[0])
    index.add(some_track(5), -vectors[5])
    index.sync()
    (Path(index.location) / FILE_NAME).write_bytes(old)
    with reopened(index) as again:
        ((track, similarity),) = again.search(vectors[0], 1)
        assert (track.size, similarity) == (77, pytest.approx(1.0))
        assert again.search(vectors[5], 1)[0][1] < 0.9
        assert len(again.search(vectors[0], 100)) == 50


def test_the_faiss_file_of_another_index_is_not_used(filled, tmp_path, caplog):
    index, _ = filled
    index.sync()
    with Index(tmp_path / "other", spec=SPEC) as other:
        for number, vector in enumerate(unit_vectors(50, seed=9)):
            other.add(some_track(number), vector)
        (Path(other.location) / FILE_NAME).write_bytes(
            (Path(index.location) / FILE_NAME).read_bytes()
        )
        assert other.search(unit_vectors(50, seed=9)[3], 1)[0][1] == pytest.approx(1.0)
    assert "not the file that this database wrote last" in caplog.text


def test_a_restored_database_does_not_use_a_newer_faiss_file(filled, caplog):
    index, vectors = filled
    index.sync()
    with sqlite3.connect(Path(index.location) / "audiosearch.db") as connection:
        backup = sqlite3.connect(Path(index.location) / "backup")
        connection.backup(backup)
        backup.close()
    connection.close()
    index.add(some_track(90), -vectors[1])
    index.add(some_track(91), -vectors[2])
    index.sync()
    index.close()
    for name in ("audiosearch.db-wal", "audiosearch.db-shm"):
        (Path(index.location) / name).unlink(missing_ok=True)
    os.replace(Path(index.location) / "backup", Path(index.location) / "audiosearch.db")
    with Index(index.location) as restored:
        restored.add(some_track(92), unit_vectors(3, seed=5)[0])
        restored.add(some_track(93), unit_vectors(3, seed=5)[1])
        ((track, similarity),) = restored.search(unit_vectors(3, seed=5)[0], 1)
        assert (track.size, similarity) == (92, pytest.approx(1.0))
    assert "not the file that this database wrote last" in caplog.text


def test_two_threads_that_create_an_index_together_use_the_same_model(tmp_path):
    other = EmbeddingSpec("vggish", "a" * 64)
    specs = []

    def create(spec):
        try:
            with Index(tmp_path / "index", spec=spec) as created:
                specs.append(created.spec)
        except ModelMismatch:
            specs.append(None)

    threads = [threading.Thread(target=create, args=[spec]) for spec in (SPEC, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert specs.count(None) == 1
    with Index(tmp_path / "index") as index:
        assert index.spec in specs


def test_faiss_can_read_the_faiss_file_directly(filled):
    index, vectors = filled
    index.sync()
    loaded = faiss.read_index(str(Path(index.location) / FILE_NAME))
    assert loaded.ntotal == len(vectors)


def test_a_missing_index_is_reported_and_not_created(tmp_path):
    with pytest.raises(IndexNotFound, match="nowhere"):
        Index(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


def test_a_file_that_is_not_a_database_is_reported(tmp_path):
    (tmp_path / "audiosearch.db").write_bytes(b"no database at all" * 1_000)
    with pytest.raises(LibraryError, match="damaged"):
        Index(tmp_path)


@pytest.mark.parametrize("folder", ["/proc/index", "/dev/null/index"])
def test_a_folder_that_cannot_be_written_is_reported(folder):
    with pytest.raises(IndexUnwritable):
        Index(folder, spec=SPEC)


def test_a_crash_before_a_commit_keeps_all_committed_tracks(filled):
    index, vectors = filled
    crash = (
        "import os, sys\n"
        "from sqlite_utils import Database\n"
        "db = Database(sys.argv[1])\n"
        "db.execute('BEGIN IMMEDIATE')\n"
        "db.execute('DELETE FROM tracks')\n"
        "os._exit(9)\n"
    )
    subprocess.run(
        [sys.executable, "-c", crash, Path(index.location) / "audiosearch.db"], check=False
    )
    with reopened(index) as again:
        assert len(again.search(vectors[0], 100)) == 50


def test_any_program_can_read_paths_and_vectors_from_the_database(filled):
    index, vectors = filled
    connection = sqlite3.connect(Path(index.location) / "audiosearch.db")
    blob, path = connection.execute(
        "SELECT embedding, path FROM vectors JOIN tracks ON tracks.id = track_id WHERE track_id = 8"
    ).fetchone()
    connection.close()
    assert path == b"/music/7.mp3"
    np.testing.assert_array_equal(np.frombuffer(blob, dtype="<f4"), vectors[7])
