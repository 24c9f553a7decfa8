"""``audiosearch serve``."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from audiosearch.cli.options import DEFAULT_INDEX, IndexAt
from audiosearch.errors import AudiosearchError, MissingExtra, UsageError


def register(app: typer.Typer) -> None:
    """Put the command into the application."""
    app.command()(serve)


def serve(
    location: IndexAt = DEFAULT_INDEX,
    host: Annotated[
        str,
        typer.Option(metavar="ADDRESS", help="Where to listen: here only, unless given."),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 takes any that is free.")] = 8765,
    api_key: Annotated[
        str | None,
        typer.Option(
            metavar="KEY",
            envvar="AUDIOSEARCH_API_KEY",
            show_envvar=True,
            help="What requests must carry; required where others can call.",
        ),
    ] = None,
) -> None:
    """Serve a page to find, play and map tracks, and the same over HTTP, until Ctrl-C."""
    import ipaddress
    import socket
    import threading
    import webbrowser

    from audiosearch.cli.console import say

    try:
        import uvicorn

        from audiosearch.web import create_app
        from audiosearch.web.security import LOOPBACK
    except ModuleNotFoundError as exc:
        raise MissingExtra("`audiosearch serve`", exc.name or "fastapi", "web") from exc
    is_ours_alone = host in LOOPBACK
    if not is_ours_alone and not api_key:
        raise UsageError(
            f"Others could call a server at {host}.",
            hint="Set a key for it: AUDIOSEARCH_API_KEY, or --api-key.",
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family)
    except OSError as exc:
        raise AudiosearchError(
            f"{host}:{port} cannot be listened at: {exc.strerror or exc}.",
            hint="--port 0 takes any port that is free.",
        ) from exc
    with listening:
        # Inherited by connections: else the last part of an answer waits for an acknowledgement.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        app = create_app(location, api_key=api_key, hosts=LOOPBACK if is_ours_alone else None)
        is_everywhere = ipaddress.ip_address(listening.getsockname()[0]).is_unspecified
        called = socket.gethostname() if is_everywhere else host
        name = f"[{called}]" if ":" in called else called
        url = f"http://{name}:{listening.getsockname()[1]}/"
        say(f"Serving {location} at {url}; Ctrl-C ends it.")
        if is_ours_alone and sys.stdout.isatty():
            threading.Timer(1.0, webbrowser.open, [url]).start()
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=3,  # a player that waits is no reason to stay
        )
        uvicorn.Server(config).run(sockets=[listening])
