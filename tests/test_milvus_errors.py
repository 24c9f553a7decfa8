"""Errors of an index in Milvus have one sentence and a hint."""

import os
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace

import psutil
import pytest
from milvus_lite.adapter.grpc.servicer import MilvusServicer
from milvus_server import milvus_server
from tracks import SPEC, some_track, unit
from waiting import wait_for

from audiosearch import Index, LibraryError, ModelMismatch, UsageError
from audiosearch.errors import MissingExtra
from audiosearch.library.milvus import client
from audiosearch.library.milvus.client import TOKEN, Address
from audiosearch.library.milvus.database import MilvusDatabase
from audiosearch.library.track import EmbeddingSpec
from audiosearch.models.registry import compact

COMPACT = EmbeddingSpec("compact", compact().weights_digest)


def failed(action, *words):
    with pytest.raises(LibraryError) as caught:
        action()
    assert all(word in str(caught.value) for word in words), caught.value
    assert "\n" not in str(caught.value)
    assert caught.value.hint


def test_a_port_without_a_server_is_reported():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    address = f"milvus://127.0.0.1:{port}/music"
    failed(lambda: Index(address), address, "no Milvus answers")


def test_a_server_that_stops_is_reported(tmp_path):
    with milvus_server(tmp_path / "m") as host:
        index = Index(f"milvus://{host}/music", spec=SPEC)
    with index:
        failed(lambda: list(index), host, "no Milvus answers")


def test_a_server_that_does_not_answer_in_time_is_reported(tmp_path, monkeypatch):
    answered = MilvusServicer.Query
    stalls = threading.Event()

    def stalling(servicer, request, context):
        if stalls.is_set():
            time.sleep(1)
        return answered(servicer, request, context)

    monkeypatch.setattr(MilvusServicer, "Query", stalling)
    with milvus_server(tmp_path / "m") as host, Index(f"milvus://{host}/music", spec=SPEC) as index:
        stalls.set()
        monkeypatch.setattr(client, "_TIMEOUT_SECONDS", 0.2)
        failed(lambda: list(index), host, "doesn't answer within")


def test_no_connection_stays_open_after_an_index_is_closed(tmp_path):
    with milvus_server(tmp_path / "m") as host:
        port = int(host.rpartition(":")[2])

        def is_connected():
            connections = psutil.Process().net_connections("tcp")
            return any(one.raddr and one.raddr.port == port for one in connections)

        with Index(f"milvus://{host}/music", spec=SPEC):
            assert is_connected()
        wait_for(lambda: not is_connected())


def test_a_token_is_read_from_the_environment(tmp_path, monkeypatch, run):
    with milvus_server(tmp_path / "m", token="user:secret") as host:
        address = f"milvus://{host}/music"
        failed(lambda: Index(address), "refuses", "token")
        monkeypatch.setenv(TOKEN, "user:wrong")
        refused = run("list", "--index", address)
        assert refused.exit_code == 1
        assert TOKEN in refused.stderr
        assert "wrong" not in refused.stderr.replace("missing, wrong", "")
        monkeypatch.setenv(TOKEN, "user:secret")
        with Index(address, spec=SPEC) as index:
            index.add(some_track(1), unit())
            assert index.n_tracks == 1


def create_other_collection(host, name, size):
    from pymilvus import MilvusClient

    client = MilvusClient(f"http://{host}")
    client.create_collection(name, dimension=size)
    client.close()


def test_a_collection_of_another_program_is_reported(server, address):
    create_other_collection(server, address.rpartition("/")[2], 64)
    failed(lambda: Index(address, spec=SPEC), "wasn't created by audiosearch")


def test_an_incomplete_collection_of_another_dimension_is_reported(address, monkeypatch):
    call = MilvusDatabase.call

    def interrupted(database, method, *args, **options):
        if method == "upsert":
            raise KeyboardInterrupt
        return call(database, method, *args, **options)

    monkeypatch.setattr(MilvusDatabase, "call", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Index(address, spec=replace(SPEC, dimension=64))
    monkeypatch.undo()
    failed(lambda: Index(address, spec=SPEC), address, "64 numbers, not of 128")


def test_a_dimension_that_differs_from_the_settings_is_reported(address):
    with Index(address, spec=SPEC) as index:
        index.storage.set_settings({"dimension": "64"})
    failed(lambda: Index(address), address, "128 numbers, not of 64")


def test_vectors_without_an_index_are_reported(server, address):
    from pymilvus import MilvusClient

    Index(address, spec=SPEC).close()
    name, client = address.rpartition("/")[2], MilvusClient(f"http://{server}")
    client.release_collection(name)
    client.drop_index(name, "embedding")
    client.close()
    failed(lambda: Index(address), address, "have no index")


def test_a_collection_of_another_model_is_reported(address):
    Index(address, spec=SPEC).close()
    with pytest.raises(ModelMismatch) as caught:
        Index(address, spec=COMPACT)
    assert str(SPEC) in str(caught.value)


def test_commands_that_need_a_folder_are_refused_with_a_hint(address, run):
    with Index(address, spec=replace(SPEC, weights_digest="e" * 64)) as index:
        index.add(some_track(1), unit())
    refused = run("reembed", "--model", "compact", "--index", address)
    assert (refused.exit_code, "hint: " in refused.stderr) == (1, True)


@pytest.mark.parametrize(
    "location",
    [
        *("milvus://", "milvus://host", "milvus://host/", "milvus://host:port/c"),
        *("milvus://host/a-b", "milvus://host/1a", "milvus://host/a/b", "milvus://host/日本"),
        *("milvus://host/a?db_name=b", "milvus://host/a#b"),
        *("milvus+lite:///folder/file", "milvus+lite:"),
    ],
)
def test_a_malformed_address_is_reported(location):
    with pytest.raises(
        UsageError, match=r"is not the address|doesn't name a file|can't be the name"
    ) as caught:
        Address.parsed(location)
    assert "milvus+lite:" in caught.value.hint or "Use letters" in caught.value.hint


@pytest.mark.parametrize("url", ["http://host:19530/music", "s3://bucket/index"])
def test_a_url_of_another_scheme_is_refused(url, run):
    for command in (["info", "--index", url], ["copy", url, "here"], ["copy", "here", url]):
        assert run(*command).exit_code in (1, 2)
        assert os.listdir() == []
    with pytest.raises(UsageError, match="neither a folder nor"):
        Index(url, spec=SPEC)


def test_a_password_in_an_address_is_refused_and_not_shown():
    with pytest.raises(UsageError) as caught:
        Address.parsed("milvus://me:secret@host/music")
    assert "secret" not in str(caught.value) + caught.value.hint
    assert TOKEN in caught.value.hint


def test_addresses_are_translated_for_the_client(tmp_path):
    assert Address.parsed("milvus://host/music").uri == "http://host:19530"
    assert Address.parsed("milvus+tls://[::1]:443/music").uri == "https://[::1]:443"
    assert Address.parsed("milvus+lite:///folder/a.db").file == "/folder/a.db"
    assert Address.parsed("milvus+lite:a.db").file == os.path.abspath("a.db")


def test_a_file_that_is_not_an_index_of_milvus_lite_is_reported(tmp_path):
    (tmp_path / "a.db").write_bytes(b"SQLite format 3")
    failed(
        lambda: Index(f"milvus+lite:{tmp_path / 'a.db'}", spec=SPEC),
        "An index of Milvus Lite is a folder",
    )
    assert (tmp_path / "a.db").read_bytes() == b"SQLite format 3"


def test_a_file_that_another_process_has_open_is_reported(tmp_path):
    location = f"milvus+lite:{tmp_path / 'a.db'}"
    hold = (
        "import sys; from audiosearch import Index; from tracks import SPEC\n"
        "with Index(sys.argv[1], spec=SPEC): print('open', flush=True); input()\n"
    )
    command = [sys.executable, "-c", hold, location]
    paths = (os.path.dirname(__file__), os.environ.get("PYTHONPATH"))
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "open\n"
        failed(lambda: Index(location), "can't open")
        other.communicate("\n")
    with Index(location) as index:
        assert index.n_tracks == 0


@pytest.mark.parametrize("package", ["pymilvus", "milvus_lite"])
def test_a_package_that_is_missing_is_named(package, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, package, None)
    location = f"milvus+lite:{tmp_path / 'a.db'}"
    for act in (Index.check_writable, lambda location: Index(location, spec=SPEC)):
        with pytest.raises(MissingExtra) as caught:
            act(location)
        assert "[milvus]'" in caught.value.hint
