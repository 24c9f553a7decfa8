"""Check whether a Ray cluster answers at an address, and by which of its two protocols.

Nodes of a cluster speak to the port of its head node; `ray://` addresses use another port.
"""

from __future__ import annotations

import os
import re
import socket
from dataclasses import dataclass

_ADDRESS = re.compile(r"(ray://)?([\w.-]+|\[[0-9a-fA-F:]+\]):(\d{1,5})")
_TIMEOUT_SECONDS = 4.0
# First bytes that a client of HTTP/2, and so of gRPC, sends. The server replies with settings.
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
_SETTINGS_FRAME = 4
# Read-only requests of nodes, and of ray:// clients.
_NODE_REQUEST = "/ray.rpc.NodeInfoGcsService/GetClusterId"
_CLIENT_REQUEST = "/ray.rpc.RayletDriver/ClusterInfo"
_REJECTED = ("UNAUTHENTICATED", "PERMISSION_DENIED")
# Statuses of a server that knows the request.
_KNOWN_REQUEST_STATUSES = ("OK", "NOT_FOUND", "FAILED_PRECONDITION", *_REJECTED)

_START_HINT = (
    "Start a cluster with `ray start --head`, which prints its address; or use --ray without an "
    "address for the cores of this machine."
)


@dataclass(frozen=True, slots=True)
class ConnectionProblem:
    """Reason why no Ray cluster answers, and a hint on what to do next."""

    reason: str
    hint: str = _START_HINT


NO_TOKEN = ConnectionProblem(
    "it requires a token",
    hint="Set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH.",
)


def is_host_and_port(word: str) -> bool:
    """Return whether a word is ``HOST:PORT`` or ``ray://HOST:PORT``."""
    return _ADDRESS.fullmatch(word) is not None


def connection_error(address: str) -> ConnectionProblem | None:
    """Return why no Ray cluster answers at an address; None if one does.

    Without this check, Ray waits for minutes for a cluster and can't be interrupted. If
    ``RAY_USE_TLS`` is set, any server at the address counts as a cluster.
    """
    match = _ADDRESS.fullmatch(address)
    if match is None:
        return ConnectionProblem("it is not HOST:PORT")
    problem = _port_problem(match[2].strip("[]"), int(match[3]))
    if problem is not None or _uses_tls():
        return problem
    return _grpc_problem(f"{match[2]}:{match[3]}", is_client=bool(match[1]))


def is_closed(address: str) -> bool:
    """Return whether no server answers at HOST:PORT."""
    host, _, port = address.rpartition(":")
    return _port_problem(host.strip("[]"), int(port)) is not None


def _uses_tls() -> bool:
    return os.environ.get("RAY_USE_TLS", "0") not in ("0", "")


def _port_problem(host: str, port: int) -> ConnectionProblem | None:
    """Return why no HTTP/2 server answers at a port; None if one does."""
    try:
        with socket.create_connection((host, port), _TIMEOUT_SECONDS) as connection:
            if _uses_tls():
                return None
            connection.sendall(_PREFACE)
            reply = connection.recv(9)
    except TimeoutError:
        return ConnectionProblem("there was no answer in time")
    except OverflowError:
        return ConnectionProblem("ports go up to 65535")
    except OSError as exc:
        return ConnectionProblem((exc.strerror or str(exc)).lower())
    is_http2 = len(reply) > 3 and reply[3] == _SETTINGS_FRAME
    return None if is_http2 else ConnectionProblem("the server there is not a Ray cluster")


def _grpc_problem(target: str, *, is_client: bool) -> ConnectionProblem | None:
    """Return why no cluster answers by the expected protocol; None if one does.

    A cluster that requires a token rejects only requests that it knows. Another server may reject
    any request.
    """
    expected, other = (
        (_CLIENT_REQUEST, _NODE_REQUEST) if is_client else (_NODE_REQUEST, _CLIENT_REQUEST)
    )
    status = _status(target, expected)
    if status == "DEADLINE_EXCEEDED":
        return ConnectionProblem("there was no answer in time")
    if status in _KNOWN_REQUEST_STATUSES and status not in _REJECTED:
        return None
    status_of_other = _status(target, other)
    if status in _REJECTED and status_of_other not in _REJECTED:
        has_token = os.environ.get("RAY_AUTH_MODE", "").lower() not in ("", "disabled")
        return None if has_token else NO_TOKEN
    if status in _REJECTED or status_of_other not in _KNOWN_REQUEST_STATUSES:
        return ConnectionProblem("the server there is not a Ray cluster")
    if is_client:
        return ConnectionProblem(
            "this port is for nodes of the cluster",
            hint=f"On a node, use --ray {target}. Elsewhere, use the cluster's port for ray://, "
            "which is 10001 by default.",
        )
    return ConnectionProblem("this port is for ray://", hint=f"Use --ray ray://{target}")


def _status(target: str, request: str) -> str:
    """Send an empty request by gRPC, and return the status."""
    import grpc

    with grpc.insecure_channel(target, options=[("grpc.enable_http_proxy", 0)]) as channel:
        try:
            channel.unary_unary(request)(b"", timeout=_TIMEOUT_SECONDS)
        except grpc.RpcError as exc:
            return str(exc.code().name)
    return "OK"
