"""A link in the current folder under the default name of an output leads to no other file."""

import os

import pytest
from tracks import some_track, unit_vectors

from audiosearch import Index
from audiosearch.demo import write_sounds
from audiosearch.library.track import EmbeddingSpec


@pytest.fixture
def private(tmp_path, monkeypatch):
    """Return a file outside the current folder, which has a link to it."""
    file = tmp_path / "private"
    file.write_text("private")
    spec = EmbeddingSpec("compact", "")
    with Index(tmp_path / "index", spec=spec) as index, index.transaction():
        for number, vector in enumerate(unit_vectors(5)):
            index.add(some_track(number), vector)
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path / "folder")
    return file


@pytest.mark.parametrize("kind", ["html", "svg"])
def test_a_map_without_a_name_is_not_written_through_a_link(private, run, tmp_path, kind):
    link = tmp_path / "folder" / f"map.{kind}"
    link.symlink_to(private)
    result = run("map", "--format", kind, "--index", tmp_path / "index")
    assert result.exit_code == 2
    assert f"map.{kind} is a symbolic link" in result.stderr
    assert private.read_text() == "private"
    assert run("map", "-o", link, "--index", tmp_path / "index").exit_code == 0
    assert link.is_symlink()
    assert private.read_text() != "private"


@pytest.mark.parametrize("name", ["demo", "demo/index", "demo/sounds", "demo/sounds/bell"])
def test_the_demo_does_not_write_through_a_linked_folder(run, tmp_path, name):
    music = tmp_path / "music"
    music.mkdir()
    link = tmp_path / name
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(music)
    result = run("demo", "--folder", tmp_path / "demo")
    assert result.exit_code == 1
    assert f"{link} is a symbolic link" in result.stderr
    assert list(music.iterdir()) == []


@pytest.mark.parametrize(
    "plant",
    [
        pytest.param(os.mkfifo, id="pipe"),
        pytest.param(lambda path: path.symlink_to("/dev/tty"), id="link to a device"),
    ],
)
def test_what_is_no_file_is_replaced_by_a_sound_of_the_demo(tmp_path, plant):
    path = tmp_path / "sounds" / "bell" / "bell-1.wav"
    path.parent.mkdir(parents=True)
    plant(path)
    write_sounds(tmp_path)
    assert path.read_bytes().startswith(b"RIFF")
    assert not path.is_symlink()
