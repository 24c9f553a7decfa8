"""``audiosearch sounds``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from audiosearch import defaults
from audiosearch.cli.filter_options import FilterOptions
from audiosearch.cli.options import CsvSafe, IndexAt, MomentOutputFormat
from audiosearch.cli.output import MomentFormat, show_rows
from audiosearch.errors import UsageError
from audiosearch.library.filters import EVERYTHING, Filters

if TYPE_CHECKING:
    from audiosearch.library.index import Index
    from audiosearch.library.track import Track

COLUMNS = ("name", "tracks", "score", "mean")
TRACK_COLUMNS = ("name", "score", "mean", "at")
TIME_COLUMNS = ("start", "end", "name", "score")


def sounds(
    track: Annotated[
        str | None,
        typer.Argument(metavar="TRACK", help="Path or #ID of a track, to list its sounds alone."),
    ] = None,
    limit: Annotated[
        int | None, typer.Option("-n", "--limit", min=1, metavar="N", help="List at most N sounds.")
    ] = None,
    over_time: Annotated[
        bool,
        typer.Option(
            "--over-time", help="List the stretches of TRACK in which each sound is heard, by time."
        ),
    ] = False,
    location: IndexAt = defaults.INDEX,
    output: MomentOutputFormat = MomentFormat.TABLE,
    csv_safe: CsvSafe = False,
    *,
    filters: FilterOptions,
) -> None:
    """List the sounds that are heard in the tracks, those of the most tracks first.

    The sounds of one TRACK are listed best first, each with the time at which it is strongest.
    """
    from audiosearch.cli.moment_formats import plain_format
    from audiosearch.library.index import Index

    if track is not None and filters != EVERYTHING:
        raise UsageError(
            "Filters can't be combined with a track.", hint="Leave out the filters or the track."
        )
    if over_time and track is None:
        raise UsageError("--over-time needs a track.", hint="Name a track by its path or #ID.")
    if over_time and track is not None:
        _show_over_time(location, track, limit, output, csv_safe=csv_safe)
        return
    plain = plain_format(output, needs="--over-time")
    with Index(location) as index:
        rows = _of_library(index, filters, limit) if track is None else _of_track(index, track)
    columns = COLUMNS if track is None else TRACK_COLUMNS
    show_rows(rows[:limit], key="sounds", columns=columns, output=plain, csv_safe=csv_safe)


def _of_library(index: Index, filters: Filters, limit: int | None) -> list[dict[str, Any]]:
    from audiosearch.cli.console import say
    from audiosearch.search.sounds import sounds as heard_sounds

    rows = [asdict(sound) for sound in heard_sounds(index, filters=filters, limit=limit)]
    if not rows:
        say("No sound is heard in these tracks." if index.n_tracks else "The index is empty.")
    return rows


def _of_track(index: Index, name: str) -> list[dict[str, Any]]:
    from audiosearch.cli.console import say

    track = _resolved(index, name)
    if not track.tagger:
        index.require_sounds()
        say("This track has no sounds yet.")  # the warning says what adds them
    elif not track.sounds:
        say(f"No sound in {track.path} has a score of {defaults.SOUND_THRESHOLD:g} or more.")
    return [asdict(sound) for sound in track.sounds]


def _show_over_time(
    location: str, name: str, limit: int | None, output: MomentFormat, *, csv_safe: bool
) -> None:
    from audiosearch.cli.console import say
    from audiosearch.cli.hits import time_fields
    from audiosearch.cli.moment_formats import LabeledStretch, show_stretches
    from audiosearch.library.index import Index
    from audiosearch.search.moments.sounds_over_time import sounds_over_time

    with Index(location) as index:
        track = _resolved(index, name)
        heard = sounds_over_time(index, track)[:limit]
    if not heard:
        say(f"No sound in {track.path} has a score of {defaults.SOUND_THRESHOLD:g} or more.")
    stretches = [
        LabeledStretch(
            track,
            sound.start,
            sound.end,
            f"{sound.name} {sound.score:.2f}",
            {"Sound": sound.name, "Score": sound.score},
        )
        for sound in heard
    ]
    rows = [
        sound._asdict() | time_fields(stretch)
        for sound, stretch in zip(heard, stretches, strict=True)
    ]
    options: dict[str, Any] = {"key": "sounds", "columns": TIME_COLUMNS, "csv_safe": csv_safe}
    show_stretches(rows, stretches, output=output, **options)


def _resolved(index: Index, name: str) -> Track:
    track = index.resolve(name)
    if track is None:
        raise index.no_track(name)
    return track
