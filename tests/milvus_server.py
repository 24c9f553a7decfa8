"""Milvus Lite behind a port, as a server, with or without a token; and a real Milvus server."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import milvus
from milvus import MilvusServerConfig
from milvus_lite import MilvusLite
from milvus_lite.adapter.grpc.servicer import MilvusServicer
from pymilvus import MilvusClient, MilvusException
from pymilvus.grpc_gen import milvus_pb2_grpc
from waiting import wait_for

# Of the real server. A read waits for the next tick of time, every 200 ms by default. A server that
# isn't run for as long as a session lasts refuses all requests from then on: a busy machine may
# stop it for seconds. While sessions of a killed server last, collecting metrics for its quotas may
# end the next one by a null pointer.
_SETTINGS = {
    "proxy.timeTickInterval": 20,
    "common.session.ttl": 60,  # seconds, 30 by default
    "quotaAndLimits.enabled": "false",
}


class _TokenInterceptor(grpc.ServerInterceptor):
    """Refuse calls without the token, as a Milvus server does."""

    def __init__(self, token: str) -> None:
        self._expected = base64.b64encode(token.encode()).decode()

    def intercept_service(self, continuation, details):
        if dict(details.invocation_metadata).get("authorization") == self._expected:
            return continuation(details)

        def refuse(_, context):
            message = "auth check failure, please check username and password are correct"
            context.abort(grpc.StatusCode.UNAUTHENTICATED, message)

        return grpc.unary_unary_rpc_method_handler(refuse)


@contextlib.contextmanager
def milvus_server(folder: Path, token: str | None = None) -> Iterator[str]:
    """Serve a folder, and give HOST:PORT."""
    database = MilvusLite(str(folder))
    interceptors = [] if token is None else [_TokenInterceptor(token)]
    server = grpc.server(futures.ThreadPoolExecutor(8), interceptors=interceptors)
    milvus_pb2_grpc.add_MilvusServiceServicer_to_server(MilvusServicer(database), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(grace=2).wait()
        database.close()


class RealMilvus:
    """A Milvus server of the package `milvus`, which can be killed and started again.

    Its ports listen on all interfaces of the machine: it has no setting for that.

    Parameters
    ----------
    folder : Path
        Folder of its programs, configuration, data and logs.

    Attributes
    ----------
    host : str
        HOST:PORT.
    """

    def __init__(self, folder: Path) -> None:
        config = MilvusServerConfig(data_dir=str(folder))
        names = [name for name in config.configurable_items if name.endswith("_port")]
        ports = free_ports(len(names) + 3)
        config.update(**dict(zip(names, ports, strict=False)))
        for name, value in _SETTINGS.items():
            config.set(name, value)
        config.resolve()
        milvus._initialize_data_files(str(folder))
        self._etcd_port, peer, self._health = ports[-3:]
        etcd = folder / "configs" / "etcd.json"
        etcd.write_text(json.dumps(_etcd(folder, self._etcd_port, peer)))
        self._folder = folder
        self._sessions: set[str] = set()
        self._environment = os.environ | {
            "DEPLOY_MODE": "STANDALONE",
            "ETCD_CONFIG_PATH": str(etcd),
            "LD_LIBRARY_PATH": str(folder / "bin"),
            "METRICS_PORT": str(self._health),
            "MILVUS_RUN_DIR": str(folder / "run"),
        }
        self.host = f"127.0.0.1:{config.get('proxy_port')}"
        self.start()

    def start(self) -> None:
        """Start the server, and check that it serves requests."""
        self._launch()
        assert not self._has_ended(), self.log()

    def restart(self) -> None:
        """Start the killed server, and wait until its collections can be read.

        After a kill, Milvus 2.3.5 rarely ends by itself, or says that it serves requests but never
        answers a read. Then it is started again, as a service manager does.
        """
        for _ in range(5):
            self._launch()
            if self._can_be_read():
                return
            self.kill()
        raise AssertionError(self.log())

    def _launch(self) -> None:
        """Start the server, and wait until it says that it serves requests, or has ended."""
        with (self._folder / "logs" / "output.log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._folder / "bin" / "milvus", "run", "standalone"],
                cwd=self._folder,
                env=self._environment,
                stdout=log,
                stderr=log,
            )
        wait_for(lambda: self._has_ended() or (self._end_former_sessions() and self._is_healthy()))
        if not self._has_ended():
            self._sessions = self._leases()

    def _end_former_sessions(self) -> bool:
        """End the sessions of the killed server, for which this one waits; return whether it did.

        Each session is a lease of the etcd in the server.
        """
        with contextlib.suppress(OSError):
            for lease in self._sessions & self._leases():
                self._ask_etcd("lease/revoke", {"ID": lease})
            self._sessions.clear()
            return True
        return False

    def _leases(self) -> set[str]:
        return {lease["ID"] for lease in self._ask_etcd("lease/leases", {}).get("leases", ())}

    def _ask_etcd(self, method: str, arguments: dict[str, str]) -> dict[str, Any]:
        url = f"http://127.0.0.1:{self._etcd_port}/v3/{method}"
        with urllib.request.urlopen(url, json.dumps(arguments).encode(), timeout=5) as response:
            answer: dict[str, Any] = json.load(response)
        return answer

    def _has_ended(self) -> bool:
        return self._process.poll() is not None

    def _is_healthy(self) -> bool:
        with contextlib.suppress(OSError):
            url = f"http://127.0.0.1:{self._health}/healthz"
            with urllib.request.urlopen(url, timeout=5) as response:
                return b"OK" in response.read()
        return False

    def _can_be_read(self) -> bool:
        with contextlib.suppress(grpc.RpcError, MilvusException), self.client() as client:
            for name in client.list_collections():
                client.load_collection(name, timeout=30)
                client.query(name, output_fields=["count(*)"], timeout=30)
            return True
        return False

    def client(self) -> contextlib.closing[MilvusClient]:
        """Return a connection to the server."""
        return contextlib.closing(MilvusClient(f"http://{self.host}", dedicated=True))

    def log(self) -> str:
        """Return the end of what the server printed."""
        return (self._folder / "logs" / "output.log").read_text(errors="replace")[-5_000:]

    def kill(self) -> None:
        """End the server at once."""
        self._process.kill()
        self._process.wait()


@contextlib.contextmanager
def real_milvus(folder: Path) -> Iterator[RealMilvus]:
    """Run a Milvus server in a folder."""
    server = RealMilvus(folder)
    try:
        yield server
    finally:
        server.kill()


def free_ports(n: int) -> list[int]:
    """Return numbers of ports that are free now."""
    with contextlib.ExitStack() as sockets:
        taken = [sockets.enter_context(socket.socket()) for _ in range(n)]
        for one in taken:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in taken]


def _etcd(folder: Path, client: int, peer: int) -> dict[str, str]:
    """Return the configuration of the etcd in the server, which has two ports of its own."""
    urls = {
        f"{kind}-{name}-urls": f"http://127.0.0.1:{port}"
        for kind, name, port in (
            ("listen", "client", client),
            ("advertise", "client", client),
            ("listen", "peer", peer),
            ("initial-advertise", "peer", peer),
        )
    }
    names = {"name": "default", "initial-cluster": f"default=http://127.0.0.1:{peer}"}
    return urls | names | {"data-dir": str(folder / "data" / "etcd.data")}


def emptied(server: RealMilvus, dimension: int) -> str:
    """Return the address of collections without rows, which the next call empties again.

    To Milvus, collections cost seconds: they are loaded. To an index, these are collections whose
    creation was interrupted.
    """
    name, conditions = f"c{dimension}", {"": "id > 0", "_notes": 'key > ""', "_moments": 'key > ""'}
    with server.client() as client:
        for suffix, condition in conditions.items():
            if client.has_collection(name + suffix):
                client.delete(name + suffix, filter=condition)
    return f"milvus://{server.host}/{name}"
