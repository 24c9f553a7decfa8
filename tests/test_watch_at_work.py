"""`audiosearch watch` as a process: signals, many files and events, and what the page shows."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from in_process import answered
from pages import opened, watched
from playwright.sync_api import expect
from served import serving
from sounds import encode, melody, noise, tone, write
from waiting import wait_for
from watches import assert_like_new, complete, content, ids, names

from audiosearch import add
from audiosearch.maintenance.doctor import State, examine

#: Watches the folders in its arguments, with shorter waits than the command's.
PROGRAM = (
    "import sys; from watches import OPTIONS; from audiosearch.watching.watch import Watch\n"
    "for report in Watch(sys.argv[1], sys.argv[2:], OPTIONS): print(report, flush=True)"
)


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "audiosearch", "watch", *map(str, arguments)]


@contextlib.contextmanager
def running(arguments: list[str], **options) -> Iterator[subprocess.Popen[str]]:
    """Run a process until the end of the block."""
    process = subprocess.Popen(
        arguments,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@contextlib.contextmanager
def watching(index: Path, *folders: Path) -> Iterator[subprocess.Popen[str]]:
    """Watch folders in another process with short waits."""
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])
    }
    arguments = [sys.executable, "-c", PROGRAM, str(index), *map(str, folders)]
    with running(arguments, env=environment, stdout=subprocess.DEVNULL) as process:
        yield process


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A folder with two sounds."""
    folder = tmp_path / "Music"
    folder.mkdir()
    complete(write(folder / "low.wav", tone(220, 1.0)), write(folder / "hiss.wav", noise(1.0)))
    return folder


@pytest.fixture
def index(tmp_path: Path, library: Path) -> Path:
    """An index of them."""
    add(tmp_path / "index", library, model="compact", n_jobs=1)
    return tmp_path / "index"


# The process


@pytest.mark.parametrize(
    ("number", "status"),
    [
        pytest.param(signal.SIGTERM, 0, id="SIGTERM"),
        pytest.param(signal.SIGINT, 130, id="Ctrl-C"),
    ],
)
def test_a_signal_ends_it_while_it_embeds_and_nothing_is_half_done(
    tmp_path, number, status, figures
):
    folder = tmp_path / "long"
    folder.mkdir()
    first = write(folder / "0.wav", melody(1.0))
    rest = [write(folder / f"{n}.wav", melody(240.0, seed=n)) for n in range(1, 4)]
    complete(first, *rest)
    index = tmp_path / "index"
    with running(command(folder, "--index", index, "--model", "compact", "-j", 1)) as process:
        wait_for(lambda: names(index))
        started = time.monotonic()
        process.send_signal(number)
        assert process.wait(30) == status
        figures(seconds=f"{time.monotonic() - started:.2f}")
        said = process.stderr.read()
    assert "Stopped." in said
    assert "Traceback" not in said
    assert {finding.state for finding in examine(index)} <= {State.OK, State.WARNING}
    assert len(names(index)) < 4


def test_a_signal_ends_it_while_another_command_writes(index, library):
    with running(command(library, "--index", index, "-j", 1)) as process:
        assert "Watching" in process.stderr.readline()
        with contextlib.closing(sqlite3.connect(index / "audiosearch.db")) as other:
            other.execute("BEGIN IMMEDIATE")
            write(library / "new.wav", tone(900, 1.0))
            time.sleep(6.0)  # after three, it begins to wait for the other command
            process.terminate()
            assert process.wait(20) == 0


def test_it_prints_a_line_for_each_change_and_runs_with_a_low_priority(index, library):
    with running(command(library, "--index", index, "-j", 1, "--nice", 7)) as process:
        assert process.stderr.readline() == f"Watching {library}.\n"
        (library / "text.mp3").write_text("no sound")
        lines = iter(process.stderr.readline, "")
        assert f"failed: {library}/text.mp3: " in next(line for line in lines if ": " in line)
        assert next(lines).startswith("hint: ")
        assert psutil.Process(process.pid).nice() == psutil.Process().nice() + 7
        (library / "low.wav").rename(library / "moved.wav")
        assert next(lines) == f"moved: {library}/moved.wav\n"
        (library / "hiss.wav").unlink()
        assert next(lines) == f"removed: {library}/hiss.wav\n"


def test_a_wrong_folder_is_an_error_of_usage(run, index, library):
    result = run("watch", library / "nowhere", "--index", index)
    assert (result.exit_code, "There is no folder" in result.stderr) == (2, True)


# What the server says


def test_health_names_the_watched_folders_until_the_process_is_killed(index, library):
    with answered(index) as api:
        assert api.get("/health").json()["watching"] is None
        with running(command(library, "--index", index)) as process:
            (current,) = wait_for(lambda: api.get("/health").json()["watching"])
            assert current["folders"] == ["Music"]  # no path is sent
            assert current["since"].endswith("Z")
            process.kill()
            process.wait()
            wait_for(lambda: api.get("/health").json()["watching"] is None)


def test_the_page_says_what_is_watched(index, library, browser_page):
    with running(command(library, "--index", index)) as process:
        process.stderr.readline()
        with serving(index.parent, {}) as server, watched(browser_page):
            page = opened(browser_page, server.url, 2)
            expect(page.locator("#watching")).to_have_text("Watching Music")


def test_the_page_says_nothing_if_nothing_is_watched(index, browser_page):
    with serving(index.parent, {}) as server, watched(browser_page):
        page = opened(browser_page, server.url, 2)
        expect(page.locator("#watching")).to_be_hidden()


# Many files


def sound(path: Path, number: int, **tags: str) -> Path:
    samples = tone(200 + 3 * number, 0.3) + 0.3 * noise(0.3, seed=number)
    return encode(path, samples, 16_000, container="flac", codec="flac", **tags)


@contextlib.contextmanager
def queried(url: str) -> Iterator[list[int]]:
    """Send queries until the end of the block. Yields their statuses."""
    statuses, is_done = [], threading.Event()

    def send() -> None:
        with httpx.Client(base_url=f"{url}/api", timeout=120) as client:
            while not is_done.is_set():
                tracks = client.get("/tracks", params={"limit": 50}).json()["tracks"]
                track = random.choice(tracks)["id"]
                statuses.append(client.post("/query", data={"track": [track]}).status_code)

    thread = threading.Thread(target=send)
    thread.start()
    yield statuses
    is_done.set()
    thread.join()


@pytest.mark.parametrize(
    "n_files", [pytest.param(60, id="60"), pytest.param(1_000, id="1000", marks=pytest.mark.long)]
)
def test_the_index_equals_a_new_one_after_all_kinds_of_changes(
    n_files, index, library, tmp_path, figures
):
    source = tmp_path / "source"
    source.mkdir()
    for number in range(n_files):
        sound(source / f"{number}.flac", number, title="before")
    started = time.monotonic()
    with watching(index, library), serving(tmp_path, {}) as server, queried(server.url) as statuses:
        for album in range(4):
            (library / f"album{album}").mkdir()
            for number in range(album, n_files, 4):
                shutil.copy(source / f"{number}.flac", library / f"album{album}")
        wait_for(lambda: len(names(index)) == n_files + 2)
        figures(files=n_files, added_after=f"{time.monotonic() - started:.0f} s")
        before = ids(index)
        for number in range(0, n_files, 4):
            (library / "album0" / f"{number}.flac").rename(library / f"renamed{number}.flac")
        for number in range(1, n_files, 4):
            sound(library / "album1" / f"{number}.flac", number, title="after")
        for number in range(2, n_files, 4):
            (library / "album2" / f"{number}.flac").unlink()
        (library / "album3").rename(library / "album")
        wait_for(lambda: is_quiet(index, library))
    assert_like_new(index, library)
    after = ids(index)
    assert all(after[f"renamed{n}.flac"] == before[f"{n}.flac"] for n in range(0, n_files, 4))
    assert all(after[f"{n}.flac"] == before[f"{n}.flac"] for n in range(1, n_files, 2))
    assert set(statuses) <= {200, 404}  # a track may be removed before it is searched with
    figures(queries=len(statuses), found=f"{statuses.count(200)}")


def is_quiet(index: Path, library: Path) -> bool:
    """Return whether the index has the sizes and times of all files."""
    files = {str(path): path.stat() for path in library.rglob("*.*")}
    stored = {path: track for path, (track, _) in content(index).items()}
    return stored.keys() == files.keys() and all(
        (stored[path].size, stored[path].mtime_ns) == (status.st_size, status.st_mtime_ns)
        for path, status in files.items()
    )


@pytest.mark.long
def test_ten_thousand_files_at_once(tmp_path, figures):
    source, library, index = (tmp_path / name for name in ("source", "Music", "index"))
    source.mkdir()
    library.mkdir()
    sounds = [write(source / f"{n}.wav", tone(200 + n, 0.1)) for n in range(100)]
    started = time.monotonic()
    with watching(index, library) as process:
        for number in range(10_000):
            samples = sounds[number % 100].read_bytes() + number.to_bytes(4, "little")
            (library / f"{number}.wav").write_bytes(samples)
        while len(names(index)) < 10_000:
            assert process.poll() is None
            assert time.monotonic() - started < 3_000
            time.sleep(2)
    figures(seconds=f"{time.monotonic() - started:.0f}")
    assert_like_new(index, library)


@pytest.mark.parametrize(
    "n_events",
    [pytest.param(600, id="600"), pytest.param(10_000, id="10000", marks=pytest.mark.long)],
)
def test_memory_stays_flat_over_many_events(n_events, index, library, figures):
    megabytes = []
    with watching(index, library) as process:
        memory = psutil.Process(process.pid)
        for number in range(n_events // 100):
            for event in range(50):  # each makes two events or more
                os.utime(library / "low.wav")
                write(library / f"{event % 5}.wav", tone(300 + event % 5, 0.2))
            if number % 2:
                (library / "0.wav").unlink()
            wait_for(lambda: is_quiet(index, library))
            megabytes.append(memory.memory_info().rss / 1e6)
        assert process.poll() is None
    third = len(megabytes) // 3
    first, last = (
        statistics.median(part) for part in (megabytes[third : 2 * third], megabytes[-third:])
    )
    figures(events=n_events, first_mb=f"{first:.1f}", last_mb=f"{last:.1f}")
    assert last - first < 5
