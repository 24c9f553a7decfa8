"""Pooling of patch embeddings into one vector, and VGGish's post-processing."""

import numpy as np
import pytest

from audiosearch.embedding.pooling import RunningPool, unit
from audiosearch.errors import UsageError, WeightsError
from audiosearch.models import registry
from audiosearch.models.postprocess import PcaPostprocessor, postprocessor_for

GOLDEN = ["sine_1khz_3s", "chirp_noise_5s", "one_patch_15600", "one_short_30959", "silence_2s"]


def test_pooling_in_pieces_equals_pooling_at_once():
    embeddings = np.random.default_rng(0).standard_normal((50, 128)).astype(np.float32)
    pool = RunningPool()
    for start in range(0, 50, 7):
        pool.add(embeddings[start : start + 7])
    expected = embeddings.astype(np.float64).mean(axis=0)
    np.testing.assert_allclose(pool.mean(), expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_a_zero_or_infinite_vector_cannot_be_normalized(value):
    with pytest.raises(ValueError, match="no direction"):
        unit(np.full(128, value, dtype=np.float32))


def identity_pca():
    return PcaPostprocessor(np.eye(128, dtype=np.float32), np.zeros((128, 1), dtype=np.float32))


@pytest.mark.parametrize(
    ("value", "byte"), [(-9.0, 0), (-2.0, 0), (0.0, 127), (1.0, 191), (2.0, 255), (9.0, 255)]
)
def test_post_processing_clips_scales_and_truncates(value, byte):
    processed = identity_pca()(np.full((2, 128), value, dtype=np.float32))
    assert processed.dtype == np.uint8
    assert (processed == byte).all()


@pytest.mark.parametrize("name", GOLDEN)
def test_post_processing_equals_the_reference(golden, name):
    postprocess = PcaPostprocessor(golden["pca_eigen_vectors"], golden["pca_means"])
    processed = postprocess(golden[f"{name}/embeddings"])
    np.testing.assert_array_equal(processed, golden[f"{name}/postprocessed"])


@pytest.mark.parametrize(
    "arrays",
    [
        pytest.param({}, id="no arrays"),
        pytest.param(
            {"pca_eigen_vectors": np.eye(128), "pca_means": np.zeros(128)}, id="wrong shape"
        ),
    ],
)
def test_pca_files_with_missing_or_misshapen_arrays_are_rejected(tmp_path, arrays):
    path = tmp_path / "pca.npz"
    np.savez(path, **arrays)
    with pytest.raises(WeightsError, match=r"pca\.npz"):
        PcaPostprocessor.read(path)


def test_a_text_file_is_rejected_as_pca_parameters(tmp_path):
    path = tmp_path / "pca.npz"
    path.write_text("no archive")
    with pytest.raises(WeightsError, match="cannot be read"):
        PcaPostprocessor.read(path)


def test_the_published_pca_is_only_for_vggish():
    with pytest.raises(UsageError, match="not for compact"):
        postprocessor_for(registry.compact())
