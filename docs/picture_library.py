"""Library of the pictures in README.md, and the clip that they search with."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from audiosearch.demo import KINDS, RATE_HZ
from audiosearch.demo_tags import tagged_wav, tags_of, untagged_wav

if TYPE_CHECKING:
    from pathlib import Path

    from audiosearch.types import Float32, Float64

CONCENTRATION = 0.1  # of the Dirichlet distribution: a smaller one makes purer sounds
MIN_SHARE = 0.01  # smaller shares of a mix are left out
CLIP_KINDS = ("birds", "birds", "birds", "pluck")  # heard one after the other in the clip


def write_library(folder: Path, n_sounds: int) -> dict[str, Path]:
    """Write the sounds as WAV files with tags.

    Returns
    -------
    dict of str to Path
        For each kind, a sound of this kind alone.
    """
    rng = np.random.default_rng(1)
    names = list(KINDS)
    numbers: Counter[str] = Counter()
    pure: dict[str, Path] = {}
    mixes = rng.dirichlet(np.full(len(names), CONCENTRATION), n_sounds)
    folder.mkdir(parents=True)
    for count, shares in enumerate(np.concatenate([np.eye(len(names)), mixes])):
        parts = [
            share * _sound(name, rng)
            for name, share in zip(names, shares, strict=True)
            if share > MIN_SHARE
        ]
        kind = names[shares.argmax()]
        tags = tags_of(kind, numbers[kind])
        path = folder / f"{count:04} {tags.title}.wav"
        waveform = _normalized(np.sum(parts, axis=0))
        path.write_bytes(tagged_wav(waveform, RATE_HZ, kind, numbers[kind]))
        numbers[kind] += 1
        pure.setdefault(kind, path)
    return pure


def _sound(kind: str, rng: np.random.Generator) -> Float64:
    """Synthesize a sound of one kind, scaled so that all kinds are about equally loud.

    Low frequencies count less towards the loudness, as they do for the ear.
    """
    waveform = KINDS[kind](rng)
    emphasized = waveform[1:] - 0.9 * waveform[:-1]
    return np.asarray(waveform / np.abs(emphasized).mean())


def _normalized(waveform: Float64) -> Float32:
    return np.asarray(0.8 * waveform / np.abs(waveform).max(), dtype=np.float32)


def clip_content() -> bytes:
    """Return a WAV file of sounds that aren't in the library, one after the other."""
    rng = np.random.default_rng(7)
    parts = [_normalized(KINDS[kind](rng)) for kind in CLIP_KINDS]
    return untagged_wav(np.concatenate(parts), RATE_HZ)
