"""Transcoding that fails: a file's own fault lasts, other failures are tried again."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import tempfile
import threading
from dataclasses import replace

import httpx
import psutil
import pytest
from served import serving
from sounds import melody, write

from audiosearch import AudioError, AudiosearchError, Index, add, child_process
from audiosearch.errors import StorageFull
from audiosearch.web.limits import Limits
from audiosearch.web.services import playback as module
from audiosearch.web.services.playback import Playback


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


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    """The folder for temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


def files_in(folder):
    """Return the files in a folder and its subfolders, which a process may keep until it ends."""
    return [path for path in folder.rglob("*") if not path.is_dir()]


@pytest.fixture
def playback():
    with contextlib.closing(Playback()) as playback:
        yield playback


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


def test_a_transcoder_that_took_too_long_is_tried_again(
    playback, temporary, play, starts, monkeypatch
):
    with monkeypatch.context() as patch:
        patch.setattr(module, "_MAX_SECONDS", 0.01)
        (error,) = play(playback)
    assert str(error) == "Can't make an mp3 copy of track #1: it takes too long."
    assert (type(error), files_in(temporary)) == (AudiosearchError, [])
    ((file, _),) = play(playback)
    assert (file.status.st_size > 0, len(starts)) == (True, 2)


def test_requests_at_the_same_time_share_a_transcoder_and_its_failure(
    playback, play, starts, monkeypatch
):
    monkeypatch.setattr(module, "_MAX_SECONDS", 0.01)
    errors = play(playback, n_requests=5)
    assert ({type(error) for error in errors}, len(starts)) == ({AudiosearchError}, 1)


def test_a_transcoder_stops_when_all_its_clients_have_left(playback, track, starts):
    async def leave_after_a_start():
        clients = [asyncio.create_task(playback.playable(track)) for _ in range(3)]
        while not starts:
            await asyncio.sleep(0.01)
        clients[0].cancel()
        await asyncio.sleep(0)
        assert not starts[0].returncode
        for client in clients:
            client.cancel()
        await starts[0].wait()
        file, _ = await playback.playable(track)  # a later client gets a copy
        file.close()

    asyncio.run(leave_after_a_start())
    assert [process.returncode for process in starts] == [-signal.SIGKILL, 0]


def test_no_more_files_wait_for_transcoding_than_a_limit(track):
    async def requests():
        tracks = [replace(track, id=number) for number in range(1, 6)]
        with contextlib.closing(Playback(Limits(waiting_copies=2))) as playback:
            results = await asyncio.gather(*map(playback.playable, tracks), return_exceptions=True)
        for result in results:
            if isinstance(result, tuple):
                result[0].close()
        return results

    refused = [result for result in asyncio.run(requests()) if not isinstance(result, tuple)]
    assert [(error.status_code, "Retry-After" in error.headers) for error in refused] == [
        (503, True)
    ] * 3


def test_a_file_that_cannot_be_decoded_is_tried_once_until_it_changes(
    playback, temporary, world, play, starts
):
    file = world / "track.aiff"
    content = file.read_bytes()
    try:
        file.write_text("no sound")
        for _ in range(2):
            (error,) = play(playback)
            assert isinstance(error, AudioError)
        assert (len(starts), files_in(temporary)) == (1, [])
    finally:
        file.write_bytes(content)
    ((copy, _),) = play(playback)
    assert copy.status.st_size > 0


@pytest.fixture
def full():
    """A file on a full disk."""
    with open("/dev/full", "wb", buffering=0) as file:
        yield file


@pytest.mark.posix
def test_a_full_disk_is_a_sentence_and_tried_again(playback, play, monkeypatch, full):
    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "TemporaryFile", lambda **_: full)
        (error,) = play(playback)
    assert isinstance(error, StorageFull)
    ((copy, _),) = play(playback)
    assert copy.status.st_size > 0


#: The program, on a machine whose disk for temporary files is full.
ON_A_FULL_DISK = """
import tempfile
from audiosearch.__main__ import main
tempfile.TemporaryFile = lambda **_: open("/dev/full", "wb", buffering=0)
main()
"""


@pytest.mark.posix
def test_a_full_disk_is_status_507(world):
    with serving(world, {}, program=["-c", ON_A_FULL_DISK]) as server:
        response = httpx.get(f"{server.url}/api/tracks/1/audio", timeout=60)
    assert response.status_code == 507
    assert response.json() == {
        "error": "The server has no space left for an mp3 copy of track #1.",
        "hint": "Free some space in its folder for temporary files, or set TMPDIR to another.",
    }


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="only Linux has nameless files")
@pytest.mark.parametrize("end", ["SIGKILL", "SIGHUP", "SIGTERM"])
def test_a_server_that_ends_leaves_no_copy_behind(world, temporary, end):
    with serving(world, {}) as server:
        for _ in range(2):
            assert httpx.get(f"{server.url}/api/tracks/1/audio", timeout=60).status_code == 200
        process = psutil.Process(server.pid)
        process.send_signal(signal.Signals[end])
        process.wait(20)
    assert os.listdir(temporary) == []
