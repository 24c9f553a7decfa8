"""The sounds of all tracks of an index in a folder, taken together."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from audiosearch.library.filters import EVERYTHING, Filters
from audiosearch.library.heard_sounds import HeardSound
from audiosearch.library.sqlite.conditions import one_of
from audiosearch.library.sqlite.sound_table import require_values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from audiosearch.library.sqlite.catalog import Catalog


class HeardSounds:
    """The sounds of all tracks, taken together; it implements `SoundStorage`.

    Parameters
    ----------
    catalog : Catalog
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def scores(self, filters: Filters) -> dict[int, float]:
        """Return the highest score of the sounds in filters, for each track that passes them."""
        passing, values = self._passing(replace(filters, sound=()))
        where = f"{one_of('name', filters.sound)} AND {passing}"
        sql = f"SELECT track_id, max(score) FROM sounds WHERE {where} GROUP BY track_id"
        rows = self._rows(sql, [*filters.sound, *values])
        with self._catalog.errors():
            for _, score in rows:
                require_values("", score)
        return dict(rows)

    def heard(self, filters: Filters = EVERYTHING) -> list[HeardSound]:
        """Return the sounds that are heard in the tracks that pass filters, in any order."""
        passing, values = self._passing(filters)
        sql = (
            f"SELECT name, count(*), max(score), avg(mean) FROM sounds WHERE {passing} "
            "GROUP BY name"
        )
        rows = self._rows(sql, values)
        with self._catalog.errors():
            for name, _, score, mean in rows:
                require_values(name, score, mean)
        return [HeardSound(*row) for row in rows]

    def _passing(self, filters: Filters) -> tuple[str, list[Any]]:
        """Return filters as an SQL condition on the table ``sounds``, and its values."""
        if filters == EVERYTHING:
            return "1", []
        where, values = self._catalog.condition(filters)
        return f"track_id IN (SELECT id FROM tracks WHERE {where})", values

    def _rows(self, sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        sql = self._catalog.sounds_clause() + sql
        with self._catalog.errors():
            rows: list[tuple[Any, ...]] = self._catalog.db.execute(sql, values).fetchall()
        return rows
