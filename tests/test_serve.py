"""The command `serve`: its address, its API key and its errors."""

import json
import socket
import subprocess
import sys
from unittest.mock import Mock
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest
from served import serving, wait_until

from audiosearch import ModelUnavailable
from audiosearch.maintenance.export_import import import_vectors
from audiosearch.models.registry import compact
from audiosearch.web.services import shared_network

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
        for path in ("/", "/page/page.js", "/docs", "/logo.svg", "/favicon.ico"):
            assert httpx.get(f"{locked.url}{path}").status_code == 200
        assert httpx.get(f"{locked.url}/api/openapi.json").status_code == 401
        assert httpx.get(f"{locked.url}/api/map/points").status_code == 401


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


#: The program, on a machine without a package.
WITHOUT = """
import sys
sys.modules["{}"] = None
from audiosearch.__main__ import main
main()
"""


def test_only_the_map_needs_an_extra_and_says_so(served):
    program = ["-c", WITHOUT.format("sklearn.cluster")]
    with serving(served.folder, {}, program=program) as server:
        assert httpx.get(f"{server.url}/api/tracks").status_code == 200
        answer = httpx.get(f"{server.url}/api/map", timeout=60)
    assert answer.status_code == 503
    assert answer.json()["error"].startswith("A map needs the package ")
    assert "[map]'" in answer.json()["hint"]


@pytest.fixture(scope="module")
def without_weights(tmp_path_factory):
    """A server of an index whose model is not on this machine."""
    folder = tmp_path_factory.mktemp("without")
    vectors = np.random.default_rng(0).standard_normal((30, 8)).astype(np.float32)
    np.save(folder / "vectors.npy", vectors)
    rows = [{"path": f"/music/{number}.wav"} for number in range(30)]
    (folder / "rows.json").write_text(json.dumps(rows))
    import_vectors(folder / "index", folder / "vectors.npy", folder / "rows.json", model="other")
    with serving(folder, {}) as server:
        yield server


class TestWithoutWeights:
    """A server of an index whose model is not on this machine."""

    @pytest.fixture
    def api(self, without_weights):
        with httpx.Client(base_url=without_weights.url, timeout=60) as client:
            yield client

    def test_tracks_playlists_and_the_map_need_none(self, api):
        assert api.get("/api/tracks").json()["total"] == 30
        assert api.post("/api/query", data={"track": 1}).status_code == 200
        assert api.post("/api/playlist", json={"tracks": [1]}).status_code == 200
        assert api.get("/api/map").status_code == 200

    @pytest.mark.parametrize("path", ["/api/embed", "/api/query"])
    def test_a_clip_is_refused_with_a_sentence_and_a_hint(self, api, served, path):
        files = {"file": ("clip.flac", served.clip("hiss.flac").read_bytes())}
        answer = api.post(path, files=files)
        assert answer.status_code == 503
        problem = answer.json()
        assert problem["error"] == (
            "The server can't embed clips: the model other is not on this machine."
        )
        assert "`audiosearch reembed" in problem["hint"]

    def test_health_tells_that_clips_cannot_be_embedded(self, api):
        health = api.get("/api/health").json()
        assert health["clips"] is False
        assert health["clips_problem"].startswith("The server can't embed clips: the model other")
        assert "`audiosearch reembed" in health["clips_problem"]

    def test_the_terminal_tells_it_too(self, without_weights):
        wait_until(lambda: without_weights.said)
        assert "Clips can't be embedded" in without_weights.said[0]


def test_weights_that_come_later_are_used(monkeypatch):
    monkeypatch.setattr(shared_network, "_SECONDS_BETWEEN_TRIES", 0.0)
    missing = ModelUnavailable("The model is not on this machine.", hint="Fetch it.")
    find_model = Mock(side_effect=[missing, compact()])
    network = shared_network.SharedNetwork(find_model)
    assert network.error() is missing
    assert network.error() is None


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
