"""Shapes of VGGish's layers.

References
----------
.. [1] ``vggish_slim.py`` in github.com/tensorflow/models, research/audioset/vggish.
"""

from __future__ import annotations

from typing import Final

VGGISH_DIMENSION: Final = 128

#: Shapes of VGGish's nine weight arrays. Each is followed by a bias as long as its last axis.
VGGISH_SHAPES: Final = (
    *((3, 3, 1, 64), (3, 3, 64, 128), (3, 3, 128, 256), (3, 3, 256, 256)),
    *((3, 3, 256, 512), (3, 3, 512, 512)),
    *((12_288, 4_096), (4_096, 4_096), (4_096, VGGISH_DIMENSION)),
)

#: Multiplications and additions for one patch, layer by layer.
VGGISH_FLOPS_PER_PATCH: Final = 2 * (
    96 * 64 * 64 * 9
    + 48 * 32 * 128 * 64 * 9
    + 24 * 16 * 256 * (128 + 256) * 9
    + 12 * 8 * 512 * (256 + 512) * 9
    + 6 * 4 * 512 * 4_096
    + 4_096 * 4_096
    + 4_096 * VGGISH_DIMENSION
)
