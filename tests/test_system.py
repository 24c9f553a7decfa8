"""The module `system`, and how paths are read by the rules of Windows."""

import io
import ntpath
import os
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import audiosearch
from audiosearch import paths, system
from audiosearch.audio import discovery, ignore_patterns
from audiosearch.audio.discovery import PartOfFolders
from audiosearch.audio.ignore_patterns import IgnorePatterns
from audiosearch.playlist_files import path_style, uri
from audiosearch.playlist_files.path_style import PathStyle
from audiosearch.playlist_files.uri import path_to_uri, possible_paths

WINDOWS = SimpleNamespace(**vars(os) | {"path": ntpath, "sep": "\\"})


@pytest.fixture
def windows(monkeypatch):
    """Let modules about paths see those of Windows."""
    monkeypatch.setattr(system, "IS_WINDOWS", True)
    for module in (discovery, ignore_patterns, path_style, paths, system, uri):
        monkeypatch.setattr(module, "os", WINDOWS)


def test_no_other_module_asks_on_which_system_it_runs():
    asks = re.compile(
        r"import (fcntl|grp|msvcrt|pwd|resource|select|termios|winreg)\b"
        r"|\bsys\.platform|\bos\.name\b|attr\(os,|\bplatform\.system|pass_fds|O_NOFOLLOW|SIGKILL"
    )
    root = Path(audiosearch.__file__).parent
    sources = [path for path in root.rglob("*.py") if "training" not in path.parts]
    assert [path.name for path in sources if asks.search(path.read_text())] == ["system.py"]


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        pytest.param({"relative_to": r"C:\Lists"}, r"..\Music\a.mp3", id="relative"),
        pytest.param({"relative_to": r"D:\Lists"}, r"C:\Music\a.mp3", id="another drive"),
        pytest.param({"prefixes": (("c:/music", "/mnt"),)}, r"/mnt\a.mp3", id="case and slash"),
        pytest.param(
            {"prefixes": (("C:\\Music\\", "/mnt/"),), "forward_slash": True},
            "/mnt/a.mp3",
            id="for another system",
        ),
    ],
)
def test_paths_in_playlists(windows, style, expected):
    assert PathStyle(**style).apply(r"C:\Music\a.mp3") == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param(r"C:\Music\a b.mp3", "file:///C:/Music/a%20b.mp3", id="drive"),
        pytest.param(r"\\nas\music\ä.mp3", "file://nas/music/%C3%A4.mp3", id="network"),
        pytest.param(r"..\Music\a.mp3", "../Music/a.mp3", id="relative"),
        pytest.param("https://a.org/b.mp3", "https://a.org/b.mp3", id="URL"),
    ],
)
def test_uris_in_playlists(windows, path, expected):
    assert path_to_uri(path) == expected


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("file:///C:/Music/a%20b.mp3", "C:/Music/a b.mp3"),
        ("file://C:/Music/a.mp3", "C:/Music/a.mp3"),
        (r"D:\Music\100%.mp3", r"D:\Music\100%.mp3"),
    ],
)
def test_locations_in_playlists_of_windows_are_read(windows, text, path):
    assert possible_paths(text, is_uri=False)[0] == path


@pytest.mark.parametrize(
    ("path", "is_left_out"),
    [
        (r"C:\Music\rock\live\a.mp3", True),
        (r"C:\Music\live.mp3", False),
        (r"C:\Music\rock\b.wav", True),
        (r"C:\Music\rock\b.mp3", False),
    ],
)
def test_patterns_of_files_to_leave_out(windows, path, is_left_out):
    assert (path in IgnorePatterns(r"C:\Music", ["live/", "rock/*.wav"])) == is_left_out


def test_a_whole_drive_is_a_folder(windows):
    assert paths.is_in(r"E:\jazz\a.mp3", "E:\\")
    assert not paths.is_in(r"F:\jazz\a.mp3", "E:\\")
    part = PartOfFolders(["E:\\"])
    assert (part.covers(r"E:\jazz\a.mp3"), part.covers(r"F:\a.mp3")) == (True, False)


def test_a_drive_is_no_url():
    assert not paths.is_url("c://music/a.mp3")


def test_stored_paths_have_the_case_of_the_disk(windows, monkeypatch):
    disk = {r"c:\music\abba": r"C:\Music\ABBA", r"c:\link": r"D:\Elsewhere"}
    real = SimpleNamespace(**vars(ntpath) | {"realpath": lambda path: disk.get(path.lower(), path)})
    monkeypatch.setattr(system, "os", SimpleNamespace(**vars(WINDOWS) | {"path": real}))
    assert paths.absolute(r"c:\music\abba") == r"C:\Music\ABBA"
    assert paths.absolute(r"c:\music\x\..\abba") == r"C:\Music\ABBA"
    assert paths.absolute(r"c:\link") == r"C:\link"
    assert paths.absolute(r"c:\new") == r"C:\new"


def test_a_file_is_replaced_once_no_other_process_reads_it(tmp_path, monkeypatch):
    refusals = [PermissionError(13, "in use"), PermissionError(13, "in use")]

    def replace(source, target):
        if refusals:
            raise refusals.pop()
        Path(source).rename(target)

    monkeypatch.setattr(system, "IS_WINDOWS", True)
    monkeypatch.setattr(system, "os", SimpleNamespace(replace=replace))
    (tmp_path / "draft").write_text("new")
    system.replace(tmp_path / "draft", tmp_path / "file")
    assert (tmp_path / "file").read_text() == "new"


def test_a_temporary_file_with_a_name_is_gone_once_it_is_closed(monkeypatch):
    monkeypatch.setattr(system, "HAS_DESCRIPTOR_PATHS", False)
    with system.temporary_file() as file:
        file.write(b"content")
        assert Path(file.name).read_bytes() == b"content"
    assert not os.path.exists(file.name)


@pytest.mark.parametrize("encoding", ["ascii", "cp437", "cp1252"])
def test_names_can_be_printed_on_a_console_that_is_not_utf_8(encoding, start, tmp_path):
    name = "日本 é \u2013.wav"
    program = (
        "import sys; from audiosearch.cli.streams import open_streams\n"
        f"open_streams().write({name!r})"
    )
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    process = start(sys.executable, "-c", program, env=environment, encoding=encoding)
    expected = name.encode(encoding, errors="backslashreplace").decode(encoding)
    assert process.stderr.read() == expected


def test_messages_have_the_code_page_of_a_console_of_windows(monkeypatch):
    console = SimpleNamespace(device_encoding={1: None, 2: "cp850"}.get)
    monkeypatch.setattr(system, "IS_WINDOWS", True)
    monkeypatch.setattr(system, "os", console)
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    assert system.console_encoding(stream, 2) == "cp850"
    assert system.console_encoding(stream, 1) == "utf-8"
