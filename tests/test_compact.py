"""The model that ships: rebuilt from its constants, and good for something."""

import numpy as np
import pytest
from sounds import melody, noise, tone

from audiosearch.models import registry
from audiosearch.models.runtime import Network
from audiosearch.sound.embedder import PatchReader
from audiosearch.sound.mel import log_mel_patches
from audiosearch.training.compact import N_STATISTICS, Whitening, export, fit, statistics


@pytest.fixture(scope="module")
def shipped():
    return registry.compact().load()


@pytest.mark.filterwarnings("ignore")  # TensorFlow's own
def test_the_committed_file_is_what_the_committed_constants_give(shipped, tmp_path):
    rebuilt = tmp_path / "compact.tflite"
    rebuilt.write_bytes(export(Whitening.read()))
    patches = log_mel_patches(melody(10.0))
    np.testing.assert_allclose(Network(rebuilt)(patches), shipped(patches), atol=1e-5)


def test_its_values_are_finite_for_silence(shipped):
    values = shipped(np.full((2, 96, 64), np.log(0.01), dtype=np.float32))
    assert values.shape == (2, 128)
    assert np.isfinite(values).all()
    assert np.linalg.norm(values[0]) > 1


def test_sounds_of_a_kind_are_nearer_than_others(shipped):
    def vector(samples):
        pooled = shipped(log_mel_patches(samples)).mean(axis=0)
        return pooled / np.linalg.norm(pooled)

    hiss, other_hiss = vector(noise(seed=1)), vector(noise(seed=2))
    assert hiss @ other_hiss > hiss @ vector(tone()) + 0.3


@pytest.mark.filterwarnings("ignore")  # TensorFlow's own
def test_fitting_whitens_what_it_was_fitted_on(music):
    paths = sorted(music.rglob("*.*"))
    whitening = fit(paths)
    assert whitening.matrix.shape == (N_STATISTICS, N_STATISTICS)
    files = []
    for path in paths:
        with PatchReader(path) as reader:
            values = statistics(np.concatenate(list(reader))).numpy()
        files.append((values - whitening.mean) @ whitening.matrix)
    # Every file counts the same; what is left of a correlation is its ridge's share.
    mean = np.mean([values.mean(axis=0) for values in files], axis=0)
    covariance = np.mean([values.T @ values / len(values) for values in files], axis=0)
    np.testing.assert_allclose(mean, 0, atol=1e-3)
    np.testing.assert_allclose(covariance, np.diag(np.diag(covariance)), atol=1e-3)
    assert (np.diag(covariance) < 1).all()
    assert np.diag(covariance).max() > 0.9
