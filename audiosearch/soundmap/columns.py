"""A map as columns of JSON-compatible values: small, and in parts that are shown as they arrive."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from audiosearch.soundmap.colors import ranked
from audiosearch.soundmap.labels import file_of, first_sounds, name_of
from audiosearch.soundmap.palette import OTHER_COLOR, PALETTE
from audiosearch.soundmap.regions import regions_as_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from audiosearch.soundmap.layout import SoundMap

#: Largest value of a position; the smallest is 0. A step is smaller than a pixel.
MAX_POSITION = 2**16 - 1

_FIRST_FIELDS = ("genre", "sound", "cluster")  # they have few values, so points come with them


def columns_of(sound_map: SoundMap, *, color_by: str) -> dict[str, Any]:
    """Return a map as columns, in three parts.

    Parameters
    ----------
    sound_map : SoundMap
    color_by : {"genre", "artist", "album", "folder", "sound", "cluster"}
        Tag or sound to color by at first.

    Returns
    -------
    dict
        ``points``: ids, positions (0 to 65,535, y upwards), regions and their parts, and the labels
        that most maps are colored by. ``names``: names, files, years, lengths in seconds, sounds,
        and the other labels. ``neighbours``: rows of the most similar tracks. Lists have one
        value per track.
    """
    tracks = sound_map.tracks
    labels = {field: coded(values) for field, values in sound_map.labels.items()}
    first = {field: labels.pop(field) for field in {*_FIRST_FIELDS, color_by}}
    positions = ((sound_map.positions.clip(-1, 1) + 1) * (MAX_POSITION / 2)).round().astype(int)
    points = {
        "ids": [track.id for track in tracks],
        "x": positions[:, 0].tolist(),
        "y": positions[:, 1].tolist(),
        "columns": first,
        "color_by": color_by,
        "palette": {"colors": PALETTE, "others": OTHER_COLOR},
        "regions": regions_as_json(sound_map.regions),
        "parts": regions_as_json(sound_map.parts),
    }
    names = {
        "name": [name_of(track) for track in tracks],
        "file": [file_of(track) for track in tracks],
        "year": [track.year for track in tracks],
        "seconds": [round(track.seconds, 2 if track.seconds < 10 else None) for track in tracks],
        "sounds": _coded_lists([first_sounds(track) for track in tracks]),
        "columns": labels,
    }
    neighbours = {"neighbours": sound_map.neighbors().tolist()}
    return {"points": points, "names": names, "neighbours": neighbours}


def coded(labels: Sequence[str | None]) -> dict[str, Any]:
    """Return labels as the different ones (``values``), and the number of each one (``codes``).

    The most frequent label has the number 0. No label has the number -1.

    Examples
    --------
    >>> coded(["pop", None, "jazz", "jazz"])
    {'values': ['jazz', 'pop'], 'codes': [1, -1, 0, 0]}
    """
    values, numbers = _numbered(labels)
    return {"values": values, "codes": [numbers[label] if label else -1 for label in labels]}


def _coded_lists(lists: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Return lists of labels as the different labels, and lists of their numbers."""
    values, numbers = _numbered(label for labels in lists for label in labels)
    return {"values": values, "codes": [[numbers[label] for label in labels] for labels in lists]}


def _numbered(labels: Iterable[str | None]) -> tuple[list[str], dict[str, int]]:
    """Return the different labels, the most frequent first, and the number of each."""
    values = [label for label, _ in ranked(labels)]
    return values, {label: number for number, label in enumerate(values)}
