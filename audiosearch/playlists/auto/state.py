"""Names and centers of the clusters of the last run, which the settings of an index keep."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from json import dumps
from typing import TYPE_CHECKING, Final

import numpy as np

from audiosearch.json_input import parse_json

if TYPE_CHECKING:
    from audiosearch.library.index import Index
    from audiosearch.types import Float32

#: Setting with the digest of the model and the names; the centers are in settings with a number.
SETTING: Final = "auto_playlists"


@dataclass(frozen=True, slots=True)
class State:
    """Clusters of the last run.

    Attributes
    ----------
    centers : ndarray of float32, shape (n_clusters, dimension)
        Of unit length.
    names : list of str
        Name of each cluster; empty if it has none worth keeping.
    """

    centers: Float32
    names: list[str]


def read_state(index: Index) -> State | None:
    """Return the clusters of the last run; None if there was none with the same model."""
    settings = index.storage.settings()
    try:
        kept = parse_json(settings[SETTING])
        names = [str(name) for name in kept["names"]]
        texts = [settings[f"{SETTING}_{number}"] for number in range(len(names))]
        content = b"".join(base64.b64decode(text, validate=True) for text in texts)
        centers = np.frombuffer(content, dtype="<f4").reshape(len(names), index.spec.dimension)
    except (LookupError, TypeError, ValueError, binascii.Error):
        return None
    is_usable = names and kept["model"] == index.spec.weights_digest and np.isfinite(centers).all()
    return State(centers.astype(np.float32), names) if is_usable else None


def write_state(index: Index, state: State) -> None:
    """Keep the clusters for the next run.

    Raises
    ------
    LibraryError
        If the index can't be written.
    """
    texts = [base64.b64encode(row.tobytes()).decode() for row in state.centers.astype("<f4")]
    kept = {"model": index.spec.weights_digest, "names": state.names}
    centers = {f"{SETTING}_{number}": text for number, text in enumerate(texts)}
    index.storage.set_settings({SETTING: dumps(kept)} | centers)
