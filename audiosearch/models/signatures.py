"""Signatures of LiteRT files: the names of their computations."""

from __future__ import annotations

from typing import Final

#: Turns patches into the values that are averaged over a file.
VALUES: Final = "serving_default"
#: Turns a file's averages into its embedding.
POOLED: Final = "pooled"
#: Turns patches into the scores of sounds.
SOUNDS: Final = "sounds"
#: Turns the values of `VALUES` into the same scores.
SOUNDS_FROM_VALUES: Final = "sounds_from_values"

#: Signatures that make embeddings.
EMBEDDING_SIGNATURES: Final = (VALUES, POOLED)
