"""Short sounds in every container, and ways to damage files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from sounds import encode, melody, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

SNDFILE = {
    "a.wav": {},
    "float.wav": {"subtype": "FLOAT"},
    "adpcm.wav": {"subtype": "IMA_ADPCM"},
    "a.w64": {},
    "a.aiff": {},
    "a.au": {},
    "a.caf": {},
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
    "a.tta": ("tta", "tta"),
    "a.avi": ("avi", "pcm_s16le"),
    "a.flv": ("flv", "aac"),
}
_TAGS = {"title": "A title", "artist": "An artist", "album": "An album"}


def originals(folder: Path) -> list[tuple[str, bytes]]:
    """Return the suffix and bytes of a short sound in every format."""
    sound = melody(3.0, 48_000)
    paths = [write(folder / name, sound, 48_000, **options) for name, options in SNDFILE.items()]
    for name, (container, codec) in FFMPEG.items():
        options = {"container": container, "codec": codec}
        paths.append(encode(folder / name, sound, 48_000, **options, **_TAGS))
    return [(path.suffix, path.read_bytes()) for path in paths]


def cut(content, rng, _):
    return content[: rng.integers(1, len(content))]


def flipped(content, rng, _):
    for at in rng.integers(len(content), size=rng.integers(1, 30)):
        content[at] ^= rng.integers(1, 256)
    return content


def with_a_random_header(content, rng, _):
    for at in rng.integers(200, size=rng.integers(1, 8)):
        content[at] = rng.integers(256)
    return content


def with_extreme_sizes(content, rng, _):
    """Replace numbers of the first kilobytes by the largest, the smallest and nearly those."""
    for at in rng.integers(2_000, size=rng.integers(1, 4)):
        number = rng.choice([b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", bytes(4), b"\0\0\0\1"])
        content[at : at + 4] = bytes(number).ljust(4, b"\0")
    return content


def spliced(content, rng, other):
    at = rng.integers(5_000)
    return bytearray(other[:at]) + content[at:]


def with_a_gap(content, rng, _):
    at, length = rng.integers(len(content)), rng.integers(1, 4_000)
    content[at : at + length] = bytes(int(length))
    return content


def with_a_repeated_part(content, rng, _):
    at, length = rng.integers(len(content)), rng.integers(1, 4_000)
    return content[:at] + content[at : at + length] * 5 + content[at:]


def random_bytes(content, rng, _):
    return bytearray(rng.bytes(rng.integers(1, 20_000)))


DAMAGES: list[Callable[[bytearray, np.random.Generator, bytes], bytearray]] = [
    *(cut, flipped, with_a_random_header, with_extreme_sizes, spliced, with_a_gap),
    *(with_a_repeated_part, random_bytes),
]


def damaged(
    files: Sequence[tuple[str, bytes]], numbers: range, *, seed: int = 0
) -> Iterator[tuple[str, bytes]]:
    """Yield names and contents of damaged files, the same for the same numbers and seed."""
    for number in numbers:
        rng = np.random.default_rng([seed, number])
        suffix, content = files[number % len(files)]
        _, other = files[rng.integers(len(files))]
        damage = DAMAGES[number // len(files) % len(DAMAGES)]
        name = f"{number} {damage.__name__}{suffix}"
        yield name, bytes(damage(bytearray(content), rng, other))
