"""`audiosearch optimize`: choose the FAISS index type of a large index, and search with it."""

import errno
import json
import re
import shutil
from dataclasses import replace

import faiss
import numpy as np
import pytest
from test_ranking import a_track, crowd
from tracks import LARGE

from audiosearch import Index, LibraryError, UsageError, similar
from audiosearch.library import tuning
from audiosearch.library.faiss import faiss_index, index_file, threads
from audiosearch.library.faiss.candidates import FaissCandidates
from audiosearch.library.faiss.index_config import FLAT, IndexConfig
from audiosearch.library.faiss.tuning import code_sizes
from audiosearch.library.filters import Filters
from audiosearch.library.index import EmbeddingSpec
from audiosearch.library.search_target import SearchTarget
from audiosearch.maintenance.optimize import make_exact, optimize
from audiosearch.models.registry import compact
from audiosearch.search.query import SearchOptions
from audiosearch.search.whitening_choice import is_whitening_better


def clustered(n_vectors):
    """Return unit vectors in dense clusters, like those of large libraries."""
    rng = np.random.default_rng(0)
    vectors = crowd(200)[rng.integers(0, 200, n_vectors)]
    vectors = vectors + 0.02 * rng.standard_normal((n_vectors, 128))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


VECTORS = clustered(LARGE + 10)
CONFIGS = [
    IndexConfig("ivf-flat", 64, nprobe=16),
    IndexConfig("hnsw", ef_search=256),
    IndexConfig("ivf-pq", 64, nprobe=16, code_bytes=64, n_candidates=1_000),
]


def filled(directory, vectors):
    """Create an index with exact search from vectors, and return its folder."""
    spec = EmbeddingSpec("compact", compact().weights_digest)
    with Index(directory, spec=spec) as index:
        index.add_all(zip(map(a_track, range(len(vectors))), vectors, strict=True))
        index.sync()
    return directory


@pytest.fixture(scope="module")
def exact(tmp_path_factory):
    """The folder of an index with exact search."""
    return filled(tmp_path_factory.mktemp("exact") / "i", VECTORS[:LARGE])


@pytest.fixture
def index(exact, tmp_path):
    """A copy of the index with exact search. A test may change it."""
    shutil.copytree(exact, tmp_path / "i")
    with Index(tmp_path / "i") as opened:
        yield opened


@pytest.fixture(scope="module")
def exact_hits(exact):
    with Index(exact) as index:
        return hits_of(index, range(1, 51))


@pytest.fixture(scope="module")
def exact_whitened_hits(exact, tmp_path_factory):
    directory = tmp_path_factory.mktemp("whitened") / "i"
    shutil.copytree(exact, directory)
    with Index(directory) as index:
        return hits_of(index, range(1, 51), whiten=True)


@pytest.fixture
def slow_when_exact(monkeypatch):
    """Make exact search count as slow, as in a much larger index."""
    monkeypatch.setattr(tuning, "_FAST_ENOUGH_MS", 0.0)
    monkeypatch.setattr(tuning, "_MIN_TRACKS", 1)
    # Timings on a busy machine must not decide: tests/benchmarks/scale.py measures the speed.
    monkeypatch.setattr(tuning, "_MIN_SPEEDUP", 1e-3)


def hits_of(index, seeds, **options):
    return [
        [(hit.track.id, round(hit.similarity, 5)) for hit in result.hits]
        for result in (
            similar(index, f"#{n}", k=10, options=SearchOptions(**options)) for n in seeds
        )
    ]


def recall(results, expected):
    shares = [
        len({i for i, _ in one} & {i for i, _ in other}) / len(other)
        for one, other in zip(results, expected, strict=True)
        if other
    ]
    return np.mean(shares)


def test_a_large_index_becomes_faster_with_enough_recall(tmp_path, slow_when_exact):
    with Index(filled(tmp_path / "i", clustered(10_000))) as index:
        expected = hits_of(index, range(1, 101))
        whitened = hits_of(index, range(1, 101), whiten=True)
        result = optimize(index)
        assert result.before.index_type == "flat"
        assert result.before.recall == pytest.approx(1.0)
        assert result.after.index_type != "flat"
        assert result.after.recall >= 0.95
        config = index.vector_index().config
        assert config.index_type == result.after.index_type
        assert not config.nlist or config.nprobe < config.nlist  # fewer vectors are compared
        assert recall(hits_of(index, range(1, 101)), expected) >= 0.9
        assert recall(hits_of(index, range(1, 101), whiten=True), whitened) >= 0.9
        assert index.vector_index(whiten=True).config.index_type == result.after.index_type


def test_the_memory_limit_holds_and_similarities_are_exact(index, slow_when_exact):
    limit = 1_000_000
    assert FLAT.memory_bytes(LARGE, 128) > limit
    result = optimize(index, max_bytes=limit, target_recall=0.9)
    assert result.after.index_type == "ivf-pq"
    assert result.after.bytes <= limit < result.before.bytes
    for number in (1, 50, 2_000):
        for i, similarity in hits_of(index, [number])[0]:
            assert similarity == pytest.approx(VECTORS[i - 1] @ VECTORS[number - 1], abs=2e-5)


def test_whitened_vectors_made_later_take_the_type_and_keep_the_recall(
    index, exact_whitened_hits, slow_when_exact, monkeypatch
):
    result = optimize(index, max_bytes=1_500_000, target_recall=0.9)
    assert not index.vector_indexes.has_whitened()
    assert result.whitened is None
    hits = hits_of(index, range(1, 51), whiten=True)
    made = index.vector_index(whiten=True).config
    assert made.index_type == result.after.index_type == "ivf-pq"
    assert recall(hits, exact_whitened_hits) >= 0.85
    monkeypatch.setattr(faiss_index.FaissIndex, "build", never)
    with Index(index.location) as again:
        assert hits_of(again, range(1, 51), whiten=True) == hits
        assert again.vector_index(whiten=True).config == made


def test_whitened_vectors_made_later_that_exceed_the_memory_are_refused(
    index, run, slow_when_exact
):
    result = optimize(index, max_bytes=500_000, target_recall=0.3)
    assert result.after.bytes <= 500_000 < 2 * result.after.bytes
    failed = run("query", "#1", "--whiten", "--index", index.location)
    assert failed.exit_code == 1
    assert re.search(
        "With whitened vectors, searches need .* MB, more than the 0.5 MB", failed.stderr
    )
    assert "optimize --whiten" in failed.stderr
    assert not is_whitening_better(index)
    assert run("query", "#1", "--index", index.location).exit_code == 0
    both = optimize(index, max_bytes=1_000_000, target_recall=0.3, whiten=True)
    assert both.after.bytes == index.vector_indexes.memory_bytes() <= 1_000_000
    assert run("query", "#1", "--whiten", "--index", index.location).exit_code == 0


def test_the_memory_of_whitened_vectors_is_reported(index, run, slow_when_exact):
    def facts():
        return json.loads(run("info", "--index", index.location, "--format", "json").stdout)

    plain = facts()
    assert plain["search_memory_bytes"] == FLAT.memory_bytes(LARGE, 128)
    index.vector_index(whiten=True)
    assert facts()["search_memory_bytes"] == 2 * plain["search_memory_bytes"]
    assert facts()["faiss_bytes"] > 1.9 * plain["faiss_bytes"]
    assert facts()["max_memory_bytes"] is None
    result = optimize(index, max_bytes=1_500_000, target_recall=0.3)
    assert result.before.bytes == 2 * plain["search_memory_bytes"]
    assert result.after.bytes == facts()["search_memory_bytes"] <= 1_500_000
    assert result.whitened.bytes < result.after.bytes
    assert result.whitened.recall >= 0.3
    assert facts()["max_memory_bytes"] == 1_500_000


def test_exact_search_is_kept_if_it_is_fast(index, run, monkeypatch):
    monkeypatch.setattr(tuning, "_FAST_ENOUGH_MS", np.inf)
    result = optimize(index)
    assert (result.before.index_type, result.after.index_type) == ("flat", "flat")
    assert index.vector_index().config == FLAT
    assert "Nothing changed" in run("optimize", "--index", index.location).stderr


def never(*_):
    raise AssertionError("built again")


@pytest.fixture(scope="module", params=CONFIGS, ids=lambda config: config.index_type)
def configured(request, exact, tmp_path_factory):
    """The folder of an index, and its configuration: one for each type except "flat"."""
    directory = tmp_path_factory.mktemp("configured") / "i"
    shutil.copytree(exact, directory)
    with Index(directory) as index:
        index.vector_indexes.use(index.vector_indexes.build(request.param))
    return directory, request.param


class TestIndexType:
    @pytest.fixture
    def config(self, configured):
        return configured[1]

    @pytest.fixture
    def index(self, configured, tmp_path):
        """A copy of the configured index. A test may change it."""
        shutil.copytree(configured[0], tmp_path / "i")
        with Index(tmp_path / "i") as opened:
            yield opened

    def test_most_hits_equal_those_of_exact_search(self, index, exact_hits):
        assert recall(hits_of(index, range(1, 51)), exact_hits) >= 0.9

    def test_the_index_is_read_from_its_file(self, index, monkeypatch):
        expected = hits_of(index, [1, 2])
        monkeypatch.setattr(faiss_index.FaissIndex, "build", never)
        with Index(index.location) as again:
            assert hits_of(again, [1, 2]) == expected

    def test_an_open_index_uses_the_type_that_another_process_sets(
        self, index, config, monkeypatch
    ):
        index.vector_indexes.use(index.vector_indexes.build(FLAT))
        expected = hits_of(index, [1])
        with Index(index.location) as other:
            other.vector_indexes.use(other.vector_indexes.build(config))
        monkeypatch.setattr(faiss_index.FaissIndex, "build", never)
        assert recall(hits_of(index, [1]), expected) >= 0.9
        assert index.vector_index().config == config

    def test_the_index_follows_added_changed_and_removed_tracks(self, index):
        index.vector_index()
        index.remove([index.resolve("#7"), index.resolve("#8")])
        changed = index.add(a_track(8), VECTORS[LARGE + 1])  # which was #9
        new = index.add(a_track(LARGE), VECTORS[LARGE])

        def check(opened):
            ids = {i for hits in hits_of(opened, range(10, 200)) for i, _ in hits}
            assert not ids & {7, 8}
            for track in (changed, new):
                ((hit, similarity),) = opened.search(opened.vector(track), 1)
                assert (hit.id, similarity) == (track.id, pytest.approx(1.0, abs=1e-5))
            assert len(opened.vector_index().ids) == LARGE - 1
            assert opened.vector_indexes.problem() is None

        check(index)
        with Index(index.location) as again:
            check(again)

    @pytest.mark.parametrize(
        "options",
        [
            {"filters": Filters(album=("LP 3",))},
            {"filters": Filters(genre=("Soul",))},
            {"min_similarity": 0.95},
            {"filters": Filters(genre=("Soul",)), "min_similarity": 0.9},
        ],
        ids=["narrow", "wide", "similar", "both"],
    )
    def test_filters_leave_as_many_hits_as_in_exact_search(
        self, index, exact, options, monkeypatch
    ):
        monkeypatch.setattr(faiss_index, "_MAX_EXHAUSTIVE", 100)
        with Index(exact) as other:
            expected = hits_of(other, range(1, 21), **options)
        hits = hits_of(index, range(1, 21), **options)
        assert list(map(len, hits)) == list(map(len, expected))
        assert recall(hits, expected) >= 0.9

    def test_whitened_vectors_can_have_the_same_type(self, index, exact_whitened_hits, config):
        index.vector_indexes.use(index.vector_indexes.build(config, whiten=True))
        assert recall(hits_of(index, range(1, 51), whiten=True), exact_whitened_hits) >= 0.9
        assert index.vector_index(whiten=True).config.index_type == config.index_type

    def test_a_narrow_search_is_widened_to_find_k_neighbors(self, index, config):
        narrow = config.with_search_width(1)
        index.vector_indexes.use(index.vector_indexes.build(narrow))
        seed = index.resolve("#1")
        far = np.argsort(VECTORS[:LARGE] @ VECTORS[0])[: LARGE // 2] + 1
        for k, candidates in ((500, None), (10, far), (500, far)):
            ids, products = index.vector_index().search(
                index.vector(seed), k, candidates=FaissCandidates(candidates)
            )
            assert len(set(ids.tolist())) == k
            assert candidates is None or np.isin(ids, candidates).all()
            assert (np.diff(products) <= 1e-6).all()

    def test_an_index_is_trained_again_if_most_vectors_changed(self, index, config):
        index.vector_index()
        with index.transaction():
            for number, vector in enumerate(crowd(LARGE, seed=5)):
                index.add(a_track(number), vector)
        followed = index.vector_index().faiss
        rebuilt = index.vector_indexes.build(config).faiss
        if config.nlist:
            sizes = [
                [one.invlists.list_size(n) for n in range(one.nlist)] for one in (followed, rebuilt)
            ]
            assert sizes[0] == sizes[1]
        assert followed.ntotal == LARGE

    def test_too_few_tracks_to_train_on_are_searched_exactly(self, index, config):
        index.vector_index()
        index.remove([index.resolve(f"#{n}") for n in range(51, LARGE + 1)])
        for _ in range(2):
            index.vector_indexes.delete_file()
            assert len(similar(index, "#1", k=100).hits) == 49
        assert (index.vector_indexes.config() == FLAT) == (config.nlist > 0)

    def test_exact_search_can_be_restored(self, index, config, exact_hits):
        index.vector_indexes.use(index.vector_indexes.build(config, whiten=True))
        result = make_exact(index)
        assert result.after.index_type == "flat"
        assert index.vector_indexes.config(whiten=True) == FLAT
        assert result.after.recall == pytest.approx(1.0)
        assert hits_of(index, range(1, 51)) == exact_hits


def contents(index):
    """Return the code of each id in the lists of a FAISS index."""
    inner = faiss.downcast_index(index.index) if hasattr(index, "index") else index
    codes = {}
    for number in range(inner.nlist):
        size = inner.invlists.list_size(number)
        if size:
            ids = faiss.rev_swig_ptr(inner.invlists.get_ids(number), size).tolist()
            rows = faiss.rev_swig_ptr(inner.invlists.get_codes(number), size * inner.code_size)
            rows = rows.reshape(size, -1)
            codes |= {i: (number, row.tobytes()) for i, row in zip(ids, rows, strict=True)}
    return codes


@pytest.mark.parametrize("whiten", [False, True], ids=["plain", "whitened"])
@pytest.mark.parametrize(
    "config", [c for c in CONFIGS if c.nlist], ids=lambda config: config.index_type
)
def test_changes_of_lists_are_written_without_a_copy_in_memory(index, config, whiten, monkeypatch):
    index.vector_indexes.use(index.vector_indexes.build(config, whiten=whiten))
    searched = index.vector_index(whiten=whiten).faiss
    expected = faiss.deserialize_index(faiss.serialize_index(searched))
    index.remove([index.resolve("#7"), index.resolve("#8")])
    changed = index.add(a_track(8), VECTORS[LARGE + 1])
    new = index.add(a_track(LARGE), VECTORS[LARGE])
    inner = faiss.downcast_index(expected.index) if whiten else expected
    inner.remove_ids(np.array([7, 8, changed.id]))
    expected.add_with_ids(VECTORS[[LARGE + 1, LARGE]], np.array([changed.id, new.id]))
    with monkeypatch.context() as patch:
        patch.setattr(faiss_index.FaissIndex, "build", never)
        patch.setattr(faiss_index.FaissIndex, "apply_changes", never)
        followed = index.vector_index(whiten=whiten)
        with Index(index.location) as again:
            assert contents(again.vector_index(whiten=whiten).faiss) == contents(expected)
    assert contents(followed.faiss) == contents(expected)
    assert followed.faiss.ntotal == followed.n_tracks == LARGE - 1


@pytest.mark.parametrize("config", [FLAT, *CONFIGS], ids=lambda config: config.index_type)
def test_to_take_in_a_change_the_vectors_that_stay_are_not_read(index, config, monkeypatch):
    index.vector_indexes.use(index.vector_indexes.build(config))
    new = index.add(a_track(LARGE), VECTORS[LARGE])
    read_parts, paths, statements = index_file._read_parts, [], []

    def counted(path):
        paths.append(path)
        return read_parts(path)

    monkeypatch.setattr(index_file, "_read_parts", counted)
    with Index(index.location) as again:
        connection = again.storage.db.conn
        connection.set_trace_callback(statements.append)
        assert new.id in again.vector_index().ids
        connection.set_trace_callback(None)
        plans = [
            (statement, step[3])
            for statement in statements
            if "vectors" in statement and statement.startswith("SELECT")
            for step in connection.execute(f"EXPLAIN QUERY PLAN {statement}")
        ]
    assert plans
    assert not [statement for statement, step in plans if step == "SCAN vectors"]
    assert len(paths) == 2  # before and after the change is written


def test_changes_of_lists_are_searched_if_the_disk_is_full(index, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    index.vector_indexes.use(index.vector_indexes.build(CONFIGS[0]))
    index.vector_index()
    index.remove([index.resolve("#7")])
    new = index.add(a_track(LARGE), VECTORS[LARGE])
    monkeypatch.setattr(index_file, "atomic_path", full)
    ((hit, _),) = index.search(index.vector(new), 1)
    assert hit.id == new.id
    assert 7 not in index.vector_index().ids


@pytest.mark.parametrize("config", [FLAT, *CONFIGS], ids=lambda config: config.index_type)
@pytest.mark.parametrize("n_near", [1, 30, LARGE // 3])
def test_a_range_search_finds_what_is_near_and_nothing_else(index, config, n_near, monkeypatch):
    index.vector_indexes.use(index.vector_indexes.build(config))
    searched = index.vector_index()
    products = VECTORS[:LARGE] @ VECTORS[0]
    bound = float(np.sort(products)[-n_near]) - 1e-6
    expected = set((np.flatnonzero(products >= bound) + 1).tolist())
    with monkeypatch.context() as patch:
        patch.setattr(type(index.storage), "vector_blocks", never)  # which reads all vectors
        found = searched.range_search(VECTORS[0], bound)
        odd = searched.range_search(VECTORS[0], bound, candidates=np.arange(1, LARGE, 2))
    assert len(found) == len(set(found.tolist()))
    assert set(found.tolist()) <= expected
    assert len(found) >= 0.95 * len(expected)
    assert config != FLAT or set(found.tolist()) == expected
    assert set(odd.tolist()) <= {i for i in expected if i % 2}
    assert len(odd) >= 0.95 * len([i for i in expected if i % 2])


@pytest.mark.parametrize("config", [FLAT, *CONFIGS], ids=lambda config: config.index_type)
@pytest.mark.parametrize("whiten", [False, True], ids=["plain", "whitened"])
def test_a_range_search_is_needed_only_if_too_few_of_the_nearest_tracks_are_similar(
    index, config, whiten, monkeypatch
):
    for is_whitened in (False, True):
        index.vector_indexes.use(index.vector_indexes.build(config, whiten=is_whitened))
    similarities = [
        similarity for hits in hits_of(index, range(1, 6), whiten=whiten) for _, similarity in hits
    ]
    expected = hits_of(index, range(1, 6), whiten=whiten)
    bound = min(similarities) - 1e-4
    with monkeypatch.context() as patch:
        patch.setattr(faiss_index.FaissIndex, "range_search", never)
        assert hits_of(index, range(1, 6), whiten=whiten, min_similarity=bound) == expected
    n_similar = np.count_nonzero(VECTORS[:LARGE] @ VECTORS[0] >= 0.9) - 1  # without the track
    hits = similar(
        index, "#1", k=LARGE, options=SearchOptions(whiten=whiten, min_similarity=0.9)
    ).hits
    assert 0.95 * n_similar <= len(hits) <= n_similar
    assert min(hit.similarity for hit in hits) >= 0.9 - 1e-6


@pytest.mark.parametrize("code_bytes", [4, 16])
def test_a_range_search_finds_a_track_itself_however_short_its_code_is(index, code_bytes):
    config = replace(next(c for c in CONFIGS if c.code_bytes), code_bytes=code_bytes)
    index.vector_indexes.use(index.vector_indexes.build(config))
    searched = index.vector_index()
    for number in range(100):
        assert number + 1 in searched.range_search(VECTORS[number], 0.999)


def test_a_range_search_reads_few_vectors_that_are_out_of_range(index, monkeypatch):
    config = next(c for c in CONFIGS if c.code_bytes)
    index.vector_indexes.use(index.vector_indexes.build(config))
    searched, read = index.vector_index(), []
    read_vectors = type(index.storage).vectors_of

    def counted(storage, ids):
        read.extend(ids.tolist())
        return read_vectors(storage, ids)

    # All tracks that are searched.
    monkeypatch.setattr(faiss_index.FaissIndex, "_code_error", lambda _self, _vector: 1.0)
    monkeypatch.setattr(faiss_index, "_BLOCK_CODES", 20)
    monkeypatch.setattr(type(index.storage), "vectors_of", counted)
    n_near = 30
    bound = float(np.sort(VECTORS[:LARGE] @ VECTORS[0])[-n_near]) - 1e-6
    assert len(searched.range_search(VECTORS[0], bound)) >= 0.95 * n_near
    assert len(read) == len(set(read)) <= n_near + 60


def test_a_search_has_no_more_threads_than_queries(monkeypatch):
    index = faiss.IndexFlatIP(128)
    index.add(VECTORS)
    search, used = faiss.IndexFlatIP.search, []

    def counted(*args, **kwargs):
        used.append(faiss.omp_get_max_threads())
        return search(*args, **kwargs)

    monkeypatch.setattr(faiss.IndexFlatIP, "search", counted)
    before = faiss.omp_get_max_threads()
    for n_queries in (1, before + 1):
        _, ids = threads.search(index, VECTORS[:n_queries], 1)
        assert ids[:, 0].tolist() == list(range(n_queries))
        assert faiss.omp_get_max_threads() == before
    assert used == [1, before]


@pytest.mark.parametrize(
    ("config", "stored"),
    [
        (FLAT, {"kind": "flat", "n_lists": 0, "effort": 1, "code_bytes": 0, "n_candidates": 0}),
        (
            IndexConfig("ivf-flat", 64, nprobe=16),
            {"kind": "ivf-flat", "n_lists": 64, "effort": 16, "code_bytes": 0, "n_candidates": 0},
        ),
        (
            IndexConfig("hnsw", ef_search=32),
            {"kind": "hnsw", "n_lists": 0, "effort": 32, "code_bytes": 0, "n_candidates": 0},
        ),
        (
            IndexConfig("ivf-pq", 64, nprobe=2, code_bytes=32, n_candidates=300),
            {"kind": "ivf-pq", "n_lists": 64, "effort": 2, "code_bytes": 32, "n_candidates": 300},
        ),
    ],
    ids=["flat", "ivf-flat", "hnsw", "ivf-pq"],
)
def test_stored_configurations_keep_their_keys(config, stored):
    settings = config.to_settings()
    assert list(settings) == ["arrangement"]
    assert settings["arrangement"] == json.dumps(stored)
    assert IndexConfig.from_settings(settings) == config
    assert IndexConfig.from_settings(config.to_settings("whitened"), "whitened") == config


@pytest.mark.parametrize("text", ['{"kind": "tree"}', '{"kind": "flat", "depth": 3}', "flat"])
def test_a_configuration_of_a_newer_version_is_refused(index, run, text):
    with pytest.raises(LibraryError, match="doesn't know the type"):
        IndexConfig.from_settings({"arrangement": text})
    index.storage.set_settings({"arrangement": text})
    failed = run("query", "#1", "--index", index.location)
    assert failed.exit_code == 1
    assert "newer audiosearch" in failed.stderr


def test_exact_search_has_full_recall_among_copies(tmp_path):
    with Index(tmp_path / "i", spec=EmbeddingSpec("compact", compact().weights_digest)) as index:
        with index.transaction():
            for number in range(600):
                index.add(a_track(number), VECTORS[number // 20])
        assert optimize(index).before.recall == 1.0


def test_the_command_prints_measurements_before_and_after(index, run, slow_when_exact):
    done = run("optimize", "--index", index.location, "--format", "json")
    result = json.loads(done.stdout)
    assert result.keys() == {"before", "after"}
    assert result["before"].keys() == result["after"].keys() == {"kind", "recall", "ms", "bytes"}
    back = json.loads(
        run("optimize", "--exact", "--index", index.location, "--format", "json").stdout
    )
    assert back["before"]["kind"] == result["after"]["kind"]
    info = json.loads(run("info", "--index", index.location, "--format", "json").stdout)
    assert info["arrangement"] == "flat"
    assert back["after"]["kind"] == "flat"


@pytest.mark.parametrize(
    ("stored", "target"),
    [
        pytest.param({}, SearchTarget(), id="none"),
        pytest.param(SearchTarget(0.9, 10**9).to_settings(), SearchTarget(0.9, 10**9), id="both"),
        pytest.param({"search_target": "[1]"}, SearchTarget(), id="not an object"),
        pytest.param({"search_target": '{"recall": 2}'}, SearchTarget(), id="out of range"),
        pytest.param({"search_target": '{"max_bytes": "1"}'}, SearchTarget(), id="not a number"),
        pytest.param({"search_target": '{"speed": 1}'}, SearchTarget(), id="unknown"),
    ],
)
def test_what_was_asked_for_is_read_from_the_settings(stored, target):
    assert SearchTarget.from_settings(stored) == target


def test_an_impossible_request_is_refused_and_changes_nothing(index, slow_when_exact):
    expected = hits_of(index, [1])
    with pytest.raises(LibraryError, match=r"within 0\.001 MB finds 95% of the nearest"):
        optimize(index, max_bytes=1_000)
    with pytest.raises(UsageError, match="recall of 2 is out of range"):
        optimize(index, target_recall=2.0)
    assert hits_of(index, [1]) == expected
    assert index.vector_index().config == FLAT


@pytest.mark.parametrize("size", ["", "two", "2 TB", "-1MB"])
def test_an_invalid_memory_size_is_rejected(exact, run, size):
    refused = run("optimize", "--index", exact, "--max-memory", size)
    assert refused.exit_code == 2
    assert "is not a size" in refused.stderr


@pytest.mark.parametrize("option", [["--max-memory", "1GB"], ["--whiten"]], ids=" ".join)
def test_exact_search_has_no_other_options(exact, run, option):
    refused = run("optimize", "--index", exact, "--exact", *option)
    assert refused.exit_code == 2
    assert f"--exact can't be combined with {option[0]}" in refused.stderr


def test_an_empty_index_is_refused(tmp_path):
    empty = Index(tmp_path / "i", spec=EmbeddingSpec("compact", "f" * 64))
    with empty, pytest.raises(LibraryError, match="empty"):
        optimize(empty)


@pytest.mark.parametrize(
    ("dimension", "sizes"),
    [(128, [64, 32, 16]), (96, [48, 24, 12]), (512, [256, 128, 64]), (97, [97]), (2, [1])],
)
def test_code_sizes_divide_the_dimension(dimension, sizes):
    assert code_sizes(dimension) == sizes
    assert all(dimension % size == 0 for size in sizes)
