"""Databases that were emptied, cut, deleted or replaced beside a write-ahead log: the log stays."""

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tracks import SPEC, some_track, unit_vectors

from audiosearch import Index, LibraryError
from audiosearch.maintenance.doctor import State, examine, repair

N_TRACKS = 8
DATABASE, LOG, SHARED = "audiosearch.db", "audiosearch.db-wal", "audiosearch.db-shm"


def written(folder, numbers, *, name="Song"):
    """Write tracks to an index."""
    vectors = unit_vectors(N_TRACKS)
    with Index(folder, spec=SPEC) as index:
        for number in numbers:
            track = replace(some_track(number), title=f"{name} {number}")
            index.add(track, vectors[number])
    return folder


def killed(folder, target, *, base=()):
    """Copy an index as a process leaves it that is killed after it has added all tracks.

    The tracks of the numbers in ``base`` are in the database, the others only in the log. Without
    them, the log holds the tables and settings, too.
    """
    if base:
        written(folder, base)
    with Index(folder, spec=SPEC) as index:
        for number in range(N_TRACKS):
            if number not in base:
                index.add(some_track(number), unit_vectors(N_TRACKS)[number])
        shutil.copytree(folder, target)
    return target


def titles(folder):
    with Index(folder) as index:
        return sorted(track.title for track in index)


ALL = [f"Song {number}" for number in range(N_TRACKS)]


def test_the_log_of_a_killed_process_is_applied(tmp_path):
    folder = killed(tmp_path / "a", tmp_path / "b", base=range(3))
    assert (folder / LOG).stat().st_size
    assert titles(folder) == ALL


@pytest.mark.parametrize("content", [None, b"", b"SQLite format 3\0"])
def test_the_log_of_a_missing_shared_memory_file_is_applied(tmp_path, content):
    folder = killed(tmp_path / "a", tmp_path / "b", base=range(3))
    (folder / SHARED).unlink()
    if content is not None:
        (folder / SHARED).write_bytes(content)
    assert titles(folder) == ALL


def empty(folder):
    (folder / DATABASE).write_bytes(b"")


def cut(folder):
    (folder / DATABASE).write_bytes((folder / DATABASE).read_bytes()[:50])


def zero(folder):
    (folder / DATABASE).write_bytes(bytes((folder / DATABASE).stat().st_size))


def delete(folder):
    (folder / DATABASE).unlink()


LOST = [empty, cut, zero, delete]


COMMANDS = ["list", "info", "add a.wav", "query #1", "optimize", "import new.npy new.json"]


@pytest.mark.parametrize(
    ("command", "damage"),
    [("list", damage) for damage in LOST] + [(command, empty) for command in COMMANDS[1:]],
)
def test_a_log_without_its_database_is_kept_by_every_command(tmp_path, run, damage, command):
    folder = killed(tmp_path / "a", tmp_path / "b")
    damage(folder)
    log = (folder / LOG).read_bytes()
    Path("a.wav").write_bytes(b"")
    Path("new.npy").write_bytes(b"")
    Path("new.json").write_bytes(b"")
    result = run(*command.split(), "--index", folder)
    assert result.exit_code == 1
    assert (folder / LOG).read_bytes() == log
    if not command.startswith("import"):  # which reads its files first
        assert "audiosearch.db-wal" in result.stderr
        assert "`audiosearch doctor --repair`" in result.stderr


@pytest.mark.parametrize("damage", LOST)
def test_a_log_without_its_database_is_not_a_new_index(tmp_path, damage):
    folder = killed(tmp_path / "a", tmp_path / "b")
    damage(folder)
    assert Index.exists(folder)
    for spec in (None, SPEC):
        with pytest.raises(LibraryError, match="-wal is not"):
            Index(folder, spec=spec)


@pytest.mark.parametrize("damage", LOST)
def test_repair_saves_what_the_log_holds_and_keeps_the_log(tmp_path, damage):
    folder = killed(tmp_path / "a", tmp_path / "b")
    damage(folder)
    log = (folder / LOG).read_bytes()
    (finding,) = examine(folder)
    assert (finding.check, finding.state) == ("database", State.ERROR)
    assert repair(folder)[0] == f"{N_TRACKS} tracks saved, none known to be lost."
    assert titles(folder) == ALL
    assert (folder / f"{DATABASE}.damaged-1-wal").read_bytes() == log


@pytest.mark.parametrize("damage", LOST)
def test_repair_saves_the_tracks_of_a_log_that_names_no_model(tmp_path, damage):
    folder = killed(tmp_path / "a", tmp_path / "b", base=range(3))
    damage(folder)
    with pytest.raises(LibraryError, match="model is lost"):
        repair(folder)
    repair(folder, model="compact")
    assert titles(folder) == ALL  # the tracks share pages


@pytest.mark.parametrize("n_bytes", [4_096, 8_300, 40_000])
def test_nothing_is_lost_of_a_log_whose_database_was_cut(tmp_path, n_bytes):
    folder = killed(tmp_path / "a", tmp_path / "b", base=range(3))
    (folder / DATABASE).write_bytes((folder / DATABASE).read_bytes()[:n_bytes])
    assert examine(folder)[0].state is State.ERROR
    repair(folder, model="compact")
    assert titles(folder) == ALL


def test_a_repair_that_is_killed_before_its_end_can_be_repeated(tmp_path, monkeypatch):
    folder = killed(tmp_path / "a", tmp_path / "b")
    empty(folder)
    from audiosearch.library.folder import recovery

    real = recovery.system.replace
    for n_allowed in range(2):
        n_done = 0

        def replace_until_killed(*paths, limit=n_allowed):
            nonlocal n_done
            if n_done == limit:
                raise KeyboardInterrupt
            n_done += 1
            real(*paths)

        with monkeypatch.context() as patch:
            patch.setattr(recovery.system, "replace", replace_until_killed)
            try:
                repair(folder)
            except KeyboardInterrupt:
                assert Index.exists(folder)
    repair(folder)
    assert titles(folder) == ALL
    assert not list(folder.glob(".repaired-*"))


def by_another_index(folder):
    """Replace the database by that of an index with other tracks, which was closed properly."""
    other = written(folder.parent / "other", range(3), name="Other")
    shutil.copy(other / DATABASE, folder / DATABASE)
    return ["Other 0", "Other 1", "Other 2"]


def by_an_older_state(folder):
    """Replace the database by a copy of it that was made earlier."""
    shutil.copy(folder.parent / "backup" / DATABASE, folder / DATABASE)
    return ["Song 0"]


@pytest.fixture
def hot(tmp_path):
    """An index with a log, and a backup of it from before."""
    written(tmp_path / "a", range(1))
    shutil.copytree(tmp_path / "a", tmp_path / "backup")
    for number in range(1, 4):
        written(tmp_path / "a", [number])
    return killed(tmp_path / "a", tmp_path / "b", base=range(4))


@pytest.mark.parametrize("replaced", [by_another_index, by_an_older_state])
def test_a_log_is_not_applied_to_another_database(hot, run, replaced):
    expected = replaced(hot)
    database, log = (hot / DATABASE).read_bytes(), (hot / LOG).read_bytes()
    for command in ("list", "doctor", "prune --dry-run"):
        result = run(*command.split(), "--index", hot)
        assert result.exit_code == 1
        assert "belongs to another database" in result.stderr + result.stdout
    assert ((hot / DATABASE).read_bytes(), (hot / LOG).read_bytes()) == (database, log)
    done = repair(hot)
    assert "saved, none known to be lost" in done[0]
    assert titles(hot) == expected
    assert (hot / f"{DATABASE}.damaged-1-wal").read_bytes() == log
    assert examine(hot)[0].state is State.OK


def test_the_log_of_an_open_index_outlives_readers_in_this_process_and_another(tmp_path):
    folder = written(tmp_path / "index", range(N_TRACKS))
    reading = "import sys; from audiosearch import Index; Index(sys.argv[1]).close()"
    with Index(folder) as changed:
        changed.remove([next(iter(changed))])
        Index(folder).close()
        subprocess.run([sys.executable, "-c", reading, folder], check=True)
        assert (folder / LOG).stat().st_size
        assert len(list(changed)) == N_TRACKS - 1
