"""Failures on one node of a Ray cluster are reported with the node's address."""

import errno
import os
import shutil
import tempfile
from importlib.metadata import version

import fsspec
import numpy as np
import pytest

from audiosearch import AudiosearchError
from audiosearch.errors import Unreachable
from audiosearch.ingest.ray import actor as actor_module
from audiosearch.ingest.ray.actor import EmbeddingActor, FileTask, JobSpec

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
    with actor._open_local(URL) as file, open(file.path, "rb") as sound:
        return sound.read()


def test_a_removed_temporary_folder_is_made_again(actor):
    assert content(actor) == b"sound"
    shutil.rmtree(actor._folder)
    assert content(actor) == b"sound"
    assert os.listdir(actor._folder) == []
    actor.close()
    assert not os.path.lexists(actor._folder)


def test_a_node_without_disk_space_fails_only_the_file(actor, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    with pytest.raises(Unreachable, match="has no room for it"):
        content(actor)


def test_a_temporary_folder_made_after_closing_is_removed(actor, monkeypatch):
    def close_first(url):
        actor._is_closed = True
        return temporary_folder(url)

    temporary_folder = actor_module.temporary_folder
    monkeypatch.setattr(actor_module, "temporary_folder", close_first)
    with pytest.raises(Unreachable):
        content(actor)
    assert not os.path.lexists(actor._folder)


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
