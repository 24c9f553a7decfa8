"""``audiosearch list``, ``info``, ``remove`` and ``failures``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from audiosearch.cli.options import DEFAULT_INDEX, IndexAt, NullSeparated, OutputFormat
from audiosearch.cli.output import Format, show_facts, show_rows

COLUMNS = ("id", "title", "artist", "album", "seconds", "path")


def register(app: typer.Typer) -> None:
    """Put the commands into the application."""
    app.command("list")(list_tracks)
    app.command()(info)
    app.command()(remove)
    app.command()(failures)


def list_tracks(
    location: IndexAt = DEFAULT_INDEX,
    output: OutputFormat = Format.TABLE,
    null: NullSeparated = False,
) -> None:
    """List the tracks of the index."""
    from audiosearch.library.index import Index

    with Index(location) as index:
        rows = [{"id": track.id, **asdict(track)} for track in index]
    show_rows(rows, key="tracks", columns=COLUMNS, output=output, null=null)


def info(location: IndexAt = DEFAULT_INDEX, output: OutputFormat = Format.TABLE) -> None:
    """Say what the index holds, and which model made it."""
    from audiosearch.cli.output import clock
    from audiosearch.library.index import Index

    with Index(location) as index:
        totals, spec = index.totals(), index.spec
        pending_model, pending_tracks = index.pending()
        arrangement, shown = index.vector_indexes.index_type(), index.location
    facts = {
        "index": shown,
        "tracks": totals.tracks,
        "seconds": totals.seconds,
        "length": clock(totals.seconds),
        "failures": totals.failures,
        "model": spec.model,
        "fingerprint": spec.weights_digest,
        "excerpt_seconds": spec.excerpt_seconds,
        "arrangement": arrangement,
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
    location: IndexAt = DEFAULT_INDEX,
) -> None:
    """Forget tracks, or all tracks in folders; no audio file is touched."""
    from audiosearch.cli.console import say
    from audiosearch.library.index import Index
    from audiosearch.maintenance.files import forget

    with Index(location) as index:
        n_tracks = forget(index, tracks)
    say(f"{n_tracks} removed")


def failures(
    location: IndexAt = DEFAULT_INDEX,
    output: OutputFormat = Format.TABLE,
    null: NullSeparated = False,
) -> None:
    """List the files that could not be added, and why; `add --retry` tries them again."""
    from audiosearch.library.index import Index

    with Index(location) as index:
        rows = [{"path": failure.path, "reason": failure.reason} for failure in index.failures()]
    show_rows(rows, key="failures", columns=("reason", "path"), output=output, null=null)
