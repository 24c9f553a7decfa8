"""Compare stretches with a clip by the sound itself: their log-mel spectrograms."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from audiosearch.embedding.stretches import Stretch
from audiosearch.errors import AudioError
from audiosearch.search.moments.clip import FRAMES_PER_SECOND, padded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from audiosearch.embedding.stretches import StretchReader
    from audiosearch.library.track import Track
    from audiosearch.search.moments.clip import Clip
    from audiosearch.search.moments.places import Place
    from audiosearch.types import Float32, Float64

#: Seconds by which a stretch is shifted against the clip, in both directions.
MAX_SHIFT: Final = 1.0
# Of 5,700 comparisons of 57 clips of 5 s with other recordings, the highest correlation was 0.126
# (99 %: 0.07). Recordings that are half of a mix had 0.13 or more.
_SAME_MATCH = 0.13  # of a clip of 5 s: see `same_match`
_SAME_SECONDS = 5.0
_MIN_SAME_MATCH = 0.1
#: Correlation from which on no better place is searched for.
CLEAR_MATCH: Final = 0.7
#: Seconds of a long clip that are compared, from its middle. More recognize no softer recording:
#: see `same_match`.
MAX_COMPARED: Final = 10.0

_FRAME_SECONDS = 0.015  # by which a frame is longer than the hop
_MEAN_FRAMES, _MEAN_BANDS = 51, 9  # of local means


@dataclass(frozen=True, slots=True)
class MatchedPlaces:
    """Places that were compared with a clip by their spectrograms.

    Attributes
    ----------
    same : list of Place
        Those of the same recording.
    others : list of Place
        Those of other recordings, in their order.
    unread : list of (int, Place)
        Those that couldn't be compared, each with its position before.
    problems : list of AudioError
        The reasons why they couldn't.
    """

    same: list[Place]
    others: list[Place]
    unread: list[tuple[int, Place]]
    problems: list[AudioError]

    def ranked(self, same: Iterable[Place]) -> list[Place]:
        """Return places of the same recording, the best match first, and then the others.

        Those that are unread stay in their positions.
        """
        by_match = sorted(same, key=lambda place: -(place.match or 0))
        result = [*by_match, *self.others]
        for position, place in self.unread:
            result.insert(position, place)
        return result


def match_places(
    clip: Clip,
    places: Sequence[Place],
    tracks: Mapping[int, Track],
    reader: StretchReader,
    *,
    own: Callable[[Track], Sequence[tuple[float, float]]] = lambda _: (),
) -> MatchedPlaces:
    """Compare places with a clip by their spectrograms, for which files are decoded again.

    A place of the same recording as the clip is moved to the exact time.

    Parameters
    ----------
    clip : Clip
    places : sequence of Place
        Best first.
    tracks : mapping of int to Track
        The tracks of the places, by id.
    reader : StretchReader
    own : callable
        Returns start and end, in seconds, of the stretches of a track that no place is moved into:
        those of the clip itself. Default: there are none.
    """
    pattern, lead_seconds = _compared_part(clip)
    seconds = len(pattern) / FRAMES_PER_SECOND + _FRAME_SECONDS
    stretches = []
    for place in places:
        track = tracks[place.track_id]
        first, last = _shifts(place, own(track))
        start = place.start + lead_seconds + first
        stretches.append(_stretch(track, start, seconds + last - first))
    read = list(reader.read(stretches))
    matched = MatchedPlaces([], [], [], [])
    for position, (place, stretch) in enumerate(zip(places, stretches, strict=True)):
        frames = read[position]
        if isinstance(frames, AudioError):
            matched.problems.append(frames)
            matched.unread.append((position, place))
            continue
        shift, match = best_shift(pattern, frames)
        if match >= same_match(len(pattern) / FRAMES_PER_SECOND):
            start = max(0.0, stretch.start + shift / FRAMES_PER_SECOND - lead_seconds)
            end = min(start + place.end - place.start, tracks[place.track_id].seconds or math.inf)
            same = replace(place, start=start, end=end, match=match, is_same_recording=True)
            matched.same.append(same)
        else:
            matched.others.append(replace(place, match=match))
    return matched


def same_match(seconds: float) -> float:
    """Return the correlation from which on a stretch has the same recording as a clip.

    By chance, the correlation of shorter clips is higher: with the inverse square root of their
    length.

    Examples
    --------
    >>> [round(same_match(seconds), 2) for seconds in (0.5, 3, 5, 20)]
    [0.41, 0.17, 0.13, 0.1]
    """
    return max(_MIN_SAME_MATCH, _SAME_MATCH * math.sqrt(_SAME_SECONDS / seconds))


def _shifts(place: Place, own: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return the first and the last shift of a place, in seconds."""
    first, last = max(-MAX_SHIFT, -place.start), MAX_SHIFT
    for start, end in own:
        if place.end <= start:
            last = min(last, start - place.end)
        elif place.start >= end:
            first = max(first, end - place.start)
    return first, last


def _stretch(track: Track, start: float, seconds: float) -> Stretch:
    identity = (track.size, track.mtime_ns)
    return Stretch(track.path, start, seconds, track.real_path, identity)


def unread_warning(problems: Sequence[AudioError]) -> str:
    """Return the sentence that files couldn't be compared with the clip, with the first reason."""
    n_files = len({problem.path for problem in problems})
    files = "The sound of 1 file" if n_files == 1 else f"The sound of {n_files} files"
    first = f"{os.path.basename(problems[0].path)}: {problems[0].reason}"  # servers hide folders
    return (
        f"{files} can't be compared with the clip, so hits in it keep the place that their "
        f"embeddings give them. {'It' if n_files == 1 else 'The first'} is {first}."
    )


def _compared_part(clip: Clip) -> tuple[Float32, float]:
    """Return the frames of a clip that are compared, and the seconds before them."""
    n_frames = min(len(clip.frames), max(1, round(clip.seconds * FRAMES_PER_SECOND) - 1))
    n_compared = min(n_frames, round(MAX_COMPARED * FRAMES_PER_SECOND))
    first = (n_frames - n_compared) // 2
    return clip.frames[first : first + n_compared], first / FRAMES_PER_SECOND


def best_shift(clip: Float32, stretch: Float32) -> tuple[int, float]:
    """Return the shift at which a stretch is most like a clip, and the correlation there.

    Parameters
    ----------
    clip : ndarray of float32, shape (n_frames, 64)
        Log-mel frames.
    stretch : ndarray of float32, shape (n_stretch_frames, 64)
        Log-mel frames of a longer stretch. A shorter one is compared as if silence followed.

    Returns
    -------
    shift : int
        Frame of the stretch that fits the first frame of the clip.
    match : float
        Correlation of the details of the two spectrograms, in [-1, 1]: of what is left without the
        local means over 0.5 s and over 9 bands. So sounds are not the same recording because they
        have the same spectrum or the same rhythm.
    """
    frames = _details(padded(stretch, len(clip)))
    pattern = _details(clip)
    n_fft = 1 << (len(frames) + len(clip)).bit_length()
    spectra = np.fft.rfft(frames, n_fft, axis=0), np.fft.rfft(pattern, n_fft, axis=0)
    n_shifts = len(frames) - len(clip) + 1
    products = np.fft.irfft((spectra[0] * spectra[1].conj()).sum(axis=1), n_fft)[:n_shifts]
    energies = _window_sums(frames**2, len(clip)).sum(axis=1) * (pattern**2).sum()
    matches = products / np.sqrt(np.maximum(energies, 1e-9))
    best = int(np.argmax(matches))
    return best, float(np.clip(matches[best], -1, 1))


def _details(frames: Float32) -> Float64:
    """Return log-mel frames without their local means over time and over bands."""
    values = frames.astype(np.float64)
    values -= _local_means(values, _MEAN_FRAMES)
    values -= _local_means(values.T, _MEAN_BANDS).T
    return values


def _local_means(values: Float64, n_rows: int) -> Float64:
    """Return the mean of the ``n_rows`` rows around each row; the first and last are repeated."""
    around = n_rows // 2
    padded_values = np.pad(values, ((around, n_rows - 1 - around), (0, 0)), mode="edge")
    return _window_sums(padded_values, n_rows) / n_rows


def _window_sums(values: Float64, n_rows: int) -> Float64:
    """Return the sums of each ``n_rows`` consecutive rows: shape (n - n_rows + 1, n_bands)."""
    totals = np.cumsum(np.pad(values, ((1, 0), (0, 0))), axis=0)
    sums: Float64 = totals[n_rows:] - totals[:-n_rows]
    return sums
