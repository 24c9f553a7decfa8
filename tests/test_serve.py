"""The command that serves: whom, where, and with what."""

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
    """The same library behind a key."""
    with serving(served.folder, served.ids, "--api-key", KEY) as found:
        yield found


class TestKey:
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
    def test_who_has_it_is_let_in(self, locked, headers, status):
        found = httpx.get(f"{locked.url}/api/health", headers=headers)
        assert found.status_code == status

    def test_it_is_exchanged_for_a_cookie_that_scripts_cannot_read(self, locked):
        with httpx.Client(base_url=locked.url) as client:
            assert client.post("/api/session").status_code == 401
            opened = client.post("/api/session", headers={"X-API-Key": KEY})
            assert opened.status_code == 204
            cookie = opened.headers["set-cookie"]
            assert "HttpOnly" in cookie
            assert "SameSite=strict" in cookie
            assert KEY not in cookie
            assert client.get("/api/health").status_code == 200

    def test_the_page_itself_is_for_all_and_holds_no_data(self, locked):
        assert httpx.get(f"{locked.url}/").status_code == 200
        assert httpx.get(f"{locked.url}/map").status_code == 401


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::"])
def test_others_are_served_only_with_a_key(served, run, host):
    refused = run("serve", "--index", served.folder / "index", "--host", host)
    assert refused.exit_code == 2
    assert "--api-key" in refused.stderr


def test_where_others_call_it_is_said(served):
    with serving(served.folder, {}, "--host", "0.0.0.0", "--api-key", KEY) as everywhere:
        assert urlsplit(everywhere.url).hostname == socket.gethostname().lower()


def test_a_port_that_is_taken_is_said(served, run):
    port = urlsplit(served.url).port
    refused = run("serve", "--index", served.folder / "index", "--port", port)
    assert refused.exit_code == 1
    assert "--port 0" in refused.stderr


def test_an_index_that_is_not_there_is_said(run):
    refused = run("serve", "--index", "nowhere", "--port", 0)
    assert refused.exit_code == 1
    assert "There is no index" in refused.stderr


def test_the_extra_that_is_missing_is_said(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    refused = run("serve")
    assert refused.exit_code == 1
    assert "pip install 'audiosearch[web]'" in refused.stderr


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
