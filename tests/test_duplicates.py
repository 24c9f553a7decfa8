"""`duplicates`: lossy copies and parts of a recording are found, and different sounds never."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sounds import encode, melody, noise, tone, write
from tracks import SPEC, some_track, unit

from audiosearch import Index, IndexUnwritable, UsageError, add
from audiosearch.library.backend import BACKENDS
from audiosearch.models.log_mel import patch_stream
from audiosearch.models.spectral_print import PrintBuilder, SpectralPrint
from audiosearch.playlist_files import read_playlist
from audiosearch.playlists import PlaylistOptions, PlaylistRequest, playlist
from audiosearch.search.duplicates import DuplicateSearch, duplicates
from audiosearch.search.print_match import Relation, compare

RATE = 44_100
SONG = melody(14.0, RATE, seed=1)
OTHER = melody(14.0, RATE, seed=2)
NOISES = {"noise1.wav", "noise2.wav"}
CODECS = {
    "mp3": {"container": "mp3", "codec": "libmp3lame"},
    "m4a": {"container": "ipod", "codec": "aac"},
    "wma": {"container": "asf", "codec": "wmav2"},
    "ogg": {"format": "OGG", "subtype": "VORBIS"},
    "opus": {"format": "OGG", "subtype": "OPUS"},
}


def lossy(path, samples):
    """Encode 44.1 kHz samples with the codec of a suffix, at about 96 kb/s."""
    options = CODECS[path.suffix[1:]]
    if path.suffix == ".opus":
        times = np.arange(0, len(samples), RATE / 48_000)
        return write(path, np.interp(times, np.arange(len(samples)), samples), 48_000, **options)
    return (encode if "codec" in options else write)(path, samples, RATE, **options)


def groups_of(folder):
    """Add a folder to a new index, and return the groups as sets of (name, relation)."""
    location = folder.parent / "index"
    add(location, [folder], model="compact")
    with Index(location) as index:
        return [[(Path(c.track.path).name, c.relation.value) for c in g] for g in duplicates(index)]


def names(groups):
    return [{name for name, _ in group} for group in groups]


def print_of(samples):
    """Return the spectral print of samples at 16 kHz."""
    builder = PrintBuilder()
    for patches in patch_stream([samples.astype(np.float32)]):
        builder.add(patches)
    return builder.finish(len(samples) / 16_000)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "music").mkdir()
    return tmp_path / "music"


@pytest.fixture
def filled(folder):
    """Location of an index of a song, its lossy copy, and another song."""
    write(folder / "song.flac", SONG, RATE)
    lossy(folder / "song.mp3", SONG)
    write(folder / "other.flac", OTHER, RATE)
    location = folder.parent / "index"
    add(location, [folder], model="compact")
    return location


def test_lossy_copies_are_the_same_recording_and_the_lossless_one_is_best(folder):
    write(folder / "song.flac", SONG, RATE)
    for suffix in CODECS:
        lossy(folder / f"copy.{suffix}", 0.5 * SONG)
        lossy(folder / f"other.{suffix}", OTHER)
    song, other = sorted(groups_of(folder), key=len, reverse=True)
    assert song[0] == ("song.flac", "same")
    assert sorted(song[1:]) == sorted((f"copy.{suffix}", "same") for suffix in CODECS)
    assert sorted(other) == sorted((f"other.{suffix}", "same") for suffix in CODECS)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(noise(10.0, seed=1), noise(10.0, seed=2), id="noises of equal length"),
        pytest.param(noise(1.0, seed=1), noise(1.0, seed=2), id="short noises"),
        pytest.param(tone(440, 10.0), 0.9 * tone(440, 10.0), id="steady tones"),
        pytest.param(tone(50, 10.0), 0.9 * tone(50, 10.0), id="hums"),
        pytest.param(np.zeros(160_000), np.full(160_000, 1e-5), id="silence"),
        pytest.param(melody(10.0, seed=1), melody(10.0, seed=2), id="melodies"),
        pytest.param(
            np.tile(melody(1.0, seed=1), 10), np.tile(melody(1.0, seed=2), 10), id="loops"
        ),
        pytest.param(
            np.concatenate([melody(8.0, seed=1), melody(8.0, seed=2)]),
            np.concatenate([melody(8.0, seed=2), melody(8.0, seed=3)]),
            id="overlapping parts of a concert",
        ),
        pytest.param(
            melody(10.0, seed=1), melody(10.0, seed=1) + melody(10.0, seed=2), id="another voice"
        ),
        pytest.param(
            melody(12.0, seed=1),
            np.concatenate([melody(6.0, seed=1), melody(6.0, seed=2)]),
            id="the same beginning",
        ),
    ],
)
def test_different_sounds_are_not_the_same_recording(folder, first, second):
    write(folder / "first.wav", first)
    write(folder / "second.flac", second)
    assert groups_of(folder) == []


@pytest.mark.parametrize(
    ("samples", "relation"),
    [
        pytest.param(0.2 * SONG, "same", id="another level"),
        pytest.param(np.concatenate([np.zeros(RATE // 10), SONG]), "same", id="encoder delay"),
        pytest.param(
            np.concatenate([np.zeros(3 * RATE), SONG]), "partial", id="a long silence first"
        ),
        pytest.param(SONG[: 11 * RATE], "partial", id="cut short"),
        pytest.param(SONG[3 * RATE :], "partial", id="without the beginning"),
        pytest.param(np.concatenate([OTHER, SONG]), "partial", id="a longer lead-in"),
    ],
)
def test_the_relation_says_whether_one_is_a_part_of_the_other(folder, samples, relation):
    write(folder / "song.flac", SONG, RATE)
    write(folder / "other.wav", samples, RATE)
    (group,) = groups_of(folder)
    assert {name for name, _ in group} == {"song.flac", "other.wav"}
    assert [name for _, name in group] == ["same", relation]
    whole = "other.wav" if relation == "partial" and len(samples) > len(SONG) else "song.flac"
    assert group[0][0] == whole or relation == "same"


def test_an_edit_without_a_middle_part_is_a_part():
    parts = [melody(14.0, seed=seed) for seed in range(3)]
    whole, edit = np.concatenate(parts), np.concatenate([parts[0], parts[2]])
    match = compare(print_of(edit), print_of(whole))
    assert match.relation is Relation.PARTIAL
    assert match.score >= 0.9


def test_recordings_with_a_common_part_are_not_joined(folder):
    write(folder / "part.wav", SONG, RATE)
    write(folder / "long.wav", np.concatenate([SONG, OTHER]), RATE)
    write(folder / "longest.wav", np.concatenate([SONG, melody(20.0, RATE, seed=3)]), RATE)
    assert groups_of(folder) == [[("longest.wav", "same"), ("part.wav", "partial")]]


def test_copies_of_a_part_are_also_a_group_of_their_own(folder):
    write(folder / "whole.wav", np.concatenate([SONG, OTHER]), RATE)
    write(folder / "part.wav", SONG, RATE)
    write(folder / "part.flac", SONG, RATE)
    assert names(groups_of(folder)) == [
        {"part.wav", "part.flac"},
        {"whole.wav", "part.wav", "part.flac"},
    ]


def test_short_sounds_are_compared_in_detail(folder):
    decay = np.exp(-np.arange(RATE // 2) / (RATE / 12))[:, np.newaxis]
    for number in range(4):
        hit = melody(0.5, RATE, seed=number) + noise(0.5, RATE, seed=number)
        write(folder / f"{number}.wav", hit[:, np.newaxis] * decay, RATE)
        write(folder / f"{number}.flac", 0.7 * hit[:, np.newaxis] * decay, RATE)
    expected = [{f"{number}.wav", f"{number}.flac"} for number in range(4)]
    assert sorted(map(sorted, names(groups_of(folder)))) == sorted(map(sorted, expected))


def test_a_print_takes_at_most_1000_bytes_a_minute():
    spectral_print = print_of(melody(120.0))
    assert 0 < spectral_print.words.nbytes + spectral_print.fine_words.nbytes <= 2_000


def test_the_score_is_the_share_that_matches():
    song = melody(40.0, seed=1)
    mixed = song.copy()
    mixed[: 10 * 16_000] = melody(10.0, seed=2)
    match = compare(print_of(song), print_of(mixed))
    assert match.score == pytest.approx(0.75, abs=0.05)
    assert match.relation is Relation.SAME


def test_the_threshold_is_the_share_that_must_match(folder, run):
    write(folder / "song.wav", melody(20.0, seed=1))
    write(folder / "mixed.wav", np.concatenate([melody(20.0, seed=1)[:240_000], melody(5.0)]))
    location = folder.parent / "index"
    add(location, [folder], model="compact")

    def n_rows(*options):
        options = ("--index", location, "--format", "json", *options)
        return len(json.loads(run("duplicates", *options).stdout)["duplicates"])

    assert [n_rows("--threshold", "0.5"), n_rows("--threshold", "0.9"), n_rows()] == [2, 0, 0]
    assert "[default: 0.8]" in run("duplicates", "--help").stdout


def test_a_threshold_out_of_range_is_refused(filled, run):
    assert run("duplicates", "--threshold", "1.5", "--index", filled).exit_code == 2
    with Index(filled) as index, pytest.raises(UsageError, match="threshold"):
        DuplicateSearch(index, threshold=-0.1)


def test_rows_say_the_relation_and_keep_their_other_keys(filled, run):
    rows = json.loads(run("duplicates", "--index", filled, "--format", "json").stdout)["duplicates"]
    assert [row["relation"] for row in rows] == ["same", "same"]
    keys = {"group", "relation", "id", "format", "seconds", "size", "title", "artist", "path"}
    assert rows[0].keys() >= keys


def test_a_second_search_reads_no_file(filled, folder):
    with Index(filled) as index:
        first = duplicates(index)
        for path in folder.iterdir():
            path.unlink()
        search = DuplicateSearch(index)
        assert (len(search), search.n_unread) == (0, 0)
        assert search.groups() == first


@pytest.mark.parametrize("seconds", [0.0, 2.0, 3_600.0])
def test_prints_are_returned_unchanged(place, seconds):
    words = np.arange(int(seconds / 0.12), dtype=np.uint16)
    stored = SpectralPrint(seconds, words, words[:3])
    track = replace(some_track(1), content_hash="ab" * 16)
    with Index(place, spec=SPEC) as index:
        index.add(track, unit())
        assert not index.has_prints()
        index.put_prints({track.content_hash: stored})
        assert index.has_prints()
        assert index.prints([replace(track, content_hash="cd" * 16)]) == {}
        (kept,) = index.prints([track, replace(track, content_hash="")]).values()
    assert kept.seconds == seconds
    np.testing.assert_array_equal(kept.words, stored.words)
    np.testing.assert_array_equal(kept.fine_words, stored.fine_words)


def test_a_backend_that_keeps_no_prints_reads_the_files_again(folder, monkeypatch):
    monkeypatch.setitem(BACKENDS, "toy", "toy_backend")
    write(folder / "song.wav", SONG, RATE)
    write(folder / "song.flac", SONG, RATE)
    location = f"toy:{folder.parent}"
    add(location, [folder], model="compact")
    with Index(location) as index:
        assert [len(group) for group in duplicates(index)] == [2]
        assert len(DuplicateSearch(index)) == 2


def test_an_interrupted_search_keeps_what_it_has_read(filled):
    with Index(filled) as index:
        reading = iter(DuplicateSearch(index, n_jobs=1))
        next(reading)
        reading.close()
        assert len(DuplicateSearch(index)) == 2


def test_the_print_of_a_changed_file_is_not_used(filled, folder):
    with Index(filled) as index:
        assert len(duplicates(index)) == 1
    write(folder / "song.flac", OTHER[::-1].copy(), RATE)
    add(filled, [folder])
    with Index(filled) as index:
        assert len(DuplicateSearch(index)) == 1
        assert duplicates(index) == []
        tracks = list(index)
        assert index.prints(tracks).keys() == {track.sound_hash for track in tracks}


def test_a_file_that_changed_or_broke_since_it_was_added_is_named(filled, folder, run):
    lossy(folder / "song.mp3", OTHER)
    (folder / "other.flac").write_bytes(b"broken")
    result = run("duplicates", "--index", filled)
    assert result.exit_code == 0
    assert result.stdout == ""
    assert "song.mp3: it has changed since it was added" in result.stderr
    assert "other.flac" in result.stderr


def test_missing_files_are_compared_by_their_bytes(tmp_path, run):
    location = tmp_path / "index"
    with Index(location, spec=SPEC) as index:
        paths = ("/gone/a.mp3", "/gone/b.mp3", "/gone/c.mp3")
        for number, path in enumerate(paths):
            track = replace(some_track(number), path=path, content_hash="12"[number > 1] * 32)
            index.add(track, unit())
    result = run("duplicates", "--index", location, "--format", "paths")
    assert sorted(result.stdout.split()) == ["/gone/a.mp3", "/gone/b.mp3"]
    assert "Only the bytes of 3 tracks can be compared" in result.stderr


def test_an_index_that_cannot_be_written_is_searched(filled, monkeypatch, caplog):
    def refuse(*_):
        raise IndexUnwritable("The disk is full.", hint="Make room.")

    monkeypatch.setattr(Index, "put_prints", refuse)
    with Index(filled) as index:
        assert len(duplicates(index)) == 1
    assert "not kept" in caplog.text


def test_an_index_without_the_table_has_no_prints_and_stays_unchanged(filled):
    with Index(filled) as index:
        index.storage.db.execute("DROP TABLE prints")
        index.storage.db.commit()
    before = {path.name: path.read_bytes() for path in filled.iterdir()}
    with Index(filled) as index:
        assert index.prints(index) == {}
    assert {path.name: path.read_bytes() for path in filled.iterdir()} == before


@pytest.mark.parametrize(
    ("seeds", "keep_seeds", "excluded", "expected"),
    [
        pytest.param(["song.flac"], True, None, {"song.flac", *NOISES}, id="a seed"),
        pytest.param(["song.mp3"], False, None, NOISES, id="a seed that is left out"),
        pytest.param(
            ["song.flac", "song.mp3"], True, None, {"song.flac", *NOISES}, id="two copies as seeds"
        ),
        pytest.param(["noise1.wav"], True, "song.mp3", NOISES, id="an excluded playlist"),
        pytest.param(["song.flac"], True, "song.mp3", NOISES, id="a seed that is excluded"),
    ],
)
def test_a_playlist_has_a_recording_once_where_prints_are_known(
    folder, seeds, keep_seeds, excluded, expected
):
    write(folder / "song.flac", SONG, RATE)
    lossy(folder / "song.mp3", SONG)
    for seed in (1, 2):
        write(folder / f"noise{seed}.wav", noise(10.0, seed=seed))
    location = folder.parent / "index"
    add(location, [folder], model="compact")
    with Index(location) as index:
        duplicates(index)
    listed = folder.parent / "old.m3u8"
    listed.write_text(str(folder / excluded) if excluded else "")
    request = PlaylistRequest(
        seeds=[str(folder / seed) for seed in seeds],
        excluded_playlists=[read_playlist(listed)],
        options=PlaylistOptions(keep_seeds=keep_seeds),
    )
    result = playlist(location, request)
    assert {Path(track.path).name for track in result.tracks} == expected


def test_an_empty_index_has_no_duplicates(tmp_path):
    with Index(tmp_path / "index", spec=SPEC) as index:
        assert duplicates(index) == []
