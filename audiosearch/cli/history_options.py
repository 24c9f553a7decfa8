"""Options of playlists that start from a listening history."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from audiosearch import defaults
from audiosearch.cli.playlist_options import parse_duration
from audiosearch.errors import UsageError

if TYPE_CHECKING:
    from audiosearch.playlists import HistoryOptions

HistoryFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--history",
        metavar="FILE",
        help="Also start from recent plays: an export of ListenBrainz, or the log of MPD.",
    ),
]
HalfLife = Annotated[
    str | None,
    typer.Option(
        metavar="30d|12h",
        help="A play of the history counts half as much as one that is this much later. "
        "Default: 30d.",
    ),
]
SkipRecent = Annotated[
    str | None,
    typer.Option(
        metavar="30d|12h",
        help="Leave out what was played within this time, by the history. A number without a "
        "unit is in minutes.",
    ),
]


def history_options(
    files: Sequence[Path], half_life: str | None, skip_recent: str | None
) -> HistoryOptions | None:
    """Read listening histories; None without files.

    Raises
    ------
    UsageError
        If a span of time can't be read, or there is one without a file.
    LibraryError
        If a file can't be read.
    """
    from audiosearch.playlists import HistoryOptions
    from audiosearch.plays import read_history

    for name, span in (("--half-life", half_life), ("--skip-recent", skip_recent)):
        if span is not None and not files:
            raise UsageError(
                f"{name} needs a listening history.", hint="Name its file with --history FILE."
            )
    half_life_seconds = (
        defaults.HALF_LIFE_SECONDS if half_life is None else parse_duration(half_life)
    )
    skip_seconds = None if skip_recent is None else parse_duration(skip_recent)
    if not files:
        return None
    histories = tuple(read_history(os.fspath(file)) for file in files)
    return HistoryOptions(histories, half_life_seconds, skip_seconds)
