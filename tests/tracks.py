"""Made-up tracks and vectors."""

from __future__ import annotations

import numpy as np

from audiosearch.library.track import EmbeddingSpec, Track
from audiosearch.models.moments import Moments, PatchSounds, quantized
from audiosearch.models.sound import Sound

#: How many tracks a large index has: as many as --tracks says.
LARGE = 4_000
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


def heard(**scores):
    """Return the sounds of a track, given their scores: `heard(Dog=0.9, Animal=0.8)`."""
    sounds = (Sound(name.replace("_", " "), score, score, 0.0) for name, score in scores.items())
    return tuple(sorted(sounds, key=lambda sound: -sound.score))


def unit_vectors(n, seed=0, dimension=128):
    """Return random vectors of unit length: float32, shape (n, dimension)."""
    vectors = np.random.default_rng(seed).standard_normal((n, dimension)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def made_moments(n_patches, seed=0, dimension=128, n_words=16):
    """Return moments of random patches. Patch n has n % 3 sounds."""
    counts = np.arange(n_patches, dtype=np.uint8) % 3
    classes = np.arange(counts.sum(), dtype=np.uint16) * 7 % 521
    sounds = PatchSounds(counts, classes, (classes % 256).astype(np.uint8))
    words = np.random.default_rng(seed).integers(0, 2**16, (n_patches, n_words), dtype=np.uint16)
    return Moments(quantized(unit_vectors(n_patches, seed, dimension)), sounds, words)


def bytes_of_moments(moments):
    """Return the bytes of codes, sounds and prints."""
    sounds = moments.sounds and moments.sounds.to_bytes()
    return moments.codes.tobytes(), sounds, moments.prints_to_bytes()


def unit(dimension=128):
    """Return a vector of unit length: float32, shape (dimension,)."""
    return unit_vectors(1, dimension=dimension)[0]
