"""Fixtures. Each test has its own cache and no network; checkpoints are made once per machine."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import sqlite3  # before any test imports TensorFlow, whose SQLite has no full-text search
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

# NumPy and FAISS read this when they are imported. The test workers share the cores, and FAISS's
# threads spin while they wait for each other: that took four times the CPU time.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import httpx
import numpy as np
import pytest
import tracks
from filelock import FileLock
from served import Served, library, serving
from songs import write_songs
from sounds import melody, noise, tone, write
from typer import testing

from audiosearch.cli import app
from audiosearch.maintenance.export_import import import_vectors
from audiosearch.system import IS_WINDOWS

# Each run of a command line would make all commands again, which takes longer than most commands.
testing._get_command = functools.cache(testing._get_command)

sqlite3.connect(":memory:").close()  # binds Python's own SQLite

# A shell starts background jobs with these signals ignored, and the commands that tests start
# would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
if not IS_WINDOWS:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

collect_ignore = ["benchmarks", "golden", "without_posix"]  # programs
if IS_WINDOWS:
    collect_ignore += [  # about limits and processes that only POSIX has
        *("attacks/test_confinement.py", "attacks/test_connections.py", "attacks/test_kills.py"),
        *("attacks/test_edited_databases.py", "attacks/test_uploads.py", "forked_commands.py"),
    ]

HERE = Path(__file__).parent
SHARED = HERE.parents[1] / "shared"
#: Folders in ../shared that some tests also use if they are there, and what those tests repeat.
BESIDE = {
    "audio": "tests with real recordings, which repeat those with synthesized sounds",
    "songs": "tests with vectors of real songs, which repeat those with made-up songs",
}
MISSING = {name for name in BESIDE if not (SHARED / name).is_dir()}
#: Slow test files (clusters, browsers, training, large indexes), the slowest first.
SLOW = [
    *("test_cluster", "test_training", "test_vggish", "test_page", "test_map"),
    "test_page_find",
    *("test_page_playlist", "test_page_playlist_settings", "test_page_playlist_addresses"),
    *("test_page_saved_playlists", "test_page_playlist_screens"),
    "test_page_map",
    *("test_page_moments", "test_s3"),
    *("test_beets", "test_watch", "test_watch_at_work", "test_firefox", "test_map_page"),
    *("test_real_milvus", "test_milvus", "test_optimize", "test_fuzz", "test_kills", "test_trust"),
    *("test_together", "test_bench", "test_benchmarks", "test_damaged_files"),
    *("test_damaged_indexes", "test_damaged_models", "test_hostile_names", "test_bombs"),
    "test_radio",
]

#: Features of Chromium that load two hidden pages of its own in each window, even a headless one.
#: They take longer than the page that a test opens.
WITHOUT_POPUPS = ("WebUIOmniboxPopup", "WebUIOmniboxAimPopup", "WebUIOmniboxFullPopup")
#: Features that Playwright disables, in an option that ours replaces.
WITHOUT_SURPRISES = (
    *("DestroyProfileOnBrowserClose", "HttpsUpgrades", "LensOverlay", "MediaRouter"),
    *("OptimizationHints", "PaintHolding", "RenderDocument", "Translate"),
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add options that make the long tests longer."""
    group = parser.getgroup("audiosearch", "sizes of the long tests")

    def add(name: str, default: float, what: str) -> None:
        group.addoption(name, type=type(default), default=default, help=what)

    add("--kills", 2, "number of times that each command is killed")
    add("--together-seconds", 5.0, "time that two processes add while one queries")
    add("--mutations", 500, "number of damaged files that are added")
    add("--bomb-scale", 1, "factor of what small files unfold to")
    add("--models", 20, "number of damaged models that are loaded")
    add("--cuts", 20, "number of damaged databases and FAISS indexes that are opened")
    add("--requests", 300, "number of made-up requests to a server")
    add("--half-open", 100, "number of connections that never finish their request")
    add("--playlists", 300, "number of playlists with random constraints")
    add("--tracks", tracks.LARGE, "number of tracks in a large index")
    group.addoption("--long", action="store_true", help="also run the tests marked long")


def pytest_configure(config: pytest.Config) -> None:
    """Set the size of a large index before tests are collected."""
    tracks.LARGE = config.getoption("--tracks")


@pytest.hookimpl(tryfirst=True)  # before pytest evaluates -m
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark slow tests, run them first, and leave out long tests and those of missing files.

    Slow files run first, so that no worker is left with one of them at the end.
    """
    for item in items:
        if item.path.stem in SLOW or item.get_closest_marker("checkpoint"):
            item.add_marker(pytest.mark.slow)
    items.sort(key=lambda item: SLOW.index(item.path.stem) if item.path.stem in SLOW else len(SLOW))
    missing = [
        item for item in items for mark in item.iter_markers("beside") if mark.args[0] in MISSING
    ]
    if not config.getoption("--long"):
        missing += [item for item in items if item.get_closest_marker("long")]
    items[:] = [item for item in items if item not in missing]
    config.hook.pytest_deselected(items=missing)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures, and a line for each reason for skipping, and for what was left out."""
    reasons = Counter(report.longrepr[2] for report in terminalreporter.stats.get("skipped", []))
    figures = [
        f"{report.nodeid.rpartition('/')[2]}: {text}"
        for outcome in ("passed", "failed")
        for report in terminalreporter.stats.get(outcome, [])
        for name, text in report.user_properties
        if name == "figures"
    ]
    if figures:
        terminalreporter.section("figures")
    for line in figures:
        terminalreporter.line(line)
    is_long = terminalreporter.config.getoption("--long")
    if reasons or MISSING or not is_long:
        terminalreporter.section("not run")
    for reason, number in sorted(reasons.items()):
        terminalreporter.line(f"{number} skipped: {reason.removeprefix('Skipped: ')}")
    for name in sorted(MISSING):
        terminalreporter.line(f"left out: {BESIDE[name]}; ../shared/{name} is missing")
    if not is_long:
        terminalreporter.line(
            "left out: making compact from YAMNet, and more widths of pages; see `poe test-long`"
        )


@pytest.fixture(autouse=True)
def _apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each test in an empty folder, with an empty cache and without downloads."""
    for name in list(os.environ):
        if name.startswith("AUDIOSEARCH_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AUDIOSEARCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("AUDIOSEARCH_VGGISH_URL", "http://127.0.0.1:1/vggish.ckpt")
    monkeypatch.setenv("AUDIOSEARCH_PCA_URL", "http://127.0.0.1:1/pca.npz")
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.chdir(home)


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """A folder of five sounds, one of them in a subfolder."""
    folder = tmp_path / "music"
    (folder / "deep").mkdir(parents=True)
    write(folder / "low.wav", tone(220))
    write(folder / "high.wav", tone(3_000))
    write(folder / "hiss.flac", noise())
    write(folder / "tune.ogg", melody(), format="OGG", subtype="VORBIS")
    write(folder / "deep" / "hiss2.wav", noise(seed=1))
    return folder


@pytest.fixture(params=["folder", pytest.param("milvus", marks=pytest.mark.slow)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Location of a new index, in a folder and in Milvus."""
    if request.param == "folder":
        return str(tmp_path / "index")
    return f"milvus+lite://{tmp_path / 'index.db'}"


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory):
    """HOST:PORT of a Milvus server."""
    from milvus_server import milvus_server

    with milvus_server(tmp_path_factory.mktemp("milvus")) as host:
        yield host


@pytest.fixture
def address(server: str, request: pytest.FixtureRequest) -> str:
    """Address of a new collection for each test."""
    return f"milvus://{server}/c{abs(hash(request.node.nodeid))}"


@pytest.fixture
def figures(record_property):
    """Return a function whose keyword arguments are printed as figures when all tests are done."""

    def record(**values: object) -> None:
        record_property("figures", ", ".join(f"{name} {value}" for name, value in values.items()))

    return record


@pytest.fixture
def run():
    """Run a command line in this process."""

    def invoke(*arguments: object) -> testing.Result:
        result = testing.CliRunner().invoke(app, [str(argument) for argument in arguments])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return invoke


@pytest.fixture
def start():
    """Start a process with captured standard error. It is killed when the test ends."""
    with contextlib.ExitStack() as processes:

        def started(*command: object, **options: Any) -> subprocess.Popen[str]:
            arguments = [str(part) for part in command]
            process = subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True, **options)
            processes.enter_context(process)
            processes.callback(process.kill)
            return process

        yield started


@dataclass(frozen=True)
class Checkpoints:
    """Checkpoints of the seeded weights of the golden values, and the cache of converted ones."""

    v1: Path
    v2: Path
    few: Path
    odd: Path
    cache: Path


@pytest.fixture(scope="session")
def made_checkpoints(request: pytest.FixtureRequest) -> Checkpoints:
    """Make the checkpoints once for all runs and workers. They stay in pytest's cache folder."""
    folder = Path(request.config.cache.mkdir("golden"))
    names = ("vggish_model.ckpt", "v2", "few", "odd", "cache")
    made = Checkpoints(*(folder / name for name in names))
    done = folder / "done"
    with FileLock(folder / "lock"):
        if not done.exists():
            script = HERE / "golden" / "make_checkpoint.py"
            subprocess.run([sys.executable, script, made.v1, "--variants"], check=True)
            done.touch()
    return made


@pytest.fixture
def checkpoints(made_checkpoints: Checkpoints, monkeypatch: pytest.MonkeyPatch) -> Checkpoints:
    """Seeded checkpoints, and the cache of their converted networks."""
    monkeypatch.setenv("AUDIOSEARCH_CACHE", str(made_checkpoints.cache))
    return made_checkpoints


@pytest.fixture(scope="session")
def golden():
    """Values that Google's own code computes with the checkpoint."""
    return np.load(HERE / "golden" / "golden.npz")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder ../shared, for tests with the mark `beside`."""
    return SHARED


@pytest.fixture(scope="session")
def teacher_path() -> Path:
    """Google's YAMNet, from which compact is made. It is not part of the project."""
    path = SHARED / "teacher" / "yamnet.tflite"
    if not path.exists():
        pytest.skip("../shared/teacher/yamnet.tflite, from which compact is made, is missing")
    return path


@pytest.fixture(scope="module")
def browser():
    """Headless Chromium for a module. It runs an event loop until it is closed."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        options = ["--use-gl=swiftshader", "--enable-webgl", "--ignore-gpu-blocklist"]
        # A fake microphone that needs no permission; players that may start by themselves.
        options += ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
        options += ["--autoplay-policy=no-user-gesture-required"]
        options += [f"--disable-features={','.join((*WITHOUT_POPUPS, *WITHOUT_SURPRISES))}"]
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=options)
        yield chromium
        chromium.close()


@pytest.fixture
def browser_page(browser):
    """A new page for each test."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    yield page
    page.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory):
    """A library of sounds, and `audiosearch serve` on it."""
    folder = tmp_path_factory.mktemp("served")
    with serving(folder, library(folder)) as found:
        yield found


@pytest.fixture
def page(browser_page, served):
    """The web page with a library of sounds. Nothing may go wrong on it."""
    from pages import opened, watched

    with watched(browser_page):
        yield opened(browser_page, served.url)


@pytest.fixture
def saved(served: Served):
    """A function that returns the names of the saved playlists. At the end they are removed."""
    with httpx.Client(base_url=f"{served.url}/api") as api:

        def saved_names() -> list[str]:
            return [one["name"] for one in api.get("/playlists").json()["playlists"]]

        yield saved_names
        for name in saved_names():
            api.delete(f"/playlists/{quote(name, safe='')}")


@pytest.fixture(
    scope="module", params=["made-up", pytest.param("real", marks=pytest.mark.beside("songs"))]
)
def song_files(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    """Vectors and tracks of 915 songs: made-up ones everywhere, and real ones where they are."""
    if request.param == "real":
        return SHARED / "songs" / "embeddings.npy", SHARED / "songs" / "tracks.json"
    return write_songs(tmp_path_factory.mktemp("songs"))


@pytest.fixture(scope="module")
def songs(song_files, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of them."""
    directory = tmp_path_factory.mktemp("songs") / "i"
    import_vectors(directory, *song_files)
    return directory


@pytest.fixture(scope="module")
def made_up_songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of the made-up songs alone."""
    folder = tmp_path_factory.mktemp("made_up_songs")
    import_vectors(folder / "i", *write_songs(folder))
    return folder / "i"
