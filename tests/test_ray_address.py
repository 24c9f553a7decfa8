"""`--ray` on the command line: what is an address, and where none answers."""

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
from audiosearch.ingest.ray.connection import AUTO, LOCAL, _resolved


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
def test_the_word_behind_ray_is_an_address_only_if_it_looks_like_one(arguments, address, paths):
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
def test_an_address_at_which_nothing_answers_ends_in_a_sentence(clip, run, scheme):
    address = f"{scheme}127.0.0.1:{free_port()}"
    ended = run("add", "--ray", address, clip)
    assert ended.exit_code == 1
    first, hint = ended.stderr.splitlines()
    assert first == f"error: No Ray cluster answers at {address}: connection refused."
    assert hint.startswith("hint: `ray start --head` starts one")


def test_the_address_that_the_environment_names_is_held_to_the_same(clip, run, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{free_port()}")
    assert "No Ray cluster answers at 127.0.0.1:" in run("add", "--ray", clip).stderr


def test_what_answers_there_and_is_no_ray_ends_in_a_sentence(clip, run):
    with over_http(clip.parent) as url:
        ended = run("add", "--ray", url.removeprefix("http://"), clip)
    assert ended.exit_code == 1
    assert "something else answers there" in ended.stderr


@contextlib.contextmanager
def over_grpc(*methods, refused=(), host="127.0.0.1"):
    """Serve these methods for as long as the block lasts; gives HOST:PORT."""

    def refuse(request, context):
        context.abort(grpc.StatusCode.UNAUTHENTICATED, "no token")

    class Handler(grpc.GenericRpcHandler):
        def service(self, details):
            if details.method in refused:
                return grpc.unary_unary_rpc_method_handler(refuse)
            if details.method in methods:
                return grpc.unary_unary_rpc_method_handler(lambda request, context: b"")
            return None

    server = grpc.server(ThreadPoolExecutor(1), handlers=[Handler()])
    port = server.add_insecure_port(f"{host}:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(0).wait()


OF_NODES = "/ray.rpc.NodeInfoGcsService/GetClusterId"
OF_CLIENTS = "/ray.rpc.RayletDriver/ClusterInfo"


@pytest.mark.parametrize(
    ("scheme", "methods", "reason", "hint"),
    [
        ("", [], "something else answers there", "`ray start --head` starts one"),
        ("ray://", [], "something else answers there", "`ray start --head` starts one"),
        ("", [OF_CLIENTS], "this port is for ray://", "Name it so: --ray ray://127.0.0.1:"),
        ("ray://", [OF_NODES], "this port is for the cluster's nodes", "On a node, name it"),
    ],
)
def test_what_speaks_grpc_there_and_is_no_ray_is_told_from_it(
    clip, run, scheme, methods, reason, hint
):
    with over_grpc(*methods) as address:
        ended = run("add", "--ray", f"{scheme}{address}", clip)
    assert ended.exit_code == 1
    first, second = ended.stderr.splitlines()
    assert first == f"error: No Ray cluster answers at {scheme}{address}: {reason}."
    assert second.startswith(f"hint: {hint}")


def test_what_answers_no_request_ends_in_a_sentence(clip, run, monkeypatch):
    monkeypatch.setattr(probe, "_PROBE_SECONDS", 0.5)

    def settings_and_no_more(server):
        for _ in range(2):  # the probe's first question, and its second
            connection, _ = server.accept()
            connection.sendall(bytes((0, 0, 0, 4, 0, 0, 0, 0, 0)))
            taken.append(connection)

    taken = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        answering = threading.Thread(target=settings_and_no_more, args=[server])
        answering.start()
        ended = run("add", "--ray", address, clip)
        answering.join()
    for connection in taken:
        connection.close()
    assert f"at {address}: there was no answer in time." in ended.stderr


@pytest.mark.parametrize(("scheme", "method"), [("", OF_NODES), ("ray://", OF_CLIENTS)])
def test_a_cluster_is_recognised(scheme, method):
    with over_grpc(method) as address:
        assert probe.connection_error(f"{scheme}{address}") is None


def test_a_cluster_that_asks_for_a_token_says_so(clip, run, monkeypatch):
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    with over_grpc(refused=[OF_NODES]) as address:
        ended = run("add", "--ray", address, clip)
        assert ended.stderr.splitlines() == [
            f"error: No Ray cluster answers at {address}: it asks for a token.",
            "hint: Set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH.",
        ]
        monkeypatch.setenv("RAY_AUTH_MODE", "token")
        assert probe.connection_error(address) is None


def test_what_refuses_whatever_is_asked_is_no_cluster():
    with over_grpc(refused=[OF_NODES, OF_CLIENTS]) as address:
        assert probe.connection_error(address).reason == "something else answers there"


def test_a_cluster_that_runs_here_is_used_though_it_asks_for_a_token(tmp_path, monkeypatch):
    (tmp_path / "ray").mkdir()
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with over_grpc(refused=[OF_NODES], host="0.0.0.0") as address:  # Ray says 127.0.0.1 otherwise
        (tmp_path / "ray" / "ray_current_cluster").write_text(address)
        assert _resolved(AUTO) is None


def test_a_token_that_is_missing_ends_in_a_sentence(clip, tmp_path):
    environment = {**os.environ, "RAY_AUTH_MODE": "token", "HOME": str(tmp_path)}
    with over_grpc(OF_NODES) as address:
        command = [sys.executable, "-m", "audiosearch", "add", "--ray", address, clip]
        ended = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False
        )
    assert ended.returncode == 1
    first, hint = ended.stderr.splitlines()
    assert first.startswith(f"error: The Ray cluster at {address} cannot be used: Token")
    assert "RAY_AUTH_TOKEN" in hint


@pytest.mark.parametrize("address", ["nonsense", "http://host:1", "host", "host:99999"])
def test_what_is_no_address_ends_in_a_sentence(clip, run, address):
    ended = run("add", f"--ray={address}", clip)
    assert ended.exit_code in (1, 2)
    first, hint = ended.stderr.splitlines()
    assert first.startswith("error: ")
    assert hint.startswith("hint: ")


@pytest.mark.parametrize("is_somebody_there", [False, True])
def test_an_address_that_a_crashed_cluster_left_is_none(tmp_path, monkeypatch, is_somebody_there):
    (tmp_path / "ray").mkdir()
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    with over_http(tmp_path) as url:
        there = url.removeprefix("http://") if is_somebody_there else f"127.0.0.1:{free_port()}"
        (tmp_path / "ray" / "ray_current_cluster").write_text(there)
        assert _resolved(AUTO) == LOCAL


def test_without_the_package_it_says_what_installs_it(clip, run, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    ended = run("add", "--ray", clip)
    assert ended.exit_code == 1
    assert "`audiosearch add --ray` needs the package ray, which is not installed" in ended.stderr
    assert "pip install 'audiosearch[ray]'" in ended.stderr


def test_a_dry_run_asks_no_cluster(clip, run):
    ended = run("add", "--ray", f"127.0.0.1:{free_port()}", clip, "--dry-run")
    assert (ended.exit_code, ended.stdout) == (0, f"new\t{clip}\n")


def test_plain_add_loads_nothing_of_it(clip):
    check = (
        "import sys\n"
        "from audiosearch.cli import app\n"
        "app(sys.argv[1:], standalone_mode=False)\n"
        "sys.exit(bool({'ray', 'fsspec', 'aiohttp'} & set(sys.modules)))\n"
    )
    command = [sys.executable, "-c", check, "add", clip, "--model", "compact"]
    subprocess.run(command, check=True, capture_output=True)
