"""Entries of other programs' playlists are matched to the tracks that they mean."""

import os
from dataclasses import replace
from unicodedata import normalize

import pytest
from sounds import noise, tone, write
from test_ranking import a_track, crowd

from audiosearch import Index, TrackNotFound, UsageError
from audiosearch.library.index import EmbeddingSpec
from audiosearch.models.registry import ModelRequest, compact
from audiosearch.playlist_files import PlaylistFormat, read_playlist
from audiosearch.playlists import PlaylistOptions, PlaylistRequest
from audiosearch.playlists import playlist as make_playlist
from audiosearch.search.query_vectors import QueryVectors

WATERLOO = "/lib/Abba/Gold/02 Wäterloo.mp3"
QUEEN = "/lib/Abba/Gold/01 Dancing Queen.mp3"
NUMBER = "/lib/Queen/Hits/07.mp3"
DISC = "/lib/Queen/Hits/CD1/08.mp3"
INTRO = "/lib/Jay/Intro.mp3"
STORED = [
    *(WATERLOO, QUEEN, NUMBER, DISC, INTRO),
    normalize("NFD", "/lib/Björk/Début/Crying.flac"),
    *("/lib/x/same.mp3", "/lib/y/same.mp3"),  # ids 7 and 8
    *("/lib/Case/song.mp3", "/lib/case/song.mp3"),
    *("/lib/copy/twice.mp3", "/lib/other/twice.mp3"),
    *("/lib/100%/50%25 off.mp3", "s3://bucket/far away.mp3", "D:\\Win\\Imported.mp3"),
    "/lib/caf\udce9/raw.mp3",
]


def fill(location, paths=STORED):
    with Index(location, spec=EmbeddingSpec("compact", compact().weights_digest)) as index:
        tracks = [
            replace(a_track(i), path=path, seconds=200.0, artist=None, title=None, album=None)
            for i, path in enumerate(paths)
        ]
        if paths is STORED:
            tracks[11] = replace(tracks[11], content_hash=tracks[10].content_hash)
        index.add_all(zip(tracks, crowd(len(paths)), strict=True))
    return location


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return fill(tmp_path_factory.mktemp("library") / "i")


def found(location, content, name="list.m3u"):
    """Return the paths of the tracks in a playlist, and the warnings about it."""
    with open(name, "wb") as file:
        file.write(content if isinstance(content, bytes) else content.encode())
    with Index(location) as index:
        seeds = QueryVectors(index, ModelRequest())
        seeds.add_all(name)
    return [track.path for track in seeds.tracks], seeds.warnings


@pytest.mark.parametrize(
    ("line", "path"),
    [
        pytest.param(WATERLOO, WATERLOO, id="as stored"),
        pytest.param(normalize("NFD", WATERLOO), WATERLOO, id="NFD for NFC"),
        pytest.param("/lib/Björk/Début/Crying.flac", STORED[5], id="NFC for NFD"),
        pytest.param("Abba/Gold/02 Wäterloo.mp3", WATERLOO, id="MPD"),
        pytest.param("../../lib/Abba/Gold/02 Wäterloo.mp3", WATERLOO, id="relative to elsewhere"),
        pytest.param("Abba/Gold/02%20W%C3%A4terloo.mp3", WATERLOO, id="VLC, relative"),
        pytest.param("file:///home/x/Gold/02%20W%C3%A4terloo.mp3", WATERLOO, id="VLC, absolute"),
        pytest.param("02%20Wa%CC%88terloo.mp3", WATERLOO, id="encoded NFD"),
        pytest.param("Gold/02%20W%E4terloo.mp3", WATERLOO, id="encoded Latin-1"),
        pytest.param("D:\\Music\\Abba\\Gold\\02 Wäterloo.mp3", WATERLOO, id="Windows"),
        pytest.param("\\Abba\\Gold\\02 Wäterloo.mp3", WATERLOO, id="Winamp, same drive"),
        pytest.param("\\\\nas\\music\\Abba\\Gold\\02 Wäterloo.mp3", WATERLOO, id="UNC"),
        pytest.param("D:/Music/Abba/Gold/02 Wäterloo.mp3", WATERLOO, id="drive and slashes"),
        pytest.param("/storage/emulated/0/Music/ABBA/Gold/02 Wäterloo.mp3", WATERLOO, id="phone"),
        pytest.param("primary/Music/Abba/Gold/02 WÄTERLOO.MP3", WATERLOO, id="capitals"),
        pytest.param("smb://nas/share/Abba/Gold/02%20W%C3%A4terloo.mp3", WATERLOO, id="Kodi"),
        pytest.param("http://nas/get/Gold/02%20W%C3%A4terloo.mp3?key=1", WATERLOO, id="server"),
        pytest.param("  Abba/Gold/02 Wäterloo.mp3 \t", WATERLOO, id="blanks"),
        pytest.param("/sdcard/02 Wäterloo.mp3", WATERLOO, id="file name alone"),
        pytest.param("x/50%25 off.mp3", STORED[12], id="percent sign as written"),
        pytest.param("x/50%2525%20off.mp3", STORED[12], id="percent sign encoded"),
        pytest.param("s3://bucket/far away.mp3", STORED[13], id="URL"),
        pytest.param("D:\\Win\\Imported.mp3", STORED[14], id="imported from Windows"),
        pytest.param("E:/My/Win/Imported.mp3", STORED[14], id="another drive"),
        pytest.param("/lib/Case/song.mp3", "/lib/Case/song.mp3", id="case decides when stored"),
        pytest.param("m/case/song.mp3", "/lib/case/song.mp3", id="case decides between suffixes"),
        pytest.param("m/twice.mp3", "/lib/copy/twice.mp3", id="copies are one recording"),
        pytest.param("m/x/same.mp3", "/lib/x/same.mp3", id="longest suffix"),
        pytest.param("07.mp3", NUMBER, id="a number that is the whole entry"),
        pytest.param("a/Hits/07.mp3", NUMBER, id="a number in a folder"),
        pytest.param("#EXTINF:201,x\na/07.mp3", NUMBER, id="a number with the same duration"),
    ],
)
def test_an_entry_is_matched_by_what_its_path_may_mean(library, line, path):
    assert found(library, f"#EXTM3U\n{line}\n") == ([path], [])


@pytest.mark.parametrize(
    "encoding", ["utf-8-sig", "utf-16", "utf-16-le", "latin-1", "cp1252", "mac_roman"]
)
def test_an_entry_is_matched_in_the_encoding_of_its_file(library, encoding):
    text = "#EXTM3U\r\n#EXTINF:5,Å\r\nAbba\\Gold\\02 Wäterloo.mp3\r\n"
    assert found(library, text.encode(encoding)) == ([WATERLOO], [])


def test_a_name_that_is_not_utf8_is_matched_by_its_bytes(library):
    assert found(library, b"/lib/caf\xe9/raw.mp3\n") == ([STORED[15]], [])


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        pytest.param("m/same.mp3", "m/same.mp3 may be any of 2 tracks", id="shared suffix"),
        pytest.param("Abba/Gold/07.mp3", "neither a track nor a file", id="a number alone"),
        pytest.param("Abba/CD1/08.mp3", "neither a track nor a file", id="disc and number"),
        pytest.param("#EXTINF:90,x\nAbba/Intro.mp3", "neither a track", id="another duration"),
        pytest.param("https://radio.example/stream", "neither a track nor a file", id="stream"),
        pytest.param("http://[::1", "http://[::1 is neither", id="bad URI"),
        pytest.param("spotify:track:1", "neither a track nor a file", id="other URI"),
        pytest.param("#1\n%231", "%231 is neither a track nor a file", id="no #ID"),
        pytest.param("..", ".. is neither a track nor a file", id="folder"),
    ],
)
def test_an_entry_that_means_no_track_is_named(library, line, problem):
    paths, (warning,) = found(library, f"{QUEEN}\n{line}\n")
    assert paths == [QUEEN]
    assert warning.startswith("list.m3u: ")
    assert problem in warning


def test_the_best_of_several_locations_counts(library):
    locations = ("file:///x/Other/Intro.mp3", "file:///gone/Abba/Gold/02%20W%C3%A4terloo.mp3")
    tags = "".join(f"<location>{location}</location>" for location in locations)
    content = f"<playlist><trackList><track>{tags}</track></trackList></playlist>"
    assert found(library, content, "list.xspf") == ([WATERLOO], [])


@pytest.mark.parametrize("playlist_format", PlaylistFormat)
@pytest.mark.parametrize(
    "options",
    [
        pytest.param(["--relative-to", "/lib"], id="relative"),
        pytest.param(["--relative-to", "/lib/elsewhere/deep"], id="relative to elsewhere"),
        pytest.param(["--prefix", "/lib=D:/Music"], id="drive"),
        pytest.param(["--prefix", "/lib/="], id="dropped prefix"),
        pytest.param(["--prefix", "/lib=smb://nas/share"], id="URL"),
        pytest.param(["--prefix", "/lib=primary:Music"], id="colon"),
        pytest.param(["--relative"], id="relative to itself"),
    ],
)
def test_own_lists_written_for_another_machine_are_read_back(
    library, run, tmp_path, options, playlist_format
):
    here, moved = tmp_path / "a" / "b", tmp_path / "moved"
    here.mkdir(parents=True)
    moved.mkdir()
    name = f"list.{playlist_format.value}"
    arguments = ["playlist", "#1", "--index", library, "-n", 20]
    assert run(*arguments, *options, "-o", here / name).exit_code == 0
    assert len(read_playlist(str(here / name))) == 15
    (here / name).rename(moved / name)
    paths, warnings = found(library, (moved / name).read_bytes(), str(moved / name))
    assert warnings == []
    assert len(set(paths)) == 15
    result = run("playlist", "#1", "--index", library, "--exclude-playlist", moved / name)
    assert "is not a track" not in result.stderr
    assert result.stdout.count("\n") == 2  # no tracks


def test_a_name_is_read_as_written_before_it_is_decoded(tmp_path, music, run):
    write(music / "a%20b.wav", tone(300))
    write(music / "a b.wav", noise(seed=4))
    assert run("add", music).exit_code == 0
    assert found("index", "a%20b.wav\n", str(music / "x.m3u"))[0] == [str(music / "a%20b.wav")]
    os.remove(music / "a%20b.wav")
    assert run("remove", music / "a%20b.wav").exit_code == 0
    assert found("index", "a%20b.wav\n", str(music / "x.m3u"))[0] == [str(music / "a b.wav")]


def test_files_beside_a_playlist_count_before_tracks_elsewhere(music, run, tmp_path):
    assert run("add", music).exit_code == 0
    write(tmp_path / "low.wav", noise(seed=7))
    playlist = tmp_path / "x.m3u"
    paths, warnings = found("index", "low.wav\nmusic\\deep\\hiss2.wav\n", str(playlist))
    assert (paths, warnings) == ([str(music / "deep" / "hiss2.wav")], [])
    (tmp_path / "link.wav").symlink_to(music / "low.wav")
    assert found("index", "link.wav\n", str(playlist))[0] == [str(music / "low.wav")]


def test_a_file_that_is_no_audio_costs_the_entry(music, run, tmp_path):
    assert run("add", music).exit_code == 0
    (music / "broken.wav").write_text("no audio")
    paths, (warning,) = found("index", "broken.wav\nlow.wav\n", str(music / "x.m3u"))
    assert paths == [str(music / "low.wav")]
    assert "broken.wav" in warning


def test_a_playlist_without_a_track_or_file_is_an_error(library):
    with pytest.raises(TrackNotFound, match="contains neither a track"):
        found(library, "nothing.mp3\n")


# Excluded playlists


def excluding(location, content, *, seeds=("#1",), **request):
    """Return the ids of a playlist of all tracks but those of an excluded one, and the notes."""
    with open("x.m3u", "w", encoding="utf-8") as file:
        file.write(content)
    options = PlaylistOptions(n_tracks=30, whiten=False, **request.pop("options", {}))
    excluded = (read_playlist("x.m3u"),)
    result = make_playlist(
        location,
        PlaylistRequest(seeds, options=options, excluded_playlists=excluded, **request),
    )
    return {track.id for track in result.tracks}, result.notes


@pytest.mark.slow
def test_suffixes_are_found_in_milvus_too(tmp_path):
    location = fill(f"milvus+lite://{tmp_path / 'index.db'}", STORED[:6])
    line = "D:\\Abba\\Gold\\02 Wäterloo.mp3"
    assert found(location, f"{line}\nBjo\u0308rk/Début/Crying.flac\n") == (
        [WATERLOO, STORED[5]],
        [],
    )
    ids, notes = excluding(location, f"{line}\n/x/gone.mp3\n")
    assert 1 not in ids
    assert "x.m3u: /x/gone.mp3 is not a track of the index" in notes


@pytest.mark.parametrize(
    ("line", "track_id"),
    [
        ("/phone/Abba/Gold/01%20Dancing%20Queen.mp3", 2),
        ("D:\\Björk\\Début\\Crying.flac", 6),
        ("/lib/copy/twice.mp3", 12),  # a copy of the excluded file
    ],
)
def test_an_excluded_track_is_not_in_the_playlist(library, line, track_id):
    assert track_id in excluding(library, "")[0] | {12}
    ids, notes = excluding(library, f"{line}\n")
    assert track_id not in ids
    assert not any("is not a track" in note for note in notes)


def test_an_excluded_track_with_other_tags_is_not_in_the_playlist(tmp_path):
    with Index(tmp_path / "i", spec=EmbeddingSpec("compact", compact().weights_digest)) as index:
        tracks = [
            replace(a_track(i), path=f"/{i}.flac", title=str(i), content_hash=str(i), audio_hash=h)
            for i, h in enumerate(["a", "b", "b", "c"])
        ]
        index.add_all(zip(tracks, crowd(4), strict=True))
    assert excluding(tmp_path / "i", "/1.flac\n")[0] == {1, 4}
    assert len(excluding(tmp_path / "i", "")[0]) == 3  # one of the two copies


def test_an_excluded_seed_is_not_in_the_playlist(library):
    ids, notes = excluding(library, f"{WATERLOO}\n", seeds=("#1", "#2"))
    assert 1 not in ids
    assert 2 in ids
    assert "seeds left out by excluded playlists and tracks: 1" in notes


def test_a_path_through_an_excluded_track_is_an_error(library):
    with pytest.raises(UsageError, match="in an excluded playlist"):
        excluding(library, f"{QUEEN}\n", destination="#2")


def test_unknown_entries_of_excluded_playlists_are_named(library, run, tmp_path):
    lines = [f"/nowhere/{number} gone.mp3" for number in range(30)]
    (tmp_path / "x.m3u").write_text("\n".join([QUEEN, *lines, "m/same.mp3"]))
    result = run("playlist", "#1", "--index", library, "--exclude-playlist", tmp_path / "x.m3u")
    assert "/nowhere/3 gone.mp3 is not a track of the index" in result.stderr
    assert "and 11 more like this" in result.stderr
    assert QUEEN not in result.stdout


def test_an_excluded_file_outside_the_index_is_matched_by_its_suffix(library, tmp_path):
    copy = tmp_path / "Abba" / "Gold" / "01 Dancing Queen.mp3"
    copy.parent.mkdir(parents=True)
    copy.touch()
    assert 2 not in excluding(library, f"{copy}\n")[0]
