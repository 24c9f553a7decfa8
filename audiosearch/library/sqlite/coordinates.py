"""Where tracks lie on a map: kept beside their vectors, and gone with them."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from audiosearch.library.sqlite.catalog import Catalog
    from audiosearch.types import Float64, Int64

_LAYOUT = "layout"  # the setting that names the layout that the positions are of


@dataclass(frozen=True, slots=True)
class Coordinates:
    """The tracks that have a place on the map.

    Attributes
    ----------
    layout : str
        Names the layout that they are of; another after all were laid out anew.
    ids : ndarray of int64, shape (n,)
        Ascending.
    places : ndarray of float64, shape (n, 2)
    """

    layout: str
    ids: Int64
    places: Float64


def coordinates(catalog: Catalog) -> Coordinates:
    """Return the places there are, but for tracks whose vectors are others since."""
    with catalog.snapshot():
        layout = catalog.settings().get(_LAYOUT, "")
        rows = catalog.rows(
            "SELECT track_id, x, y FROM positions JOIN vectors USING (track_id) "
            "WHERE positions.revision = vectors.revision ORDER BY track_id"
        )
    ids = np.array([row["track_id"] for row in rows], dtype=np.int64)
    places = np.array([(row["x"], row["y"]) for row in rows]).reshape(-1, 2)
    return Coordinates(layout, ids, places)


def put_coordinates(catalog: Catalog, found: Coordinates, *, as_of: int) -> bool:
    """Keep places, but for tracks whose vectors have changed.

    Parameters
    ----------
    catalog : Catalog
    found : Coordinates
        Of the layout that is kept already, some more; of the layout "", all there are.
    as_of : int
        The revision of the vectors that they stand for.

    Returns
    -------
    bool
        Whether it was done: not where all were laid out anew meanwhile.
    """
    places = zip(found.ids.tolist(), found.places.tolist(), strict=True)
    with catalog.transaction():
        if not found.layout:
            catalog.db.execute("DELETE FROM positions")
            catalog.set_settings({_LAYOUT: secrets.token_hex(8)})
        elif catalog.settings().get(_LAYOUT) != found.layout:
            return False
        catalog.db.conn.executemany(
            "INSERT OR REPLACE INTO positions SELECT track_id, revision, ?, ? FROM vectors "
            "WHERE track_id = ? AND revision <= ?",
            [(x, y, track_id, as_of) for track_id, (x, y) in places],
        )
    return True
