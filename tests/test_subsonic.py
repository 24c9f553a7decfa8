"""Playlists sent to Subsonic servers: addresses, passwords, matching, and a real server."""

import contextlib
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
from dataclasses import replace

import pytest
from overhttp import answering, send
from sounds import encode, melody
from supysonic_server import PASSWORD, USER, certificates, supysonic, trust_only
from tagging import with_id3v2
from tracks import SPEC, some_track, unit_vectors

from audiosearch import Index, UsageError
from audiosearch.audio.tags import read_recording_ids
from audiosearch.errors import LoginRefused, PlayerError
from audiosearch.players.address import PlayerAddress
from audiosearch.players.player import SendOptions
from audiosearch.players.subsonic.client import ServerError, SubsonicClient, logged_in
from audiosearch.players.subsonic.lookup import songs_of, track_of
from audiosearch.players.subsonic.matching import Song, closeness
from audiosearch.players.subsonic.passwords import VARIABLE, find_password, passwords_file
from audiosearch.players.subsonic.player import SubsonicPlayer
from audiosearch.players.subsonic.server_url import checked_server_url, server_url

RECORDING = "8f3471b5-7e6a-48da-86a9-c1c07a0f47ae"
ADDRESS = PlayerAddress.parse("subsonic://ann@music.example:4533/nav")
ACCOUNT = "ann@music.example:4533/nav"


# Addresses


@pytest.mark.parametrize(
    ("address", "url"),
    [
        pytest.param("subsonic://ann@music.example", "https://music.example", id="public host"),
        pytest.param(
            "subsonic://ann@music.example:4533/a", "https://music.example:4533/a", id="port"
        ),
        pytest.param("subsonic://ann@localhost:4533", "http://localhost:4533", id="this machine"),
        pytest.param("subsonic://ann@192.168.1.9:4040", "http://192.168.1.9:4040", id="private"),
        pytest.param("subsonic://ann@nas", "http://nas", id="name at home"),
        pytest.param("subsonic://ann@nas/music/rest/", "http://nas/music", id="path of methods"),
        pytest.param("subsonic://ann@nas:443/x/", "https://nas:443/x", id="port of https"),
        pytest.param("subsonic://ann@[::1]:4533", "http://[::1]:4533", id="IPv6"),
        pytest.param("subsonic+http://ann@music.example", "http://music.example", id="http"),
        pytest.param("subsonic+https://ann@nas:4533", "https://nas:4533", id="https"),
    ],
)
def test_the_address_says_how_to_connect(address, url):
    assert server_url(PlayerAddress.parse(address)) == url


@pytest.mark.parametrize(
    ("url", "message"),
    [
        pytest.param("ftp://nas", "is not the address", id="other scheme"),
        pytest.param("nas:4533", "is not the address", id="no scheme"),
        pytest.param("http://nas?u=ann&p=secret", "is not the address", id="query"),
        pytest.param("http://[nas", "is not the address", id="no host"),
        pytest.param("http://ann:secret@nas", "holds a user name", id="user"),
    ],
)
def test_a_proxy_needs_the_plain_address_of_a_server(url, message):
    with pytest.raises(UsageError, match=message) as caught:
        checked_server_url(url)
    assert "secret" not in str(caught.value) + caught.value.hint


@pytest.mark.parametrize(
    ("address", "hint"),
    [
        ("subsonic://ann:secret@host:x", "Enter an address"),
        ("subsonik://ann:secret@host", "Enter an address"),
        ("subsonic://ann:1#secret@host", "In a password, write %23"),
        ("subsonic://ann:secret#secret@host", "In a password, write %23"),
        ("mpd://secret/secret@host", "In a password, write %23"),
        ("mpd://secret?secret@host", "In a password, write %23"),
    ],
)
def test_an_error_about_an_address_shows_no_password(address, hint):
    with pytest.raises(UsageError) as caught:
        PlayerAddress.parse(address)
    assert "secret" not in str(caught.value)
    assert hint in caught.value.hint


@pytest.mark.parametrize("address", ["subsonic://music.example", "subsonic:///path"])
def test_an_address_names_a_server_and_a_user(address):
    with pytest.raises(UsageError, match="names no"):
        SubsonicPlayer(PlayerAddress.parse(address))


# Passwords


@pytest.fixture
def passwords(tmp_path, monkeypatch):
    """A function that writes the user's file of passwords."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))

    def write(text, mode=0o600):
        path = passwords_file()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)

    return write


def test_a_password_comes_from_the_address_the_environment_the_file_or_the_user(
    passwords, monkeypatch
):
    assert find_password(ADDRESS, lambda question: f"answer to {question}") == (
        f"answer to Password of {ACCOUNT}"
    )
    passwords(f"bob@music.example:4533/nav other\n\n  {ACCOUNT}   from the file \n{ACCOUNT} no\n")
    assert find_password(ADDRESS) == "from the file"
    monkeypatch.setenv(VARIABLE, "from the environment")
    assert find_password(ADDRESS) == "from the environment"
    assert find_password(replace(ADDRESS, password="given")) == "given"


def test_without_a_password_the_error_says_where_to_put_it(passwords):
    with pytest.raises(PlayerError, match="no password") as caught:
        find_password(ADDRESS)
    assert VARIABLE in caught.value.hint
    assert str(passwords_file()) in caught.value.hint


@pytest.mark.posix
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602])
def test_a_file_of_passwords_that_others_may_read_is_refused(passwords, mode):
    passwords(f"{ACCOUNT} secret\n", mode)
    with pytest.raises(PlayerError, match="Other users") as caught:
        find_password(ADDRESS)
    assert caught.value.hint == f"chmod 600 {passwords_file()}"


# Matching

TRACK = replace(
    some_track(1),
    path="/music/Artist/Album/01 - Song.flac",
    size=500,
    seconds=200.4,
    title="Don\u2019t Stop",
    artist="Artist; Guest",
    album="Album",
)
TAGS = {"title": "Don't stop", "artist": "Artist feat. Guest", "duration": 200}


@pytest.mark.parametrize(
    ("track", "fields", "is_same"),
    [
        pytest.param({}, {"path": "Artist/Album/01 - Song.flac"}, True, id="whole path"),
        pytest.param({}, {"path": "ARTIST\\album\\01 - song.FLAC"}, True, id="case and slashes"),
        pytest.param(
            {}, {"path": "x/Album/01 - Song.flac", "duration": 202}, True, id="end and length"
        ),
        pytest.param(
            {}, {"path": "x/Album/01 - Song.flac", "duration": 300}, False, id="other length"
        ),
        pytest.param(
            {},
            {"path": "x/Album/01 - Song.flac", "duration": 0, "size": 500},
            True,
            id="end and size",
        ),
        pytest.param({}, {"path": "x/Album/01 - Song.flac"}, False, id="end alone"),
        pytest.param(
            {},
            {"path": "x/Album/01 - Song.flac", "duration": 200, "artist": "Another"},
            False,
            id="end and length, but another artist",
        ),
        pytest.param(
            {"path": "/m/CD 1/01.wav"},
            {"path": "y/CD 1/01.wav", "duration": 200},
            False,
            id="numbers",
        ),
        pytest.param({}, TAGS, True, id="tags"),
        pytest.param({}, {**TAGS, "duration": 204}, False, id="tags with another length"),
        pytest.param({}, {**TAGS, "artist": "Artiste"}, False, id="another artist"),
        pytest.param({}, {**TAGS, "title": "Don't"}, False, id="another title"),
        pytest.param(
            {},
            {**TAGS, "artist": "X", "artists": [{"name": "guest"}]},
            True,
            id="one of several artists",
        ),
        pytest.param(
            {"artist": None, "title": None},
            {"title": "01 - Song", "artist": "[Unknown Artist]", "duration": 200},
            True,
            id="no tags",
        ),
        pytest.param({"artist": None}, TAGS, False, id="no artist"),
        pytest.param({"seconds": 0.0}, TAGS, True, id="unknown length"),
        pytest.param(
            {}, {"path": 3, "title": None, "artist": [], "duration": "x"}, False, id="nonsense"
        ),
    ],
)
def test_a_song_is_a_track_by_path_or_tags(track, fields, is_same):
    song = Song({"id": "1", **fields})
    assert (closeness(replace(TRACK, **track), song) is not None) is is_same


def test_a_song_is_a_track_by_its_musicbrainz_id(tmp_path):
    path = encode(
        tmp_path / "a.flac",
        melody(1.0),
        16_000,
        container="flac",
        codec="flac",
        musicbrainz_trackid=RECORDING.upper(),
    )
    track = replace(TRACK, path=str(path))
    song = {"id": "1", "title": "x", "duration": 201}
    assert closeness(track, Song({**song, "musicBrainzId": RECORDING})) is not None
    assert closeness(track, Song({**song, "musicBrainzId": RECORDING[::-1]})) is None
    assert closeness(track, Song(song)) is None


@pytest.mark.parametrize("frame", ["UFID:http://musicbrainz.org", "TXXX:MusicBrainz Track Id"])
def test_the_musicbrainz_id_is_read_from_id3_tags(tmp_path, frame):
    path = tmp_path / "a.mp3"
    tags = with_id3v2(b"\xff\xfb\x90\x00" * 500, {frame: [RECORDING]})
    if frame.startswith("UFID"):  # has no byte for the encoding
        tags = tags.replace(b"\3http", b"http")
        tags = tags.replace(b"UFID\0\0\0C", b"UFID\0\0\0B")
    path.write_bytes(tags)
    assert read_recording_ids(str(path)) == {RECORDING}


@pytest.mark.parametrize(
    "better",
    [
        pytest.param({"path": "Artist/Album/01 - Song.flac"}, id="path before tags"),
        pytest.param({**TAGS, "duration": 200, "size": 500}, id="size before length"),
        pytest.param({**TAGS, "duration": 200}, id="nearest length"),
    ],
)
def test_the_closest_song_is_chosen(better):
    others = [{**TAGS, "duration": 203}, {**TAGS, "duration": 198}]
    ranks = [closeness(TRACK, Song({"id": "1", **fields})) for fields in (*others, better)]
    assert max(ranks) == ranks[-1] > ranks[0]


class Library:
    """Answers of a server with made-up songs. It finds songs whose title contains the query."""

    def __init__(self, *songs):
        self.songs = [{"id": str(i), "album": "Album", **song} for i, song in enumerate(songs)]
        self.n_calls = 0

    def call(self, method, **parameters):
        self.n_calls += 1
        if method == "getAlbum":
            return {"album": {"song": self.songs}}
        query, start = parameters["query"].lower(), parameters.get("songOffset", 0)
        found = [song for song in self.songs if query in str(song.get("title")).lower()]
        n_songs, n_albums = parameters["songCount"], parameters["albumCount"]
        albums = [{"id": "a", "name": "Album"}] if query == "album" else []
        return {
            "searchResult3": {"song": found[start : start + n_songs], "album": albums[:n_albums]}
        }


@pytest.mark.parametrize(
    ("songs", "n_calls"),
    [
        pytest.param([{"title": "x"}, TAGS | {"title": "Don\u2019t Stop"}], 1, id="by title"),
        pytest.param([{"title": "?", "path": "Artist/Album/01 - Song.flac"}], 4, id="by album"),
        pytest.param(
            [
                *[{"title": f"Don\u2019t Stop {i}"} for i in range(30)],
                TAGS | {"title": "Don\u2019t Stop"},
            ],
            2,
            id="second page",
        ),
        pytest.param(
            [
                *[TAGS | {"title": "Don\u2019t Stop", "path": "x/01 - Song.flac"}] * 30,
                TAGS | {"title": "Don\u2019t Stop", "path": "Artist/Album/01 - Song.flac"},
            ],
            2,
            id="after songs of the same name",
        ),
    ],
)
def test_a_track_is_found_with_few_requests(songs, n_calls):
    library = Library(*songs)
    (song,) = songs_of(library, [TRACK])
    assert song.id == str(len(songs) - 1)
    assert library.n_calls == n_calls


def test_a_track_with_a_very_long_title_is_found_by_the_beginning_of_it():
    path = "Artist/Album/01 - Song.flac"
    library = Library({"title": 255 * "x", "path": path})
    (song,) = songs_of(library, [replace(TRACK, title=5_000 * "x", album=None)])
    assert song.text("path") == path


def test_an_unknown_track_takes_few_requests_even_with_many_songs_of_its_title():
    library = Library(*[{"title": f"Don\u2019t Stop {i}"} for i in range(5_000)])
    assert songs_of(library, [TRACK, TRACK]) == [None, None]
    assert library.n_calls <= 6


def test_the_track_of_a_song_is_found_among_many(tmp_path):
    with Index(tmp_path / "index", spec=SPEC) as index:
        tracks = [
            replace(
                some_track(i),
                path=f"/m/{i % 7}/Album {i}/01 - Intro.flac",
                title="Intro",
                artist=f"Artist {i}",
                seconds=100.0 + i,
            )
            for i in range(300)
        ]
        index.add_all(zip(tracks, unit_vectors(300), strict=True))
        by_path = Song({"id": "1", "path": "Album 250/01 - Intro.flac", "title": "Intro"})
        by_tags = Song({"id": "1", "title": "INTRO", "artist": "Artist 222", "duration": 322})
        unknown = Song({"id": "1", "title": "Intro", "artist": "Nobody", "duration": 322})
        found = [track_of(index, song) for song in (by_path, by_tags, unknown)]
    assert [track and track.artist for track in found] == ["Artist 250", "Artist 222", None]


# Logging in


def server_answer(handler, **fields):
    content = json.dumps({"subsonic-response": {"status": "ok", "version": "1.16.1", **fields}})
    send(handler, content.encode(), Content_Type="application/json")


def failed(handler, code, message="No."):
    server_answer(handler, status="failed", error={"code": code, "message": message})


def test_the_server_gets_a_salted_digest_and_nothing_in_the_address():
    forms = []

    def answer(handler):
        forms.append(handler.form)
        server_answer(handler)

    with answering(answer) as (url, requests), logged_in(url, "ann", PASSWORD):
        pass
    (form,) = forms
    salted = (PASSWORD + form["s"][0]).encode()
    assert form["t"] == [hashlib.md5(salted).hexdigest()]
    assert form["u"] == ["ann"]
    assert "p" not in form
    assert requests == [("/rest/ping.view", None)]


@pytest.mark.parametrize("code", [10, 41])
def test_a_server_without_digests_gets_the_password_in_the_own_network(code):
    with (
        answering(
            lambda handler: server_answer(handler) if "p" in handler.form else failed(handler, code)
        ) as (url, _),
        logged_in(url, "ann", PASSWORD),
    ):
        pass


def test_a_server_elsewhere_does_not_get_the_password_without_https(monkeypatch):
    def call(client, method):
        assert "p" not in client._parameters
        raise ServerError(client._url, "Required parameter is missing", code=10)

    monkeypatch.setattr(SubsonicClient, "call", call)
    with (
        pytest.raises(PlayerError, match="isn't encrypted"),
        logged_in("http://music.example", "ann", "secret"),
    ):
        pass


def answer_404(handler):
    send(handler, b"<html>", 404)


def answer_login_page(handler):
    send(handler, b"", 302, Location="https://login.example/?next=x")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        pytest.param(
            lambda h: failed(h, 40, "Wrong username or password."),
            "refuses: Wrong username or password",
            id="wrong password",
        ),
        pytest.param(
            lambda h: failed(h, "x"), "doesn't answer like a Subsonic server", id="nonsense"
        ),
        pytest.param(
            answer_404, "doesn't answer like a Subsonic server .status 404", id="another server"
        ),
        pytest.param(answer_login_page, "redirects to https://login.example", id="redirect"),
        pytest.param(
            lambda h: h.connection.close(), "no connection|connection was lost", id="hangs up"
        ),
    ],
)
def test_an_error_of_the_server_is_one_sentence_without_the_password(answer, message):
    with (
        answering(answer) as (url, _),
        pytest.raises(PlayerError, match=message) as caught,
        logged_in(url, "ann", "secret"),
    ):
        pass
    assert "secret" not in str(caught.value) + caught.value.hint


def test_a_server_that_does_not_run_is_one_sentence():
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with (
        pytest.raises(PlayerError, match="can't be used: no connection"),
        logged_in(f"http://127.0.0.1:{port}", "ann", "secret"),
    ):
        pass


# A real server


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A server, and tracks: six that it has in other folders, one that it lacks."""
    folder = tmp_path_factory.mktemp("sent")
    here, there = folder / "here", folder / "there"
    tracks = []
    for number in range(6):
        album = here / f"Album {number % 2}"
        album.mkdir(parents=True, exist_ok=True)
        path = encode(
            album / f"{number} \u00fc.flac",
            melody(2.0, seed=number),
            16_000,
            container="flac",
            codec="flac",
            title=f"Title {number}",
            artist=f"Artist {number % 3}",
            album=album.name,
        )
        tracks.append(
            replace(
                some_track(number),
                path=str(path),
                seconds=2.0,
                title=f"Title {number}",
                artist=f"Artist {number % 3}",
                album=album.name,
                size=path.stat().st_size,
                content_hash=f"{number + 1:032}",
            )
        )
    shutil.copytree(here, there / "deep" / "down")
    (there / "deep" / "down" / "Album 1" / "5 \u00fc.flac").rename(there / "renamed.flac")
    missing = replace(some_track(99), path=str(here / "missing.flac"))
    with supysonic(there, folder / "data") as server:
        yield server, tracks, missing


def stored(server):
    """Names of the playlists on the server, and the titles in them."""
    with logged_in(server.url, USER, PASSWORD) as client:
        playlists = client.call("getPlaylists")["playlists"].get("playlist", [])
        contents = [client.call("getPlaylist", id=p["id"])["playlist"] for p in playlists]
    return {p["name"]: [song["title"] for song in p.get("entry", [])] for p in contents}


def test_a_playlist_is_made_replaced_and_extended(world, monkeypatch):
    server, tracks, missing = world
    monkeypatch.setenv(VARIABLE, PASSWORD)
    player = SubsonicPlayer(PlayerAddress.parse(server.address))
    result = player.send([tracks[5], missing, tracks[0]], SendOptions(title="Like \u00fc & co"))
    assert (result.n_sent, result.destination) == (2, "the playlist Like \u00fc & co")
    assert result.unmatched == [missing]
    assert stored(server) == {"Like \u00fc & co": ["Title 5", "Title 0"]}
    player.send([tracks[1], tracks[0], tracks[1]], SendOptions(title="Like \u00fc & co"))
    assert stored(server) == {"Like \u00fc & co": ["Title 1", "Title 0", "Title 1"]}
    player.send(tracks[2:4], SendOptions(title="x", name="Like \u00fc & co", is_appended=True))
    assert stored(server)["Like \u00fc & co"][3:] == ["Title 2", "Title 3"]
    player.send(tracks, SendOptions(title="x", name="all"))
    assert sorted(stored(server)["all"]) == [f"Title {n}" for n in range(6)]
    assert PASSWORD not in server.log.read_text()


def test_nothing_changes_if_the_server_knows_no_track_or_refuses(world, monkeypatch):
    server, tracks, missing = world
    before = stored(server)
    address = PlayerAddress.parse(server.address)
    with pytest.raises(PlayerError, match="knows none of the 1 track"):
        SubsonicPlayer(replace(address, password=PASSWORD)).send(
            [missing], SendOptions(title="all")
        )
    with pytest.raises(LoginRefused, match="Wrong username or password"):
        SubsonicPlayer(replace(address, password="wrong")).send(tracks, SendOptions(title="all"))
    with pytest.raises(UsageError, match="doesn't play"):
        SubsonicPlayer(address).send(tracks, SendOptions(is_played=True))
    assert stored(server) == before


def test_the_command_sends_a_playlist_and_lists_what_the_server_lacks(
    world, tmp_path, run, monkeypatch
):
    server, tracks, missing = world
    monkeypatch.setenv(VARIABLE, PASSWORD)
    with Index(tmp_path / "index", spec=SPEC) as index:
        index.add_all(zip([*tracks, missing], unit_vectors(7), strict=True))
    result = run(
        "playlist",
        tracks[0].path,
        "-n",
        "7",
        "--no-whiten",
        "--send",
        server.address,
        "--name",
        "by command",
        "--index",
        tmp_path / "index",
    )
    assert result.exit_code == 0, result.stderr
    assert missing.path in result.stderr
    assert "6 tracks" in result.stderr
    titles = stored(server)["by command"]
    assert titles[0] == "Title 0"
    assert sorted(titles) == [f"Title {n}" for n in range(6)]
    assert PASSWORD not in result.output + result.stderr


@pytest.mark.posix
def test_the_command_asks_for_a_password_on_a_terminal(world, tmp_path):
    server, tracks, _ = world
    with Index(tmp_path / "index", spec=SPEC) as index:
        index.add_all(zip(tracks, unit_vectors(6), strict=True))
    command = [sys.executable, "-m", "audiosearch", "playlist", tracks[0].path, "-n", "2"]
    options = ["--no-whiten", "--send", server.address, "--name", "asked"]
    import pty  # missing in some tests

    terminal, theirs = pty.openpty()
    process = subprocess.Popen(
        [*command, *options, "--index", str(tmp_path / "index")],
        **dict.fromkeys(("stdin", "stdout", "stderr"), theirs),
        start_new_session=True,  # apart from the terminal of the tests
    )
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # the end of the process
        while part := os.read(terminal, 1_000):
            shown += part
            if shown.endswith(f"Password of {USER}@127.0.0.1:{server.port}: ".encode()):
                os.write(terminal, f"{PASSWORD}\n".encode())
    os.close(terminal)
    assert process.wait() == 0, shown
    assert PASSWORD.encode() not in shown
    assert len(stored(server)["asked"]) == 2


# A certificate authority of one's own


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_a_certificate_authority_of_ones_own_is_trusted(world, tmp_path, monkeypatch, variable):
    other, tracks, _ = world
    authority, certificate = certificates(tmp_path)
    music = other.log.parents[1] / "there"
    with supysonic(music, tmp_path / "data", certificate=certificate) as server:
        address = replace(PlayerAddress.parse(server.address), password=PASSWORD)
        with pytest.raises(PlayerError, match="trusted certificate") as caught:
            SubsonicPlayer(address).send(tracks, SendOptions(title="all"))
        assert "SSL_CERT_FILE" in caught.value.hint
        trust_only(authority, monkeypatch, variable)
        assert SubsonicPlayer(address).send(tracks, SendOptions(title="all")).n_sent == len(tracks)


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_certificates_that_can_not_be_read_are_named(tmp_path, monkeypatch, content):
    file = tmp_path / "authority.pem"
    if content is not None:
        file.write_text(content)
    trust_only(file, monkeypatch)
    with pytest.raises(UsageError, match=f"SSL_CERT_FILE is set to {file}"):
        SubsonicClient("https://127.0.0.1:1", {})
