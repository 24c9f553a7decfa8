"""Playlist files say what they were told, and say it as others read it."""

import json
import xml.etree.ElementTree as ET
from urllib.parse import unquote, urlsplit

import pytest

from audiosearch import LibraryError
from audiosearch.playlist_files.formats import (
    Entry,
    PathStyle,
    PlaylistFormat,
    beside,
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


def written(tmp_path, entries, kind, name="A list"):
    path = tmp_path / f"list.{kind.value}"
    path.write_bytes(playlist_text(entries, name, kind))
    return path


@pytest.mark.parametrize("kind", PlaylistFormat)
def test_what_is_written_is_read_back(tmp_path, kind):
    entries = [
        Entry(name, f"Title {number}", "An — Artist", "LP & <more>", 60.0 + number)
        for number, name in enumerate(NAMES)
    ]
    found = read_playlist(str(written(tmp_path, entries, kind)))
    for entry, again in zip(entries, found, strict=True):
        assert beside("/x/list", again.path) == beside("/x/list", entry.path)
        assert (again.title, again.artist, again.seconds) == (
            entry.title,
            entry.artist,
            entry.seconds,
        )
        assert again.album == (None if kind is PlaylistFormat.M3U8 else entry.album)


def test_an_m3u8_has_a_line_a_track_as_players_want_it(tmp_path):
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


def test_no_name_can_break_out_of_its_line(tmp_path):
    for name in NAMES:
        lines = playlist_text([Entry(name, "t")], "n", PlaylistFormat.M3U8).split(b"\n")
        assert len(lines) == 5
        assert not lines[3].startswith(b"#")


def test_an_xspf_has_the_elements_of_the_specification(tmp_path):
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


def test_a_jspf_is_json_of_the_same_fields():
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
def test_paths_are_written_as_asked(style, path, expected):
    assert style.written(path) == expected


@pytest.mark.parametrize(
    "content",
    [
        *(b"<playlist", b'{"playlist": 1}', b"\xff\xfe\x00", b"[" * 200_000),
        *(b'{"playlist": {"track": ["x"]}}', b'{"playlist": {"track": [{"location": [5]}]}}'),
    ],
)
@pytest.mark.parametrize("suffix", [".xspf", ".jspf"])
def test_what_is_no_playlist_is_said(tmp_path, content, suffix):
    path = tmp_path / f"x{suffix}"
    path.write_bytes(content)
    with pytest.raises(LibraryError, match="cannot be read as a playlist"):
        read_playlist(str(path))


def test_entities_are_refused(tmp_path):
    path = tmp_path / "x.xspf"
    path.write_text('<!DOCTYPE p [<!ENTITY a "aaaa">]><playlist><title>&a;</title></playlist>')
    with pytest.raises(LibraryError, match="cannot be read as a playlist"):
        read_playlist(str(path))


def test_playlists_of_other_programs_are_read(tmp_path):
    path = tmp_path / "other.m3u8"
    path.write_bytes('\ufeff#EXTM3U\r\n\r\n#EXTINF:12 tvg="x",A - B\r\nsub/a b.mp3\r\n'.encode())
    (entry,) = read_playlist(str(path))
    assert entry == Entry("sub/a b.mp3", "B", "A", None, 12.0)
    assert beside(str(path), entry.path) == str(tmp_path / "sub" / "a b.mp3")
