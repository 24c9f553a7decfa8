"""Audio behind URLs: listing, fetching, adding, and errors."""

import asyncio
import errno
import os
import shutil
import sys
import tempfile
from pathlib import Path

import fsspec
import numpy as np
import pytest
from overhttp import PASSWORD, USER, answering, list_files, listing_error, over_http, send
from sounds import melody, noise, tone, write

from audiosearch import AudioError, Index, LibraryError, TrackNotFound, add, similar
from audiosearch.audio import fetch
from audiosearch.audio.discovery import is_missing
from audiosearch.audio.fetch import fetched
from audiosearch.audio.input_files import InputFiles
from audiosearch.audio.url_listing import list_url
from audiosearch.audio.urls import check_no_secret, translate_errors
from audiosearch.errors import Unreachable, UsageError
from audiosearch.ingest.add import Status
from audiosearch.ingest.reembed import Reembedding
from audiosearch.maintenance import files
from audiosearch.maintenance.doctor import State, examine
from audiosearch.models.registry import ModelRequest
from audiosearch.paths import is_url
from audiosearch.playlist_files import Entry, PlaylistFormat, playlist_text, read_playlist
from audiosearch.web.services.playback import Playback


@pytest.fixture
def memory():
    """Yield a filesystem in memory; it is emptied afterwards."""
    filesystem = fsspec.filesystem("memory")
    yield filesystem
    filesystem.store.clear()
    filesystem.pseudo_dirs[:] = [""]


@pytest.fixture
def bucket(memory, music):
    """The folder `music` in memory, with hidden and other files added."""
    memory.put(str(music), "/bucket", recursive=True)
    for name in ("note.txt", ".hidden.wav", ".trash/gone.wav", "deep/cover.jpg"):
        memory.pipe_file(f"/bucket/{name}", b"no sound")
    return memory


@pytest.fixture
def web(music):
    """URL of the folder `music` over HTTP."""
    with over_http(music) as url:
        yield url


def add_urls(*paths, directory="index"):
    """Add URLs and files, and return the results by path."""
    return {result.path: result for result in add(directory, paths, model="compact")}


def vectors(directory="index"):
    """Return the vectors of an index by file name."""
    with Index(directory) as index, index.storage.all_with_vectors() as (_, rows):
        return {os.path.basename(track.path): vector for track, vector in rows}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("s3://bucket/a.mp3", True),
        ("memory://a", True),
        ("HTTPS://host/a", True),
        ("/music/a.mp3", False),
        ("music://", False),
        ("c:\\music\\a.mp3", False),
        ("//server/share", False),
        ("./http://a", False),
    ],
)
def test_is_url(path, expected):
    assert is_url(path) is expected


def test_a_folder_behind_a_url_is_searched_like_a_local_one(bucket):
    names = ["deep/hiss2.wav", "high.wav", "hiss.flac", "low.wav", "tune.ogg"]
    assert list(list_files("memory://bucket")) == [f"memory://bucket/{name}" for name in names]
    assert list(list_files("memory://bucket/")) == list(list_files("memory://bucket"))
    assert [*list_files("memory://bucket/deep")] == ["memory://bucket/deep/hiss2.wav"]


def test_patterns_and_suffixes_limit_the_files_of_a_url(bucket):
    files = list_files("memory://bucket", exclude=["deep/", "h*.wav"], suffixes={".wav", ".ogg"})
    assert list(files) == ["memory://bucket/low.wav", "memory://bucket/tune.ogg"]


def test_size_and_time_of_a_url_change_with_its_file(bucket, music):
    size, time = list_files("memory://bucket/low.wav")["memory://bucket/low.wav"]
    assert size == (music / "low.wav").stat().st_size
    assert 0 < time < 2**63
    assert list_files("memory://bucket")["memory://bucket/low.wav"] == (size, time)
    bucket.put(str(music / "low.wav"), "/bucket/low.wav")
    assert list_files("memory://bucket/low.wav")["memory://bucket/low.wav"] != (size, time)


def test_a_fetched_copy_is_removed_after_the_block(bucket, music):
    with fetched("memory://bucket/deep/hiss2.wav") as copy:
        assert Path(copy.path).read_bytes() == (music / "deep" / "hiss2.wav").read_bytes()
    assert not os.path.lexists(copy.path)


@pytest.mark.posix
def test_a_copy_has_no_name_on_disk_where_files_are_read_by_descriptor(bucket, monkeypatch):
    folder = Path(tempfile.mkdtemp(dir="."))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    with fetched("memory://bucket/low.wav") as copy:
        assert list(folder.iterdir()) == []
        with pytest.raises(OSError, match="Bad file descriptor"):  # a decoder gets it too
            os.write(copy.descriptor, b"x")
    monkeypatch.setattr("audiosearch.system.HAS_DESCRIPTOR_PATHS", False)
    with fetched("memory://bucket/low.wav") as copy:
        assert (copy.descriptor, Path(copy.path).parents[1]) == (None, folder)
    assert list(folder.iterdir()) == []


def test_urls_have_the_same_vectors_as_local_files(bucket, music):
    statuses = {result.status for result in add_urls("memory://bucket").values()}
    assert statuses == {Status.ADDED}
    add("plain", music, model="compact")
    actual, expected = vectors(), vectors("plain")
    assert actual.keys() == expected.keys()
    for name, vector in actual.items():
        np.testing.assert_allclose(vector, expected[name], atol=1e-6)


def test_unchanged_urls_are_not_fetched_again(bucket, music, monkeypatch):
    add_urls("memory://bucket")
    monkeypatch.setattr(type(bucket), "cat_file", None)
    assert {result.status for result in add_urls("memory://bucket").values()} == {Status.UNCHANGED}


def test_a_changed_url_is_embedded_again(bucket, tmp_path):
    add_urls("memory://bucket")
    bucket.put(str(write(tmp_path / "other.wav", melody(seed=5))), "/bucket/low.wav")
    results = add_urls("memory://bucket")
    changed = [url for url, result in results.items() if result.status is Status.ADDED]
    assert changed == ["memory://bucket/low.wav"]


def test_a_failed_url_is_reported_and_not_tried_again(bucket):
    bucket.pipe_file("/bucket/bad.mp3", b"no sound")
    result = add_urls("memory://bucket")["memory://bucket/bad.mp3"]
    assert (result.status, result.message) == (
        Status.FAILED,
        "it contains no audio that can be decoded",
    )
    again = add_urls("memory://bucket")["memory://bucket/bad.mp3"]
    assert "tried again once they change" in again.hint


def test_a_url_that_cannot_be_fetched_is_tried_again(bucket, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr(type(bucket), "cat_file", lambda *_, **__: 1 / 0)
        result = add_urls("memory://bucket/low.wav")["memory://bucket/low.wav"]
    assert result.message == "it can't be reached (ZeroDivisionError)"
    assert add_urls("memory://bucket/low.wav")["memory://bucket/low.wav"].status is Status.ADDED


def test_files_and_urls_can_be_added_together(bucket, tmp_path):
    local = write(tmp_path / "local.wav", noise(seed=9))
    results = add_urls(local, "memory://bucket/low.wav")
    assert results.keys() == {str(local), "memory://bucket/low.wav"}
    assert {result.status for result in results.values()} == {Status.ADDED}


def test_maintenance_leaves_urls_alone(bucket):
    add_urls("memory://bucket")
    assert not is_missing("memory://bucket/low.wav")
    with Index("index") as index:
        assert files.missing_files(index) == files.MissingFiles([], [])
        assert list(files.refresh(index)) == []
        n_urls = index.n_tracks
    findings = examine("index")
    assert {finding.state for finding in findings} == {State.OK}
    assert f"none missing; {n_urls} URLs not checked" in [finding.detail for finding in findings]


def test_relocate_changes_the_start_of_urls(bucket, run):
    n_urls = len(add_urls("memory://bucket"))
    relocated = run("relocate", "memory://bucket", "https://host/music/")
    assert relocated.stderr == f"{n_urls} relocated\n"
    with Index("index") as index:
        assert index.resolve("https://host/music/low.wav") is not None


def test_queries_and_playback_of_urls_that_are_not_tracks_are_errors(bucket):
    add_urls("memory://bucket")
    with Index("index") as index:
        track = index.resolve("memory://bucket/low.wav")
        assert similar(index, track.path, k=1).hits
        with pytest.raises(TrackNotFound, match="don't download URLs"):
            similar(index, "https://host/other.wav")
    with pytest.raises(TrackNotFound, match="under a URL"):
        asyncio.run(Playback().playable(track))


def test_prune_refuses_if_all_local_files_are_missing_even_with_urls(bucket, tmp_path):
    folder = tmp_path / "disk" / "local"
    folder.mkdir(parents=True)
    add_urls(write(folder / "local.wav", noise(seed=9)), "memory://bucket/low.wav")
    shutil.rmtree(tmp_path / "disk")
    with Index("index") as index, pytest.raises(LibraryError, match="may not be mounted"):
        files.prune(index, files.missing_files(index))


@pytest.mark.parametrize("kind", PlaylistFormat)
@pytest.mark.parametrize("url", ["https://host:80/a%20b.mp3?x=1&y=2", "s3://bucket/ä #1.mp3"])
def test_playlist_files_keep_urls_unchanged(tmp_path, kind, url):
    playlist = tmp_path / f"list.{kind.value}"
    playlist.write_bytes(playlist_text([Entry(url)], "list", kind))
    assert [entry.path for entry in read_playlist(str(playlist))] == [url]


def test_reembed_reads_urls(bucket, tmp_path):
    from networks import mean_bands, tflite

    add_urls("memory://bucket")
    network = tflite(tmp_path / "custom.tflite", mean_bands)
    with Reembedding("index", ModelRequest(str(network))) as reembedding:
        assert [error for _, error in reembedding] == [None] * 5
        assert reembedding.commit() == []


def test_files_over_http_are_added_with_size_and_time(web, music, run):
    results = add_urls(f"{web}/low.wav", f"{web}/deep/hiss2.wav?version=2")
    assert {result.status for result in results.values()} == {Status.ADDED}
    with Index("index") as index:
        track = index.storage.track_at(f"{web}/low.wav")
    stat = (music / "low.wav").stat()
    assert track.size == stat.st_size
    assert track.mtime_ns == int(stat.st_mtime) * 10**9
    again = add_urls(f"{web}/low.wav")
    assert {result.status for result in again.values()} == {Status.UNCHANGED}


def test_a_missing_temporary_folder_is_an_error_with_a_hint(bucket, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    with pytest.raises(
        Unreachable, match=r"has no room for it \(No such file or directory"
    ) as caught:
        fetched("memory://bucket/low.wav").__enter__()
    assert "TMPDIR" in caught.value.hint


def test_a_copy_leaves_some_of_the_disk_free(bucket, monkeypatch):
    monkeypatch.setattr(fetch, "RESERVED_BYTES", shutil.disk_usage(tempfile.gettempdir()).total)
    result = add_urls("memory://bucket/low.wav")["memory://bucket/low.wav"]
    assert f"has no room for it ({tempfile.gettempdir()} is full)" in result.message


def test_each_failure_of_a_url_has_a_reason_and_a_hint(web, memory):
    assert listing_error(f"{web}/none.wav") == ("there is no such file", "Check the URL.")
    assert listing_error("memory://none") == ("there is no such file", "Check the URL.")
    assert listing_error(f"{web}/forbidden.wav")[0] == "access is denied"
    assert listing_error(f"{web}/broken.wav")[0] == "its server answers with status 500"
    reason, hint = listing_error("http://127.0.0.1:1/a.wav")
    assert reason.startswith("it can't be reached (")
    assert hint.startswith("Check the URL")
    assert listing_error("nonsense://a.wav")[0] == "URLs with this scheme are not supported"
    memory.mkdir("/empty")
    assert listing_error("memory://empty")[0] == "it contains no audio files"
    assert listing_error(f"{web}/none/") == ("there is no such folder", "Check the URL.")
    assert listing_error(f"{web}/broken/")[0] == "its server answers with status 500"


@pytest.mark.parametrize(
    ("proxy", "expected"),
    [
        pytest.param("http://", "its proxy can't be used", id="no host"),
        pytest.param("http://127.0.0.1:1", "its proxy can't be used", id="away"),
        pytest.param("http://[x", "its URL, or that of its proxy, is malformed", id="no URL"),
    ],
)
def test_a_wrong_proxy_is_named(web, monkeypatch, proxy, expected):
    monkeypatch.setenv("http_proxy", proxy)
    reason, hint = listing_error(f"{web}/low.wav")
    assert reason == expected
    assert "HTTP_PROXY" in hint


def test_a_bucket_of_another_region_is_told_from_one_that_is_away():
    with (
        pytest.raises(Unreachable, match="the region that is set for it is wrong") as caught,
        translate_errors("s3://bucket/a.wav"),
    ):
        raise OSError(errno.EIO, "Moved Permanently")
    assert "AWS_DEFAULT_REGION" in caught.value.hint


@pytest.mark.parametrize(("scheme", "package"), [("abfs", "adlfs"), ("gs", "gcsfs")])
def test_a_missing_driver_is_named(monkeypatch, scheme, package):
    monkeypatch.setitem(sys.modules, package, None)
    reason, hint = listing_error(f"{scheme}://bucket/a.wav")
    assert reason == f"reading {scheme}:// needs the package {package}, which is not installed"
    assert hint == f"pip install {package} (with --ray, on every node)"


def test_without_fsspec_the_hint_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(Exception, match="Reading memory:// needs the package fsspec") as caught:
        list_url("memory://a.wav")
    assert "[urls]'" in caught.value.hint


def test_a_missing_url_fails_alone(web):
    missing, present = f"{web}/none.wav", f"{web}/low.wav"
    for _ in range(2):
        results = add_urls(missing, present, directory=tempfile.mkdtemp(dir="."))
        assert results[missing].message == "there is no such file"
        assert results[present].status is Status.ADDED


def test_a_single_missing_url_is_an_error(web):
    with pytest.raises(AudioError, match=r"none\.wav: there is no such file"):
        InputFiles([f"{web}/none.wav"])


def test_errors_do_not_show_the_query_of_a_url(web):
    url = f"{web}/broken.wav?v=hidden"
    reason, hint = listing_error(url)
    assert "hidden" not in f"{reason} {hint}"


@pytest.mark.parametrize("name", ["X-Amz-Signature", "token", "sig", "AWSAccessKeyId", "api_key"])
def test_a_url_with_a_secret_in_its_query_is_rejected(name):
    with pytest.raises(UsageError, match=r"The query of https://host/a\.wav contains") as caught:
        InputFiles([f"https://host/a.wav?v=1&{name}=fe5f"])
    assert "fe5f" not in f"{caught.value}{caught.value.hint}"


@pytest.mark.parametrize(
    "url",
    [
        "https://user:secret@host/folder/",
        "HTTP://secret@host:80/a.wav",
        "https://user:secret@[::1/a.wav",
        "ftp://user:secret@host?a/b",
        "https://user:@secret@host",
    ],
)
def test_a_url_with_a_password_is_rejected(url):
    with pytest.raises(UsageError, match=r"A URL of .* contains a user name or password") as caught:
        InputFiles([url])
    assert "secret" not in f"{caught.value}{caught.value.hint}"
    assert "~/.netrc" in caught.value.hint


@pytest.mark.parametrize(
    "url", ["sftp://user@host/a", "abfs://box@account/a", "s3://b/a@b:c", "https://host/a:b@c"]
)
def test_an_at_sign_without_a_password_is_allowed(url):
    check_no_secret(url)


def test_passwords_for_http_are_read_from_netrc(music, tmp_path, monkeypatch):
    (music / "private").mkdir()
    shutil.move(music / "low.wav", music / "private")
    (tmp_path / "netrc").write_text(f"machine 127.0.0.1 login {USER} password {PASSWORD}\n")
    with over_http(music) as url:
        assert listing_error(f"{url}/private/")[0] == "access is denied"
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        (result,) = add_urls(f"{url}/private/").values()
    assert (result.path, result.status) == (f"{url}/private/low.wav", Status.ADDED)


def test_the_command_adds_files_and_urls_together(web, run, tmp_path):
    local = write(tmp_path / "a.wav", tone(440))
    arguments = ("add", local, f"{web}/", f"{web}/none.wav", "--model", "compact")
    assert "6 added, 0 unchanged, 1 failed" in run(*arguments).stderr
    assert "0 added, 6 unchanged, 1 failed" in run(*arguments).stderr
    assert run("query", f"{web}/low.wav", "-k", 1).exit_code == 0


def test_links_with_secrets_are_not_listed(music):
    page = b'<a href="get?token=fe5f&f=low.wav">it</a> <a href="get?f=low.wav">it</a>'

    def answer(handler):
        if handler.path == "/":
            send(handler, page, Content_Type="text/html")
        else:
            send(handler, (music / "low.wav").read_bytes())

    with answering(answer) as (url, _):
        assert list(list_files(f"{url}/")) == [f"{url}/get?f=low.wav"]


def test_a_name_with_a_line_break_fails_alone(bucket, music):
    bucket.pipe_file("/bucket/two\nlines.wav", (music / "low.wav").read_bytes())
    results = add_urls("memory://bucket")
    assert len(results) == 6
    assert results["memory://bucket/two\nlines.wav"].message == "its name contains a line break"


def test_the_url_of_a_local_file_is_an_error_with_a_hint(music):
    for url in (f"file://{music}", f"local://{music}/low.wav"):
        reason, hint = listing_error(url)
        assert reason == "it is the URL of a file on this machine"
        assert hint.startswith("Add it by its path")


def test_the_url_of_a_folder_needs_a_slash(web):
    (result,) = add_urls(f"{web}/deep").values()
    assert result.message == "it is a web page"
    assert result.hint == "For a folder, end its URL with a slash."
