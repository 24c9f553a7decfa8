"""Defaults and limits that Python, the command line, the HTTP interface and its page share."""

from __future__ import annotations

from typing import Final

# Vectors
MIN_DIMENSION: Final = 2  # numbers in a vector
MAX_DIMENSION: Final = 4_096  # numbers in a vector
