"""Audio files are decoded to mono at 16 kHz; files without audio are rejected."""

import contextlib
import os
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from sounds import cut, encode, melody, noise, tone, write

from audiosearch.audio.decode import mono_blocks, open_recording
from audiosearch.audio.mp3 import MpegLength, mpeg_length
from audiosearch.audio.recording import BLOCK_SAMPLES
from audiosearch.embedding.patch_reader import PatchReader
from audiosearch.errors import AudioError


def decode(path):
    """Return the waveform of a file, and facts about it."""
    recording = open_recording(os.fspath(path))
    try:
        return np.concatenate(list(mono_blocks(recording, os.fspath(path)))), recording.info
    finally:
        recording.close()


def hertz_of(waveform):
    """Return the strongest frequency of a waveform at 16 kHz."""
    spectrum = np.abs(np.fft.rfft(waveform * np.hanning(len(waveform))))
    return spectrum.argmax() * 16_000 / len(waveform)


SNDFILE_FORMATS = [
    pytest.param("a.wav", {"subtype": "PCM_U8"}, "wav", 2e-2, id="wav 8 bit"),
    pytest.param("a.wav", {"subtype": "PCM_16"}, "wav", 1e-3, id="wav 16 bit"),
    pytest.param("a.wav", {"subtype": "PCM_24"}, "wav", 1e-3, id="wav 24 bit"),
    pytest.param("a.wav", {"subtype": "PCM_32"}, "wav", 1e-3, id="wav 32 bit"),
    pytest.param("a.wav", {"subtype": "FLOAT"}, "wav", 1e-3, id="wav float"),
    pytest.param("a.wav", {"subtype": "DOUBLE"}, "wav", 1e-3, id="wav double"),
    pytest.param("a.aiff", {"subtype": "PCM_16"}, "aiff", 1e-3, id="aiff"),
    pytest.param("a.flac", {"subtype": "PCM_24"}, "flac", 1e-3, id="flac"),
    pytest.param("a.ogg", {"format": "OGG", "subtype": "VORBIS"}, "vorbis", 0.05, id="vorbis"),
    pytest.param("a.opus", {"format": "OGG", "subtype": "OPUS"}, "opus", 0.1, id="opus"),
    pytest.param("a.mp3", {"format": "MP3"}, "mp3", 0.1, id="mp3"),
]
FFMPEG_FORMATS = [
    pytest.param("a.m4a", "ipod", "aac", "aac", id="m4a"),
    pytest.param("a.aac", "adts", "aac", "aac", id="raw aac"),
    pytest.param("a.m4a", "ipod", "alac", "alac", id="alac"),
    pytest.param("a.wma", "asf", "wmav2", "wmav2", id="wma"),
    pytest.param("a.webm", "webm", "libopus", "opus", id="webm"),
    pytest.param("a.mka", "matroska", "aac", "aac", id="mka"),
    pytest.param("a.wv", "wv", "wavpack", "wavpack", id="wavpack"),
]


@pytest.mark.parametrize(("name", "options", "codec", "tolerance"), SNDFILE_FORMATS)
def test_the_blocks_of_a_long_file_are_exactly_its_samples(
    tmp_path, name, options, codec, tolerance
):
    waveform = melody(8.0, 48_000)
    path = write(tmp_path / name, np.stack([waveform, -0.5 * waveform], 1), 48_000, **options)
    with contextlib.closing(open_recording(os.fspath(path))) as recording:
        blocks = list(recording.blocks())
    assert {len(block) for block in blocks[:-1]} == {BLOCK_SAMPLES // 2}
    samples, _ = soundfile.read(path, dtype="float32")
    np.testing.assert_array_equal(np.concatenate(blocks), samples)


@pytest.mark.parametrize(("name", "options", "codec", "tolerance"), SNDFILE_FORMATS)
def test_libsndfile_decodes_each_format_to_the_written_waveform(
    tmp_path, name, options, codec, tolerance
):
    rate = 48_000
    waveform, info = decode(write(tmp_path / name, tone(1_000, 2.0, rate), rate, **options))
    assert info.format == codec
    assert (info.sample_rate_hz, info.channels) == (rate, 1)
    assert info.seconds == pytest.approx(2.0, abs=0.1)
    assert len(waveform) == pytest.approx(32_000, abs=1_600)
    assert hertz_of(waveform) == pytest.approx(1_000, abs=2)
    middle = waveform[8_000:24_000]
    assert np.sqrt(2 * np.mean(middle**2)) == pytest.approx(0.5, rel=0.05 + tolerance)


@pytest.mark.parametrize(("name", "container", "encoder", "codec"), FFMPEG_FORMATS)
def test_ffmpeg_decodes_each_format_to_the_written_waveform(
    tmp_path, name, container, encoder, codec
):
    path = tmp_path / name
    encode(path, tone(1_000, 2.0, 48_000), 48_000, container=container, codec=encoder)
    waveform, info = decode(path)
    assert info.format == codec
    assert (info.sample_rate_hz, info.channels) == (48_000, 1)
    assert len(waveform) == pytest.approx(32_000, abs=1_600)
    assert hertz_of(waveform) == pytest.approx(1_000, abs=2)
    assert np.sqrt(2 * np.mean(waveform[8_000:24_000] ** 2)) == pytest.approx(0.5, rel=0.1)


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 44_100, 96_000, 192_000])
def test_any_sample_rate_is_resampled_to_16_khz(tmp_path, rate):
    waveform, _ = decode(write(tmp_path / "a.wav", tone(1_000, 2.0, rate), rate))
    assert len(waveform) == pytest.approx(32_000, abs=2)
    assert hertz_of(waveform) == pytest.approx(1_000, abs=1)


@pytest.mark.parametrize("channels", range(1, 9))
def test_channels_are_averaged(tmp_path, channels):
    samples = np.zeros((16_000, channels), dtype=np.float32)
    samples[:, channels - 1] = tone(500, 1.0)
    waveform, info = decode(write(tmp_path / "a.wav", samples, subtype="FLOAT"))
    assert info.channels == channels
    np.testing.assert_allclose(waveform, tone(500, 1.0) / channels, atol=1e-6)


@pytest.mark.parametrize("channels", range(1, 9))
def test_channels_of_ffmpeg_formats_are_averaged(tmp_path, channels):
    samples = np.zeros((96_000, channels), dtype=np.float32)
    samples[:, 0] = tone(500, 2.0, 48_000)
    path = encode(tmp_path / "a.mka", samples, 48_000, container="matroska", codec="pcm_s16le")
    waveform, info = decode(path)
    assert info.channels == channels
    assert len(waveform) == pytest.approx(32_000, abs=400)
    assert np.sqrt(2 * np.mean(waveform**2)) == pytest.approx(0.5 / channels, rel=0.02)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        pytest.param("a.wav", {}, id="wav"),
        pytest.param("a.aiff", {}, id="aiff"),
        pytest.param("a.flac", {}, id="flac"),
        pytest.param("a.ogg", {"format": "OGG", "subtype": "VORBIS"}, id="ogg"),
        pytest.param("a.opus", {"format": "OGG", "subtype": "OPUS"}, id="opus"),
        pytest.param("a.mp3", {"format": "MP3"}, id="mp3"),
    ],
)
def test_a_truncated_file_is_read_up_to_its_end_with_a_warning(tmp_path, name, options):
    path = write(tmp_path / name, melody(20.0, 48_000), 48_000, **options)
    with PatchReader(path) as reader:
        whole = sum(map(len, reader))
        assert reader.warning is None
    with PatchReader(cut(path)) as reader:
        part = sum(map(len, reader))
        assert reader.warning is not None
        assert f"{reader.seconds:.1f} s" in reader.warning
    assert whole == 20
    assert 6 <= part <= 13


@pytest.mark.parametrize(("container", "codec"), [("asf", "wmav2"), ("matroska", "aac")])
def test_a_truncated_ffmpeg_format_is_read_with_a_warning(tmp_path, container, codec):
    path = tmp_path / "a"
    encode(path, melody(20.0, 48_000), 48_000, container=container, codec=codec)
    with PatchReader(cut(path)) as reader:
        assert 6 <= sum(map(len, reader)) <= 16
        assert reader.warning is not None


def test_a_damaged_flac_is_read_up_to_the_damage(tmp_path):
    path = cut(write(tmp_path / "a.flac", melody(3.0, 44_100), 44_100), 0.5)
    waveform, _ = decode(path)
    assert len(waveform) / 16_000 > 1.2  # of 1.5 s; one or two FLAC frames may be lost


def test_two_mp3s_joined_into_one_file_are_read_to_the_end(tmp_path):
    for seconds in (4.0, 20.0):
        one = write(tmp_path / "a.mp3", melody(seconds, 44_100), 44_100, format="MP3")
        both = tmp_path / "both.mp3"
        both.write_bytes(one.read_bytes() * 2)
        waveform, info = decode(both)
        assert info.format == "mp3"
        assert len(waveform) / 16_000 == pytest.approx(2 * seconds, abs=0.5)


@pytest.mark.parametrize("rate", [44_100, 22_050, 11_025])
def test_the_length_of_an_mp3_of_constant_bit_rate_is_known_without_a_header(tmp_path, rate):
    path = write(
        tmp_path / "a.mp3", melody(20.0, rate), rate, format="MP3", bitrate_mode="CONSTANT"
    )
    path.write_bytes(path.read_bytes().replace(b"Info", b"\0\0\0\0", 1))
    assert mpeg_length(str(path)) is not MpegLength.UNKNOWN
    waveform, _ = decode(path)
    assert len(waveform) / 16_000 == pytest.approx(20.0, abs=0.5)


def test_tags_at_the_end_of_an_mp3_do_not_count_as_audio(tmp_path):
    path = write(tmp_path / "a.mp3", melody(4.0, 44_100), 44_100, format="MP3")
    content = path.read_bytes()
    ape = bytes(20_000) + b"APETAGEX" + struct.pack("<IIII8x", 2_000, 20_032, 1, 0)
    path.write_bytes(content + ape + b"TAG".ljust(128, b"\0"))
    assert mpeg_length(str(path)) is not MpegLength.UNKNOWN
    path.write_bytes(content + bytes(20_000))
    assert mpeg_length(str(path)) is MpegLength.UNKNOWN


def test_an_mp3_of_variable_bit_rate_without_a_header_is_read_to_the_end(tmp_path):
    # The start is quiet, so that its bit rate would make libmpg123 underestimate the length.
    samples = np.concatenate([0.001 * tone(100, 5.0, 44_100), noise(25.0, 44_100)])
    path = write(tmp_path / "a.mp3", samples, 44_100, format="MP3", compression_level=0.5)
    content = path.read_bytes()
    for name in (b"Xing", b"Info"):
        content = content.replace(name, b"\0\0\0\0", 1)
    path.write_bytes(content)
    assert mpeg_length(str(path)) is MpegLength.UNKNOWN
    waveform, _ = decode(path)
    assert len(waveform) / 16_000 == pytest.approx(30.0, abs=0.5)


def test_an_executable_named_mp3_is_rejected(tmp_path):
    path = tmp_path / "a.mp3"
    path.write_bytes(Path(sys.executable).resolve().read_bytes()[:200_000])
    with pytest.raises(AudioError):
        decode(path)


def test_an_audio_stream_of_an_unknown_codec_is_rejected(tmp_path):
    path = tmp_path / "a.mka"
    encode(path, tone(rate=48_000), 48_000, container="matroska", codec="aac")
    path.write_bytes(path.read_bytes().replace(b"A_AAC", b"A_XYZ"))
    with pytest.raises(AudioError, match="no audio that can be decoded"):
        open_recording(os.fspath(path))


def test_an_implausible_sample_rate_is_rejected(tmp_path):
    path = write(tmp_path / "a.wav", tone(), 20)
    with pytest.raises(AudioError, match="20 Hz"):
        open_recording(os.fspath(path))


def test_a_wav_named_raw_is_decoded(tmp_path):
    path = write(tmp_path / "a.wav", tone()).rename(tmp_path / "a.raw")
    assert len(decode(path)[0]) == 48_000


def test_a_file_with_tags_that_are_not_utf_8_is_decoded(tmp_path):
    path = tmp_path / "a.mka"
    encode(path, tone(rate=48_000), 48_000, container="matroska", codec="aac", title="caf_")
    path.write_bytes(path.read_bytes().replace(b"caf_", b"caf\xe9"))
    assert len(decode(path)[0]) == pytest.approx(48_000, abs=1_600)


def test_a_streamed_wav_of_unknown_length_gives_no_warning(tmp_path):
    path = write(tmp_path / "a.wav", melody(2.0))
    content = bytearray(path.read_bytes())
    at = content.index(b"data") + 4
    content[at : at + 4] = b"\xff\xff\xff\xff"
    path.write_bytes(content)
    with PatchReader(path) as reader:
        assert sum(map(len, reader)) == 2
        assert reader.warning is None


NOT_AUDIO = [
    pytest.param("ffconcat version 1.0\nfile secret.wav\n", id="ffconcat"),
    pytest.param(
        "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nsecret.wav\n"
        "#EXT-X-ENDLIST\n",
        id="hls",
    ),
    pytest.param("v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nm=audio 5004 RTP/AVP 0\n", id="sdp"),
    pytest.param("words and words\n" * 200, id="text"),
    pytest.param("\0" * 100_000, id="zeros"),
]


@pytest.mark.parametrize("content", NOT_AUDIO)
def test_playlists_and_other_files_without_audio_are_rejected(tmp_path, content):
    write(tmp_path / "secret.wav", tone())
    path = tmp_path / "a.mp3"
    path.write_text(content)
    with pytest.raises(AudioError, match="no audio that can be decoded"):
        open_recording(os.fspath(path))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_finite_are_rejected(tmp_path, value):
    samples = tone()
    samples[20_000] = value
    path = write(tmp_path / "a.wav", samples, subtype="FLOAT")
    with pytest.raises(AudioError, match="not finite"):
        decode(path)


def test_an_empty_file_a_folder_and_a_missing_file_are_rejected(tmp_path):
    (tmp_path / "empty.wav").touch()
    for name, reason in (("empty.wav", "empty"), ("", "not a file"), ("none.wav", "no such file")):
        with pytest.raises(AudioError, match=reason):
            open_recording(os.fspath(tmp_path / name))


def test_a_file_without_samples_is_rejected(tmp_path):
    path = write(tmp_path / "a.wav", np.zeros(0, dtype=np.float32))
    with pytest.raises(AudioError, match="no samples"), PatchReader(path) as reader:
        list(reader)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no named pipes")
def test_a_pipe_is_rejected_without_waiting_for_a_writer(tmp_path):
    os.mkfifo(tmp_path / "a.wav")
    with pytest.raises(AudioError, match="not a file"):
        open_recording(os.fspath(tmp_path / "a.wav"))


@pytest.mark.posix
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux allows any bytes in file names")
@pytest.mark.parametrize("name", [b"caf\xe9.wav", "\N{SNOWMAN}\n.wav".encode()])
def test_file_names_may_contain_any_bytes(tmp_path, name):
    path = os.path.join(os.fsencode(tmp_path), name)
    write(tmp_path / "a.wav", tone())
    os.rename(tmp_path / "a.wav", path)
    waveform, _ = decode(os.fsdecode(path))
    assert len(waveform) == 48_000
