"""Addresses of Ray clusters on the command line, and the errors if no cluster answers."""

import contextlib
import os
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
import typer
from overhttp import over_http
from sounds import tone, write

from audiosearch.cli import app
from audiosearch.ingest.ray import probe
from audiosearch.ingest.ray.connection import AUTO, LOCAL, _resolve


@pytest.mark.parametrize(
    ("arguments", "address", "paths"),
    [
        (["music"], None, ["music"]),
        (["--ray", "music"], "auto", ["music"]),
        (["--ray", "./auto", "b"], "auto", ["./auto", "b"]),
        (["--ray", "auto", "music"], "auto", ["music"]),
        (["--ray", "local", "music"], "local", ["music"]),
        (["--ray", "10.0.0.1:6379", "music"], "10.0.0.1:6379", ["music"]),
        (["--ray", "ray://head:10001", "s3://b/x"], "ray://head:10001", ["s3://b/x"]),
        (["--ray=ray://head:10001", "s3://b/x"], "ray://head:10001", ["s3://b/x"]),
        (["--ray", "https://host:8000/a.mp3"], "auto", ["https://host:8000/a.mp3"]),
        (["music", "--ray"], "auto", ["music"]),
        (["--ray", "-j", "2", "music"], "auto", ["music"]),
        (["--ray", "--", "auto"], "auto", ["auto"]),
        (["--", "--ray"], None, ["--ray"]),
    ],
)
def test_the_word_after_ray_is_an_address_only_if_it_looks_like_one(arguments, address, paths):
    context = typer.main.get_command(app).commands["add"].make_context("add", arguments)
    assert (context.params["ray"], list(context.params["paths"])) == (address, paths)


@pytest.fixture
def clip(tmp_path):
    return write(tmp_path / "a.wav", tone(440))


def free_port():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_an_address_where_nothing_answers_is_an_error(clip, run, scheme):
    address = f"{scheme}127.0.0.1:{free_port()}"
    completed = run("add", "--ray", address, clip)
    assert completed.exit_code == 1
    first, hint = completed.stderr.splitlines()
    assert first == f"error: No Ray cluster answers at {address}: connection refused."
    assert hint.startswith("hint: Start a cluster with `ray start --head`")


def test_the_address_in_the_environment_is_checked_too(clip, run, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{free_port()}")
    assert "No Ray cluster answers at 127.0.0.1:" in run("add", "--ray", clip).stderr


def test_a_web_server_at_the_address_is_an_error(clip, run):
    with over_http(clip.parent) as url:
        completed = run("add", "--ray", url.removeprefix("http://"), clip)
    assert completed.exit_code == 1
    assert "the server there is not a Ray cluster" in completed.stderr


@contextlib.contextmanager
def over_grpc(*methods, rejected=(), host="127.0.0.1"):
    """Serve gRPC methods for the length of a block; yields HOST:PORT."""

    def reject(request, context):
        context.abort(grpc.StatusCode.UNAUTHENTICATED, "no token")

    class Handler(grpc.GenericRpcHandler):
        def service(self, details):
            if details.method in rejected:
                return grpc.unary_unary_rpc_method_handler(reject)
            if details.method in methods:
                return grpc.unary_unary_rpc_method_handler(lambda request, context: b"")
            return None

    server = grpc.server(ThreadPoolExecutor(1), handlers=[Handler()])
    port = server.add_insecure_port(f"{host}:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(0).wait()


NODE_REQUEST = "/ray.rpc.NodeInfoGcsService/GetClusterId"
CLIENT_REQUEST = "/ray.rpc.RayletDriver/ClusterInfo"


@pytest.mark.parametrize(
    ("scheme", "methods", "reason", "hint"),
    [
        (
            "",
            [],
            "the server there is not a Ray cluster",
            "Start a cluster with `ray start --head`",
        ),
        (
            "ray://",
            [],
            "the server there is not a Ray cluster",
            "Start a cluster with `ray start --head`",
        ),
        ("", [CLIENT_REQUEST], "this port is for ray://", "Use --ray ray://127.0.0.1:"),
        (
            "ray://",
            [NODE_REQUEST],
            "this port is for nodes of the cluster",
            "On a node, use --ray 127.0.0.1:",
        ),
    ],
)
def test_other_grpc_servers_and_the_wrong_port_are_errors(clip, run, scheme, methods, reason, hint):
    with over_grpc(*methods) as address:
        completed = run("add", "--ray", f"{scheme}{address}", clip)
    assert completed.exit_code == 1
    first, second = completed.stderr.splitlines()
    assert first == f"error: No Ray cluster answers at {scheme}{address}: {reason}."
    assert second.startswith(f"hint: {hint}")


def test_a_server_that_answers_no_request_is_an_error(clip, run, monkeypatch):
    monkeypatch.setattr(probe, "_TIMEOUT_SECONDS", 0.5)

    def send_settings_only(server):
        for _ in range(2):  # the two connections of the check
            connection, _ = server.accept()
            connection.sendall(bytes((0, 0, 0, 4, 0, 0, 0, 0, 0)))
            connections.append(connection)

    connections = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        address = f"127.0.0.1:{server.getsockname()[1]}"
        answering = threading.Thread(target=send_settings_only, args=[server])
        answering.start()
        completed = run("add", "--ray", address, clip)
        answering.join()
    for connection in connections:
        connection.close()
    assert f"at {address}: there was no answer in time." in completed.stderr


@pytest.mark.parametrize(("scheme", "method"), [("", NODE_REQUEST), ("ray://", CLIENT_REQUEST)])
def test_a_cluster_is_recognized(scheme, method):
    with over_grpc(method) as address:
        assert probe.connection_error(f"{scheme}{address}") is None


def test_a_cluster_that_requires_a_token_is_an_error_without_one(clip, run, monkeypatch):
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    with over_grpc(rejected=[NODE_REQUEST]) as address:
        completed = run("add", "--ray", address, clip)
        assert completed.stderr.splitlines() == [
            f"error: No Ray cluster answers at {address}: it requires a token.",
            "hint: Set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH.",
        ]
        monkeypatch.setenv("RAY_AUTH_MODE", "token")
        assert probe.connection_error(address) is None


def test_a_server_that_rejects_every_request_is_not_a_cluster():
    with over_grpc(rejected=[NODE_REQUEST, CLIENT_REQUEST]) as address:
        assert probe.connection_error(address).reason == "the server there is not a Ray cluster"


def test_a_cluster_on_this_machine_is_used_even_if_it_requires_a_token(tmp_path, monkeypatch):
    (tmp_path / "ray").mkdir()
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with over_grpc(rejected=[NODE_REQUEST], host="0.0.0.0") as address:  # Ray needs it
        (tmp_path / "ray" / "ray_current_cluster").write_text(address)
        assert _resolve(AUTO) is None


def test_a_missing_token_is_an_error(clip, tmp_path):
    environment = {**os.environ, "RAY_AUTH_MODE": "token", "HOME": str(tmp_path)}
    with over_grpc(NODE_REQUEST) as address:
        command = [sys.executable, "-m", "audiosearch", "add", "--ray", address, clip]
        completed = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False
        )
    assert completed.returncode == 1
    first, hint = completed.stderr.splitlines()
    assert first.startswith(f"error: The Ray cluster at {address} can't be used: Token")
    assert "RAY_AUTH_TOKEN" in hint


@pytest.mark.parametrize("address", ["nonsense", "http://host:1", "host", "host:99999"])
def test_an_invalid_address_is_an_error(clip, run, address):
    completed = run("add", f"--ray={address}", clip)
    assert completed.exit_code in (1, 2)
    first, hint = completed.stderr.splitlines()
    assert first.startswith("error: ")
    assert hint.startswith("hint: ")


@pytest.mark.parametrize("has_other_server", [False, True])
def test_the_address_of_a_crashed_cluster_is_ignored(tmp_path, monkeypatch, has_other_server):
    (tmp_path / "ray").mkdir()
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    with over_http(tmp_path) as url:
        address = url.removeprefix("http://") if has_other_server else f"127.0.0.1:{free_port()}"
        (tmp_path / "ray" / "ray_current_cluster").write_text(address)
        assert _resolve(AUTO) == LOCAL


def test_without_ray_the_hint_says_how_to_install_it(clip, run, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    completed = run("add", "--ray", clip)
    assert completed.exit_code == 1
    assert (
        "`audiosearch add --ray` needs the package ray, which is not installed" in completed.stderr
    )
    assert "[ray]'" in completed.stderr


def test_a_dry_run_does_not_connect(clip, run):
    completed = run("add", "--ray", f"127.0.0.1:{free_port()}", clip, "--dry-run")
    assert (completed.exit_code, completed.stdout) == (0, f"new\t{clip}\n")


def test_add_without_ray_does_not_import_ray(clip):
    check = (
        "import sys\n"
        "from audiosearch.cli import app\n"
        "app(sys.argv[1:], standalone_mode=False)\n"
        "sys.exit(bool({'ray', 'fsspec', 'aiohttp'} & set(sys.modules)))\n"
    )
    command = [sys.executable, "-c", check, "add", clip, "--model", "compact"]
    subprocess.run(command, check=True, capture_output=True)
