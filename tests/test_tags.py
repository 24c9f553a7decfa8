"""Tags: several values, dates, normal forms; and files whose tags change, but not their sound."""

import json
import shutil

import numpy as np
import pytest
from blake3 import blake3
from programs import run_program
from sounds import encode, melody, noise, tone, write
from tagging import add_mp4_value, with_apev2, with_id3v1, with_id3v2

from audiosearch import Index, add
from audiosearch.audio import packets
from audiosearch.audio.dates import parse_year
from audiosearch.audio.flac import flac_sound
from audiosearch.audio.packets import audio_hash
from audiosearch.audio.tags import read_tags
from audiosearch.ingest.add import ReprocessPolicy, Status
from audiosearch.ingest.plan import states
from audiosearch.library.file_state import State

RATE = 48_000


@pytest.mark.parametrize(
    ("date", "year"),
    [
        ("1997", 1997),
        ("2004-05-00", 2004),
        ("2004-05-21T10:30:00Z", 2004),
        ("21.05.1997", 1997),
        ("05/1997", 1997),
        ("5/21/1997", 1997),
        ("May 21, 1997", 1997),
        ("19970521", 1997),
        ("21051997", 1997),
        ("19970521103000", 1997),
        ("199705", 1997),
        ("20041301", 2004),
        ("21051597", 1597),
        ("1997-05-21 10:00 +0100", 1997),
        ("Summer '69", None),
        ("210597", None),
        ("c. 1990", 1990),
        ("©1997", 1997),
        ("(P)1997", 1997),
        ("1990/2004", 1990),
        ("1990s", 1990),
        ("97/1998", 1998),
        ("1997.0", 1997),
        (1997, 1997),
        ("1997年", 1997),
        ("1000", 1000),
        ("2999", 2999),
        ("0000", None),
        ("0000-00-00", None),
        ("97", None),
        ("'97", None),
        ("0999", None),
        ("3000", None),
        ("19971", None),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_a_year_is_read_from_any_date(date, year):
    assert parse_year(date) == year


@pytest.fixture
def mp3(tmp_path):
    return write(tmp_path / "a.mp3", tone(seconds=1.0), format="MP3").read_bytes()


def tags_of(tmp_path, content, name="a.mp3"):
    path = tmp_path / name
    path.write_bytes(content)
    return read_tags(str(path))


def flac_with(tmp_path, *comments):
    path = write(tmp_path / "a.flac", tone(seconds=1.0))
    run_program("metaflac", *(f"--set-tag={comment}" for comment in comments), path)
    return read_tags(str(path))


def test_several_artists_and_genres_of_a_flac_file_count(tmp_path):
    tags = flac_with(
        tmp_path, "ARTIST=A", "ARTIST=B", "GENRE=Jazz", "GENRE=Folk/World", "GENRE=Jazz"
    )
    assert (tags.artist, tags.genre) == ("A; B", "Jazz; Folk/World")


@pytest.mark.parametrize("version", [3, 4])
def test_several_artists_and_genres_of_an_mp3_file_count(tmp_path, mp3, version):
    frames = {"TPE1": ["A", "B"], "TPE2": ["C", "D"], "TCON": ["Jazz", "Soul"]}
    tags = tags_of(tmp_path, with_id3v2(mp3, frames, version))
    assert (tags.artist, tags.album_artist, tags.genre) == ("A; B", "C; D", "Jazz; Soul")


def test_several_artists_and_genres_of_an_opus_file_count(tmp_path):
    write(tmp_path / "a.wav", tone(seconds=1.0))
    values = ["--artist", "A", "--artist", "B", "--genre", "Jazz", "--genre", "Soul"]
    run_program("opusenc", "--quiet", *values, tmp_path / "a.wav", tmp_path / "a.opus")
    tags = read_tags(str(tmp_path / "a.opus"))
    assert (tags.artist, tags.genre) == ("A; B", "Jazz; Soul")


def test_several_artists_and_genres_of_an_mp4_file_count(tmp_path):
    values = {"artist": "A", "genre": "Jazz"}
    path = encode(
        tmp_path / "a.m4a", tone(rate=RATE), RATE, container="ipod", codec="aac", **values
    )
    add_mp4_value(path, b"\xa9ART", "B")
    add_mp4_value(path, b"\xa9gen", "Soul")
    tags = read_tags(str(path))
    assert (tags.artist, tags.genre) == ("A; B", "Jazz; Soul")


def test_several_artists_and_genres_of_an_ape_tag_count(tmp_path):
    path = encode(tmp_path / "a.wv", tone(rate=RATE), RATE, container="wv", codec="wavpack")
    items = {
        "Artist": ["A", "B"],
        "Genre": ["Jazz", "Soul"],
        "Album Artist": ["C"],
        "Year": ["1997"],
    }
    tags = tags_of(tmp_path, with_apev2(path.read_bytes(), items), "a.wv")
    assert (tags.artist, tags.genre) == ("A; B", "Jazz; Soul")
    assert (tags.album_artist, tags.year) == ("C", 1997)


def test_several_artists_that_ffmpeg_joins_count(tmp_path):
    tags = {"artist": "A;B", "genre": "Jazz; Soul"}
    path = tmp_path / "a.mka"
    encode(path, tone(rate=RATE), RATE, container="matroska", codec="aac", **tags)
    assert (read_tags(str(path)).artist, read_tags(str(path)).genre) == ("A; B", "Jazz; Soul")


@pytest.mark.parametrize(
    "comments",
    [
        pytest.param(["ARTIST=A feat. B", "ARTISTS=A", "ARTISTS=B"], id="Vorbis"),
        pytest.param(["ARTIST=A feat. B", "ARTISTS=A/B"], id="joined by a slash"),
    ],
)
def test_a_list_of_artists_replaces_their_credit(tmp_path, comments):
    assert flac_with(tmp_path, *comments).artist == "A; B"


@pytest.mark.parametrize(
    ("comments", "artist"),
    [
        (["ARTIST=AC/DC"], "AC/DC"),
        (["ARTIST=AC/DC feat. B", "ARTISTS=AC/DC"], "AC/DC feat. B; AC/DC"),
        (["ARTIST=Anna & Bob", "ARTIST=Carl"], "Anna & Bob; Carl"),
    ],
)
def test_other_artists_keep_their_names(tmp_path, comments, artist):
    assert flac_with(tmp_path, *comments).artist == artist


@pytest.mark.parametrize(
    ("comments", "field", "value"),
    [
        (["YEAR=1997"], "year", 1997),
        (["DATE=0000", "YEAR=1997"], "year", 1997),
        (["DATE=21.05.1997"], "year", 1997),
        (["TRACK=3"], "track_number", 3),
        (["TRACK=3/12"], "track_number", 3),
        (["TRACKNUMBER=03"], "track_number", 3),
        (["TRACKNUMBER=A1"], "track_number", None),
        (["ALBUM ARTIST=Various"], "album_artist", "Various"),
        (["ALBUM_ARTIST=Various"], "album_artist", "Various"),
        (["TITLE=", "TITLE=Song"], "title", "Song"),
    ],
)
def test_names_of_vorbis_comments_that_programs_use_are_understood(
    tmp_path, comments, field, value
):
    assert getattr(flac_with(tmp_path, *comments), field) == value


LONG = "A title that is longer than thirty characters"


@pytest.mark.parametrize("has_id3v1", [True, False])
def test_an_ape_tag_of_an_mp3_file_counts_more_than_id3v1(tmp_path, mp3, has_id3v1):
    content = with_apev2(mp3, {"TITLE": [LONG], "artist": ["A", "B"], "Track": ["3/12"]})
    tags = tags_of(tmp_path, with_id3v1(content, LONG, "A") if has_id3v1 else content)
    assert (tags.title, tags.artist, tags.track_number) == (LONG, "A; B", 3)


def test_an_ape_tag_fills_what_id3v2_lacks(tmp_path, mp3):
    content = with_apev2(mp3, {"Title": ["Old"], "Genre": ["Jazz"]})
    tags = tags_of(tmp_path, with_id3v2(content, {"TIT2": ["New"]}))
    assert (tags.title, tags.genre) == ("New", "Jazz")


@pytest.mark.parametrize("n_bytes", [0, 31, 33, 2**31])
def test_an_ape_tag_of_a_wrong_size_is_ignored(tmp_path, mp3, n_bytes):
    content = bytearray(with_apev2(mp3, {"Title": ["Song"]}))
    content[-20:-16] = n_bytes.to_bytes(4, "little")
    assert tags_of(tmp_path, bytes(content)).title is None


def test_lists_of_artists_and_genres_are_in_json(tmp_path, run):
    values = {"artist": "A;B", "genre": "Jazz; Soul"}
    folder = tmp_path / "music"
    folder.mkdir()
    for name, sound in (("a", tone(rate=RATE)), ("b", noise(rate=RATE))):
        path = folder / f"{name}.mka"
        encode(path, sound, RATE, container="matroska", codec="aac", **values)
    run("add", folder, "--model", "compact")
    tracks = json.loads(run("list", "--format", "json").stdout)["tracks"]
    hits = json.loads(run("query", folder / "a.mka", "--format", "json").stdout)["hits"]
    playlist = json.loads(run("playlist", "#1", "--format", "json").stdout)["tracks"]
    for row in (*tracks, *hits, *playlist):
        assert (row["artist"], row["artists"]) == ("A; B", ["A", "B"])
        assert (row["genre"], row["genres"]) == ("Jazz; Soul", ["Jazz", "Soul"])
    assert "artists" not in run("list", "--format", "csv").stdout.splitlines()[0].split(",")


# Retagging

CODECS = {
    "mp3": "mp3",
    "flac": "flac",
    "ogg": "libvorbis",
    "opus": "libopus",
    "m4a": "aac",
    "wma": "wmav2",
    "wv": "wavpack",
    "mka": "aac",
    "wav": "pcm_s16le",
    "aiff": "pcm_s16be",
}


def encoded(path, samples, *, codec=None):
    """Write a sound with ffmpeg in the format of the path's suffix."""
    source = write(path.with_suffix(".source.wav"), samples, RATE)
    codec = codec or CODECS[path.suffix[1:]]
    run_program("ffmpeg", "-v", "error", "-y", "-i", source, "-c:a", codec, path)
    source.unlink()
    return path


def retag(path, title="New"):
    """Write another title with ffmpeg, which copies the packets."""
    target = path.with_stem("retagged")
    tags = ["-metadata", f"title={title}", "-metadata", f"comment={'long ' * 2_000}"]
    run_program("ffmpeg", "-v", "error", "-i", path, "-map", "0:a", "-c", "copy", *tags, target)
    target.replace(path)


def status_of(path, location="index", **options):
    """Add a file, and return its status."""
    (result,) = add(location, [path], model="compact", **options)
    return result.status


@pytest.mark.parametrize("suffix", CODECS)
def test_a_file_with_new_tags_keeps_the_hash_of_its_audio(tmp_path, suffix):
    path = encoded(tmp_path / f"a.{suffix}", melody(2.0, RATE))
    before, content = audio_hash(str(path)), path.read_bytes()
    retag(path)
    assert path.read_bytes() != content
    assert audio_hash(str(path)) == before != ""
    assert audio_hash(str(encoded(path, melody(2.0, RATE, seed=1)))) not in (before, "")


@pytest.mark.parametrize(
    "tagged",
    [
        pytest.param(lambda mp3: with_id3v2(mp3, {"TIT2": ["New"]}), id="ID3v2"),
        pytest.param(lambda mp3: with_id3v2(mp3, {"TIT2": ["x" * 500_000]}), id="large ID3v2"),
        pytest.param(lambda mp3: with_id3v1(mp3, "New"), id="ID3v1"),
        pytest.param(lambda mp3: with_apev2(mp3, {"Title": ["New"]}), id="APEv2"),
        pytest.param(lambda mp3: with_id3v1(with_apev2(mp3, {"Title": ["New"]})), id="both"),
    ],
)
def test_tags_of_mp3_files_do_not_count_as_audio(tmp_path, mp3, tagged):
    path = tmp_path / "a.mp3"
    before = audio_hash(str(path))
    path.write_bytes(tagged(mp3))
    assert audio_hash(str(path)) == before != ""


def test_comments_and_covers_of_a_flac_file_do_not_count_as_audio(tmp_path):
    path = write(tmp_path / "a.flac", melody(2.0))
    before = audio_hash(str(path))
    cover = run_program("ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc=s=64x64",
                        "-frames:v", "1", "-f", "image2pipe", "-c:v", "png", "-")  # fmt: skip
    (tmp_path / "cover.png").write_bytes(cover)
    run_program("metaflac", "--set-tag=TITLE=New", path)
    run_program("metaflac", f"--import-picture-from={tmp_path / 'cover.png'}", path)
    assert audio_hash(str(path)) == before


@pytest.mark.parametrize("channels", [1, 2, 6])
def test_the_hash_of_a_flac_file_without_ffmpeg_is_that_with_it(tmp_path, channels):
    path = write(tmp_path / "a.flac", np.repeat(melody(2.0)[:, np.newaxis], channels, axis=1))
    run_program("metaflac", "--set-tag=TITLE=New", path)
    digest = blake3()
    packets._add_packets(str(path), digest)
    with path.open("rb") as file:
        assert flac_sound(file) is not None
    assert audio_hash(str(path)) == digest.hexdigest(length=16)


def changed_rate(content):
    """Double the sample rate in the header of a WAV file."""
    return content[:24] + (2 * RATE).to_bytes(4, "little") + content[28:]


def changed_gain(content):
    """Set the output gain in the header of an Opus file to -6 dB."""
    start = content.index(b"OpusHead") + 16
    changed = content[:start] + (-6 * 256).to_bytes(2, "little", signed=True) + content[start + 2 :]
    return ogg_with_checksum(changed)


def ogg_with_checksum(content):
    """Compute the checksum of the first page of an Ogg file again."""
    end = 27 + content[26] + sum(content[27 : 27 + content[26]])
    page = content[:22] + bytes(4) + content[26:end]
    checksum = 0
    for byte in page:
        checksum ^= byte << 24
        for _ in range(8):
            checksum = (checksum << 1 ^ (0x04C11DB7 if checksum & 1 << 31 else 0)) & 0xFFFFFFFF
    return page[:22] + checksum.to_bytes(4, "little") + page[26:] + content[end:]


@pytest.mark.parametrize(("suffix", "change"), [("wav", changed_rate), ("opus", changed_gain)])
def test_a_header_that_changes_the_sound_changes_the_hash_of_the_audio(tmp_path, suffix, change):
    path = encoded(tmp_path / f"a.{suffix}", melody(2.0, RATE))
    before = audio_hash(str(path))
    path.write_bytes(change(path.read_bytes()))
    assert audio_hash(str(path)) not in (before, "")


@pytest.mark.parametrize("content", [b"", b"not a sound", b"ID3\4\0\0\0\0\0\0", b"OggS" * 100])
def test_a_file_that_ffmpeg_cannot_read_has_no_hash_of_its_audio(tmp_path, content):
    path = tmp_path / "a.mp3"
    path.write_bytes(content)
    assert audio_hash(str(path)) == ""


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x10000000])
def test_an_mp3_with_a_damaged_ape_footer_is_added(tmp_path, place, size):
    path = encoded(tmp_path / "a.mp3", melody(2.0, RATE))
    footer = b"APETAGEX" + (2000).to_bytes(4, "little") + size.to_bytes(4, "little") + bytes(16)
    path.write_bytes(path.read_bytes() + footer)
    assert status_of(path, place) is Status.ADDED


@pytest.mark.parametrize("suffix", ["wav", "m4a"])
def test_a_file_with_sound_that_ffmpeg_does_not_see_has_no_hash_of_its_audio(tmp_path, suffix):
    first, second = (
        encoded(tmp_path / f"{seed}.{suffix}", melody(2.0, RATE, seed)) for seed in (1, 2)
    )
    first.write_bytes(first.read_bytes() + second.read_bytes())
    assert audio_hash(str(first)) == ""


@pytest.mark.parametrize("suffix", ["mp3", "flac", "ogg", "m4a"])
def test_a_retagged_file_is_not_embedded_again(tmp_path, place, suffix):
    path = encoded(tmp_path / f"a.{suffix}", melody(2.0, RATE))
    assert status_of(path, place) is Status.ADDED
    with Index(place) as index:
        before = index.resolve("#1") or next(iter(index))
        vector = index.vector(before)
    retag(path)
    assert status_of(path, place) is Status.RETAGGED
    with Index(place) as index:
        (track,) = index
        assert (track.id, track.title) == (before.id, "New")
        assert track.content_hash != before.content_hash
        assert track.audio_hash == before.audio_hash != ""
        np.testing.assert_array_equal(index.vector(track), vector)
    assert status_of(path, place) is Status.UNCHANGED


def test_a_retagged_file_is_not_even_decoded(tmp_path):
    path = encoded(tmp_path / "a.flac", melody(2.0, RATE))
    status_of(path)
    with Index("index") as index:
        track = next(iter(index))
        vector = np.roll(index.vector(track), 1)
        index.add(track, vector)
    retag(path)
    assert status_of(path) is Status.RETAGGED
    with Index("index") as index:
        np.testing.assert_array_equal(index.vector(next(iter(index))), vector)


def test_a_file_that_was_moved_and_retagged_keeps_its_id(tmp_path):
    path = encoded(tmp_path / "a.mp3", melody(2.0, RATE))
    other = write(tmp_path / "b.wav", noise())
    add("index", [other, path], model="compact")
    with Index("index") as index:
        track_id = index.resolve(str(path)).id
    moved = path.rename(tmp_path / "moved.mp3")
    retag(moved)
    assert states("index", [str(moved)]) == [(str(moved), State.MOVED)]
    assert status_of(moved) is Status.MOVED
    with Index("index") as index:
        track = index.resolve(str(moved))
        assert (track.id, track.title, index.n_tracks) == (track_id, "New", 2)


def test_a_copy_with_other_tags_is_added_without_embedding(tmp_path):
    path = encoded(tmp_path / "a.mp3", melody(2.0, RATE))
    status_of(path)
    copy = tmp_path / "copy.mp3"
    shutil.copy(path, copy)
    retag(copy)
    assert status_of(copy) is Status.ADDED
    with Index("index") as index:
        first, second = index
        assert (first.title, second.title) == (None, "New")
        assert first.seconds == second.seconds
        np.testing.assert_array_equal(index.vector(first), index.vector(second))


def test_the_content_tells_the_format_of_tags_if_the_suffix_does_not(tmp_path, monkeypatch):
    path = encoded(tmp_path / "a.mp3", melody(1.0, RATE))
    retag(path)
    monkeypatch.setattr("audiosearch.audio.tags._read_with_ffmpeg", None)  # would hide a failure
    assert read_tags(str(path.rename(tmp_path / "a"))).title == "New"


def test_a_changed_sound_is_embedded_again(tmp_path):
    path = encoded(tmp_path / "a.mp3", melody(2.0, RATE))
    status_of(path)
    encoded(path, melody(2.0, RATE, seed=1))
    assert status_of(path) is Status.ADDED


def test_a_retagged_file_is_embedded_again_on_request(tmp_path):
    path = encoded(tmp_path / "a.mp3", melody(2.0, RATE))
    status_of(path)
    retag(path)
    assert status_of(path, reprocess=ReprocessPolicy.ALL) is Status.ADDED


def test_the_summary_counts_retagged_files_if_there_are_any(tmp_path, run):
    path = encoded(tmp_path / "a.mp3", melody(2.0, RATE))
    assert "retagged" not in run("add", path, "--model", "compact").stderr
    retag(path)
    assert "0 added, 1 retagged, 0 unchanged, 0 failed" in run("add", path).stderr
