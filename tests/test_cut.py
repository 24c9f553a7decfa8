"""`cut`: stretches of recordings as FLAC files."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from programs import run_program
from sounds import encode, melody, noise, tone, write
from typer.testing import CliRunner

from audiosearch import child_process
from audiosearch.audio.continued import ContinuedRecording
from audiosearch.audio.cut import cut as cut_recording
from audiosearch.audio.decode import open_recording
from audiosearch.cli import app
from audiosearch.errors import AudioError, UsageError
from audiosearch.search import cut
from audiosearch.search.cut import CutRequest
from audiosearch.times import parse_time

RATE = 44_100


def song(folder, kind):
    """A stereo recording of nine seconds in a format."""
    channels = [0.4 * melody(9.0, RATE, seed=seed) for seed in (1, 2)]
    samples = np.stack(channels, axis=1)
    path = folder / f"song.{kind}"
    if kind == "opus":
        wav = write(folder / "song.wav", samples, 48_000)
        run_program("opusenc", "--quiet", wav, path)
        return path
    if kind == "vbr.mp3":
        wav = write(folder / "song.wav", samples, RATE)
        run_program("lame", "--quiet", "-V", "4", "-t", wav, path)
        return path
    if kind in CODECS:
        return encode(path, samples, RATE, container=CODECS[kind][0], codec=CODECS[kind][1])
    formats = {"wav": "WAV", "flac": "FLAC", "mp3": "MP3", "ogg": "OGG"}
    return write(path, samples, RATE, format=formats[kind])


CODECS = {
    "m4a": ("ipod", "aac"),
    "alac.m4a": ("ipod", "alac"),
    "wma": ("asf", "wmav2"),
    "mka": ("matroska", "ac3"),
}


def decoded(path):
    """All samples of a recording, as integers of 24 bits, and its rate."""
    recording = open_recording(str(path))
    samples = np.concatenate(list(recording.blocks()))
    recording.close()
    integers = np.rint(samples.astype(np.float64) * 2**23)
    return np.clip(integers, -(2**23), 2**23 - 1).astype(np.int64), recording.info.sample_rate_hz


def samples_of(path):
    samples, rate = soundfile.read(path, dtype="int32", always_2d=True)
    return samples.astype(np.int64) >> 8, rate


def paths_of(result):
    return [Path(line) for line in result.stdout.splitlines()]


@pytest.mark.parametrize(
    "kind",
    ["wav", "flac", "ogg", "mp3", "vbr.mp3", "opus", "m4a", "alac.m4a", "wma", "mka"],
)
def test_a_stretch_has_the_very_samples_of_the_recording(kind, tmp_path, run):
    path = song(tmp_path, kind)
    whole, rate = decoded(path)
    times = [(0.0, 0.5), (3.217, 4.4), (7.01, 8.333)]
    result = run("cut", *(f"{path}@{a}-{b}" for a, b in times), "-o", "cuts")
    assert result.exit_code == 0, result.stderr
    for made, (start, end) in zip(paths_of(result), times, strict=True):
        samples, made_rate = samples_of(made)
        assert made_rate == rate
        np.testing.assert_array_equal(samples, whole[round(start * rate) : round(end * rate)])


@pytest.mark.parametrize(
    ("channels", "rate", "subtype"),
    [
        pytest.param(1, 8_000, "PCM_U8", id="8 bits"),
        pytest.param(2, 96_000, "PCM_24", id="24 bits"),
        pytest.param(6, 48_000, "PCM_16", id="six channels"),
        pytest.param(8, 192_000, "PCM_16", id="eight channels"),
    ],
)
def test_rate_channels_and_samples_stay_as_they_are(channels, rate, subtype, tmp_path, run):
    samples = np.stack([noise(0.5, rate, seed) for seed in range(channels)], axis=1)
    path = write(tmp_path / "x.wav", samples, rate, subtype=subtype)
    result = run("cut", f"{path}@0.1-0.4", "-o", "cuts")
    (made,) = paths_of(result)
    whole, _ = decoded(path)
    assert samples_of(made)[1] == rate
    np.testing.assert_array_equal(samples_of(made)[0], whole[round(0.1 * rate) : round(0.4 * rate)])


def test_a_stretch_in_the_second_of_two_joined_files_is_right(tmp_path, run):
    parts = [write(tmp_path / f"{i}.flac", melody(3.0, seed=i)) for i in range(2)]
    path = tmp_path / "joined.flac"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    (made,) = paths_of(run("cut", f"{path}@4-5", "-o", "cuts"))
    np.testing.assert_array_equal(
        samples_of(made)[0], samples_of(parts[1])[0][16_000:32_000].reshape(-1, 1)
    )


@pytest.mark.parametrize(
    ("factor", "words"),
    [
        pytest.param(1.0, None, id="in range"),
        pytest.param(3.0, "of its samples are beyond 1; they were limited to 1", id="a bit"),
        pytest.param(40.0, "its samples go far beyond 1, up to 20.0; they were scaled", id="far"),
    ],
)
def test_floats_beyond_1_are_kept_in_range_with_a_warning(factor, words, tmp_path, run):
    path = write(tmp_path / "x.wav", factor * tone(440, 2.0), subtype="FLOAT")
    result = run("cut", f"{path}@0-1", "-o", "cuts")
    (made,) = paths_of(result)
    assert np.abs(samples_of(made)[0]).max() <= 2**23
    if words is None:
        assert result.stderr == ""
    else:
        assert words in result.stderr


def test_scaled_floats_keep_their_shape(tmp_path, run):
    samples = 32_767 * tone(440, 2.0)
    path = write(tmp_path / "x.wav", samples, subtype="FLOAT")
    (made,) = paths_of(run("cut", f"{path}@0-1", "-o", "cuts"))
    expected = np.rint(samples[:16_000].astype(np.float64) * 2**23 / 2**14)
    np.testing.assert_array_equal(samples_of(made)[0][:, 0], expected)


# Names


@pytest.mark.parametrize(
    ("stretch", "name"),
    [
        pytest.param(CutRequest("/m/a.mp3", 1, 2), "a 0m01.0s-0m02.0s", id="file name"),
        pytest.param(CutRequest("/a", 0, 3725.99, "T", "A"), "A - T 0m00.0s-1h02m06.0s", id="tags"),
        pytest.param(CutRequest("/a", 59.96, 61, "T"), "T 1m00.0s-1m01.0s", id="rounded"),
        pytest.param(CutRequest("/a", 0, 1, "../x\n:*?"), "_x_ 0m00.0s-0m01.0s", id="unsafe"),
        pytest.param(CutRequest("/a", 0, 1, "..."), "stretch 0m00.0s-0m01.0s", id="nothing left"),
        pytest.param(CutRequest("/\udcff", 0, 1), "_ 0m00.0s-0m01.0s", id="not UTF-8"),
    ],
)
def test_files_get_safe_names(stretch, name):
    assert stretch.name == name


def test_long_titles_fit_into_a_file_name():
    assert len(os.fsencode(CutRequest("/a", 0, 1, 500 * "\N{SNOWMAN}").name)) < 200


def test_files_of_the_same_name_get_numbers(tmp_path, run):
    path = write(tmp_path / "x.wav", tone())
    result = run("cut", f"{path}@1-2", f"{path}@1.01-2", f"{path}@1-2", "-o", "cuts")
    names = [made.name for made in paths_of(result)]
    assert names == ["x 0m01.0s-0m02.0s.flac", "x 0m01.0s-0m02.0s (2).flac"]


def test_an_existing_file_is_only_replaced_by_force(tmp_path, run):
    path = write(tmp_path / "x.wav", tone())
    command = ("cut", f"{path}@1-2", "-o", "cuts")
    (made,) = paths_of(run(*command))
    made.write_text("mine")
    refused = run(*command)
    assert refused.exit_code == 1
    assert "exists" in refused.stderr
    assert "--force" in refused.stderr
    assert made.read_text() == "mine"
    assert run(*command, "--force").exit_code == 0
    assert len(samples_of(made)[0]) == 16_000
    assert [entry.name for entry in Path("cuts").iterdir()] == [made.name]


# Hits


@pytest.fixture
def index(music, run):
    assert run("add", music, "--model", "compact").exit_code == 0
    return music


@pytest.mark.parametrize(
    "hit",
    [
        pytest.param("{id}@0:01-0:02", id="id"),
        pytest.param("#{id}@1-2.0", id="#id"),
        pytest.param("{path}@0:00:01-2", id="path"),
    ],
)
def test_a_track_is_named_by_id_or_path(index, run, hit):
    tracks = json.loads(run("list", "--format", "json").stdout)["tracks"]
    track = next(track for track in tracks if track["path"].endswith("low.wav"))
    (made,) = paths_of(run("cut", hit.format(**track), "-o", "cuts"))
    assert made.name == "low 0m01.0s-0m02.0s.flac"
    np.testing.assert_array_equal(samples_of(made)[0], decoded(track["path"])[0][16_000:32_000])


def test_a_track_whose_file_has_changed_is_cut_with_a_warning(tmp_path, run):
    path = write(tmp_path / "a.wav", tone())
    assert run("add", path, "--model", "compact").exit_code == 0
    assert "warning" not in run("cut", "1@0-1", "-o", "cuts").stderr
    write(path, melody(5.0))
    result = run("cut", "1@1-2", f"{path}@2-3", "-o", "cuts")
    assert len(paths_of(result)) == 2
    said = " ".join(result.stderr.split())
    assert said.count("its source file has changed since it was added") == 2


def test_a_path_may_contain_an_at_sign_and_needs_no_index(tmp_path, run):
    path = write(tmp_path / "me@1-2.wav", tone())
    (made,) = paths_of(run("cut", f"{path}@0-1", "-o", "cuts"))
    assert made.name.startswith("me@1-2 ")


def test_json_lines_come_from_standard_input(tmp_path):
    path = tmp_path / "a\tb\udcff.wav"
    write(tmp_path / "x.wav", tone()).rename(path)
    line = {"id": 0, "path": str(path), "start": 0.25, "end": 1.5, "title": "A/B", "match": None}
    result = CliRunner().invoke(app, ["cut", "-", "-o", "cuts"], input=f"{json.dumps(line)}\n\n")
    assert result.exit_code == 0, result.stderr
    (made,) = paths_of(result)
    assert made.name == "A_B 0m00.2s-0m01.5s.flac"
    assert len(samples_of(made)[0]) == 20_000


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("text", id="no JSON"),
        pytest.param("[]", id="no object"),
        pytest.param('{"path": "a.wav"}', id="no times"),
        pytest.param('{"path": "a.wav", "start": null, "end": null}', id="null"),
        pytest.param('{"path": "a.wav", "start": 2, "end": 1}', id="reversed"),
        pytest.param('{"path": "a.wav", "start": 0, "end": Infinity}', id="infinite"),
        pytest.param('{"path": "a.wav", "start": 0, "end": 1' + "0" * 400 + "}", id="huge"),
        pytest.param('{"path": 1, "start": 0, "end": 1}', id="no path"),
        pytest.param("[" * 10_000, id="nested"),
    ],
)
def test_a_line_that_is_no_moment_is_a_sentence(line):
    result = CliRunner().invoke(app, ["cut", "-", "-o", "cuts"], input=line)
    assert result.exit_code == 2
    assert "Line 1 of the standard input is not a hit" in result.stderr
    assert "--moments --format jsonl" in result.stderr


@pytest.mark.parametrize(
    ("hit", "words"),
    [
        pytest.param("song.wav", "song.wav is not a moment", id="no time"),
        pytest.param("song.wav@1", "is not a moment", id="one time"),
        pytest.param("@1-2", "is not a moment", id="no track"),
        pytest.param("song.wav@2-1", "doesn't end after it starts", id="reversed"),
        pytest.param("song.wav@1-1", "doesn't end after it starts", id="empty"),
        pytest.param("song.wav@a-b", "a is not a time", id="letters"),
        pytest.param("", "An empty text is not a moment", id="empty text"),
    ],
)
def test_a_text_that_is_no_moment_is_a_sentence(hit, words, run):
    result = run("cut", hit, "-o", "cuts")
    assert result.exit_code == 2
    assert words in result.stderr
    assert not Path("cuts").exists()


# Failures


def bad_file(folder, kind):
    path = folder / f"{kind}.wav"
    if kind == "nine channels":
        return write(path, np.zeros((1_000, 9), dtype=np.float32))
    if kind == "nan":
        return write(path, np.full(16_000, np.nan, dtype=np.float32), subtype="FLOAT")
    if kind == "rate":
        return write(path, tone(440, 0.01, 700_000), 700_000)
    if kind == "text":
        path.write_text("no sound")
    if kind == "folder":
        path.mkdir()
    if kind == "pipe":
        os.mkfifo(path)
    return path


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        pytest.param("nine channels", "FLAC can't hold its 9 channels", id="channels"),
        pytest.param("rate", "FLAC can't hold its 700,000 samples a second", id="rate"),
        pytest.param("nan", "samples that are not finite numbers", id="NaN"),
        pytest.param("text", "it contains no audio that can be decoded", id="text"),
        pytest.param("missing", "there is no such file", id="missing"),
        pytest.param("folder", "it is not a file", id="folder"),
        pytest.param("pipe", "it is not a file", id="pipe"),
    ],
)
def test_a_hit_that_fails_does_not_stop_the_others(kind, words, tmp_path, run):
    good, bad = write(tmp_path / "good.wav", tone()), bad_file(tmp_path, kind)
    result = run("cut", f"{bad}@0-0.01", f"{good}@0-1", "-o", "cuts")
    assert result.exit_code == 0
    assert words in result.stderr
    assert "hint:" in result.stderr
    assert len(paths_of(result)) == 1
    alone = run("cut", f"{bad}@0-0.01", "-o", "cuts")
    assert alone.exit_code == 1
    assert alone.stdout == ""
    assert len(list(Path("cuts").iterdir())) == 1


def test_a_stretch_beyond_the_end_is_an_error_and_one_over_the_end_a_warning(tmp_path, run):
    path = write(tmp_path / "x.wav", tone(seconds=3.0))
    beyond = run("cut", f"{path}@5-6", "-o", "cuts")
    assert beyond.exit_code == 1
    assert "nothing can be decoded at 5 s" in beyond.stderr
    over = run("cut", f"{path}@2-4", "-o", "cuts")
    assert over.exit_code == 0
    assert "it ends 1.0 s before the end of the stretch" in over.stderr
    assert run("cut", f"{path}@2-3.05", "-o", "cuts").stderr == ""


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg", "mp3", "m4a", "alac.m4a", "mka"])
def test_of_a_recording_that_ends_too_early_only_the_end_is_decoded(kind, tmp_path, monkeypatch):
    path = song(tmp_path, kind)
    n_decoded = 0

    def counted(self, *, blocks=ContinuedRecording.blocks):
        nonlocal n_decoded
        for block in blocks(self):
            n_decoded += len(block)
            yield block

    monkeypatch.setattr(ContinuedRecording, "blocks", counted)
    with (tmp_path / "cut").open("wb") as target, pytest.raises(AudioError, match="at 20 s"):
        cut_recording(str(path), target.fileno(), 20.0, 21.0)
    assert 0 < n_decoded < 2 * RATE


def test_an_unknown_id_is_an_error_with_and_without_an_index(index, run):
    assert "no track under #77" in run("cut", "77@0-1", "-o", "cuts").stderr
    other = run("cut", "77@0-1", "-o", "cuts", "--index", "none")
    assert other.exit_code == 1
    assert "none" in other.stderr


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path, run):
    path = write(tmp_path / "x.wav", tone())
    result = run("cut", f"{path}@0-1", "-o", path)
    assert result.exit_code == 2
    assert "Can't create the folder" in result.stderr


def test_a_full_disk_leaves_no_file(tmp_path):
    path = write(tmp_path / "x.wav", noise(20.0))
    command = f"ulimit -f 64; {sys.executable} -m audiosearch cut {path}@0-20 -o cuts"
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "the stretch can't be written" in result.stderr
    assert "hint:" in result.stderr
    assert list(Path("cuts").iterdir()) == []


@pytest.mark.parametrize(
    "program",
    [
        pytest.param("import os; os.abort()", id="crash"),
        pytest.param("print('no JSON')", id="no answer"),
        pytest.param("print([])", id="another answer"),
    ],
)
def test_a_decoder_that_crashes_fails_one_hit(program, tmp_path, run, monkeypatch):
    monkeypatch.setattr(child_process, "_command", lambda *_: [sys.executable, "-c", program])
    path = write(tmp_path / "x.wav", tone())
    result = run("cut", f"{path}@0-1", "-o", "cuts")
    assert result.exit_code == 1
    assert "its decoder crashed" in result.stderr
    assert list(Path("cuts").iterdir()) == []


def test_a_decoder_that_hangs_is_stopped(tmp_path, run, monkeypatch):
    program = "import time; time.sleep(60)"
    monkeypatch.setattr(child_process, "_command", lambda *_: [sys.executable, "-c", program])
    monkeypatch.setattr(cut, "time_limit", lambda _: 0.2)
    path = write(tmp_path / "x.wav", tone())
    result = run("cut", f"{path}@0-1", "-o", "cuts")
    assert result.exit_code == 1
    assert "decoding it takes too long" in result.stderr
    assert list(Path("cuts").iterdir()) == []


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        pytest.param("62.5", 62.5, id="seconds"),
        pytest.param("1:02", 62.0, id="minutes"),
        pytest.param("1:02:03.4", 3_723.4, id="hours"),
        pytest.param("90:00", 5_400.0, id="many minutes"),
        pytest.param(".5", 0.5, id="no zero"),
        pytest.param(" 0 ", 0.0, id="zero"),
    ],
)
def test_a_time_is_read(text, seconds):
    assert parse_time(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        *("-1", "-0:01", "1:75", "1:60:00", "1:2:3:4", "ten", "1m", "nan", "inf", "1e3", "1,5"),
        *("", " ", ":", "1:", ":1", "1:02:", "99999999999", "\u0663", "0x10", "1_0"),
    ],
)
def test_nonsense_is_not_a_time(text):
    with pytest.raises(UsageError, match="is not a time in a recording"):
        parse_time(text)
