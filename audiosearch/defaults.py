"""Defaults and limits that Python, the command line and the page share."""

from __future__ import annotations

from typing import Final

# Vectors.
MIN_DIMENSION: Final = 2  # numbers in a vector
MAX_DIMENSION: Final = 4_096
DEFAULT_DIMENSION: Final = 128  # of VGGish, compact, and an index that doesn't say otherwise

# `optimize`.
DEFAULT_TARGET_RECALL: Final = 0.95  # share of the ten nearest tracks that a search must find

# `map`.
DEFAULT_MAP_KIND: Final = "html"
MAP_NEIGHBORS: Final = 5  # similar tracks that the page shows for each track
MIN_TRACKS_FOR_TRUSTWORTHINESS: Final = 21  # it is undefined for 10 neighbours of fewer tracks
MAX_TRACKS_FOR_TRUSTWORTHINESS: Final = 5_000  # more are sampled: it needs all pairwise distances

# `bench`.
DEFAULT_BENCH_ROUNDS: Final = 3

# `demo`.
DEFAULT_DEMO_FOLDER: Final = "audiosearch-demo"
