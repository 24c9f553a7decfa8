"""The smoke test distinguishes the published weights from other weights."""

import numpy as np
import pytest

from audiosearch.models.postprocess import PcaPostprocessor
from audiosearch.models.smoke_test import smoke_test


def network_of(mean, deviation):
    """Return a network whose embeddings have a mean and a standard deviation."""

    def network(patches):
        assert patches.shape == (3, 96, 64)
        signs = np.resize([1.0, -1.0], (3, 128))
        return (mean + deviation * signs).astype(np.float32)

    return network


@pytest.mark.parametrize(
    ("mean", "deviation", "passed"),
    [
        pytest.param(0.000657, 0.343, [True, True], id="the published values"),
        pytest.param(0.000657 * 1.09, 0.343 * 0.91, [True, True], id="within 10 %"),
        pytest.param(0.000657 * 1.11, 0.343, [False, True], id="a mean 11 % off"),
        pytest.param(0.000657, 0.343 * 0.89, [True, False], id="a deviation 11 % off"),
    ],
)
def test_mean_and_deviation_must_be_within_ten_percent(mean, deviation, passed):
    assert [check.passed for check in smoke_test(network_of(mean, deviation))] == passed


def test_post_processed_values_are_compared_too():
    postprocess = PcaPostprocessor(np.eye(128, dtype=np.float32), np.zeros((128, 1), np.float32))
    checks = smoke_test(network_of(0.0, 1.4), postprocess)
    assert [check.name for check in checks[2:]] == [
        "post-processed mean",
        "post-processed standard deviation",
    ]
    assert [check.passed for check in checks[2:]] == [True, True]
