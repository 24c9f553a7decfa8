"""``audiosearch list``, ``info``, ``remove`` and ``failures``."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import Annotated

import typer

from audiosearch.cli.options import DEFAULT_INDEX, IndexDir, NullSeparated, OutputFormat
from audiosearch.cli.output import Format, show_facts, show_rows

COLUMNS = ("id", "title", "artist", "album", "seconds", "path")


def register(app: typer.Typer) -> None:
    """Put the commands into the application."""
    app.command("list")(list_tracks)
    app.command()(info)
    app.command()(remove)
    app.command()(failures)


def list_tracks(
    index_dir: IndexDir = DEFAULT_INDEX,
    output: OutputFormat = Format.TABLE,
    null: NullSeparated = False,
) -> None:
    """List the tracks of the index."""
    from audiosearch.library.index import Index

    with Index(index_dir) as index:
        rows = [{"id": track.id, **asdict(track)} for track in index]
    show_rows(rows, key="tracks", columns=COLUMNS, output=output, null=null)


def info(index_dir: IndexDir = DEFAULT_INDEX, output: OutputFormat = Format.TABLE) -> None:
    """Say what the index holds, and which model made it."""
    from audiosearch.cli.output import clock
    from audiosearch.library.index import Index

    with Index(index_dir) as index:
        totals, identity = index.totals(), index.identity
        pending_model, pending_tracks = index.pending()
        arrangement = index.spaces.arrangement()
    facts = {
        "index": os.path.abspath(index_dir),
        "tracks": totals.tracks,
        "seconds": totals.seconds,
        "length": clock(totals.seconds),
        "failures": totals.failures,
        "model": identity.model,
        "fingerprint": identity.fingerprint,
        "excerpt_seconds": identity.excerpt_seconds,
        "arrangement": arrangement.kind,
        "pending_model": pending_model,
        "pending_tracks": pending_tracks,
        "database_bytes": totals.database_bytes,
        "faiss_bytes": totals.faiss_bytes,
    }
    show_facts(facts, output)


def remove(
    tracks: Annotated[
        list[str], typer.Argument(metavar="TRACK...", help="Paths or #IDs of tracks, or folders.")
    ],
    index_dir: IndexDir = DEFAULT_INDEX,
) -> None:
    """Forget tracks, or all tracks in folders; no audio file is touched."""
    from audiosearch.cli.console import say
    from audiosearch.library.index import Index
    from audiosearch.upkeep.files import forget

    with Index(index_dir) as index:
        n_tracks = forget(index, tracks)
    say(f"{n_tracks} removed")


def failures(
    index_dir: IndexDir = DEFAULT_INDEX,
    output: OutputFormat = Format.TABLE,
    null: NullSeparated = False,
) -> None:
    """List the files that could not be added, and why; `add --retry` tries them again."""
    from audiosearch.library.index import Index

    with Index(index_dir) as index:
        rows = [{"path": failure.path, "reason": failure.reason} for failure in index.failures()]
    show_rows(rows, key="failures", columns=("reason", "path"), output=output, null=null)
