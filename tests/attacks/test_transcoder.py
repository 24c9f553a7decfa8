"""Transcoding that fails: a file's own fault lasts, other failures are tried again."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from dataclasses import replace

import httpx
import psutil
import pytest
from served import serving
from sounds import melody, write

from audiosearch import AudioError, AudiosearchError, Index, add, child_process
from audiosearch.errors import StorageFull
from audiosearch.web import playback as module
from audiosearch.web.playback import Playback


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory):
    """A folder with an index of one track, which no browser plays."""
    root = tmp_path_factory.mktemp("world")
    write(root / "track.aiff", melody(2.0))
    add(root / "index", [root / "track.aiff"], model="compact", n_jobs=1)
    return root


@pytest.fixture
def track(world):
    with Index(world / "index") as index:
        return next(iter(index))


@pytest.fixture
def copies(tmp_path):
    folder = tmp_path / "copies"
    folder.mkdir()
    return folder


@pytest.fixture
def starts(monkeypatch):
    """The processes that were started."""
    started, start_async = [], child_process.start_async

    async def start(*arguments, **options):
        started.append(await start_async(*arguments, **options))
        return started[-1]

    monkeypatch.setattr(child_process, "start_async", start)
    return started


@pytest.fixture
def play(track, starts):
    """Request the track's file several times at once; returns results and errors."""

    async def requests(playback, n_requests):
        files = [playback.playable(track) for _ in range(n_requests)]
        results = await asyncio.gather(*files, return_exceptions=True)
        for process in starts:
            await process.wait()
        for result in results:
            if isinstance(result, tuple):
                result[0].close()
        return results

    return lambda playback, n_requests=1: asyncio.run(requests(playback, n_requests))


def test_a_transcoder_that_was_killed_is_tried_again(world):
    with serving(world, {}) as server:
        url = f"{server.url}/api/tracks/1/audio"

        def kill_the_transcoder():
            while True:
                for child in psutil.Process(server.pid).children():
                    with contextlib.suppress(psutil.Error):
                        if "transcode" in str(child.cmdline()):
                            return child.kill()

        killing = threading.Thread(target=kill_the_transcoder)
        killing.start()
        response = httpx.get(url, timeout=60)
        killing.join()
        problem = response.json()
        assert (response.status_code, problem["hint"]) == (503, "Play it again.")
        assert problem["error"] == "Can't make an mp3 copy of track #1: its decoder crashed."
        assert httpx.get(url, timeout=60).status_code == 200


def test_a_transcoder_that_took_too_long_is_tried_again(copies, play, starts, monkeypatch):
    playback = Playback(copies)
    with monkeypatch.context() as patch:
        patch.setattr(module, "_MAX_SECONDS", 0.01)
        (error,) = play(playback)
    assert str(error) == "Can't make an mp3 copy of track #1: it takes too long."
    assert (type(error), os.listdir(copies)) == (AudiosearchError, [])
    ((file, _),) = play(playback)
    assert (file.status.st_size > 0, len(starts)) == (True, 2)


def test_requests_at_the_same_time_share_a_transcoder_and_its_failure(
    copies, play, starts, monkeypatch
):
    monkeypatch.setattr(module, "_MAX_SECONDS", 0.01)
    errors = play(Playback(copies), n_requests=5)
    assert ({type(error) for error in errors}, len(starts)) == ({AudiosearchError}, 1)


def test_clients_that_leave_do_not_fill_the_server_with_waiting_copies(copies, track, monkeypatch):
    async def never(*_):
        await asyncio.Event().wait()

    async def requests(n_tracks):
        playback = Playback(copies)
        tracks = [replace(track, id=number) for number in range(n_tracks)]
        tasks = [asyncio.create_task(playback.playable(one)) for one in tracks]
        for _ in range(30):
            done, waiting = await asyncio.wait(tasks, timeout=0.1)
            if len(waiting) == 8:
                break
        for task in waiting:
            task.cancel()
        n_open = len(os.listdir("/proc/self/fd"))
        playback.close()
        await asyncio.wait(tasks)
        return [str(task.exception()) for task in done], n_open

    monkeypatch.setattr(module, "_write_copy", never)
    n_open_before = len(os.listdir("/proc/self/fd"))
    errors, n_open = asyncio.run(requests(100))
    assert errors == ["503: Too many mp3 copies wait to be made."] * 92
    assert n_open - n_open_before < 40


def test_a_file_that_cannot_be_decoded_is_tried_once_until_it_changes(copies, world, play, starts):
    playback, file = Playback(copies), world / "track.aiff"
    content = file.read_bytes()
    try:
        file.write_text("no sound")
        for _ in range(2):
            (error,) = play(playback)
            assert isinstance(error, AudioError)
        assert (len(starts), os.listdir(copies)) == (1, [])
    finally:
        file.write_bytes(content)
    ((copy, _),) = play(playback)
    assert copy.status.st_size > 0


def full_copy(folder, track) -> None:
    """Let the copy of a track be written to a full disk."""
    modified = os.stat(track.path).st_mtime_ns
    (folder / f"{track.id}-{modified}.mp3").symlink_to("/dev/full")


def test_a_full_disk_is_a_sentence_and_tried_again(copies, track, play):
    playback = Playback(copies)
    full_copy(copies, track)
    (error,) = play(playback)
    assert isinstance(error, StorageFull)
    ((copy, _),) = play(playback)
    assert copy.status.st_size > 0


def test_a_full_disk_is_status_507(world, track, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with serving(world, {}) as server:
        httpx.get(f"{server.url}/api/health")
        (folder,) = tmp_path.glob("audiosearch-*")
        full_copy(folder, track)
        response = httpx.get(f"{server.url}/api/tracks/1/audio", timeout=60)
    assert response.status_code == 507
    assert response.json() == {
        "error": "The server has no space left for an mp3 copy of track #1.",
        "hint": "Free some space in its folder for temporary files, or set TMPDIR to another.",
    }
