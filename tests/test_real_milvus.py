"""An index on a real Milvus server: it meets the specification of `Index`, and survives kills."""

import contextlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import test_interface
from milvus_server import emptied, real_milvus
from sounds import tone, write
from test_milvus import check_filtered_hits, check_optimize
from tracks import SPEC, bytes_of_moments, heard, made_moments, some_track, unit_vectors

from audiosearch import Index, LibraryError, add
from audiosearch.ingest.add import Status
from audiosearch.library.milvus.database import MilvusDatabase
from audiosearch.library.track import Failure
from audiosearch.maintenance.copy import copy
from audiosearch.models.spectral_print import SpectralPrint
from audiosearch.playlists import saved

# All tests and fixtures of the specification, which run with the `location` below here.
globals().update({k: v for k, v in vars(test_interface).items() if not k.startswith("__")})


@pytest.fixture(scope="session")
def real_server(tmp_path_factory):
    with real_milvus(tmp_path_factory.mktemp("milvus")) as server:
        yield server


@pytest.fixture
def location(real_server, dimension):
    """Address of an index without rows. A test that fails shows the log of the server."""
    yield emptied(real_server, dimension)
    print(real_server.log())


def test_filtered_hits_equal_those_of_an_index_in_a_folder(location, tmp_path):
    check_filtered_hits(tmp_path / "index", location)


def test_optimize_replaces_exact_search(location, run, monkeypatch):
    check_optimize(location, run, monkeypatch)


def contents(location):
    """Return everything that an index keeps of its tracks, in a form that can be compared."""
    with Index(location) as index:
        tracks = list(index)
        moments = {number: bytes_of_moments(m) for number, m in index.moments.of([1, 2])}
        prints = {key: words.words.tolist() for key, words in index.prints(tracks).items()}
        playlist = saved.load(index, "Evening")
        return {
            "tracks": tracks,
            "failures": index.storage.failures(),
            "moments": moments,
            "prints": prints,
            "waveforms": index.waveforms(tracks),
            "playlist": (playlist.summary, playlist.tracks, playlist.settings),
        }


def test_a_copy_to_the_server_and_back_changes_nothing(location, tmp_path):
    odd = "/m/caf\udce9\n'\"\\%.mp3"
    tracks = [
        replace(some_track(1), path=odd, content_hash="ab" * 16, genre="", sounds=heard(Dog=0.9)),
        replace(some_track(2), content_hash="cd" * 16, artist="𠮷野; Band", year=1999),
    ]
    words = np.arange(100, dtype=np.uint16)
    with Index(tmp_path / "first", spec=SPEC, moment_hop=0.96) as first:
        moments = [made_moments(5), made_moments(3, seed=1)]
        added = first.add_all(zip(tracks, unit_vectors(2), strict=True), moments=moments)
        first.put_prints({tracks[0].content_hash: SpectralPrint(12.0, words, words[:3])})
        first.put_waveforms([(added[1], bytes(range(200)) * 4)])
        first.storage.add_failures([Failure("/music/bad.mp3", "it is empty", 0, 1)])
        saved.save(first, "Evening", added, {"length": 2})
        list(copy(first, location))
    with Index(location) as there:
        list(copy(there, tmp_path / "back"))
        saved.remove(there, "Evening")
        assert saved.summaries(there) == []
        saved.save(there, "Evening", list(there)[::-1], {"length": 2})
        assert saved.load(there, "Evening").tracks == list(there)[::-1]
    assert all(contents(tmp_path / "first").values())
    assert contents(tmp_path / "first") == contents(tmp_path / "back")


def stored_vectors(location):
    """Return the vectors of an index by path. Each path has one track, which is found once."""
    with Index(location) as index:
        vectors = {track.path: index.vector(track) for track in index}
        assert index.n_tracks == len(vectors) == len(list(index))
        for vector in vectors.values():
            hits = [track.path for track, _ in index.search(vector, 2 * len(vectors))]
            assert sorted(hits) == sorted(vectors)
    return vectors


@pytest.fixture
def kill_at_write(real_server, monkeypatch):
    """Return a context in which the server is killed while or after it stores tracks."""

    @contextlib.contextmanager
    def killing(*, after):
        def call(database, method, *args, _call=MilvusDatabase.call, **options):
            if (method, args[:1]) != ("upsert", (database.collection,)):
                return _call(database, method, *args, **options)
            if after:
                result = _call(database, method, *args, **options)
                real_server.kill()
                return result
            with ThreadPoolExecutor(1) as killer:
                killer.submit(real_server.kill)
                return _call(database, method, *args, **options)

        with monkeypatch.context() as patched:
            patched.setattr(MilvusDatabase, "call", call)
            with pytest.raises(LibraryError, match="no Milvus answers"):
                yield
        real_server.restart()

    return killing


def test_an_add_whose_server_is_killed_goes_on_after_its_restart(location, tmp_path, kill_at_write):
    music = tmp_path / "music"
    (music / "first").mkdir(parents=True)
    for number in range(12):
        folder = music / "first" if number < 4 else music
        write(folder / f"{number}.wav", tone(200 + 50 * number, 0.3))
    add(tmp_path / "index", music, model="compact", n_jobs=1)
    expected = stored_vectors(tmp_path / "index")
    with kill_at_write(after=False):
        add(location, music / "first", model="compact", n_jobs=1)
    first = stored_vectors(location)
    with kill_at_write(after=True):
        add(location, music, model="compact", n_jobs=1)
    second = stored_vectors(location)
    assert second.keys() > first.keys()
    results = add(location, music, model="compact", n_jobs=1)
    n_added = sum(result.status is Status.ADDED for result in results)
    assert n_added == len(expected) - len(second)
    complete = stored_vectors(location)
    assert complete.keys() == expected.keys()
    for path, vector in complete.items():
        np.testing.assert_allclose(vector, expected[path], atol=1e-6)
