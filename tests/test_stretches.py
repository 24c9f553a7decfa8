"""Stretches of files are decoded by seeking, in decoder processes, and kept for a while."""

import os
from pathlib import Path

import numpy as np
import pytest
from sounds import encode, melody, noise, write

from audiosearch import AudioError, time_limit
from audiosearch.audio.file_stat import size_and_mtime
from audiosearch.embedding import stretches
from audiosearch.embedding.decoder_process import DecoderProcess
from audiosearch.embedding.decoder_worker import StretchEnd
from audiosearch.embedding.stretches import Stretch, StretchReader
from audiosearch.errors import TookTooLong
from audiosearch.models.log_mel import frame_stream, log_mel_frames, log_mel_patches, patches_of

SAMPLES = melody(12, seed=5)


@pytest.fixture(scope="module")
def reader():
    with StretchReader(2) as reader:
        yield reader


@pytest.fixture
def wav(tmp_path):
    return write(tmp_path / "a.wav", SAMPLES)


def known(path, start, seconds):
    return Stretch(os.fspath(path), start, seconds, "", size_and_mtime(os.fspath(path)))


def test_patches_are_cut_from_frames():
    assert np.array_equal(
        patches_of(log_mel_frames(SAMPLES[:48_000])), log_mel_patches(SAMPLES[:48_000])
    )


def test_frames_do_not_depend_on_the_lengths_of_blocks():
    whole = log_mel_frames(SAMPLES)
    for blocks in ([SAMPLES], np.array_split(SAMPLES, 7), np.split(SAMPLES, [100, 15_000])):
        frames = np.concatenate(list(frame_stream(blocks)))
        assert frames.shape == whole.shape
        np.testing.assert_allclose(frames, whole, atol=1e-5)


@pytest.mark.parametrize(
    ("container", "codec", "suffix"),
    [
        pytest.param("flac", "flac", ".flac", id="positions can be sought"),
        pytest.param("adts", "aac", ".aac", id="positions can't be sought"),
        pytest.param("tta", "tta", ".tta", id="packets of a second"),
    ],
)
def test_stretches_are_the_same_as_cut_from_the_whole(reader, tmp_path, container, codec, suffix):
    path = encode(tmp_path / f"a{suffix}", SAMPLES, 16_000, container=container, codec=codec)
    whole = np.concatenate(
        [part for part in reader.stream(Stretch(str(path))) if not isinstance(part, StretchEnd)]
    )
    places = [(1.0, 2.0), (1.5, 4.0), (7.25, 1.0)]
    for (start, seconds), frames in zip(
        places, reader.read([Stretch(str(path), *place) for place in places]), strict=True
    ):
        first = round(100 * start)
        assert abs(len(frames) - 100 * seconds) < 3
        same = np.abs(frames[5:90] - whole[first + 5 : first + 90])
        assert np.median(same) < 0.01


@pytest.mark.parametrize("codec", ["VORBIS", "OPUS"])
def test_stretches_in_oggs_that_are_joined_as_by_radios_are_right(reader, tmp_path, codec):
    parts = [
        write(tmp_path / f"{n}", part, format="OGG", subtype=codec)
        for n, part in enumerate(np.split(SAMPLES, 3))
    ]
    path = tmp_path / "joined"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    (whole,) = reader.read([Stretch(str(path))])
    for start, seconds in ((1.0, 2.0), (3.0, 3.0), (6.0, 3.0), (9.5, 2.0)):
        *frames, end = reader.stream(Stretch(str(path), start, seconds))
        assert end.seconds > start + seconds - 0.05
        first = round(100 * start)
        same = np.abs(np.concatenate(frames)[5:190] - whole[first + 5 : first + 190])
        assert np.median(same) < 0.01


def test_a_stretch_beyond_the_end_has_no_frames_and_one_over_it_has_fewer(reader, wav):
    beyond, over = reader.read([Stretch(str(wav), 13.0, 2.0), Stretch(str(wav), 10.0, 5.0)])
    assert len(beyond) == 0
    assert len(over) == 198


@pytest.mark.parametrize(
    ("seconds", "start", "end"),
    [pytest.param(4.0, 4.0, 8.0, id="longer"), pytest.param(12.0, 0.0, 12.0, id="as long")],
)
def test_the_middle_of_a_file_is_read(reader, wav, seconds, start, end):
    *frames, last = reader.stream(Stretch(str(wav), seconds=seconds, is_middle=True))
    assert last == StretchEnd(12.0, None, start)
    expected = log_mel_frames(SAMPLES[round(start * 16_000) : round(end * 16_000)])
    assert np.concatenate(frames) == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("suffix", ["flac", "mp3"])
@pytest.mark.parametrize("seconds", [10.0, 15.0])
def test_of_a_file_whose_middle_is_cut_short_all_is_read(reader, tmp_path, suffix, seconds):
    path = write(tmp_path / f"a.{suffix}", noise(30.0))
    path.write_bytes(path.read_bytes()[: round(path.stat().st_size * seconds / 30.0)])
    *frames, last = reader.stream(Stretch(str(path), seconds=8.0, is_middle=True))
    assert sum(map(len, frames)) == pytest.approx(100 * seconds, abs=30)
    assert last.seconds == pytest.approx(seconds, abs=0.3)
    assert "cut short" in last.warning


def test_one_file_that_is_changed_or_missing_is_an_error_for_its_stretches_only(
    reader, wav, tmp_path
):
    changed = write(tmp_path / "b.wav", SAMPLES)
    missing = tmp_path / "c.wav"
    wanted = [known(wav, 1.0, 2.0), known(changed, 1.0, 2.0), Stretch(str(missing), 0.0, 1.0)]
    os.utime(changed, ns=(1, 1))
    frames, change, absence = reader.read(wanted)
    assert len(frames) == 198
    assert isinstance(change, AudioError)
    assert "has changed" in str(change)
    assert isinstance(absence, AudioError)


def test_stretches_are_kept_while_their_file_is_the_same(wav, monkeypatch):
    with StretchReader(1) as reader:
        (first,) = reader.read([known(wav, 1.0, 2.0)])
        monkeypatch.setattr(reader, "_read_file", None)
        (again,) = reader.read([known(wav, 1.0, 2.0)])
        assert again is first
        monkeypatch.undo()
        stretch = known(wav, 1.0, 2.0)
        wav.unlink()
        (gone,) = reader.read([stretch])
        assert isinstance(gone, AudioError)


def test_the_frames_that_are_kept_have_a_limit(wav, monkeypatch):
    monkeypatch.setattr(stretches, "CACHE_BYTES", 198 * 64 * 4)
    with StretchReader(1) as reader:
        reader.read([known(wav, 1.0, 2.0), known(wav, 2.0, 2.0)])
        assert len(reader._kept) == 1


def test_a_read_stops_at_the_time_limit_and_the_next_one_works(wav):
    with StretchReader(1) as reader:
        with time_limit.limited(time_limit.TimeLimit(0.0)), pytest.raises(TookTooLong):
            reader.read([known(wav, 1.0, 2.0)])
        (frames,) = reader.read([known(wav, 1.0, 2.0)])
    assert len(frames) == 198


def test_a_read_that_takes_too_long_stops_no_other(reader, wav, tmp_path):
    other = reader.stream(Stretch(str(write(tmp_path / "long.wav", np.tile(SAMPLES, 50)))))
    next(other)
    many = [known(wav, n / 100, 2.0) for n in range(900)]
    with time_limit.limited(time_limit.TimeLimit(0.1)), pytest.raises(TookTooLong):
        reader.read(many)
    assert isinstance([*other][-1], StretchEnd)


def test_a_reader_that_leaves_early_gets_nothing_of_that_file_later(wav, tmp_path):
    long = write(tmp_path / "long.wav", np.tile(SAMPLES, 10))
    process = DecoderProcess()
    expected = list(process.read_stretches(os.fspath(wav)))
    next(process.read_stretches(os.fspath(long)))
    messages = list(process.read_stretches(os.fspath(wav)))
    process.close()
    assert messages[-1] == expected[-1] == StretchEnd(12.0, None)
    assert all(map(np.array_equal, messages[:-1], expected[:-1]))


def test_closing_ends_the_processes(wav):
    reader = StretchReader(1)
    reader.read([known(wav, 1.0, 2.0)])
    (process,) = reader._idle
    reader.close()
    assert process._process.poll() is not None


def test_a_descriptor_is_read_like_a_path(reader, wav):
    from audiosearch.embedding.decoder_process import DecoderProcess

    process = DecoderProcess()
    try:
        with Path(wav).open("rb") as file:
            *frames, end = process.read_stretches(file.fileno(), [(2.0, 1.0)])
    finally:
        process.close()
    assert sum(map(len, frames)) == 98
    assert end == StretchEnd(12.0, None, 2.0)


@pytest.mark.parametrize(
    "start",
    [
        pytest.param(lambda p, path: p.read_stretches(path, [(0, 1), (5, 1)]), id="stretches"),
        pytest.param(lambda p, path: p.read(path, excerpt_seconds=None), id="patches"),
    ],
)
def test_answers_that_nobody_took_are_not_those_to_the_next_request(start, wav):
    from audiosearch.embedding.decoder_process import DecoderProcess

    process = DecoderProcess()
    try:
        left = start(process, str(wav))
        next(left)
        *frames, end = process.read_stretches(str(wav), [(2.0, 1.0)])
    finally:
        process.close()
    expected = log_mel_frames(SAMPLES[32_000:48_000])
    assert np.concatenate(frames) == pytest.approx(expected, abs=0.01)
    assert end == StretchEnd(12.0, None, 2.0)
