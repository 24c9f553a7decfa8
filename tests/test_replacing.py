"""Nothing is lost by mistake: files that are replaced, and tracks that are removed."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from tracks import SPEC, some_track, unit_vectors

from audiosearch import Index
from audiosearch.playlist_files import is_playlist


@pytest.fixture
def tracks():
    """An index of ten tracks in the current folder, none of which has a file."""
    with Index("index", spec=SPEC) as index:
        index.add_all((some_track(n, f"/music/{n % 2}"), v) for n, v in enumerate(unit_vectors(10)))


# Playlists

XSPF = b'<?xml version="1.0"?><playlist version="1" xmlns="http://xspf.org/ns/0/"><trackList/></playlist>'
PLAYLISTS = [
    pytest.param("a.m3u8", b"#EXTM3U\n#EXTINF:1,A - B\n/music/a.mp3\n", id="extended M3U"),
    pytest.param("a.m3u8", b"\xef\xbb\xbf#EXTM3U\r\na.mp3\r\n", id="M3U with a byte order mark"),
    pytest.param("a.m3u", "#EXTM3U\na.mp3\n".encode("utf-16"), id="M3U in UTF-16"),
    pytest.param("a.m3u", b"Artist\\01 - Song.mp3\nsong.FLAC\n", id="a plain list of files"),
    pytest.param("a.m3u8", b"http://radio.example/stream\n", id="a list of URLs"),
    pytest.param("a.m3u8", b"", id="an empty file"),
    pytest.param("a.xspf", XSPF, id="XSPF"),
    pytest.param("a.jspf", b'{"playlist": {"track": []}}', id="JSPF"),
    pytest.param("a.jspf", b'{"track": []}', id="JSPF without the outer object"),
    pytest.param("a.pls", b"[playlist]\nFile1=/music/a.mp3\nNumberOfEntries=1\n", id="PLS"),
]
OTHERS = [
    pytest.param("a.m3u8", b"Dear diary,\ntoday I heard a song.\n", id="prose"),
    pytest.param("a.m3u8", b"# Notes\n", id="only comments"),
    pytest.param("a.m3u8", b"ID3\x04\x00\x00\x00\xff\xfb\x90", id="audio"),
    pytest.param("a.xspf", b"#EXTM3U\na.mp3\n", id="not XML"),
    pytest.param("a.jspf", b'{"name": "project"}', id="other JSON"),
    pytest.param("a.pls", b"Dear diary,\n", id="not PLS"),
]


@pytest.mark.parametrize(("name", "content"), PLAYLISTS)
def test_a_playlist_of_any_program_is_recognized(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert is_playlist(tmp_path / name)


def test_a_name_that_is_too_long_for_the_disk_is_a_sentence(tracks, run):
    refused = run("playlist", "#1", "-n", 2, "-o", "\u00e9" * 130 + ".m3u8")
    assert refused.exit_code == 2
    assert "File name too long" in refused.stderr


@pytest.mark.parametrize(("name", "content"), OTHERS)
def test_another_file_is_replaced_only_by_force(tracks, run, tmp_path, name, content):
    file = tmp_path / name
    file.write_bytes(content)
    refused = run("playlist", "#1", "-n", 2, "-o", file)
    assert refused.exit_code == 1
    assert "--force" in refused.stderr
    assert file.read_bytes() == content
    assert run("playlist", "#1", "-n", 2, "-o", file, "--force").exit_code == 0
    assert run("playlist", "#2", "-n", 2, "-o", file).exit_code == 0  # it is a playlist now


def test_a_format_that_contradicts_the_file_name_is_refused(tracks, run):
    assert run("playlist", "#1", "-o", "a.m3u8", "--format", "xspf").exit_code == 2
    assert not os.path.exists("a.m3u8")
    assert run("playlist", "#1", "-o", "a.xspf", "--format", "xspf").exit_code == 0


# Exports


@pytest.mark.parametrize("options", [[], ["--parquet"]], ids=["NumPy", "Parquet"])
def test_an_export_replaces_an_earlier_one(tracks, run, options):
    for _ in range(2):
        assert run("export", "out", *options).exit_code == 0


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("vectors.npy", []),
        ("tracks.jsonl", []),
        ("index.json", []),
        ("tracks.parquet", ["--parquet"]),
    ],
)
def test_an_export_replaces_other_files_only_by_force(tracks, run, tmp_path, name, options):
    file = tmp_path / "out" / name
    file.parent.mkdir()
    file.write_text('{"name": "project"}')
    refused = run("export", tmp_path / "out", *options)
    assert refused.exit_code == 1
    assert "--force" in refused.stderr
    assert os.listdir(tmp_path / "out") == [name]
    assert file.read_text() == '{"name": "project"}'
    assert run("export", tmp_path / "out", *options, "--force").exit_code == 0
    if not options:
        assert len(np.load(tmp_path / "out" / "vectors.npy")) == 10


def test_an_export_leaves_the_other_files_of_its_folder(tracks, run, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    assert run("export", tmp_path).exit_code == 0
    assert (tmp_path / "notes.txt").read_text() == "mine"


# Tracks


def on_terminal(answer, *arguments):
    """Run a command whose standard input is a terminal, and type an answer."""
    import pty  # missing in some tests

    terminal, ours = pty.openpty()
    os.write(terminal, answer.encode())
    command = [sys.executable, "-m", "audiosearch", *arguments]
    result = subprocess.run(command, stdin=ours, capture_output=True, text=True, check=False)
    os.close(ours)
    os.close(terminal)
    return result


@pytest.mark.posix
@pytest.mark.parametrize(
    ("answer", "arguments", "n_left", "asks"),
    [
        pytest.param("y\n", ["/music/0"], 5, True, id="yes"),
        pytest.param("n\n", ["/music/0"], 10, True, id="no"),
        pytest.param("\n", ["#1", "#2"], 10, True, id="several tracks, and no is the default"),
        pytest.param("", ["/music/0", "-y"], 5, False, id="answered in advance"),
        pytest.param("", ["#1"], 9, False, id="one track"),
    ],
)
def test_a_terminal_asks_before_several_tracks_are_removed(tracks, answer, arguments, n_left, asks):
    result = on_terminal(answer, "remove", *arguments)
    assert ("Remove " in result.stderr) == asks
    assert (result.returncode == 0) == (n_left < 10)
    with Index("index") as index:
        assert index.n_tracks == n_left


def test_a_script_is_not_asked(tracks, run):
    assert run("remove", "/music/0").exit_code == 0


def test_a_dry_run_of_prune_lists_the_missing_files_and_removes_nothing(music, run):
    run("add", music, "--model", "compact")
    (music / "low.wav").unlink()
    planned = run("prune", "--dry-run")
    assert planned.exit_code == 0
    assert planned.stdout == f"missing\t{music / 'low.wav'}\n"
    assert "1 track would be removed" in planned.stderr
    assert len(json.loads(run("list", "--format", "json").stdout)["tracks"]) == 5


def test_a_dry_run_of_prune_says_what_prune_would_refuse(tracks, run):
    planned = run("prune", "--dry-run")
    assert planned.exit_code == 1
    assert "Its disk may not be mounted" in planned.stderr
    assert len(planned.stdout.splitlines()) == 10
