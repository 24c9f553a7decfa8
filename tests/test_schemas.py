"""Indexes of every former version work, and migrations don't change."""

import json
import re
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from sounds import melody, write
from sqlite_utils import Database

from audiosearch import Index
from audiosearch.library.sqlite.migrations import migrations
from audiosearch.library.sqlite.schema import schema_problems
from audiosearch.models.registry import compact

SCHEMAS = Path(__file__).parent / "schemas"
FROZEN = SCHEMAS / "migrations.sql"
FORMER = sorted(path.stem for path in SCHEMAS.glob("m0*.sql"))
ALL = migrations.pending(Database(memory=True))
MENDING = "m011_mend_former_schemas"


def dumped(name, folder):
    """Make the index that a dump describes."""
    folder.mkdir()
    with sqlite3.connect(folder / "audiosearch.db") as connection:
        connection.executescript((SCHEMAS / f"{name}.sql").read_text())
        connection.execute("UPDATE settings SET value = 'former' WHERE key = 'fingerprint'")
        connection.execute("PRAGMA journal_mode = WAL")
    connection.close()
    return folder


@pytest.fixture
def former(tmp_path, name, is_upgraded):
    """An index as a former version made it, or as the last version before this one left it."""
    folder = dumped(name, tmp_path / "index")
    if is_upgraded and not MENDING.startswith(name):
        db = Database(folder / "audiosearch.db")
        migrations.apply(db, stop_before=MENDING)
        db.close()
    return folder


of_former_versions = pytest.mark.parametrize("name", FORMER)
also_upgraded = pytest.mark.parametrize("is_upgraded", [False, True], ids=["as made", "upgraded"])


def columns(db):
    return {name: set(db.table(name).columns) for name in db.table_names()}


def statements(db):
    """Return the SQL of tables, indexes and triggers by name, without quotes and line breaks."""
    rows = db.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
    return {name: " ".join(re.sub(r'["`\[\]]', "", sql).split()) for name, sql in rows}


@of_former_versions
@also_upgraded
def test_an_index_of_a_former_version_can_be_read(former, run):
    for command in ("list", "info", "failures", "doctor", "duplicates"):
        assert run(command, "--index", former).exit_code == 0, command
    hits = json.loads(run("query", "#1", "--index", former, "--format", "json").stdout)["hits"]
    assert [hit["path"] for hit in hits] in (["/music/a.wav"], ["/music/a.flac"])
    assert "Song" in run("query", "#2", "--artist", "band", "--index", former).stdout
    (failure,) = json.loads(run("failures", "--index", former, "--format", "json").stdout)[
        "failures"
    ]
    assert failure["path"] == "/music/bad.wav"


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[] if "-" in n else pytest.mark.long) for n in FORMER]
)
@pytest.mark.parametrize("is_upgraded", [False], ids=["as made"])
def test_an_index_of_a_former_version_can_be_changed_by_every_command(former, run, tmp_path):
    with Index(former) as index:
        names = {track.id: Path(track.path).name for track in index}
    music = tmp_path / "music"
    music.mkdir()
    for name in ("a.wav", "a.flac"):
        write(music / name, melody())
    np.save("new.npy", np.eye(128)[:1])
    Path("new.json").write_text('[{"path": "/imported.mp3"}]', encoding="utf-8")
    for command in (
        ("relocate", "/music", music),
        ("reembed", "--model", "compact"),
        ("refresh",),
        ("refresh", "--sounds"),
        ("duplicates",),
        ("import", "new.npy", "new.json"),
        ("remove", "/imported.mp3"),
        ("map", "-o", "map.html"),
        ("optimize",),
        ("export", "exported"),
        ("add", "-j", "1", music),
        ("prune",),
        ("doctor", "--repair"),
    ):
        result = run(*command, "--index", former)
        assert result.exit_code == 0, (command, result.stderr)
    result = run("copy", former, "copy")
    assert result.exit_code == 0, result.stderr
    for folder in (former, "copy"):
        with Index(folder) as index:
            assert index.spec.weights_digest == compact().weights_digest
            assert {track.id: Path(track.path).name for track in index} == names
            assert index.storage.problems() == []
            index.require_sounds()


@of_former_versions
@also_upgraded
def test_an_index_of_a_former_version_gets_the_schema_of_a_new_one(former):
    db, new = Database(former / "audiosearch.db"), Database(memory=True)
    migrations.apply(db)
    migrations.apply(new)
    assert columns(db) == columns(new)
    mended, expected = statements(db), statements(new)
    assert mended.keys() == expected.keys()
    assert {name: sql for name, sql in mended.items() if "TRIGGER" in sql} == {
        name: sql for name, sql in expected.items() if "TRIGGER" in sql
    }
    assert schema_problems(db) == []


@pytest.mark.parametrize("number", range(len(ALL)), ids=[migration.name for migration in ALL])
def test_released_migrations_are_frozen(number):
    db = Database(memory=True)
    for migration in ALL[:number]:
        migration.fn(db)
    before = statements(db)
    ALL[number].fn(db)
    changes = [f"{sql};" for name, sql in statements(db).items() if before.get(name) != sql]
    sections = FROZEN.read_text().split("-- ")
    frozen = {name: body.splitlines() for name, _, body in (s.partition("\n") for s in sections)}
    assert frozen.get(ALL[number].name) == changes, (
        f"Write a new migration instead of changing one. If this one is new, append to {FROZEN}:\n"
        + "\n".join([f"-- {ALL[number].name}", *changes])
    )


@pytest.mark.parametrize(
    ("statement", "part"),
    [
        ("ALTER TABLE pending_vectors DROP COLUMN content_hash", "column content_hash"),
        ("ALTER TABLE tracks DROP COLUMN genre", "column genre of the table tracks"),
        ("DROP TABLE prints", "table prints"),
        ("DROP TABLE pending_vectors", "table pending_vectors"),
        ("DROP TRIGGER track_changed", "trigger track_changed"),
        ("DROP INDEX idx_vectors_revision", "index idx_vectors_revision"),
    ],
)
def test_doctor_names_what_the_schema_lacks_and_repairs_it(statement, part, tmp_path, run):
    folder = dumped("m009", tmp_path / "index")
    db = Database(folder / "audiosearch.db")
    migrations.apply(db)
    db.execute(statement)
    db.close()
    result = run("doctor", "--index", folder)
    assert (result.exit_code, f"{part} " in result.stdout) == (1, True), result.stdout
    assert run("doctor", "--repair", "--index", folder).exit_code == 0
    with Index(folder) as index:
        assert index.storage.problems() == []
        assert [track.title for track in index] == ["Song", None]
        assert [track.year for track in index] == [1999, None]
