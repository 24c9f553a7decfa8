"""Atomic writing of files."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from audiosearch.atomic import atomic_path, remove_drafts

_NAMES = [
    pytest.param("a", id="1 byte"),
    pytest.param("a" * 216, id="216 bytes"),
    pytest.param("a" * 250 + ".m3u8", id="255 bytes"),
    pytest.param("é" * 127, id="254 bytes of Latin letters"),
    pytest.param("曲" * 85, id="255 bytes of Han characters"),
    pytest.param("🎵" * 63, id="252 bytes of emoji"),
    pytest.param("\udcff" * 255, id="255 bytes that aren't UTF-8"),
]


@pytest.mark.parametrize("name", _NAMES)
def test_a_name_as_long_as_the_file_system_allows_can_be_written(name):
    with atomic_path(Path(name)) as draft:
        draft.write_bytes(b"content")
    assert os.listdir() == [name]


@pytest.mark.parametrize("name", _NAMES)
def test_the_draft_of_a_file_is_removed_by_the_name_of_the_file(name):
    with contextlib.ExitStack() as drafts:
        drafts.enter_context(atomic_path(Path("other"))).touch()
        drafts.enter_context(atomic_path(Path(name))).touch()
        remove_drafts(Path(), name)
        (draft,) = os.listdir()
        assert draft.startswith(".other.")
        Path(draft).rename("other")
        drafts.pop_all()


@pytest.mark.posix
@pytest.mark.parametrize("name", [*_NAMES, pytest.param("[a]*.html", id="a pattern")])
def test_the_draft_of_a_killed_process_is_removed_and_that_of_a_running_one_is_not(name, start):
    writing = (
        "import os, sys; from pathlib import Path; from audiosearch.atomic import atomic_path\n"
        f"with atomic_path(Path(os.fsdecode({os.fsencode(name)!r}))) as draft:\n"
        "    draft.write_bytes(b'part'); print(flush=True); sys.stdin.read()"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    killed, running = (start(sys.executable, "-c", writing, **pipes) for _ in range(2))
    for process in (killed, running):
        process.stdout.readline()
    killed.kill()
    killed.wait()
    assert len(os.listdir()) == 2
    with atomic_path(Path(name)) as draft:
        draft.write_bytes(b"whole")
    assert Path(name).read_bytes() == b"whole"
    assert len(os.listdir()) == 2  # the file, and the draft of the running process
    assert running.communicate("")[1] == ""
    assert (os.listdir(), Path(name).read_bytes()) == ([name], b"part")


def test_a_playlist_may_have_a_long_name(made_up_songs, run):
    name = "p" * 250 + ".m3u8"
    result = run("playlist", "#1", "-n", 3, "--index", made_up_songs, "-o", name)
    assert result.exit_code == 0, result.stderr
    assert Path(name).stat().st_size
