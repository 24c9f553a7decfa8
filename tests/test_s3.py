"""Audio in a bucket of a real S3 server: adding, changes, failures, and what other commands do."""

import json
import os
import re
import shutil
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fsspec
import httpx
import numpy as np
import pytest
import soundfile
from networks import mean_bands, tflite
from s3_server import KEY, SECRET, S3Server, s3_server, use
from s3fs.core import S3File
from served import serving
from sounds import melody, tone, write
from waiting import wait_for

from audiosearch import AudioError, Index, add
from audiosearch.audio.fetch import fetched
from audiosearch.audio.url_listing import list_url
from audiosearch.ingest.add import Status
from audiosearch.ingest.reembed import Reembedding
from audiosearch.models.registry import ModelRequest

COMPACT = ("--model", "compact")


@pytest.fixture(scope="module")
def running():
    """A server for the module."""
    with s3_server() as server:
        yield server


@pytest.fixture
def s3(running, monkeypatch):
    """The server, with a new bucket, and the environment of a user."""
    use(running, monkeypatch)
    running.door(refusals=0, vanishing=[], silent=[], latency=0, needs_payer=False)
    running.use_new_bucket()
    running.door(requests=[], n_bytes=0)
    return running


@pytest.fixture
def bucket(s3, music):
    """The server, with the sounds of `music` in its bucket."""
    s3.put_folder(music, "music")
    s3.door(requests=[], n_bytes=0)
    return s3


@pytest.fixture
def content(tmp_path):
    """The bytes of a sound."""
    return write(tmp_path / "sound.wav", tone(440)).read_bytes()


def add_urls(*urls, directory="index", **options):
    """Add URLs, and return the status of each."""
    results = add(directory, urls, model="compact", **options)
    return {result.path: result.status for result in results}


def vectors(directory):
    """Return the vectors of an index by file name."""
    with Index(directory) as index, index.storage.all_with_vectors() as (_, rows):
        return {os.path.basename(track.path): vector for track, vector in rows}


def test_a_bucket_has_the_same_vectors_as_local_files(bucket, music, run):
    assert "5 added, 0 unchanged, 0 failed" in run("add", bucket.music, *COMPACT).stderr
    add("plain", music, model="compact")
    actual, expected = vectors("index"), vectors("plain")
    assert actual.keys() == expected.keys()
    for name, vector in actual.items():
        np.testing.assert_allclose(vector, expected[name], atol=1e-6)


def test_nothing_is_fetched_while_nothing_changes(bucket, run):
    run("add", bucket.music, *COMPACT)
    bucket.door(requests=[], n_bytes=0)
    assert "0 added, 5 unchanged, 0 failed" in run("add", bucket.music).stderr
    assert "/music/" not in "".join(bucket.door()["requests"])


def test_a_changed_object_is_embedded_again(bucket, content):
    add_urls(bucket.music)
    bucket.put("music/low.wav", content)
    statuses = add_urls(bucket.music)
    assert statuses.pop(f"{bucket.music}/low.wav") is Status.ADDED
    assert set(statuses.values()) == {Status.UNCHANGED}


def test_a_plan_reads_no_object(bucket, run):
    planned = run("add", bucket.music, "--dry-run")
    assert planned.stdout.count(f"new\t{bucket.music}/") == 5
    assert f"GET /{bucket.bucket}/music" not in "".join(bucket.door()["requests"])


@pytest.mark.parametrize(
    "name",
    [
        *(
            "with space.wav",
            "100%.wav",
            "%2e%2e.wav",
            "a#b.wav",
            "what?.wav",
            "ünï 音.wav",
            "+&=.wav",
        ),
        *("x::file:///etc/passwd.wav", "two//slashes.wav", "-n.wav", "\x1b[31m.wav"),
    ],
)
def test_a_key_may_have_any_name(s3, content, name):
    s3.put(f"music/{name}", content)
    assert add_urls(s3.music) == {f"{s3.music}/{name}": Status.ADDED}
    assert add_urls(s3.music) == {f"{s3.music}/{name}": Status.UNCHANGED}
    assert add_urls(f"{s3.music}/{name}") == {f"{s3.music}/{name}": Status.UNCHANGED}


def test_a_version_of_an_object_is_not_taken_for_the_current_one(s3, content):
    for name in ("a.wav", "b?versionId=7.wav"):
        s3.put(f"music/{name}", content)
    with pytest.raises(AudioError, match=r"\?versionId= names a version of a file"):
        list_url(f"{s3.music}/a.wav?versionId=7")
    listing = list_url(s3.music)
    assert list(listing.files) == [f"{s3.music}/a.wav"]
    (error,) = listing.errors.values()
    assert error.reason == "its name contains ?versionId="


def test_keys_in_hidden_folders_are_left_out(s3, content):
    for name in ("a.wav", ".trash/b.wav", "up/../c.wav", "d.txt"):
        s3.put(f"music/{name}", content)
    assert list(add_urls(s3.music)) == [f"{s3.music}/a.wav"]


@pytest.mark.parametrize("n_files", [300, pytest.param(5_000, marks=pytest.mark.long)])
def test_a_large_bucket_is_listed_in_pages(s3, content, n_files):
    def put(i):
        s3.put(f"music/{i % 7}/{i}.wav", content[:-4] + i.to_bytes(4, "little"))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(put, range(n_files)))
    s3.door(requests=[])
    assert len(list_url(s3.music).files) == n_files
    pages = [one for one in s3.door()["requests"] if "prefix=music" in one]
    assert len(pages) <= 3 + n_files // 1_000
    statuses = add_urls(s3.music)
    assert (len(statuses), set(statuses.values())) == (n_files, {Status.ADDED})


def test_a_small_object_takes_one_request(bucket):
    add_urls(bucket.music)
    requests = [one for one in bucket.door()["requests"] if "/music/" in one]
    keys = ["deep/hiss2.wav", "high.wav", "hiss.flac", "low.wav", "tune.ogg"]
    assert sorted(requests) == [f"GET /{bucket.bucket}/music/{key}" for key in keys]


def test_the_next_objects_are_fetched_while_a_server_takes_its_time(bucket):
    bucket.door(latency=0.3, most_open=0)
    add_urls(bucket.music, n_jobs=1)
    assert bucket.door()["most_open"] == 4


def test_an_object_that_is_replaced_after_it_was_listed_is_read_as_a_whole(s3, content):
    s3.put("music/a.wav", content)
    with fetched(f"{s3.music}/a.wav", size=len(content) - 100) as copy:
        assert Path(copy.path).read_bytes() == content


def test_an_object_that_has_grown_since_it_was_listed_is_read_in_parts(s3, content, monkeypatch):
    s3.put("music/a.wav", content)
    monkeypatch.setattr("audiosearch.audio.fetch.PART_BYTES", part := len(content) // 4)
    s3.door(requests=[])
    with fetched(f"{s3.music}/a.wav", size=part) as copy:
        assert Path(copy.path).read_bytes() == content
    gets = [one for one in s3.door()["requests"] if one.startswith("GET") and "/music/" in one]
    assert len(gets) > len(content) // part


def test_a_key_that_is_deleted_midway_fails_alone(bucket):
    bucket.door(vanishing=["low.wav"])
    statuses = add_urls(bucket.music)
    assert statuses.pop(f"{bucket.music}/low.wav") is Status.FAILED
    assert set(statuses.values()) == {Status.ADDED}
    assert set(add_urls(bucket.music).values()) == {Status.UNCHANGED}


def test_an_object_that_is_replaced_while_it_is_read_fails(s3, content, monkeypatch):
    s3.put("music/long.wav", content * 100)
    monkeypatch.setattr("audiosearch.audio.fetch.PART_BYTES", 1 << 20)
    first = s3.door()["n_bytes"]

    def replace():
        if s3.door()["n_bytes"] > first:
            s3.put("music/long.wav", content * 101)
        return False

    with (
        pytest.raises(AudioError, match="it was replaced while it was read"),
        fetched(f"{s3.music}/long.wav", is_stopped=replace),
    ):
        pass


def test_a_busy_server_is_asked_again(bucket):
    bucket.door(refusals=2)
    assert set(add_urls(bucket.music).values()) == {Status.ADDED}


def test_a_server_that_stays_busy_is_given_up(bucket, monkeypatch, run):
    use(bucket, monkeypatch, AWS_MAX_ATTEMPTS="1")
    bucket.door(refusals=1_000)
    completed = run("add", bucket.music, *COMPACT)
    assert completed.exit_code == 1
    assert completed.stderr.splitlines() == [
        f"error: {bucket.music}: its server is too busy",
        "hint: Run the same command again later, with fewer files at a time: -j 1.",
    ]
    assert len(bucket.door()["requests"]) < 50


def test_ctrl_c_does_not_wait_for_a_server_that_is_silent(bucket, start):
    bucket.door(silent=["low.wav"])
    process = start(sys.executable, "-m", "audiosearch", "add", bucket.music, *COMPACT, "-j", 2)
    wait_for(lambda: any("low.wav" in one for one in bucket.door()["requests"]))
    process.send_signal(signal.SIGINT)
    assert process.wait(50) == 130  # s3fs would ask for more than a minute
    assert "Interrupted" in process.stderr.read()


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        pytest.param(
            {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""},
            "there are no credentials for it",
            id="none",
        ),
        pytest.param({"AWS_ACCESS_KEY_ID": "other"}, "access is denied", id="wrong"),
        pytest.param({"AWS_PROFILE": "none"}, "there are no credentials for it", id="profile"),
    ],
)
def test_missing_and_wrong_credentials_are_one_sentence(
    bucket, monkeypatch, run, variables, reason
):
    use(bucket, monkeypatch, **variables)
    completed = run("add", bucket.music, *COMPACT)
    assert completed.exit_code == 1
    error, hint = completed.stderr.splitlines()
    assert error == f"error: {bucket.music}: {reason}"
    assert hint.startswith("hint: Set up credentials as for the AWS command line")
    assert not os.path.exists("index")


def test_buckets_whose_readers_pay_are_read_by_those_who_agree(bucket, monkeypatch):
    bucket.door(needs_payer=True)
    with pytest.raises(AudioError, match="access is denied"):
        add_urls(bucket.music)
    monkeypatch.setitem(fsspec.config.conf, "s3", {"requester_pays": True})
    assert set(add_urls(bucket.music).values()) == {Status.ADDED}


def test_the_index_and_messages_hold_no_credentials(bucket, run):
    outputs = [run("add", bucket.music, *COMPACT).stderr, run("list", "--format", "json").stdout]
    bucket.door(vanishing=["low.wav"])
    outputs.append(run("add", bucket.music, "--force").stderr)
    stored = Path(shutil.make_archive("all", "tar", "index")).read_bytes()
    for secret in (KEY, SECRET):
        assert secret not in "".join(outputs)
        assert secret.encode() not in stored


def test_missing_buckets_keys_and_servers_are_one_sentence(s3, monkeypatch, run):
    for url in (f"{s3.music}/none.wav", s3.music, "s3://other/a.wav"):
        assert run("add", url, *COMPACT).stderr.startswith(f"error: {url}: there is no such file")
    use(s3, monkeypatch, AWS_ENDPOINT_URL="http://127.0.0.1:1", AWS_MAX_ATTEMPTS="1")
    assert f"error: {s3.music}: it can't be reached" in run("add", s3.music).stderr


@pytest.mark.parametrize(
    ("variables", "reason", "setting"),
    [
        pytest.param(
            {"AWS_ENDPOINT_URL": "nonsense"},
            "the address that is set for its server is not a URL",
            "AWS_ENDPOINT_URL",
            id="endpoint",
        ),
        pytest.param(
            {"AWS_DEFAULT_REGION": "no region"},
            "the region that is set for it is wrong",
            "AWS_DEFAULT_REGION",
            id="region",
        ),
        pytest.param(
            {"AWS_MAX_ATTEMPTS": "many"}, "the settings for it are invalid", "AWS_", id="number"
        ),
        pytest.param(
            {"AWS_RETRY_MODE": "often"}, "the settings for it are invalid", "AWS_", id="name"
        ),
        *(
            pytest.param({"HTTP_PROXY": proxy}, "its proxy can't be used", "HTTP_PROXY", id=proxy)
            for proxy in ("http://127.0.0.1:1", "nonsense:port")
        ),
    ],
)
def test_wrong_settings_are_one_sentence_and_named(
    bucket, monkeypatch, run, variables, reason, setting
):
    use(bucket, monkeypatch, **variables)
    completed = run("add", bucket.music, *COMPACT)
    assert completed.exit_code == 1
    error, hint = completed.stderr.splitlines()
    assert error == f"error: {bucket.music}: {reason}"
    assert setting in hint


def test_duplicates_of_objects_are_found_by_their_sound(bucket, music, run):
    samples, rate = soundfile.read(music / "tune.ogg", dtype="float32")
    copy = write(music / "copy.flac", samples, rate)
    bucket.put("other/copy.flac", copy.read_bytes())
    run("add", bucket.music, f"s3://{bucket.bucket}/other", *COMPACT)
    found = run("duplicates", "--format", "paths").stdout.splitlines()
    assert sorted(found) == [f"{bucket.music}/tune.ogg", f"s3://{bucket.bucket}/other/copy.flac"]


def test_a_stretch_of_an_object_is_cut(bucket, run):
    run("add", bucket.music, *COMPACT)
    path = run("cut", f"{bucket.music}/low.wav@1-2", "-o", "cuts").stdout.rstrip()
    assert soundfile.info(path).duration == 1.0


def test_the_server_says_how_to_fetch_a_track_that_it_does_not_play(bucket, tmp_path, run):
    run("add", f"{bucket.music}/low.wav", *COMPACT)
    with serving(tmp_path, {}, index="index") as served:
        response = httpx.get(f"{served.url}/api/tracks/1/audio")
    assert response.status_code == 404
    problem = response.json()
    assert problem["error"] == (
        "Track #1 is stored under a URL, and the server opens only files of its own machine."
    )
    command = re.search("`audiosearch (.+)`", problem["hint"])[1]
    (copy,) = run(*command.split()).stdout.splitlines()
    with Index("index") as index:
        (track,) = index
    assert soundfile.info(copy).duration == pytest.approx(track.seconds, abs=0.1)


def test_objects_are_embedded_with_another_model(bucket, tmp_path):
    add_urls(bucket.music)
    add_urls(bucket.music)
    network = tflite(tmp_path / "custom.tflite", mean_bands)
    with Reembedding("index", ModelRequest(str(network))) as reembedding:
        assert [error for _, error in reembedding] == [None] * 5
        assert reembedding.commit() == []


def test_what_commands_do_not_do_with_objects_is_one_sentence(bucket, run):
    run("add", bucket.music, *COMPACT)
    bucket.delete("music/low.wav")
    assert run("prune", "--yes").stderr == "0 removed from the index; 5 URLs not checked\n"
    assert "5 tracks at URLs skipped." in run("refresh").stderr
    assert "only folders on this machine can be watched" in run("watch", bucket.music).stderr
    other = f"{bucket.music}/other.wav"
    assert "queries don't download URLs" in run("query", other).stderr
    assert f"{other}: it is a URL, and only" in run("embed", other, *COMPACT).stderr


def test_moments_of_objects_are_found_by_their_embeddings_alone(bucket, music, run):
    run("add", bucket.music, *COMPACT, "--moments")
    found = run("query", music / "hiss.flac", "--moments")
    assert "it is at a URL" in " ".join(found.stderr.split())
    assert f"{bucket.music}/hiss.flac" in found.stdout.splitlines()[0]


def test_playlists_of_objects_hold_their_urls(bucket, run):
    run("add", bucket.music, *COMPACT)
    run("playlist", f"{bucket.music}/low.wav", "-n", 3, "-o", "list.m3u8")
    lines = Path("list.m3u8").read_text(encoding="utf-8").splitlines()
    entries = [line for line in lines if line[0] != "#"]
    assert len(entries) == 3
    assert all(entry.startswith(f"{bucket.music}/") for entry in entries)
    assert run("query", "list.m3u8").exit_code == 0


@pytest.fixture(scope="module")
def long_sounds(tmp_path_factory):
    """A folder with 5 minutes of sound in two formats."""
    folder = tmp_path_factory.mktemp("long")
    samples = melody(300.0, 44_100)
    for suffix in ("wav", "flac"):
        write(folder / f"long.{suffix}", samples, 44_100)
    return folder


@pytest.fixture
def long(s3, long_sounds):
    """The folder `long_sounds`, which is in the bucket too."""
    s3.put_folder(long_sounds, "music")
    return long_sounds


@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_an_excerpt_fetches_only_the_parts_that_it_needs(s3, long, suffix):
    path = long / f"long.{suffix}"
    s3.door(n_bytes=0)
    statuses = add_urls(f"{s3.music}/{path.name}", excerpt_seconds=5.0)
    assert set(statuses.values()) == {Status.ADDED}
    assert s3.door()["n_bytes"] < 0.2 * path.stat().st_size
    add("plain", path, model="compact", excerpt_seconds=5.0)
    np.testing.assert_array_equal(vectors("index")[path.name], vectors("plain")[path.name])
    assert set(add_urls(f"{s3.music}/{path.name}").values()) == {Status.UNCHANGED}


@pytest.mark.parametrize("suffix", ["wav", "flac"])
@pytest.mark.parametrize(
    ("part", "start", "max_share"),
    [
        pytest.param(["--from", "2:00", "--to", "2:10"], 120, 0.25, id="part"),
        pytest.param([], 120, 0.5, id="middle"),
    ],
)
def test_a_clip_fetches_only_its_part_of_an_object(s3, long, run, suffix, part, start, max_share):
    name = f"long.{suffix}"
    run("add", f"{s3.music}/{name}", *COMPACT, "--moments")
    s3.door(n_bytes=0)
    found = run("query", "#1", "--moments", "--include-self", "--format", "json", *part)
    assert json.loads(found.stdout)["hits"][0]["start"] == pytest.approx(start, abs=0.15)
    assert s3.door()["n_bytes"] < max_share * (long / name).stat().st_size


def test_excerpts_of_which_no_content_is_known_stay_apart(s3, long):
    for name in ("a.wav", "b.wav"):
        s3.put(f"other/{name}", (long / "long.wav").read_bytes())
    other = f"s3://{s3.bucket}/other"
    assert set(add_urls(other, excerpt_seconds=5.0).values()) == {Status.ADDED}
    s3.put("other/c.wav", (long / "long.wav").read_bytes())
    statuses = add_urls(other)
    assert statuses.pop(f"{other}/c.wav") is Status.ADDED
    assert set(statuses.values()) == {Status.UNCHANGED}
    with Index("index") as index:
        assert sorted(os.path.basename(track.path) for track in index) == [
            "a.wav",
            "b.wav",
            "c.wav",
        ]


@pytest.mark.parametrize(
    ("disturb", "reason"),
    [
        pytest.param(S3Server.delete, "there is no such file", id="deleted"),
        pytest.param(
            lambda s3, key: s3.put(key, b"another sound" * 200_000),
            "it was replaced while it was read",
            id="replaced",
        ),
    ],
)
def test_a_file_that_changes_between_two_of_its_parts_fails(s3, long, disturb, reason):
    def read():
        with fetched(f"{s3.music}/long.wav", in_parts=True) as copy:
            copy.fetch(0, 100)
            assert Path(copy.path).read_bytes()[:4] == b"RIFF"
            disturb(s3, "music/long.wav")
            copy.fetch(10_000_000, 10_000_100)

    with pytest.raises(AudioError, match=reason):
        read()


@pytest.mark.parametrize("excerpt_seconds", [None, 5.0])
def test_a_store_that_does_not_compare_parts_is_asked_at_the_end(
    s3, long, monkeypatch, excerpt_seconds
):
    monkeypatch.setattr(S3File, "read_kw", property(lambda _: {}, lambda *_: None), raising=False)
    original = S3File._fetch_range

    def replacing(file, start, end):
        s3.put("music/long.wav", b"another sound" * 3_000_000)
        return original(file, start, end)

    monkeypatch.setattr(S3File, "_fetch_range", replacing)
    (result,) = add(
        "index", f"{s3.music}/long.wav", model="compact", excerpt_seconds=excerpt_seconds
    )
    assert result.message == "it was replaced while it was read"


def test_each_part_is_fetched_once_and_lies_within_the_file(s3, long):
    content = (long / "long.wav").read_bytes()
    with fetched(f"{s3.music}/long.wav", in_parts=True) as copy:
        s3.door(requests=[])
        for start, stop in [(5_000_000, 5_300_000), (5_000_000, 5_000_001), (5_100_000, 5_290_000)]:
            copy.fetch(start, stop)
        assert len(s3.door()["requests"]) == 1
        assert Path(copy.path).read_bytes()[5_000_000:5_300_000] == content[5_000_000:5_300_000]
        copy.fetch(len(content) - 1, len(content))
        for start, stop in [(-1, 5), (7, 7), (0, len(content) + 1)]:
            with pytest.raises(AudioError, match="its decoder reads beyond its end"):
                copy.fetch(start, stop)
