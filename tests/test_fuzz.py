"""Damaged files are embedded as far as they decode, or refused: nothing else happens."""

import numpy as np
import pytest
from sounds import encode, melody, write

from audiosearch import AudioError, Embedder
from audiosearch.sound.tags import read_tags

N_FILES = 600

SNDFILE = {
    "a.wav": {},
    "float.wav": {"subtype": "FLOAT"},
    "a.aiff": {},
    "a.flac": {},
    "a.ogg": {"format": "OGG", "subtype": "VORBIS"},
    "a.opus": {"format": "OGG", "subtype": "OPUS"},
    "a.mp3": {"format": "MP3"},
}
FFMPEG = {
    "aac.m4a": ("ipod", "aac"),
    "alac.m4a": ("ipod", "alac"),
    "a.aac": ("adts", "aac"),
    "a.wma": ("asf", "wmav2"),
    "a.webm": ("webm", "libopus"),
    "a.mka": ("matroska", "aac"),
    "a.wv": ("wv", "wavpack"),
}


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """The bytes of a short sound in every format, with their suffixes."""
    folder = tmp_path_factory.mktemp("originals")
    sound = melody(3.0, 48_000)
    paths = [write(folder / name, sound, 48_000, **how) for name, how in SNDFILE.items()]
    for name, (container, codec) in FFMPEG.items():
        paths.append(encode(folder / name, sound, 48_000, container=container, codec=codec))
    return [(path.suffix, path.read_bytes()) for path in paths]


def cut(content, rng, _):
    return content[: rng.integers(1, len(content))]


def flipped(content, rng, _):
    for at in rng.integers(len(content), size=rng.integers(1, 30)):
        content[at] ^= rng.integers(1, 256)
    return content


def with_a_wild_header(content, rng, _):
    for at in rng.integers(200, size=rng.integers(1, 8)):
        content[at] = rng.integers(256)
    return content


def spliced(content, rng, other):
    at = rng.integers(5_000)
    return bytearray(other[:at]) + content[at:]


def with_a_gap(content, rng, _):
    at, length = rng.integers(len(content)), rng.integers(1, 4_000)
    content[at : at + length] = bytes(int(length))
    return content


def random_bytes(content, rng, _):
    return bytearray(rng.bytes(rng.integers(1, 20_000)))


@pytest.mark.parametrize("excerpt_seconds", [None, 1.0])
@pytest.mark.parametrize(
    ("damaged", "at_least_embedded", "at_least_refused"),
    [
        pytest.param(cut, 10, 1, id="cut"),
        pytest.param(flipped, 10, 1, id="bits flipped"),
        pytest.param(with_a_wild_header, 10, 1, id="a wild header"),
        pytest.param(spliced, 1, 1, id="another file's head"),
        pytest.param(with_a_gap, 10, 1, id="a gap"),
        pytest.param(random_bytes, 0, 40, id="random bytes"),
    ],
)
def test_damage_costs_no_more_than_the_file(
    originals, tmp_path, damaged, at_least_embedded, at_least_refused, excerpt_seconds
):
    rng = np.random.default_rng(N_FILES)
    embedder = Embedder("compact", excerpt_seconds=excerpt_seconds)
    n_embedded = n_refused = 0
    for _ in range(N_FILES // 12):
        suffix, content = originals[rng.integers(len(originals))]
        _, other = originals[rng.integers(len(originals))]
        path = tmp_path / f"damaged{suffix}"
        path.write_bytes(damaged(bytearray(content), rng, other))
        read_tags(str(path))
        try:
            vector = embedder.embed(path).vector
        except AudioError:
            n_refused += 1
        else:
            n_embedded += 1
            assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-5)
    assert n_embedded >= at_least_embedded
    assert n_refused >= at_least_refused
