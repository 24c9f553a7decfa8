"""``audiosearch serve``."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from audiosearch import defaults
from audiosearch.cli.options import IndexAt
from audiosearch.cli.server_socket import Host, Port, listening_socket, url_of
from audiosearch.errors import UsageError


def serve(
    location: IndexAt = defaults.INDEX,
    host: Host = defaults.HOST,
    port: Port = defaults.PORT,
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
    import threading
    import webbrowser

    from audiosearch.cli.console import say
    from audiosearch.web import create_app
    from audiosearch.web.transport.security import LOOPBACK
    from audiosearch.web.transport.server import run

    is_local = host in LOOPBACK
    if not is_local and not api_key:
        raise UsageError(
            f"Other machines could connect to a server at {host}.",
            hint="Set an API key with AUDIOSEARCH_API_KEY or --api-key.",
        )
    with listening_socket(host, port) as server:
        app = create_app(location, api_key=api_key, hosts=LOOPBACK if is_local else None)
        url = url_of(server, host)
        say(f"Serving {location} at {url} - press Ctrl-C to stop.")
        if is_local and sys.stdout.isatty():
            threading.Timer(1.0, webbrowser.open, [url]).start()
        run(app, server)
