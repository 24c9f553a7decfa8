"""Models by name: compact, a user's own, and what an index remembers."""

import shutil

import numpy as np
import pytest
import tensorflow as tf
from networks import mean_bands, pooled_tflite, tflite
from sounds import melody, write

from audiosearch import ModelUnavailable, UsageError, WeightsError
from audiosearch.models import registry
from audiosearch.models.tflite_graph import vggish_arrays

pytestmark = pytest.mark.filterwarnings("ignore")  # TensorFlow's own


def test_a_model_of_one_s_own_is_found_again_without_its_file(music, run, tmp_path):
    path = tflite(tmp_path / "own.tflite", mean_bands)
    assert run("add", music, "--model", path).exit_code == 0
    assert '"model": "own.tflite"' in run("info", "--format", "json").stdout
    path.unlink()
    unseen = write(tmp_path / "unseen.wav", melody(seed=4))
    assert run("query", unseen).exit_code == 0
    other = tflite(tmp_path / "own.tflite", lambda patches: 2 * mean_bands(patches) + 1)
    refused = run("query", unseen, "--model", other)
    assert refused.exit_code == 1
    assert refused.stderr.count("own.tflite (digest") == 2


def test_a_copy_of_compact_is_a_model_like_any_other(tmp_path):
    copy = tmp_path / "copy.tflite"
    shutil.copyfile(registry.compact().path, copy)
    model = registry.choose(str(copy))
    assert (model.name, model.weights_digest) == ("copy.tflite", registry.compact().weights_digest)


@pytest.mark.parametrize(
    ("embed", "shape", "reason"),
    [
        pytest.param(lambda p: p[:, 0, :], (None, 96, 64), "embeddings of 128", id="64 values"),
        pytest.param(mean_bands, (None, 50, 64), "embeddings of 128", id="50 frames"),
    ],
)
def test_models_of_other_shapes_are_refused(tmp_path, embed, shape, reason):
    path = tflite(tmp_path / "x.tflite", embed, shape=shape)
    with pytest.raises(WeightsError, match=reason):
        registry.choose(str(path))


@pytest.mark.parametrize(
    ("n_values", "n_pooled", "n_out"),
    [
        pytest.param(64, 100, 128, id="averages of another size"),
        pytest.param(64, 64, 100, id="embeddings of another size"),
    ],
)
def test_second_signatures_of_other_shapes_are_refused(tmp_path, n_values, n_pooled, n_out):
    path = pooled_tflite(
        tmp_path / "x.tflite",
        lambda patches: patches[:, 0, :n_values],
        lambda averages: tf.tile(averages, [1, 2])[:, :n_out],
        n_values=n_pooled,
    )
    with pytest.raises(WeightsError, match="embeddings of 128"):
        registry.choose(str(path))


def test_a_file_that_is_no_model_is_refused(tmp_path):
    path = tmp_path / "x.tflite"
    path.write_bytes(b"no model" * 100)
    with pytest.raises(WeightsError, match=r"x\.tflite"):
        registry.choose(str(path))


def test_weights_are_for_vggish_alone(tmp_path):
    with pytest.raises(UsageError, match="not for compact"):
        registry.choose("compact", weights=tmp_path / "x.ckpt")


@pytest.mark.parametrize("weights_digest", ["0" * 64, "../../evil", ""])
def test_a_digest_that_is_not_here_is_said(weights_digest):
    with pytest.raises(ModelUnavailable, match="not on this machine"):
        registry.by_digest("vggish", weights_digest)


def test_damaged_files_are_not_taken_for_vggish():
    content = bytearray(registry.compact().path.read_bytes())
    rng = np.random.default_rng(0)
    assert vggish_arrays(bytes(content)) is None
    for _ in range(200):
        at = int(rng.integers(8, 4_000))
        content[at] ^= int(rng.integers(1, 255))
        assert vggish_arrays(bytes(content)) is None
