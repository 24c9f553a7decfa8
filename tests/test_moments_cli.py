"""Moments at the command line: options, tables, JSON, and the formats of other programs."""

import json
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from sounds import melody, noise, tone, write
from terminals import on_terminal
from tracks import some_track
from typer.testing import CliRunner

from audiosearch import Index
from audiosearch.cli import app
from audiosearch.cli.moment_formats import (
    LabeledStretch,
    audacity_labels,
    raven_table,
    vlc_playlist,
)
from audiosearch.cli.moments import moment_text, parse_moment
from audiosearch.playlist_files import parse_playlist

HIT_KEYS = [
    *("rank", "similarity", "id", "path", "title", "artist", "album", "seconds", "artists"),
    *("genre", "genres", "sound_score", "sounds"),
]


@pytest.fixture
def clip(tmp_path):
    return write(tmp_path / "clip.wav", np.concatenate([tone(3_000, 1.0), noise(1.0, seed=7)]))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Recordings in which a tone follows noise, and an index of them with moments."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "long").mkdir()
    for number in range(2):
        parts = [melody(5.0, seed=number), tone(3_000, 2.0), noise(4.0, seed=number)]
        write(folder / "long" / f"long{number}.wav", np.concatenate(parts))
    command = ["add", folder / "long", "--moments", "--model", "compact", "--index"]
    result = CliRunner().invoke(app, [*map(str, command), str(folder / "index")])
    assert result.exit_code == 0, result.stderr
    return folder


@pytest.fixture
def index(made):
    """A copy of the index in the current folder; the folder of its recordings."""
    shutil.copytree(made / "index", "index")
    return made / "long"


@pytest.fixture
def plain(music, run):
    """An index without moments."""
    assert run("add", music, "--model", "compact").exit_code == 0
    return music


def hits_of(run, *arguments):
    result = run(*arguments, "--format", "json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)["hits"]


def labels_in(text):
    """Read a label track as Audacity's manual describes it: start, tab, end, tab, label."""
    rows = []
    for line in text.split("\n")[:-1]:
        start, end, label = line.split("\t")
        assert 0 <= float(start) <= float(end)
        rows.append((float(start), float(end), label))
    return rows


def selections_in(text):
    """Read a selection table as Raven's manual describes it: a header, then a row a selection."""
    header, *lines = (line.split("\t") for line in text.split("\n")[:-1])
    assert header[:7] == [
        *("Selection", "View", "Channel", "Begin Time (s)", "End Time (s)"),
        *("Low Freq (Hz)", "High Freq (Hz)"),
    ]
    assert all(len(line) == len(header) for line in lines)
    return [dict(zip(header, line, strict=True)) for line in lines]


def entries_in(text):
    """Read VLC's options and the path of each entry of a playlist."""
    options, entries = {}, []
    for line in text.splitlines():
        if match := re.fullmatch(r"#EXTVLCOPT:(start|stop)-time=([0-9.]+)", line):
            options[match[1]] = float(match[2])
        elif not line.startswith("#"):
            entries.append((line, options["start"], options["stop"]))
            options = {}
    return entries


# Query


def test_a_hit_of_moments_keeps_its_keys_and_adds_its_times(index, clip, run):
    hits = hits_of(run, "query", clip, "--moments", "-k", 3)
    assert len(hits) == 3
    for hit in hits:
        assert list(hit) == [*HIT_KEYS, "start", "end", "match"]
        assert 0 <= hit["start"] < hit["end"] <= hit["seconds"] + 2
        assert round(hit["start"], 3) == hit["start"]


def test_without_moments_the_keys_of_a_hit_are_as_before(index, clip, run):
    (hit, *_) = hits_of(run, "query", clip)
    assert list(hit) == HIT_KEYS


def test_a_table_shows_moments_as_cut_takes_them(index, clip, run):
    hits = hits_of(run, "query", clip, "--moments", "-k", 2)
    result = run("query", clip, "--moments", "-k", 2)
    rows = [line.split("\t") for line in result.stdout.splitlines()]
    assert [row[0] for row in rows] == ["1", "2"]
    for row, hit in zip(rows, hits, strict=True):
        moment = parse_moment(row[2])
        assert moment.track == f"#{hit['id']}"
        assert moment.start == pytest.approx(hit["start"], abs=0.05001)
        assert moment.end == pytest.approx(hit["end"], abs=0.05001)
    made = run("cut", rows[0][2], "-o", "cuts")
    assert made.exit_code == 0
    assert Path(made.stdout.strip()).exists()


@pytest.mark.posix
@pytest.mark.parametrize("columns", [60, 200])
def test_on_a_terminal_moments_of_the_same_recording_are_marked(index, tmp_path, columns):
    # The melody at the start of the file has the same noise in it.
    samples, rate = soundfile.read(index / "long0.wav", dtype="float32")
    clip = write(tmp_path / "part.wav", samples[8 * rate : 10 * rate], rate)
    command = [sys.executable, "-m", "audiosearch", "query", str(clip), "--moments", "-k", "3"]
    shown = on_terminal(command, columns=columns).decode()
    row = re.compile(r" *[123] +(0\.\d+) +(same recording)? +\d+@")
    (_, second, third) = filter(None, map(row.match, shown.splitlines()))
    assert float(second[1]) < float(third[1])
    assert (second[2], third[2]) == ("same recording", None)


def test_that_nothing_else_matches_is_said_only_if_all_was_searched(index, clip, run):
    command = ("query", clip, "--moments", "--min-similarity", 1)
    sentence = "No other moment in the index matches."
    assert sentence in " ".join(run(*command).stderr.split())
    with Index("index") as opened_index:
        opened_index.moments.put({2: None})
    said = " ".join(run(*command).stderr.split())
    assert "1 of 2 tracks have no moments" in said
    assert "No hits." in said
    assert sentence not in said


def test_that_nothing_else_matches_within_a_file_names_the_file(index, run):
    path = index / "long0.wav"
    said = " ".join(run("query", path, "--within", path).stderr.split())
    assert f"No hits. No other moment in {path} matches." in said


def test_filters_within_a_track_without_moments_need_a_refresh(plain, run):
    path = plain / "low.wav"
    result = run("query", path, "--sound", "Dog", "--within", path)
    assert result.exit_code == 2
    assert "is not a track with moments" in " ".join(result.stderr.split())
    assert "`audiosearch refresh --moments`" in " ".join(result.stderr.split())
    outside = write(plain / "outside.wav", tone())
    result = run("query", path, "--sound", "Dog", "--within", outside)
    assert "`audiosearch add`" in " ".join(result.stderr.split())


def test_hits_of_a_query_can_be_cut(index, tmp_path, run):
    samples, rate = soundfile.read(index / "long0.wav", dtype="float32")
    clip = write(tmp_path / "part.wav", samples[rate : 4 * rate], rate)
    lines = run("query", clip, "--moments", "-k", 1, "--format", "jsonl").stdout
    result = CliRunner().invoke(app, ["cut", "-", "-o", "cuts"], input=lines)
    assert result.exit_code == 0, result.stderr
    found, _ = soundfile.read(result.stdout.strip(), dtype="float32")
    start = json.loads(lines)["start"]
    assert start == pytest.approx(1.0, abs=0.05)
    first = round(start * rate)
    np.testing.assert_array_equal(found, samples[first : first + len(found)])


def test_a_part_of_a_track_is_the_clip(index, run):
    clip = index / "long0.wav"
    whole = hits_of(run, "query", clip)
    part = hits_of(run, "query", clip, "--from", "0:05", "--to", "7.0")
    assert [hit["path"] for hit in part] == [hit["path"] for hit in whole]
    assert part[0]["similarity"] != whole[0]["similarity"]
    (best, *_) = hits_of(run, "query", clip, "--from", "5.0", "--to", "0:07", "--moments")
    assert Path(best["path"]).name == "long1.wav"
    assert best["start"] == pytest.approx(5.0, abs=0.5)


def test_at_most_so_many_hits_are_in_one_track(index, clip, run):
    hits = hits_of(run, "query", clip, "--moments", "--per-track", 1)
    assert len(hits) == 2
    assert len(hits_of(run, "query", clip, "--moments", "-k", 20)) == 6  # three in each
    short = ("query", clip, "--to", "0.5", "--within", index / "long0.wav", "-k", 6)
    assert len(hits_of(run, *short)) == 6
    assert len(hits_of(run, *short, "--per-track", 2)) == 2


def test_the_repetitions_of_a_part_are_found_within_a_file_outside_the_index(index, tmp_path, run):
    part = melody(3.0, seed=5)
    path = write(tmp_path / "mix.wav", np.concatenate([part, noise(4.0), part, tone(300, 2.0)]))
    command = ("query", path, "--from", "0", "--to", "3", "--within", path)
    (best, *_) = hits_of(run, *command)
    assert (best["id"], best["path"]) == (0, str(path))
    assert best["start"] == pytest.approx(7.0, abs=0.1)
    table = run(*command, "-k", 1).stdout
    assert parse_moment(table.split("\t")[2]).track == str(path)
    (label,) = labels_in(run(*command, "-k", 1, "--format", "audacity").stdout)
    assert label[2] == f"1 {best['similarity']:.3f}"
    assert run("cut", table.split("\t")[2], "-o", "cuts").exit_code == 0


@pytest.mark.parametrize("output", ["jsonl", "csv"])
def test_lines_and_csv_have_the_times_too(output, index, clip, run):
    hits = hits_of(run, "query", clip, "--moments", "-k", 2)
    lines = run("query", clip, "--moments", "-k", 2, "--format", output).stdout.splitlines()
    if output == "jsonl":
        assert [json.loads(line) for line in lines] == hits
    else:
        assert lines[0].endswith(",start,end,match")
        assert f",{hits[0]['start']},{hits[0]['end']}," in lines[1]


def test_audacity_gets_the_hits_as_labels(index, clip, run):
    hits = hits_of(run, "query", clip, "--moments", "-k", 3)
    text = run("query", clip, "--moments", "-k", 3, "--format", "audacity").stdout
    labels = labels_in(text)
    assert [label[:2] for label in labels] == [(hit["start"], hit["end"]) for hit in hits]
    for (_, _, label), hit in zip(labels, hits, strict=True):
        assert f"{hit['similarity']:.3f}" in label
        assert Path(hit["path"]).name in label


def test_raven_gets_the_hits_as_selections(index, clip, run):
    hits = hits_of(run, "query", clip, "--moments", "-k", 3)
    text = run("query", clip, "--moments", "-k", 3, "--format", "raven").stdout
    rows = selections_in(text)
    assert [row["Selection"] for row in rows] == ["1", "2", "3"]
    first = hits[0]["path"]
    for row, hit in zip(rows, hits, strict=True):
        before = 0.0 if hit["path"] == first else 11.0  # each file is opened after the others
        assert float(row["Begin Time (s)"]) == pytest.approx(before + hit["start"], abs=1e-3)
        assert float(row["End Time (s)"]) == pytest.approx(before + hit["end"], abs=1e-3)
        assert float(row["File Offset (s)"]) == pytest.approx(hit["start"], abs=1e-3)
        assert (row["Begin Path"], row["Begin File"]) == (hit["path"], Path(hit["path"]).name)
        assert float(row["Similarity"]) == pytest.approx(hit["similarity"], abs=1e-3)
        assert (row["Low Freq (Hz)"], row["High Freq (Hz)"]) == ("0.0", "8000.0")


def test_vlc_gets_the_hits_as_a_playlist(index, clip, run):
    hits = hits_of(run, "query", clip, "--moments", "-k", 3)
    text = run("query", clip, "--moments", "-k", 3, "--format", "m3u8").stdout
    assert text.startswith("#EXTM3U\n")
    assert entries_in(text) == [(hit["path"], hit["start"], hit["end"]) for hit in hits]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["--format", "audacity"], "--format audacity needs --moments", id="audacity"),
        pytest.param(["--format", "raven"], "--format raven needs --moments", id="raven"),
        pytest.param(["--format", "m3u8"], "--format m3u8 needs --moments", id="m3u8"),
        pytest.param(["--per-track", 2], "--per-track needs --moments", id="per track"),
        pytest.param(["--from", "1:75"], "1:75 is not a time", id="no time"),
        pytest.param(["--moments", "--to", "nan"], "nan is not a time", id="not a number"),
        pytest.param(["--moments", "--from", "-1"], "-1 is not a time", id="negative"),
        pytest.param(["--moments", "-0", "--format", "raven"], "can't be combined", id="null"),
        pytest.param(["--moments", "--whiten"], "can't be ranked by whitened", id="whiten"),
    ],
)
def test_options_that_make_no_sense_are_a_sentence(arguments, words, index, clip, run):
    result = run("query", clip, *arguments)
    assert result.exit_code == 2
    assert words in result.stderr
    assert "hint:" in result.stderr


def test_the_variable_for_whitening_is_only_for_tracks(index, clip, run, monkeypatch):
    plain = hits_of(run, "query", clip, "--moments")
    monkeypatch.setenv("AUDIOSEARCH_WHITEN", "1")
    assert hits_of(run, "query", clip, "--moments") == plain
    assert "too few to whiten" in run("query", clip).stderr


def test_an_index_without_moments_says_how_to_add_them(plain, clip, run):
    for command in (
        ["query", clip, "--moments"],
        ["sounds", "#1", "--over-time"],
        ["list", "--sound", "music", "--moments"],
    ):
        result = run(*command)
        assert result.exit_code == 1
        assert "has no moments" in result.stderr
        assert "refresh --moments" in result.stderr


# Formats


def stretches_of(*tracks):
    return [LabeledStretch(t, 1.0, 2.5, f"{t.id} 0.900", {"Similarity": 0.9}) for t in tracks]


def test_labels_of_one_file_do_not_name_it():
    (_, _, label), _ = labels_in(audacity_labels(2 * stretches_of(some_track(1))).decode())
    assert label == "0 0.900"


def test_labels_of_files_of_the_same_name_have_their_paths():
    tracks = [some_track(1, "/a"), some_track(1, "/b")]
    labels = [label for *_, label in labels_in(audacity_labels(stretches_of(*tracks)).decode())]
    assert labels == ["0 0.900 /a/1.mp3", "0 0.900 /b/1.mp3"]


def test_selections_of_several_files_count_their_time_one_after_the_other():
    tracks = [some_track(number) for number in (1, 2, 1)]
    rows = selections_in(raven_table(stretches_of(*tracks)).decode())
    assert [row["Begin Time (s)"] for row in rows] == ["1.000", "11.000", "1.000"]
    assert [row["File Offset (s)"] for row in rows] == ["1.000"] * 3
    assert rows[0]["High Freq (Hz)"] == "22050.0"


ODD = ["a\tb", "a\nb", "a\r\nb", "a\u2028b", "a\x1b[1mb", "\udcff", '"a', "#a", " a "]


@pytest.mark.parametrize("text", ODD, ids=ascii)
def test_odd_names_do_not_break_the_formats(text):
    odd = replace(some_track(1), path=f"/m/{text}", title=text, artist=text)
    stretches = stretches_of(odd, some_track(2))
    labels = labels_in(audacity_labels(stretches).decode())
    assert [label[:2] for label in labels] == [(1.0, 2.5), (1.0, 2.5)]
    rows = selections_in(raven_table(stretches).decode(errors="surrogateescape"))
    assert [row["Similarity"] for row in rows] == ["0.900", "0.900"]
    playlist = vlc_playlist(stretches)
    assert [start for _, start, _ in entries_in(playlist.decode(errors="replace"))] == [1.0, 1.0]
    paths = [entry.path for entry in parse_playlist(playlist, "x.m3u8")]
    assert paths == [odd.path, "/music/2.mp3"]


def test_a_file_outside_the_index_is_named_by_its_path():
    track = replace(some_track(1), id=0)
    text = moment_text(track, 3_723.44, 3_728.96)
    assert text == "/music/1.mp3@1:02:03.4-1:02:09.0"
    assert parse_moment(text).track == "/music/1.mp3"
    assert moment_text(replace(track, id=12), 59.96, 65) == "12@1:00.0-1:05.0"
    assert moment_text(replace(track, id=12), 1.52, 1.54) == "12@0:01.5-0:01.6"  # can be cut out


# Sounds


@pytest.fixture
def sounding(index, run):
    """The path of a track, and the sound that is heard best in it."""
    with Index("index") as opened:
        track = next(iter(opened))
    return track.path, track.sounds[0].name


def test_sounds_over_time_are_stretches_of_a_track(sounding, run):
    path, name = sounding
    result = run("sounds", path, "--over-time", "--format", "json")
    rows = json.loads(result.stdout)["sounds"]
    assert name in [row["name"] for row in rows]
    assert [row["start"] for row in rows] == sorted(row["start"] for row in rows)
    for row in rows:
        assert list(row) == ["start", "end", "name", "score"]
        assert 0 <= row["start"] < row["end"] <= 11.0
        assert 0.1 <= row["score"] <= 1
    table = run("sounds", path, "--over-time", "-n", 2).stdout.splitlines()
    assert [line.split("\t")[2] for line in table] == [row["name"] for row in rows[:2]]
    labels = labels_in(run("sounds", path, "--over-time", "--format", "audacity").stdout)
    assert [label[:2] for label in labels] == [(row["start"], row["end"]) for row in rows]
    assert labels[0][2] == f"{rows[0]['name']} {rows[0]['score']:.2f}"
    selections = selections_in(run("sounds", path, "--over-time", "--format", "raven").stdout)
    assert [row["Sound"] for row in selections] == [row["name"] for row in rows]


def test_list_shows_the_moments_of_a_sound(sounding, run):
    _, name = sounding
    result = run("list", "--sound", name, "--moments", "--format", "json")
    rows = json.loads(result.stdout)["moments"]
    assert rows
    assert [row["sound_score"] for row in rows] == sorted(
        (row["sound_score"] for row in rows), reverse=True
    )
    assert list(rows[0])[-3:] == ["start", "end", "sound_score"]
    lines = run("list", "--sound", name, "--moments", "--limit", 1).stdout.splitlines()
    assert len(lines) == 1
    assert parse_moment(lines[0].split("\t")[1]).track == f"#{rows[0]['id']}"
    by_path = run("list", "--sound", name, "--moments", "--sort", "path", "--format", "jsonl")
    order = [(row["path"], row["start"]) for row in map(json.loads, by_path.stdout.splitlines())]
    assert order == sorted(order)
    words = run("list", "long1", "--sound", name, "--moments", "--format", "paths")
    assert {Path(line).name for line in words.stdout.splitlines()} <= {"long1.wav"}


@pytest.mark.parametrize(
    ("command", "words"),
    [
        pytest.param(["list", "--moments"], "--moments needs --sound", id="no sound"),
        pytest.param(["list", "--format", "raven"], "raven needs --moments", id="list raven"),
        pytest.param(["sounds", "--over-time"], "--over-time needs a track", id="no track"),
        pytest.param(["sounds", "#1", "--format", "m3u8"], "needs --over-time", id="sounds m3u8"),
    ],
)
def test_options_of_sounds_that_make_no_sense_are_a_sentence(command, words, index, run):
    result = run(*command)
    assert result.exit_code == 2
    assert words in result.stderr
    assert "hint:" in result.stderr


def test_an_unknown_track_has_no_sounds_over_time(index, run):
    assert "no track under #99" in run("sounds", "#99", "--over-time").stderr
