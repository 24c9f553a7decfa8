"""The tagger: which of AudioSet's 521 classes of sounds are heard in a patch.

It is the signature ``sounds`` of compact.tflite. It listens to the same patches as any model of
embeddings.
"""

from __future__ import annotations

#: LiteRT signature that turns patches into scores.
SOUNDS = "sounds"
#: LiteRT signature that turns the values of the signature ``serving_default`` into the same scores.
SOUNDS_FROM_VALUES = "sounds_from_values"
#: Name of the metadata with the names of the classes, a line each.
NAMES = "sound_names"
