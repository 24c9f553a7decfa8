"""``audiosearch radio``."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from audiosearch import defaults
from audiosearch.cli.options import (
    IndexAt,
    ModelName,
    Precision,
    Prefix,
    Runtime,
    Weights,
    file_name,
    prefix_pairs,
    with_filters,
)
from audiosearch.cli.playlist_options import (
    ArtistGap,
    Diversity,
    Drift,
    ExcludePlaylist,
    MaxPerAlbum,
    MaxPerArtist,
    NamedSeeds,
    PlaylistWhiten,
    RandomSeed,
    Seeds,
    Vary,
    parse_duration,
)
from audiosearch.errors import UsageError
from audiosearch.library.filters import EVERYTHING, Filters


@with_filters
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
    diversity: Diversity = defaults.DIVERSITY,
    max_per_artist: MaxPerArtist = None,
    max_per_album: MaxPerAlbum = None,
    artist_gap: ArtistGap = defaults.ARTIST_GAP,
    vary: Vary = False,
    random_seed: RandomSeed = None,
    exclude_playlist: ExcludePlaylist = None,
    whiten: PlaylistWhiten = None,
    prefix: Prefix = None,
    location: IndexAt = defaults.INDEX,
    model: ModelName = "auto",
    weights: Weights = None,
    runtime: Runtime = "auto",
    precision: Precision = "f32",
    filters: Filters = EVERYTHING,
) -> None:
    """Keep the queue of MPD a few tracks ahead of what plays, until Ctrl-C.

    The tracks sound like SEED; without SEED, like those in the queue. Tracks that you skip early
    become "less like this", and tracks that you add by hand become seeds. Limits per artist and
    album count the tracks of the last hours too: see --window.
    """
    from audiosearch.cli.console import say, warn
    from audiosearch.cli.model_progress import model_progress
    from audiosearch.library.index import Index
    from audiosearch.models.registry import ModelRequest
    from audiosearch.models.runtime_choice import RuntimeChoice
    from audiosearch.players import PlayerAddress
    from audiosearch.players.mpd import MpdPlayer
    from audiosearch.players.mpd.radio import play_radio
    from audiosearch.players.mpd.radio_state import RadioSettings
    from audiosearch.playlist_files import read_playlist
    from audiosearch.playlists import Constraints, Continuation, PlaylistOptions, PlaylistRequest

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
        options=PlaylistOptions(
            diversity=diversity,
            drift=drift,
            vary=vary or random_seed is not None,
            random_seed=random_seed,
            whiten=whiten,
        ),
        constraints=Constraints(max_per_artist, max_per_album, artist_gap),
        filters=filters,
        excluded_playlists=tuple(read_playlist(os.fspath(file)) for file in exclude_playlist or ()),
    )
    with Index(location) as index:
        index.require_tracks()
        with model_progress() as progress:
            continuation = Continuation(
                index,
                request,
                ModelRequest(model, weights, progress, RuntimeChoice(runtime, precision)),
            )
        for note in continuation.notes:
            warn(note)
        say(f"Keeping the queue of {player_address} ahead. Ctrl-C ends this, and leaves the queue.")
        play_radio(index, continuation, player, settings)
