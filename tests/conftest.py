"""Fixtures: a cache of its own for every test, no network, and checkpoints made once."""

from __future__ import annotations

import contextlib
import os
import sqlite3  # before any test imports TensorFlow, whose SQLite has no full-text search
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from served import library, serving
from sounds import melody, noise, tone, write
from typer.testing import CliRunner, Result

from audiosearch.cli import app
from audiosearch.maintenance.export_import import import_vectors

sqlite3.connect(":memory:").close()  # and so takes its functions from where it should

HERE = Path(__file__).parent
SHARED = HERE.parents[1] / "shared"


def pytest_addoption(parser: pytest.Parser) -> None:
    """How much of what takes long: a little, unless asked for more."""
    long = parser.getgroup("audiosearch", "long tests, made longer")
    long.addoption("--kills", type=int, default=6, help="how often adding is killed")
    long.addoption("--kills-files", type=int, default=60, help="... over how many files")
    long.addoption("--together-seconds", type=float, default=5, help="two add while one asks")
    long.addoption("--mutations", type=int, default=500, help="damaged files that are added")


@pytest.fixture(autouse=True)
def _apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in an empty folder, with an empty cache, and with nobody answering downloads."""
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


@pytest.fixture(params=["folder", "milvus"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a new index goes: what an index promises, it keeps in a folder and in Milvus."""
    if request.param == "folder":
        return str(tmp_path / "index")
    return f"milvus+lite://{tmp_path / 'index.db'}"


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory):
    """HOST:PORT of a Milvus."""
    from milvus_server import milvus_server

    with milvus_server(tmp_path_factory.mktemp("milvus")) as host:
        yield host


@pytest.fixture
def address(server: str, request: pytest.FixtureRequest) -> str:
    """A collection of its own for every test."""
    return f"milvus://{server}/c{abs(hash(request.node.nodeid))}"


@pytest.fixture
def run():
    """Run a command line in this process."""

    def invoke(*arguments: object) -> Result:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return invoke


@pytest.fixture
def start():
    """Start a process whose standard error is kept, and which ends with the test."""
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
    """Checkpoints of the same seeded weights, and a cache in which they were converted."""

    v1: Path
    v2: Path
    few: Path
    odd: Path
    cache: Path


@pytest.fixture(scope="session")
def made_checkpoints(request: pytest.FixtureRequest) -> Checkpoints:
    folder = Path(request.config.cache.mkdir("checkpoints"))
    made = Checkpoints(*(folder / n for n in ("v1.ckpt", "v2", "few", "odd")), folder / "cache")
    done = folder / "done"
    if not done.exists():
        subprocess.run([sys.executable, HERE / "make_checkpoint.py", folder], check=True)
        done.touch()
    return made


@pytest.fixture
def checkpoints(made_checkpoints: Checkpoints, monkeypatch: pytest.MonkeyPatch) -> Checkpoints:
    """Seeded checkpoints, with the cache that keeps what was converted of them."""
    monkeypatch.setenv("AUDIOSEARCH_CACHE", str(made_checkpoints.cache))
    return made_checkpoints


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference values, which is no part of the project."""
    if not SHARED.is_dir():
        pytest.skip("the folder of reference values, ../shared, is not here")
    return SHARED


@pytest.fixture(scope="session")
def golden(shared: Path):
    """What Google's own code computes."""
    return np.load(shared / "reference" / "golden.npz")


@pytest.fixture(scope="module")
def browser():
    """Debian's Chromium, without a window: for a module, for it runs an event loop meanwhile."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        options = ["--use-gl=swiftshader", "--enable-webgl", "--ignore-gpu-blocklist"]
        # A microphone that beeps, for which nobody is asked; players that start by themselves.
        options += ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
        options += ["--autoplay-policy=no-user-gesture-required"]
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=options)
        yield chromium
        chromium.close()


@pytest.fixture
def browser_page(browser):
    """A page of its own for a test."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    yield page
    page.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory):
    """A library of sounds, and `audiosearch serve` on it."""
    folder = tmp_path_factory.mktemp("served")
    with serving(folder, library(folder)) as found:
        yield found


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> Path:
    """An index of real VGGish vectors of 915 songs."""
    directory = tmp_path_factory.mktemp("songs") / "i"
    import_vectors(directory, shared / "songs/embeddings.npy", shared / "songs/tracks.json")
    return directory
