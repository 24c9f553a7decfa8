"""Audio behind URLs: what is listed, what is fetched, and what goes wrong."""

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
from overhttp import PASSWORD, USER, listed, over_http, sentence
from sounds import melody, noise, tone, write

from audiosearch import AudioError, Index, LibraryError, TrackNotFound, add, similar
from audiosearch.audio.discovery import is_gone
from audiosearch.audio.remote import InputFiles, fetched, listing, open_local
from audiosearch.audio.urls import check_no_password
from audiosearch.embedding.pipeline import Pipeline
from audiosearch.embedding.reader import Reader
from audiosearch.errors import Unreachable, UsageError
from audiosearch.ingest.add import Ingest, Status
from audiosearch.ingest.reembed import Reembedding
from audiosearch.maintenance import files
from audiosearch.maintenance.doctor import State, examine
from audiosearch.models.registry import ModelRequest
from audiosearch.paths import is_url
from audiosearch.playlist_files.formats import Entry, PlaylistFormat, playlist_text, read_playlist
from audiosearch.web.audio import Audio


@pytest.fixture
def memory():
    """A filesystem in memory, which is emptied afterwards."""
    found = fsspec.filesystem("memory")
    yield found
    found.store.clear()
    found.pseudo_dirs[:] = [""]


@pytest.fixture
def bucket(memory, music):
    """The sounds of `music`, in memory, with what is no music between them."""
    memory.put(str(music), "/bucket", recursive=True)
    for name in ("note.txt", ".hidden.wav", ".trash/gone.wav", "deep/cover.jpg"):
        memory.pipe_file(f"/bucket/{name}", b"no sound")
    return memory


@pytest.fixture
def web(music):
    """The sounds of `music`, over HTTP."""
    with over_http(music) as url:
        yield url


class InOneProcess(Reader):
    """Reads URLs as the cluster's workers do."""

    def __init__(self, sources):
        super().__init__()
        self._sources = sources
        self.size_and_time = sources.size_and_time
        self.size_and_time_when_failed = sources.size_and_time_when_failed

    def readings(self, paths, model, *, excerpt_seconds, known):
        def at_hand_here(path):
            return open_local(path, listed=self._sources.listed.get(path))

        return Pipeline(
            paths, model, excerpt_seconds=excerpt_seconds, known=known, open_local=at_hand_here
        )


def added(*paths, directory="index"):
    sources = InputFiles(paths)
    reader = InOneProcess(sources)
    ingest = Ingest(directory, sources.paths, request=ModelRequest("compact"), reader=reader)
    return {outcome.path: outcome for outcome in ingest}


def vectors(directory="index"):
    with Index(directory) as index, index.all_with_vectors() as (_, rows):
        return {os.path.basename(track.path): vector for track, vector in rows}


@pytest.mark.parametrize(
    ("path", "is_one"),
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
def test_what_is_a_url(path, is_one):
    assert is_url(path) is is_one


def test_a_folder_is_searched_as_a_local_one(bucket):
    names = ["deep/hiss2.wav", "high.wav", "hiss.flac", "low.wav", "tune.ogg"]
    assert list(listed("memory://bucket")) == [f"memory://bucket/{name}" for name in names]
    assert list(listed("memory://bucket/")) == list(listed("memory://bucket"))
    assert [*listed("memory://bucket/deep")] == ["memory://bucket/deep/hiss2.wav"]


def test_patterns_and_suffixes_leave_out(bucket):
    found = listed("memory://bucket", exclude=["deep/", "h*.wav"], suffixes={".wav", ".ogg"})
    assert list(found) == ["memory://bucket/low.wav", "memory://bucket/tune.ogg"]


def test_sizes_and_times_are_those_of_the_files(bucket, music):
    size, time = listed("memory://bucket/low.wav")["memory://bucket/low.wav"]
    assert size == (music / "low.wav").stat().st_size
    assert 0 < time < 2**63
    assert listed("memory://bucket")["memory://bucket/low.wav"] == (size, time)
    bucket.put(str(music / "low.wav"), "/bucket/low.wav")
    assert listed("memory://bucket/low.wav")["memory://bucket/low.wav"] != (size, time)


def test_a_file_is_fetched_for_a_while(bucket, music):
    with fetched("memory://bucket/deep/hiss2.wav") as path:
        assert Path(path).suffix == ".wav"
        assert Path(path).read_bytes() == (music / "deep" / "hiss2.wav").read_bytes()
    assert not os.path.lexists(os.path.dirname(path))


def test_urls_have_the_vectors_of_their_files(bucket, music):
    statuses = {outcome.status for outcome in added("memory://bucket").values()}
    assert statuses == {Status.ADDED}
    add("plain", music, model="compact")
    found, expected = vectors(), vectors("plain")
    assert found.keys() == expected.keys()
    for name, vector in found.items():
        np.testing.assert_allclose(vector, expected[name], atol=1e-6)


def test_urls_that_have_not_changed_are_not_fetched_again(bucket, music, monkeypatch):
    added("memory://bucket")
    monkeypatch.setattr(type(bucket), "get_file", None)
    assert {outcome.status for outcome in added("memory://bucket").values()} == {Status.UNCHANGED}


def test_a_url_that_changed_is_read_again(bucket, tmp_path):
    added("memory://bucket")
    bucket.put(str(write(tmp_path / "other.wav", melody(seed=5))), "/bucket/low.wav")
    outcomes = added("memory://bucket")
    changed = [url for url, outcome in outcomes.items() if outcome.status is Status.ADDED]
    assert changed == ["memory://bucket/low.wav"]


def test_what_fails_is_named_by_its_url(bucket):
    bucket.pipe_file("/bucket/bad.mp3", b"no sound")
    outcome = added("memory://bucket")["memory://bucket/bad.mp3"]
    assert (outcome.status, outcome.message) == (
        Status.FAILED,
        "it holds no sound that can be decoded",
    )
    again = added("memory://bucket")["memory://bucket/bad.mp3"]
    assert "tried again once they change" in again.hint


def test_what_cannot_be_fetched_now_is_tried_again(bucket, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr(type(bucket), "get_file", lambda *_, **__: 1 / 0)
        outcome = added("memory://bucket/low.wav")["memory://bucket/low.wav"]
    assert outcome.message == "it cannot be reached (ZeroDivisionError)"
    assert added("memory://bucket/low.wav")["memory://bucket/low.wav"].status is Status.ADDED


def test_files_and_urls_go_together(bucket, tmp_path):
    local = write(tmp_path / "local.wav", noise(seed=9))
    outcomes = added(local, "memory://bucket/low.wav")
    assert outcomes.keys() == {str(local), "memory://bucket/low.wav"}
    assert {outcome.status for outcome in outcomes.values()} == {Status.ADDED}


def test_upkeep_lets_urls_be(bucket):
    added("memory://bucket")
    assert not is_gone("memory://bucket/low.wav")
    with Index("index") as index:
        assert files.gone(index) == files.Gone([], [])
        assert list(files.refresh(index)) == []
        n_urls = index.n_tracks
    findings = examine("index")
    assert {finding.state for finding in findings} == {State.OK}
    assert f"all there; {n_urls} URLs unseen" in [finding.detail for finding in findings]


def test_urls_are_relocated_like_folders(bucket, run):
    n_urls = len(added("memory://bucket"))
    done = run("relocate", "memory://bucket", "https://host/music/")
    assert done.stderr == f"{n_urls} relocated\n"
    with Index("index") as index:
        assert index.resolve("https://host/music/low.wav") is not None


def test_what_hears_files_only_says_so_of_urls(bucket, tmp_path):
    added("memory://bucket")
    with Index("index") as index:
        track = index.resolve("memory://bucket/low.wav")
        assert similar(index, track.path, k=1).hits
        with pytest.raises(TrackNotFound, match="URLs are not heard"):
            similar(index, "https://host/other.wav")
    with pytest.raises(TrackNotFound, match="behind a URL"):
        asyncio.run(Audio(tmp_path).playable(track))


def test_all_local_files_gone_is_a_disk_not_mounted_whatever_urls_there_are(bucket, tmp_path):
    folder = tmp_path / "disk" / "local"
    folder.mkdir(parents=True)
    added(write(folder / "local.wav", noise(seed=9)), "memory://bucket/low.wav")
    shutil.rmtree(tmp_path / "disk")
    with Index("index") as index, pytest.raises(LibraryError, match="not mounted"):
        files.prune(index, files.gone(index))


@pytest.mark.parametrize("kind", PlaylistFormat)
@pytest.mark.parametrize("url", ["https://host:80/a%20b.mp3?x=1&y=2", "s3://bucket/ä #1.mp3"])
def test_playlists_name_urls_as_they_are(tmp_path, kind, url):
    playlist = tmp_path / f"list.{kind.value}"
    playlist.write_bytes(playlist_text([Entry(url)], "list", kind))
    assert [entry.path for entry in read_playlist(str(playlist))] == [url]


def test_reembed_reads_urls(bucket, tmp_path):
    from networks import mean_bands, tflite

    added("memory://bucket")
    network = tflite(tmp_path / "own.tflite", mean_bands)
    with Reembedding("index", ModelRequest(str(network))) as reembedding:
        assert [error for _, error in reembedding] == [None] * 5
        assert reembedding.succeed() == []


def test_files_over_http_are_read(web, music, run):
    outcomes = added(f"{web}/low.wav", f"{web}/deep/hiss2.wav?version=2")
    assert {outcome.status for outcome in outcomes.values()} == {Status.ADDED}
    with Index("index") as index:
        track = index.track_at(f"{web}/low.wav")
    stat = (music / "low.wav").stat()
    assert track.size == stat.st_size
    assert track.mtime_ns == int(stat.st_mtime) * 10**9
    again = added(f"{web}/low.wav")
    assert {outcome.status for outcome in again.values()} == {Status.UNCHANGED}


def test_without_room_for_it_a_file_is_tried_again(bucket, tmp_path):
    with pytest.raises(
        Unreachable, match=r"has no room for it \(No such file or directory"
    ) as caught:
        fetched("memory://bucket/low.wav", folder=str(tmp_path / "none")).__enter__()
    assert "TMPDIR" in caught.value.hint


@pytest.mark.parametrize("is_full", [True, False])
def test_a_folder_that_fills_up_or_goes_meanwhile_is_no_missing_file(bucket, monkeypatch, is_full):
    def get_file(self, name, path):
        if is_full:
            raise OSError(errno.ENOSPC, "No space left on device")
        shutil.rmtree(os.path.dirname(path))
        Path(path).touch()

    monkeypatch.setattr(type(bucket), "get_file", get_file)
    outcome = added("memory://bucket/low.wav")["memory://bucket/low.wav"]
    assert "has no room for it (No s" in outcome.message


def test_a_url_that_fails_says_why(web, memory):
    assert sentence(f"{web}/none.wav") == ("there is no such file", "Check the URL.")
    assert sentence("memory://none") == ("there is no such file", "Check the URL.")
    assert sentence(f"{web}/forbidden.wav")[0] == "you may not read it"
    assert sentence(f"{web}/broken.wav")[0] == "its server answers with 500"
    reason, hint = sentence("http://127.0.0.1:1/a.wav")
    assert reason.startswith("it cannot be reached (")
    assert hint.startswith("Check the URL")
    assert sentence("nonsense://a.wav")[0] == "nothing reads URLs of that kind"
    memory.mkdir("/empty")
    assert sentence("memory://empty")[0] == "no audio file is in there"
    assert sentence(f"{web}/none/") == ("there is no such folder", "Check the URL.")
    assert sentence(f"{web}/broken/")[0] == "its server answers with 500"


@pytest.mark.parametrize(("scheme", "package"), [("s3", "s3fs"), ("gs", "gcsfs")])
def test_a_driver_that_is_missing_is_named(monkeypatch, scheme, package):
    monkeypatch.setitem(sys.modules, package, None)
    reason, hint = sentence(f"{scheme}://bucket/a.wav")
    assert reason == f"what reads {scheme}:// is not installed"
    assert hint == f"pip install {package}, on every node."


def test_without_fsspec_it_says_what_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(Exception, match="needs the package fsspec") as caught:
        listing("memory://a.wav")
    assert "audiosearch[ray]" in caught.value.hint


def test_a_url_that_fails_among_others_is_one_failed_file(web):
    missing, there = f"{web}/none.wav", f"{web}/low.wav"
    for _ in range(2):
        outcomes = added(missing, there, directory=tempfile.mkdtemp(dir="."))
        assert outcomes[missing].message == "there is no such file"
        assert outcomes[there].status is Status.ADDED


def test_a_lone_url_that_is_not_there_ends_as_a_lone_file_does(web):
    with pytest.raises(AudioError, match=r"none\.wav: there is no such file"):
        InputFiles([f"{web}/none.wav"])


def test_no_password_is_said_that_was_not_given(web):
    url = f"{web}/broken.wav?token=secret"
    reason, hint = sentence(url)
    assert "secret" not in f"{reason} {hint}"


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
def test_a_url_with_a_password_is_refused(url):
    with pytest.raises(UsageError, match=r"A URL of .* holds a name or password") as caught:
        InputFiles([url])
    assert "secret" not in f"{caught.value}{caught.value.hint}"
    assert "~/.netrc" in caught.value.hint


@pytest.mark.parametrize(
    "url", ["sftp://user@host/a", "abfs://box@account/a", "s3://b/a@b:c", "https://host/a:b@c"]
)
def test_an_at_sign_alone_is_no_password(url):
    check_no_password(url)


def test_over_http_the_password_may_be_in_netrc(music, tmp_path, monkeypatch):
    (music / "private").mkdir()
    shutil.move(music / "low.wav", music / "private")
    (tmp_path / "netrc").write_text(f"machine 127.0.0.1 login {USER} password {PASSWORD}\n")
    with over_http(music) as url:
        assert sentence(f"{url}/private/")[0] == "you may not read it"
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        (outcome,) = added(f"{url}/private/").values()
    assert (outcome.path, outcome.status) == (f"{url}/private/low.wav", Status.ADDED)


def test_plain_add_says_who_reads_urls(run, tmp_path):
    local = write(tmp_path / "a.wav", tone(440))
    for paths in (["https://host/a.mp3"], [local, "s3://bucket/a.mp3"]):
        ended = run("add", *paths, "--model", "compact")
        assert ended.exit_code == 1
        assert f"{paths[-1]}: it is a URL" in ended.stderr
        assert "`audiosearch add --ray` reads URLs" in ended.stderr
