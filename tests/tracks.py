"""Made-up tracks and vectors."""

from __future__ import annotations

import numpy as np

from audiosearch.library.index import EmbeddingSpec, Track

SPEC = EmbeddingSpec("compact", "f" * 64)


def some_track(number, folder="/music"):
    return Track(
        path=f"{folder}/{number}.mp3",
        size=number,
        mtime_ns=1,
        content_hash="0" * 32,
        seconds=10.0,
        sample_rate_hz=44_100,
        channels=2,
        format="mp3",
        title=f"Song {number}",
    )


def unit_vectors(n, seed=0):
    vectors = np.random.default_rng(seed).standard_normal((n, 128)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def unit():
    return unit_vectors(1)[0]
