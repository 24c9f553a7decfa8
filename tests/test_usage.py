"""Mistakes in command lines, and options before the command."""

import json

import pytest
from tracks import SPEC, some_track, unit

from audiosearch import Index


@pytest.fixture
def tracks():
    """An index in the folder `library`."""
    with Index("library", spec=SPEC) as index:
        index.add(some_track(1), unit())


@pytest.mark.parametrize(
    ("arguments", "suggestion"),
    [
        pytest.param(["quer"], "query", id="a letter is missing"),
        pytest.param(["dup"], "duplicates", id="the beginning of a command"),
        pytest.param(["QUERY"], "query", id="capitals"),
        pytest.param(["model", "fetsh"], "fetch", id="a command of a group"),
        pytest.param(["query", "--fromat", "json"], "--format", id="an option"),
        pytest.param(["query", "--fromat=json"], "--format", id="an option with its value"),
        pytest.param(["query", "-format", "json"], "--format", id="a single dash"),
        pytest.param(["query", "--min", "0.5"], "--min-similarity", id="beginning of an option"),
        pytest.param(["--indx", "x", "list"], "--index", id="an option before the command"),
        pytest.param(["playlist", "--no-seed"], "--no-seeds", id="the off switch of an option"),
    ],
)
def test_the_nearest_name_is_suggested(run, arguments, suggestion):
    result = run(*arguments)
    assert result.exit_code == 2
    assert f"Did you mean {suggestion}" in result.stderr


@pytest.mark.parametrize("arguments", [["xyzzy"], ["query", "-z"], ["query", "--xyzzy"]])
def test_nothing_is_suggested_if_nothing_is_near(run, arguments):
    result = run(*arguments)
    assert result.exit_code == 2
    assert "Did you mean" not in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["--index", "library", "list"],
        ["--index=library", "list"],
        ["list", "--index", "library"],
        ["--index", "elsewhere", "list", "--index", "library"],
    ],
    ids=" ".join,
)
def test_the_index_can_be_named_before_the_command(tracks, run, monkeypatch, arguments):
    monkeypatch.setenv("AUDIOSEARCH_INDEX", "nowhere")
    listed = json.loads(run(*arguments, "--format", "json").stdout)
    assert [track["path"] for track in listed["tracks"]] == ["/music/1.mp3"]


def test_an_index_before_a_command_without_one_is_an_error(run):
    result = run("--index", "library", "model", "status")
    assert result.exit_code == 2
    assert "--index" in result.stderr


@pytest.mark.parametrize("command", [["list"], ["query", "#1"], ["duplicates"], ["failures"]])
@pytest.mark.parametrize("output", ["table", "json", "jsonl", "csv"])
def test_paths_separated_by_nul_contradict_another_format(tracks, run, command, output):
    result = run("--index", "library", *command, "--format", output, "-0")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "can't be combined" in result.stderr


def test_a_number_of_tracks_and_a_length_contradict_each_other(run):
    refused = run("playlist", "a.wav", "-n", "2", "--length", "45")
    assert refused.exit_code == 2
    assert "-n can't be combined with this --length." in refused.stderr


def test_paths_separated_by_nul_agree_with_the_format_paths(tracks, run):
    expected = "/music/1.mp3\0"
    assert run("--index", "library", "list", "-0").stdout == expected
    assert run("--index", "library", "list", "-0", "--format", "paths").stdout == expected


@pytest.mark.parametrize("options", [["--pooling", "sum"], ["--normalize"]])
def test_patches_are_neither_pooled_nor_normalized(run, options):
    result = run("embed", "x.wav", "--per-patch", *options)
    assert result.exit_code == 2
    assert "can't be combined" in result.stderr
