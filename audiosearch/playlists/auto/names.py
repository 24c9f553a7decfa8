"""Names of clusters: their most characteristic genres, decades and sounds, or else artists."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audiosearch import defaults
from audiosearch.library.track import fold
from audiosearch.soundmap.characteristic import CharacteristicLabels, numbered
from audiosearch.soundmap.labels import labels_of
from audiosearch.soundmap.sounds import strengths_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from audiosearch.library.track import Track

_MIN_GAIN = 0.02  # of a label that is more than a chance
_MIN_ARTIST_SHARE = 0.02  # of a cluster's tracks
_MAX_LABELS = 4  # in a name
_MAX_LABEL_LENGTH = 40  # characters
_MAX_NUMBER_LENGTH = 10  # characters that make a name different from others
_GENERAL = {"Music", "Musical instrument"}  # sounds that say little about music
#: Name of a cluster about which nothing is known.
_UNKNOWN = "Mix"


class ClusterNames:
    """Names of clusters of tracks. No name is given twice.

    Parameters
    ----------
    tracks : sequence of Track
        A sample of the library. Clusters are given by their rows.
    used : iterable of str
        Names that are taken.
    """

    def __init__(self, tracks: Sequence[Track], used: Sequence[str] = ()) -> None:
        genres = labels_of(tracks, "genre")
        decades = [None if t.year is None else f"{t.year // 10 * 10}s" for t in tracks]
        artists = labels_of(tracks, "artist")
        tags = zip(genres, decades, strict=True)
        self._tags = CharacteristicLabels([dict.fromkeys(filter(None, t), 1.0) for t in tags])
        self._sounds = CharacteristicLabels([_telling_sounds(track) for track in tracks])
        self._artists = CharacteristicLabels([{a: 1.0} if a else {} for a in artists])
        self._used = set(map(fold, used))

    def name(self, rows: list[int]) -> tuple[str, bool]:
        """Return a name for the tracks in some rows, and whether it says something about them.

        It is the most characteristic genre, decade or sound, or else one that most of the tracks
        have. If another cluster has this name, the next ones are added, or else artists. Without
        such labels, it is the most characteristic artist.
        """
        candidates = self._candidates(rows)
        name = next((text for text in candidates if fold(text) not in self._used), None)
        name = name or str(numbered(next(iter(candidates), _UNKNOWN), self._used))
        self._used.add(fold(name))
        return name, bool(candidates)

    def _candidates(self, rows: list[int]) -> list[str]:
        gains = self._sounds.gains(rows) | self._tags.gains(rows)
        labels = _ranked(gains)
        if not labels:
            common = (self._tags.most_common(rows), self._sounds.most_common(rows))
            labels = [label for label in common if label]
        artists = _ranked(self._artists.gains(rows, min_share=_MIN_ARTIST_SHARE))
        if not artists and (artist := self._artists.most_common(rows)):
            artists = [artist]
        names = [labels[:n] for n in range(1, len(labels) + 1)]
        like = "like" if labels else "Like"
        names += [
            [*labels[:1], f"{like} {artists[0]}", *artists[1:n]] for n in range(1, len(artists) + 1)
        ]
        return list(map(_joined, names))


def _telling_sounds(track: Track) -> dict[str, float]:
    """Return how strongly each sound is heard in a track, without sounds that say too little."""
    return {
        name: strength for name, strength in strengths_of(track).items() if name not in _GENERAL
    }


def _ranked(gains: dict[str, float]) -> list[str]:
    """Return the labels with the largest gains, the largest first."""
    labels = [label for label, gain in gains.items() if gain >= _MIN_GAIN]
    return sorted(labels, key=lambda label: (-gains[label], label))[:_MAX_LABELS]


def _joined(labels: list[str]) -> str:
    """Return labels as one text that can be the name of a saved playlist."""
    texts = [" ".join(label.split())[:_MAX_LABEL_LENGTH].strip() for label in labels]
    max_length = defaults.MAX_PLAYLIST_NAME_LENGTH - _MAX_NUMBER_LENGTH
    return ", ".join(texts)[:max_length].strip(" ,")
