"""The front end: a waveform becomes log-mel patches."""

import numpy as np
import pytest
from sounds import melody

from audiosearch.models.front_end import PATCH_SAMPLES
from audiosearch.models.log_mel import (
    frame_stream,
    log_mel_frames,
    log_mel_patches,
    mel_weights,
    patch_stream,
)

GOLDEN = ["sine_1khz_3s", "chirp_noise_5s", "one_patch_15600", "one_short_30959", "silence_2s"]


@pytest.mark.parametrize(
    ("n_samples", "n_patches"),
    [
        pytest.param(0, 0, id="empty"),
        pytest.param(15_599, 0, id="one sample short of one"),
        pytest.param(15_600, 1, id="exactly one patch"),
        pytest.param(30_959, 1, id="one sample short of two"),
        pytest.param(30_960, 2, id="exactly two patches"),
    ],
)
def test_a_trailing_partial_patch_is_dropped(n_samples, n_patches):
    patches = log_mel_patches(np.zeros(n_samples, dtype=np.float32))
    assert patches.shape == (n_patches, 96, 64)
    assert patches.dtype == np.float32


@pytest.mark.parametrize("block", [1_000, 15_360, 15_600, 16_001, 100_000])
def test_a_stream_has_the_same_patches_as_the_whole_waveform(block):
    waveform = melody(6.0)
    blocks = (waveform[i : i + block] for i in range(0, len(waveform), block))
    streamed = np.concatenate(list(patch_stream(blocks)))
    np.testing.assert_allclose(streamed, log_mel_patches(waveform), atol=1e-5)


def test_a_stream_is_turned_into_frames_many_seconds_at_a_time():
    waveform = melody(60.0)
    streamed = list(frame_stream(np.split(waveform, 100)))
    assert all(1_400 < len(frames) <= 2_880 for frames in streamed[:-1])
    np.testing.assert_array_equal(np.concatenate(streamed), log_mel_frames(waveform))


def test_a_short_stream_is_padded_to_one_patch():
    short = melody(0.25)
    padded = np.pad(short, (0, PATCH_SAMPLES - len(short)))
    (patches,) = patch_stream([short])
    np.testing.assert_array_equal(patches, log_mel_patches(padded))


def test_an_empty_stream_has_no_patches():
    assert list(patch_stream([])) == []


def test_silence_becomes_the_logarithm_of_the_offset():
    patches = log_mel_patches(np.zeros(PATCH_SAMPLES, dtype=np.float32))
    np.testing.assert_allclose(patches, np.log(0.01), rtol=1e-6)


def test_a_tone_is_loudest_in_its_band():
    t = np.arange(PATCH_SAMPLES) / 16_000
    patch = log_mel_patches(np.sin(2 * np.pi * 1_000 * t).astype(np.float32))[0]
    loudest = set(patch.argmax(axis=1))
    centers = mel_weights().argmax(axis=0) * 16_000 / 512
    assert all(abs(centers[band] - 1_000) < 60 for band in loudest)


def test_the_filter_bank_passes_125_to_7500_hertz_but_not_dc():
    weights = mel_weights()
    hertz = np.arange(257) * 16_000 / 512
    assert weights.shape == (257, 64)
    assert not weights[(hertz < 125) | (hertz > 7_500)].any()
    assert not weights[0].any()


@pytest.mark.parametrize("name", GOLDEN)
def test_patches_equal_those_of_the_reference(golden, name):
    patches = log_mel_patches(golden[f"{name}/waveform"])
    np.testing.assert_allclose(patches, golden[f"{name}/patches"], atol=1e-3, rtol=0)
