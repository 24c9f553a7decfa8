"""The command `serve`: its address, its API key and its errors."""

import socket
import subprocess
import sys
from urllib.parse import urlsplit

import httpx
import pytest
from served import serving

KEY = "correct horse battery staple"


@pytest.fixture(scope="module")
def locked(served):
    """A server of the same library that requires an API key."""
    with serving(served.folder, served.ids, "--api-key", KEY) as server:
        yield server


class TestKey:
    """The API key of a server."""

    @pytest.mark.parametrize(
        ("headers", "status"),
        [
            ({}, 401),
            ({"X-API-Key": "wrong"}, 401),
            ({"X-API-Key": KEY}, 200),
            ({"Authorization": f"Bearer {KEY}"}, 200),
            ({"Cookie": "audiosearch="}, 401),
        ],
    )
    def test_only_requests_with_the_key_are_accepted(self, locked, headers, status):
        response = httpx.get(f"{locked.url}/api/health", headers=headers)
        assert response.status_code == status

    def test_a_session_gets_a_cookie_that_scripts_cannot_read(self, locked):
        with httpx.Client(base_url=locked.url) as client:
            assert client.post("/api/session").status_code == 401
            response = client.post("/api/session", headers={"X-API-Key": KEY})
            assert response.status_code == 204
            cookie = response.headers["set-cookie"]
            assert "HttpOnly" in cookie
            assert "SameSite=strict" in cookie
            assert KEY not in cookie
            assert client.get("/api/health").status_code == 200

    def test_the_page_needs_no_key_but_the_map_does(self, locked):
        assert httpx.get(f"{locked.url}/").status_code == 200
        assert httpx.get(f"{locked.url}/map").status_code == 401


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::"])
def test_listening_for_other_machines_requires_a_key(served, run, host):
    result = run("serve", "--index", served.folder / "index", "--host", host)
    assert result.exit_code == 2
    assert "--api-key" in result.stderr


def test_the_printed_address_is_the_host_name_if_other_machines_can_connect(served):
    with serving(served.folder, {}, "--host", "0.0.0.0", "--api-key", KEY) as server:
        assert urlsplit(server.url).hostname == socket.gethostname().lower()


def test_a_port_in_use_is_an_error_with_a_hint(served, run):
    port = urlsplit(served.url).port
    result = run("serve", "--index", served.folder / "index", "--port", port)
    assert result.exit_code == 1
    assert f"Can't listen on 127.0.0.1:{port}: Address already in use.\n" in result.stderr
    assert "--port 0" in result.stderr


def test_an_address_of_another_machine_is_an_error(served, run):
    options = ["--host", "192.0.2.1", "--port", 0, "--api-key", "a-key"]
    result = run("serve", "--index", served.folder / "index", *options)
    assert result.exit_code == 1
    assert "Can't listen on 192.0.2.1:0: Cannot assign requested address.\n" in result.stderr
    assert "hint: Use an address of this machine" in result.stderr


def test_a_missing_index_is_an_error(run):
    result = run("serve", "--index", "nowhere", "--port", 0)
    assert result.exit_code == 1
    assert "There is no index" in result.stderr


def test_a_missing_extra_is_an_error_with_a_hint(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    result = run("serve")
    assert result.exit_code == 1
    assert "pip install 'audiosearch[web]'" in result.stderr


def test_tensorflow_is_not_loaded_by_the_server(served):
    code = """
import sys
from pathlib import Path
from starlette.testclient import TestClient
from audiosearch.web import create_app
with TestClient(create_app(Path(sys.argv[1])), base_url="http://localhost") as client:
    with open(sys.argv[2], "rb") as clip:
        assert client.post("/api/query", files={"file": clip}).status_code == 200
    assert client.get("/api/map").status_code == 200
assert "tensorflow" not in sys.modules
"""
    command = [sys.executable, "-c", code, served.folder / "index", served.clip("hiss.flac")]
    subprocess.run(command, check=True)
