"""Files that every browser plays are sent as they are; all others are converted first."""

import io
import shutil

import httpx
import numpy as np
import pytest
import soundfile
from programs import run_program
from served import serving
from sounds import encode, tone, write

from audiosearch import Index, add
from audiosearch.audio.browser_formats import browser_media_type
from audiosearch.audio.transcode import transcode

RATE = 44_100


def sine(n_channels=1, rate=RATE, only=None):
    """A tone of 440 Hz in several channels; all but one are silent if one is named."""
    samples = np.repeat(tone(440, 1.0, rate)[:, np.newaxis], n_channels, axis=1)
    return samples if only is None else samples * (np.arange(n_channels) == only)


WAV = io.BytesIO()
soundfile.write(WAV, sine(), RATE, format="WAV")


def libsndfile(subtype, kind="WAV", *, n_channels=1, rate=RATE):
    samples = sine(n_channels, rate)
    return lambda path: write(path, samples, rate, format=kind, subtype=subtype)


def ffmpeg(container, codec, rate=RATE):
    return lambda path: encode(path, sine(2, rate), rate, container=container, codec=codec)


def lame(*options):
    return lambda path: run_program("lame", "--quiet", *options, "-", path, stdin=WAV.getvalue())


def flac(*options):
    return lambda path: run_program("flac", "-s", *options, "-o", path, "-", stdin=WAV.getvalue())


def changed(make, position, content):
    """A file with other bytes at a position."""

    def make_changed(path):
        make(path)
        before = path.read_bytes()
        path.write_bytes(before[:position] + content + before[position + len(content) :])

    return make_changed


def after(prefix, make):
    """A file after other bytes."""

    def make_after(path):
        make(path)
        path.write_bytes(prefix + path.read_bytes())

    return make_after


ID3 = b"ID3\4\0\0\0\0\0\x0a" + bytes(10)
PLAYED = [
    pytest.param(libsndfile("PCM_U8"), "audio/wav", id="wav of 8 bits"),
    pytest.param(libsndfile("PCM_16"), "audio/wav", id="wav of 16 bits"),
    pytest.param(libsndfile("PCM_24", n_channels=2), "audio/wav", id="wav of 24 bits"),
    pytest.param(libsndfile("PCM_16", "WAVEX"), "audio/wav", id="extensible wav"),
    pytest.param(libsndfile("PCM_16", "FLAC"), "audio/flac", id="flac of 16 bits"),
    pytest.param(libsndfile("PCM_24", "FLAC"), "audio/flac", id="flac of 24 bits"),
    pytest.param(after(ID3, libsndfile("PCM_16", "FLAC")), "audio/flac", id="flac after a tag"),
    pytest.param(libsndfile("VORBIS", "OGG"), "audio/ogg", id="vorbis"),
    pytest.param(libsndfile("OPUS", "OGG", rate=48_000), "audio/ogg", id="opus"),
    pytest.param(libsndfile("MPEG_LAYER_III", "MP3"), "audio/mpeg", id="mp3"),
    pytest.param(lame("-b", "128", "--tt", "A title"), "audio/mpeg", id="mp3 with tags"),
    pytest.param(libsndfile("MPEG_LAYER_III", "MP3", rate=8_000), "audio/mpeg", id="mp3 of 8 kHz"),
    pytest.param(ffmpeg("ipod", "aac"), "audio/mp4", id="aac in m4a"),
]
CONVERTED = [
    *(
        pytest.param(libsndfile(subtype), id=f"wav of {name}")
        for subtype, name in {
            "PCM_32": "32 bits",
            "FLOAT": "floats",
            "DOUBLE": "doubles",
            "ULAW": "mu-law",
            "ALAW": "A-law",
            "IMA_ADPCM": "IMA ADPCM",
            "MS_ADPCM": "Microsoft ADPCM",
            "GSM610": "GSM",
        }.items()
    ),
    pytest.param(libsndfile("FLOAT", "WAVEX"), id="extensible wav of floats"),
    pytest.param(ffmpeg("wav", "libmp3lame"), id="mp3 in wav"),
    pytest.param(libsndfile("PCM_16", n_channels=3), id="wav of 3 channels"),
    pytest.param(libsndfile("PCM_16", n_channels=12), id="wav of 12 channels"),
    pytest.param(libsndfile("PCM_16", rate=2_000), id="wav of 2 kHz"),
    pytest.param(libsndfile("PCM_16", rate=384_000), id="wav of 384 kHz"),
    pytest.param(changed(libsndfile("PCM_16"), 40, b"\xff" * 4), id="wav of a wrong length"),
    pytest.param(libsndfile("PCM_16", "RF64"), id="rf64"),
    pytest.param(libsndfile("PCM_16", "W64"), id="w64"),
    pytest.param(libsndfile("PCM_16", "AIFF"), id="aiff"),
    pytest.param(libsndfile("PCM_16", "FLAC", n_channels=6), id="flac of 6 channels"),
    pytest.param(libsndfile("PCM_S8", "FLAC"), id="flac of 8 bits"),
    pytest.param(lame("--freeformat", "-b", "400"), id="mp3 of the free format"),
    pytest.param(ffmpeg("mp2", "mp2"), id="mp2"),
    pytest.param(flac("--ogg"), id="flac in ogg"),
    pytest.param(ffmpeg("ipod", "alac"), id="alac in m4a"),
    pytest.param(ffmpeg("mp4", "ac3"), id="ac3 in mp4"),
    pytest.param(ffmpeg("adts", "aac"), id="aac without a container"),
    pytest.param(ffmpeg("webm", "libopus", 48_000), id="webm"),
]


@pytest.mark.parametrize("name", ["sound.wav", "sound.mp3", "sound"])
@pytest.mark.parametrize(("make", "kind"), PLAYED)
def test_a_file_that_every_browser_plays_has_its_media_type_under_any_name(
    tmp_path, make, kind, name
):
    make(tmp_path / "made")
    shutil.move(tmp_path / "made", tmp_path / name)
    assert browser_media_type(str(tmp_path / name)) == kind


@pytest.mark.parametrize("make", CONVERTED)
def test_a_file_that_some_browser_does_not_play_is_converted(tmp_path, make):
    make(tmp_path / "sound.wav")
    assert browser_media_type(str(tmp_path / "sound.wav")) is None
    with (tmp_path / "copy").open("w+b") as copy:
        transcode(str(tmp_path / "sound.wav"), copy)
    assert browser_media_type(str(tmp_path / "copy")) == "audio/mpeg"
    samples, _ = soundfile.read(tmp_path / "copy")
    middle = samples[len(samples) // 4 : len(samples) // 2, 0]
    assert np.abs(middle).max() > 0.1


def box(kind, content=b""):
    return (8 + len(content)).to_bytes(4, "big") + kind + content


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"RIFF", id="cut"),
        pytest.param(b"RIFF\0\0\0\0WAVE" + b"junk\0\0\0\0" * 100_000, id="empty chunks"),
        pytest.param(box(b"ftyp") + box(b"free") * 100_000, id="empty boxes"),
        pytest.param(box(b"ftyp") + bytes(8) + box(b"moov"), id="box without an end"),
        pytest.param(b"ID3\4\0\0\x7f\x7f\x7f\x7f", id="tag longer than the file"),
        pytest.param(b"OggS" + bytes(22) + b"\xff", id="cut page"),
        pytest.param(b"fLaC\0\0\0\x22", id="cut flac"),
        pytest.param(b"#EXTM3U\n", id="text"),
    ],
)
def test_damaged_files_are_not_sent_as_they_are(tmp_path, content):
    path = tmp_path / "sound.mp3"
    path.write_bytes(content)
    assert browser_media_type(str(path)) is None


@pytest.mark.parametrize(("number", "only"), [(4, 2), (4, 3), (6, 2), (10, 9)])
def test_a_copy_plays_every_channel(tmp_path, number, only):
    write(tmp_path / "sound.wav", sine(number, only=only), RATE)
    with (tmp_path / "copy.mp3").open("wb") as copy:
        transcode(str(tmp_path / "sound.wav"), copy)
    samples, _ = soundfile.read(tmp_path / "copy.mp3")
    assert np.abs(samples[RATE // 4 : RATE // 2]).max() > 0.02


@pytest.mark.parametrize("factor", [32_767, 1e6], ids=["16 bits", "24 bits"])
def test_a_copy_of_floats_in_the_range_of_integers_is_not_distorted(tmp_path, factor):
    write(tmp_path / "sound.wav", sine() * np.float32(factor), RATE, subtype="FLOAT")
    with (tmp_path / "copy.mp3").open("wb") as copy:
        transcode(str(tmp_path / "sound.wav"), copy)
    samples, _ = soundfile.read(tmp_path / "copy.mp3")
    spectrum = np.abs(np.fft.rfft(samples[RATE // 4 : 3 * RATE // 4, 0]))
    assert spectrum.argmax() * 2 == pytest.approx(440, abs=2)
    assert spectrum[650:670].max() < 0.01 * spectrum.max()  # the third harmonic of a square wave


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """A server of a library with a file of each kind; all are called .wav."""
    folder = tmp_path_factory.mktemp("odd")
    (folder / "music").mkdir()
    for case in (*PLAYED, *CONVERTED):
        case.values[0](folder / "music" / f"{case.id}.wav")
    add(folder / "index", [folder / "music"], model="compact", n_jobs=1)
    with Index(folder / "index") as index:
        ids = {track.path.rsplit("/", 1)[-1][:-4]: track.id for track in index}
    with serving(folder, ids) as server:
        yield server


HEARD = """async (address) => {
  const context = new AudioContext(), audio = new Audio(address);
  const analyser = new AnalyserNode(context, { fftSize: 8192 });
  context.createMediaElementSource(audio).connect(analyser);
  await audio.play();
  while (audio.currentTime < 0.4) await new Promise((resolve) => setTimeout(resolve, 20));
  const levels = new Float32Array(analyser.frequencyBinCount);
  analyser.getFloatFrequencyData(levels);
  audio.pause();
  const loudest = levels.indexOf(Math.max(...levels));
  await context.close();
  return [(loudest * context.sampleRate) / 8192, levels[loudest]];
}"""


@pytest.mark.slow
def test_chromium_plays_every_kind(browser_page, odd):
    browser_page.goto(odd.url)
    assert len(odd.ids) == len(PLAYED) + len(CONVERTED)
    for name, track_id in odd.ids.items():
        hertz, level = browser_page.evaluate(HEARD, f"/api/tracks/{track_id}/audio")
        assert (name, hertz) == (name, pytest.approx(440, abs=8))
        assert level > -60, name


def test_files_are_sent_with_the_media_type_of_their_content(odd):
    for case in PLAYED:
        url = f"{odd.url}/api/tracks/{odd.ids[case.id]}/audio"
        assert httpx.head(url).headers["content-type"] == case.values[1]
