"""A library as a map: tracks that sound alike lie side by side."""

from audiosearch.soundmap.drawing import KINDS, check_drawable, default_color_field, draw, kind_of
from audiosearch.soundmap.layout import LEAST_MEASURED, MOST_MEASURED, SoundMap, sound_map
from audiosearch.soundmap.page import page

__all__ = [
    "KINDS",
    "LEAST_MEASURED",
    "MOST_MEASURED",
    "SoundMap",
    "check_drawable",
    "default_color_field",
    "draw",
    "kind_of",
    "page",
    "sound_map",
]
