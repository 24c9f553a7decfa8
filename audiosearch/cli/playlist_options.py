"""Options of the commands that make playlists."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from audiosearch import defaults
from audiosearch.cli.option_groups import OptionGroup
from audiosearch.errors import UsageError

if TYPE_CHECKING:
    from audiosearch.playlists import PlaylistRequest


def _strategy_names() -> list[str]:
    from audiosearch.playlists import STRATEGIES

    return list(STRATEGIES)


Seeds = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="SEED...",
        help="A track's path or #ID, an audio file, or a playlist; - is standard input.",
    ),
]
NamedSeeds = Annotated[
    list[str] | None,
    typer.Option(
        "--track",
        metavar="WORDS",
        help="Also start from the track with these words in its tags or path.",
    ),
]
Drift = Annotated[
    bool,
    typer.Option(
        "--drift",
        help="Follow each track with a similar one, without leaving the seeds far behind.",
    ),
]
StrategyName = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Strategy to use. Default: path with --to, drift with --drift, else similar.",
        autocompletion=_strategy_names,
    ),
]
Diversity = Annotated[
    float,
    typer.Option(metavar="0..1", help="Diversity: 0 picks similar tracks, 1 tracks that differ."),
]
MaxPerArtist = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Maximum number of tracks per artist.")
]
MaxPerAlbum = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Maximum number of tracks per album.")
]
ArtistGap = Annotated[
    int,
    typer.Option(
        min=0, metavar="N", help="Minimum number of tracks between two by the same artist."
    ),
]
Vary = Annotated[bool, typer.Option("--vary", help="Make a different playlist each time.")]
RandomSeed = Annotated[
    int | None,
    typer.Option(
        min=0, metavar="N", help="Seed of the variation: the same N gives the same playlist."
    ),
]
ExcludePlaylist = Annotated[
    list[Path] | None,
    typer.Option(metavar="FILE", help="Leave out the tracks of this playlist."),
]
PlaylistWhiten = Annotated[
    bool | None,
    typer.Option(
        "--whiten/--no-whiten",
        envvar="AUDIOSEARCH_WHITEN",
        help="Compare whitened vectors. Default: on if that is measured to be better for this "
        "library, off with --to.",
    ),
]


@dataclass(frozen=True, slots=True)
class Variety:
    """Limits on tracks that are alike, tracks to leave out, and randomness."""

    diversity: Diversity = defaults.DIVERSITY
    max_per_artist: MaxPerArtist = None
    max_per_album: MaxPerAlbum = None
    artist_gap: ArtistGap = defaults.ARTIST_GAP
    vary: Vary = False
    random_seed: RandomSeed = None
    exclude_playlist: ExcludePlaylist = None

    def added_to(self, request: PlaylistRequest) -> PlaylistRequest:
        """Return a request for a playlist with this variety.

        Raises
        ------
        UsageError
            If a value is out of range.
        LibraryError
            If a playlist to leave out can't be read.
        """
        from audiosearch.playlist_files import read_playlist
        from audiosearch.playlists import Constraints

        files = self.exclude_playlist or ()
        return replace(
            request,
            options=replace(
                request.options,
                diversity=self.diversity,
                vary=self.vary or self.random_seed is not None,
                random_seed=self.random_seed,
            ),
            constraints=Constraints(self.max_per_artist, self.max_per_album, self.artist_gap),
            excluded_playlists=tuple(read_playlist(os.fspath(file)) for file in files),
        )


VarietyOptions = Annotated[Variety, OptionGroup(Variety)]


def parse_duration(text: str) -> float:
    """Return a duration like 90s, 1h30m or 7d in seconds. A number without a unit is minutes."""
    number = r"\s*(\d{1,6}(?:\.\d{1,6})?)\s*"
    pattern = f"(?:{number}d)?(?:{number}h)?(?:{number}(?:m(?:in)?|$))?(?:{number}s)?"
    parts = re.fullmatch(pattern, text.strip(), re.IGNORECASE | re.ASCII)
    if not parts or not any(parts.groups()):
        raise UsageError(
            f"{text or 'An empty text'} is not a duration.",
            hint="Enter a duration like 90s, 60m, 1h30m or 30d.",
        )
    days, hours, minutes, seconds = (float(part or 0) for part in parts.groups())
    return 86_400 * days + 3_600 * hours + 60 * minutes + seconds
