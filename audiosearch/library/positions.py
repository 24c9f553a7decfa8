"""Where tracks lie on a map: kept beside their vectors, and gone with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from audiosearch.library.catalog import Catalog
    from audiosearch.params import Float64, Int64


def positions(catalog: Catalog) -> tuple[Int64, Float64]:
    """Return the ids of the tracks that have a position, ascending, and the positions.

    A track whose vector is another one since has none.

    Returns
    -------
    ids : ndarray of int64, shape (n,)
    positions : ndarray of float64, shape (n, 2)
    """
    rows = catalog.rows(
        "SELECT track_id, x, y FROM positions JOIN vectors USING (track_id) "
        "WHERE positions.revision = vectors.revision ORDER BY track_id"
    )
    ids = np.array([row["track_id"] for row in rows], dtype=np.int64)
    return ids, np.array([(row["x"], row["y"]) for row in rows]).reshape(-1, 2)


def put_positions(catalog: Catalog, ids: Int64, places: Float64, *, as_of: int) -> None:
    """Keep positions, but for tracks whose vectors have changed.

    Parameters
    ----------
    catalog : Catalog
    ids : ndarray of int64, shape (n,)
    places : ndarray of float64, shape (n, 2)
    as_of : int
        The revision of the vectors that the positions stand for.
    """
    rows = [(x, y, i, as_of) for i, (x, y) in zip(ids.tolist(), places.tolist(), strict=True)]
    with catalog.transaction():
        catalog.db.conn.executemany(
            "INSERT OR REPLACE INTO positions SELECT track_id, revision, ?, ? FROM vectors "
            "WHERE track_id = ? AND revision <= ?",
            rows,
        )
