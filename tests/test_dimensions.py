"""Vectors of any dimension: imported, searched, whitened, optimized, mapped, exported, copied."""

import json

import numpy as np
import pyarrow.parquet
import pytest

from audiosearch import Index, LibraryError, ModelMismatch, similar
from audiosearch.library import search_benchmark, tuning
from audiosearch.library.faiss import faiss_index
from audiosearch.library.faiss.index_config import FLAT, IndexConfig
from audiosearch.library.faiss.tuning import configs
from audiosearch.library.faiss.whitening import max_fitting_samples, min_tracks_to_whiten
from audiosearch.library.track import EmbeddingSpec
from audiosearch.maintenance.copy import copy
from audiosearch.maintenance.doctor import State, examine
from audiosearch.maintenance.export_import import export, export_parquet, import_vectors
from audiosearch.maintenance.optimize import optimize
from audiosearch.search.evaluate import Label, evaluate
from audiosearch.search.query import SearchOptions
from audiosearch.soundmap import sound_map

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*SWIG|builtin type:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::numba.NumbaWarning"),
]

DIMENSIONS = (2, 96, 128, 512, 4_096)


def vectors_of(n_tracks, dimension):
    """Unit vectors that crowd together in one direction."""
    rng = np.random.default_rng(dimension)
    vectors = 1.0 + rng.standard_normal((n_tracks, dimension))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def imported(folder, name, vectors, **options):
    """Import vectors into a new index, and return its folder."""
    np.save(folder / f"{name}.npy", vectors)
    fields = folder / f"{name}.jsonl"
    rows = [{"path": f"/m/{n}.mp3", "title": f"Song {n}"} for n in range(len(vectors))]
    fields.write_text("".join(json.dumps(row) + "\n" for row in rows))
    import_vectors(folder / name, folder / f"{name}.npy", fields, **options)
    return folder / name


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_imported_vectors_are_searched_exactly(tmp_path, dimension):
    vectors = vectors_of(40, dimension)
    directory = imported(tmp_path, "i", 3 * vectors)
    cosines = vectors.astype(np.float64) @ vectors.T
    np.fill_diagonal(cosines, -2)
    for _ in range(2):  # with a new FAISS file, and with the one from before
        with Index(directory) as index:
            assert index.spec.dimension == dimension
            assert index.vector_indexes.problem() is None
            for n in range(0, 40, 9):
                hits = similar(index, f"#{n + 1}", k=10).hits
                found = [hit.similarity for hit in hits]
                np.testing.assert_allclose(found, np.sort(cosines[n])[:-11:-1], atol=1e-5)
            together = index.vector_index().search_batch(vectors, [5] * 40, [[]] * 40)
            best = [products for _, products in together]
            expected = np.sort(vectors @ vectors.T, axis=1)[:, :-6:-1]
            np.testing.assert_allclose(best, expected, atol=1e-5)


def test_an_import_without_a_model_is_vggish_only_with_its_dimension(tmp_path):
    for dimension, model in ((128, "vggish"), (96, "imported")):
        with Index(imported(tmp_path, f"i{dimension}", vectors_of(3, dimension))) as index:
            assert index.spec.model == model


def test_an_import_of_another_dimension_is_refused_naming_both(tmp_path):
    imported(tmp_path, "i", vectors_of(5, 96), model="mine")
    for options in ({}, {"model": "mine"}):
        with pytest.raises(ModelMismatch, match=r"of 96 numbers.* have 512") as refused:
            imported(tmp_path, "i", vectors_of(7, 512), **options)
        assert "512" in refused.value.hint
        assert "96" in refused.value.hint
    with Index(tmp_path / "i") as index:
        assert index.n_tracks == 5


def test_an_import_must_have_the_dimension_of_the_named_model(tmp_path):
    for model in ("compact", "vggish"):
        with pytest.raises(ModelMismatch, match=f"512 numbers, but {model} makes .* 128"):
            imported(tmp_path, "i", vectors_of(3, 512), model=model)
    assert not Index.exists(tmp_path / "i")


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_an_export_gives_the_vectors_back(tmp_path, dimension):
    vectors = vectors_of(6, dimension)
    with Index(imported(tmp_path, "i", vectors, model="mine")) as index:
        assert export(index, tmp_path / "out") == 6
        assert export_parquet(index, tmp_path / "out") == 6
        spec = index.spec
    exported = np.load(tmp_path / "out" / "vectors.npy")
    np.testing.assert_allclose(exported, vectors, atol=1e-6)
    table = pyarrow.parquet.read_table(tmp_path / "out" / "tracks.parquet")
    column = np.array(table["embedding"].to_pylist(), np.float32)
    np.testing.assert_array_equal(column, exported)
    names = ("vectors.npy", "tracks.jsonl")
    import_vectors(tmp_path / "other", *(tmp_path / "out" / name for name in names))
    with Index(tmp_path / "other") as index:
        assert index.spec == spec
        assert [index.vector(track).shape for track in index] == [(dimension,)] * 6


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_a_copy_keeps_the_dimension(tmp_path, dimension):
    with Index(imported(tmp_path, "i", vectors_of(6, dimension), model="mine")) as source:
        assert list(copy(source, tmp_path / "copy"))[-1] == 6
        with Index(tmp_path / "copy") as target:
            assert target.spec == source.spec
            for track in source:
                np.testing.assert_array_equal(target.vector(track), source.vector(track))
        imported(tmp_path, "other", vectors_of(3, dimension + 1 if dimension < 4_096 else 2))
        with pytest.raises(ModelMismatch):
            list(copy(source, tmp_path / "other"))


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_doctor_accepts_every_dimension(tmp_path, dimension):
    findings = examine(imported(tmp_path, "i", vectors_of(6, dimension)))
    states = {finding.check: finding.state for finding in findings}
    assert states["database"] is states["vectors"] is states["search file"] is State.OK


def test_the_number_of_tracks_to_whiten_grows_with_the_dimension():
    dimensions = (2, 128, 129, 512, 4_096)
    assert [min_tracks_to_whiten(d) for d in dimensions] == [300, 300, 303, 1_200, 9_600]
    for dimension in DIMENSIONS:
        assert max_fitting_samples(dimension) > min_tracks_to_whiten(dimension)
    assert max_fitting_samples(128) == 262_144


def whitened_by_numpy(vectors):
    """Vectors whitened as whitening.py describes it."""
    centered = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64)
    eigenvalues, axes = np.linalg.eigh(np.cov(centered.T))
    share = 64 / len(vectors)
    shrunk = (1 - share) * eigenvalues + share * eigenvalues.mean()
    whitened = centered @ axes * shrunk**-0.35
    return whitened / np.linalg.norm(whitened, axis=1, keepdims=True)


@pytest.mark.parametrize("dimension", [2, 96, 128, 512])
def test_vectors_can_be_whitened(tmp_path, monkeypatch, dimension):
    vectors = vectors_of(min_tracks_to_whiten(dimension), dimension)
    directory = imported(tmp_path, "i", vectors)
    expected = whitened_by_numpy(vectors)
    with Index(directory) as index:
        whitened = index.vector_index(whiten=True)
        found = whitened.transform(vectors)
        np.testing.assert_allclose(found @ found.T, expected @ expected.T, atol=5e-3)
        hits = similar(index, "#1", k=3, options=SearchOptions(whiten=True)).hits
        best = np.argsort(-(expected @ expected[0]))[1:4] + 1
        assert [hit.track.id for hit in hits] == best.tolist()
    monkeypatch.setattr(faiss_index.FaissIndex, "build", lambda self: pytest.fail("built again"))
    with Index(directory) as index:
        again = similar(index, "#1", k=3, options=SearchOptions(whiten=True)).hits
        assert [hit.track.id for hit in again] == best.tolist()


@pytest.mark.parametrize(("dimension", "n_needed"), [(2, 300), (512, 1_200), (4_096, 9_600)])
def test_too_few_tracks_to_whiten_are_refused_with_the_number_needed(tmp_path, dimension, n_needed):
    with Index(imported(tmp_path, "i", vectors_of(299, dimension))) as index:
        with pytest.raises(LibraryError, match="299 tracks are too few to whiten") as refused:
            index.vector_index(whiten=True)
        assert str(n_needed) in refused.value.hint
        assert evaluate(index, Label.FOLDER).whitened is None


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_an_index_can_be_optimized(tmp_path, monkeypatch, dimension):
    monkeypatch.setattr(tuning, "_FAST_ENOUGH_MS", 0.0)
    monkeypatch.setattr(search_benchmark, "_N_QUERIES", 20)
    vectors = vectors_of(400, dimension)
    with Index(imported(tmp_path, "i", vectors)) as index:
        types = (FLAT, IndexConfig("ivf-flat", 32))
        with_vectors = min(config.memory_bytes(400, dimension) for config in types)
        result = optimize(index, target_recall=0.9, max_bytes=with_vectors - 1)
        assert (result.before.index_type, result.after.index_type) == ("flat", "ivf-pq")
        assert result.before.bytes == 400 * (4 * dimension + 48)
        assert dimension % index.vector_indexes.config().code_bytes == 0
        expected = np.argsort(-(vectors @ vectors[0]), kind="stable")[1:11] + 1
        hits = {hit.track.id for hit in similar(index, "#1", k=10).hits}
        assert len(hits & set(expected.tolist())) >= 8
    with Index(tmp_path / "i") as again:
        assert again.vector_index().config.index_type == "ivf-pq"


@pytest.mark.parametrize("dimension", [2, 512, 4_096])
@pytest.mark.parametrize("index_type", ["ivf-flat", "hnsw"])
def test_every_index_type_takes_every_dimension(tmp_path, dimension, index_type):
    vectors = vectors_of(100, dimension)
    by_type = {config.index_type: config for config in configs(100, dimension)}
    with Index(imported(tmp_path, "i", vectors)) as index:
        wide = by_type[index_type].with_search_width(16)
        index.vector_indexes.use(index.vector_indexes.build(wide))
        ids, products = index.vector_index().search(vectors[0], 5)
        assert ids[0] == 1
        np.testing.assert_allclose(products, vectors[ids - 1] @ vectors[0], atol=1e-5)


@pytest.mark.parametrize(("dimension", "n_tracks"), [(2, 30), (2, 60), (512, 60), (4_096, 30)])
def test_tracks_can_be_mapped(tmp_path, dimension, n_tracks):
    with Index(imported(tmp_path, "i", vectors_of(n_tracks, dimension))) as index:
        found = sound_map(index)
        again = sound_map(index)
    assert found.positions.shape == (n_tracks, 2)
    assert np.isfinite(found.positions).all()
    assert found.vectors.shape == (n_tracks, dimension)
    np.testing.assert_array_equal(again.positions, found.positions)


def test_an_index_whose_dimension_another_process_changed_says_so(tmp_path):
    directory = imported(tmp_path, "i", vectors_of(20, 128), model="mine")
    with Index(directory) as server, Index(directory) as index:
        query = vectors_of(1, 128)[0]
        assert len(server.search(query, 3)) == 3
        staged = index.staged_vectors(EmbeddingSpec("other", "other", dimension=96))
        for track, vector in zip(index, vectors_of(20, 96), strict=True):
            staged.put(track, track.content_hash, vector)
        assert staged.commit([])
        with pytest.raises(ModelMismatch, match=r"changed the model.*96 dimensions"):
            server.search(query, 3)
        with Index(directory) as reopened:
            assert reopened.spec.dimension == 96
            assert len(reopened.search(vectors_of(1, 96)[0], 3)) == 3
