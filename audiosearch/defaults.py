"""Defaults and limits that Python, the command line, the HTTP interface and its page share."""

from __future__ import annotations

from typing import Final

# Vectors
MIN_DIMENSION: Final = 2  # numbers in a vector
MAX_DIMENSION: Final = 4_096  # numbers in a vector
DEFAULT_DIMENSION: Final = 128  # VGGish's and compact's; of an index that doesn't say its own

# `optimize`
TARGET_RECALL: Final = 0.95  # share of the ten nearest tracks that a search must find

# `map`
MAP_KIND: Final = "html"
MIN_TRUSTWORTHINESS_TRACKS: Final = 21  # trustworthiness at 10 neighbors is undefined for fewer
MAX_TRUSTWORTHINESS_TRACKS: Final = 5_000  # of more, a sample is measured: all pairs count

# `bench`
BENCH_ROUNDS: Final = 3

# `demo`
DEMO_FOLDER: Final = "audiosearch-demo"
