"""A library as a map: tracks that sound alike lie side by side."""

from audiosearch.soundmap.drawing import draw
from audiosearch.soundmap.layout import LEAST_MEASURED, SoundMap, sound_map

__all__ = ["LEAST_MEASURED", "SoundMap", "draw", "sound_map"]
