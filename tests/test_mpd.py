"""`--send mpd://`: the queue and stored playlists of a real MPD."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import sys
import threading
from dataclasses import replace

import pytest
from mpd_server import made_track, make_music, name_of, serving_mpd
from tracks import SPEC, unit_vectors

from audiosearch import Index
from audiosearch.errors import MissingExtra, PlayerError, PlayerUnreachable, UsageError
from audiosearch.players import PlayerAddress, SendOptions, open_player
from audiosearch.players.mpd import connection, songs
from audiosearch.search.playlist_tracks import PlaylistTracks

N_TRACKS = 12


@pytest.fixture(scope="module")
def music(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mpd")
    return make_music(folder / "music", folder / "index", N_TRACKS)


@pytest.fixture(scope="module")
def running(music, tmp_path_factory):
    with serving_mpd(tmp_path_factory.mktemp("server") / "mpd", music) as server:
        yield server


@pytest.fixture
def server(running):
    with running.client() as client:
        client.clear()
        for playlist in client.listplaylists():
            client.rm(playlist["playlist"])
    return running


@pytest.fixture
def index(music):
    return music.parent / "index"


def tracks_at(music, *numbers):
    """Return made-up tracks in a folder."""
    return [replaced_id(made_track(f"{music}/{name_of(n)}", n), n + 1) for n in numbers]


def replaced_id(track, track_id):
    return replace(track, id=track_id)


def names(*numbers):
    return [name_of(number) for number in numbers]


def stored(server, name):
    with server.client() as client:
        return client.listplaylist(name)


# The command line


def test_playlist_send_replaces_the_queue_and_prints_one_line(run, server, index):
    with server.client() as client:
        client.add(name_of(11))
    result = run("playlist", "#1", "-n", 5, "--send", server.address, "--index", index)
    assert result.exit_code == 0
    queue = server.queue()
    assert len(queue) == 5
    assert queue[0] == name_of(0)
    assert result.stdout == ""
    assert f"5 tracks sent to the queue at {server.address}." in result.stderr


def test_append_adds_behind_the_queue_and_play_starts_the_first_sent_track(run, server, index):
    with server.client() as client:
        client.add(name_of(11))
    sent = ("playlist", "#1", "-n", 3, "--send", server.address, "--index", index)
    assert run(*sent, "--append", "--play").exit_code == 0
    queue = server.queue()
    assert (queue[:2], len(queue)) == (names(11, 0), 4)
    with server.client() as client:
        status = client.status()
    assert (status["state"], status["song"]) == ("play", "1")


def test_replacing_the_queue_stops_what_plays(run, server, index):
    with server.client() as client:
        client.add(name_of(11))
        client.play()
    run("playlist", "#1", "-n", 3, "--send", server.address, "--index", index)
    with server.client() as client:
        assert client.status()["state"] == "stop"


def test_name_makes_replaces_and_appends_to_a_stored_playlist(run, server, index):
    send = ("playlist", "#1", "--send", server.address, "--name", 'Mine "1"', "--index", index)
    for options, n_tracks in ((("-n", 4), 4), (("-n", 2), 2), (("-n", 3, "--append"), 5)):
        result = run(*send, *options)
        assert result.exit_code == 0, result.stderr
        assert len(stored(server, 'Mine "1"')) == n_tracks
    assert 'sent to the playlist Mine "1" at' in result.stderr
    assert server.queue() == []
    with server.client() as client:
        assert [playlist["playlist"] for playlist in client.listplaylists()] == ['Mine "1"']


def test_send_can_be_combined_with_a_file_a_saved_playlist_and_a_format(
    run, server, index, tmp_path
):
    file = tmp_path / "p.m3u8"
    make = ("playlist", "#1", "-n", 3, "--send", server.address, "--index", index)
    assert run(*make, "-o", file, "--save", "kept").exit_code == 0
    assert file.read_text().count(".wav") == 3
    shown = run(*make, "--format", "paths")
    assert shown.stdout.count(".wav") == 3
    again = run("playlists", "show", "kept", "--send", server.address, "--append", "--index", index)
    assert (again.exit_code, again.stdout) == (0, "")
    assert len(server.queue()) == 6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param(["--append"], "--append needs a player", id="--append alone"),
        pytest.param(["--play"], "--play needs a player", id="--play alone"),
        pytest.param(["--name", "x"], "--name needs a player", id="--name alone"),
        pytest.param(["--send", "foo"], "not the address of a player", id="no address"),
        pytest.param(["--send", "mpd:h"], "not the address of a player", id="no slashes"),
        pytest.param(["--send", "http://x"], "not the address of a player", id="other scheme"),
        pytest.param(["--send", "mpd://"], "not the address of a player", id="no host"),
        pytest.param(["--send", "mpd://h/p"], "a host and a path", id="host and socket"),
        pytest.param(
            ["--send", "mpd://h", "--name", "x", "--play"], "doesn't start", id="play a name"
        ),
        pytest.param(["--send", "mpd://h", "--name", " "], "is empty", id="blank name for MPD"),
        pytest.param(
            ["--send", "subsonic://ann@h", "--name", ""], "is empty", id="no name for Subsonic"
        ),
    ],
)
@pytest.mark.parametrize("command", [["playlist", "#1"], ["playlists", "show", "x"]])
def test_contradicting_options_are_usage_errors_before_any_work(run, command, options, message):
    result = run(*command, *options, "--index", "nowhere")
    assert result.exit_code == 2
    assert message in result.stderr
    assert "hint:" in result.stderr


def test_unknown_tracks_are_listed_and_the_rest_is_sent(run, server, index, music, tmp_path):
    with Index(tmp_path / "more", spec=Index(index).spec) as more, Index(index) as known:
        gone = replace(made_track(f"{music}/gone.wav", 99), title="Gone")
        more.add_all((t, known.vector(t)) for t in known)
        more.add(gone, unit_vectors(N_TRACKS + 1)[-1])
    result = run("playlist", "#1", "-n", 13, "--send", server.address, "--index", tmp_path / "more")
    assert result.exit_code == 0
    assert f"doesn't know {music}/gone.wav" in result.stderr
    assert "mpc update" in result.stderr
    assert f"{N_TRACKS} tracks sent" in result.stderr


# Paths


@pytest.mark.parametrize("address", ["address", "tcp_address"])
@pytest.mark.parametrize(
    ("folder", "prefixes"),
    [
        pytest.param(None, (), id="MPD's own folder"),
        pytest.param("/mnt/nas/Music", (), id="another folder"),
        pytest.param("C:\\Music", (), id="Windows"),
        pytest.param("/x", (("/x/", ""),), id="prefix to a name below the music folder"),
        pytest.param("/x", (("/x", "{music}"),), id="prefix to the music folder"),
    ],
)
def test_songs_are_found_by_their_paths(server, music, address, folder, prefixes):
    place = folder or music
    tracks = tracks_at(place, 3, 1, 3)
    if "\\" in str(place):
        tracks = [replace(track, path=track.path.replace("/", "\\")) for track in tracks]
    options = SendOptions(prefixes=tuple((old, new.format(music=music)) for old, new in prefixes))
    result = open_player(getattr(server, address)).send(tracks, options)
    assert (result.n_sent, result.unmatched) == (3, [])
    assert server.queue() == names(3, 1, 3)


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("/elsewhere/Song 1 (live).wav", id="no such name"),
        pytest.param("/elsewhere/a\nclear\n.wav", id="line breaks, which would be commands"),
        pytest.param("/elsewhere/\udcff.wav", id="not UTF-8"),
        pytest.param("/elsewhere/'\"\\.wav", id="quotes"),
        pytest.param("s3://bucket/x.wav", id="a URL that MPD can't play"),
        pytest.param("/", id="no name"),
    ],
)
def test_a_path_that_mpd_does_not_know_is_unmatched(server, music, path):
    odd = replaced_id(made_track(path, 50), 51)
    result = open_player(server.address).send([*tracks_at(music, 2), odd], SendOptions())
    assert result.unmatched == [odd]
    assert server.queue() == names(2)


def test_a_file_on_a_web_server_is_sent_as_its_url(server):
    url = replaced_id(made_track("https://127.0.0.1:1/a.mp3", 50), 51)
    assert open_player(server.address).send([url], SendOptions()).n_sent == 1
    assert server.queue() == [url.path]


def test_for_many_unknown_tracks_the_database_is_read_in_parts(server, monkeypatch):
    monkeypatch.setattr(songs, "_MAX_SEARCHES", 1)
    monkeypatch.setattr(songs, "_PAGE", 5)
    unknown = tracks_at("/elsewhere", *range(100, 105))
    for folder in ("/a", "/b/c"):
        result = open_player(server.address).send(
            [*unknown, *tracks_at(folder, 3, 9)], SendOptions()
        )
        assert (result.unmatched, server.queue()) == (unknown, names(3, 9))


@pytest.mark.posix
def test_names_that_are_no_utf8_are_sent_and_disturb_no_others(tmp_path, monkeypatch):
    monkeypatch.setattr(songs, "_MAX_SEARCHES", 1)
    music = make_music(tmp_path / "music", tmp_path / "index", 2)
    odd = os.fsdecode(b"\xff caf\xe9.wav")
    (music / odd).write_bytes((music / name_of(0)).read_bytes())
    unknown = tracks_at("/elsewhere", *range(100, 105))
    tracks = [*unknown, replaced_id(made_track(f"/nas/{odd}", 50), 51), *tracks_at(music, 1)]
    with serving_mpd(tmp_path / "mpd", music) as server:
        for name in (None, "Mine"):
            result = open_player(server.tcp_address).send(tracks, SendOptions(name=name))
            assert result.unmatched == unknown
        with connection.connected(PlayerAddress.parse(server.address)) as client:
            queue = [song["file"] for song in client.playlistinfo()]
            assert queue == client.listplaylist("Mine") == [odd, name_of(1)]


def test_of_two_songs_with_equal_ends_none_is_guessed(server, tmp_path):
    (server.music / "Copy" / "Artist 1").mkdir(parents=True, exist_ok=True)
    (server.music / "Copy" / "Artist 1" / "Song 1.wav").write_bytes(
        (server.music / name_of(1)).read_bytes()
    )
    server.update()
    try:
        tracks = tracks_at("/elsewhere", 1, 2)
        result = open_player(server.tcp_address).send(tracks, SendOptions())
        assert [track.path for track in result.unmatched] == []
        assert server.queue() == names(1, 2)  # "Copy/Artist 1" isn't the whole path of the track
    finally:
        (server.music / "Copy" / "Artist 1" / "Song 1.wav").unlink()
        server.update()


# Failures


CUE_SHEET = """FILE "image.wav" WAVE
  TRACK 01 AUDIO
    TITLE "One"
    INDEX 01 00:00:00
  TRACK 02 AUDIO
    TITLE "Two"
    INDEX 01 00:10:00
"""


def test_the_file_of_a_cue_sheet_is_sent_as_a_whole_and_its_tracks_are_the_file(tmp_path):
    music = make_music(tmp_path / "music", tmp_path / "index", 25)
    album = music / name_of(3)
    image = album.parent / "image.wav"
    album.rename(image)
    image.with_suffix(".cue").write_text(CUE_SHEET)
    track = replaced_id(made_track(f"/other/{image.parent.name}/image.wav", 3), 1)
    with serving_mpd(tmp_path / "mpd", music) as server:
        open_player(server.tcp_address).send([track], SendOptions())
        uri = f"{image.parent.name}/image.wav"
        assert server.queue() == [uri]
        for n_searches in (0, songs._MAX_SEARCHES):
            with server.client() as client:
                finder = songs.Songs(client)
                finder._n_searches = n_searches
                assert finder.uris([track]) == {1: uri}
        with server.client() as client, Index(tmp_path / "more", spec=SPEC) as index:
            index.add(track, unit_vectors(1)[0])
            name = uri.replace(".wav", ".cue/track0002")
            assert client.lsinfo(name.rpartition("/")[0])[1]["file"] == name
            found = songs.Songs(client).tracks([(name, 10.0)], PlaylistTracks(index))
            assert found[name].path == track.path


def test_nothing_changes_if_mpd_knows_no_track(server, music):
    with server.client() as client:
        client.add(name_of(7))
    with pytest.raises(PlayerError, match="knows none of the tracks") as raised:
        open_player(server.address).send(tracks_at("/x", 500), SendOptions())
    assert "mpc update" in raised.value.hint
    assert server.queue() == names(7)


@pytest.mark.parametrize("user", ["a:b%2F", "a%3Ab%2F"])
def test_a_password_may_have_a_colon(music, tmp_path, user):
    settings = 'password "a:b/@read,add,control,admin"\ndefault_permissions "read"'
    with serving_mpd(tmp_path / "mpd", music, settings=settings) as server:
        address = server.tcp_address.replace("//", f"//{user}@")
        assert open_player(address).send(tracks_at(music, 1), SendOptions()).n_sent == 1


def test_the_path_of_a_socket_may_have_any_signs():
    assert PlayerAddress.parse("mpd:///run/my%20%23mpd/socket").path == "/run/my #mpd/socket"


def test_an_empty_database_is_named(music, tmp_path):
    (tmp_path / "empty").mkdir()
    with (
        serving_mpd(tmp_path / "mpd", tmp_path / "empty") as server,
        pytest.raises(PlayerError, match="is empty"),
    ):
        open_player(server.address).send(tracks_at(music, 1), SendOptions())


@pytest.mark.parametrize("options", [SendOptions(), SendOptions(is_appended=True)])
def test_a_queue_that_gets_full_stays_as_it_was(music, tmp_path, options):
    with serving_mpd(tmp_path / "mpd", music, settings='max_playlist_length "4"') as server:
        with server.client() as client:
            client.add(name_of(7))
            client.add(name_of(8))
        with pytest.raises(PlayerError, match="can't hold so many"):
            open_player(server.address).send(tracks_at(music, 1, 2, 3), options)
        assert server.queue() == names(7, 8)


def test_a_full_queue_is_replaced_by_one_that_has_room_only_without_the_old_songs(music, tmp_path):
    with serving_mpd(tmp_path / "mpd", music, settings='max_playlist_length "4"') as server:
        with server.client() as client:
            for number in (7, 8, 9):
                client.add(name_of(number))
        options = SendOptions(is_played=True)
        open_player(server.address).send(tracks_at(music, 1, 2, 3), options)
        assert server.queue() == names(1, 2, 3)
        with server.client() as client:
            assert client.status()["state"] == "play"


@pytest.mark.parametrize("name", [None, "Mine"])
def test_more_songs_than_one_list_of_commands_can_hold_are_sent(music, tmp_path, name, monkeypatch):
    monkeypatch.setattr(connection, "_MAX_LIST_BYTES", 2**11, raising=False)
    numbers = [n % N_TRACKS for n in range(200)]
    with serving_mpd(tmp_path / "mpd", music, settings='max_command_list_size "3"') as server:
        for is_appended in (True, False):
            options = SendOptions(name=name, is_appended=is_appended)
            open_player(server.address).send(tracks_at(music, *numbers), options)
        sent = server.queue() if name is None else stored(server, name)
    assert sent == names(*numbers)


def test_mpd_only_tells_the_tags_that_are_read(server):
    with connection.connected(PlayerAddress.parse(server.address)) as client:
        assert sorted(client.tagtypes()) == ["Artist", "Title"]


def test_many_unknown_names_take_few_requests(music, server):
    tracks = tracks_at(music, *range(1_000))
    with connection.connected(PlayerAddress.parse(server.address)) as client:
        requests = []
        end = client.command_list_end
        client.command_list_end = lambda: requests.append(1) or end()
        found = songs.Songs(client).uris(tracks)
    assert list(found.values()) == names(*range(N_TRACKS))
    assert len(requests) < 50


@pytest.mark.parametrize(
    ("user", "message"),
    [
        pytest.param("wrong@", "refuses the password", id="wrong password"),
        pytest.param("", "doesn't permit the command", id="no password"),
        pytest.param("reader@", "doesn't permit the command", id="may only read"),
        pytest.param("a%0Aclear@", "refuses the password", id="password with a line break"),
    ],
)
def test_a_password_that_does_not_do_changes_nothing(music, tmp_path, user, message):
    settings = """
        password "secret/1@read,add,control,admin"
        password "reader@read,add"
        default_permissions "read"
    """
    with serving_mpd(tmp_path / "mpd", music, settings=settings) as server:
        host = f"127.0.0.1:{server.port}"
        open_player(f"mpd://secret%2F1@{host}").send(tracks_at(music, 1), SendOptions())
        with pytest.raises(PlayerError, match=message) as raised:
            open_player(f"mpd://{user}{host}").send(tracks_at(music, 2), SendOptions())
        assert "PASSWORD@HOST" in raised.value.hint
        assert "secret" not in f"{raised.value}{raised.value.hint}"
        assert server.queue() == names(1)


@pytest.mark.parametrize("name", ["a/b", "a\nb", "\ud800"])
def test_a_name_that_mpd_cannot_keep_is_a_usage_error(server, music, name):
    with pytest.raises(UsageError, match="can't keep a playlist"):
        open_player(server.address).send(tracks_at(music, 1), SendOptions(name=name))


@pytest.mark.parametrize(
    ("address", "message"),
    [
        pytest.param("mpd://127.0.0.1:1", "Connection refused", id="no server"),
        pytest.param("mpd:///nowhere/socket", "No such file", id="no socket"),
        pytest.param("mpd://nowhere.invalid", "Can't connect", id="unknown host"),
        pytest.param(f"mpd://{'a' * 70}.invalid", "Can't connect", id="impossible host"),
    ],
)
def test_a_server_that_is_not_there_is_unreachable(music, address, message):
    with pytest.raises(PlayerUnreachable, match=message):
        open_player(address).send(tracks_at(music, 1), SendOptions())


@pytest.mark.parametrize(
    ("answers", "error", "message"),
    [
        pytest.param([], PlayerUnreachable, "didn't answer within", id="hangs at once"),
        pytest.param([b"OK MPD 0.23\n"], PlayerUnreachable, "didn't answer", id="hangs later"),
        pytest.param([b"OK MPD 0.23\n", None], PlayerUnreachable, "was lost", id="hangs up"),
        pytest.param([b"HTTP/1.1 400\n"], PlayerError, "isn't MPD", id="a web server"),
        pytest.param([b"\xff\xfe\n"], PlayerError, "isn't MPD", id="no text"),
        pytest.param(
            [b"OK MPD 0.23\n", b"command: add\nOK\n"], PlayerError, "doesn't permit", id="may not"
        ),
    ],
)
def test_a_server_that_misbehaves_is_told_in_a_sentence(
    music, monkeypatch, answers, error, message
):
    monkeypatch.setattr(connection, "TIMEOUT_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            peer, _ = listener.accept()
            with peer:
                for number, answer in enumerate(answers):
                    if number:
                        peer.recv(1_000)
                    if answer is None:
                        return
                    peer.sendall(answer)
                peer.recv(1_000)
                peer.recv(1_000)

        threading.Thread(target=serve, daemon=True).start()
        with pytest.raises(error, match=message):
            open_player(f"mpd://127.0.0.1:{listener.getsockname()[1]}").send(
                tracks_at(music, 1), SendOptions()
            )


@contextlib.contextmanager
def cut_off(port, n_bytes):
    """Pass a connection on to a port, and close it after some bytes from the client."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            client, _ = listener.accept()
            with client, socket.create_connection(("127.0.0.1", port)) as server:
                n_left = n_bytes
                while n_left > 0:
                    for ready in select.select([client, server], [], [])[0]:
                        data = ready.recv(1 if ready is client else 4_096)
                        (server if ready is client else client).sendall(data)
                        n_left -= ready is client

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(10)


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # python-mpd2 drops its socket
@pytest.mark.parametrize("options", [SendOptions(), SendOptions(name="p")], ids=["queue", "name"])
def test_a_connection_cut_anywhere_changes_everything_or_nothing(server, music, options):
    def content():
        return server.queue() if options.name is None else stored(server, "p")

    open_player(server.address).send(tracks_at(music, 7, 8), options)
    for n_bytes in range(20, 700, 47):
        with (
            cut_off(server.port, n_bytes) as port,
            contextlib.suppress(PlayerUnreachable),
        ):
            open_player(f"mpd://127.0.0.1:{port}").send(tracks_at(music, 1, 2, 3), options)
        if content() != names(7, 8):
            break
    assert content() == names(1, 2, 3)
    assert n_bytes > 100


def test_a_missing_package_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "mpd", None)
    with pytest.raises(MissingExtra, match="python-mpd2") as raised:
        open_player("mpd://localhost")
    assert "[mpd]'" in raised.value.hint


def test_the_password_is_not_part_of_what_is_shown():
    address = PlayerAddress.parse("mpd://secret@localhost:6600")
    assert "secret" not in f"{address} {address!r}"
