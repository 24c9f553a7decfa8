"""Opening an index: indexes of newer versions, and missing permissions."""

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sounds import tone, write
from tracks import SPEC, some_track, unit

from audiosearch import Index, IndexUnwritable, NewerIndex
from audiosearch.maintenance.doctor import examine, repair


@pytest.fixture
def index(tmp_path):
    """An index of one track in a folder."""
    folder = str(tmp_path / "index")
    with Index(folder, spec=SPEC) as opened:
        opened.add(some_track(1), unit())
    return folder


# Newer versions


def add_migration(index, name, *, migration_set="audiosearch"):
    with contextlib.closing(sqlite3.connect(Path(index, "audiosearch.db"))) as database, database:
        database.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES (?, ?, ?)",
            [migration_set, name, "2030-01-01 00:00:00"],
        )


@pytest.fixture
def newer(index):
    """An index with two migrations of a later version."""
    add_migration(index, "m900_create_moods")
    add_migration(index, "m901_count_moods")
    return index


def test_an_index_with_a_later_migration_is_refused_and_the_migration_named(newer):
    for options in ({}, {"spec": SPEC}):
        with pytest.raises(NewerIndex, match="m900_create_moods, m901_count_moods"):
            Index(newer, **options)


def test_a_newer_index_is_not_repaired(newer):
    before = Path(newer, "audiosearch.db").read_bytes()
    for function in (examine, repair):
        with pytest.raises(NewerIndex):
            function(newer)
    assert Path(newer, "audiosearch.db").read_bytes() == before


COMMANDS = [
    *("list", "info", "doctor", "failures", "optimize", "duplicates", "prune", "refresh", "serve"),
    *("query #1", "playlist #1", "evaluate --by artist", "remove #1", "relocate / /x"),
    *(
        "doctor --repair",
        "doctor --repair --model compact",
        "reembed --model compact",
        "map -o m.html",
    ),
    *("export exported", "import new.npy new.json", "add a.wav", "copy other"),
]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_refuses_a_newer_index_in_one_sentence_and_leaves_it(newer, run, command):
    folder = Path(newer)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    write(Path("a.wav"), tone())
    np.save("new.npy", np.eye(128)[:1])
    Path("new.json").write_text('[{"path": "/imported.mp3"}]', encoding="utf-8")
    name, *rest = command.split()
    if name == "copy":
        Index("other", spec=SPEC).close()
        result = run("copy", "other", newer)
    else:
        result = run(name, *rest, "--index", newer)
    assert result.exit_code == 1
    assert "newer version" in result.stderr
    assert "m900_create_moods" in result.stderr
    assert "pip install" in result.stderr
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_damaged_newer_index_is_not_repaired(newer):
    path = Path(newer, "audiosearch.db")
    content = path.read_bytes()
    content = content[:50] + bytes(50) + content[100:]  # of the header
    path.write_bytes(content)
    with pytest.raises(NewerIndex, match="m900_create_moods, m901_count_moods"):
        repair(newer)
    assert path.read_bytes() == content


def test_an_open_index_that_a_newer_version_changes_is_not_written_any_more(index):
    with Index(index) as opened:
        opened.add(some_track(2), unit())
        add_migration(index, "m900_create_moods")
        with contextlib.closing(sqlite3.connect(Path(index, "audiosearch.db"))) as database:
            database.execute("CREATE TABLE moods (name TEXT)")
        with pytest.raises(NewerIndex, match="m900_create_moods"):
            opened.add(some_track(3), unit())
        assert opened.n_tracks == 2


def test_migrations_of_other_programs_do_not_matter(index):
    add_migration(index, "m900_create_moods", migration_set="other program")
    with Index(index) as opened:
        assert opened.n_tracks == 1


@pytest.mark.slow
def test_a_collection_with_a_later_version_is_refused_and_the_version_named(tmp_path):
    location = f"milvus+lite://{tmp_path / 'index.db'}"
    with Index(location, spec=SPEC) as opened:
        opened.storage.set_settings({"schema": "7"})
    with pytest.raises(NewerIndex, match="version 7"):
        Index(location)


@pytest.mark.slow
def test_a_collection_with_a_field_of_a_later_version_is_refused(tmp_path, monkeypatch):
    from audiosearch.library.milvus import database

    location = f"milvus+lite://{tmp_path / 'index.db'}"
    Index(location, spec=SPEC).close()
    monkeypatch.setattr(database, "FIELDS", database.FIELDS - {"genres"})
    with pytest.raises(NewerIndex, match="field genres"):
        Index(location)


# Permissions


def without_permissions(*arguments):
    """Run a command line as a user who isn't root, or as root without root's privileges."""
    command = [sys.executable, "-m", "audiosearch", *map(str, arguments)]
    if os.geteuid() == 0:
        setpriv = shutil.which("setpriv")
        assert setpriv, "Install util-linux: root may open everything."
        command = [setpriv, "--bounding-set=-dac_override,-dac_read_search", *command]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(params=["index", "index/audiosearch.db", "index/audiosearch.db-wal", "."])
def closed(request, tmp_path, index):
    """A folder or file that can't be opened, and the index that needs it."""
    parent = tmp_path / "parent"
    parent.mkdir()
    shutil.move(index, parent)
    path = parent / request.param
    path.exists() or path.touch()
    mode = path.stat().st_mode
    path.chmod(0)
    yield path, parent / "index"
    path.chmod(mode)


def test_a_missing_permission_is_named(closed):
    path, index = closed
    result = without_permissions("list", "--index", index)
    assert result.returncode == 1
    assert f"permission to open {path}." in result.stderr.replace("\n", " ")
    assert "chmod" in result.stderr
    assert "Traceback" not in result.stderr


def shut_folder(tmp_path, _index):
    (tmp_path / "shut").mkdir(mode=0o500)
    return tmp_path / "shut" / "index"


def shut_database(_tmp_path, index):
    Path(index, "audiosearch.db").chmod(0o400)
    return Path(index)


def file_for_a_folder(tmp_path, _index):
    (tmp_path / "file").touch()
    return tmp_path / "file" / "index"


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        pytest.param(
            shut_folder, "you don't have the permission to write to {parent}", id="folder"
        ),
        pytest.param(
            shut_database,
            "you don't have the permission to write to {path}/audiosearch.db",
            id="database",
        ),
        pytest.param(file_for_a_folder, "{parent} is not a folder", id="file"),
        pytest.param(
            lambda *_: Path("/proc/index"), "no file can be created in /proc (", id="file system"
        ),
    ],
)
def test_an_index_that_cannot_be_written_is_reported_before_files_are_decoded(
    location, reason, tmp_path, index
):
    path = location(tmp_path, index)
    sound = tmp_path / "sound.wav"
    sound.touch()  # decoding it would be another error
    result = without_permissions("add", sound, "--index", path)
    assert result.returncode == 1
    expected = reason.format(path=path, parent=path.parent)
    assert f"Can't write an index to {path}: {expected}" in " ".join(result.stderr.split())
    assert "sound.wav" not in result.stderr
    assert "--index DIR" in result.stderr


def test_checking_that_an_index_can_be_written_leaves_nothing(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    Index.check_writable(folder / "new" / "index")
    assert list(folder.iterdir()) == []


def test_an_error_of_the_operating_system_is_a_missing_permission(index, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "stat", refuse)
    with pytest.raises(IndexUnwritable, match="permission"):
        Index(index)
