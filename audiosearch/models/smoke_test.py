"""Google's smoke test, which the published weights of VGGish pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from audiosearch.models.front_end import SAMPLE_RATE_HZ
from audiosearch.models.log_mel import log_mel_patches

if TYPE_CHECKING:
    from audiosearch.models.postprocess import PcaPostprocessor
    from audiosearch.models.runtime import Network
    from audiosearch.types import Float32

_TOLERANCE = 0.1  # relative


@dataclass(frozen=True, slots=True)
class Check:
    """A computed number of the smoke test and its published value."""

    name: str
    value: float
    expected: float

    @property
    def passed(self) -> bool:
        """Whether the computed number is within 10 % of the published one."""
        return abs(self.value - self.expected) <= _TOLERANCE * abs(self.expected)


def smoke_test(network: Network, postprocess: PcaPostprocessor | None = None) -> list[Check]:
    """Run 3 s of a 1 kHz sine through a network and compare the embeddings with published values.

    Parameters
    ----------
    network : Network
    postprocess : PcaPostprocessor, optional
        If given, the post-processed embeddings are compared too.

    Returns
    -------
    list of Check

    References
    ----------
    .. [1] ``vggish_smoke_test.py`` in github.com/tensorflow/models, research/audioset/vggish.
    """
    embeddings = network(log_mel_patches(_sine()))
    checks = [
        Check("embedding mean", float(embeddings.mean()), 0.000657),
        Check("embedding standard deviation", float(embeddings.std()), 0.343),
    ]
    if postprocess is not None:
        values = postprocess(embeddings)
        checks += [
            Check("post-processed mean", float(values.mean()), 126.0),
            Check("post-processed standard deviation", float(values.std()), 89.3),
        ]
    return checks


def _sine() -> Float32:
    """Return 3 s of a 1 kHz sine: float32, shape (48000,), in [-1, 1]."""
    seconds = np.arange(3 * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    return np.sin(2 * np.pi * 1_000 * seconds).astype(np.float32)
