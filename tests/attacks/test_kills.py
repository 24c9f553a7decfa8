"""Commands that are killed, or find a full disk, at random instants: no stored track is lost."""

import contextlib
import json
import random
import shutil
import sqlite3
import sys
from dataclasses import dataclass, replace

import numpy as np
import pytest
from forked_commands import Forks
from sounds import encode, tone, write
from tracks import some_track, unit_vectors

from audiosearch import Index, add
from audiosearch.library.track import EmbeddingSpec
from audiosearch.maintenance.doctor import State, examine

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")

N_SOUNDS = 8
DIMENSION = 16


def fill(folder, n_tracks, *, directory="/music"):
    """Make an index of made-up tracks."""
    spec = EmbeddingSpec("made-up", "made-up", dimension=DIMENSION)
    rng = np.random.default_rng(0)
    centers = unit_vectors(20, seed=1, dimension=DIMENSION)[rng.integers(20, size=n_tracks)]
    vectors = centers + 0.2 * unit_vectors(n_tracks, dimension=DIMENSION)
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    tracks = [
        replace(some_track(number, directory), artist=f"Artist {number % 9}")
        for number in range(n_tracks)
    ]
    with Index(folder, spec=spec) as index:
        index.add_all(zip(tracks, vectors, strict=True))
        index.sync()


def sounds(folder, seconds=0.3):
    (folder / "music").mkdir()
    for number in range(N_SOUNDS):
        write(folder / "music" / f"{number}.wav", tone(200 + 50 * number, seconds))


def to_add(folder):
    sounds(folder)


def to_reembed(folder):
    sounds(folder)
    add(folder / "index", [folder / "music"], model="compact", n_jobs=1)
    with Index(folder / "index") as index:
        index.storage.set_settings({"fingerprint": "former"})


def to_add_moments(folder):
    sounds(folder, 3.0)
    add(folder / "index", [folder / "music"], model="compact", n_jobs=1)


def to_reembed_moments(folder):
    sounds(folder, 3.0)
    add(folder / "index", [folder / "music"], model="compact", moments=True, n_jobs=1)
    with Index(folder / "index") as index:
        index.storage.set_settings({"fingerprint": "former"})


def to_optimize(folder):
    fill(folder / "index", 1_500)


def to_import(folder):
    fill(folder / "index", 50)
    np.save(folder / "new.npy", unit_vectors(400, seed=2, dimension=DIMENSION))
    rows = [{"path": f"/new/{number}.mp3"} for number in range(400)]
    (folder / "new.json").write_text(json.dumps(rows))


def to_copy(folder):
    fill(folder / "index", 2_500)


def to_relocate(folder):
    fill(folder / "index", 300)


def to_map(folder):
    fill(folder / "index", 45)


def to_repair(folder):
    """Damage the tree of the database, and leave new tracks in its log."""
    fill(folder / "other", 300)
    with Index(folder / "other") as index:
        track = replace(some_track(1_000), title="Late")
        index.add(track, unit_vectors(1, seed=3, dimension=DIMENSION)[0])
        shutil.copytree(folder / "other", folder / "index")
    shutil.rmtree(folder / "other")
    path = folder / "index" / "audiosearch.db"
    content = bytearray(path.read_bytes())
    for at in range(4096, len(content), 4096):
        if content[at] in (2, 5):
            content[at : at + 4096] = bytes(4096)
    path.write_bytes(content)


def to_refresh(folder):
    (folder / "music").mkdir()
    for title in ("before", "after"):
        for number in range(N_SOUNDS):
            path = folder / "music" / f"{number}.flac"
            encode(path, tone(300, 0.2), 16_000, container="flac", codec="flac", title=title)
        if title == "before":
            fill_from_files(folder)


def fill_from_files(folder):
    spec = EmbeddingSpec("made-up", "made-up", dimension=DIMENSION)
    vectors = unit_vectors(N_SOUNDS, dimension=DIMENSION)
    with Index(folder / "index", spec=spec) as index:
        for path, vector in zip(sorted((folder / "music").iterdir()), vectors, strict=True):
            index.add(replace(some_track(1), path=str(path), title="before"), vector)
        index.sync()


def to_prune(folder):
    (folder / "music").mkdir()
    fill(folder / "index", 60, directory=folder / "music")
    for number in range(0, 60, 2):
        (folder / "music" / f"{number}.mp3").touch()


def to_remove(folder):
    fill(folder / "index", 400)


def to_find_duplicates(folder):
    sounds(folder, 1.5)
    for number in range(N_SOUNDS):
        shutil.copy(folder / "music" / f"{number}.wav", folder / "music" / f"{number} copy.wav")
        with (folder / "music" / f"{number} copy.wav").open("ab") as file:
            file.write(b"\0" * 2)
    add(folder / "index", [folder / "music"], model="compact", n_jobs=1)


@dataclass(frozen=True)
class Case:
    """A command, the function that prepares a folder for it, and what it writes.

    Attributes
    ----------
    is_atomic : bool
        Whether the command's changes of the tracks are all stored, or none.
    results : tuple of str
        Names of the indexes that it reads or writes.
    is_done : str, optional
        Part of the error if nothing is left to do.
    """

    prepare: object
    command: str
    is_atomic: bool = True
    results: tuple[str, ...] = ("index",)
    is_done: str | None = None


CASES = {
    "add": Case(to_add, "add music -j 1 --model compact", is_atomic=False),
    "reembed": Case(to_reembed, "reembed --model compact -j 1", is_done="already holds"),
    "add --moments": Case(to_add, "add music -j 1 --model compact --moments", is_atomic=False),
    "refresh --moments": Case(to_add_moments, "refresh --moments -j 1", is_atomic=False),
    "reembed with moments": Case(
        to_reembed_moments, "reembed --model compact -j 1", is_done="already holds"
    ),
    "refresh --no-moments": Case(to_reembed_moments, "refresh --no-moments"),
    "optimize": Case(to_optimize, "optimize --max-memory 80kB --target-recall 0.3"),
    "import": Case(to_import, "import new.npy new.json"),
    "copy": Case(to_copy, "copy index copied", is_atomic=False, results=("index", "copied")),
    "relocate": Case(to_relocate, "relocate /music /moved", is_done="has no track under"),
    "map": Case(to_map, "map -o map.html"),
    "doctor": Case(to_repair, "doctor --repair --model compact"),
    "refresh": Case(to_refresh, "refresh", is_atomic=False),
    "prune": Case(to_prune, "prune --force -y"),
    "remove": Case(to_remove, "remove /music", is_done="has no track under"),
    "duplicates": Case(to_find_duplicates, "duplicates -j 1"),
    "export": Case(to_remove, "export exported"),
}


def state(index, *, has_ids):
    """Return what an index holds: its tracks with their vectors and moments, and its model.

    Files that are added at about the same time get their ids in any order.
    """
    if not Index.exists(index):
        return {}, None
    with Index(index) as opened, opened.storage.all_with_vectors() as (_, rows):
        tracks = {
            track.path: (
                track if has_ids else replace(track, id=0),
                vector.tobytes(),
                moments(opened, track),
            )
            for track, vector in rows
        }
        return tracks, opened.spec


def moments(index, track):
    """Return the moments of a track as bytes; None if it has none."""
    found = index.moments_of(track)
    return found and (found.codes.tobytes(), found.sounds and found.sounds.to_bytes())


def revisions(index):
    """Return each track's id, and the revisions of its vector and moments: they grow on a write."""
    path = index / "audiosearch.db"
    if not Index.exists(index):
        return {}
    with contextlib.closing(sqlite3.connect(path)) as connection:
        found = {}
        for table in ("vectors", "moments"):
            sql = f"SELECT path, id, revision FROM tracks JOIN {table} ON id = track_id"
            found |= {(table, path): tuple(numbers) for path, *numbers in connection.execute(sql)}
        return found


def is_damaged(folder):
    return Index.exists(folder / "index") and examine(folder / "index")[0].state is State.ERROR


def files(folder):
    """Return the names of all files but the copies of damaged databases."""
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*"))
    return sorted(name for name in names if ".damaged-" not in name)


@pytest.fixture(scope="module")
def forks():
    with Forks() as forks:
        yield forks


class Attack:
    """A command that is disturbed and run again, and compared with an undisturbed run."""

    def __init__(self, case, forks, folder):
        self.case, self._forks, self._folder = case, forks, folder / "run" / "here"
        self._prepared = folder / "run" / "prepared"
        self._folder.mkdir(parents=True)
        case.prepare(self._folder)
        shutil.copytree(self._folder, self._prepared)
        self._before = None if is_damaged(self._folder) else self._states()
        self._command = case.command.split()
        undisturbed = self._run()
        assert undisturbed.status == 0, undisturbed.said
        self.seconds = undisturbed.seconds
        self._after, self._files = self._states(), files(self._folder)

    def _run(self, **options):
        return self._forks.run(*self._command, folder=self._folder, **options)

    def _states(self):
        has_ids = self.case.is_atomic
        return [state(self._folder / name, has_ids=has_ids) for name in self.case.results]

    def disturb(self, **options):
        """Run the command in the same folder as before, disturbed. Check, and run it again."""
        shutil.rmtree(self._folder)
        shutil.copytree(self._prepared, self._folder)
        disturbed = self._run(**options)
        if not disturbed.status:  # on a busy machine, the first run may have taken longer
            self.seconds = min(self.seconds, disturbed.seconds)
        assert "Traceback" not in disturbed.said
        assert disturbed.status < 1 or "hint: " in disturbed.said, disturbed.said
        self._check()
        result = self._folder / self.case.results[-1]
        stored = {} if self.case.is_atomic else revisions(result)
        again = self._run()
        is_done = self.case.is_done is not None and self.case.is_done in again.said
        assert again.status == 0 or is_done, again.said
        if is_done:  # the next search brings the FAISS file up to date
            with Index(result) as index:
                index.sync()
        assert self._states() == self._after
        assert stored.items() <= revisions(result).items()  # nothing is done again
        assert files(self._folder) == self._files
        return disturbed

    def _check(self):
        """Check that no stored track is lost, and none is wrong."""
        if self._before is None and is_damaged(self._folder):
            return
        assert not is_damaged(self._folder)
        befores = self._after if self._before is None else self._before
        for now, before, after in zip(self._states(), befores, self._after, strict=True):
            if self.case.is_atomic:
                assert now in (before, after)
            else:
                tracks, spec = now
                possible = [before[0].items(), after[0].items()]
                assert all(any(item in p for p in possible) for item in tracks.items())
                assert before[0].keys() & after[0].keys() <= tracks.keys()
                assert spec in (before[1], after[1])


@pytest.fixture(scope="module", params=CASES)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def attack(name, forks, tmp_path_factory):
    return Attack(CASES[name], forks, tmp_path_factory.mktemp("attack"))


def test_a_killed_command_loses_nothing_and_completes_when_run_again(name, attack, request):
    n_kills, rng = request.config.getoption("--kills"), random.Random(name)
    n_killed = 0
    for _ in range(n_kills):
        n_killed += attack.disturb(kill_after=rng.uniform(0, 1.1 * attack.seconds)).status < 0
    print(f"{name}: killed {n_killed} times of {n_kills}, in {attack.seconds:.2f} s; 0 lost")


def test_a_command_that_finds_a_full_disk_loses_nothing_and_completes_later(name, attack, request):
    n_tries, rng = -(-request.config.getoption("--kills") // 5), random.Random(name)
    n_failed = 0
    for _ in range(n_tries):
        limit = int(2 ** rng.uniform(10, 19))
        n_failed += attack.disturb(max_file_bytes=limit).status != 0
    print(f"{name}: failed {n_failed} times of {n_tries}; 0 lost")
