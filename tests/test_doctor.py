"""`audiosearch doctor`: check an index, and repair a damaged one."""

import json
import os
import random
import sqlite3
import struct

import numpy as np
import pytest

from audiosearch import Index, LibraryError, add, similar
from audiosearch.library.index import EmbeddingSpec, Failure, Track
from audiosearch.library.sqlite.page_recovery import Pages
from audiosearch.maintenance.doctor import State, examine, repair
from audiosearch.models.registry import compact
from audiosearch.models.tagger import tagger_digest

N_TRACKS = 600


@pytest.fixture(scope="module")
def vectors():
    vectors = np.random.default_rng(0).standard_normal((N_TRACKS, 128)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture
def database(tmp_path, vectors):
    """The database of an index from which one track was removed."""
    directory = tmp_path / "index"
    with Index(directory, spec=EmbeddingSpec("compact", compact().weights_digest)) as index:
        with index.transaction():
            for number, vector in enumerate(vectors):
                title = "long " * 2_000 if number == 7 else f"song {number}"
                path = f"/music/{number} \udcff.mp3"
                seconds = number / 4
                track = Track(path, 1, number, f"{number:032x}", seconds, 44_100, 2, "mp3", title)
                index.add(track, vector)
            index.storage.add_failures([Failure("/music/bad.mp3", "no sound", 3, 4)])
            index.remove(index.resolve_all("#500"))
        index.sync()
    return directory / "audiosearch.db"


def contents(directory):
    with Index(directory) as index, index.storage.all_with_vectors() as (_, rows):
        return {track: vector.tobytes() for track, vector in rows}


def page_1(content):
    content[:4096] = bytes(4096)


def header(content):
    content[:100] = b"junk" * 25


def inner_pages(content):
    """Wipe the inner pages of all B-trees. The rows stay in the leaf pages."""
    for at in range(4096, len(content), 4096):
        if content[at] in (2, 5):
            content[at : at + 4096] = bytes(4096)


@pytest.mark.parametrize("damage", [page_1, header, inner_pages])
def test_rows_are_saved_if_inner_pages_are_damaged(database, damage):
    before = contents(database.parent)
    content = bytearray(database.read_bytes())
    damage(content)
    database.write_bytes(content)
    (finding,) = examine(database.parent)
    assert (finding.check, finding.state) == ("database", State.ERROR)
    done = repair(database.parent)
    assert f"{N_TRACKS - 1} tracks saved" in done[0]
    assert contents(database.parent) == before
    assert (database.parent / "audiosearch.db.damaged-1").read_bytes() == content
    assert {finding.state for finding in examine(database.parent)} <= {State.OK, State.WARNING}
    with Index(database.parent) as index:
        assert [failure.reason for failure in index.storage.failures()] == ["no sound"]
        new = index.add(Track("/new", 1, 1, "", 1.0, 1, 1, "wav"), index.vector(next(iter(index))))
        assert new.id > N_TRACKS - 1


def test_rows_outside_damaged_pages_are_saved(database):
    before = contents(database.parent)
    content = bytearray(database.read_bytes())
    rng = random.Random(0)
    for page in rng.sample(range(5, len(content) // 4096), 12):
        content[page * 4096 : page * 4096 + 4096] = rng.randbytes(4096)
    database.write_bytes(content)
    faiss_file = (database.parent / "vectors.faiss").read_bytes()
    (database.parent / "vectors.faiss").unlink()
    repair(database.parent)
    after = contents(database.parent)
    assert after.items() <= before.items()
    assert len(after) > N_TRACKS - 12 * 30
    database.write_bytes(content)
    (database.parent / "vectors.faiss").write_bytes(faiss_file)  # with every vector
    repair(database.parent)
    assert contents(database.parent).items() <= before.items()
    assert len(contents(database.parent)) > len(after)


@pytest.mark.parametrize("has_faiss_file", [False, True])
def test_repair_says_how_many_tracks_are_lost_and_how_they_come_back(database, has_faiss_file):
    content = bytearray(database.read_bytes())
    pages = [at for at in range(4096, len(content), 4096) if b"song 321" in content[at : at + 4096]]
    content[pages[0] : pages[0] + 4096] = bytes(4096)
    database.write_bytes(content)
    if not has_faiss_file:
        (database.parent / "vectors.faiss").unlink()
    done = repair(database.parent)
    n_saved = len(contents(database.parent))
    n_lost = N_TRACKS - 1 - n_saved
    assert n_lost > 10
    assert done[0] == f"{n_saved} tracks saved, at least {n_lost} lost."
    assert "`audiosearch add`" in done[1]
    assert "audiosearch.db.damaged-1" in done[2]


def test_a_repair_that_loses_nothing_says_so(database):
    content = bytearray(database.read_bytes())
    inner_pages(content)
    database.write_bytes(content)
    done = repair(database.parent)
    assert done[0] == f"{N_TRACKS - 1} tracks saved, none known to be lost."
    assert not any("`audiosearch add`" in action for action in done)


def test_rows_of_a_truncated_database_are_saved(database):
    before = contents(database.parent)
    os.truncate(database, database.stat().st_size * 2 // 3 + 100)
    repair(database.parent)
    after = contents(database.parent)
    assert after.items() <= before.items()
    assert len(after) > N_TRACKS // 4


def test_rows_in_the_write_ahead_log_are_saved(database, vectors):
    writer = Index(database.parent)
    writer.add(Track("/late", 1, 1, "", 1.0, 1, 1, "wav"), vectors[0])
    log = database.with_name("audiosearch.db-wal").read_bytes()
    content = bytearray(database.read_bytes())
    writer.close()
    page_1(content)
    database.write_bytes(content)
    database.with_name("audiosearch.db-wal").write_bytes(log)
    rows = list(Pages(database.read_bytes(), log).rows())
    assert any(b"/late" in values for _, values in rows)


def test_the_model_can_be_named_if_the_database_lost_it(database):
    with sqlite3.connect(database) as connection:
        connection.execute("DELETE FROM settings")
    connection.close()
    content = bytearray(database.read_bytes())
    content = content.replace(compact().weights_digest.encode(), b"x" * 64)
    inner_pages(content)
    database.write_bytes(content)
    with pytest.raises(LibraryError, match="model is lost"):
        repair(database.parent)
    assert database.read_bytes() == content
    repair(database.parent, model="compact")
    with Index(database.parent) as index:
        assert index.spec.weights_digest == compact().weights_digest


def test_rows_of_an_intact_database_equal_those_that_sqlite_reads(tmp_path):
    path = tmp_path / "x.db"
    values = [None, 0, 1, -1, 127, 40_000, -(2**23), 2**31, -(2**47), 2**62, 0.5, "", "é" * 9_000]
    values += [b"", b"x" * 50_000]
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE t (a, b)")
        connection.executemany("INSERT INTO t VALUES (?, ?)", [(v, v) for v in values])
    connection.close()
    rows = [row for _, row in Pages(path.read_bytes()).rows() if len(row) == 2]
    assert rows == [[value, value] for value in values]


def test_removed_rows_are_not_recovered(database):
    with Index(database.parent) as index:
        index.remove(list(index)[:400])
    with sqlite3.connect(database) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    content = bytearray(database.read_bytes())
    for at in range(4096, len(content), 4096):
        if content[at] == 5:
            content[at : at + 4096] = bytes(4096)
    database.write_bytes(content)
    repair(database.parent)
    assert len(contents(database.parent)) == N_TRACKS - 401


@pytest.fixture
def intact(music):
    add("index", [music], model="compact")
    return "index"


def test_an_intact_index_passes_every_check(intact):
    findings = examine(intact)
    assert [finding.check for finding in findings] == [
        "database", "vectors", "search file", "files", "model", "sounds"
    ]  # fmt: skip
    assert {finding.state for finding in findings} == {State.OK}
    assert repair(intact) == []


def states(directory):
    return {finding.check: finding.state for finding in examine(directory)}


def corrupt(directory, embedding, track=1):
    with sqlite3.connect(os.path.join(directory, "audiosearch.db")) as connection:
        connection.execute(
            "UPDATE vectors SET embedding = ?, revision = revision + 100 WHERE track_id = ?",
            [embedding, track],
        )
    connection.close()


def test_vectors_of_another_length_are_scaled(intact):
    with Index(intact) as index:
        vector = index.vector(index.resolve("#1"))
    corrupt(intact, (3 * vector).tobytes())
    assert states(intact)["vectors"] is State.ERROR
    assert "1 vector was scaled to length 1." in repair(intact)
    assert states(intact)["vectors"] is State.OK
    with Index(intact) as index:
        np.testing.assert_allclose(index.vector(index.resolve("#1")), vector, atol=1e-6)


@pytest.mark.parametrize(
    "embedding",
    [
        struct.pack("<128f", *[np.nan] * 128),
        struct.pack("<128f", *[0.0] * 128),
        struct.pack("<128f", *[3e38] * 127, np.inf),
        b"short",
    ],
)
def test_tracks_without_a_usable_vector_are_removed_and_can_be_added(intact, music, embedding):
    corrupt(intact, embedding)
    assert states(intact)["vectors"] is State.ERROR
    assert "1 track without a usable vector removed" in repair(intact)[0]
    assert states(intact)["vectors"] is State.OK
    assert [outcome.status.value for outcome in add(intact, [music])].count("added") == 1


def test_a_damaged_faiss_file_is_reported_and_rebuilt(intact, music):
    (music.parent / "home" / intact / "vectors.faiss").write_bytes(b"junk")
    assert states(intact)["search file"] is State.WARNING
    assert repair(intact) == ["The FAISS file was rebuilt."]
    assert states(intact)["search file"] is State.OK
    assert len(similar(intact, music / "low.wav").hits) == 4


def test_missing_files_and_a_missing_model_are_warnings(intact, music):
    (music / "low.wav").unlink()
    with sqlite3.connect(os.path.join(intact, "audiosearch.db")) as connection:
        connection.execute("UPDATE settings SET value = 'x' WHERE key IN ('model', 'fingerprint')")
    connection.close()
    result = states(intact)
    assert (result["files"], result["model"]) == (State.WARNING, State.WARNING)
    assert (result["database"], result["vectors"]) == (State.OK, State.OK)


def test_the_command_exits_with_1_for_errors_and_suggests_repair(intact, run):
    assert run("doctor").exit_code == 0
    with open(os.path.join(intact, "audiosearch.db"), "r+b") as file:
        file.write(b"junk")
    for command in ("list", "info", "doctor"):
        result = run(command)
        assert result.exit_code == 1
        assert "`audiosearch doctor --repair`" in result.stderr
    assert run("doctor", "--repair").exit_code == 0
    checks = json.loads(run("doctor", "--format", "json").stdout)["checks"]
    assert {check["check"]: check["state"] for check in checks}["database"] == "ok"


@pytest.mark.parametrize(
    ("taggers", "state", "words"),
    [
        pytest.param(
            ["", tagger_digest()], State.WARNING, "1 of 2 tracks have no sounds", id="none"
        ),
        pytest.param(
            ["imported", tagger_digest()],
            State.WARNING,
            "1 of 2 tracks have sounds that",
            id="another",
        ),
        pytest.param([tagger_digest()], State.OK, "looked for in all tracks", id="its own"),
    ],
)
def test_sounds_of_another_tagger_are_named(tmp_path, vectors, taggers, state, words):
    with Index(
        tmp_path / "sounds", spec=EmbeddingSpec("compact", compact().weights_digest)
    ) as index:
        for number, tagger in enumerate(taggers):
            track = Track(
                f"/{number}.mp3", 1, 1, f"{number:032x}", 1.0, 44_100, 2, "mp3", tagger=tagger
            )
            index.add(track, vectors[number])
    (finding,) = [f for f in examine(tmp_path / "sounds") if f.check == "sounds"]
    assert (finding.state, words in finding.detail) == (state, True), finding
