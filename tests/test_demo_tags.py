"""Made-up tags and covers of the demo's sounds."""

import io

import numpy as np
import pytest
import soundfile
from PIL import Image

from audiosearch import demo
from audiosearch.audio.cover import read_cover
from audiosearch.audio.opened_file import open_regular
from audiosearch.audio.tags import Tags, read_tags
from audiosearch.demo_tags import COVER_PX, tags_of


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    return demo.write_sounds(tmp_path_factory.mktemp("demo"))


def test_a_sound_of_the_demo_has_tags(sounds):
    (path,) = [sound.path for sound in sounds[0] if sound.path.name == "bell-3.wav"]
    assert read_tags(str(path)) == Tags(
        title="Echoes at Low Tide",
        artist="Tower Seven",
        album="Bronze",
        genre="Ambient",
        year=1969,
        track_number=2,
        has_cover=True,
    )


def test_every_sound_of_the_demo_has_a_title_of_its_own(sounds):
    titles = {read_tags(str(sound.path)).title for sound in sounds[0]}
    assert len(titles) == len(sounds[0])


def test_sounds_of_an_album_have_the_same_cover(sounds):
    covers = {}
    for sound in sounds[0]:
        with open_regular(str(sound.path)) as file:
            content = read_cover(file)
        covers.setdefault(read_tags(str(sound.path)).album, set()).add(content)
    assert len(covers) == 2 * len(demo.KINDS)
    assert {len(contents) for contents in covers.values()} == {1}
    assert len(set.union(*covers.values())) == len(covers)
    with Image.open(io.BytesIO(content)) as image:
        assert image.size == (COVER_PX, COVER_PX)


def test_tags_do_not_change_the_sound(sounds):
    path = sounds[0][0].path
    samples, rate_hz = soundfile.read(path)
    assert (len(samples), rate_hz) == (3 * demo.RATE_HZ, demo.RATE_HZ)
    assert np.abs(samples).max() == pytest.approx(0.8, abs=1e-3)


def test_a_query_of_the_demo_has_no_tags(sounds):
    assert read_tags(str(sounds[1][0].path)) == Tags()


@pytest.mark.parametrize("kind", demo.KINDS)
def test_titles_of_a_kind_repeat_after_150_sounds(kind):
    assert len({tags_of(kind, number).title for number in range(150)}) == 150
