"""``audiosearch cut``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from audiosearch import defaults
from audiosearch.cli.options import IndexAt
from audiosearch.errors import AudiosearchError, IndexNotFound

if TYPE_CHECKING:
    from audiosearch.cli.moments import NamedMoment
    from audiosearch.library.index import Index
    from audiosearch.search.cut import CutRequest


def cut(
    hits: Annotated[
        list[str],
        typer.Argument(
            metavar="HIT...",
            help="TRACK@START-END, as `query --moments` prints it, such as 12@1:02.5-1:07; - is "
            "standard input: JSON lines from `query --moments --format jsonl`.",
        ),
    ],
    folder: Annotated[Path, typer.Option("-o", metavar="FOLDER", help="Folder for the new files.")],
    force: Annotated[bool, typer.Option("--force", help="Replace existing files.")] = False,
    location: IndexAt = defaults.INDEX,
) -> None:
    """Write stretches of tracks as FLAC files, and print the paths of the new files.

    A TRACK is an id or a path; a file needn't be in the index.
    """
    from audiosearch.cli.console import say_failure, warn
    from audiosearch.cli.moments import parse_moments
    from audiosearch.cli.output import show_path
    from audiosearch.search.cut import StretchFolder

    moments = list(dict.fromkeys(parse_moments(hits)))
    index = _index(location, moments)
    target = StretchFolder(folder, force=force)
    n_failed = 0
    try:
        for moment in moments:
            try:
                path, warnings = target.write(_stretch(index, moment))
            except AudiosearchError as exc:
                say_failure(exc)
                n_failed += 1
            else:
                for warning in warnings:
                    warn(f"{path}: {warning}")
                show_path(str(path))
    finally:
        if index is not None:
            index.close()
    if n_failed and n_failed == len(moments):
        raise typer.Exit(1)


def _index(location: str, moments: list[NamedMoment]) -> Index | None:
    """Return the open index; None if there is none, and no moment names a track by its id."""
    from audiosearch.library.index import Index

    try:
        return Index(location)
    except IndexNotFound:
        if any(moment.is_named_by_id for moment in moments):
            raise
        return None


def _stretch(index: Index | None, moment: NamedMoment) -> CutRequest:
    from audiosearch.search.cut import CutRequest

    track = None if index is None else index.resolve(moment.track)
    if track is not None:
        return CutRequest(
            track.path,
            moment.start,
            moment.end,
            track.title,
            track.artist,
            track.real_path,
            (track.size, track.mtime_ns) if track.size else None,  # None: imported without it
        )
    if index is not None and moment.is_named_by_id:
        raise index.no_track(moment.track)
    return CutRequest(moment.track, moment.start, moment.end, moment.title, moment.artist)
