"""`query` at the command line: standard input, words and duplicates."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from sounds import encode, noise, write
from tracks import SPEC, some_track, unit_vectors

from audiosearch import Index


@pytest.fixture
def index(music, run):
    assert run("add", music, "--model", "compact").exit_code == 0
    return music


def hits(result):
    return [hit["path"] for hit in json.loads(result.stdout)["hits"]]


def shell(line, **options):
    line = line.replace("audiosearch", f"{sys.executable} -m audiosearch")
    return subprocess.run(
        ["bash", "-c", line], capture_output=True, text=True, check=False, **options
    )


def clip_of(kind, folder):
    if kind == "m4a":
        return encode(folder / "x.m4a", noise(rate=44_100), 44_100, container="mp4", codec="aac")
    formats = {"wav": "WAV", "flac": "FLAC", "mp3": "MP3", "ogg": "OGG"}
    return write(folder / f"x.{kind}", noise(), format=formats[kind])


@pytest.mark.parametrize("kind", ["wav", "flac", "mp3", "ogg", "m4a"])
def test_a_clip_can_come_from_a_pipe(index, tmp_path, kind):
    clip = clip_of(kind, tmp_path)
    result = shell(f"cat {clip} | audiosearch query - -k 2 --format json")
    assert result.returncode == 0, result.stderr
    found = hits(result)
    assert {os.path.basename(path) for path in found} == {"hiss.flac", "hiss2.wav"}


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("cat {} | audiosearch query /dev/stdin --format json", id="/dev/stdin"),
        pytest.param("audiosearch query - --format json < {}", id="a redirected file"),
        pytest.param("audiosearch query <(cat {}) --format json", id="process substitution"),
        pytest.param("cat {} | audiosearch playlist - --format json", id="playlist"),
    ],
)
def test_any_open_pipe_is_a_clip(index, line):
    result = shell(line.format(index / "hiss.flac"))
    assert result.returncode == 0, result.stderr
    assert "hiss2.wav" in result.stdout


def test_embed_reads_standard_input(index):
    line = "audiosearch embed {} --model compact"
    (piped,) = json.loads(shell(f"cat {index / 'low.wav'} | {line.format('-')}").stdout)[
        "embeddings"
    ]
    (named,) = json.loads(shell(line.format(index / "low.wav")).stdout)["embeddings"]
    np.testing.assert_allclose(piped["embedding"], named["embedding"], atol=1e-6)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        pytest.param("printf '' |", "/dev/stdin: it is empty", id="empty"),
        pytest.param("echo text |", "/dev/stdin: it contains no audio", id="text"),
        pytest.param("exec <&-;", "/dev/stdin", id="closed"),
    ],
)
def test_bad_standard_input_is_a_sentence(index, source, words):
    result = shell(f"{source} audiosearch query -")
    assert result.returncode == 1
    assert words in result.stderr
    assert result.stderr.count("\n") == 2


def test_words_in_place_of_a_file_get_a_hint(index, run):
    result = run("query", "hiss2")
    assert result.exit_code == 1
    assert "`--track hiss2`" in result.stderr
    assert "--track" not in run("query", "none.wav").stderr


def test_a_track_found_by_words_is_named(index, run):
    result = run("query", "--track", "tune", "-k", 1, "--format", "json")
    assert len(hits(result)) == 1
    assert str(index / "tune.ogg") in result.stderr
    assert "#" in result.stderr
    assert "warning" not in result.stderr
    to = run("playlist", "#1", "--to", "tune", "-n", 3, "--format", "paths")
    assert str(index / "tune.ogg") in to.stderr


def test_candidates_are_listed_with_their_paths(index, run):
    result = run("query", "--track", "hiss")
    assert result.exit_code == 2
    for path in (index / "hiss.flac", index / "deep" / "hiss2.wav"):
        assert str(path) in result.stderr


# Duplicates


def test_a_recording_is_shown_once(index, run):
    shutil.copy(index / "hiss.flac", index / "copy.flac")
    shutil.copy(index / "tune.ogg", index / "tune2.ogg")
    run("add", index)
    found = hits(run("query", index / "low.wav", "--no-duplicates", "--format", "json"))
    names = sorted(os.path.basename(path) for path in found)
    assert len(names) == 4
    assert len({"copy.flac", "hiss.flac"} & set(names)) == 1
    ranks = json.loads(
        run("query", index / "low.wav", "--no-duplicates", "--format", "json").stdout
    )["hits"]
    assert [hit["rank"] for hit in ranks] == [1, 2, 3, 4]


def test_copies_of_the_clip_are_left_out_unless_it_is_shown_itself(index, run):
    shutil.copy(index / "hiss.flac", index / "copy.flac")
    run("add", index)
    ask = ("query", index / "hiss.flac", "--no-duplicates", "--format", "json")
    assert str(index / "copy.flac") not in hits(run(*ask))
    with_itself = hits(run(*ask, "--include-self"))
    assert sum(name.endswith(("hiss.flac", "copy.flac")) for name in with_itself) == 1


@pytest.mark.parametrize("k", [1, 3, 10])
def test_there_are_k_recordings_however_many_copies_there_are(place, run, k):
    vectors = np.repeat(unit_vectors(20), 40, axis=0)
    with Index(place, spec=SPEC) as index:
        index.add_all(
            (replace(some_track(n), content_hash=f"{n // 40:032x}"), vector)
            for n, vector in enumerate(vectors, start=0)
        )
    result = run(
        "query", "#" + str(first_id(place)), "-k", k, "--no-duplicates", "--index", place,
        "--format", "json",
    )  # fmt: skip
    numbers = [int(path.removeprefix("/music/").removesuffix(".mp3")) for path in hits(result)]
    assert len({number // 40 for number in numbers}) == len(numbers) == k


def first_id(place):
    with Index(place) as index:
        return index.storage.track_at("/music/0.mp3").id
