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
        has_albums = playlist_format in (PlaylistFormat.XSPF, PlaylistFormat.JSPF)
        assert again.album == (entry.album if has_albums else None)


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
        *(b"<html/>", b"[1]", b"", b"plain text"),
    ],
)
@pytest.mark.parametrize("suffix", [".xspf", ".jspf", ".pls"])
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


def read(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_playlist(str(path))


def test_a_pls_has_numbered_fields_for_each_track():
    entries = [Entry("/music/a.mp3", "Song", "Band", None, 125.4), Entry("b.mp3")]
    assert playlist_text(entries, "n", PlaylistFormat.PLS).decode().splitlines() == [
        "[playlist]",
        *("File1=/music/a.mp3", "Title1=Band - Song", "Length1=125"),
        *("File2=b.mp3", "Title2=b", "Length2=-1"),
        *("NumberOfEntries=2", "Version=2"),
    ]


def test_a_pls_is_read_by_number_whatever_the_order_and_case(tmp_path):
    text = "[Playlist]\r\nfile10=ten.mp3\r\nTITLE2=A - B\r\nFile2=/m/two.mp3\r\nLength2=61\r\n"
    first, second = read(tmp_path, "x.pls", text)
    assert first == Entry("/m/two.mp3", "B", "A", None, 61.0)
    assert second.path == "ten.mp3"


@pytest.mark.parametrize(
    ("duration", "seconds"),
    [
        *(("225", 225), ("225.5", 225.5), (" 225 ", 225), ("3:45", 225), ("0:03:45", 225)),
        *(("-1", 0), ("", 0), ("1.2.3", 0), ("soon", 0), ("nan", 0), ("inf", 0), ("9" * 400, 0)),
    ],
)
def test_a_duration_of_any_sort_costs_at_most_the_duration(tmp_path, duration, seconds):
    m3u = f"#EXTM3U\n#EXTINF:{duration},A - B\na.mp3\n"
    pls = f"[playlist]\nFile1=a.mp3\nTitle1=A - B\nLength1={duration}\n"
    for name, text in (("x.m3u", m3u), ("x.pls", pls)):
        assert list(read(tmp_path, name, text)) == [Entry("a.mp3", "B", "A", None, seconds)]


@pytest.mark.parametrize(
    ("duration", "seconds"),
    [("225000", 225), ("3:45", 225), ("-1", 0), ("", 0), ("1.2.3", 0), ("Infinity", 0)],
)
def test_a_duration_in_milliseconds_costs_at_most_the_duration(tmp_path, duration, seconds):
    track = f"<track><location>a.mp3</location><duration>{duration}</duration></track>"
    xspf = f'<playlist xmlns="http://xspf.org/ns/0/"><trackList>{track}</trackList></playlist>'
    tracks = [{"location": "a.mp3", "duration": duration}]
    if seconds != 225:
        tracks.append({"location": "a.mp3", "duration": [duration]})
    jspf = json.dumps({"playlist": {"track": tracks}})
    for name, text in (("x.xspf", xspf), ("x.jspf", jspf)):
        assert {entry.seconds for entry in read(tmp_path, name, text)} == {seconds}


@pytest.mark.parametrize(
    ("comment", "title", "artist"),
    [
        pytest.param('#EXTINF:-1 tvg-id="a,b" group="c",A - B', "B", "A", id="attributes"),
        pytest.param("#extinf: 5 , A - B ", "B", "A", id="case and blanks"),
        pytest.param("#EXTINF:5", None, None, id="no label"),
        pytest.param("#EXTINF:,B", "B", None, id="no duration"),
        pytest.param("#EXTINF:5,A, or - B, too", "B, too", "A, or", id="commas"),
    ],
)
def test_a_label_follows_the_first_comma_outside_quotes(tmp_path, comment, title, artist):
    (entry,) = read(tmp_path, "x.m3u", f"{comment}\na.mp3\n")
    assert (entry.title, entry.artist) == (title, artist)


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1", "cp1252"],
)
@pytest.mark.parametrize("suffix", ["m3u", "m3u8", "pls"])
def test_text_is_read_in_the_encoding_that_it_was_written_in(tmp_path, encoding, suffix):
    text = "#EXTM3U\n#EXTINF:5,Zoë - Été\nété.mp3\n"
    if suffix == "pls":
        text = "[playlist]\nFile1=été.mp3\nTitle1=Zoë - Été\nLength1=5\n"
    (entry,) = read(tmp_path, f"x.{suffix}", text.replace("\n", "\r\n").encode(encoding))
    assert (entry.artist, entry.title, entry.seconds) == ("Zoë", "Été", 5)
    assert "été.mp3" in (entry.path, *entry.alternatives)


XSPF_TRACK = "<track><location>a%20b.mp3</location><title>T</title></track>"


@pytest.mark.parametrize(
    ("document", "path"),
    [
        pytest.param(
            f"<playlist><trackList>{XSPF_TRACK}</trackList></playlist>", "a b.mp3", id="no"
        ),
        pytest.param(
            f'<playlist xmlns="http://xspf.org/ns/0"><trackList>{XSPF_TRACK}</trackList></playlist>',
            "a b.mp3",
            id="misspelled",
        ),
        pytest.param(
            '<x:playlist xmlns:x="http://xspf.org/ns/0/"><x:trackList><x:track>'
            "<x:location>a%20b.mp3</x:location><x:title>T</x:title></x:track></x:trackList>"
            "</x:playlist>",
            "a b.mp3",
            id="prefix",
        ),
        pytest.param(
            '<playlist xml:base="file:///music/"><trackList xml:base="deep/">'
            f"{XSPF_TRACK}</trackList></playlist>",
            "/music/deep/a b.mp3",
            id="xml:base",
        ),
        pytest.param(
            f'<playlist xml:base="../deep/"><trackList>{XSPF_TRACK}</trackList></playlist>',
            "../deep/a b.mp3",
            id="relative xml:base",
        ),
    ],
)
def test_an_xspf_is_read_in_any_namespace_and_from_its_base(tmp_path, document, path):
    (entry,) = read(tmp_path, "x.xspf", document)
    assert (entry.path, entry.title) == (path, "T")


@pytest.mark.parametrize("encoding", ["GBK", "Shift_JIS", "nonsense"])
def test_an_xspf_that_declares_an_encoding_unknown_to_the_parser_is_read(tmp_path, encoding):
    document = f'<?xml version="1.0" encoding="{encoding}"?><playlist>{XSPF_TRACK}</playlist>'
    (entry,) = read(tmp_path, "x.xspf", document)
    assert entry.title == "T"


def test_all_locations_of_a_track_are_kept(tmp_path):
    locations = "".join(f"<location>{name}</location>" for name in ("", "a.mp3", " b%20c.mp3 "))
    (entry,) = read(tmp_path, "x.xspf", f"<playlist><track>{locations}</track></playlist>")
    assert (entry.path, entry.alternatives) == ("a.mp3", ("b c.mp3", "b%20c.mp3"))
    (entry,) = read(
        tmp_path, "x.jspf", '{"playlist": {"track": {"location": ["a.mp3", "b.mp3", 5, null]}}}'
    )
    assert (entry.path, entry.alternatives[0]) == ("a.mp3", "b.mp3")


@pytest.mark.parametrize(
    ("fault", "effect"),
    [
        pytest.param("<title>A & B &eacute;</title>", "was repaired", id="ampersand"),
        pytest.param("<title>A\x00\x1bB</title>", "was repaired", id="control character"),
        pytest.param(b"<title>caf\xe9</title>", "was repaired", id="not UTF-8"),
        pytest.param("</trackList", "was read as far as possible", id="cut short"),
    ],
)
def test_faulty_xml_costs_no_entry_before_the_fault(tmp_path, fault, effect):
    head = f'<?xml version="1.0" encoding="UTF-8"?><playlist><trackList>{XSPF_TRACK}<track>'
    fault = fault if isinstance(fault, bytes) else fault.encode()
    end = b"<location>c.mp3</location></track></trackList></playlist>"
    content = head.encode() + fault + (b"" if effect.endswith("possible") else end)
    playlist = read(tmp_path, "x.xspf", content)
    assert playlist[0].path == "a b.mp3"
    assert len(playlist) == (1 if effect.endswith("possible") else 2)
    assert "is not valid XML" in playlist.warnings[0]
    assert effect in playlist.warnings[0]


@pytest.mark.parametrize(
    ("name", "content", "warning"),
    [
        ("x.xspf", f"<playlist>{XSPF_TRACK}<track><title>Bad</title></track></playlist>", "Bad"),
        (
            "x.jspf",
            '{"playlist": {"track": [{"location": "a%20b.mp3", "title": "T"}, "Bad"]}}',
            "Bad",
        ),
        ("x.jspf", '{"playlist": {"track": [{"location": "a%20b.mp3"}, {"title": "Bad"}]}}', "Bad"),
        (
            "x.jspf",
            '{"playlist": {"track": [{"location": "a%20b.mp3"}, {"location": "Bad\\u0000"}]}}',
            "Bad",
        ),
        (
            "x.jspf",
            '{"playlist": {"track": [{"location": "a%20b.mp3"}, {"location": "Bad\\ud800"}]}}',
            "Bad",
        ),
        ("x.m3u", "./a%20b.mp3\nBad\0\n", "Bad"),
        ("x.pls", "[playlist]\nFile1=./a%20b.mp3\nTitle2=Bad\n", "Bad"),
    ],
)
def test_a_bad_entry_costs_the_entry_and_is_named(tmp_path, name, content, warning):
    playlist = read(tmp_path, name, content)
    assert [entry.path.removeprefix("./") for entry in playlist] == ["a b.mp3"]
    (message,) = playlist.warnings
    assert message.startswith(str(tmp_path / name))
    assert warning in message


@pytest.mark.parametrize("location", ["http://[::1", "file://[x/a.mp3", "file:///a%zz.mp3", "//["])
@pytest.mark.parametrize("base", ["", ' xml:base="http://[::1"', ' xml:base="file:///m/"'])
def test_a_bad_uri_costs_no_other_entry(tmp_path, location, base):
    tracks = f"<track><location>{location}</location></track>{XSPF_TRACK}"
    playlist = read(tmp_path, "x.xspf", f"<playlist{base}>{tracks}</playlist>")
    assert len(playlist) == 2
    assert playlist[1].path.endswith("a b.mp3")


@pytest.mark.parametrize(
    ("location", "path"),
    [
        ("file:///music/a%20b.mp3", "/music/a b.mp3"),
        ("file://localhost/music/a%20b.mp3", "/music/a b.mp3"),
        ("file:/music/a%20b.mp3", "/music/a b.mp3"),
        ("FILE:///music/#1 a?.mp3", "/music/#1 a?.mp3"),
        ("file:///D:/Music/a%20b.mp3", "D:/Music/a b.mp3"),
        ("file://D:/Music/a%20b.mp3", "D:/Music/a b.mp3"),
        ("file:///D%3A/Music/a.mp3", "D:/Music/a.mp3"),
    ],
)
def test_a_file_uri_of_any_form_is_a_path_in_every_format(tmp_path, location, path):
    for name, text in (
        ("x.m3u", location),
        ("x.pls", f"[playlist]\nFile1={location}"),
        ("x.xspf", f"<playlist><track><location>{location}</location></track></playlist>"),
    ):
        (entry,) = read(tmp_path, name, text)
        assert entry.path == path


def test_many_bad_entries_are_named_in_a_few_lines(tmp_path):
    playlist = read(tmp_path, "x.m3u", "bad\0\n" * 500 + "good.mp3\n")
    assert [entry.path for entry in playlist] == ["good.mp3"]
    assert playlist.warnings[-1].endswith("and 480 more like this")
    assert len(playlist.warnings) == 21
