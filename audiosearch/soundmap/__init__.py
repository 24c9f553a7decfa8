"""Draw a library as a map: similar tracks are close together."""

from audiosearch.soundmap.colors import default_color_field
from audiosearch.soundmap.drawing import (
    KINDS,
    check_drawable,
    default_title,
    draw,
    kind_of,
)
from audiosearch.soundmap.layout import SoundMap, sound_map
from audiosearch.soundmap.page import page

__all__ = [
    "KINDS",
    "SoundMap",
    "check_drawable",
    "default_color_field",
    "default_title",
    "draw",
    "kind_of",
    "page",
    "sound_map",
]
