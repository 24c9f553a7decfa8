"""Defaults and limits that Python, the command line and the page share."""

from __future__ import annotations

from typing import Final

# Vectors.
MIN_DIMENSION: Final = 2  # numbers in a vector
MAX_DIMENSION: Final = 4_096
DEFAULT_DIMENSION: Final = 128  # of VGGish, compact, and an index that doesn't say otherwise
