"""An actor on a node of a Ray cluster: its results, and failures with the node's address."""

import errno
import pickle
import tempfile
from importlib.metadata import version

import fsspec
import numpy as np
import pytest
from sounds import melody, write

from audiosearch import AudiosearchError, add
from audiosearch.audio.fetch import never
from audiosearch.errors import Unreachable
from audiosearch.ingest.ray import actor as actor_module
from audiosearch.ingest.ray.actor import EmbeddingActor, FileTask, JobSpec
from audiosearch.library.index import Index
from audiosearch.models.registry import compact

URL = "memory://box/a.wav"


@pytest.fixture
def actor(monkeypatch):
    """Return an actor with the task to embed a URL."""
    memory = fsspec.filesystem("memory")
    memory.pipe_file("/box/a.wav", b"sound")
    embedding_actor = EmbeddingActor()
    embedding_actor._tasks[URL] = FileTask(URL)
    yield embedding_actor
    embedding_actor.close()
    memory.store.clear()
    memory.pseudo_dirs[:] = [""]


def content(actor):
    """Return the bytes of the actor's local copy of the URL."""
    actor._tasks[URL] = FileTask(URL)
    opened = actor._open_local(URL, is_stopped=never)
    with opened as file, open(file.path, "rb") as sound:
        return sound.read()


def test_a_closed_actor_fetches_nothing(actor):
    assert content(actor) == b"sound"
    actor.close()
    with pytest.raises(Unreachable, match="fetching it was stopped"):
        content(actor)


def test_a_node_without_disk_space_fails_only_the_file(actor, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    with pytest.raises(Unreachable, match="has no room for it"):
        content(actor)


def start_error(actor, weights_digest="0" * 64):
    """Start the actor, and return its error."""
    job = JobSpec(version("audiosearch"), "custom", weights_digest, None, None)
    return actor.begin(job, np.array([], dtype="S32")).error


def test_a_node_whose_cache_cannot_be_written_is_named(actor, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("AUDIOSEARCH_CACHE", str(tmp_path / "file"))
    monkeypatch.setattr(actor_module, "_address", lambda: "10.0.0.2")
    error = start_error(actor)
    assert str(error).startswith(
        f"On the node 10.0.0.2: Can't write to the cache folder {tmp_path / 'file'}"
    )
    assert "AUDIOSEARCH_CACHE" in error.hint


def test_a_node_that_runs_out_of_a_resource_is_named(actor, monkeypatch):
    def raise_error(job):
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(actor_module, "_local_model", raise_error)
    monkeypatch.setattr(actor_module, "_address", lambda: "10.0.0.2")
    error = start_error(actor)
    assert isinstance(error, AudiosearchError)
    assert str(error) == "The node 10.0.0.2 can't read files: Too many open files."


@pytest.mark.parametrize("hop", [None, 0.96, 0.48])
def test_an_actor_sends_the_moments_of_files_and_urls(hop, actor, tmp_path):
    path = str(write(tmp_path / "a.wav", melody(5.0)))
    fsspec.filesystem("memory").pipe_file("/box/a.wav", (tmp_path / "a.wav").read_bytes() + b"  ")
    digest = compact().weights_digest
    job = JobSpec(version("audiosearch"), "compact", digest, None, None, True, hop)
    assert actor.begin(job, np.array([], dtype="S32")).error is None
    polled = actor.submit_and_poll([FileTask(URL), FileTask(path)]).results
    while len(polled) < 2:
        polled += actor.submit_and_poll([]).results
    received = pickle.loads(pickle.dumps(polled))
    moments = {result.path: result.embedding.moments for result in received}
    assert moments.keys() == {URL, path}
    if hop is None:
        assert set(moments.values()) == {None}
        return
    add("index", [path], model="compact", moments=True, moment_hop=hop, n_jobs=1)
    with Index("index") as index:
        (expected,) = (index.moments_of(track) for track in index)
    for sent in moments.values():
        np.testing.assert_allclose(sent.vectors(), expected.vectors(), atol=0.01)
        assert sent.sounds.counts.tolist() == expected.sounds.counts.tolist()
