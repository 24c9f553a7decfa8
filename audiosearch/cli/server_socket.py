"""Options of servers, the sockets on which they listen, and their URLs."""

from __future__ import annotations

import errno
import ipaddress
import socket
from typing import Annotated

import typer

from audiosearch.errors import AudiosearchError, UsageError

Host = Annotated[
    str,
    typer.Option(
        metavar="ADDRESS",
        help="Address to listen on. Default: this machine only; 0.0.0.0 lets other machines "
        "connect.",
    ),
]
Port = Annotated[int, typer.Option(min=0, max=65_535, help="0 takes any free port.")]


def listening_socket(host: str, port: int) -> socket.socket:
    """Return a socket that listens on an address of this machine.

    Parameters
    ----------
    host : str
    port : int
        0 takes any free port.

    Raises
    ------
    UsageError
        If the host is no address.
    AudiosearchError
        If it can't listen there.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family)
    except (TypeError, UnicodeError) as exc:  # no name of a host
        raise UsageError(
            f"{host} is not an address.", hint="Use an address such as 127.0.0.1 or 0.0.0.0."
        ) from exc
    except OSError as exc:
        reason = (exc.strerror or str(exc)).partition(" (while ")[0]  # the address follows
        is_port = exc.errno in (errno.EADDRINUSE, errno.EACCES)
        raise AudiosearchError(
            f"Can't listen on {host}:{port}: {reason}.",
            hint="--port 0 takes any free port."
            if is_port
            else "Use an address of this machine, such as 127.0.0.1 or 0.0.0.0.",
        ) from exc
    # Connections inherit this. Otherwise the end of a response waits for an acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def url_of(listener: socket.socket, host: str) -> str:
    """Return the URL of a server, given its socket and the address that the user named."""
    address, port, *_ = listener.getsockname()
    name = socket.gethostname() if ipaddress.ip_address(address).is_unspecified else host
    return f"http://{f'[{name}]' if ':' in name else name}:{port}/"
