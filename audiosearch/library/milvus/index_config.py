"""Type and parameters of the index that Milvus keeps of the vectors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from audiosearch.library.faiss.index_config import FLAT, IndexConfig

_FLOAT_BYTES, _ID_BYTES, _LINK_BYTES = 4, 8, 4


@dataclass(frozen=True, slots=True)
class HnswConfig(IndexConfig):
    """Milvus's index type HNSW: vectors linked in a graph.

    Attributes
    ----------
    links : int
        Milvus's ``M``: links of a graph node; twice as many on the lowest level.
    build_width : int
        Milvus's ``efConstruction``: candidates for the links of a new node.
    ef_search : int
        Milvus's ``ef``: number of graph nodes that a search keeps as candidates.
    """

    links: int = 16
    build_width: int = 200

    @property
    def parameters(self) -> dict[str, int]:
        """Parameters of the index, by Milvus's names."""
        return {"M": self.links, "efConstruction": self.build_width}

    def memory_bytes(self, n_vectors: int, dimension: int) -> int:
        """Estimate the memory that an index of n vectors takes, in bytes."""
        link_bytes = _LINK_BYTES * (2 * self.links + 1)
        return n_vectors * (_FLOAT_BYTES * dimension + _ID_BYTES + link_bytes)


#: Configurations that `audiosearch optimize` tries, the smallest and fastest to build first.
CONFIGS = (
    HnswConfig("hnsw", ef_search=32),
    HnswConfig("hnsw", ef_search=32, links=32, build_width=400),
)


def config_of(described: dict[str, Any], ef: int) -> IndexConfig:
    """Return the configuration of an index that Milvus describes. Milvus Lite names no parameters.

    Parameters
    ----------
    described : dict
        Type and parameters of the index.
    ef : int
        Width of searches with HNSW.
    """
    kind = str(described["index_type"]).lower()
    if kind == "flat":
        return FLAT
    links, build_width = (int(described.get(name, 0)) for name in ("M", "efConstruction"))
    return HnswConfig(cast("Any", kind), ef_search=ef, links=links, build_width=build_width)
