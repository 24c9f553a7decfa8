"""``audiosearch serve``."""

from __future__ import annotations

import errno
import sys
from typing import Annotated

import typer

from audiosearch import defaults
from audiosearch.cli.options import IndexAt
from audiosearch.errors import AudiosearchError, MissingExtra, UsageError


def serve(
    location: IndexAt = defaults.INDEX,
    host: Annotated[
        str,
        typer.Option(metavar="ADDRESS", help="Address to listen on. Default: this machine only."),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 takes any free port.")] = 8765,
    api_key: Annotated[
        str | None,
        typer.Option(
            metavar="KEY",
            envvar="AUDIOSEARCH_API_KEY",
            show_envvar=True,
            help="Key that requests must send. Required if other machines can connect.",
        ),
    ] = None,
) -> None:
    """Serve a web page and an HTTP interface to find, play and map tracks, until Ctrl-C."""
    import ipaddress
    import socket
    import threading
    import webbrowser

    from audiosearch.cli.console import say

    try:
        import uvicorn  # noqa: F401  # the server's; named first if several are missing

        from audiosearch.web import create_app
        from audiosearch.web.security import LOOPBACK
        from audiosearch.web.server import run
    except ModuleNotFoundError as exc:
        raise MissingExtra("`audiosearch serve`", exc.name or "fastapi", "web") from exc
    is_local = host in LOOPBACK
    if not is_local and not api_key:
        raise UsageError(
            f"Other machines could connect to a server at {host}.",
            hint="Set an API key with AUDIOSEARCH_API_KEY or --api-key.",
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        server = socket.create_server((host, port), family=family)
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
    with server:
        # Connections inherit this. Otherwise the end of a response waits for an acknowledgement.
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        app = create_app(location, api_key=api_key, hosts=LOOPBACK if is_local else None)
        is_any_address = ipaddress.ip_address(server.getsockname()[0]).is_unspecified
        host_name = socket.gethostname() if is_any_address else host
        name = f"[{host_name}]" if ":" in host_name else host_name
        url = f"http://{name}:{server.getsockname()[1]}/"
        say(f"Serving {location} at {url} - press Ctrl-C to stop.")
        if is_local and sys.stdout.isatty():
            threading.Timer(1.0, webbrowser.open, [url]).start()
        run(app, server)
