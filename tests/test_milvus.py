"""An index in Milvus: commands work on it, and hits equal those of an index in a folder."""

import json
import os
import urllib.request
from dataclasses import replace

import numpy as np
import pytest
from milvus_server import milvus_server
from served import serving
from test_ranking import a_track, crowd
from tracks import LARGE, SPEC, some_track, unit, unit_vectors

from audiosearch import Index, IndexNotFound, similar
from audiosearch.library import tuning
from audiosearch.library.filters import Filters, Range
from audiosearch.library.milvus.catalog import MilvusCatalog
from audiosearch.library.milvus.database import MilvusDatabase
from audiosearch.library.milvus.schema import coded, decoded
from audiosearch.library.track import EmbeddingSpec, Failure
from audiosearch.maintenance.copy import copy
from audiosearch.maintenance.doctor import examine
from audiosearch.models.registry import compact
from audiosearch.playlists import PlaylistOptions, PlaylistRequest, playlist
from audiosearch.search.query import SearchOptions

COMPACT = EmbeddingSpec("compact", compact().weights_digest)


def rows_of(run, *command):
    result = run(*command, "--format", "json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.parametrize(
    ("state", "is_load_called"),
    [
        pytest.param("NotLoad", True, id="not loaded"),
        pytest.param("Loading", True, id="another client is loading it"),
        pytest.param("Loaded", False, id="loaded"),
    ],
)
def test_a_collection_is_loaded_before_it_is_used(monkeypatch, state, is_load_called):
    calls = []

    def call(_, method, *arguments, **options):
        calls.append(method)
        return {"state": state}

    monkeypatch.setattr(MilvusDatabase, "call", call)
    MilvusDatabase._load(object.__new__(MilvusDatabase), "tracks")
    assert ("load_collection" in calls) == is_load_called


def test_every_command_works_on_an_index_in_milvus(address, music, run, tmp_path):
    at = ("--index", address)
    assert run("add", music, "--model", "compact", *at).exit_code == 0
    assert "5 unchanged" in run("add", music, *at).stderr
    tracks = rows_of(run, "list", *at)["tracks"]
    assert {os.path.basename(track["path"]) for track in tracks} == {
        *("low.wav", "high.wav", "hiss.flac", "tune.ogg", "hiss2.wav")
    }
    info = rows_of(run, "info", *at)
    assert (info["index"], info["tracks"], info["model"]) == (address, 5, "compact")
    hits = rows_of(run, "query", music / "hiss.flac", "-k", 1, *at)["hits"]
    assert os.path.basename(hits[0]["path"]) == "hiss2.wav"
    played = run("playlist", music / "hiss.flac", "-n", 3, *at).stdout
    assert len([line for line in played.splitlines() if not line.startswith("#")]) == 3
    assert rows_of(run, "evaluate", "--by", "folder", *at)["tracks"] == 5
    assert run("export", tmp_path / "out", *at).exit_code == 0
    assert run("remove", music / "deep", *at).stderr == "1 track removed\n"
    back = run("import", tmp_path / "out/vectors.npy", tmp_path / "out/tracks.jsonl", *at)
    assert back.stderr == "5 imported\n"
    assert rows_of(run, "list", *at)["tracks"] == tracks
    assert run("doctor", *at).exit_code == 0


def test_an_index_in_milvus_is_served_and_mapped(address, music, run):
    assert run("add", music, "--model", "compact", "--index", address).exit_code == 0
    with serving(music, {}, index=address) as served:
        with urllib.request.urlopen(f"{served.url}/api/tracks") as response:
            tracks = json.load(response)["tracks"]
        assert len(tracks) == 5
        with urllib.request.urlopen(f"{served.url}/api/map") as response:
            assert sorted(json.load(response)["ids"]) == sorted(track["id"] for track in tracks)


# The same results as in a folder


FILTERS = [
    Filters(year=(Range(1990, 1995),)),
    Filters(seconds=(Range(60, 90), Range(300))),
    Filters(artist=("band 30", "band 31", "VARIOUS")),
    Filters(folder=("/music/3",)),
    Filters(genre=("rock",), exclude=Filters(year=(Range(2000),))),
]


def filtered_hits(location):
    """Return ids and products of 200 filtered searches in a new index."""
    n_tracks = LARGE // 4
    vectors = crowd(n_tracks)
    step = n_tracks // 200
    with Index(location, spec=COMPACT) as index:
        index.add_all(zip(map(a_track, range(n_tracks)), vectors, strict=True))
    with Index(location) as index:
        for number in range(200):
            candidates = index.vector_indexes.candidates(FILTERS[number % len(FILTERS)])
            query = {"candidates": candidates, "exclude_ids": [step * number + 1]}
            yield index.vector_index().search(vectors[step * number], 10, **query)


def check_filtered_hits(folder, address):
    """Check that 200 filtered searches find the same in a folder and at an address."""
    for local, remote in zip(filtered_hits(folder), filtered_hits(address), strict=True):
        assert len(local[0]) == 10
        assert local[0].tolist() == remote[0].tolist()
        np.testing.assert_allclose(local[1], remote[1], atol=1e-6)


def test_filtered_hits_equal_those_of_an_index_in_a_folder(tmp_path):
    check_filtered_hits(tmp_path / "index", f"milvus+lite:{tmp_path / 'index.db'}")


@pytest.mark.parametrize("dimension", [128, 512])
def test_a_copy_to_milvus_and_back_changes_nothing(address, tmp_path, dimension):
    odd = replace(some_track(7), path="/m/caf\udce9\n'\"\\%.mp3", year=1999, genre="")
    failure = Failure("/music/bad.mp3", "it is empty", 0, 1)
    vectors = unit_vectors(30, dimension=dimension)
    with Index(tmp_path / "first", spec=replace(SPEC, dimension=dimension)) as first:
        first.add_all(zip(map(some_track, range(30)), vectors, strict=True))
        first.remove([first.resolve("#3")])
        first.add(odd, unit(dimension))
        first.storage.add_failures([failure])
        assert list(copy(first, address))[-1] == 30
        revision = first.storage.revision()
        with Index(address) as there:
            assert list(copy(there, tmp_path / "back"))[-1] == 30
            assert list(copy(there, first.location))[-1] == 30
            with Index(tmp_path / "back") as back:
                for other in (there, back):
                    assert list(other) == list(first)
                    assert other.spec == first.spec
                    assert other.storage.failures() == [failure]
                    for track in first:
                        np.testing.assert_array_equal(other.vector(track), first.vector(track))
        assert first.storage.revision() == revision


def test_a_copy_needs_another_index_of_the_same_model(address, tmp_path, run):
    with Index(address, spec=SPEC) as source:
        source.add(some_track(1), unit())
    with Index(tmp_path / "other", spec=COMPACT):
        pass
    refused = run("copy", address, tmp_path / "other")
    assert refused.exit_code == 1
    assert f"but {tmp_path / 'other'} has those of compact" in refused.stderr
    assert run("copy", address, address).exit_code == 2
    assert run("copy", address, tmp_path / "new").stderr == "1 track copied\n"


def test_texts_that_are_too_long_for_milvus_are_cut(address):
    long = dict.fromkeys(("title", "artist", "album", "genre"), "é" * 70_000)
    with Index(address, spec=SPEC) as index:
        added = index.add(replace(some_track(1), **long), unit())
        (stored,) = index
        assert stored.title == "é" * 32_767
        assert index.storage.ids(Filters(artist=(long["artist"],))).tolist() == [added.id]
        assert index.search_text("song") == []


@pytest.mark.parametrize("n_steps", [0, 1, 2, 3, 4])
def test_an_index_whose_creation_was_interrupted_is_completed(n_steps, address, monkeypatch):
    call = MilvusDatabase.call

    def interrupted(database, method, *args, **options):
        nonlocal n_steps
        if method in ("create_collection", "create_index", "upsert"):
            if not n_steps:
                raise KeyboardInterrupt
            n_steps -= 1
        return call(database, method, *args, **options)

    monkeypatch.setattr(MilvusDatabase, "call", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Index(address, spec=SPEC)
    monkeypatch.undo()
    assert not Index.exists(address)
    with pytest.raises(IndexNotFound):
        Index(address)
    with Index(address, spec=COMPACT) as index:
        added = index.add(some_track(1), unit())
        assert index.search(unit(), 1)[0][0] == added
        assert index.spec == COMPACT


def test_the_last_connection_releases_the_file_of_milvus_lite(tmp_path):
    location = f"milvus+lite:{tmp_path / 'a.db'}"
    one, another = Index(location, spec=SPEC), Index(location)
    one.close()
    one.close()
    assert another.n_tracks == 0
    another.close()
    with milvus_server(tmp_path / "a.db"):  # fails if the file is still open
        pass


def test_a_path_gets_the_same_id_from_every_process(address):
    with Index(address, spec=SPEC) as one, Index(address) as another:
        first = one.add(some_track(1), unit())
        assert another.add(some_track(1), -unit()).id == first.id
        assert one.vector(first) @ unit() == pytest.approx(-1.0)
        another.remove([first])
        assert one.add(some_track(1), unit()).id == first.id < 2**53


def test_an_id_that_is_in_use_is_not_given_to_another_track(address):
    with Index(address, spec=SPEC) as index:
        first = index.add(some_track(1), unit())
        index.storage.move([(first, "/elsewhere.mp3")])
        second = index.add(
            some_track(1), unit()
        )  # the hash of its path is the id of the first track
        third = index.add(replace(some_track(2), id=first.id), unit())
        assert len({first.id, second.id, third.id}) == 3


@pytest.mark.parametrize(
    "path",
    [
        "/plain",
        "/𠮷/\U00016ff0",
        "/caf\udce9/\udcff",
        "/\U0010ff80/\U0010ffff",
        "/é\udcc3\U0010ffaa",
        "",
    ],
)
def test_a_path_is_stored_as_text_and_decoded(path):
    coded(path).encode()
    assert decoded(coded(path)) == path
    assert coded(path + "/below").startswith(coded(path))


def recall_of(hits, vectors):
    """Return the share of the ten nearest of 50 tracks that are hits."""
    exact = np.argsort(-(vectors[:50] @ vectors.T), axis=1)[:, :10]
    return np.mean([len(a & set(b)) / 10 for a, b in zip(hits, exact.tolist(), strict=True)])


def check_optimize(location, run, monkeypatch):
    """Check that `optimize` replaces an exact search in Milvus, and brings it back."""
    monkeypatch.setattr(tuning, "_FAST_ENOUGH_MS", 0.0)
    monkeypatch.setattr(tuning, "_MIN_TRACKS", 1)
    # Timings on a busy machine must not decide: tests/benchmarks/milvus_hnsw.py measures them.
    monkeypatch.setattr(tuning, "_MIN_SPEEDUP", 1e-3)
    vectors, at = crowd(2_000), ("--index", location)

    def hits(index):
        return [{track.size for track, _ in index.search(v, 10)} for v in vectors[:50]]

    with Index(location, spec=COMPACT) as index:
        index.add_all((some_track(n), vector) for n, vector in enumerate(vectors))
        measured = rows_of(run, "optimize", *at)
        assert [measured[when]["kind"] for when in ("before", "after")] == ["flat", "hnsw"]
        assert measured["before"]["recall"] == pytest.approx(1.0)
        assert measured["after"]["recall"] >= 0.95
        assert recall_of(hits(index), vectors) >= 0.9  # it was opened before
    refused = run("optimize", "--max-memory", "1KB", *at)
    assert (refused.exit_code, "No index type within" in refused.stderr) == (1, True)
    assert rows_of(run, "info", *at)["arrangement"] == "hnsw"
    with Index(location) as index:
        width = index.storage.search_width
        assert index.vector_index().config.search_width == width
        assert (
            f"ef {width}"
            in {found.check: found for found in examine(location)}["search file"].detail
        )
        assert recall_of(hits(index), vectors) >= 0.9
    exact = rows_of(run, "optimize", "--exact", *at)
    assert [exact[when]["kind"] for when in ("before", "after")] == ["hnsw", "flat"]
    assert 0.9 <= exact["before"]["recall"] < exact["after"]["recall"] + 1e-6
    with Index(location) as index:
        assert recall_of(hits(index), vectors) == pytest.approx(1.0)


def test_optimize_replaces_exact_search_in_milvus(address, run, monkeypatch):
    check_optimize(address, run, monkeypatch)


@pytest.mark.parametrize(
    ("kind", "params"), [("HNSW", {"M": 16, "efConstruction": 100}), ("IVF_FLAT", {"nlist": 512})]
)
def test_an_approximate_index_is_searched_with_enough_recall(kind, params, server, address, run):
    from pymilvus import MilvusClient

    vectors = crowd(5_000)
    with Index(address, spec=SPEC) as index:
        index.add_all((some_track(n), vector) for n, vector in enumerate(vectors))
    name, client = address.rpartition("/")[2], MilvusClient(f"http://{server}")
    client.release_collection(name)
    client.drop_index(name, "embedding")
    index_params = client.prepare_index_params()
    index_params.add_index("embedding", index_type=kind, metric_type="IP", params=params)
    client.create_index(name, index_params)
    client.close()
    assert rows_of(run, "info", "--index", address)["arrangement"] == kind.lower()
    with Index(address) as index:
        hits = [{track.size for track, _ in index.search(v, 10)} for v in vectors[:50]]
    assert recall_of(hits, vectors) >= 0.95


def test_whitening_is_fitted_once_and_again_when_the_library_grows(address, monkeypatch):
    n_fitted, sample = [], MilvusCatalog.sample

    def counted(catalog, n_vectors):
        n_fitted.append(catalog.count())
        return sample(catalog, n_vectors)

    monkeypatch.setattr(MilvusCatalog, "sample", counted)
    options = SearchOptions(whiten=True)
    with Index(address, spec=COMPACT) as index:
        index.add_all(zip(map(a_track, range(320)), crowd(320), strict=True))
        first = similar(index, "#1", options=options).hits
    with Index(address) as index:
        assert similar(index, "#1", options=options).hits == first
        assert n_fitted == [320]
        index.add_all(zip(map(a_track, range(320, 410)), crowd(410)[320:], strict=True))
        similar(index, "#1", options=options)
        assert n_fitted == [320, 410]


def test_a_warning_says_that_milvus_limits_the_number_of_hits(address, monkeypatch):
    for name in ("catalog", "vectors", "vector_index"):
        monkeypatch.setattr(f"audiosearch.library.milvus.{name}.MAX_K", 5)
    with Index(address, spec=COMPACT) as index:
        index.add_all(zip(map(a_track, range(20)), crowd(20), strict=True))
        answer = similar(index, "#1", k=10)
        assert len(answer.hits) == 4  # and the clip itself
        assert answer.warnings == ["the index returns at most 5 hits at a time"]
        options = PlaylistOptions(keep_seeds=False)
        result = playlist(index, PlaylistRequest(seeds=("#1",), options=options))
        assert len(result.tracks) == 4
