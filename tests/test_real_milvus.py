"""An index on a real Milvus server: it meets the specification of `Index`, and survives kills."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import test_interface
from milvus_server import emptied, real_milvus
from sounds import tone, write
from test_milvus import check_filtered_hits, check_optimize

from audiosearch import Index, LibraryError, add
from audiosearch.ingest.add import Status
from audiosearch.library.milvus.database import MilvusDatabase

# All tests and fixtures of the specification, which run with the `location` below here.
globals().update({k: v for k, v in vars(test_interface).items() if not k.startswith("__")})


@pytest.fixture(scope="session")
def real_server(tmp_path_factory):
    with real_milvus(tmp_path_factory.mktemp("milvus")) as server:
        yield server


@pytest.fixture
def location(real_server, dimension):
    """Address of an index without rows."""
    return emptied(real_server.host, dimension)


def test_filtered_hits_equal_those_of_an_index_in_a_folder(location, tmp_path):
    check_filtered_hits(tmp_path / "index", location)


def test_optimize_replaces_exact_search(location, run, monkeypatch):
    check_optimize(location, run, monkeypatch)


def stored_vectors(location):
    """Return the vectors of an index by path. Each path has one track, which is found once."""
    with Index(location) as index:
        vectors = {track.path: index.vector(track) for track in index}
        assert index.n_tracks == len(vectors) == len(list(index))
        for vector in vectors.values():
            hits = [track.path for track, _ in index.search(vector, 2 * len(vectors))]
            assert sorted(hits) == sorted(vectors)
    return vectors


@pytest.mark.parametrize("moment", ["during a write", "after a write"])
def test_an_add_whose_server_is_killed_goes_on_after_its_restart(
    real_server, location, moment, tmp_path, monkeypatch
):
    for number in range(12):
        folder = tmp_path / "music" / ("first" if number < 4 else "second")
        folder.mkdir(parents=True, exist_ok=True)
        write(folder / f"{number}.wav", tone(200 + 50 * number, 0.3))
    add(tmp_path / "index", tmp_path / "music", model="compact", n_jobs=1)
    expected = stored_vectors(tmp_path / "index")
    add(location, tmp_path / "music" / "first", model="compact", n_jobs=1)
    first = stored_vectors(location)

    def call(database, method, *args, _call=MilvusDatabase.call, **options):
        if (method, args[:1]) != ("upsert", (database.collection,)):
            return _call(database, method, *args, **options)
        if moment == "after a write":
            result = _call(database, method, *args, **options)
            real_server.kill()
            return result
        with ThreadPoolExecutor(1) as killer:
            killer.submit(real_server.kill)
            return _call(database, method, *args, **options)

    with monkeypatch.context() as patched:
        patched.setattr(MilvusDatabase, "call", call)
        with pytest.raises(LibraryError, match="no Milvus answers"):
            add(location, tmp_path / "music", model="compact", n_jobs=1)
    real_server.start()
    after_kill = stored_vectors(location)
    assert after_kill.keys() >= first.keys()
    assert moment == "during a write" or len(after_kill) > len(first)
    results = add(location, tmp_path / "music", model="compact", n_jobs=1)
    assert sum(result.status is Status.ADDED for result in results) == len(expected) - len(
        after_kill
    )
    complete = stored_vectors(location)
    assert complete.keys() == expected.keys()
    for path, vector in complete.items():
        np.testing.assert_allclose(vector, expected[path], atol=1e-6)
