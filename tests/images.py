"""Make images for tests."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image


def encoded(kind: str, size: tuple[int, int], mode: str = "RGB", **options: Any) -> bytes:
    """An image of a few colors."""
    channels = len(mode)
    pixels = np.random.default_rng(0).integers(0, 255, (4, 4, channels), dtype=np.uint8)
    image = Image.fromarray(pixels, mode).resize(size)
    output = io.BytesIO()
    image.save(output, kind, **options)
    return output.getvalue()


#: A small image.
PNG = encoded("PNG", (8, 8))
