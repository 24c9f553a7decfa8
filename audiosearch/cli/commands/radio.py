"""``audiosearch radio``."""

from __future__ import annotations

from typing import Annotated

import typer

from audiosearch import defaults
from audiosearch.cli.filter_options import FilterOptions
from audiosearch.cli.network_options import NetworkOptions
from audiosearch.cli.options import IndexAt, ModelName, Prefix, file_name, prefix_pairs
from audiosearch.cli.playlist_options import (
    Drift,
    NamedSeeds,
    PlaylistWhiten,
    Seeds,
    VarietyOptions,
    parse_duration,
)
from audiosearch.errors import UsageError


def radio(
    address: Annotated[
        str,
        typer.Argument(
            metavar="mpd://HOST", help="Address of MPD: mpd://HOST or mpd://PASSWORD@HOST:PORT."
        ),
    ],
    seeds: Seeds = None,
    ahead: Annotated[
        int,
        typer.Option(min=1, metavar="N", help="Number of tracks after the one that plays."),
    ] = defaults.RADIO_AHEAD,
    window: Annotated[
        str,
        typer.Option(
            metavar="4h|90m|7d",
            help="Time in which no track comes again. It is remembered after a restart.",
        ),
    ] = defaults.RADIO_WINDOW,
    play: Annotated[
        bool, typer.Option("--play", help="Start to play at the beginning, if nothing plays.")
    ] = False,
    tracks: NamedSeeds = None,
    drift: Drift = False,
    *,
    variety: VarietyOptions,
    whiten: PlaylistWhiten = None,
    prefix: Prefix = None,
    location: IndexAt = defaults.INDEX,
    model: ModelName = "auto",
    network: NetworkOptions,
    filters: FilterOptions,
) -> None:
    """Keep the queue of MPD a few tracks ahead of what plays, until Ctrl-C.

    The tracks sound like SEED; without SEED, like those in the queue. Tracks that you skip early
    become "less like this", and tracks that you add by hand become seeds. Limits per artist and
    album count the tracks of the last hours too: see --window.
    """
    from audiosearch.cli.console import say, warn
    from audiosearch.library.index import Index
    from audiosearch.players import PlayerAddress
    from audiosearch.players.mpd import MpdPlayer
    from audiosearch.players.mpd.radio import play_radio
    from audiosearch.players.mpd.radio_state import RadioSettings
    from audiosearch.playlists import Continuation, PlaylistOptions, PlaylistRequest

    player_address = PlayerAddress.parse(address)
    if player_address.scheme != "mpd":
        raise UsageError(
            f"{player_address} is not the address of MPD.",
            hint="Use an address like mpd://localhost.",
        )
    player = MpdPlayer(player_address)
    settings = RadioSettings(ahead, parse_duration(window), play, prefix_pairs(prefix))
    request = PlaylistRequest(
        seeds=tuple(map(file_name, seeds or ())),
        named=tuple(tracks or ()),
        options=PlaylistOptions(drift=drift, whiten=whiten),
        filters=filters,
    )
    request = variety.added_to(request)
    with Index(location) as index:
        index.require_tracks()
        with network.requested(model) as model_request:
            continuation = Continuation(index, request, model_request)
        for note in continuation.notes:
            warn(note)
        say(f"Keeping the queue of {player_address} ahead. Ctrl-C ends this, and leaves the queue.")
        play_radio(index, continuation, player, settings)
