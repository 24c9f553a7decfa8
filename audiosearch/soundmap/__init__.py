"""A library as a map: tracks that sound alike lie side by side."""

from audiosearch.soundmap.drawing import draw, telling_color
from audiosearch.soundmap.layout import LEAST_MEASURED, SoundMap, sound_map
from audiosearch.soundmap.page import page

__all__ = ["LEAST_MEASURED", "SoundMap", "draw", "page", "sound_map", "telling_color"]
