"""The module `system`, and how paths are read by the rules of Windows."""

import ctypes
import errno
import ntpath
import os
import re
import stat
import sys
from pathlib import Path
from types import SimpleNamespace

import faiss
import numpy as np
import pytest

import audiosearch
from audiosearch import Index, paths, system
from audiosearch.audio import discovery, ignore_patterns
from audiosearch.audio.discovery import PartOfFolders
from audiosearch.audio.ignore_patterns import IgnorePatterns
from audiosearch.library import index
from audiosearch.library.faiss import index_file
from audiosearch.maintenance import files
from audiosearch.models import litert
from audiosearch.playlist_files import path_style, uri
from audiosearch.playlist_files.path_style import PathStyle
from audiosearch.playlist_files.uri import path_to_uri, possible_paths

COMPACT = Path(audiosearch.__file__).parent / "models" / "compact.tflite"
WINDOWS = SimpleNamespace(**vars(os) | {"path": ntpath, "sep": "\\"})


@pytest.fixture
def windows(monkeypatch):
    """Let modules about paths see those of Windows."""
    monkeypatch.setattr(system, "IS_WINDOWS", True)
    for module in (discovery, ignore_patterns, index, path_style, paths, system, uri):
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
        ("file://nas/music/a%20b.mp3", "//nas/music/a b.mp3"),
        ("file://///nas/music/a.mp3", "//nas/music/a.mp3"),
        ("file://localhost/C:/a.mp3", "C:/a.mp3"),
        ("file:///C:/caf%E9.mp3", "C:/caf\udce9.mp3"),
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
    disk = {
        r"c:\music\abba": r"C:\Music\ABBA",
        r"c:\link": r"D:\Elsewhere",
        r"z:\music": r"\\nas\share\Music",  # a drive for a folder of the network
    }
    real = SimpleNamespace(**vars(ntpath) | {"realpath": lambda path: disk.get(path.lower(), path)})
    monkeypatch.setattr(system, "os", SimpleNamespace(**vars(WINDOWS) | {"path": real}))
    assert paths.absolute(r"c:\music\abba") == r"C:\Music\ABBA"
    assert paths.absolute(r"c:\music\x\..\abba") == r"C:\Music\ABBA"
    assert paths.absolute(r"c:\link") == r"C:\link"
    assert paths.absolute(r"z:\music") == r"Z:\Music"
    assert paths.absolute(r"c:\new") == r"C:\new"


def test_a_folder_that_is_gone_is_found_in_any_case(windows):
    tracks = SimpleNamespace(fields=lambda names: [(1, r"C:\Music\ABBA\a.mp3")])
    assert Index.as_stored(tracks, r"C:\music\Abba") == r"C:\Music\ABBA"
    assert Index.as_stored(tracks, r"C:\music\abb") == r"C:\music\abb"


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


def test_a_drive_that_is_away_is_not_taken_for_deleted_files(monkeypatch):
    there = SimpleNamespace(**vars(ntpath) | {"lexists": lambda path: path.startswith("C:")})
    monkeypatch.setattr(files, "os", SimpleNamespace(**vars(WINDOWS) | {"path": there}))
    for drive in ("E:\\", "\\\\nas\\music\\"):
        assert files._highest_missing(rf"{drive}jazz\live\a.mp3") == drive
        assert files._unmounted(drive, [r"C:\Music\b.mp3"]) == drive


def test_paths_of_other_systems_are_read_where_names_are_unicode(monkeypatch):
    monkeypatch.setattr(os, "fsdecode", lambda content: content.decode("utf-8", "surrogatepass"))
    assert paths.path_from_bytes("é".encode()) == "é"
    assert paths.path_from_bytes(b"/music/caf\xe9.mp3") == "/music/caf\udce9.mp3"


@pytest.mark.parametrize(
    ("name", "attributes", "is_hidden"),
    [
        pytest.param("$RECYCLE.BIN", stat.FILE_ATTRIBUTE_HIDDEN, True, id="attribute"),
        pytest.param(".git", 0, True, id="dot"),
        pytest.param("Jazz", stat.FILE_ATTRIBUTE_ARCHIVE, False, id="neither"),
    ],
)
def test_folders_may_be_hidden_by_an_attribute(monkeypatch, name, attributes, is_hidden):
    monkeypatch.setattr(system, "IS_WINDOWS", True)
    status = SimpleNamespace(st_file_attributes=attributes)
    assert system.is_hidden(SimpleNamespace(name=name, stat=lambda **_: status)) == is_hidden


def test_patterns_in_arguments_are_replaced_by_files(monkeypatch, tmp_path):
    names = ["a [1].wav", "b.wav", "c.mp3"]
    for name in names:
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(system, "IS_WINDOWS", False)
    assert system.matching_files(["*.wav"]) == ["*.wav"]
    monkeypatch.setattr(system, "IS_WINDOWS", True)
    assert system.matching_files(["*.wav", "c.mp3", "*.ogg"]) == [*names, "*.ogg"]
    assert system.matching_files(["a [1].*", "a [1].wav"]) == ["a [1].wav"] * 2


def test_children_are_started_without_the_starter_of_a_virtual_environment(monkeypatch):
    monkeypatch.setattr(sys, "_base_executable", r"C:\Python\python.exe")
    assert system.interpreter() == (sys.executable, {}) or system.IS_WINDOWS
    monkeypatch.setattr(system, "IS_WINDOWS", True)
    variables = {"__PYVENV_LAUNCHER__": sys.executable}
    assert system.interpreter() == (r"C:\Python\python.exe", variables)


def test_consoles_of_windows_are_told_to_act_on_escape_sequences(monkeypatch):
    modes = {}

    def mode_of(console, mode):
        mode._obj.value = 3
        return console.value == 12  # the other one is a file

    kernel = SimpleNamespace(
        GetConsoleMode=mode_of,
        SetConsoleMode=lambda console, mode: modes.update({console.value: mode}),
    )
    monkeypatch.setattr(ctypes, "WinDLL", {"kernel32": kernel}.get, raising=False)
    monkeypatch.setattr(system, "_msvcrt", SimpleNamespace(get_osfhandle={1: 11, 2: 12}.get))
    for descriptor in (1, 2):
        system.use_escape_sequences(descriptor)
    assert modes == {12: 7}


def test_a_pipe_without_a_reader_has_another_error_on_windows(monkeypatch):
    monkeypatch.setattr(system, "IS_WINDOWS", False)
    assert system.is_closed_pipe(BrokenPipeError(errno.EPIPE, "broken"))
    assert not system.is_closed_pipe(OSError(errno.EINVAL, "invalid"))
    monkeypatch.setattr(system, "IS_WINDOWS", True)
    assert system.is_closed_pipe(OSError(errno.EINVAL, "invalid"))
    assert not system.is_closed_pipe(OSError(errno.ENOSPC, "full"))


def test_libraries_get_no_file_names_that_they_could_misread(monkeypatch, tmp_path):
    vectors, write = faiss.IndexFlatIP(2), faiss.write_index
    vectors.add(np.eye(2, dtype=np.float32))
    targets = []
    monkeypatch.setattr(faiss, "write_index", lambda *of: (targets.append(of[1]), write(*of)))
    index_file.saver(vectors)(tmp_path / "日本.faiss")
    assert not any(isinstance(target, str) for target in targets)
    assert (tmp_path / "日本.faiss").read_bytes() == faiss.serialize_index(vectors).tobytes()
    monkeypatch.setattr(system, "IS_WINDOWS", True)
    nameless = SimpleNamespace(read_bytes=COMPACT.read_bytes)
    assert litert.opened(nameless, n_threads=1).get_signature_list()
