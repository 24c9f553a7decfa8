"""Hits of queries as rows: whole tracks, or moments."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from audiosearch.cli.moment_formats import LabeledStretch, plain_format, show_stretches
from audiosearch.cli.moments import moment_text
from audiosearch.cli.output import MomentFormat, show_rows

if TYPE_CHECKING:
    from audiosearch.search.query import Hit, SearchResult

_COLUMNS = ("rank", "similarity", "id", "title", "artist", "album", "seconds", "sounds", "path")
_PIPED_MOMENT_COLUMNS = ("rank", "similarity", "moment", "title", "artist", "path")
_MOMENT_COLUMNS = ("rank", "similarity", "match", "moment", "title", "artist", "path")
_DIGITS = 3  # of times: thousandths of a second


def show_hits(
    result: SearchResult, output: MomentFormat, *, has_moments: bool, **options: Any
) -> None:
    """Print the hits of a query.

    Parameters
    ----------
    result : SearchResult
    output : MomentFormat
    has_moments : bool
        Whether hits are moments.
    **options
        Further arguments of `show_rows`.
    """
    moment_columns = _MOMENT_COLUMNS if sys.stdout.isatty() else _PIPED_MOMENT_COLUMNS
    columns = list(moment_columns if has_moments else _COLUMNS)
    if any(hit.sound_score is not None for hit in result.hits):
        columns.insert(columns.index("similarity") + 1, "sound_score")
    options |= {"key": "hits", "columns": columns, "about": {"model": result.spec.model}}
    if not has_moments:
        plain = plain_format(output, needs="--moments")
        show_rows([_row(hit) for hit in result.hits], output=plain, **options)
        return
    stretches = [_stretch(hit) for hit in result.hits]
    rows = [
        _row(hit) | moment_fields(stretch, output) | {"match": _match(hit, output)}
        for hit, stretch in zip(result.hits, stretches, strict=True)
    ]
    show_stretches(rows, stretches, output=output, **options)


def moment_fields(stretch: LabeledStretch, output: MomentFormat) -> dict[str, Any]:
    """Return the times of a stretch as fields of a row; in a table, as `cut` takes them."""
    if output is MomentFormat.TABLE:
        return {"moment": moment_text(stretch.track, stretch.start, stretch.end)}
    return time_fields(stretch)


def time_fields(stretch: LabeledStretch) -> dict[str, float]:
    """Return the start and the end of a stretch as fields of a row, in seconds."""
    return {"start": round(stretch.start, _DIGITS), "end": round(stretch.end, _DIGITS)}


def _row(hit: Hit) -> dict[str, Any]:
    return {
        "rank": hit.rank,
        "similarity": hit.similarity,
        "id": hit.track.id,
        "path": hit.track.path,
        "title": hit.track.title,
        "artist": hit.track.artist,
        "album": hit.track.album,
        "seconds": hit.track.seconds,
        "artists": hit.track.artists,
        "genre": hit.track.genre,
        "genres": hit.track.genres,
        "sound_score": hit.sound_score,
        "sounds": [asdict(sound) for sound in hit.track.sounds],
    }


def _match(hit: Hit, output: MomentFormat) -> float | str | None:
    """Return the correlation of a moment with the clip; in a table, what it means."""
    if output is MomentFormat.TABLE:
        return "same recording" if hit.is_same_recording else None
    return hit.match


def _stretch(hit: Hit) -> LabeledStretch:
    value = hit.sound_score if hit.similarity is None else hit.similarity
    label = f"{hit.rank}" if value is None else f"{hit.rank} {value:.3f}"
    columns = {"Similarity": hit.similarity}
    return LabeledStretch(hit.track, hit.start or 0.0, hit.end or hit.track.seconds, label, columns)
