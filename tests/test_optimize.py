"""Arrangements for large indexes: chosen by measuring, kept up, and never untrue about likeness."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from test_ranking import a_track, crowd

from audiosearch import Index, LibraryError, UsageError, similar
from audiosearch.library.faiss import faiss_index
from audiosearch.library.faiss.index_config import FLAT, IndexConfig
from audiosearch.library.filters import Filters
from audiosearch.library.index import EmbeddingSpec
from audiosearch.maintenance import optimize as optimizing
from audiosearch.maintenance.optimize import make_exact, optimize
from audiosearch.models.registry import compact
from audiosearch.search.query import SearchOptions

N_TRACKS = 10_000


def clustered(n_vectors):
    """Unit vectors that cluster, as large libraries' do: crowding besides, as all music's do."""
    rng = np.random.default_rng(0)
    vectors = crowd(200)[rng.integers(0, 200, n_vectors)]
    vectors = vectors + 0.02 * rng.standard_normal((n_vectors, 128))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


VECTORS = clustered(N_TRACKS + 10)
ARRANGEMENTS = [
    IndexConfig("ivf-flat", 64, effort=16),
    IndexConfig("hnsw", effort=256),
    IndexConfig("ivf-pq", 64, effort=16, code_bytes=64, n_candidates=1_000),
]


@pytest.fixture(scope="module")
def exact(tmp_path_factory):
    """An index as it is before anything is optimized."""
    directory = tmp_path_factory.mktemp("exact") / "i"
    spec = EmbeddingSpec("compact", compact().weights_digest)
    with Index(directory, spec=spec) as index:
        with index.transaction():
            for number in range(N_TRACKS):
                index.add(a_track(number), VECTORS[number])
        index.sync()
    return directory


@pytest.fixture
def index(exact, tmp_path):
    """A copy of it that may be changed."""
    shutil.copytree(exact, tmp_path / "i")
    with Index(tmp_path / "i") as opened:
        yield opened


@pytest.fixture
def slow_when_exact(monkeypatch):
    """As if the index were so large that exact search takes long."""
    monkeypatch.setattr(optimizing, "_FAST_MS", 0.0)
    monkeypatch.setattr(optimizing, "_LEAST_TRACKS", 1)


def hits_of(index, seeds, **options):
    return [
        [(hit.track.id, round(hit.similarity, 5)) for hit in answer.hits]
        for answer in (
            similar(index, f"#{n}", k=10, options=SearchOptions(**options)) for n in seeds
        )
    ]


def recall(found, expected):
    shares = [
        len({i for i, _ in one} & {i for i, _ in other}) / len(other)
        for one, other in zip(found, expected, strict=True)
        if other
    ]
    return np.mean(shares)


def test_a_large_index_becomes_faster_and_stays_true(index, slow_when_exact):
    expected = hits_of(index, range(1, 101))
    whitened = hits_of(index, range(1, 101), whiten=True)
    found = optimize(index)
    assert found.before.kind == "flat"
    assert found.before.recall == pytest.approx(1.0)
    assert found.after.kind != "flat"
    assert found.after.recall >= 0.95
    assert found.after.ms < found.before.ms
    assert recall(hits_of(index, range(1, 101)), expected) >= 0.9
    assert recall(hits_of(index, range(1, 101), whiten=True), whitened) >= 0.9
    assert index.vector_index(whiten=True).arrangement.kind == found.after.kind


def test_little_memory_is_kept_to_and_likeness_is_exact(index, slow_when_exact):
    most = 1_000_000
    assert FLAT.bytes_of(N_TRACKS) > most
    found = optimize(index, most_bytes=most, target_recall=0.9)
    assert found.after.kind == "ivf-pq"
    assert found.after.bytes <= most < found.before.bytes
    for number in (1, 50, 2_000):
        for i, similarity in hits_of(index, [number])[0]:
            assert similarity == pytest.approx(VECTORS[i - 1] @ VECTORS[number - 1], abs=2e-5)


def test_what_is_fast_already_stays_exact(index, run):
    found = optimize(index)
    assert (found.before.kind, found.after.kind) == ("flat", "flat")
    assert index.vector_index().arrangement == FLAT
    assert "stays as it is" in run("optimize", "--index", index.location).stderr


def never(self):
    raise AssertionError("built again")


@pytest.mark.parametrize("arrangement", ARRANGEMENTS, ids=lambda one: one.kind)
class TestArranged:
    @pytest.fixture(autouse=True)
    def arrange(self, index, arrangement):
        self.expected = hits_of(index, range(1, 51))
        index.vector_indexes.arrange(index.vector_indexes.arranged(arrangement))

    def test_most_hits_are_the_same(self, index):
        assert recall(hits_of(index, range(1, 51)), self.expected) >= 0.9

    def test_it_is_read_from_its_file(self, index, monkeypatch):
        expected = hits_of(index, [1, 2])
        monkeypatch.setattr(faiss_index.FaissIndex, "build", never)
        with Index(index.location) as again:
            assert hits_of(again, [1, 2]) == expected

    def test_who_has_it_open_takes_what_another_process_arranged(
        self, index, arrangement, monkeypatch
    ):
        index.vector_indexes.arrange(index.vector_indexes.arranged(FLAT))
        expected = hits_of(index, [1])
        with Index(index.location) as other:
            other.vector_indexes.arrange(other.vector_indexes.arranged(arrangement))
        monkeypatch.setattr(faiss_index.FaissIndex, "build", never)
        assert recall(hits_of(index, [1]), expected) >= 0.9
        assert index.vector_index().arrangement == arrangement

    def test_it_keeps_up(self, index):
        index.vector_index()
        index.remove([index.resolve("#7"), index.resolve("#8")])
        changed = index.add(a_track(8), VECTORS[N_TRACKS + 1])  # which was #9
        new = index.add(a_track(N_TRACKS), VECTORS[N_TRACKS])

        def check(opened):
            ids = {i for hits in hits_of(opened, range(10, 200)) for i, _ in hits}
            assert not ids & {7, 8}
            for track in (changed, new):
                ((found, similarity),) = opened.search(opened.vector(track), 1)
                assert (found.id, similarity) == (track.id, pytest.approx(1.0, abs=1e-5))
            assert len(opened.vector_index().ids) == N_TRACKS - 1
            assert opened.vector_indexes.problem() is None

        check(index)
        with Index(index.location) as again:
            check(again)

    @pytest.mark.parametrize(
        "ranking",
        [
            {"filters": Filters(album=("LP 3",))},
            {"filters": Filters(genre=("Soul",))},
            {"min_similarity": 0.95},
            {"filters": Filters(genre=("Soul",)), "min_similarity": 0.9},
        ],
        ids=["narrow", "wide", "similar", "both"],
    )
    def test_filters_find_what_they_find_exactly(self, index, exact, ranking, monkeypatch):
        monkeypatch.setattr(faiss_index, "_FEW", 100)
        with Index(exact) as other:
            expected = hits_of(other, range(1, 21), **ranking)
        found = hits_of(index, range(1, 21), **ranking)
        assert [len(hits) for hits in found] == [len(hits) for hits in expected]
        assert recall(found, expected) >= 0.9

    def test_whitened_vectors_can_be_arranged_alike(self, index, exact, arrangement):
        with Index(exact) as other:
            expected = hits_of(other, range(1, 21), whiten=True)
        assert hits_of(index, range(1, 21), whiten=True) == expected
        index.vector_indexes.arrange(index.vector_indexes.arranged(arrangement, whiten=True))
        assert recall(hits_of(index, range(1, 21), whiten=True), expected) >= 0.9
        assert index.vector_index(whiten=True).arrangement.kind == arrangement.kind

    def test_as_many_are_found_as_are_asked_for(self, index, arrangement):
        cautious = replace(arrangement, effort=1)
        index.vector_indexes.arrange(index.vector_indexes.arranged(cautious))
        seed = index.resolve("#1")
        far = np.argsort(VECTORS[:N_TRACKS] @ VECTORS[0])[:4_000] + 1
        for k, candidates in ((500, None), (10, far), (500, far)):
            ids, products = index.vector_index().search(
                index.vector(seed), k, candidates=candidates
            )
            assert len(set(ids.tolist())) == k
            assert candidates is None or np.isin(ids, candidates).all()
            assert (np.diff(products) <= 1e-6).all()

    def test_what_was_trained_on_other_vectors_is_trained_anew(self, index, arrangement):
        index.vector_index()
        with index.transaction():
            for number, vector in enumerate(crowd(N_TRACKS, seed=5)):
                index.add(a_track(number), vector)
        followed = index.vector_index().faiss
        rebuilt = index.vector_indexes.arranged(arrangement).faiss
        if arrangement.n_lists:
            sizes = [
                [one.invlists.list_size(n) for n in range(one.nlist)] for one in (followed, rebuilt)
            ]
            assert sizes[0] == sizes[1]
        assert followed.ntotal == N_TRACKS

    def test_few_tracks_are_compared_exactly(self, index, arrangement):
        index.vector_index()
        index.remove([index.resolve(f"#{n}") for n in range(51, N_TRACKS + 1)])
        for _ in range(2):
            index.vector_indexes.forget()
            assert len(similar(index, "#1", k=100).hits) == 49
        assert (index.vector_indexes.arrangement() == FLAT) == (arrangement.n_lists > 0)

    def test_it_goes_back(self, index, arrangement):
        index.vector_indexes.arrange(index.vector_indexes.arranged(arrangement, whiten=True))
        found = make_exact(index)
        assert found.after.kind == "flat"
        assert index.vector_indexes.arrangement(whiten=True) == FLAT
        assert found.after.recall == pytest.approx(1.0)
        assert hits_of(index, range(1, 51)) == self.expected


@pytest.mark.parametrize("text", ['{"kind": "tree"}', '{"kind": "flat", "depth": 3}', "flat"])
def test_what_a_newer_version_arranged_is_said(index, run, text):
    with pytest.raises(LibraryError, match="not known here"):
        IndexConfig.of({"arrangement": text})
    index._catalog.set_settings({"arrangement": text})
    failed = run("query", "#1", "--index", index.location)
    assert failed.exit_code == 1
    assert "newer audiosearch" in failed.stderr


def test_copies_do_not_make_exact_search_untrue(tmp_path):
    with Index(tmp_path / "i", spec=EmbeddingSpec("compact", compact().weights_digest)) as index:
        with index.transaction():
            for number in range(600):
                index.add(a_track(number), VECTORS[number // 20])
        assert optimize(index).before.recall == 1.0


def test_the_command_says_what_was_before_and_after(index, run, slow_when_exact):
    done = run("optimize", "--index", index.location, "--format", "json")
    found = json.loads(done.stdout)
    assert found.keys() == {"before", "after"}
    assert found["before"].keys() == found["after"].keys() == {"kind", "recall", "ms", "bytes"}
    back = json.loads(
        run("optimize", "--exact", "--index", index.location, "--format", "json").stdout
    )
    assert back["before"]["kind"] == found["after"]["kind"]
    info = json.loads(run("info", "--index", index.location, "--format", "json").stdout)
    assert info["arrangement"] == "flat"
    assert back["after"]["kind"] == "flat"


def test_what_cannot_be_done_is_said_and_changes_nothing(index, slow_when_exact):
    expected = hits_of(index, [1])
    with pytest.raises(LibraryError, match=r"Nothing within 0\.001 MB finds 95% of the nearest"):
        optimize(index, most_bytes=1_000)
    with pytest.raises(UsageError, match="no recall of 2"):
        optimize(index, target_recall=2.0)
    assert hits_of(index, [1]) == expected
    assert index.vector_index().arrangement == FLAT


@pytest.mark.parametrize("size", ["", "two", "2 TB", "-1MB"])
def test_sizes_are_written_as_people_do(exact, run, size):
    refused = run("optimize", "--index", exact, "--max-memory", size)
    assert refused.exit_code == 2
    assert "is no size" in refused.stderr


def test_no_tracks_are_no_reason_to_fail_badly(tmp_path):
    empty = Index(tmp_path / "i", spec=EmbeddingSpec("compact", "f" * 64))
    with empty, pytest.raises(LibraryError, match="empty"):
        optimize(empty)
