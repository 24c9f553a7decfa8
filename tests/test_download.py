"""Downloads: a file gets its name only when it is complete and verified."""

import hashlib
import http.server
import os
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from audiosearch.errors import DownloadError, ModelError
from audiosearch.models import download
from audiosearch.models.remote_file import RemoteFile

CONTENT = os.urandom(3_000_000)
SHA512 = hashlib.sha512(CONTENT).hexdigest()


class Server(http.server.ThreadingHTTPServer):
    """Serves ``content`` at /good, and fails in some way at any other path."""

    content: bytes | Path = CONTENT
    requests = 0


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self):
        self.server.requests += 1
        name = self.path.rpartition("/")[2]
        if name == "gone":
            self.send_error(404)
            return
        if name == "mute":
            time.sleep(2)
            return
        content = self.server.content
        content = content.read_bytes() if isinstance(content, Path) else content
        if name == "bad":
            content = content[:-1] + bytes([content[-1] ^ 1])
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if name == "slow":
            time.sleep(0.3)
        self.wfile.write(content[: len(content) // 2] if name == "cut" else content)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    with Server(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def unreachable_file():
    return RemoteFile(
        key="TEST",
        title="the test file",
        published_url="http://127.0.0.1:1/x.bin",
        published_sha512=SHA512,
        option="--file F",
        size_mb=3,
        license="CC0-1.0",
    )


def address(server, name):
    return f"http://127.0.0.1:{server.server_port}/{name}"


@pytest.fixture
def remote(server, monkeypatch):
    def at(name):
        monkeypatch.setenv("AUDIOSEARCH_TEST_URL", address(server, name))
        return unreachable_file()

    return at


def remaining_files(file):
    return sorted(p.name for p in file.path.parent.iterdir() if p.name != "lock")


def test_a_good_download_arrives(remote):
    steps = []
    path = remote("good").fetch(lambda *step: steps.append(step))
    assert path.read_bytes() == CONTENT
    assert steps[-1] == ("Downloading the test file (3 MB)", len(CONTENT), len(CONTENT))


def test_a_downloaded_file_is_not_downloaded_again(remote, server):
    remote("good").fetch()
    remote("good").fetch()
    assert server.requests == 1


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("bad", "wrong SHA-512"),
        ("cut", "the connection was lost"),
        ("gone", "the server responded 404"),
    ],
)
def test_a_bad_download_leaves_nothing_and_can_be_repeated(remote, name, reason):
    file = remote(name)
    with pytest.raises(DownloadError, match=reason):
        file.fetch()
    assert remaining_files(file) == []
    assert remote("good").fetch().read_bytes() == CONTENT


def test_the_remains_of_a_killed_download_are_removed(remote):
    file = remote("good")
    file.path.parent.mkdir(parents=True)
    (file.path.parent / "tmp1234").write_bytes(b"half")
    file.fetch()
    assert remaining_files(file) == [file.path.name]


def test_an_unreachable_server_is_reported(monkeypatch):
    monkeypatch.delenv("AUDIOSEARCH_TEST_URL", raising=False)
    file = unreachable_file()
    with pytest.raises(DownloadError, match="no connection") as caught:
        file.fetch()
    assert "--file F" in caught.value.hint
    assert "AUDIOSEARCH_TEST_URL" in caught.value.hint


def test_a_server_that_never_responds_times_out(remote, monkeypatch):
    monkeypatch.setattr(download, "RESPONSE_SECONDS", 0.3)
    with pytest.raises(DownloadError, match="no response in time"):
        remote("mute").fetch()


def test_a_host_name_that_never_resolves_times_out(remote, monkeypatch):
    # Simulates a resolver that hangs.
    hanging = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: hanging.wait(5))
    monkeypatch.setattr(download, "RESPONSE_SECONDS", 0.3)
    started = time.perf_counter()
    with pytest.raises(DownloadError, match="no response in time"):
        remote("good").fetch()
    assert time.perf_counter() - started < 3
    hanging.set()


def test_the_time_limit_for_a_response_is_below_ten_seconds():
    assert download.RESPONSE_SECONDS <= 8


def test_two_concurrent_fetches_download_once(remote, server):
    file = remote("slow")
    with ThreadPoolExecutor(2) as pool:
        paths = list(pool.map(lambda _: file.fetch(), range(2)))
    assert paths[0] == paths[1]
    assert paths[0].read_bytes() == CONTENT
    assert server.requests == 1


@pytest.mark.posix
def test_a_cache_that_cannot_be_written_is_reported(remote, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("AUDIOSEARCH_CACHE", str(tmp_path / "file"))
    with pytest.raises(ModelError, match="Can't write to the cache folder"):
        remote("good").fetch()


def audiosearch(*arguments, limit_bytes=None, **environment):
    def limit():
        import resource  # missing in some tests

        resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))

    return subprocess.run(
        [sys.executable, "-m", "audiosearch", *map(str, arguments)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=None if limit_bytes is None else limit,  # gRPC may fail in a forked process
    )


class TestCommand:
    """``audiosearch model fetch``, run in a separate process."""

    @pytest.fixture
    def mirror(self, checkpoints, server, tmp_path, monkeypatch):
        """Serve the synthetic checkpoint on a mirror, and use an empty cache."""
        server.content = checkpoints.v1
        digest = hashlib.sha512(checkpoints.v1.read_bytes()).hexdigest()
        monkeypatch.setenv("AUDIOSEARCH_CACHE", str(tmp_path / "cache"))
        monkeypatch.setenv("AUDIOSEARCH_VGGISH_SHA512", digest)

        def at(name):
            monkeypatch.setenv("AUDIOSEARCH_VGGISH_URL", address(server, name))

        return at

    def files(self, tmp_path):
        return [p.name for p in (tmp_path / "cache").rglob("*") if p.is_file() and p.name != "lock"]

    @pytest.mark.checkpoint
    def test_fetching_from_a_mirror_then_adding_uses_vggish(self, mirror, server, tmp_path, music):
        mirror("good")
        first, second = (
            subprocess.Popen(
                [sys.executable, "-m", "audiosearch", "model", "fetch"],
                stderr=subprocess.PIPE,
                text=True,
            )
            for _ in range(2)
        )
        errors = [process.communicate()[1] for process in (first, second)]
        assert (first.returncode, second.returncode) == (0, 0), errors
        assert server.requests == 1
        path = audiosearch("model", "path")
        assert Path(path.stdout.strip()).stat().st_size > 280_000_000
        added = audiosearch("add", music)
        assert added.returncode == 0, added.stderr
        assert "compact" not in added.stderr
        assert '"model": "vggish"' in audiosearch("info", "--format", "json").stdout
        status = audiosearch("model", "status", "--format", "json").stdout
        assert str(tmp_path / "cache") in status

    @pytest.mark.checkpoint
    def test_a_full_disk_is_reported_and_leaves_no_file(self, mirror, tmp_path):
        mirror("good")
        result = audiosearch("model", "fetch", limit_bytes=1_000_000)
        assert result.returncode == 1
        assert ": File too large" in result.stderr
        assert "Traceback" not in result.stderr
        assert self.files(tmp_path) == []

    @pytest.mark.checkpoint
    @pytest.mark.parametrize("name", ["bad", "cut", "gone"])
    def test_a_bad_download_is_reported_and_leaves_no_file(self, mirror, tmp_path, name):
        mirror(name)
        result = audiosearch("model", "fetch")
        assert result.returncode == 1
        assert result.stderr.count("error: ") == 1
        assert "hint: " in result.stderr
        assert self.files(tmp_path) == []

    def test_without_network_add_falls_back_to_compact_with_a_warning(self, music):
        added = audiosearch("add", music)
        assert added.returncode == 0
        assert "warning: " in added.stderr
        assert "compact" in added.stderr
        assert '"model": "compact"' in audiosearch("info", "--format", "json").stdout

    def test_without_network_add_with_vggish_fails_with_a_hint(self, music, tmp_path):
        added = audiosearch("add", music, "--model", "vggish")
        assert added.returncode == 1
        assert "no connection" in added.stderr
        assert "hint: " in added.stderr
        assert not Path("index").exists()
