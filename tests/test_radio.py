"""`audiosearch radio`, as a process, with a real MPD."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import mpd
import numpy as np
import pytest
from mpd_server import SECONDS, made_track, make_music, name_of, serving_mpd
from tracks import SPEC, unit_vectors
from waiting import wait_for

from audiosearch import Index
from audiosearch.library.filters import Filters, Range
from audiosearch.models.registry import ModelRequest
from audiosearch.playlists import Constraints, Continuation, PlaylistOptions, PlaylistRequest

N_TRACKS = 100  # by 20 artists
N_CHANGES = 50


@pytest.fixture(scope="module")
def music(tmp_path_factory):
    folder = tmp_path_factory.mktemp("radio")
    return make_music(folder / "music", folder / "index", N_TRACKS)


@pytest.fixture
def server(music, tmp_path):
    with serving_mpd(tmp_path / "mpd", music) as running:
        yield running


class Radio:
    """A running radio."""

    def __init__(self, server, music, *arguments, address=None):
        self.server = server
        self.messages = server.folder / f"messages-{time.monotonic_ns()}"
        command = [sys.executable, "-m", "audiosearch", "radio", address or server.address]
        with self.messages.open("w") as file:
            self.process = subprocess.Popen(
                [*command, *map(str, arguments), "--index", str(music.parent / "index")],
                stderr=file,
                env={**os.environ, "XDG_STATE_HOME": str(server.folder / "state-home")},
            )

    def text(self):
        return self.messages.read_text()

    def is_ahead(self, n=3):
        """Return whether the queue is far enough ahead, or fail if the radio has ended."""
        assert self.process.poll() is None, self.text()
        with self.server.client() as client:
            status = client.status()
        position = int(status.get("song", -1))
        return int(status["playlistlength"]) - position - 1 >= n

    def wait_until_ahead(self, n=3):
        wait_for(lambda: self.is_ahead(n))

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.process.wait(30)


@pytest.fixture
def radio(server, music):
    """Start radios, which are ended after the test."""
    with contextlib.ExitStack() as radios:

        def started(*arguments, **options):
            radio = Radio(server, music, *arguments, **options)
            radios.callback(radio.process.wait)
            radios.callback(radio.process.kill)
            return radio

        yield started


def next_song(server, *, is_skipped):
    """Go to the next song: at once, or by nearly playing the current one to its end."""
    with server.client() as client:
        before = wait_for(lambda: client.status().get("songid"))
        if is_skipped:
            time.sleep(0.4)  # a song left sooner counts as one that can't be played
            client.next()
        else:
            client.seekcur(SECONDS - 0.5)
        wait_for(lambda: client.status().get("songid") != before)


def artists(uris):
    return [uri.split("/")[0] for uri in uris]


# The queue


def test_fifty_changes_with_skips_keep_all_rules(server, radio, figures):
    running = radio("#1", "--play", "--max-per-artist", 4, "--artist-gap", 5)
    rng = random.Random(0)
    n_skips = 0
    for _ in range(N_CHANGES):
        running.wait_until_ahead()
        is_skipped = rng.random() < 0.75
        n_skips += is_skipped
        next_song(server, is_skipped=is_skipped)
    running.wait_until_ahead()
    queue = server.queue()
    assert len(queue) >= N_CHANGES + 3
    assert len(set(queue)) == len(queue)
    assert max(Counter(artists(queue)).values()) <= 4
    gaps = [artists(queue)[n : n + 6] for n in range(len(queue))]
    assert all(len(set(names)) == len(names) for names in gaps)
    wait_for(lambda: running.text().count("Less like") >= n_skips)
    figures(changes=N_CHANGES, skips=n_skips, noticed=running.text().count("Less like"))


@pytest.mark.parametrize(
    "modes",
    [
        pytest.param({"consume": 1}, id="consume"),
        pytest.param({"repeat": 1, "crossfade": 5}, id="repeat and crossfade"),
        pytest.param({"random": 1}, id="random"),
        pytest.param({"random": 1, "repeat": 1, "consume": 1}, id="random, repeat and consume"),
    ],
)
def test_in_all_modes_the_queue_goes_on_and_nothing_comes_again(server, radio, modes):
    with server.client() as client:
        for mode, value in modes.items():
            getattr(client, mode)(value)
    running = radio("#1", "--play")
    played = []
    for number in range(10):
        with server.client() as client:
            wait_for(lambda: n_unplayed(client, played) >= 3)
            played.append(client.currentsong()["file"])
        next_song(server, is_skipped=number % 2 == 0)
    assert len(set(played)) == len(played)
    assert running.text().count("Less like") == 5
    assert ("random order" in running.text()) == ("random" in modes)


def n_unplayed(client, played):
    """Return how many songs of the queue come after the one that plays, in any order."""
    current = client.currentsong()
    if client.status()["state"] != "play" or current["file"] in played:
        return 0
    return len({song["file"] for song in client.playlistinfo()} - {current["file"], *played})


def test_single_mode_is_reported_when_it_is_switched_on(server, radio):
    running = radio("#1", "--play")
    running.wait_until_ahead()
    assert "MPD stops after each track" not in running.text()
    with server.client() as client:
        client.single("oneshot")
    wait_for(lambda: "MPD stops after each track" in running.text())


def test_a_restart_remembers_what_was_played_but_only_for_the_window(server, radio):
    running = radio("#1", "--play")
    for _ in range(5):
        running.wait_until_ahead()
        next_song(server, is_skipped=False)
    running.wait_until_ahead()
    assert running.end() == -signal.SIGTERM
    with server.client() as client:
        played = server.queue()[: int(client.status()["song"]) + 1]
        client.clear()
    again = radio("#1", "--ahead", 20)
    again.wait_until_ahead(20)
    assert not set(server.queue()) & set(played)
    again.end()
    with server.client() as client:
        client.clear()
    time.sleep(1.1)
    forgetful = radio("#1", "--ahead", 20, "--window", "1s")
    forgetful.wait_until_ahead(20)
    assert set(server.queue()) & set(played)


def test_without_seeds_the_queue_tells_them_and_added_songs_become_seeds(server, radio):
    with server.client() as client:
        client.add(name_of(40))
        client.play()
        client.pause(1)
    running = radio("--ahead", 2)
    running.wait_until_ahead(2)
    assert len(server.queue()) == 3
    with server.client() as client:
        client.addid(name_of(77), 1)
    wait_for(lambda: "Song 77, which was added by hand" in running.text())
    assert running.text().count("More like") == 1


def test_songs_taken_out_of_the_queue_do_not_come_back(server, radio):
    running = radio("#1")
    running.wait_until_ahead()
    before = server.queue()
    with server.client() as client:
        client.delete(1)
    running.wait_until_ahead()
    assert before[1] not in server.queue()


def test_over_a_network_and_below_other_folders_songs_are_the_same(server, radio, music):
    running = radio("#1", "--play", address=server.tcp_address)
    running.wait_until_ahead()
    next_song(server, is_skipped=True)
    running.wait_until_ahead()
    wait_for(lambda: "Less like" in running.text())
    assert len(set(server.queue())) == len(server.queue())


def test_files_that_cannot_be_played_are_not_taken_for_skips(server, radio, music):
    running = radio("#1")
    running.wait_until_ahead()
    gone = music.rename(music.with_name("gone"))
    try:
        with server.client() as client:
            with contextlib.suppress(mpd.CommandError):  # MPD may know before it answers
                client.play()
            wait_for(lambda: client.status()["state"] == "stop")  # after it has tried all of them
        wait_for(lambda: "MPD: Failed to decode" in running.text())
    finally:
        gone.rename(music)
    with server.client() as client:
        client.play(1)
        song = client.currentsong()["file"]
    running.wait_until_ahead()
    next_song(server, is_skipped=True)
    wait_for(lambda: "Less like" in running.text())
    assert Path(song).stem in running.text().partition("Less like")[2].splitlines()[0]
    assert running.text().count("Less like") == 1


# Ends, and what can go wrong


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM)]
)
def test_its_end_leaves_the_queue(server, radio, number, status):
    running = radio("#1", "--play")
    running.wait_until_ahead()
    queue = server.queue()
    assert running.end(number) == status
    assert server.queue() == queue
    assert "Traceback" not in running.text()
    with server.client() as client:
        assert client.status()["state"] == "play"


def test_it_goes_on_after_mpd_was_killed_and_started_again(server, radio):
    running = radio("#1", "--play")
    running.wait_until_ahead()
    next_song(server, is_skipped=False)
    running.wait_until_ahead()
    time.sleep(1.5)  # MPD writes its state each second
    server.kill()
    wait_for(lambda: "Trying again" in running.text())
    server.start()
    wait_for(lambda: running.is_ahead() and "again." in running.text())
    with server.client() as client:
        client.play()
    next_song(server, is_skipped=True)
    running.wait_until_ahead()
    queue = server.queue()
    assert len(set(queue)) == len(queue)


def test_a_second_radio_on_the_same_player_is_refused(server, radio):
    radio("#1").wait_until_ahead()
    second = radio("#1")
    assert second.process.wait(30) == 1
    assert "Another radio fills the queue" in second.text()


def test_songs_that_mpd_does_not_know_are_not_chosen(server, radio, music):
    names = {f"Song {number}.wav" for number in range(N_TRACKS) if number % 5}
    for name in names:
        next(music.rglob(name)).rename(music.parent / name)
    try:
        server.update()
        running = radio("#1", "--ahead", 10)
        running.wait_until_ahead(10)
        assert not names & {Path(uri).name for uri in server.queue()}
    finally:
        for name in names:
            number = int(name.split()[1].split(".")[0])
            (music.parent / name).rename(music / name_of(number))


def test_when_no_track_is_left_it_says_so_and_waits(server, radio):
    running = radio("#1", "--ahead", 30, "--max-per-artist", 1)
    wait_for(lambda: "found" in running.text())
    assert "limit of 1 per artist" in running.text()
    wait_for(lambda: len(server.queue()) in {19, 20})  # by the artist of the seed, or not
    assert running.process.poll() is None


@pytest.mark.parametrize(
    ("arguments", "message", "status"),
    [
        pytest.param(["{address}"], "holds no track of the index to start from", 2, id="no seed"),
        pytest.param(["{address}", "nothing.wav"], "neither a track", 1, id="no such seed"),
        pytest.param(["mpd://bad@{host}", "#1"], "refuses the password", 1, id="password"),
        pytest.param(["mpd://127.0.0.1:1", "#1"], "Connection refused", 1, id="no server"),
        pytest.param(["subsonic://u@h", "#1"], "not the address of MPD", 2, id="not MPD"),
        pytest.param(["{address}", "#1", "--window", "x"], "not a duration", 2, id="window"),
        pytest.param(["{address}", "#1", "--window", "0"], "longer than 0", 2, id="no window"),
    ],
)
def test_mistakes_end_it_at_once(run, server, music, monkeypatch, arguments, message, status):
    monkeypatch.setenv("XDG_STATE_HOME", str(server.folder))
    places = {"address": server.address, "host": f"127.0.0.1:{server.port}"}
    filled = [argument.format(**places) for argument in arguments]
    result = run("radio", *filled, "--index", music.parent / "index")
    assert result.exit_code == status
    assert message in result.stderr
    assert "hint:" in result.stderr


def test_an_empty_database_ends_it(run, music, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    (tmp_path / "empty").mkdir()
    with serving_mpd(tmp_path / "mpd", tmp_path / "empty") as server:
        result = run("radio", server.address, "#1", "--index", music.parent / "index")
    assert result.exit_code == 1
    assert "is empty" in result.stderr


# Which tracks come next, without MPD


@pytest.fixture
def two_kinds(place):
    """An index with 20 tracks of each of two kinds, in this order."""
    kinds = unit_vectors(2)
    vectors = np.repeat(kinds, 20, axis=0) + 0.02 * unit_vectors(40, seed=1) * np.sqrt(128)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    with Index(place, spec=SPEC) as index:
        index.add_all(
            zip(
                (made_track(f"/{n}.mp3", n) for n in range(40)),
                vectors.astype(np.float32),
                strict=True,
            )
        )
        yield index


def in_order(index):
    """Return the tracks ordered by the numbers in their paths."""
    return sorted(index, key=lambda track: int(Path(track.path).stem))


def chosen_kinds(index, n, seeds, **options):
    """Return how many of the next tracks are of each kind."""
    request = PlaylistRequest(seeds=seeds)
    tracks = Continuation(index, request, ModelRequest()).next_tracks(n, preceding=[], **options)
    return Counter(int(Path(track.path).stem) // 20 for track in tracks.tracks)


def test_tracks_to_avoid_and_new_seeds_change_what_comes_next(two_kinds):
    tracks = in_order(two_kinds)
    both = ("/0.mp3", "/20.mp3")
    assert set(chosen_kinds(two_kinds, 10, both)) == {0, 1}
    assert set(chosen_kinds(two_kinds, 10, both, unlike=tracks[1:5])) == {1}
    assert set(chosen_kinds(two_kinds, 10, ("/0.mp3",))) == {0}
    assert chosen_kinds(two_kinds, 10, ("/0.mp3",), liked=tracks[30:35])[1] > 0


@pytest.mark.parametrize("is_drifting", [False, True])
def test_preceding_tracks_count_for_all_rules(two_kinds, is_drifting):
    tracks = in_order(two_kinds)
    request = PlaylistRequest(
        seeds=("/0.mp3",),
        options=PlaylistOptions(drift=is_drifting, diversity=0.2),
        constraints=Constraints(max_per_artist=2, artist_gap=6),
    )
    continuation = Continuation(two_kinds, request, ModelRequest())
    sequence = tracks[1:4]
    for _ in range(8):
        sequence += continuation.next_tracks(3, preceding=sequence).tracks
    names = [track.artist for track in sequence]
    assert len(sequence) == 27
    assert len({track.id for track in sequence}) == 27
    assert max(Counter(names).values()) <= 2
    assert all(len(set(names[n : n + 7])) == len(names[n : n + 7]) for n in range(3, 27))


def test_copies_and_removed_tracks_among_the_preceding_ones(two_kinds):
    tracks = in_order(two_kinds)
    copy = replace(made_track("/copy.mp3", 1), content_hash=tracks[1].content_hash)
    two_kinds.add(copy, two_kinds.vector(tracks[1]))
    request = PlaylistRequest(seeds=("/0.mp3",))
    continuation = Continuation(two_kinds, request, ModelRequest())
    two_kinds.remove([tracks[2]])
    found = continuation.next_tracks(40, preceding=tracks[1:3]).tracks
    assert len(found) == 37
    assert "/copy.mp3" not in {track.path for track in found}


def test_samples_are_not_chosen_unless_the_filters_ask_for_lengths(two_kinds):
    tracks = in_order(two_kinds)
    two_kinds.storage.set_fields((track, {"seconds": 2.0}) for track in tracks[:10])
    assert chosen_kinds(two_kinds, 40, ("/0.mp3",)) == {0: 10, 1: 20}
    request = PlaylistRequest(seeds=("/0.mp3",), filters=Filters(seconds=(Range(max=5.0),)))
    continuation = Continuation(two_kinds, request, ModelRequest())
    assert len(continuation.next_tracks(40, preceding=[]).tracks) == 9
