"""Made-up tags and generated covers for the demo's sounds."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import soundfile

if TYPE_CHECKING:
    from audiosearch.types import Float32, Float64

COVER_PX = 256  # width and height of a cover
_N_COLORS = 32  # in a cover
_FIRST_YEAR, _N_YEARS = 1968, 56

_PLACES = (
    *("at Dawn", "by the Harbor", "in the Valley", "after Midnight", "on Elm Street"),
    *("before the Storm", "at the Border", "in Winter", "below the Bridge", "on Platform Nine"),
    *("in the Courtyard", "at Low Tide", "near the Mill", "in Blue", "past the Orchard"),
    *("on the Second Floor", "at Noon", "for Two", "beyond the Hills", "in an Empty House"),
    *("on the Last Day", "under Glass", "from Far Away", "at the Crossing", "in October"),
)


@dataclass(frozen=True, slots=True)
class _Kind:
    """Words that tags of one kind of sounds are made of.

    Attributes
    ----------
    genre : str
    albums : tuple of (str, str)
        Artist and title of each album.
    nouns : tuple of str
        First words of titles. Their number has no divisor in common with that of the places.
    hue : float
        Main color of the covers, in [0, 1).
    """

    genre: str
    albums: tuple[tuple[str, str], ...]
    nouns: tuple[str, ...]
    hue: float


_KINDS = {
    "pluck": _Kind(
        "Folk",
        (("Marlow & Finch", "Copper Strings"), ("Iva Lindqvist", "Short Days")),
        ("Waltz", "Reel", "Lullaby", "Ballad", "Song", "Farewell"),
        0.09,
    ),
    "organ": _Kind(
        "Organ",
        (("Anselm Roth", "Sixteen Feet"), ("Clara Weststrand", "The Loft")),
        ("Prelude", "Chorale", "Fugue", "Hymn", "Toccata", "Postlude"),
        0.88,
    ),
    "drum": _Kind(
        "Electronic",
        (("Low Ceiling", "Backyard Tapes"), ("Kade Osei", "Kick, Snare, Repeat")),
        ("Groove", "Steps", "Break", "Pulse", "Knock", "March"),
        0.02,
    ),
    "bell": _Kind(
        "Ambient",
        (("Tower Seven", "Bronze"), ("Mira Solé", "Slow Rooms")),
        ("Vespers", "Chimes", "Echoes", "Hours", "Stillness", "Bells"),
        0.6,
    ),
    "siren": _Kind(
        "Industrial",
        (("Night Dispatch", "All Units"), ("Sector K", "Red Light")),
        ("Alarm", "Signal", "Warning", "Siren", "Pursuit", "Drill"),
        0.97,
    ),
    "birds": _Kind(
        "Birdsong",
        (("Wren Halloway", "Hedgerow"), ("Tomas Field", "Five in the Morning")),
        ("Robin", "Blackbird", "Warblers", "Finches", "Nightingale", "Swifts"),
        0.3,
    ),
    "rain": _Kind(
        "Weather",
        (("Tomas Field", "Umbrellas"), ("Grey Coast", "Drops")),
        ("Rain", "Drizzle", "Downpour", "Showers", "Gutters", "Puddles"),
        0.54,
    ),
    "engine": _Kind(
        "Machines",
        (("Diesel Archive", "Idle"), ("Ferro & Sons", "Works")),
        ("Tractor", "Ferry", "Generator", "Truck", "Harvester", "Pump"),
        0.45,
    ),
}


@dataclass(frozen=True, slots=True)
class DemoTags:
    """Tags of one sound of the demo."""

    title: str
    artist: str
    album: str
    genre: str
    year: int
    track_number: int


def tags_of(kind: str, number: int) -> DemoTags:
    """Return the tags of a sound.

    Parameters
    ----------
    kind : str
        Kind of the sound, such as "bell".
    number : int
        Number of the sound among those of its kind. Titles repeat after 150 of them.
    """
    words = _KINDS[kind]
    order, position = list(_KINDS).index(kind), number % len(words.albums)
    artist, album = words.albums[position]
    noun = words.nouns[number % len(words.nouns)]
    place = _PLACES[(number + len(_PLACES) // len(_KINDS) * order) % len(_PLACES)]
    return DemoTags(
        title=f"{noun} {place}",
        artist=artist,
        album=album,
        genre=words.genre,
        year=_FIRST_YEAR + (19 * order + 31 * position) % _N_YEARS,
        track_number=number // len(words.albums) + 1,
    )


@cache
def cover_of(kind: str, album: str) -> bytes:
    """Return the cover of an album as a PNG: a pattern of lines in colors of the album's kind."""
    from PIL import Image

    words = _KINDS[kind]
    position = [title for _, title in words.albums].index(album)
    rng = np.random.default_rng([list(_KINDS).index(kind), position])
    y, x = np.mgrid[0 : 2 * COVER_PX, 0 : 2 * COVER_PX] / COVER_PX - 1.0
    hue = words.hue + rng.uniform(-0.03, 0.03)
    shade = (x + y + 2) / 4
    ground = _colors(hue, 0.55, 0.28 + 0.25 * shade)
    lines = _colors(hue + 0.07, 0.35, 0.95 - 0.2 * shade)
    pixels = ground + _pattern(x, y, rng)[..., np.newaxis] * (lines - ground)
    large = Image.fromarray((255 * pixels).astype(np.uint8), "RGB")
    smooth = large.resize((COVER_PX, COVER_PX), Image.Resampling.LANCZOS)
    output = io.BytesIO()
    smooth.quantize(_N_COLORS, dither=Image.Dither.NONE).save(output, "PNG", optimize=True)
    return output.getvalue()


def _pattern(x: Float64, y: Float64, rng: np.random.Generator) -> Float64:
    """Return a pattern of lines: 1.0 for pixels on them and else 0.0, of the shape of x and y."""
    center_x, center_y = rng.uniform(-0.6, 0.6, size=2)
    radius = np.hypot(x - center_x, y - center_y)
    heights = (
        radius,
        y + 0.25 * np.sin(3 * x + 6 * center_x),
        np.arctan2(y - center_y, x - center_x) * 3 / np.pi + radius,
        np.maximum(abs(x - center_x), abs(y - center_y)),
        x * np.cos(center_x) + y * np.sin(3 * center_y),
    )
    height = heights[rng.integers(len(heights))]
    is_on_line = np.sin(rng.integers(3, 7) * np.pi * height) > rng.uniform(-0.1, 0.6)
    return np.asarray(is_on_line, dtype=np.float64)


def _colors(hue: float, saturation: float, values: Float64) -> Float64:
    """Return the colors with a hue, a saturation and values, as red, green, blue in [0, 1]."""
    distances = abs((6 * hue + np.array([0.0, 4.0, 2.0])) % 6 - 3) - 1
    pure = 1 - saturation + saturation * np.clip(distances, 0, 1)
    return values[..., np.newaxis] * pure


def untagged_wav(waveform: Float32, rate_hz: int) -> bytes:
    """Return a 16-bit WAV file.

    Parameters
    ----------
    waveform : ndarray of float32, shape (n_samples,)
        Mono samples in [-1, 1].
    rate_hz : int
    """
    buffer = io.BytesIO()
    soundfile.write(buffer, waveform, rate_hz, subtype="PCM_16", format="WAV")
    return buffer.getvalue()


def tagged_wav(waveform: Float32, rate_hz: int, kind: str, number: int) -> bytes:
    """Return a 16-bit WAV file with the tags and the cover of a sound in an ID3 chunk.

    Parameters
    ----------
    waveform : ndarray of float32, shape (n_samples,)
        Mono samples in [-1, 1].
    rate_hz : int
    kind, number
        As those of `tags_of`.
    """
    tags = tags_of(kind, number)
    chunk = _id3(tags, cover_of(kind, tags.album))
    content = untagged_wav(waveform, rate_hz) + b"id3 " + struct.pack("<I", len(chunk)) + chunk
    return content[:4] + struct.pack("<I", len(content) - 8) + content[8:]


def _id3(tags: DemoTags, cover: bytes) -> bytes:
    """Return an ID3v2.4 tag of an even number of bytes."""
    texts = {
        "TIT2": tags.title,
        "TPE1": tags.artist,
        "TALB": tags.album,
        "TCON": tags.genre,
        "TDRC": str(tags.year),
        "TRCK": str(tags.track_number),
    }
    frames = {name: b"\3" + text.encode() for name, text in texts.items()}
    frames["APIC"] = b"\3image/png\0\3\0" + cover
    body = b"".join(
        name.encode() + _synchsafe(len(frame)) + bytes(2) + frame for name, frame in frames.items()
    )
    body += bytes(len(body) % 2)
    return b"ID3\4\0\0" + _synchsafe(len(body)) + body


def _synchsafe(number: int) -> bytes:
    """Return a number as four bytes of seven bits each."""
    return bytes(number >> shift & 0x7F for shift in (21, 14, 7, 0))
