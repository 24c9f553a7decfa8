"""A map as JSON-compatible values with one list per field: the form of ``GET /api/map``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from audiosearch import defaults
from audiosearch.soundmap.colors import legend
from audiosearch.soundmap.labels import file_of, first_sounds, name_of
from audiosearch.soundmap.palette import OTHER_COLOR
from audiosearch.soundmap.regions import regions_as_json

if TYPE_CHECKING:
    from audiosearch.soundmap.layout import SoundMap

_DECIMALS = 5  # decimals of a position: a step is smaller than a pixel


def content(sound_map: SoundMap) -> dict[str, Any]:
    """Return a map as JSON-compatible values: for each field, a list with one value per track."""
    tracks = sound_map.tracks
    labels = sound_map.labels
    return {
        "ids": [track.id for track in tracks],
        "x": sound_map.positions[:, 0].round(_DECIMALS).tolist(),
        "y": sound_map.positions[:, 1].round(_DECIMALS).tolist(),
        "name": [name_of(track) for track in tracks],
        "file": [file_of(track) for track in tracks],
        "year": [track.year for track in tracks],
        "seconds": [round(track.seconds) for track in tracks],
        "sounds": [defaults.LIST_SEPARATOR.join(first_sounds(track)) for track in tracks],
        **labels,
        "colors": {field: legend(labels[field]) for field in labels},
        "others": OTHER_COLOR,
        "neighbours": sound_map.neighbors().tolist(),
        "regions": regions_as_json(sound_map.regions),
    }
