"""Texts, servers and files that try to take time, memory or disk without end."""

import contextlib
import gzip
import io
import json
import random
import shutil
import sqlite3
import subprocess
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from overhttp import answering, send

from audiosearch import AudioError, Index, LibraryError, http_client
from audiosearch.audio import http_files, ignore_patterns, web_listing
from audiosearch.audio.dates import parse_year
from audiosearch.audio.discovery import find_audio
from audiosearch.audio.fetch import fetched
from audiosearch.audio.ignore_patterns import IgnorePatterns
from audiosearch.audio.tags import _number, _without_credit
from audiosearch.audio.url_listing import list_url
from audiosearch.library.faiss.index_config import IndexConfig
from audiosearch.library.filters import split_genres
from audiosearch.library.milvus.schema import split
from audiosearch.library.track import fold, split_list
from audiosearch.maintenance.export_import import import_vectors
from audiosearch.maintenance.table_rows import table_rows
from audiosearch.paths import is_url
from audiosearch.playlist_files import parse_playlist, playlist_text, read_playlist
from audiosearch.playlist_files.entry import MAX_ENTRIES, Entry
from audiosearch.playlist_files.formats import MAX_FILE_BYTES, PlaylistFormat
from audiosearch.playlist_files.recognize import is_playlist
from audiosearch.playlist_files.text import parse_seconds
from audiosearch.playlist_files.uri import possible_paths
from audiosearch.playlists.main_artists import MainArtists
from audiosearch.search.path_suffixes import PathSuffixes

# Patterns of ignore files


@contextlib.contextmanager
def taking_little_time():
    """Allow ten seconds of computing; without the limits, it is a minute or more."""
    start = time.process_time()
    yield
    assert time.process_time() - start < 10


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        pytest.param("*a*a*a*a*a*a*a*a*b", "a" * 240, id="stars"),
        pytest.param("*[ab]" * 20 + "c", "ab" * 120, id="stars and sets"),
        pytest.param("*?" * 50 + "b", "a" * 240, id="stars and question marks"),
        pytest.param("**/*a/" * 12 + "b", "a/" * 120, id="folders"),
        pytest.param("**/a/**/*a*a/**/" * 8 + "b", "aaa/a/" * 100, id="folders and stars"),
    ],
)
def test_no_pattern_of_an_ignore_file_is_slow(pattern, path):
    with taking_little_time():
        assert path not in IgnorePatterns("", [pattern])
        assert path + "/b" in IgnorePatterns("", ["*" + pattern, "b"])


def test_a_search_in_a_folder_with_a_hostile_ignore_file_ends(tmp_path):
    (tmp_path / ".audiosearchignore").write_text("*a*a*a*a*a*a*a*a*b\n")
    name = tmp_path / f"{'a' * 240}.wav"
    name.touch()
    with taking_little_time():
        assert find_audio(tmp_path) == [str(name)]


def test_patterns_match_as_in_git(tmp_path):
    made_up = random.Random(4)
    letters = ["a", "b", "*", "?", "[ab]", "[!a]", "c"]
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    for _ in range(60):
        segments = [
            "".join(made_up.choices(letters, k=made_up.randint(1, 4))).replace("**", "*")
            for _ in range(made_up.randint(1, 4))
        ]
        if made_up.random() < 0.5:
            segments.insert(made_up.randrange(len(segments)), "**")
        pattern = "/".join(segments) + made_up.choice(["", "", "/"])
        paths = [
            "/".join(
                "".join(made_up.choices("aabc", k=made_up.randint(1, 4))) for _ in range(depth)
            )
            for depth in (1, 1, 2, 2, 3, 3, 4, 5) * 3
        ]
        (tmp_path / ".gitignore").write_text(pattern + "\n")
        ignored = subprocess.run(
            ["git", "-C", tmp_path, "check-ignore", "--no-index", "-z", "--stdin"],
            input="\0".join(paths),
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        ).stdout.split("\0")
        patterns = IgnorePatterns("", [pattern])
        assert {path: path in patterns for path in paths} == {
            path: path in ignored for path in paths
        }, pattern


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param("x\n" + "a" * 5_000, "line 2 is longer than 4,096 characters", id="line"),
        pytest.param("a\n" * 6_000, "it has 6,000 patterns, and at most 5,000", id="patterns"),
        pytest.param("#\n" * 600_000, "it is larger than 1,000,000 bytes", id="bytes"),
    ],
)
def test_an_ignore_file_that_holds_too_much_is_named(tmp_path, content, reason):
    (tmp_path / "a.wav").touch()
    (tmp_path / ".audiosearchignore").write_text(content)
    with pytest.raises(AudioError, match=reason) as caught:
        find_audio(tmp_path)
    assert caught.value.path == str(tmp_path / ignore_patterns.IGNORE_FILE)
    assert caught.value.hint


# Texts of tags, playlists, tables and web pages

ENDLESS = [
    " ",
    "(",
    ",",
    "a ",
    "a&",
    "a/",
    "1",
    '"',
    "<a ",
    "&#1",
    "%",
    "\\",
    "/",
    "../",
    ":",
    "[[",
]
ENDLESS += ["feat", "#EXTINF:", "File1=", "a\u0301\u0323", "\udce9", ";", "<!--", "href=", "a;b "]


def playlist_reader(suffix):
    def read(text):
        with contextlib.suppress(LibraryError):
            parse_playlist(text.encode(errors="surrogateescape"), f"a.{suffix}")

    return read


def import_table(text):
    with contextlib.suppress(Exception):
        table_rows(text, {"path"})


PARSERS = {
    "main artist": lambda text: MainArtists(lambda: ["Anna"]).of(text),
    "genres": split_genres,
    "credit": lambda text: _without_credit([text, *text.split("/")[:90]]),
    "list": split_list,
    "fold": fold,
    "words": split,
    "year": parse_year,
    "track number": _number,
    "seconds": parse_seconds,
    "paths": lambda text: possible_paths(text, is_uri=True),
    "URL": is_url,
    "suffix": lambda text: PathSuffixes([]).find(Entry(text[:40_000])),
    "m3u8": playlist_reader("m3u8"),
    "pls": playlist_reader("pls"),
    "xspf": playlist_reader("xspf"),
    "jspf": playlist_reader("jspf"),
    "web page": lambda text: list(http_files._hrefs(text)),
    "table": import_table,
    "pattern": lambda text: text[:4_000] in IgnorePatterns("", ["*a*b/**/c*d"]),
}


def seconds_of(parse, text):
    start = time.process_time()
    parse(text)
    return time.process_time() - start


@pytest.mark.parametrize("name", PARSERS)
def test_parsers_take_time_in_proportion_to_the_text(name):
    for part in ENDLESS:
        short, long = (f"a {part * (n // len(part))}!" for n in (25_000, 100_000))
        once = seconds_of(PARSERS[name], short)
        if once > 0.02:  # else four times as much is fast, too, even if it were quadratic
            assert seconds_of(PARSERS[name], long) < 9 * once + 0.1, part


def test_a_long_base_in_an_xspf_file_is_not_repeated_for_each_track():
    track = b"<track><location>a.mp3</location></track>"
    content = b'<playlist xml:base="' + b"a/" * 400_000 + b'">' + track * 2_000 + b"</playlist>"
    with taking_little_time():
        assert parse_playlist(content, "a.xspf")[0].path == "a.mp3"


def test_a_deep_path_in_a_playlist_is_matched_in_no_time():
    suffixes = PathSuffixes([])
    with taking_little_time():
        for number in range(100):
            suffixes.find(Entry(f"{number}/" + "e/" * 2_000))


# Listings of web pages

HTML = "text/html"


def page(*links):
    return "".join(f'<a href="{link}">it</a>' for link in links).encode()


def listing_of(answer):
    with answering(answer) as (url, requests):
        try:
            return list_url(f"{url}/"), requests
        except AudioError as exc:
            return exc, requests


def folders_and(*links):
    """Answer each folder with a page, and each file with nothing."""

    def answer(handler):
        is_folder = handler.path.endswith("/")
        send(handler, page(*links) if is_folder else b"", Content_Type=HTML)

    return answer


def test_a_folder_that_contains_itself_is_read_up_to_a_limit():
    listing, requests = listing_of(folders_and("again/", "a.wav"))
    assert len(requests) < 10
    assert len(listing.files) == 2
    (error,) = listing.errors.values()
    assert error.reason == "it lists the same as two of the folders that it is in"
    assert error.path.endswith("/again/again/")


def test_a_folder_that_redirects_to_itself_is_read_once():
    def answer(handler):
        if handler.path == "/loop/":
            send(handler, b"", 302, Location="/")
        else:
            folders_and("loop/", "a.wav")(handler)

    listing, requests = listing_of(answer)
    assert [path for path, _ in requests] == ["/", "/loop/", "/", "/a.wav"]
    assert (len(listing.files), listing.errors) == (1, {})


def test_folders_that_never_end_are_read_to_a_depth_and_named():
    def answer(handler):
        folders_and(f"{handler.path.count('/')}/", "a.wav")(handler)

    listing, requests = listing_of(answer)
    assert len(requests) <= 2 * web_listing.MAX_DEPTH + 2
    assert len(listing.files) == web_listing.MAX_DEPTH
    (error,) = listing.errors.values()
    assert "more than 20 deep" in error.reason
    assert error.hint


@pytest.mark.parametrize(
    ("limit", "reason"),
    [("MAX_FOLDERS", "more than 50 folders"), ("MAX_FILES", "more than 50 files")],
)
def test_a_listing_with_too_many_folders_or_files_is_an_error(monkeypatch, limit, reason):
    def answer(handler):
        names = [f"{handler.path.count('/')}{name}" for name in "abc"]
        folders_and(*(f"{name}/" for name in names), *(f"{n}.wav" for n in names))(handler)

    monkeypatch.setattr(web_listing, limit, 50)
    error, requests = listing_of(answer)
    assert reason in error.reason
    assert "--exclude" in error.hint
    assert len(requests) < 200


def test_a_listing_that_takes_too_long_is_an_error(monkeypatch):
    monkeypatch.setattr(web_listing, "MAX_SECONDS", 0.0)
    error, _ = listing_of(folders_and("a.wav"))
    assert "listing it takes longer than" in error.reason


def test_a_page_without_end_is_an_error(monkeypatch):
    monkeypatch.setattr(http_files, "MAX_PAGE_BYTES", 1_000_000)

    def answer(handler):
        handler.send_response(200)
        handler.send_header("Content-Type", HTML)
        handler.end_headers()
        while True:
            handler.wfile.write(page("a.wav") * 1_000)

    error, _ = listing_of(answer)
    assert error.reason == "its answer is larger than 1,000,000 bytes"
    assert error.hint


def test_a_compressed_page_counts_by_its_real_size():
    bomb = gzip.compress(bytes(50_000_000))

    def answer(handler):
        send(handler, bomb, Content_Type=HTML, Content_Encoding="gzip")

    error, _ = listing_of(answer)
    assert error.reason == "its answer is larger than 16,000,000 bytes"


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        pytest.param(b"<a " + b" " * 20_000, HTML, id="spaces in a link"),
        pytest.param(b"<!--" * 50_000, HTML, id="comments"),
        pytest.param(b"a-" + b"b" * 200_000, f"{HTML}; charset=punycode", id="punycode"),
        pytest.param(page("&#" + "1" * 50_000 + ";", "http://[::1/", "//["), HTML, id="invalid"),
    ],
)
def test_a_page_of_nonsense_is_read_at_once(content, content_type):
    with taking_little_time():
        error, _ = listing_of(lambda handler: send(handler, content, Content_Type=content_type))
    assert error.reason == "it contains no audio files"


# Bodies of files


def read(url):
    with fetched(url) as path, open(path, "rb") as file:
        return file.read()


def test_a_file_without_end_is_an_error_and_leaves_nothing(monkeypatch, tmp_path):
    folder = tmp_path / "copies"
    folder.mkdir()
    monkeypatch.setattr(http_files, "MAX_FILE_BYTES", 3_000_000)

    def answer(handler):
        handler.send_response(200)
        handler.end_headers()
        while True:
            handler.wfile.write(bytes(1 << 16))

    with (
        answering(answer) as (url, _),
        pytest.raises(AudioError, match="larger than 3,000,000"),
        fetched(f"{url}/a.wav", folder=str(folder)),
    ):
        pass
    assert list(folder.iterdir()) == []


def test_a_file_that_fills_the_disk_leaves_room(monkeypatch, tmp_path):
    free = shutil.disk_usage(tmp_path).free
    monkeypatch.setattr(http_files, "RESERVED_BYTES", free)
    with (
        answering(lambda handler: send(handler, bytes(200_000_000))) as (url, _),
        pytest.raises(AudioError, match="has no room for it"),
        fetched(f"{url}/a.wav", folder=str(tmp_path)),
    ):
        pass


def test_bytes_beyond_the_declared_length_are_not_read():
    def answer(handler):
        send(handler, b"0123456789", Content_Length="4")

    with answering(answer) as (url, _):
        assert read(f"{url}/a.wav") == b"0123"


def test_a_file_shorter_than_declared_is_an_error():
    def answer(handler):
        send(handler, b"0123456789", Content_Length="40")

    with answering(answer) as (url, _), pytest.raises(AudioError, match="connection was lost"):
        read(f"{url}/a.wav")


@pytest.mark.parametrize("part", [b"5", b"1\r\nx\r\n"], ids=["size of a chunk", "chunks"])
def test_a_file_that_arrives_byte_by_byte_is_given_up(monkeypatch, part):
    monkeypatch.setattr(http_client, "GRACE_SECONDS", 0.3)

    def answer(handler):
        handler.protocol_version = "HTTP/1.1"
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for _ in range(200):
            handler.wfile.write(part)
            handler.wfile.flush()
            time.sleep(0.05)

    with answering(answer) as (url, _), pytest.raises(AudioError, match="takes too long"):
        read(f"{url}/a.wav")


def test_headers_that_arrive_byte_by_byte_are_given_up(monkeypatch):
    monkeypatch.setattr(http_files, "_TIMEOUT_SECONDS", 0.3)

    def answer(handler):
        for _ in range(200):
            handler.wfile.write(b"H")
            handler.wfile.flush()
            time.sleep(0.05)

    with answering(answer) as (url, _), pytest.raises(AudioError, match="doesn't answer in time"):
        read(f"{url}/a.wav")


@pytest.mark.parametrize("length", ["-1", "1e3", "9" * 30, "9" * 5_000])
def test_a_declared_length_that_cannot_be_is_unknown(length):
    def answer(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", length)
        handler.end_headers()

    with answering(answer) as (url, _):
        ((size, _),) = list_url(f"{url}/a.wav").files.values()
    assert size == 0


# Playlist files


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        pytest.param("a.m3u8", b"a.mp3\n" * 3_000_000, "100,000 entries", id="m3u8 entries"),
        pytest.param("a.m3u8", b"\n" * 3_000_000, "2,000,000 lines", id="m3u8 lines"),
        pytest.param(
            "a.pls",
            b"".join(b"File%d=a\n" % number for number in range(200_000)),
            "100,000 entries",
            id="pls entries",
        ),
        pytest.param(
            "a.xspf",
            b"<playlist>" + b"<track><title>x</title></track>" * 200_000,
            "100,000 entries",
            id="xspf entries",
        ),
        pytest.param("a.xspf", b"<playlist>" + b"<a>" * 200_000, "more than 100 deep", id="xspf"),
        pytest.param(
            "a.xspf", b"<playlist><track>" + b"<a/>" * 2_000, "1,000 fields", id="xspf fields"
        ),
        pytest.param(
            "a.xspf",
            b"<!DOCTYPE p [<!ENTITY a 'aa'><!ENTITY b '&a;&a;'>]><playlist>&b;</playlist>",
            "it declares XML entities",
            id="xspf entities",
        ),
        pytest.param("a.jspf", b"[" * 200_000, "nested too deeply", id="jspf"),
        pytest.param(
            "a.jspf",
            b'{"playlist":{"track":[' + b"0," * 200_000 + b"0]}}",
            "100,000 entries",
            id="jspf entries",
        ),
        *(
            pytest.param("a.jspf", content, "it has no playlist object", id=content.decode())
            for content in (b"[]", b"5", b"null", b'"track"', b'{"playlist": [1]}', b"{}")
        ),
    ],
)
def test_a_playlist_file_beyond_a_limit_is_one_sentence(name, content, reason):
    with taking_little_time(), pytest.raises(LibraryError, match=reason) as caught:
        parse_playlist(content, name)
    assert "\n" not in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize("name", ["a.m3u8", "a.pls", "a.xspf", "a.jspf"])
def test_a_playlist_file_of_many_bytes_is_not_read(tmp_path, name):
    with open(tmp_path / name, "wb") as file:
        file.truncate(50 * MAX_FILE_BYTES)
    with pytest.raises(LibraryError, match="larger than 32,000,000 bytes"):
        read_playlist(str(tmp_path / name))
    assert not is_playlist(tmp_path / name)


@pytest.mark.long
@pytest.mark.parametrize("kind", PlaylistFormat)
def test_a_playlist_file_just_below_the_limit_is_read(kind):
    entries = [Entry(f"/m/{number}.mp3") for number in range(MAX_ENTRIES)]
    assert len(parse_playlist(playlist_text(entries, "x", kind), f"a.{kind.value}")) == MAX_ENTRIES


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"#EXTINF:1 " + b"a" * 20_000_000, id="comment"),
        pytest.param(b"a" * 20_000_000, id="path"),
        pytest.param(b"#EXTINF:" + b"9" * 20_000_000 + b",x\n", id="number"),
    ],
)
def test_a_line_of_megabytes_is_read_at_once(content):
    with taking_little_time():
        assert parse_playlist(content + b"\na.mp3\n", "a.m3u8")[0].path == "a.mp3"


def test_a_long_comment_in_an_xspf_file_is_read_once():
    content = b"<playlist><!--" + b"a" * 20_000_000 + b"--></playlist>"
    with taking_little_time():
        assert len(parse_playlist(content, "a.xspf")) == 0


# Imports


def npy(shape, descr="<f4", data=b""):
    file = io.BytesIO()
    header = {"descr": descr, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue() + data


def npz():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", bytes(10_000_000))
    return file.getvalue()


ONE = npy((1, 2), data=np.ones((1, 2), "<f4").tobytes())
ROW = b'{"path": "/a.mp3"}\n'


@pytest.mark.parametrize(
    ("vectors", "fields", "suffix", "reason"),
    [
        pytest.param(npy((10**12, 128)), ROW, ".jsonl", "longer|greater than file", id="rows"),
        pytest.param(npy((2**62, 128)), ROW, ".jsonl", "too big", id="overflow"),
        pytest.param(npy((-1, 128)), ROW, ".jsonl", "must be positive", id="negative"),
        pytest.param(npy((1, 128), "|V1000000000"), ROW, ".jsonl", "than file", id="dtype"),
        pytest.param(npy((1, 128), "|O"), ROW, ".jsonl", "Python objects", id="objects"),
        pytest.param(b"\x80\x04cos\nsystem\n", ROW, ".jsonl", "magic string", id="pickle"),
        pytest.param(npz(), ROW, ".jsonl", "holds several arrays", id="npz"),
        pytest.param(ONE, b"[" * 100_000, ".json", "nested too deeply", id="json"),
        pytest.param(ONE, b'{"path":' + b"[" * 100_000, ".jsonl", "nested too", id="jsonl"),
        pytest.param(ONE, b'[{"path":' + b"9" * 5_000 + b"}]", ".json", "digits", id="digits"),
        pytest.param(ONE, b"5", ".json", "not a list of objects", id="a number"),
        pytest.param(ONE, b"[[1]]", ".json", "not a list of objects", id="lists"),
        pytest.param(ONE, b'{"path": ["/a"]}', ".jsonl", "path is not a text", id="list"),
        pytest.param(ONE, b'{"path": true}', ".jsonl", "path is not a text", id="boolean"),
        pytest.param(
            ONE, b'{"path": "/' + b"a" * 5_000 + b'"}', ".jsonl", "path is too long", id="long path"
        ),
        pytest.param(
            ONE, b"path\n/a" + b"x" * 3_000_000, ".csv", "field larger than", id="csv field"
        ),
        pytest.param(
            ONE, b"path" + b",c" * 2_000 + b"\n/a", ".csv", "more than 1,000 columns", id="columns"
        ),
    ],
)
def test_an_import_that_cannot_be_is_one_sentence_and_writes_nothing(
    run, vectors, fields, suffix, reason
):
    files = [Path("v.npy"), Path(f"f{suffix}")]
    files[0].write_bytes(vectors)
    files[1].write_bytes(fields)
    result = run("import", *files)
    assert result.exit_code == 1
    assert result.stderr.count("error: ") == 1
    assert "hint: " in result.stderr
    assert not Index.exists("index")
    with pytest.raises(LibraryError, match=reason) as caught:
        import_vectors("index", *files)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "value",
    ['{"a": 1}', "true", "[[[1]]]", '"' + "x" * 20_000 + '"', "[" * 500 + "]" * 500],
    ids=["object", "boolean", "lists", "long", "deep"],
)
def test_a_tag_of_another_type_is_ignored_with_a_warning(run, tmp_path, caplog, value):
    (tmp_path / "v.npy").write_bytes(ONE)
    (tmp_path / "f.jsonl").write_text(f'{{"path": "/a.mp3", "title": {value}}}')
    (track,) = import_vectors(tmp_path / "i", tmp_path / "v.npy", tmp_path / "f.jsonl")
    assert track.title is None
    assert "ignored title in row 1" in caplog.text


@pytest.mark.parametrize("field", ["size", "channels", "year", "seconds"])
@pytest.mark.parametrize("digits", ["1" * 100_000, "1e400", "-" * 1_000], ids=["digits", "e", "-"])
def test_a_number_that_cannot_be_stored_is_ignored(tmp_path, field, digits):
    (tmp_path / "v.npy").write_bytes(ONE)
    (tmp_path / "f.jsonl").write_text(json.dumps({"path": "/a.mp3", field: digits}))
    (track,) = import_vectors(tmp_path / "i", tmp_path / "v.npy", tmp_path / "f.jsonl")
    assert not getattr(track, field)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("[" * 100_000, id="deep"),
        pytest.param('{"model": ["a"], "fingerprint": "b"}', id="list"),
        pytest.param('{"model": "a", "fingerprint": {}}', id="object"),
        pytest.param('{"model": "a", "fingerprint": "b", "excerpt_seconds": "x"}', id="text"),
        pytest.param('{"model": "a", "fingerprint": "b", "excerpt_seconds": 1e999}', id="endless"),
        pytest.param(" " * 1_000_000, id="long"),
    ],
)
def test_the_header_of_an_export_that_cannot_be_is_no_header(tmp_path, content):
    (tmp_path / "vectors.npy").write_bytes(ONE)
    (tmp_path / "index.json").write_text(content)
    (tmp_path / "f.jsonl").write_bytes(ROW)
    import_vectors(tmp_path / "i", tmp_path / "vectors.npy", tmp_path / "f.jsonl")
    with Index(tmp_path / "i") as index:
        assert (index.spec.model, index.spec.excerpt_seconds) == ("imported", None)


# Settings of an index


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "[]",
        "5",
        '{"kind": ["flat"]}',
        '{"kind": "ivf-flat", "n_lists": -1}',
        '{"kind": "ivf-flat", "n_lists": "4"}',
        '{"kind": "ivf-flat", "n_lists": true}',
        '{"kind": "ivf-flat", "n_lists": 1000000000000}',
        '{"kind": "ivf-flat"}',
        '{"kind": "ivf-pq", "n_lists": 4}',
        '{"kind": "hnsw", "effort": 0}',
        '{"kind": "hnsw", "effort": ' + "9" * 5_000 + "}",
    ],
    ids=lambda text: text[:40],
)
def test_a_configuration_that_cannot_be_is_one_short_sentence(text):
    with pytest.raises(LibraryError, match="doesn't know the type") as caught:
        IndexConfig.from_settings({"arrangement": text})
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("name", ["model", "fingerprint", "excerpt_seconds", "dimension"])
@pytest.mark.parametrize(
    "value", [b"\xff", "x" * 100_000, "9" * 5_000, "nan", "1e999", "-1"], ids=lambda v: str(v)[:8]
)
def test_settings_of_another_type_give_no_traceback(tmp_path, run, name, value):
    (tmp_path / "v.npy").write_bytes(ONE)
    (tmp_path / "f.jsonl").write_bytes(ROW)
    import_vectors("index", tmp_path / "v.npy", tmp_path / "f.jsonl")
    with contextlib.closing(sqlite3.connect("index/audiosearch.db")) as database:
        database.execute("UPDATE settings SET value = ? WHERE key = ?", [value, name])
        database.commit()
    for command in (["info"], ["doctor"], ["query", "--track", "#1"]):
        result = run(*command)
        assert result.exit_code in (0, 1)
        assert "Traceback" not in result.stderr
