"""Links, pipes and FAISS files that somebody planted in an index's folder lead to no other file."""

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest
from blake3 import blake3
from tracks import made_moments, some_track, unit_vectors

from audiosearch import Index, LibraryError
from audiosearch.library.faiss import index_file
from audiosearch.library.track import EmbeddingSpec
from audiosearch.maintenance import doctor
from audiosearch.models.registry import compact

SPEC = EmbeddingSpec("compact", compact().weights_digest)
SUFFIXES = ["", "-wal", "-shm", "-journal"]
SECONDS = 60
FAISS: Any = faiss  # its type stubs lack the classes that SWIG makes


@pytest.fixture
def planted(tmp_path):
    """Return a copy of an index, and the file of another one."""
    folders = [tmp_path / "own", tmp_path / "planted"]
    with Index(folders[0], spec=SPEC) as index, index.transaction():
        index.add(some_track(0), unit_vectors(1)[0])
    shutil.copytree(*folders)
    return folders[1], folders[0] / "audiosearch.db"


def add(folder):
    with Index(folder, spec=SPEC) as index, index.transaction():
        index.add(some_track(1), unit_vectors(2)[1])


@pytest.mark.parametrize(
    "use",
    [
        pytest.param(add, id="add"),
        pytest.param(doctor.repair, id="repair"),
        pytest.param(lambda folder: Index(folder).close(), id="open"),
    ],
)
def test_a_link_to_another_database_is_not_followed(planted, use):
    folder, other = planted
    (folder / "audiosearch.db").unlink()
    (folder / "audiosearch.db").symlink_to(other)
    before = other.read_bytes()
    with pytest.raises(LibraryError, match=r"audiosearch\.db is a symbolic link"):
        use(folder)
    assert other.read_bytes() == before


def test_no_database_is_created_where_a_link_leads(tmp_path):
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / "audiosearch.db").symlink_to(tmp_path / "created")
    with pytest.raises(LibraryError, match="symbolic link"):
        add(tmp_path / "index")
    assert not (tmp_path / "created").exists()


def test_repair_copies_no_file_to_which_a_link_leads(planted):
    folder, other = planted
    other.write_bytes(b"a secret " * 1_000)
    (folder / "audiosearch.db").unlink()
    (folder / "audiosearch.db").symlink_to(other)
    with pytest.raises(LibraryError, match="symbolic link"):
        doctor.repair(folder, model="compact")
    assert all(b"a secret" not in file.read_bytes() for file in folder.glob("*.damaged*"))


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("command", [["info"], ["doctor", "--repair"]], ids=lambda words: words[0])
def test_a_pipe_among_the_files_of_a_database_blocks_no_command(planted, suffix, command):
    folder, _ = planted
    pipe = folder / f"audiosearch.db{suffix}"
    pipe.unlink(missing_ok=True)
    os.mkfifo(pipe)
    result = run_command(*command, "--index", folder)
    assert result.returncode == 1
    assert result.stderr.startswith("error: ")


@pytest.mark.posix
def test_a_pipe_in_place_of_vectors_is_replaced(planted):
    folder, _ = planted
    file = folder / "vectors.faiss"
    file.unlink(missing_ok=True)
    os.mkfifo(file)
    result = run_command("query", "#1", "--include-self", "--index", folder)
    assert result.returncode == 0, result.stderr
    assert file.is_file()


@pytest.mark.parametrize("in_id_map", [False, True], ids=["lists", "lists in an id map"])
@pytest.mark.parametrize("name", ["vectors", "moments"])
def test_vectors_in_another_file_are_not_opened(planted, caplog, name, in_id_map):
    folder, _ = planted
    elsewhere = folder.parent / "elsewhere"
    with Index(folder) as index:
        index.set_moment_hop(0.96)
        index.moments.put({1: made_moments(3)})
        index.sync()
        settings = dict(index.storage.settings())
        patches = index.moments.patches
        revision = {"vectors": index.storage.revision, "moments": patches.revision}[name]()
    body = with_lists_in(elsewhere, in_id_map=in_id_map)
    digest = blake3(body).update(str(revision).encode()).hexdigest()
    footer = index_file._Footer(revision, settings[f"{name}_token"], digest)
    (folder / f"{name}.faiss").write_bytes(body.tobytes() + footer.to_bytes())
    elsewhere.unlink()
    os.mkfifo(elsewhere)  # FAISS would wait for the other end
    with Index(folder) as index:
        assert len(index.search(unit_vectors(1)[0], 1)) == 1
        assert len(index.moments.search(unit_vectors(1), 3)[0].patches) == 3
    assert f"{name}.faiss names another file. It will be rebuilt" in caplog.text


ENDLESS = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(
            "ALTER TABLE settings RENAME TO old; "
            f"CREATE VIEW settings AS {ENDLESS} 'k' || n AS key, 'v' AS value FROM c",
            id="settings",
        ),
        pytest.param(
            "ALTER TABLE tracks RENAME TO old; CREATE VIEW tracks AS SELECT * FROM old",
            id="tracks",
        ),
        pytest.param(
            "ALTER TABLE _sqlite_migrations RENAME TO old; CREATE VIEW _sqlite_migrations AS "
            f"{ENDLESS} n AS id, 'audiosearch' AS migration_set, n AS name, '' AS applied_at "
            "FROM c",
            id="migrations",
        ),
        pytest.param(
            "ALTER TABLE tracks ADD COLUMN big TEXT AS (hex(zeroblob(400000000)))",
            id="computed column",
        ),
    ],
)
def test_computed_tables_and_columns_are_refused_and_repaired(planted, change):
    folder, _ = planted
    with closing(sqlite3.connect(folder / "audiosearch.db")) as connection:
        connection.executescript(change)
    for command in (["info"], ["list"], ["doctor"]):
        result = run_command(*command, "--index", folder)
        assert result.returncode == 1
        assert "is computed" in result.stdout + result.stderr
        assert "Traceback" not in result.stderr
    doctor.repair(folder)
    with Index(folder) as index:
        assert index.n_tracks == 1


def with_lists_in(path, *, in_id_map):
    """Return what FAISS writes for an index whose vectors are in another file."""
    vectors = unit_vectors(40)
    dimension = vectors.shape[1]
    quantizer = faiss.IndexFlatIP(dimension)
    index = faiss.IndexIVFFlat(quantizer, dimension, 1, faiss.METRIC_INNER_PRODUCT)
    index.train(vectors)
    lists = FAISS.OnDiskInvertedLists(1, 4 * dimension, str(path))
    index.replace_invlists(lists, False)
    outer = faiss.IndexIDMap2(index) if in_id_map else index
    outer.add_with_ids(vectors[:1], np.array([1]))
    return faiss.serialize_index(outer)


def run_command(*words):
    command = [sys.executable, "-m", "audiosearch", *map(str, words)]
    options = {"cwd": Path(__file__).parents[2], "timeout": SECONDS}
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)
