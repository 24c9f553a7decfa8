"""The stretches of tracks in which sounds are heard."""

from dataclasses import replace

import numpy as np
import pytest
from tracks import SPEC, heard, some_track, unit_vectors

from audiosearch import Index, LibraryError
from audiosearch.library.filters import Filters
from audiosearch.models.moments import Moments, PatchSounds, quantized
from audiosearch.models.tagger import sound_names
from audiosearch.search.moments.sounds_over_time import (
    SoundStretch,
    heard_moments,
    sounds_over_time,
)


def moments(*patches):
    """Return moments with sounds, given a dict of scores for each patch."""
    rows = [
        sorted((sound_names().index(name), score) for name, score in p.items()) for p in patches
    ]
    flat = [row for patch in rows for row in patch]
    sounds = PatchSounds(
        np.array([len(patch) for patch in rows], dtype=np.uint8),
        np.array([number for number, _ in flat], dtype=np.uint16),
        np.array([round(255 * score) for _, score in flat], dtype=np.uint8),
    )
    return Moments(quantized(unit_vectors(len(patches), seed=1)), sounds)


DOG_TWICE = moments(
    {"Dog": 0.4, "Rain": 0.9}, {"Dog": 0.8}, {}, {"Dog": 0.6, "Bark": 0.2}, {"Rain": 0.2}
)
RAIN = moments({"Rain": 1.0}, {}, {"Rain": 0.4, "Dog": 0.2})


@pytest.fixture
def index(tmp_path):
    rows = [
        (
            replace(some_track(1), seconds=4.5, sounds=heard(Dog=0.8, Rain=0.9), tagger="a"),
            DOG_TWICE,
        ),
        (replace(some_track(2), sounds=heard(Rain=1.0, Dog=0.2), tagger="a"), RAIN),
        (replace(some_track(3), sounds=heard(Dog=0.9), tagger="a"), None),
    ]
    with Index(tmp_path / "index", spec=SPEC, moment_hop=0.96) as index:
        pairs = zip([track for track, _ in rows], unit_vectors(3), strict=True)
        index.add_all(pairs, moments=[value for _, value in rows])
        yield index


def rounded(rows):
    return [tuple(round(x, 2) if isinstance(x, float) else x for x in row) for row in rows]


def test_neighboring_patches_with_a_sound_are_one_stretch(index):
    stretches = sounds_over_time(index, index.resolve("#1"))
    assert rounded(stretches) == [
        (0.0, 0.96, "Rain", 0.9),
        (0.0, 1.92, "Dog", 0.8),
        (2.88, 3.84, "Dog", 0.6),
        (2.88, 3.84, "Bark", 0.2),
        (3.84, 4.5, "Rain", 0.2),  # the track ends before the patch
    ]
    assert isinstance(stretches[0], SoundStretch)


def test_of_overlapping_patches_those_that_touch_are_one_stretch(tmp_path):
    patches = moments({"Dog": 0.4}, {"Dog": 0.8}, {}, {"Dog": 0.6}, {}, {}, {"Dog": 0.2})
    with Index(tmp_path / "index", spec=SPEC, moment_hop=0.48) as index:
        index.add_all([(some_track(1), unit_vectors(1)[0])], moments=[patches])
        stretches = sounds_over_time(index, index.resolve("#1"))
    # The second patch ends where the fourth starts; the fourth ends before the last one starts.
    assert rounded(stretches) == [(0.0, 2.4, "Dog", 0.8), (2.88, 3.84, "Dog", 0.2)]


def test_a_stretch_of_overlapping_patches_ends_before_an_excluded_sound(tmp_path):
    patches = moments({"Dog": 0.4}, {"Dog": 0.6, "Rain": 0.8}, {"Dog": 0.2}, {"Dog": 0.8})
    track = replace(some_track(1), sounds=heard(Dog=0.8, Rain=0.8), tagger="a")
    with Index(tmp_path / "index", spec=SPEC, moment_hop=0.48) as index:
        index.add_all([(track, unit_vectors(1)[0])], moments=[patches])
        filters = Filters(sound=("Dog",), exclude=Filters(sound=("Rain",)))
        found = heard_moments(index, filters)
    assert rounded([row[1:] for row in found]) == [(0.96, 2.4, 0.8), (0.0, 0.96, 0.4)]


@pytest.mark.parametrize(
    ("filters", "options", "expected"),
    [
        pytest.param(
            Filters(sound=("Dog",)),
            {},
            [(1, 0.0, 1.92, 0.8), (1, 2.88, 3.84, 0.6), (2, 1.92, 2.88, 0.2)],
            id="one sound",
        ),
        pytest.param(
            Filters(sound=("Bark", "Rain")),
            {"ids": {2}},
            [(2, 0.0, 0.96, 1.0), (2, 1.92, 2.88, 0.4)],
            id="either of two sounds, in one track",
        ),
        pytest.param(
            Filters(sound=("Dog",), exclude=Filters(sound=("Rain",))),
            {},
            [(1, 0.96, 1.92, 0.8), (1, 2.88, 3.84, 0.6)],
            id="without another sound in the same patch",
        ),
        pytest.param(
            Filters(sound=("Dog",), folder=("/elsewhere",)),
            {},
            [],
            id="other filters are about tracks",
        ),
    ],
)
def test_moments_with_a_sound_are_found_best_first(index, filters, options, expected):
    found = heard_moments(index, filters, **options)
    assert rounded((m.track.id, m.start, m.end, m.score) for m in found) == expected


def test_silence_within_a_track_is_found_although_the_track_is_not_silent(tmp_path):
    track = replace(some_track(1), sounds=heard(Dog=0.8), tagger="a")
    with Index(tmp_path / "index", spec=SPEC, moment_hop=0.96) as index:
        value = moments({"Dog": 0.8}, {"Silence": 1.0})
        index.add_all([(track, unit_vectors(1)[0])], moments=[value])
        (moment,) = heard_moments(index, Filters(sound=("Silence",)))
    assert moment.start == pytest.approx(0.96)


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        pytest.param(None, "refresh --moments", id="no moments"),
        pytest.param(Moments(DOG_TWICE.codes), "refresh --sounds", id="no sounds"),
    ],
)
def test_a_track_without_sounds_over_time_is_an_error_with_a_hint(tmp_path, value, hint):
    with Index(tmp_path / "index", spec=SPEC, moment_hop=0.96) as index:
        index.add_all([(some_track(1), unit_vectors(1)[0])], moments=[value])
        with pytest.raises(LibraryError) as caught:
            sounds_over_time(index, index.resolve("#1"))
    assert hint in caught.value.hint
