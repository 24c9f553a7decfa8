"""Type and parameters of a FAISS index.

References
----------
.. [1] Jégou, Douze and Schmid, "Product Quantization for Nearest Neighbor Search", 2011: inverted
   lists of vectors around centroids (IVF), and codes of the residuals (PQ).
.. [2] Malkov and Yashunin, "Efficient and robust approximate nearest neighbor search using
   Hierarchical Navigable Small World graphs", 2018 (HNSW).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

import faiss
import numpy as np

from audiosearch.errors import LibraryError
from audiosearch.json_input import parse_json
from audiosearch.library.faiss.inverted_lists import ids_in_lists, trained_centroids
from audiosearch.library.faiss.threads import max_threads

if TYPE_CHECKING:
    from audiosearch.types import Float32, Int64

#: Name of a FAISS index: of plain vectors, of whitened vectors, of moments.
IndexName = Literal["vectors", "whitened", "moments"]
#: Names of the settings with the configurations.
CONFIG_SETTINGS: dict[IndexName, str] = {
    "vectors": "arrangement",
    "whitened": "whitened_arrangement",
    "moments": "moments_arrangement",
}

_FAISS: Any = faiss  # its type stubs lack the classes that SWIG generates

#: Numbers of codes of "ivf-pq" to try to compare again by full vectors.
N_CANDIDATES = (100, 300, 1_000, 3_000)
_MAX_TUNED_WIDTH = 512  # largest nprobe or ef_search to try
_FLOAT_BYTES, _ID_BYTES = 4, 8
_ID_MAP_BYTES = 40  # of the hash table from ids to rows, in IndexIDMap2
_HNSW_LINKS = 32  # links of a graph node; twice as many on the lowest level
_SAMPLES_PER_LIST = 64  # training vectors for each IVF centroid
_PQ_SAMPLES = 16_384  # training vectors for the PQ codebooks
_PQ_ITERATIONS = 10  # of k-means for the PQ codebooks
_SQ_SAMPLES = 65_536  # training vectors for the ranges of numbers at 8 bits
_MAX_STORED = 10_000_000  # far more than `optimize` ever chooses
_PQ_BITS = 8  # bits of each part of a code

IndexType = Literal["flat", "ivf-flat", "hnsw", "ivf-pq", "flat-sq8", "ivf-sq8"]
_WITHOUT_LISTS = ("flat", "hnsw", "flat-sq8")
_EXHAUSTIVE = ("flat", "flat-sq8")


@dataclass(frozen=True, slots=True)
class IndexConfig:
    """Type of a FAISS index, and the width of its searches.

    Attributes
    ----------
    index_type : {"flat", "ivf-flat", "hnsw", "ivf-pq", "flat-sq8", "ivf-sq8"}
        "flat" compares all vectors. "ivf-flat" groups vectors in lists around centroids. "hnsw"
        links them in a graph. "ivf-pq" keeps lists of short codes instead of vectors. "flat-sq8"
        and "ivf-sq8" are like "flat" and "ivf-flat", at 8 bits a number.
    nlist : int
        Number of lists of the types that begin with "ivf"; 0 for the other types.
    nprobe : int
        Number of lists that a search of these types compares.
    ef_search : int
        Number of graph nodes that a search of "hnsw" keeps as candidates.
    code_bytes : int
        Bytes of a code of "ivf-pq", a divisor of the dimension. 0 for the other types.
    n_candidates : int
        Number of best codes of "ivf-pq" that are compared again by their full vectors.
    """

    index_type: IndexType = "flat"
    nlist: int = 0
    nprobe: int = 1
    ef_search: int = 16
    code_bytes: int = 0
    n_candidates: int = 0

    @classmethod
    def from_settings(cls, settings: dict[str, str], name: IndexName = "vectors") -> IndexConfig:
        """Return the configuration stored in an index's settings; "flat" if there is none.

        The whitened vectors have that of the plain ones, unless they have one of their own.

        Raises
        ------
        LibraryError
            If this version doesn't know the stored configuration.
        """
        text = settings.get(CONFIG_SETTINGS[name])
        if not text and name == "whitened":
            return cls.from_settings(settings)
        text = text or "{}"
        try:
            return cls._from_stored(**parse_json(text))
        except (TypeError, ValueError) as exc:
            raise LibraryError(
                f"This version doesn't know the type of the FAISS index: {text[:200]}.",
                hint="A newer audiosearch set it with `optimize`. Install that version.",
            ) from exc

    @classmethod
    def _from_stored(
        cls,
        *,
        kind: Any = "flat",
        n_lists: int = 0,
        effort: int = 1,
        code_bytes: int = 0,
        n_candidates: int = 0,
    ) -> IndexConfig:
        """Return a configuration from the keys of its JSON."""
        numbers = (n_lists, effort, code_bytes, n_candidates)
        is_valid = all(type(n) is int and 0 <= n <= _MAX_STORED for n in numbers)
        has_lists = n_lists > 0 or kind in _WITHOUT_LISTS
        has_codes = code_bytes > 0 or kind != "ivf-pq"
        if kind not in get_args(IndexType) or not (is_valid and effort and has_lists and has_codes):
            raise ValueError(kind)
        config = cls(kind, n_lists, code_bytes=code_bytes, n_candidates=n_candidates)
        return config.with_search_width(effort)

    def to_settings(self, name: IndexName = "vectors") -> dict[str, str]:
        """Return the configuration as a setting, by name: JSON of its type and parameters."""
        stored = {
            "kind": self.index_type,
            "n_lists": self.nlist,
            "effort": self.search_width,
            "code_bytes": self.code_bytes,
            "n_candidates": self.n_candidates,
        }
        return {CONFIG_SETTINGS[name]: json.dumps(stored)}

    @property
    def search_width(self) -> int:
        """Width of a search: ``nprobe`` of IVF types, ``ef_search`` of "hnsw", 1 of others."""
        if self.index_type in _EXHAUSTIVE:
            return 1
        return self.ef_search if self.index_type == "hnsw" else self.nprobe

    def with_search_width(self, width: int) -> IndexConfig:
        """Return the configuration with another search width: see `search_width`."""
        if self.index_type in _EXHAUSTIVE:
            return self
        if self.index_type == "hnsw":
            return replace(self, ef_search=width)
        return replace(self, nprobe=width)

    def wider_searches(self) -> list[list[IndexConfig]]:
        """Return configurations for `tune` to try: for each width, all numbers of candidates."""
        max_width = min(self.nlist or _MAX_TUNED_WIDTH, _MAX_TUNED_WIDTH)
        widths = [self.search_width]
        while 2 * widths[-1] <= max_width:
            widths.append(2 * widths[-1])
        numbers = N_CANDIDATES if self.index_type == "ivf-pq" else (0,)
        return [
            [replace(self.with_search_width(width), n_candidates=n) for n in numbers]
            for width in widths
        ]

    def max_search_width(self, n_vectors: int) -> int:
        """Return the search width that compares a vector with all of n vectors."""
        if self.index_type in _EXHAUSTIVE:
            return 1
        return n_vectors if self.index_type == "hnsw" else self.nlist

    def has_same_structure(self, other: IndexConfig) -> bool:
        """Return whether two configurations have the same type, number of lists and code size."""
        return self._structure == other._structure

    @property
    def _structure(self) -> tuple[str, int, int]:
        return self.index_type, self.nlist, self.code_bytes

    def memory_bytes(self, n_vectors: int, dimension: int) -> int:
        """Estimate the memory that an index of n vectors takes, in bytes."""
        vector_bytes = _FLOAT_BYTES * dimension
        bytes_per_vector = {
            "flat": vector_bytes + _ID_BYTES + _ID_MAP_BYTES,
            "ivf-flat": vector_bytes + _ID_BYTES,
            "hnsw": vector_bytes + _ID_BYTES + _ID_MAP_BYTES + 4 * (2 * _HNSW_LINKS + 1),
            "ivf-pq": self.code_bytes + _ID_BYTES,
            "flat-sq8": dimension + _ID_BYTES,
            "ivf-sq8": dimension + _ID_BYTES,
        }[self.index_type]
        codebook_bytes = vector_bytes * 2**_PQ_BITS if self.index_type == "ivf-pq" else 0
        return n_vectors * bytes_per_vector + self.nlist * vector_bytes + codebook_bytes

    @property
    def min_training_vectors(self) -> int:
        """Smallest number of vectors that the index can be trained on."""
        n_vectors = 1 if self.index_type == "flat-sq8" else self.nlist
        return max(n_vectors, 2**_PQ_BITS if self.code_bytes else 0)

    @property
    def n_training_vectors(self) -> int:
        """Number of vectors that the index is trained on; fewer if the index has fewer."""
        n_vectors = {"ivf-pq": _PQ_SAMPLES, "flat-sq8": _SQ_SAMPLES}.get(self.index_type, 0)
        return max(n_vectors, _SAMPLES_PER_LIST * self.nlist)

    def trained_index(self, sample: Float32) -> Any:
        """Return an empty, trained FAISS index of this type. Add vectors with ids to it.

        Parameters
        ----------
        sample : ndarray of float32, shape (n, dimension)
            Vectors to train on. "flat" and "hnsw" need no training; n may be 0.
        """
        dimension = sample.shape[1]
        metric = faiss.METRIC_INNER_PRODUCT
        eight_bits = faiss.ScalarQuantizer.QT_8bit
        if self.index_type == "flat":
            return faiss.IndexIDMap2(faiss.IndexFlatIP(dimension))
        if self.index_type == "hnsw":
            return faiss.IndexIDMap2(faiss.IndexHNSWFlat(dimension, _HNSW_LINKS, metric))
        if self.index_type == "flat-sq8":
            flat = faiss.IndexScalarQuantizer(dimension, eight_bits, metric)
            flat.train(np.ascontiguousarray(sample))
            return faiss.IndexIDMap(flat)
        centroids = trained_centroids(sample, self.nlist)
        if self.index_type == "ivf-flat":
            index: Any = faiss.IndexIVFFlat(centroids, dimension, self.nlist, metric)
        elif self.index_type == "ivf-sq8":
            index = faiss.IndexIVFScalarQuantizer(
                centroids, dimension, self.nlist, eight_bits, metric
            )
        else:
            sizes = (self.nlist, self.code_bytes, _PQ_BITS, metric)
            index = faiss.IndexIVFPQ(centroids, dimension, *sizes)
            index.pq.cp.min_points_per_centroid = 1  # or FAISS prints a warning
            index.pq.cp.max_points_per_centroid = _PQ_SAMPLES // 2**_PQ_BITS
            index.pq.cp.niter = _PQ_ITERATIONS
        # k-means of short vectors spends more time in waiting for other threads than they save.
        with max_threads(1):
            index.train(np.ascontiguousarray(sample))
        return index

    def matches(self, index: Any, dimension: int) -> bool:
        """Return whether a FAISS index has this type, number of lists, code size and dimension."""
        id_map = {"flat-sq8": faiss.IndexIDMap}.get(self.index_type, faiss.IndexIDMap2)
        has_id_map = type(index) is id_map
        inner: Any = faiss.downcast_index(index.index) if has_id_map else index
        code_bytes = dimension if self.index_type.endswith("sq8") else self.code_bytes
        types: dict[str, Any] = {
            "flat": faiss.IndexFlatIP,
            "hnsw": faiss.IndexHNSWFlat,
            "ivf-flat": faiss.IndexIVFFlat,
            "ivf-pq": faiss.IndexIVFPQ,
            "flat-sq8": faiss.IndexScalarQuantizer,
            "ivf-sq8": faiss.IndexIVFScalarQuantizer,
        }
        return (
            type(inner) is types[self.index_type]
            and has_id_map == (self.nlist == 0)
            and inner.d == dimension
            and (not self.nlist or inner.nlist == self.nlist)
            and (not code_bytes or inner.code_size == code_bytes)
        )

    def search_parameters(self, *, width_factor: float = 1.0, selector: Any = None) -> Any:
        """Return a search's parameters as a FAISS object.

        Parameters
        ----------
        width_factor : float
            Factor of ``nprobe`` or ``ef_search``. Use more than 1 if few ids are allowed.
        selector : faiss.IDSelector, optional
            Allow-list of ids. Default: all ids are allowed.
        """
        width = int(np.ceil(self.search_width * width_factor))
        if self.index_type in _EXHAUSTIVE:
            return selector and _FAISS.SearchParameters(sel=selector)
        if self.index_type == "hnsw":
            return _FAISS.SearchParametersHNSW(efSearch=width, sel=selector)
        return _FAISS.SearchParametersIVF(nprobe=min(width, self.nlist), sel=selector)


FLAT = IndexConfig()


def held_ids(index: Any) -> Int64:
    """Return the ids in a FAISS index, in the order of its vectors: int64, shape (n,)."""
    if not index.ntotal:
        return np.empty(0, dtype=np.int64)
    if isinstance(index, faiss.IndexIDMap):
        ids: Int64 = faiss.vector_to_array(index.id_map)
        return ids
    return ids_in_lists(index)
