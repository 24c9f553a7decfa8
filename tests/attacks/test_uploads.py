"""Uploads that take long, lie, are too many or are given up hold no worker, memory or disk."""

from __future__ import annotations

import contextlib
import io
import os
import resource
import signal
import socket
import time
import wave
from functools import partial
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
from matroska import laces
from served import serving, wait_until
from sounds import tone, write

from audiosearch import AudioError, add
from audiosearch.embedding.decoder_process import DecoderProcess
from audiosearch.system import n_cores

LONG = 2_000_000  # bytes of laces that take a minute or more


def many_messages() -> bytes:
    """A wav of 4 hours, of which a decoder keeps sending patches."""
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setparams((1, 1, 1_000, 0, "NONE", ""))
        file.writeframes(b"\x80" * 4 * 3_600_000)
    return content.getvalue()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An index of one sound, and a clip."""
    folder = tmp_path_factory.mktemp("uploads")
    write(folder / "music.wav", tone(300))
    write(folder / "clip.wav", tone(310))
    add(folder / "index", [folder / "music.wav"], model="compact", n_jobs=1)
    return folder


@pytest.fixture(scope="module")
def patient(folder):
    """A server that embeds for a minute, while one more upload may wait for three seconds."""
    limits = {"waiting_uploads": 1, "waiting_seconds": 3.0}
    with serving(folder, {}, limits=limits) as served:
        yield served


@pytest.fixture(scope="module")
def hasty(folder):
    """A server that embeds for two seconds, and holds 16 MB of uploads."""
    limits = {"embedding_seconds": 2.0, "total_bytes": 16 << 20}
    with serving(folder, {}, limits=limits) as served:
        yield served


def request(served, *contents: bytes, path: str = "/api/query") -> bytes:
    """The bytes of a request with files."""
    files = [("file", (f"{number}", content)) for number, content in enumerate(contents)]
    made = httpx.Request("POST", f"{served.url}{path}", files=files)
    lines = [b"POST %s HTTP/1.1" % made.url.raw_path]
    lines += [name + b": " + value for name, value in made.headers.raw]
    return b"\r\n".join([*lines, b"", made.read()])


@contextlib.contextmanager
def sent(served, *contents: bytes):
    """Send a request without reading its response; yields the connection."""
    address = urlsplit(served.url)
    with socket.create_connection((address.hostname, address.port)) as connection:
        connection.sendall(request(served, *contents))
        yield connection


def asked(served, *contents: bytes, seconds: float = 30.0) -> httpx.Response:
    """Send a request with files; it must be answered in time."""
    files = [("file", (f"{number}", content)) for number, content in enumerate(contents)]
    return httpx.post(f"{served.url}/api/query", files=files, timeout=seconds)


def decoders(served) -> list[psutil.Process]:
    """The decoders of a server. None may be left as a zombie."""
    children = psutil.Process(served.pid).children()
    assert psutil.STATUS_ZOMBIE not in {child.status() for child in children}
    return [child for child in children if "decoder_worker" in str(child.cmdline())]


def busy_decoders(served) -> list[psutil.Process]:
    return [child for child in decoders(served) if child.cpu_percent(0.2) > 5]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(laces(LONG), id="no message until the end"),
        pytest.param(laces(LONG, declared_seconds=1e6), id="declared length of days"),
        pytest.param(many_messages(), id="messages for minutes"),
    ],
)
def test_an_upload_that_takes_long_is_given_up_at_the_time_limit(hasty, folder, content):
    started = time.monotonic()
    response = asked(hasty, content)
    assert time.monotonic() - started < 15
    assert response.status_code == 422
    assert response.json() == {
        "error": "0: decoding it takes too long",
        "hint": "Send an excerpt.",
    }
    assert not busy_decoders(hasty)
    assert asked(hasty, (folder / "clip.wav").read_bytes()).status_code == 200


def test_a_client_that_leaves_frees_its_worker(patient, folder):
    clip = (folder / "clip.wav").read_bytes()
    asked(patient, clip)
    process = psutil.Process(patient.pid)
    n_files = None
    for _ in range(2):
        with contextlib.ExitStack() as clients:
            for _ in range(n_cores()):
                clients.enter_context(sent(patient, laces(LONG), clip))
            wait_until(lambda: len(busy_decoders(patient)) == n_cores())
        started = time.monotonic()
        assert asked(patient, clip).status_code == 200
        assert time.monotonic() - started < 10
        assert not busy_decoders(patient)
        n_files = n_files or process.num_fds()
    assert process.num_fds() <= n_files + 1


def test_no_more_uploads_wait_than_a_limit_and_no_longer_than_another(patient, folder):
    clip = (folder / "clip.wav").read_bytes()
    with contextlib.ExitStack() as clients:
        for _ in range(n_cores()):
            clients.enter_context(sent(patient, laces(LONG)))
        wait_until(lambda: len(busy_decoders(patient)) == n_cores())
        waiting = clients.enter_context(sent(patient, clip))
        time.sleep(0.3)
        refused = asked(patient, clip)
        waiting.setblocking(False)
        with pytest.raises(BlockingIOError):  # the later upload was refused at once
            waiting.recv(1)
        waiting.settimeout(30)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "10")
        assert refused.json()["hint"] == "Try again in 10 seconds."
        assert waiting.recv(100).startswith(b"HTTP/1.1 503 ")
        assert httpx.get(f"{patient.url}/api/health").status_code == 200
    assert asked(patient, clip).status_code == 200


def test_a_client_that_leaves_the_queue_frees_its_place(patient, folder):
    clip = (folder / "clip.wav").read_bytes()
    with contextlib.ExitStack() as clients:
        for _ in range(n_cores()):
            clients.enter_context(sent(patient, laces(LONG)))
        wait_until(lambda: len(busy_decoders(patient)) == n_cores())
        for _ in range(3):
            with sent(patient, clip) as waiting:
                waiting.settimeout(0.2)
                with pytest.raises(TimeoutError):
                    waiting.recv(1)


def test_uploads_together_are_no_larger_than_a_limit(hasty, folder):
    part = request(hasty, bytes(12 << 20))[:-1_000]  # its end is missing
    address = urlsplit(hasty.url)
    with socket.create_connection((address.hostname, address.port)) as connection:
        connection.sendall(part)
        time.sleep(0.5)
        response = asked(hasty, bytes(8 << 20))
        assert (response.status_code, response.headers["retry-after"]) == (503, "10")
        clip = (folder / "clip.wav").read_bytes()
        assert asked(hasty, clip).status_code == 200
    assert asked(hasty, bytes(8 << 20)).status_code == 422


def test_the_first_file_that_fails_ends_its_query(patient):
    started = time.monotonic()
    response = asked(patient, b"no sound", laces(LONG))
    assert response.status_code == 422
    assert time.monotonic() - started < 10
    assert not busy_decoders(patient)


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="Linux limits running processes")
@pytest.mark.parametrize(
    "n_bytes",
    [
        pytest.param(2 << 20, id="while it is received"),
        pytest.param(300_000, id="before it is decoded"),
    ],
)
def test_an_upload_to_a_full_disk_is_a_sentence_with_a_hint(hasty, folder, n_bytes):
    unlimited = resource.prlimit(hasty.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(hasty.pid, resource.RLIMIT_FSIZE, (100_000, unlimited[1]))
    try:
        response = asked(hasty, bytes(n_bytes))
    finally:
        resource.prlimit(hasty.pid, resource.RLIMIT_FSIZE, unlimited)
    assert response.status_code == 507
    assert response.json() == {
        "error": "The server's disk for temporary files is full.",
        "hint": "Free space in its TMPDIR, then send the file again.",
    }
    assert asked(hasty, (folder / "clip.wav").read_bytes()).status_code == 200


def test_a_server_that_ends_with_uploads_in_progress_prints_no_traceback(folder):
    with serving(folder, {}) as served, contextlib.ExitStack() as clients:
        for _ in range(8):
            clients.enter_context(sent(served, laces(LONG)))
        wait_until(lambda: busy_decoders(served))
        process = psutil.Process(served.pid)
        process.send_signal(signal.SIGINT)
        process.wait(20)
    assert "Traceback" not in "".join(served.said)


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="only Linux has nameless files")
def test_a_killed_server_leaves_no_upload_behind(folder, tmp_path):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with serving(folder, {}, env={"TMPDIR": str(temporary)}) as served:
        asked(served, (folder / "clip.wav").read_bytes())  # starts a decoder, which keeps it busy
        with sent(served, laces(LONG)):
            wait_until(lambda: busy_decoders(served))
            assert not [path for path in temporary.rglob("*") if path.is_file()]
            children = decoders(served)
            psutil.Process(served.pid).kill()
        assert not [path for path in temporary.rglob("*") if path.is_file()]
        psutil.wait_procs(children, 5)


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="only Linux has nameless files")
def test_kept_uploads_have_no_name_and_take_no_more_than_a_limit(folder, tmp_path):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    content = (folder / "clip.wav").read_bytes()
    limits = {"kept_bytes": 3 * len(content) + 1}
    with (
        serving(folder, {}, env={"TMPDIR": str(temporary)}, limits=limits) as served,
        httpx.Client(base_url=f"{served.url}/api", timeout=60) as client,
    ):
        send = partial(client.post, "/uploads", files={"file": content})
        ids = [send().json()["id"] for _ in range(5)]
        statuses = [client.get(f"/uploads/{one}").status_code for one in ids]
        assert statuses == [404, 404, 200, 200, 200]
        assert not [path for path in temporary.rglob("*") if path.is_file()]
        links = [os.readlink(entry.path) for entry in os.scandir(f"/proc/{served.pid}/fd")]
        kept = [link for link in links if link.startswith(str(temporary))]
        assert len(kept) == 3
        assert all(link.endswith(" (deleted)") for link in kept)


def decoded(path, content: bytes, *, timeout_seconds: float) -> list:
    """The messages about a file from a decoder with a time limit for small files."""
    path.write_bytes(content)
    with contextlib.closing(DecoderProcess(timeout_seconds=timeout_seconds)) as decoder:
        return list(decoder.read(str(path), excerpt_seconds=None))


def test_a_declared_length_of_days_does_not_extend_the_time_limit(tmp_path):
    content = laces(240_000, declared_seconds=1e6)
    with pytest.raises(AudioError, match="decoding it takes too long"):
        decoded(tmp_path / "laces.mka", content, timeout_seconds=1.0)


@pytest.mark.parametrize("declared_seconds", [-1e6, float("-inf"), float("nan")])
def test_a_file_that_declares_an_impossible_length_is_decoded(tmp_path, declared_seconds):
    content = laces(2_000, declared_seconds=declared_seconds)
    assert len(decoded(tmp_path / "laces.mka", content, timeout_seconds=30.0)) == 2
