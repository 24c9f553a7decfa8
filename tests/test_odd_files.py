"""Odd audio files of real programs are heard as a whole, in the right place, with true warnings."""

import struct
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import numpy as np
import pytest
from programs import run_program
from sounds import LAYOUTS, encode, melody, noise, tone, write

from audiosearch import Embedder
from audiosearch.audio.containers import container_damage
from audiosearch.audio.decode import SUFFIXES, mono_blocks, open_recording
from audiosearch.audio.ffmpeg import metadata
from audiosearch.audio.recording import CUT_SHORT, WRONG_LENGTH
from audiosearch.embedding.patch_reader import PatchReader
from audiosearch.errors import AudioError

RATE = 44_100
VORBIS = {"format": "OGG", "subtype": "VORBIS"}
OPUS = {"format": "OGG", "subtype": "OPUS"}


@pytest.fixture(scope="module")
def embedder():
    return Embedder("compact")


@pytest.fixture(scope="module")
def excerpt_embedder():
    return Embedder("compact", excerpt_seconds=4.0)


@pytest.fixture
def similarity(tmp_path, embedder):
    """A function that compares a file with clean samples at 44.1 kHz: 1.0 if they sound alike."""

    def compare(path, samples, with_embedder=embedder, rate=RATE):
        clean = write(tmp_path / "clean.wav", samples, rate, subtype="FLOAT")
        return float(with_embedder.embed(path).vector @ with_embedder.embed(clean).vector)

    return compare


def read(path, **options):
    """Return the length of a file in seconds, and the warning about it."""
    with PatchReader(path, **options) as reader:
        list(reader)
        return reader.seconds, reader.warning


def waveform_of(path):
    """Return the waveform of a file at 16 kHz, and its damage."""
    with closing(open_recording(str(path))) as recording:
        return np.concatenate(list(mono_blocks(recording, str(path)))), recording.damage


def joined(target: Path, *parts: Path) -> Path:
    target.write_bytes(b"".join(part.read_bytes() for part in parts))
    return target


def stereo(samples):
    return np.stack([samples, samples], axis=1)


# A decoder gives up


def ogg_crc(page: bytes) -> int:
    crc = 0
    for byte in page:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x104C11DB7 if crc >> 31 else 0)) & 0xFFFFFFFF
    return crc


def shift_granule(path: Path, shift: int) -> None:
    """Shift the granule position of an Ogg page in the middle of a file."""
    content = bytearray(path.read_bytes())
    start = content.index(b"OggS", len(content) // 2)
    stop = content.index(b"OggS", start + 1)
    position = struct.unpack_from("<q", content, start + 6)[0]
    struct.pack_into("<q", content, start + 6, position + shift)
    struct.pack_into("<I", content, start + 22, 0)
    struct.pack_into("<I", content, start + 22, ogg_crc(bytes(content[start:stop])))
    path.write_bytes(content)


@pytest.mark.parametrize("shift", [-960, -648, 312, 5_000])
def test_an_opus_file_with_a_wrong_granule_position_is_read_to_its_end(tmp_path, shift):
    path = write(tmp_path / "a.opus", melody(10.0, 48_000), 48_000, **OPUS)
    shift_granule(path, shift)
    seconds, warning = read(path)
    assert seconds == pytest.approx(10.0, abs=0.2)
    assert warning is None


def test_a_flac_with_a_damaged_frame_is_read_to_its_end_with_a_warning(tmp_path):
    path = write(tmp_path / "a.flac", noise(10.0, RATE), RATE)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 500] = bytes(500)
    path.write_bytes(content)
    seconds, warning = read(path)
    assert seconds == pytest.approx(10.0, abs=0.3)
    assert "damaged" in warning


def forget_length(path: Path) -> Path:
    """Set the number of samples in a FLAC header to 0, as programs do that write to a pipe."""
    content = bytearray(path.read_bytes())
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    path.write_bytes(content)
    return path


def test_a_flac_from_a_pipe_gives_no_warning_and_excerpts(tmp_path, similarity, excerpt_embedder):
    samples = melody(10.0, RATE)
    path = forget_length(write(tmp_path / "a.flac", samples, RATE))
    assert read(path) == (pytest.approx(10.0, abs=0.01), None)
    assert read(path, excerpt_seconds=4.0) == (pytest.approx(10.0, abs=0.01), None)
    assert similarity(path, samples, excerpt_embedder) > 0.99


@pytest.mark.parametrize(
    ("name", "options"),
    [
        pytest.param("a.wav", {"subtype": "GSM610"}, id="wav"),
        pytest.param("a.aiff", {"subtype": "GSM610"}, id="aiff"),
        pytest.param("a.gsm", {"format": "RAW", "subtype": "GSM610"}, id="raw"),
    ],
)
def test_gsm_is_decoded(tmp_path, name, options, excerpt_embedder):
    path = write(tmp_path / name, tone(500, 10.0, 8_000), 8_000, **options)
    assert read(path) == (pytest.approx(10.0, abs=0.05), None)
    assert excerpt_embedder.embed(path).warning is None


@pytest.mark.parametrize("name", ["a.gsm", "a.vox", "a.au", "a.snd"])
def test_a_text_is_not_taken_for_headerless_samples(tmp_path, name):
    path = tmp_path / name
    path.write_text("words and words\n" * 200)
    with pytest.raises(AudioError, match="no audio that can be decoded"):
        open_recording(str(path))


# Files that consist of several


def encoder(container, codec):
    return lambda path, samples: encode(path, samples, RATE, container=container, codec=codec)


def writer(rate=RATE, **options):
    return lambda path, samples: write(path, samples, rate, **options)


JOINABLE = [
    pytest.param("flac", writer(), id="flac"),
    pytest.param("wav", writer(), id="wav"),
    pytest.param("aiff", writer(), id="aiff"),
    pytest.param("wav", writer(format="RF64"), id="rf64"),
    pytest.param("au", writer(), id="au"),
    pytest.param("caf", writer(), id="caf"),
    pytest.param("ogg", writer(**VORBIS), id="vorbis"),
    pytest.param("opus", writer(rate=48_000, **OPUS), id="opus"),
    pytest.param("mp3", writer(format="MP3"), id="mp3"),
    pytest.param("m4a", encoder("ipod", "aac"), id="m4a"),
    pytest.param("aac", encoder("adts", "aac"), id="aac"),
    pytest.param("ac3", encoder("ac3", "ac3"), id="ac3"),
    pytest.param("ts", encoder("mpegts", "mp2"), id="ts"),
    pytest.param("mpg", encoder("mpeg", "mp2"), id="mpg"),
    pytest.param("mka", encoder("matroska", "aac"), id="mka"),
    pytest.param("wma", encoder("asf", "wmav2"), id="wma"),
    pytest.param("flv", encoder("flv", "aac"), id="flv"),
    pytest.param("tta", encoder("tta", "tta"), id="tta"),
    pytest.param("wv", encoder("wv", "wavpack"), id="wavpack"),
]


@pytest.mark.parametrize(("suffix", "write_file"), JOINABLE)
def test_files_joined_into_one_are_read_to_the_end(tmp_path, suffix, write_file):
    parts = [
        write_file(tmp_path / f"1.{suffix}", stereo(tone(500, 2.0, RATE))),
        write_file(tmp_path / f"2.{suffix}", stereo(tone(1_500, 4.0, RATE))),
        write_file(tmp_path / f"3.{suffix}", stereo(tone(3_000, 3.0, RATE))),
    ]
    path = joined(tmp_path / f"a.{suffix}", *parts)
    length = 9.0 if suffix != "opus" else 9.0 * RATE / 48_000
    seconds, warning = read(path)
    assert seconds == pytest.approx(length, abs=0.3)
    assert warning is None
    seconds, warning = read(path, excerpt_seconds=2.0)
    assert seconds == pytest.approx(length, abs=0.3) or "another file is joined" in warning


@pytest.mark.parametrize("order", [1, -1], ids=["up", "down"])
@pytest.mark.parametrize(
    ("suffix", "container", "codec", "first", "second"),
    [
        pytest.param("ac3", "ac3", "ac3", (48_000, 2), (48_000, 6), id="ac3 channels"),
        pytest.param("ac3", "ac3", "ac3", (48_000, 2), (44_100, 2), id="ac3 rate"),
        pytest.param("eac3", "eac3", "eac3", (48_000, 2), (48_000, 6), id="eac3 channels"),
        pytest.param("aac", "adts", "aac", (44_100, 1), (44_100, 2), id="aac channels"),
        pytest.param("aac", "adts", "aac", (48_000, 2), (44_100, 2), id="aac rate"),
        pytest.param("mp2", "mp2", "mp2", (44_100, 1), (44_100, 2), id="mp2 channels"),
        pytest.param("mp2", "mp2", "mp2", (48_000, 2), (32_000, 1), id="mp2 rate and channels"),
        pytest.param("mp3", "mp3", "libmp3lame", (44_100, 1), (44_100, 2), id="mp3 channels"),
        pytest.param("mp3", "mp3", "libmp3lame", (48_000, 2), (44_100, 2), id="mp3 rate"),
        pytest.param("ts", "mpegts", "ac3", (48_000, 2), (48_000, 6), id="ts channels"),
        pytest.param("flac", "flac", "flac", (48_000, 2), (44_100, 1), id="flac"),
        pytest.param("ogg", None, None, (48_000, 2), (44_100, 1), id="vorbis"),
        pytest.param("opus", "ogg", "libopus", (48_000, 2), (48_000, 1), id="opus"),
    ],
)
def test_a_file_whose_format_changes_midway_is_read_to_the_end(
    tmp_path, suffix, container, codec, first, second, order
):
    parts = []
    for number, (rate, channels) in enumerate([first, second][::order]):
        samples = np.repeat(tone(500 + 1_000 * number, 3.0, rate)[:, np.newaxis], channels, axis=1)
        part = tmp_path / f"{number}.{suffix}"
        if codec:
            encode(part, samples, rate, container=container, codec=codec)
        else:
            write(part, samples, rate, **VORBIS)
        parts.append(part)
    path = joined(tmp_path / f"a.{suffix}", *parts)
    waveform, damage = waveform_of(path)
    assert damage is None
    assert len(waveform) / 16_000 == pytest.approx(6.0, abs=0.3)
    for start, hertz in ((16_000, 500), (64_000, 1_500)):  # each part at its own pitch
        spectrum = np.abs(np.fft.rfft(waveform[start : start + 16_000]))
        assert spectrum.argmax() == pytest.approx(hertz, abs=2)


# Lengths in headers


def edited(path: Path, name: bytes, size: int, order: str) -> Path:
    """Change the size of a chunk, and of the whole file, in the header of a wav or aiff."""
    content = bytearray(path.read_bytes())
    for at in (4, content.index(name) + 4):
        content[at : at + 4] = size.to_bytes(4, order)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("name", "chunk", "order"),
    [("a.wav", b"data", "little"), ("a.aiff", b"SSND", "big")],
    ids=["wav", "aiff"],
)
def test_a_file_without_a_length_in_its_header_is_read_with_a_warning(tmp_path, name, chunk, order):
    path = edited(write(tmp_path / name, melody(6.0)), chunk, 0, order)
    for options in ({}, {"excerpt_seconds": 2.0}):
        seconds, warning = read(path, **options)
        assert seconds == pytest.approx(6.0, abs=0.01)
        assert "its header declares a wrong length" in warning


def test_a_wav_of_more_than_4_gib_is_read_with_a_warning(tmp_path):
    rate, n_bytes = 192_000, (4 << 30) + (1 << 20)
    path = write(tmp_path / "a.wav", stereo(noise(1.0, rate)), rate, subtype="PCM_32")
    edited(path, b"data", n_bytes % (1 << 32), "little")
    with path.open("r+b") as file:
        file.truncate(n_bytes + 44)
    assert container_damage(str(path)) == WRONG_LENGTH
    seconds, warning = read(path, excerpt_seconds=2.0)
    assert seconds == pytest.approx(n_bytes / rate / 8, abs=0.1)
    assert "its header declares a wrong length" in warning


def test_an_empty_wav_with_other_chunks_is_not_read_as_samples(tmp_path):
    path = write(tmp_path / "a.wav", np.zeros(0, dtype=np.float32))
    content = bytearray(path.read_bytes()) + b"LIST\x04\0\0\0INFO"
    struct.pack_into("<I", content, 4, len(content) - 8)
    path.write_bytes(content)
    with pytest.raises(AudioError, match="no samples"):
        read(path)


@pytest.mark.parametrize("size", [0x7F00_0008, 0x7FFF_0000, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF])
@pytest.mark.parametrize(
    ("name", "chunk", "order"),
    [("a.wav", b"data", "little"), ("a.aiff", b"SSND", "big")],
    ids=["wav", "aiff"],
)
def test_a_size_that_programs_declare_in_a_pipe_gives_no_warning(
    tmp_path, name, chunk, order, size
):
    path = edited(write(tmp_path / name, melody(3.0)), chunk, size, order)
    assert read(path) == (pytest.approx(3.0, abs=0.01), None)


@pytest.mark.parametrize("kind", ["aiff", "aifc", "wav", "au", "w64"])
def test_a_file_that_sox_wrote_to_a_pipe_gives_no_warning(tmp_path, kind):
    source = write(tmp_path / "a.wav", melody(3.0))
    path = tmp_path / f"a.{kind}"
    path.write_bytes(run_program("sox", source, "-t", kind, "-"))
    assert read(path) == (pytest.approx(3.0, abs=0.01), None)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        pytest.param("a.w64", {"format": "W64"}, id="w64"),
        pytest.param("a.wav", {"format": "RF64"}, id="rf64"),
        pytest.param("a.au", {}, id="au"),
        pytest.param("a.caf", {}, id="caf"),
    ],
)
def test_a_truncated_file_gives_a_warning(tmp_path, name, options):
    path = write(tmp_path / name, melody(6.0), **options)
    path.write_bytes(path.read_bytes()[:100_000])
    assert container_damage(str(path)) == CUT_SHORT
    assert "cut short" in read(path)[1]


@pytest.mark.parametrize(("rate", "kbits"), [(22_050, 64), (22_050, 160), (44_100, 128)])
def test_an_mp3_without_a_header_and_with_a_tag_at_its_end_gives_no_warning(tmp_path, rate, kbits):
    source = write(tmp_path / "a.wav", np.tile(tone(rate=rate), 60), rate)
    path = tmp_path / "a.mp3"
    run_program("lame", "--quiet", "-t", "-b", kbits, "--id3v1-only", "--tt", "T", source, path)
    assert path.read_bytes()[-128:].startswith(b"TAG")
    assert read(path) == (pytest.approx(180.0, abs=0.3), None)


def encode_at(path: Path, samples, container: str, codec: str, start: float) -> Path:
    """Encode samples so that their time stamps begin at a number of seconds."""
    with av.open(str(path), "w", format=container) as output:
        stream = output.add_stream(codec, rate=48_000, layout=LAYOUTS[1], bit_rate=96_000)
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="flt", layout="mono")
        frame.sample_rate = 48_000
        frame.pts, frame.time_base = round(start * 48_000), Fraction(1, 48_000)
        size = stream.codec_context.frame_size or 1_024
        resampler = av.AudioResampler(stream.codec_context.format, "mono", 48_000, size)
        for converted in [*resampler.resample(frame), None]:
            output.mux(stream.encode(converted))
    return path


@pytest.mark.parametrize("start", [3.0, 50.0, 1_000.0])
@pytest.mark.parametrize(
    ("container", "codec"),
    [
        *(("matroska", "aac"), ("webm", "libopus"), ("asf", "wmav2"), ("avi", "mp2")),
        *(("mpegts", "aac"), ("mov", "aac"), ("flv", "aac"), ("ogg", "flac")),
    ],
)
def test_time_stamps_that_begin_late_change_nothing(
    tmp_path, similarity, excerpt_embedder, container, codec, start
):
    samples = melody(10.0, 48_000)
    path = encode_at(tmp_path / "a", samples, container, codec, start)
    assert read(path) == (pytest.approx(10.0, abs=0.2), None)
    assert read(path, excerpt_seconds=4.0) == (pytest.approx(10.0, abs=0.2), None)
    assert similarity(path, samples, excerpt_embedder, 48_000) > 0.85


# Streams and formats


def encode_two(path: Path, container: str, codec: str, default: int) -> Path:
    """Encode two tones, at 500 and 1,500 Hz, as two streams, one of them the default."""
    with av.open(str(path), "w", format=container) as output:
        streams = [output.add_stream(codec, rate=48_000, layout="mono") for _ in range(2)]
        for number, stream in enumerate(streams):
            stream.metadata["title"] = f"stream {number}"
            stream.disposition = av.stream.Disposition(int(number == default))
        for number, stream in enumerate(streams):
            samples = tone(500 + 1_000 * number, 3.0, 48_000).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(samples, format="flt", layout="mono")
            frame.sample_rate = 48_000
            size = stream.codec_context.frame_size or 1_024
            resampler = av.AudioResampler(stream.codec_context.format, "mono", 48_000, size)
            for converted in [*resampler.resample(frame), None]:
                output.mux(stream.encode(converted))
    return path


@pytest.mark.parametrize("default", [0, 1])
@pytest.mark.parametrize(
    ("container", "codec"), [("matroska", "aac"), ("webm", "libopus"), ("mp4", "aac")]
)
def test_the_default_audio_stream_and_its_tags_are_used(tmp_path, container, codec, default):
    path = encode_two(tmp_path / "a", container, codec, default)
    waveform = waveform_of(path)[0]
    spectrum = np.abs(np.fft.rfft(waveform[16_000:32_000]))
    assert spectrum.argmax() == pytest.approx(500 + 1_000 * default, abs=1)
    if container != "mp4":  # which stores no titles of streams
        assert metadata(str(path))["title"] == f"stream {default}"


def dsd(samples, bitorder: Literal["big", "little"]) -> bytes:
    """Samples at 2.8224 MHz, shape (n,), as a mono stream of bits."""
    total = np.floor(np.cumsum((samples.astype(np.float64) + 1) / 2))
    return np.packbits(np.diff(total, prepend=0).astype(np.uint8), bitorder=bitorder).tobytes()


def dsf(samples) -> bytes:
    bits = dsd(samples, "little")
    bits += bytes(-len(bits) % 4_096)
    numbers = struct.pack("<IIIIIIQII", 1, 0, 1, 1, 2_822_400, 1, len(samples), 4_096, 0)
    sound = b"fmt " + struct.pack("<Q", 52) + numbers
    sound += b"data" + struct.pack("<Q", 12 + len(bits)) + bits
    return b"DSD " + struct.pack("<QQQ", 28, 28 + len(sound), 0) + sound


def dff(samples) -> bytes:
    """A DSDIFF file."""
    bits = dsd(samples, "big")

    def chunk(name, content):
        return name + struct.pack(">Q", len(content)) + content + bytes(len(content) % 2)

    sound = chunk(b"FS  ", struct.pack(">I", 2_822_400)) + chunk(b"CHNL", b"\0\1C   ")
    sound += chunk(b"CMPR", b"DSD \x0enot compressed\0")
    body = b"DSD " + chunk(b"FVER", bytes([1, 5, 0, 0])) + chunk(b"PROP", b"SND " + sound)
    return chunk(b"FRM8", body + chunk(b"DSD ", bits))


@pytest.mark.parametrize("content", [dsf, dff])
def test_dsd_files_are_read_on_where_they_are_joined_and_give_a_warning_if_cut(tmp_path, content):
    path = tmp_path / f"a.{content.__name__}"
    data = content(tone(1_000, 1.2, 2_822_400))
    for sound, seconds, damage in (
        (data, 1.2, None),
        (data + data, 2.4, None),
        (data[: len(data) // 2], 0.6, CUT_SHORT),
    ):
        path.write_bytes(sound)
        waveform, found = waveform_of(path)
        assert len(waveform) / 16_000 == pytest.approx(seconds, abs=0.05)
        assert found == damage


def test_a_dff_is_found_and_decoded(tmp_path):
    path = tmp_path / "a.dff"
    path.write_bytes(dff(tone(1_000, 1.5, 2_822_400)))
    assert path.suffix in SUFFIXES
    waveform = waveform_of(path)[0]
    assert len(waveform) == pytest.approx(24_000, abs=200)
    assert np.abs(np.fft.rfft(waveform[4_000:20_000])).argmax() == pytest.approx(1_000, abs=1)


@pytest.mark.parametrize(
    ("suffix", "container", "codec"),
    [
        *((".eac3", "eac3", "eac3"), (".thd", "truehd", "truehd"), (".ts", "mpegts", "mp2")),
        *((".m2ts", "mpegts", "ac3"), (".avi", "avi", "mp2"), (".vob", "vob", "mp2")),
        *((".flv", "flv", "aac"), (".mpg", "mpeg", "mp2")),
    ],
)
def test_a_format_that_is_decoded_is_looked_for_in_folders(tmp_path, suffix, container, codec):
    path = tmp_path / f"a{suffix}"
    if codec == "truehd":
        source = write(tmp_path / "a.wav", stereo(melody(3.0, 48_000)), 48_000)
        run_program("ffmpeg", "-i", source, "-strict", "-2", "-f", container, path)
    else:
        encode(path, stereo(melody(3.0, 48_000)), 48_000, container=container, codec=codec)
    assert suffix in SUFFIXES
    assert read(path) == (pytest.approx(3.0, abs=0.2), None)
    assert read(path, excerpt_seconds=1.0)[1] is None


def test_the_guide_lists_all_suffixes():
    guide = (Path(__file__).parents[1] / "docs" / "guide.md").read_text(encoding="utf-8")
    listed = guide.split("<!-- suffixes -->")[1].replace("`", "").replace(",", "").split()
    assert set(listed) == SUFFIXES
    assert listed == sorted(listed)


# Channels and levels


@pytest.mark.parametrize("share", [-1.0, -0.95, -0.9])
def test_inverted_stereo_sounds_like_one_of_its_channels(tmp_path, similarity, share):
    samples = melody(6.0, RATE)
    path = write(tmp_path / "a.wav", np.stack([samples, share * samples], axis=1), RATE)
    assert similarity(path, samples) > 0.99


def test_inverted_stereo_survives_lossy_compression(tmp_path, similarity):
    samples = melody(6.0, RATE)
    path = write(tmp_path / "a.ogg", np.stack([samples, -samples], axis=1), RATE, **VORBIS)
    assert similarity(path, samples) > 0.95


def test_stereo_that_is_inverted_from_the_middle_on_does_not_click(tmp_path):
    samples = tone(200, 8.0)
    right = np.where(np.arange(len(samples)) < 40_000, samples, -samples)
    path = write(tmp_path / "a.wav", np.stack([samples, right], axis=1), subtype="FLOAT")
    mono = waveform_of(path)[0]
    assert np.abs(np.diff(mono)).max() < 1.1 * np.abs(np.diff(samples)).max()
    np.testing.assert_allclose(mono[70_000:], samples[70_000:], atol=1e-6)


@pytest.mark.parametrize("correlation", [1.0, 0.5, 0.0, -0.5, -0.9])
def test_ordinary_stereo_is_the_mean_of_its_channels_to_the_bit(tmp_path, correlation):
    left, other = noise(3.0), noise(3.0, seed=1)
    right = correlation * left + np.sqrt(1 - correlation**2) * other
    samples = np.stack([left, right], axis=1).astype(np.float32)
    path = write(tmp_path / "a.wav", samples, subtype="FLOAT")
    mono = waveform_of(path)[0]
    blocks = np.array_split(samples, range(32_768, len(samples), 32_768))
    mean = np.full(2, 0.5, dtype=np.float32)
    assert np.array_equal(mono, np.concatenate([block @ mean for block in blocks]))


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg"])
def test_silence_gives_a_warning(tmp_path, suffix):
    path = write(tmp_path / f"a.{suffix}", np.zeros(48_000, dtype=np.float32))
    assert read(path) == (3.0, "it is silent")


@pytest.mark.parametrize("factor", [8, 2**15, 2**23, 2**31])
def test_samples_far_out_of_range_are_scaled_with_a_warning(tmp_path, similarity, factor):
    samples = 0.8 * melody(6.0, RATE)
    path = write(tmp_path / "a.wav", factor * samples, RATE, subtype="FLOAT")
    assert "go far beyond 1" in read(path)[1]
    assert similarity(path, samples) > 0.97


@pytest.mark.parametrize("peak", [1e-4, 1.0001, 1.5])
def test_quiet_sound_and_overshoots_of_lossy_decoders_give_no_warning(tmp_path, peak):
    path = write(tmp_path / "a.wav", 2 * peak * tone(), subtype="FLOAT")
    assert read(path)[1] is None
    assert waveform_of(path)[0].max() > 0.99 * peak


def test_a_warning_is_in_the_summary_of_add(tmp_path, run):
    write(tmp_path / "a.wav", np.zeros(48_000, dtype=np.float32))
    result = run("add", tmp_path / "a.wav", "--index", tmp_path / "i", "--model", "compact")
    assert result.output.count("it is silent") == 1
