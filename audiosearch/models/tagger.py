"""The tagger: which of AudioSet's 521 classes of sounds are heard in a patch.

It is the signature ``sounds`` of compact.tflite. It listens to the same patches as any model of
embeddings.
"""

from __future__ import annotations

from functools import cache

#: LiteRT signature that turns patches into scores.
SOUNDS = "sounds"
#: LiteRT signature that turns the values of the signature ``serving_default`` into the same scores.
SOUNDS_FROM_VALUES = "sounds_from_values"
#: Name of the metadata with the names of the classes, a line each.
NAMES = "sound_names"


@cache
def sound_names() -> tuple[str, ...]:
    """Return the names of the 521 classes, in the order of the scores."""
    from importlib.resources import files

    from ai_edge_litert import schema_py_generated as schema

    content = files("audiosearch.models").joinpath("compact.tflite").read_bytes()
    model = schema.Model.GetRootAsModel(content, 0)
    metadata = [model.Metadata(i) for i in range(model.MetadataLength())]
    (entry,) = [item for item in metadata if item.Name() == NAMES.encode()]
    buffer = model.Buffers(entry.Buffer())
    start, size = buffer.Offset(), buffer.Size()  # after the flatbuffer, if it isn't inline
    text = content[start : start + size] if size else bytes(buffer.DataAsNumpy())
    return tuple(text.decode().split("\n"))
