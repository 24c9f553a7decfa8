"""Servers whose listings and files are made to take time, memory or disk without end."""

import gzip
import shutil
import tempfile
import time

import pytest
from computing_time import taking_little_time
from overhttp import answering, send

from audiosearch import AudioError, http_client
from audiosearch.audio import fetch, http_files, web_listing
from audiosearch.audio.fetch import fetched
from audiosearch.audio.url_listing import list_url

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
    with fetched(url) as copy, open(copy.path, "rb") as file:
        return file.read()


def test_a_file_without_end_is_an_error(monkeypatch):
    monkeypatch.setattr(http_files, "MAX_FILE_BYTES", 3_000_000)

    def answer(handler):
        handler.send_response(200)
        handler.end_headers()
        while True:
            handler.wfile.write(bytes(1 << 16))

    with (
        answering(answer) as (url, _),
        pytest.raises(AudioError, match="larger than 3,000,000"),
        fetched(f"{url}/a.wav"),
    ):
        pass


def test_a_file_that_fills_the_disk_leaves_room(monkeypatch):
    free = shutil.disk_usage(tempfile.gettempdir()).free
    monkeypatch.setattr(fetch, "RESERVED_BYTES", free - 100_000_000)
    with (
        answering(lambda handler: send(handler, bytes(200_000_000))) as (url, _),
        pytest.raises(AudioError, match="has no room for it"),
        fetched(f"{url}/a.wav"),
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
