"""Playlist files: entries are read as they were written, in the format of other programs."""

import json
import xml.etree.ElementTree as ET
from urllib.parse import unquote, urlsplit

import pytest

from audiosearch import LibraryError
from audiosearch.playlist_files import (
    Entry,
    PathStyle,
    PlaylistFormat,
    absolute_path,
    playlist_text,
    read_playlist,
)

NAMES = [
    "/music/plain.mp3",
    "/music/with space & more.mp3",
    "/music/# hash.mp3",
    "/music/100% real?.mp3",
    "/music/%41.mp3",
    "/music/naïve ☃ 🎵.mp3",
    "/music/new\nline.mp3",
    "/music/ends with space ",
    "#starts.mp3",
    "./here.mp3",
    "../up/there.mp3",
    "a:b.mp3",
    "relative % new\nline.mp3",
    "/music/stray \udcff byte.mp3",
]


def write_file(tmp_path, entries, playlist_format, name="A list"):
    path = tmp_path / f"list.{playlist_format.value}"
    path.write_bytes(playlist_text(entries, name, playlist_format))
    return path


@pytest.mark.parametrize("playlist_format", PlaylistFormat)
def test_written_entries_are_read_unchanged(tmp_path, playlist_format):
    entries = [
        Entry(name, f"Title {number}", "An — Artist", "LP & <more>", 60.0 + number)
        for number, name in enumerate(NAMES)
    ]
    result = read_playlist(str(write_file(tmp_path, entries, playlist_format)))
    for entry, again in zip(entries, result, strict=True):
        assert absolute_path("/x/list", again.path) == absolute_path("/x/list", entry.path)
        assert (again.title, again.artist, again.seconds) == (
            entry.title,
            entry.artist,
            entry.seconds,
        )
        assert again.album == (None if playlist_format is PlaylistFormat.M3U8 else entry.album)


def test_an_m3u8_has_a_comment_and_a_path_for_each_track(tmp_path):
    entries = [
        Entry("/music/a.mp3", "Song", "Band", None, 125.4),
        Entry("b.mp3"),
        Entry("/music/c.mp3", "Two\nlines", None),
    ]
    text = playlist_text(entries, "My\nlist", PlaylistFormat.M3U8).decode()
    assert text.splitlines() == [
        "#EXTM3U",
        "#PLAYLIST:My list",
        "#EXTINF:125,Band - Song",
        "/music/a.mp3",
        "#EXTINF:-1,b",
        "b.mp3",
        "#EXTINF:-1,Two lines",
        "/music/c.mp3",
    ]


def test_each_path_takes_one_line(tmp_path):
    for name in NAMES:
        lines = playlist_text([Entry(name, "t")], "n", PlaylistFormat.M3U8).split(b"\n")
        assert len(lines) == 5
        assert not lines[3].startswith(b"#")


def test_an_xspf_has_the_elements_that_its_specification_names(tmp_path):
    entries = [Entry("/music/é #1.mp3", "Song\x00 <b>", "Band", "LP", 1.5), Entry("b c.mp3")]
    root = ET.fromstring(playlist_text(entries, "List", PlaylistFormat.XSPF))
    space = "{http://xspf.org/ns/0/}"
    assert (root.tag, root.attrib) == (f"{space}playlist", {"version": "1"})
    assert [child.tag for child in root] == [f"{space}title", f"{space}trackList"]
    first, second = root.find(f"{space}trackList")
    allowed = ["location", "title", "creator", "album", "duration"]
    assert [child.tag.removeprefix(space) for child in first] == allowed
    location = first.find(f"{space}location").text
    assert location.isascii()
    assert unquote(urlsplit(location).path) == "/music/é #1.mp3"
    assert first.find(f"{space}duration").text == "1500"
    assert second.find(f"{space}location").text == "b%20c.mp3"


def test_a_jspf_has_the_same_fields_as_json():
    entries = [Entry("/music/a b.mp3", "Song", "Band", "LP", 1.5)]
    document = json.loads(playlist_text(entries, "List", PlaylistFormat.JSPF))
    assert document["playlist"]["title"] == "List"
    (track,) = document["playlist"]["track"]
    assert track == {
        "location": ["file:///music/a%20b.mp3"],
        "title": "Song",
        "creator": "Band",
        "album": "LP",
        "duration": 1500,
    }


@pytest.mark.parametrize(
    ("style", "path", "expected"),
    [
        (PathStyle(), "/m/a.mp3", "/m/a.mp3"),
        (PathStyle(relative_to="/m/lists"), "/m/x/a.mp3", "../x/a.mp3"),
        (PathStyle(prefixes=(("/m", "D:/Music"),)), "/m/a.mp3", "D:/Music/a.mp3"),
        (PathStyle(prefixes=(("/n", "X"), ("/m", "Y"))), "/m/a.mp3", "Y/a.mp3"),
        (PathStyle(forward_slash=True), "C:\\m\\a.mp3", "C:/m/a.mp3"),
        (PathStyle(relative_to="/m"), "imported", "imported"),
    ],
)
def test_a_path_is_written_in_the_requested_style(style, path, expected):
    assert style.apply(path) == expected


@pytest.mark.parametrize(
    "content",
    [
        *(b"<playlist", b'{"playlist": 1}', b"\xff\xfe\x00", b"[" * 200_000),
        *(b'{"playlist": {"track": ["x"]}}', b'{"playlist": {"track": [{"location": [5]}]}}'),
    ],
)
@pytest.mark.parametrize("suffix", [".xspf", ".jspf"])
def test_a_file_that_is_not_a_playlist_is_an_error(tmp_path, content, suffix):
    path = tmp_path / f"x{suffix}"
    path.write_bytes(content)
    with pytest.raises(LibraryError, match=r"Can't read .* as a playlist"):
        read_playlist(str(path))


def test_xml_entities_are_an_error(tmp_path):
    path = tmp_path / "x.xspf"
    path.write_text('<!DOCTYPE p [<!ENTITY a "aaaa">]><playlist><title>&a;</title></playlist>')
    with pytest.raises(LibraryError, match=r"Can't read .* as a playlist"):
        read_playlist(str(path))


def test_a_playlist_of_another_program_is_read(tmp_path):
    path = tmp_path / "other.m3u8"
    path.write_bytes('\ufeff#EXTM3U\r\n\r\n#EXTINF:12 tvg="x",A - B\r\nsub/a b.mp3\r\n'.encode())
    (entry,) = read_playlist(str(path))
    assert entry == Entry("sub/a b.mp3", "B", "A", None, 12.0)
    assert absolute_path(str(path), entry.path) == str(tmp_path / "sub" / "a b.mp3")
