"""Small files that declare or unfold to very much."""

from __future__ import annotations

import io
import struct
import zlib
from functools import cache
from typing import TYPE_CHECKING

import av
import numpy as np
import soundfile
from sounds import melody
from tagging import with_apev2

if TYPE_CHECKING:
    from collections.abc import Callable


@cache
def sound(container: str = "WAV", subtype: str = "PCM_16", rate: int = 16_000) -> bytes:
    """Return a file of a second that libsndfile writes."""
    file = io.BytesIO()
    soundfile.write(file, melody(1.0, rate), rate, format=container, subtype=subtype)
    return file.getvalue()


@cache
def muxed(container: str, codec: str, n_streams: int = 1) -> bytes:
    """Return a file of a second that FFmpeg writes."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        options = {"rate": 48_000, "layout": "mono", "bit_rate": 96_000}
        streams = [output.add_stream(codec, **options) for _ in range(n_streams)]
        samples = melody(1.0, 48_000).reshape(1, -1)
        for stream in streams:
            context = stream.codec_context
            size = context.frame_size or 1_024
            resampler = av.AudioResampler(context.format, "mono", 48_000, size)
            frame = av.AudioFrame.from_ndarray(samples, format="flt", layout="mono")
            frame.sample_rate = 48_000
            for converted in resampler.resample(frame):
                output.mux(stream.encode(converted))
            output.mux(stream.encode(None))
    return file.getvalue()


def wav(
    channels: int = 1,
    rate: int = 16_000,
    bits: int = 16,
    n_declared: int = 32_000,
    *,
    kind: int = 1,
) -> bytes:
    """Return a wav with any numbers in its header."""
    align = min(channels * bits // 8, 65_535)
    form = struct.pack("<HHIIHH", kind, channels, rate, min(rate * align, 2**32 - 1), align, bits)
    chunks = b"fmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", n_declared)
    size = struct.pack("<I", min(n_declared + 36, 2**32 - 1))
    return b"RIFF" + size + b"WAVE" + chunks + sound()[44:]


def au(channels: int, rate: int) -> bytes:
    header = struct.pack(">4s5I", b".snd", 24, 2**32 - 1, 3, rate, channels)
    return header + sound()[44:]


def aiff(channels: int, rate: bytes, n_frames: int) -> bytes:
    comm = struct.pack(">hIh", channels, n_frames, 16) + rate
    body = b"AIFFCOMM" + struct.pack(">I", 18) + comm
    body += b"SSND" + struct.pack(">III", 32_008, 0, 0) + sound()[44:]
    return b"FORM" + struct.pack(">I", len(body)) + body


def caf(rate: float, channels: int, bits: int = 16) -> bytes:
    desc = struct.pack(">d4sIIIII", rate, b"lpcm", 0, channels * 2 % 2**32, 1, channels, bits)
    data = b"data" + struct.pack(">q", -1) + bytes(4) + sound()[44:]
    return b"caff\0\1\0\0desc" + struct.pack(">q", 32) + desc + data


def id3(size: int, body: bytes = b"") -> bytes:
    digits = bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\4\0\0" + digits + body


def atom(name: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I4s", 8 + len(body), name) + body


def nested(name: bytes, depth: int) -> bytes:
    return b"".join(struct.pack(">I4s", 8 * (depth - n), name) for n in range(depth))


def patched(content: bytes, mark: bytes, offset: int, value: bytes) -> bytes:
    """Replace bytes at an offset after the first occurrence of a mark."""
    at = content.index(mark) + len(mark) + offset
    return content[:at] + value + content[at + len(value) :]


def comments(n_declared: int, texts: bytes) -> bytes:
    """Return a FLAC file with any number of comments."""
    block = struct.pack("<I", 0) + struct.pack("<I", n_declared) + texts
    return flac_block(4, block)


def flac_block(kind: int, block: bytes, n: int = 1) -> bytes:
    flac = sound("FLAC")
    header = bytes([kind]) + struct.pack(">I", len(block))[1:]
    return flac[:4] + bytes([flac[4] & 0x7F]) + flac[5:42] + (header + block) * n + flac[42:]


def png(side: int) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        crc = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + crc

    rows = zlib.compress(bytes(1_000_000))
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 6, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def picture(data: bytes) -> bytes:
    head = struct.pack(">II", 3, 9) + b"image/png" + struct.pack(">I", 0)
    return head + struct.pack(">IIIII", 50_000, 50_000, 32, 0, len(data)) + data


def silence(hours: float) -> bytes:
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", 8_000, 1, format="FLAC") as flac:
        block = np.zeros(8_000 * 60, np.int16)
        for _ in range(int(hours * 60)):
            flac.write(block)
    return file.getvalue()


def laces(n_blocks: int) -> bytes:
    """Return a Matroska file whose blocks hold 256 frames of a byte each."""
    head = muxed("matroska", "pcm_u8")
    at = head.index(b"\x1f\x43\xb6\x75")  # the first cluster
    block = b"\x81\0\0\x04" + b"\xff" + bytes(256)  # track 1, fixed size lacing
    simple = b"\xa3" + struct.pack(">I", len(block) | 0x10000000) + block
    body = b"\xe7\x81\0" + simple * n_blocks
    return head[:at] + b"\x1f\x43\xb6\x75" + struct.pack(">Q", len(body) | 1 << 56) + body


def alternating_rates(n: int) -> bytes:
    parts = [sound("MP3", "MPEG_LAYER_III", rate)[-1_500:] for rate in (16_000, 44_100)]
    return b"".join(parts) * n


def wavpack(n_samples: int) -> bytes:
    content = bytearray(muxed("wv", "wavpack"))
    content[12:16] = content[20:24] = struct.pack("<I", n_samples)
    return bytes(content)


def ape(blocks_per_frame: int, n_frames: int) -> bytes:
    descriptor = struct.pack("<4sHHIIIIIII16s", b"MAC ", 3_990, 0, 52, 24, 4, 44, 1_000, 0, 0, b"")
    header = struct.pack("<HHIIIHHI", 2_000, 0, blocks_per_frame, 1_000, n_frames, 16, 2, 44_100)
    return descriptor + header + bytes(4) + sound()[:4_000]


def bombs(scale: int) -> dict[str, Callable[[], bytes]]:
    """Return functions that make the files, by file name.

    Parameters
    ----------
    scale : int
        Factor of everything that repeats.
    """
    many, some = 10_000 * scale, 10 * scale
    mp3 = ("MP3", "MPEG_LAYER_III")
    return {
        "hours of silence.flac": lambda: silence(scale / 4),
        "65535 channels.wav": lambda: wav(65_535),
        "0 channels.wav": lambda: wav(0),
        "4 GHz.wav": lambda: wav(rate=2**32 - 1),
        "1 Hz.wav": lambda: wav(rate=1),
        "0 Hz.wav": lambda: wav(rate=0),
        "65535 bits.wav": lambda: wav(bits=65_535),
        "4 GB declared.wav": lambda: wav(n_declared=2**32 - 1),
        "compressed, 4 GB declared.wav": lambda: wav(kind=0x11, bits=4, n_declared=2**32 - 1),
        "chunks.wav": lambda: sound()[:36] + b"junk\0\0\0\0" * many + sound()[36:],
        "2^31 channels.au": lambda: au(2**31 - 1, 16_000),
        "1000 channels.au": lambda: au(1_000, 16_000),
        "4 GHz.au": lambda: au(1, 2**32 - 1),
        "infinite rate.aiff": lambda: aiff(1, b"\x7f\xff" + bytes(8), 16_000),
        "30000 channels.aiff": lambda: aiff(
            30_000, bytes.fromhex("400cfa00000000000000"), 2**32 - 1
        ),
        "chunks.aiff": lambda: sound("AIFF")[:12] + b"NAME\0\0\0\0" * many + sound("AIFF")[12:],
        "infinite rate.caf": lambda: caf(float("inf"), 1),
        "rate that is no number.caf": lambda: caf(float("nan"), 1),
        "2^31 channels.caf": lambda: caf(16_000, 2**31 - 1),
        "256 MB tag.mp3": lambda: id3(2**28 - 1) + sound(*mp3),
        "200 MB frame.mp3": lambda: id3(2**28 - 1, b"TIT2\x5f\x78\x40\0\0\0\3") + bytes(100_000),
        "empty tags.mp3": lambda: id3(0) * many + sound(*mp3),
        "empty frames.mp3": lambda: id3(10 * many, (b"TIT2" + bytes(6)) * many) + sound(*mp3),
        "alternating rates.mp3": lambda: alternating_rates(some),
        "joined.mp3": lambda: sound(*mp3)[:900] * 10 * some,
        "joined.ogg": lambda: sound("OGG", "VORBIS") * some,
        "joined.wav": lambda: sound() * some,
        "joined.flac": lambda: sound("FLAC") * some,
        "joined.m4a": lambda: muxed("ipod", "aac") * some,
        "2^31 comments.flac": lambda: comments(2**31, b""),
        "comments.flac": lambda: comments(many, (struct.pack("<I", 2) + b"A=") * many),
        "comment of 4 GB.flac": lambda: comments(1, struct.pack("<I", 2**32 - 1)),
        "blocks.flac": lambda: flac_block(1, b"", many),
        "50000 pixels.flac": lambda: flac_block(6, picture(png(50_000))),
        "picture of 4 GB.flac": lambda: flac_block(6, picture(b"")[:-4] + b"\xff" * 4),
        "2^36 samples.flac": lambda: patched(sound("FLAC"), b"fLaC", 17, b"\xff" * 5),
        "atoms.m4a": lambda: muxed("ipod", "aac") + atom(b"free") * many,
        "empty atoms in moov.m4a": lambda: (
            atom(b"ftyp", b"M4A \0\0\0\0") + atom(b"moov", atom(b"free") * many)
        ),
        "nested atoms.m4a": lambda: atom(b"ftyp", b"M4A \0\0\0\0") + nested(b"moov", 50_000),
        "2^32 sizes.m4a": lambda: patched(muxed("ipod", "aac"), b"stsz", 4, bytes(4) + b"\xff" * 4),
        "2^32 times.m4a": lambda: patched(muxed("ipod", "aac"), b"stts", 4, b"\xff" * 4),
        "2^32 samples at a time.m4a": lambda: patched(
            muxed("ipod", "aac"), b"stts", 8, b"\xff" * 8
        ),
        "years.m4a": lambda: patched(
            muxed("ipod", "aac"), b"mvhd", 12, b"\0\0\0\1\xff\xff\xff\xff"
        ),
        "laces.mka": lambda: laces(some),
        "void elements.mka": lambda: muxed("matroska", "aac") + b"\xec\x80" * many,
        "nested elements.mka": lambda: (
            muxed("matroska", "aac")[:60]
            + b"\x1f\x43\xb6\x75\x01\xff\xff\xff\xff\xff\xff\xff" * many
        ),
        "tracks.mka": lambda: muxed("matroska", "pcm_u8", 100),
        "2^32 samples.wv": lambda: wavpack(2**32 - 1),
        "huge frames.ape": lambda: ape(2**32 - 1, 1_000),
        "frames.ape": lambda: ape(73_728, 2**32 - 1),
        "2^31 items.wav": lambda: sound() + with_apev2(b"", {"title": ["a"] * many}),
        "2^32 samples.tta": lambda: patched(muxed("tta", "tta"), b"TTA1", 10, b"\xff" * 4),
        "streams.avi": lambda: muxed("avi", "pcm_s16le", 90),
        "packets.wma": lambda: patched(
            muxed("asf", "wmav2"), bytes.fromhex("a1dcab8c47a9cf11"), 32, b"\xff" * 8
        ),
        "archive.wav": lambda: b"PK\3\4" + bytes(100_000),
        "deflated.flac": lambda: zlib.compress(bytes(100_000_000)),
    }
