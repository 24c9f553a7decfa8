"""What answers at an address: a Ray cluster, by either of its two protocols, or something else."""

from __future__ import annotations

import os
import re
import socket
from dataclasses import dataclass

_ADDRESS = re.compile(r"(ray://)?([\w.-]+|\[[0-9a-fA-F:]+\]):(\d{1,5})")
_PROBE_SECONDS = 4.0
# What a client of HTTP/2, and so of gRPC, begins with; the server's answer begins with settings.
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
_SETTINGS = 4
# A request, of those that nodes make and of those that ray:// makes, which changes nothing.
_OF_NODES = "/ray.rpc.NodeInfoGcsService/GetClusterId"
_OF_CLIENTS = "/ray.rpc.RayletDriver/ClusterInfo"
_REFUSED = ("UNAUTHENTICATED", "PERMISSION_DENIED")
# What tells that the request was understood: who asks is unknown, or refused.
_UNDERSTOOD = ("OK", "NOT_FOUND", "FAILED_PRECONDITION", *_REFUSED)

_STARTING = (
    "`ray start --head` starts one and says its address; without an address, --ray uses the cores "
    "of this machine."
)


@dataclass(frozen=True, slots=True)
class ConnectionProblem:
    """Why no cluster answers, and what may help."""

    reason: str
    hint: str = _STARTING


NO_TOKEN = ConnectionProblem(
    "it asks for a token",
    hint="Set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH.",
)


def is_host_and_port(word: str) -> bool:
    """Return whether a word is ``HOST:PORT`` or ``ray://HOST:PORT``."""
    return _ADDRESS.fullmatch(word) is not None


def connection_error(address: str) -> ConnectionProblem | None:
    """Return why no Ray cluster answers at an address; None where one does.

    Ray itself waits for minutes, and cannot be interrupted, for what is none. Where
    ``RAY_USE_TLS`` is set, no more is asked than whether something is there.
    """
    found = _ADDRESS.fullmatch(address)
    if found is None:
        return ConnectionProblem("it is no HOST:PORT")
    silent = _silence_of_port(found[2].strip("[]"), int(found[3]))
    if silent is not None or _uses_tls():
        return silent
    return _silence_of_grpc(f"{found[2]}:{found[3]}", is_client=bool(found[1]))


def is_gone(address: str) -> bool:
    """Return whether nothing listens any more at the HOST:PORT of a cluster that was there."""
    host, _, port = address.rpartition(":")
    return _silence_of_port(host.strip("[]"), int(port)) is not None


def _uses_tls() -> bool:
    return os.environ.get("RAY_USE_TLS", "0") not in ("0", "")


def _silence_of_port(host: str, port: int) -> ConnectionProblem | None:
    """Return why nothing speaks HTTP/2 there."""
    try:
        with socket.create_connection((host, port), _PROBE_SECONDS) as connection:
            if _uses_tls():
                return None
            connection.sendall(_PREFACE)
            start = connection.recv(9)
    except TimeoutError:
        return ConnectionProblem("there was no answer in time")
    except OverflowError:
        return ConnectionProblem("there is no such port")
    except OSError as exc:
        return ConnectionProblem((exc.strerror or str(exc)).lower())
    is_http2 = len(start) > 3 and start[3] == _SETTINGS
    return None if is_http2 else ConnectionProblem("something else answers there")


def _silence_of_grpc(target: str, *, is_client: bool) -> ConnectionProblem | None:
    """Return why there is no cluster, or not by the protocol that was meant.

    A cluster refuses what it knows to those without its token; others refuse whatever is asked.
    """
    wanted, other = (_OF_CLIENTS, _OF_NODES) if is_client else (_OF_NODES, _OF_CLIENTS)
    status = _status(target, wanted)
    if status == "DEADLINE_EXCEEDED":
        return ConnectionProblem("there was no answer in time")
    if status in _UNDERSTOOD and status not in _REFUSED:
        return None
    status_of_other = _status(target, other)
    if status in _REFUSED and status_of_other not in _REFUSED:
        has_token = os.environ.get("RAY_AUTH_MODE", "").lower() not in ("", "disabled")
        return None if has_token else NO_TOKEN
    if status in _REFUSED or status_of_other not in _UNDERSTOOD:
        return ConnectionProblem("something else answers there")
    if is_client:
        return ConnectionProblem(
            "this port is for the cluster's nodes",
            hint=f"On a node, name it without ray://: --ray {target}; elsewhere, the port of "
            "ray:// is 10001, unless the cluster was started with another.",
        )
    return ConnectionProblem("this port is for ray://", hint=f"Name it so: --ray ray://{target}")


def _status(target: str, request: str) -> str:
    """Return what gRPC says to an empty request."""
    import grpc

    with grpc.insecure_channel(target, options=[("grpc.enable_http_proxy", 0)]) as channel:
        try:
            channel.unary_unary(request)(b"", timeout=_PROBE_SECONDS)
        except grpc.RpcError as exc:
            return str(exc.code().name)
    return "OK"
