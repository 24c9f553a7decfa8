"""``audiosearch info``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from audiosearch import defaults
from audiosearch.cli.options import CsvSafe, IndexAt, OutputFormat
from audiosearch.cli.output import Format, show_facts

if TYPE_CHECKING:
    from audiosearch.library.index import Index


def info(
    location: IndexAt = defaults.INDEX,
    output: OutputFormat = Format.TABLE,
    csv_safe: CsvSafe = False,
) -> None:
    """Show what the index holds and which model produced its embeddings."""
    from audiosearch.cli.text import clock
    from audiosearch.library.index import Index
    from audiosearch.library.runtimes import runtimes_of

    with Index(location) as index:
        totals, spec = index.totals(), index.spec
        pending_model, pending_tracks = index.pending()
        index_type, shown_location = index.vector_indexes.index_type(), index.location
        runtimes = ", ".join(sorted(runtimes_of(index.storage)))
        moments = _moment_facts(index)
        memory_bytes = index.vector_indexes.memory_bytes()
        max_memory_bytes = index.vector_indexes.max_memory_bytes()
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
        "runtimes": runtimes or None,
        "arrangement": index_type,
        "pending_model": pending_model,
        "pending_tracks": pending_tracks,
        "database_bytes": totals.database_bytes,
        "faiss_bytes": totals.faiss_bytes,
        "search_memory_bytes": memory_bytes,
        "max_memory_bytes": max_memory_bytes,
        **moments,
    }
    if output is not Format.JSON and not sys.stdout.isatty():
        facts["length_seconds"] = totals.seconds
    show_facts(facts, output, csv_safe=csv_safe)


def _moment_facts(index: Index) -> dict[str, float | None]:
    """Return facts about the moments of an index; empty if it has none."""
    hop = index.moment_hop
    if hop is None:
        return {}
    n_tracks, n_moments, n_bytes = index.moments.totals()
    faiss_bytes = index.moments.file_bytes()
    seconds = n_moments * hop
    return {
        "moment_hop": hop,
        "moment_tracks": n_tracks,
        "moments": n_moments,
        "moment_bytes": n_bytes,
        "moment_faiss_bytes": faiss_bytes,
        "moment_bytes_per_second": (n_bytes + (faiss_bytes or 0)) / seconds if seconds else None,
    }
