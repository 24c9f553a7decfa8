"""The outline of a recording: the peak of each 1/800 of it."""

from contextlib import closing

import numpy as np
import pytest
from sounds import noise, write

from audiosearch.audio.waveform import N_PEAKS, Peaks, from_bytes, to_bytes
from audiosearch.embedding.decoder_process import DecoderProcess
from audiosearch.embedding.patch_reader import PatchReader


def peaks_of(samples, n_blocks=1):
    peaks = Peaks()
    for block in np.array_split(samples, n_blocks):
        peaks.add(block)
    return peaks.values()


@pytest.mark.parametrize("seconds", [4.0, 60.0, 200.0])
@pytest.mark.parametrize("n_blocks", [7, 500])
def test_blocks_of_any_length_give_the_same_peaks(n_blocks, seconds):
    samples = noise(seconds)
    np.testing.assert_array_equal(peaks_of(samples, n_blocks), peaks_of(samples))


def test_each_value_is_the_largest_magnitude_of_its_part():
    samples = noise(1.0)[:8_000]
    expected = np.abs(samples).reshape(N_PEAKS, -1).max(axis=1)
    np.testing.assert_allclose(peaks_of(samples), expected / expected.max(), rtol=1e-6)


@pytest.mark.parametrize("seconds", [5.0, 30.0, 123.4])
def test_a_click_is_drawn_where_it_is_however_long_the_file(seconds):
    samples = np.zeros(int(seconds * 16_000), dtype=np.float32)
    at = int(0.7 * len(samples)) + len(samples) // (2 * N_PEAKS)
    samples[at] = -0.25
    assert np.flatnonzero(peaks_of(samples, 40)).tolist() == [int(0.7 * N_PEAKS)]
    assert peaks_of(samples, 40).max() == 1.0


@pytest.mark.parametrize(
    "samples",
    [
        pytest.param(np.zeros(5_000, np.float32), id="silent"),
        pytest.param(np.zeros(0, np.float32), id="empty"),
        pytest.param(np.full(5_000, np.nan, np.float32), id="not a number"),
        pytest.param(np.full(5_000, -np.inf, np.float32), id="infinite"),
    ],
)
def test_a_file_without_sound_has_zeros(samples):
    assert peaks_of(samples).tolist() == [0.0] * N_PEAKS


def test_a_file_of_fewer_samples_than_values_is_drawn_in_steps():
    peaks = peaks_of(np.array([0.5, -1.0], np.float32))
    assert peaks.tolist() == [0.5] * 400 + [1.0] * 400


@pytest.mark.parametrize("rate", [8_000, 16_000, 48_000])
def test_embedding_a_whole_file_also_finds_its_peaks(tmp_path, rate):
    times = np.arange(2 * rate) / rate
    rising = np.sin(2_000 * np.pi * times) * times / 2
    path = str(write(tmp_path / "rising.wav", rising.astype(np.float32), rate))
    with PatchReader(path) as reader:
        list(reader)
    expected = np.linspace(0, 1, N_PEAKS)
    np.testing.assert_allclose(from_bytes(reader.waveform), expected, atol=0.02)
    with closing(DecoderProcess()) as decoder:
        (*_, summary) = decoder.read(path, excerpt_seconds=None)
        alone = decoder.peaks(path)
    assert summary.waveform == reader.waveform == to_bytes(alone.values)
    assert alone.seconds == 2.0


def test_sounds_above_8_khz_are_drawn(tmp_path):
    times = np.arange(48_000) / 48_000
    whistle = np.sin(2 * np.pi * 15_000 * times) * (times > 0.5) / 2
    path = str(write(tmp_path / "whistle.wav", whistle.astype(np.float32), 48_000))
    with PatchReader(path) as reader:
        list(reader)
    values = from_bytes(reader.waveform)
    assert max(values[:399]) == 0
    assert min(values[402:]) > 0.9


def test_an_excerpt_has_no_waveform(tmp_path):
    path = str(write(tmp_path / "a.wav", noise(6.0)))
    with PatchReader(path, excerpt_seconds=2) as reader:
        list(reader)
    assert reader.waveform == b""
