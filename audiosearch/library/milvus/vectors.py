"""Vectors of a Milvus collection: reading and searching them."""

from __future__ import annotations

from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from audiosearch.library.milvus.database import SEARCH_CONSISTENCY, MilvusDatabase, batches
from audiosearch.library.milvus.expressions import literal, one_of
from audiosearch.library.neighbors import top_k
from audiosearch.library.track import removed_track_error

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from audiosearch.types import Float32, Int64

#: Largest number of neighbors of a search: a limit of Milvus.
MAX_K = 16_384
# Name of the search width parameter, by the beginning of the index type. An exact search ignores
# it: so it is right, too, if another process has just replaced the index.
_WIDTH_PARAMETERS = {"flat": "ef", "hnsw": "ef", "diskann": "search_list"}
_MIN_NPROBE, _LISTS_PER_PROBE = 64, 16


class MilvusVectors(MilvusDatabase):
    """The vectors of a collection. The parameters and errors are those of `MilvusDatabase`."""

    def vector(self, track_id: int) -> Float32:
        """Return the vector of a track: float32 of unit length, shape (dimension,).

        Raises
        ------
        TrackNotFound
            If the track doesn't exist.
        """
        vector: Float32 = self.vectors_of(np.array([track_id]))[0]
        return vector

    def vectors_of(self, ids: Int64) -> Float32:
        """Return the vectors of tracks, in the order of their ids: float32, (n, dimension).

        Raises
        ------
        TrackNotFound
            If another process removed one of the tracks.
        """
        vectors: dict[int, Float32] = {}
        for batch in batches(ids.tolist(), self.vector_batch_rows):
            rows = self.query(one_of("id", batch), ["embedding"])
            vectors.update((row["id"], np.array(row["embedding"], np.float32)) for row in rows)
        if len(vectors) < len(set(ids.tolist())):
            raise removed_track_error()
        matrix = np.array([vectors[i] for i in ids.tolist()], dtype=np.float32)
        return matrix.reshape(-1, self.dimension)

    def sample(self, n_vectors: int) -> Float32:
        """Return a sample of about ``n_vectors`` vectors, drawn by the tracks' content hashes.

        Returns
        -------
        ndarray of float32, shape (n, dimension)
            n is at most twice ``n_vectors``.
        """
        share = n_vectors / max(1, self.count())
        condition = "" if share >= 1 else f"content_hash < {literal(f'{int(share * 2**32):08x}')}"
        rows = self.iterate(self.collection, condition, ["embedding"])
        vectors = [np.array(row["embedding"], np.float32) for row in islice(rows, 2 * n_vectors)]
        return np.array(vectors, dtype=np.float32).reshape(-1, self.dimension)

    def count(self, condition: str = "") -> int:
        """Return the number of tracks that meet a condition. Default: of all tracks."""
        rows = self.call("query", self.collection, filter=condition, output_fields=["count(*)"])
        return int(rows[0]["count(*)"])

    def search(
        self, vectors: Float32, k: int, condition: str, *, more_than: float | None = None
    ) -> list[tuple[Int64, Float32]]:
        """Return, for each vector, the ids of its nearest tracks and their products, best first.

        Parameters
        ----------
        vectors : ndarray of float32, shape (n, dimension)
        k : int
            Number of neighbors. At most `MAX_K` are returned.
        condition : str
            Milvus expression that neighbors must meet; "" for all tracks.
        more_than : float, optional
            Exclusive lower bound of the inner products.
        """
        k = min(k, MAX_K)
        options = self._search_options(k) | ({} if more_than is None else {"radius": more_than})
        results = self.call(
            "search",
            self.collection,
            data=list(vectors),
            anns_field="embedding",
            limit=k,
            filter=condition,
            search_params={"metric_type": "IP", "params": options},
            consistency_level=SEARCH_CONSISTENCY,
        )
        return [_sorted(hits) for hits in results]

    def _search_options(self, k: int) -> dict[str, int]:
        """Return the search parameters of an approximate index: its search width."""
        if self.index_type.startswith("ivf"):
            nlist = int(self.index_description.get("nlist", 0))
            return {"nprobe": max(_MIN_NPROBE, nlist // _LISTS_PER_PROBE)}
        names = (
            name for prefix, name in _WIDTH_PARAMETERS.items() if self.index_type.startswith(prefix)
        )
        return {name: max(self.search_width, 2 * k) for name in names}

    def replace_index(self, index_type: str, parameters: dict[str, int]) -> None:
        """Replace Milvus's index of the vectors. Until it is built, searches fail.

        Parameters
        ----------
        index_type : str
            Milvus's name, such as "FLAT" or "HNSW".
        parameters : dict
            Parameters of the index, by Milvus's names.
        """
        self.call("flush", self.collection, timeout=None)
        self.call("release_collection", self.collection)
        for name in self.call("list_indexes", self.collection, field_name="embedding"):
            self.call("drop_index", self.collection, name)
        params = self._connection.client.prepare_index_params()
        params.add_index("embedding", index_type=index_type, metric_type="IP", params=parameters)
        self.call("create_index", self.collection, params, timeout=None)
        vars(self).pop("index_description", None)
        self._load(self.collection)

    @property
    def index_type(self) -> str:
        """Type of Milvus's vector index in lower case; "flat" unless it was changed in Milvus."""
        return str(self.index_description["index_type"]).lower()

    @cached_property
    def index_description(self) -> dict[str, Any]:
        """Type and parameters of Milvus's index of the vectors."""
        (name, *_) = self.call("list_indexes", self.collection, field_name="embedding")
        described = self.call("describe_index", self.collection, name)
        index: dict[str, Any] = described | described.get("params", {})
        return index

    def query(self, condition: str, fields: Iterable[str], **options: Any) -> list[dict[str, Any]]:
        """Request the given fields and the id of the tracks that meet a condition."""
        rows: list[dict[str, Any]] = self.call(
            "query",
            self.collection,
            filter=condition,
            output_fields=[*{"id", *fields}],
            **options,
        )
        return rows


def _sorted(hits: Sequence[dict[str, Any]]) -> tuple[Int64, Float32]:
    ids = np.array([hit["id"] for hit in hits], dtype=np.int64)
    products = np.array([hit["distance"] for hit in hits], dtype=np.float32)
    return top_k(ids, products, len(ids))
