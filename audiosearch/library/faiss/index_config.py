"""How vectors are arranged for search: compared one and all, or only those that are likely.

References
----------
.. [1] Jégou, Douze and Schmid, "Product Quantization for Nearest Neighbor Search", 2011: lists of
   vectors around centroids, and codes of the residuals.
.. [2] Malkov and Yashunin, "Efficient and robust approximate nearest neighbor search using
   Hierarchical Navigable Small World graphs", 2018.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

import faiss
import numpy as np

from audiosearch.errors import LibraryError
from audiosearch.models.front_end import EMBEDDING_SIZE

if TYPE_CHECKING:
    from audiosearch.types import Float32, Int64

# The settings that name the arrangements, by whether vectors are whitened.
_SETTINGS = {False: "arrangement", True: "whitened_arrangement"}

_FAISS: Any = faiss  # whose types lack what SWIG makes

_VECTOR_BYTES = 4 * EMBEDDING_SIZE
_ID_BYTES = 8
_LINKS = 32  # of a node of the graph; twice as many on its lowest level
_SAMPLES_A_LIST = 64  # that centroids are trained on
_CODE_SAMPLES = 65_536
_CODE_BITS = 8

Kind = Literal["flat", "ivf-flat", "hnsw", "ivf-pq"]


@dataclass(frozen=True, slots=True)
class IndexConfig:
    """An arrangement, and how much of it a search looks at.

    Attributes
    ----------
    kind : {"flat", "ivf-flat", "hnsw", "ivf-pq"}
        All vectors; lists of them around centroids; a graph; lists of their codes.
    n_lists : int
        Of "ivf-flat" and "ivf-pq".
    effort : int
        Lists that a search looks at; of "hnsw", nodes that it keeps in view.
    code_bytes : int
        Of a vector, of "ivf-pq".
    n_candidates : int
        Of "ivf-pq": so many are compared once more, by their vectors.
    """

    kind: Kind = "flat"
    n_lists: int = 0
    effort: int = 1
    code_bytes: int = 0
    n_candidates: int = 0

    @classmethod
    def of(cls, settings: dict[str, str], *, whiten: bool = False) -> IndexConfig:
        """Return the arrangement that an index's settings name; flat where they name none.

        Raises
        ------
        LibraryError
            Where they name one that is not known here.
        """
        text = settings.get(_SETTINGS[whiten], "{}")
        try:
            found = cls(**json.loads(text))
        except (TypeError, ValueError) as exc:
            raise _unknown(text) from exc
        if found.kind not in get_args(Kind):
            raise _unknown(text)
        return found

    def to_settings(self, *, whiten: bool = False) -> dict[str, str]:
        """Return it as settings."""
        return {_SETTINGS[whiten]: json.dumps(dataclasses.asdict(self))}

    def bytes_of(self, n_vectors: int) -> int:
        """Return about how many bytes it takes for so many vectors."""
        each = {
            "flat": _VECTOR_BYTES + _ID_BYTES,
            "ivf-flat": _VECTOR_BYTES + _ID_BYTES,
            "hnsw": _VECTOR_BYTES + _ID_BYTES + 4 * (2 * _LINKS + 1),
            "ivf-pq": self.code_bytes + _ID_BYTES,
        }[self.kind]
        codebook = 4 * EMBEDDING_SIZE * 2**_CODE_BITS if self.kind == "ivf-pq" else 0
        return n_vectors * each + self.n_lists * _VECTOR_BYTES + codebook

    @property
    def least_vectors(self) -> int:
        """How many vectors it takes to train it."""
        return max(self.n_lists, 2**_CODE_BITS if self.code_bytes else 0)

    @property
    def n_samples(self) -> int:
        """How many vectors it is trained on, where there are as many."""
        least = _CODE_SAMPLES if self.kind == "ivf-pq" else 0
        return max(least, _SAMPLES_A_LIST * self.n_lists)

    def trained(self, sample: Float32) -> Any:
        """Return an empty FAISS index of this kind, with ids of their own.

        Parameters
        ----------
        sample : ndarray of float32, shape (n, 128)
            What it is trained on; "flat" and "hnsw" are not.
        """
        metric = faiss.METRIC_INNER_PRODUCT
        if self.kind == "flat":
            return faiss.IndexIDMap2(faiss.IndexFlatIP(EMBEDDING_SIZE))
        if self.kind == "hnsw":
            return faiss.IndexIDMap2(faiss.IndexHNSWFlat(EMBEDDING_SIZE, _LINKS, metric))
        centroids = faiss.IndexFlatIP(EMBEDDING_SIZE)
        if self.kind == "ivf-flat":
            index: Any = faiss.IndexIVFFlat(centroids, EMBEDDING_SIZE, self.n_lists, metric)
        else:
            sizes = (self.n_lists, self.code_bytes, _CODE_BITS, metric)
            index = faiss.IndexIVFPQ(centroids, EMBEDDING_SIZE, *sizes)
            index.pq.cp.min_points_per_centroid = 1
        index.cp.min_points_per_centroid = 1  # FAISS would print that it wants more
        index.train(np.ascontiguousarray(sample))
        return index

    def is_of(self, index: Any) -> bool:
        """Return whether a FAISS index, read from a file, is arranged like this."""
        has_ids_apart = isinstance(index, faiss.IndexIDMap2)
        inner: Any = faiss.downcast_index(index.index) if has_ids_apart else index
        types: dict[str, Any] = {
            "flat": faiss.IndexFlatIP,
            "hnsw": faiss.IndexHNSWFlat,
            "ivf-flat": faiss.IndexIVFFlat,
            "ivf-pq": faiss.IndexIVFPQ,
        }
        if type(inner) is not types[self.kind] or has_ids_apart != (self.n_lists == 0):
            return False
        has_lists = not self.n_lists or inner.nlist == self.n_lists
        return has_lists and (not self.code_bytes or inner.code_size == self.code_bytes)

    def is_like(self, other: IndexConfig) -> bool:
        """Return whether only how much a search looks at may differ."""
        return replace(self, effort=0, n_candidates=0) == replace(other, effort=0, n_candidates=0)

    def parameters(self, *, times: float = 1.0, selector: Any = None) -> Any:
        """Return FAISS's parameters of a search.

        Parameters
        ----------
        times : float
            So many times the usual effort: where few of what is looked at may be found.
        selector : faiss.IDSelector, optional
            What may be found.
        """
        effort = int(np.ceil(self.effort * times))
        if self.kind == "flat":
            return selector and _FAISS.SearchParameters(sel=selector)
        if self.kind == "hnsw":
            return _FAISS.SearchParametersHNSW(efSearch=effort, sel=selector)
        n_probes = min(effort, self.n_lists)
        return _FAISS.SearchParametersIVF(nprobe=n_probes, sel=selector)


def _unknown(text: str) -> LibraryError:
    return LibraryError(
        f"The index's vectors are arranged in a way that is not known here: {text}.",
        hint="A newer audiosearch may have done so: install that.",
    )


FLAT = IndexConfig()


def held_ids(index: Any) -> Int64:
    """Return the ids that a FAISS index holds, in its own order: int64, shape (n,)."""
    if not index.ntotal:
        return np.empty(0, dtype=np.int64)
    if isinstance(index, faiss.IndexIDMap2):
        found: Int64 = faiss.vector_to_array(index.id_map)
        return found
    lists = index.invlists
    return np.concatenate(
        [
            np.array(faiss.rev_swig_ptr(lists.get_ids(number), lists.list_size(number)))
            for number in range(lists.nlist)
            if lists.list_size(number)
        ]
    )
