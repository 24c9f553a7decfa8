"""What goes wrong on one machine of a cluster: it is named, and others go on."""

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
from audiosearch.ingest.ray import actor as listeners
from audiosearch.ingest.ray.actor import EmbeddingActor, JobSpec, Task

URL = "memory://box/a.wav"


@pytest.fixture
def actor(monkeypatch):
    """A actor, to which a URL's file is given."""
    memory = fsspec.filesystem("memory")
    memory.pipe_file("/box/a.wav", b"sound")
    found = EmbeddingActor()
    found._tasks[URL] = Task(URL)
    yield found
    found.close()
    memory.store.clear()
    memory.pseudo_dirs[:] = [""]


def content(actor):
    actor._tasks[URL] = Task(URL)
    with actor._at_hand(URL) as file, open(file.path, "rb") as sound:
        return sound.read()


def test_a_folder_that_was_tidied_away_is_made_again(actor):
    assert content(actor) == b"sound"
    shutil.rmtree(actor._folder)
    assert content(actor) == b"sound"
    assert os.listdir(actor._folder) == []
    actor.close()
    assert not os.path.lexists(actor._folder)


def test_a_machine_without_room_fails_the_file_alone(actor, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    with pytest.raises(Unreachable, match="has no room for it"):
        content(actor)


def test_a_folder_that_is_made_after_the_end_does_not_stay(actor, monkeypatch):
    def late(url):
        actor._is_closed = True
        return folder(url)

    folder = listeners.temporary_folder
    monkeypatch.setattr(listeners, "temporary_folder", late)
    with pytest.raises(Unreachable):
        content(actor)
    assert not os.path.lexists(actor._folder)


def begun(actor, weights_digest="0" * 64):
    work = JobSpec(version("audiosearch"), "own", weights_digest, None, None)
    return actor.begin(work, np.array([], dtype="S32")).error


def test_a_machine_whose_cache_cannot_be_written_is_named(actor, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("AUDIOSEARCH_CACHE", str(tmp_path / "file"))
    monkeypatch.setattr(listeners, "_address", lambda: "10.0.0.2")
    error = begun(actor)
    assert str(error).startswith(f"On the node 10.0.0.2: The cache folder {tmp_path / 'file'}")
    assert "AUDIOSEARCH_CACHE" in error.hint


def test_a_machine_that_runs_out_of_something_is_named(actor, monkeypatch):
    def no_more(work):
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(listeners, "_at_hand_here", no_more)
    monkeypatch.setattr(listeners, "_address", lambda: "10.0.0.2")
    error = begun(actor)
    assert isinstance(error, AudiosearchError)
    assert str(error) == "The node 10.0.0.2 cannot read files: Too many open files."
