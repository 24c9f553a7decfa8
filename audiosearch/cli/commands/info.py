"""``audiosearch info``."""

from __future__ import annotations

import sys

from audiosearch import defaults
from audiosearch.cli.options import CsvSafe, IndexAt, OutputFormat
from audiosearch.cli.output import Format, show_facts


def info(
    location: IndexAt = defaults.INDEX,
    output: OutputFormat = Format.TABLE,
    csv_safe: CsvSafe = False,
) -> None:
    """Show what the index holds and which model produced its embeddings."""
    from audiosearch.cli.text import clock
    from audiosearch.library.index import Index

    with Index(location) as index:
        totals, spec = index.totals(), index.spec
        pending_model, pending_tracks = index.pending()
        index_type, shown_location = index.vector_indexes.index_type(), index.location
    facts = {
        "index": shown_location,
        "tracks": totals.tracks,
        "seconds": totals.seconds,
        "length": clock(totals.seconds),
        "failures": totals.failures,
        "model": spec.model,
        "fingerprint": spec.weights_digest,
        "dimension": spec.dimension,
        "excerpt_seconds": spec.excerpt_seconds,
        "arrangement": index_type,
        "pending_model": pending_model,
        "pending_tracks": pending_tracks,
        "database_bytes": totals.database_bytes,
        "faiss_bytes": totals.faiss_bytes,
    }
    if output is not Format.JSON and not sys.stdout.isatty():
        facts["length_seconds"] = totals.seconds
    show_facts(facts, output, csv_safe=csv_safe)
