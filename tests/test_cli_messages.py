"""Sentences of the command line: counts, empty results, known failures, broken links."""

import io
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from sounds import tone, write

from audiosearch.audio.input_files import InputFiles
from audiosearch.cli.progress import IngestProgress
from audiosearch.ingest.add import Ingest
from audiosearch.models import registry
from audiosearch.models.registry import ModelRequest
from audiosearch.models.specs import SPECS

COMPACT = ModelRequest("compact")


@pytest.fixture
def index(music, run):
    assert run("add", music, "--model", "compact").exit_code == 0
    return music


def test_known_failures_are_one_line_of_the_summary(music, run):
    for name in ("bad.mp3", "worse.mp3"):
        (music / name).write_text("no audio")
    run("add", music, "--model", "compact")
    (music / "third.mp3").write_text("no audio")
    again = run("add", music).stderr
    assert re.findall("failed: .*", again) == [
        f"failed: {music / 'third.mp3'}: it contains no audio that can be decoded"
    ]
    assert "0 added, 5 unchanged, 3 failed\n" in again
    assert "Skipped 2 files that failed before. `audiosearch failures` lists them" in again
    (music / "third.mp3").unlink()
    (music / "worse.mp3").unlink()
    assert "Skipped 1 file that failed before. " in run("add", music).stderr
    assert run("add", music / "bad.mp3").exit_code == 1
    retried = run("add", music, "--retry").stderr
    assert ("failed: " in retried, "Skipped" in retried) == (True, False)


@pytest.mark.parametrize(
    ("command", "sentence"), [("failures", "No file failed."), ("duplicates", "No duplicates.")]
)
def test_an_empty_list_says_so_on_standard_error(index, run, command, sentence):
    (index / "deep" / "hiss2.wav").unlink()
    run("prune", "-y")
    empty = run(command)
    assert (empty.exit_code, empty.stdout, empty.stderr) == (0, "", f"{sentence}\n")
    in_json = run(command, "--format", "json")
    assert json.loads(in_json.stdout) == {command: []}
    assert in_json.stderr == f"{sentence}\n"


@pytest.mark.parametrize("command", ["refresh", "duplicates"])
def test_files_whose_folder_is_now_a_link_come_with_a_hint(music, run, command):
    for number in range(2):  # too alike to be told apart without reading them
        write(music / f"tone{number}.flac", tone(440 + number, 4.0))
    run("add", music, "--model", "compact")
    music.rename(music.with_name("elsewhere"))
    music.symlink_to("elsewhere")
    result = run(command)
    assert "its path leads to another place than when it was added" in result.stderr
    assert result.stderr.count("run `audiosearch add` on its folder again.") == 1


def test_an_unknown_command_comes_with_the_help_that_lists_commands(run):
    assert "--help` lists the commands and options." in run("relocat", "a").stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["query", "-k", "x"], "'-k': 'x' is not a whole number of at least 1."),
        (["query", "-k", "0"], "'-k': 0 is not a whole number of at least 1."),
        (["watch", "a", "--nice", "20"], "'--nice': 20 is not a whole number from 0 to 19."),
        (["serve", "--port", "1e5"], "'--port': '1e5' is not a whole number from 0 to 65,535."),
        (["add", "a", "--excerpt", "0.5"], "'--excerpt': 0.5 is not a number of at least 1."),
        (["duplicates", "--threshold", "a"], "'--threshold': 'a' is not a number from 0 to 1."),
        (["query", "--min-similarity", "a"], "'--min-similarity': 'a' is not a number."),
    ],
)
def test_numbers_that_an_option_does_not_take_are_described_in_words(run, arguments, words):
    result = run(*arguments)
    assert result.exit_code == 2
    assert f"Invalid value for {words}" in " ".join(result.stderr.split())


def test_an_empty_index_is_listed_as_empty(index, run):
    run("remove", index)
    assert run("list").stderr == "The index is empty.\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["doctor"], "1 track\n", id="doctor"),
        pytest.param(["playlist", "#1", "-o", "a.m3u8"], "1 track written", id="playlist -o"),
        pytest.param(["playlist", "#1", "-n", "2"], "found 1 track instead of 2", id="playlist"),
        pytest.param(["playlist", "#1", "--whiten"], "1 track is too few to whiten", id="whiten"),
        pytest.param(["copy", "index", "other"], "1 track copied", id="copy"),
        pytest.param(["remove", "#1"], "1 track removed", id="remove"),
        pytest.param(["prune"], "Remove 1 track from the index?", id="prune"),
    ],
)
def test_one_thing_is_in_the_singular(run, arguments, words):
    write(Path("one.wav"), tone(220))
    run("add", "one.wav", "--model", "compact")
    if arguments == ["prune"]:
        run("add", str(write(Path("other.wav"), tone(300))), "--model", "compact")
        Path("one.wav").unlink()
    result = run(*arguments)
    assert words in result.stdout + result.stderr


def test_piped_rows_have_keys_with_units_beside_the_old_ones(index, run):
    rows = dict(line.split("\t") for line in run("info").stdout.splitlines())
    assert rows["seconds"] == rows["length_seconds"]
    assert float(rows["length_seconds"]) == pytest.approx(15.0)
    assert "length_seconds" not in json.loads(run("info", "--format", "json").stdout)
    before, after = (line.split("\t") for line in run("optimize").stdout.splitlines())
    assert (before[0], after[0]) == ("before", "after")
    assert before[3:5] == before[5:7]
    header = run("optimize", "--format", "csv").stdout.splitlines()[0]
    assert header == "when,kind,recall,ms,bytes,query_ms,memory_bytes"
    in_json = json.loads(run("optimize", "--format", "json").stdout)
    assert list(in_json["before"]) == ["kind", "recall", "ms", "bytes"]


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("elsewhere.wav", "is a link to elsewhere.wav, which doesn't exist"),
        ("link.wav", "is a link to link.wav, which leads back to it"),
    ],
)
def test_a_broken_link_is_called_a_link(index, run, target, words):
    os.symlink(target, "link.wav")
    for arguments in (["add"], ["add", index], ["query"], ["embed"]):
        assert words in run(*arguments, "link.wav").stderr


def test_a_broken_link_to_an_index_is_called_a_link_before_any_work(index, run):
    os.symlink("disk/index", "link")
    for arguments in (["add", index, "--index", "link"], ["copy", "index", "link"]):
        result = run(*arguments)
        assert result.exit_code == 1
        assert "is a link to disk/index, which doesn't exist" in result.stderr
        assert "added" not in result.stderr
    assert "is a link to disk/index, which doesn't exist" in run("list", "--index", "link").stderr


def test_a_copy_to_an_index_of_another_model_says_so(index, run, tmp_path):
    vectors = tmp_path / "v.npy"
    np.save(vectors, np.ones((1, 128)))
    (tmp_path / "f.json").write_text('[{"path": "/a.mp3"}]')
    run("import", vectors, tmp_path / "f.json", "--index", "other")
    refused = run("copy", "index", "other")
    assert refused.exit_code == 1
    assert f"{Path('index').absolute()} has vectors of compact" in refused.stderr
    assert f"but {Path('other').absolute()} has those of vggish" in refused.stderr
    assert "hint: Copy to a location without an index" in refused.stderr


def test_an_index_made_without_vggish_says_what_compact_is_good_at(music, run, caplog):
    made = run("add", music).stderr
    assert made.count("warning: ") == 1
    assert "Using `compact` instead" in made
    assert SPECS["compact"].strengths in made
    assert "`audiosearch reembed --model vggish`" in made
    assert run("add", music).stderr == "0 added, 5 unchanged, 0 failed\n"
    assert run("embed", music / "low.wav").stderr == ""
    caplog.clear()
    assert registry.resolve().name == "compact"  # as `bench` does
    assert caplog.records == []


def test_the_figures_of_compact_are_those_of_its_card():
    card = SPECS["compact"].weights.path.with_name("compact.md").read_text()
    test = card.partition("**test**: ")[2].partition("\n**")[0]
    precision = dict(re.findall(r"^\| ([^|]+) \| (0\.\d+) \|", test, re.MULTILINE))
    n_files, n_classes = re.match(r"(\d+) files, (\d+) classes", test).groups()
    figures = re.findall(r"\d+", SPECS["compact"].strengths)
    compact, teacher = (
        f"{100 * float(precision[name]):.0f}" for name in ("compact", "YAMNet, the teacher")
    )
    assert figures == [n_files, n_classes, compact, teacher]


class KnownShortAndLong:
    """Three files: one is known, and of the two others one is nine times as large as the other."""

    audio_seconds = 0.0

    def __init__(self):
        self.sizes = {"/short.wav": 10, "/long.wav": 90}

    def __len__(self):
        return 3


@pytest.mark.parametrize(
    ("done", "time_left"),
    [
        pytest.param(["/known.wav"], "-:--:--", id="unknown"),
        pytest.param(["/known.wav", "/short.wav"], "0:09:00", id="short"),
        pytest.param(["/known.wav", "/long.wav"], "0:00:07", id="long"),
        pytest.param(["/known.wav", "/long.wav", "/short.wav"], "0:00:00", id="all"),
    ],
)
def test_the_time_left_goes_by_the_sizes_of_files(done, time_left):
    now, output = 0.0, io.StringIO()
    console = Console(
        file=output, force_terminal=True, width=120, get_time=lambda: now, _environ={}
    )
    with IngestProgress(console, KnownShortAndLong()) as bar:
        for path in done:
            bar.advance(path)
        now = 60.0
    assert f" {time_left} " in re.sub("\x1b[^m]*m", "", output.getvalue())


def test_only_files_that_are_embedded_have_sizes(music, tmp_path):
    list(Ingest(tmp_path / "index", InputFiles(music).paths, request=COMPACT))
    path = write(music / "new.wav", tone(200))
    ingest = Ingest(tmp_path / "index", InputFiles(music).paths, request=COMPACT)
    list(ingest)
    assert ingest.sizes == {str(path): path.stat().st_size}
