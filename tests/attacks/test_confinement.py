"""A file that takes control of its decoder gets no further: here, a message to it runs code."""

from __future__ import annotations

import asyncio
import ctypes
import os
import pickle
import resource
import socket
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from audiosearch import AudioError
from audiosearch.embedding.decoder_process import DecoderProcess
from audiosearch.embedding.decoder_worker import PartRequest
from audiosearch.web.services.playback import _transcoder_status


def landlock_version() -> int:
    return ctypes.CDLL(None).syscall(444, None, 0, 1) if sys.platform == "linux" else -1


VERSION = landlock_version()
needs_landlock = pytest.mark.skipif(VERSION < 1, reason="the kernel has no Landlock")


class Code:
    """A call that takes place when it is unpickled."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.fixture
def decoder():
    process = DecoderProcess()
    yield process
    process.close()


def run_in(decoder: DecoderProcess, function, *arguments) -> None:
    """Call a function in a decoder process, which ends then."""
    decoder._connection.send(Code(function, *arguments))
    decoder._process.wait(20)


@needs_landlock
@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda path: (open, path, "w"), id="overwrite"),
        pytest.param(lambda path: (os.truncate, path, 0), id="truncate"),
        pytest.param(lambda path: (os.remove, path), id="remove"),
        pytest.param(lambda path: (os.rename, path, f"{path}2"), id="rename"),
        pytest.param(lambda path: (os.mkdir, f"{path}2"), id="make a folder"),
        pytest.param(lambda path: (os.symlink, path, f"{path}2"), id="make a link"),
        pytest.param(lambda path: (os.system, f"touch {path}2"), id="start a program"),
        pytest.param(lambda path: (os.execv, "/usr/bin/touch", ["touch", f"{path}2"]), id="exec"),
    ],
)
def test_a_decoder_can_change_no_file_and_start_no_program(decoder, tmp_path, call):
    path = tmp_path / "file"
    path.write_text("kept")
    run_in(decoder, *call(str(path)))
    assert [(file.name, file.read_text()) for file in tmp_path.glob("file*")] == [("file", "kept")]


@pytest.mark.skipif(VERSION < 4, reason="the kernel's Landlock has no rules for TCP")
def test_a_decoder_cannot_connect(decoder):
    with socket.create_server(("127.0.0.1", 0)) as server:
        run_in(decoder, socket.create_connection, server.getsockname())
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.mark.skipif(VERSION < 6, reason="the kernel's Landlock has no rules for signals")
def test_a_decoder_cannot_stop_another_process(decoder, start):
    process = start("sleep", 60)
    run_in(decoder, os.kill, process.pid, 9)
    time.sleep(0.05)
    assert process.poll() is None


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(lambda path: pickle.dumps(Code(open, path, "w")), id="a call"),
        pytest.param(lambda _: b"no pickle", id="no pickle"),
        pytest.param(lambda _: pickle.dumps(Code(AudioError, 1, 2)), id="wrong arguments"),
    ],
)
def test_a_decoder_cannot_run_code_by_its_messages(decoder, tmp_path, message):
    path = tmp_path / "file"
    program = (
        "import sys; from multiprocessing.connection import Connection; "
        f"Connection(int(sys.argv[1])).send_bytes({message(str(path))!r})"
    )
    decoder._connection.send(Code(exec, program))
    with pytest.raises(AudioError, match="its decoder sent an invalid message"):
        decoder._receive("sound.wav", time.monotonic() + 60)
    assert not path.exists()


@pytest.mark.parametrize(
    ("part", "can_fetch"),
    [
        pytest.param(PartRequest(0, 10), False, id="of a file that is there"),
        pytest.param(PartRequest("0", None), True, id="without positions"),
    ],
)
def test_a_decoder_cannot_ask_for_parts_that_make_no_sense(decoder, part, can_fetch):
    program = (
        "import sys; from multiprocessing.connection import Connection; "
        f"Connection(int(sys.argv[1])).send_bytes({pickle.dumps(part)!r})"
    )
    fetched = []
    fetch = (lambda *part: fetched.append(part)) if can_fetch else None
    messages = decoder._messages("a.wav", Code(exec, program), max_seconds=60, fetch=fetch)
    with pytest.raises(AudioError, match="its decoder sent an invalid message"):
        next(messages)
    assert fetched == []


def test_a_decoder_that_crashes_leaves_no_dump_of_its_memory(decoder):
    assert resource.prlimit(decoder._process.pid, resource.RLIMIT_CORE)[0] == 0


@needs_landlock
def test_all_threads_of_a_transcoder_are_confined(tmp_path, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)  # by default, libraries start some
    os.mkfifo(tmp_path / "waits")

    async def confined(copy):
        """Return whether each thread is confined, once the first one is."""
        source = SimpleNamespace(name=str(tmp_path / "waits"), fileno=copy.fileno)
        transcoding = asyncio.create_task(_transcoder_status(source, copy.fileno()))
        threads = []
        while not any(threads):
            assert not transcoding.done()
            await asyncio.sleep(0.01)
            tasks = [
                task
                for child in psutil.Process().children()
                if "transcode"
                in Path(f"/proc/{child.pid}/cmdline").read_text("utf-8")  # or a zombie
                for task in Path(f"/proc/{child.pid}/task").glob("*/status")
            ]
            threads = ["NoNewPrivs:\t1" in task.read_text() for task in tasks]
        transcoding.cancel()
        await asyncio.wait([transcoding])
        return threads

    with (tmp_path / "copy.mp3").open("wb") as copy:
        assert all(asyncio.run(confined(copy)))
