"""``audiosearch proxy``."""

from __future__ import annotations

from typing import Annotated

import typer

from audiosearch import defaults
from audiosearch.cli.options import IndexAt
from audiosearch.cli.server_socket import Host, Port, listening_socket, url_of


def proxy(
    url: Annotated[
        str, typer.Argument(metavar="URL", help="Music server, such as http://localhost:4533.")
    ],
    location: IndexAt = defaults.INDEX,
    host: Host = defaults.HOST,
    port: Port = defaults.PROXY_PORT,
    artist_gap: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="N",
            help="Minimum number of songs between two by the same artist in a mix, where possible.",
        ),
    ] = defaults.PROXY_ARTIST_GAP,
) -> None:
    """Let the apps of a Subsonic server find songs that sound alike, until Ctrl-C.

    Enter the proxy's address in an app in place of the server's. Everything but requests for
    similar songs is passed on to the server.
    """
    import math

    from audiosearch.cli.console import say
    from audiosearch.players.subsonic.proxy import Proxy
    from audiosearch.web import Limits
    from audiosearch.web.transport.server import run

    # A player that is paused reads nothing for long. A playlist is a long address.
    limits = Limits(unread_seconds=math.inf, header_bytes=2**20)
    with listening_socket(host, port) as server:
        app = Proxy(url, location, artist_gap=artist_gap)
        say(f"Apps can use {url_of(server, host)} - press Ctrl-C to stop.")
        run(app, server, limits)
