"""Map coordinates of tracks, in the database of an index."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import numpy as np

from audiosearch.library.track import Coordinates

if TYPE_CHECKING:
    from audiosearch.library.sqlite.database import Database

_LAYOUT = "layout"  # setting: name of the layout that the coordinates belong to
# SQL condition that coordinates are numbers on or near a map.
_IS_VALID = " AND ".join(f"typeof({name}) = 'real' AND abs({name}) < 1e3" for name in ("x", "y"))


class CoordinateTable:
    """The table of map coordinates; it implements `CoordinateStorage`.

    Parameters
    ----------
    database : Database
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def coordinates(self) -> Coordinates:
        """Return the stored coordinates of all tracks whose vectors have not changed since."""
        with self._database.snapshot():
            layout = self._database.settings().get(_LAYOUT, "")
            rows = self._database.rows(
                "SELECT track_id, x, y FROM positions JOIN vectors USING (track_id) "
                f"WHERE positions.revision = vectors.revision AND {_IS_VALID} ORDER BY track_id"
            )
        ids = np.array([row["track_id"] for row in rows], dtype=np.int64)
        places = np.array([(row["x"], row["y"]) for row in rows]).reshape(-1, 2)
        return Coordinates(layout, ids, places)

    def put_coordinates(self, coordinates: Coordinates, *, as_of: int) -> bool:
        """Store coordinates: those of a new layout, named "", or more of the stored layout.

        Coordinates of tracks whose vectors have changed are left out.

        Parameters
        ----------
        coordinates : Coordinates
        as_of : int
            Revision of the vectors that the coordinates were computed from.

        Returns
        -------
        bool
            False if another process has replaced the layout; nothing is stored then.
        """
        places = zip(coordinates.ids.tolist(), coordinates.places.tolist(), strict=True)
        database = self._database
        with database.transaction():
            if not coordinates.layout:
                database.db.execute("DELETE FROM positions")
                database.set_settings({_LAYOUT: secrets.token_hex(8)})
            elif database.settings().get(_LAYOUT) != coordinates.layout:
                return False
            database.db.conn.executemany(
                "INSERT OR REPLACE INTO positions SELECT track_id, revision, ?, ? FROM vectors "
                "WHERE track_id = ? AND revision <= ?",
                [(x, y, track_id, as_of) for track_id, (x, y) in places],
            )
        return True
