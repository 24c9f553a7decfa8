"""Patterns and texts that are made to take time are matched and parsed in linear time."""

import contextlib
import random
import subprocess
import time

import pytest
from computing_time import taking_little_time

from audiosearch import AudioError, LibraryError
from audiosearch.audio import http_files, ignore_patterns
from audiosearch.audio.dates import parse_year
from audiosearch.audio.discovery import discover
from audiosearch.audio.ignore_patterns import IgnorePatterns
from audiosearch.audio.tags import _number, _without_credit
from audiosearch.library.filters import split_genres
from audiosearch.library.milvus.schema import split
from audiosearch.library.track import fold, split_list
from audiosearch.maintenance.table_rows import table_rows
from audiosearch.paths import is_url
from audiosearch.playlist_files import parse_playlist
from audiosearch.playlist_files.entry import Entry
from audiosearch.playlist_files.text import parse_seconds
from audiosearch.playlist_files.uri import possible_paths
from audiosearch.playlists.main_artists import MainArtists
from audiosearch.search.path_suffixes import PathSuffixes

# Patterns of ignore files


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
        assert discover(tmp_path).paths == [str(name)]


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
        discover(tmp_path)
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
