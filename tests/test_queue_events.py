"""Events that the radio finds in a queue, and the plays that it remembers: without a player."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from audiosearch.errors import PlayerError
from audiosearch.players.mpd.played import Play, Played, only_radio, played_file
from audiosearch.players.mpd.queue_events import (
    EventKind,
    QueueItem,
    QueueObserver,
    Snapshot,
    n_ahead,
)

ADDED, REMOVED = EventKind.ADDED, EventKind.REMOVED
SKIPPED, STARTED = EventKind.SKIPPED, EventKind.STARTED


def queue(*uris, first_id=1, seconds=100.0):
    return tuple(QueueItem(n, uri, seconds) for n, uri in enumerate(uris, first_id))


def shot(items, current=None, *, at=0.0, elapsed=0.0, state="play"):
    """Return a snapshot, given the id of the current song."""
    return Snapshot(at, items, state, current, elapsed)


def at_random(snapshot, *, has_next=True):
    return replace(snapshot, is_random=True, has_next=has_next)


def events(*snapshots):
    """Return what the last of some snapshots shows."""
    observer = QueueObserver()
    return [observer.observe(snapshot) for snapshot in snapshots][-1]


ABC = queue("a", "b", "c")


@pytest.mark.parametrize(
    ("seconds", "left_at", "is_skip"),
    [
        pytest.param(300.0, 29.0, True, id="before 30 seconds"),
        pytest.param(300.0, 31.0, False, id="after 30 seconds"),
        pytest.param(50.0, 14.0, True, id="before 30 % of a short song"),
        pytest.param(50.0, 16.0, False, id="after 30 % of a short song"),
        pytest.param(0.0, 29.0, True, id="unknown length, before 30 seconds"),
        pytest.param(0.0, 31.0, False, id="unknown length, after 30 seconds"),
    ],
)
@pytest.mark.parametrize("seen_at", [0.0, 10.0])
def test_a_song_left_early_is_skipped(seconds, left_at, is_skip, seen_at):
    items = queue("a", "b", seconds=seconds)
    before = shot(items, 1, at=seen_at, elapsed=seen_at)
    found = events(before, shot(items, 2, at=left_at))
    assert found == ([(SKIPPED, "a")] if is_skip else []) + [(STARTED, "b")]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(shot(ABC, 2), shot(ABC, 1, at=1), id="going back"),
        pytest.param(shot(ABC, 1), shot(ABC, 1, state="stop", at=1), id="stopping"),
        pytest.param(shot(ABC, 1), shot((), state="stop", at=1), id="clearing the queue"),
        pytest.param(shot(ABC, 1), shot(ABC, None, state="stop", at=1), id="the queue ends"),
        pytest.param(shot(ABC, 1, state="stop"), shot(ABC, 2, at=1), id="playing another one"),
        pytest.param(shot(ABC, 1), shot(ABC, 2, at=0.1), id="next before it is heard"),
        pytest.param(
            replace(shot(ABC, 1), is_decoded=False), shot(ABC, 2, at=5), id="a broken file"
        ),
        pytest.param(shot(ABC, 1), shot(ABC, 1, elapsed=90), id="seeking"),
        pytest.param(shot(ABC), shot(ABC, 1), id="starting"),
    ],
)
def test_what_is_no_skip(before, after):
    assert SKIPPED not in {kind for kind, _ in events(before, after)}


def test_at_random_only_a_song_played_before_is_going_back():
    shots = [at_random(shot(ABC, current, at=at)) for at, current in enumerate((3, 1, 3))]
    assert (SKIPPED, "c") in events(*shots[:2])
    assert SKIPPED not in {kind for kind, _ in events(*shots)}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(shot(ABC, 1), shot(ABC, 2, at=1), id="next"),
        pytest.param(shot(ABC, 1), shot(ABC, 3, at=1), id="a later song"),
        pytest.param(
            shot(ABC, 1, state="pause", elapsed=5), shot(ABC, 2, at=900), id="next while paused"
        ),
        pytest.param(shot(ABC, 1), shot(ABC[1:], 2, at=1), id="next in consume mode, or removed"),
    ],
)
def test_what_is_a_skip(before, after):
    assert (SKIPPED, "a") in events(before, after)


def test_a_song_starts_once_however_often_it_is_seen():
    paused = shot(ABC, 1, state="pause")
    seen = QueueObserver()
    found = [seen.observe(s) for s in (paused, shot(ABC, 1), paused, shot(ABC, 1), shot(ABC, 1))]
    assert found == [[], [(STARTED, "a")], [], [], []]


def test_songs_of_the_first_queue_and_our_own_are_not_added_by_hand():
    observer = QueueObserver()
    observer.observe(shot(ABC, 1))
    observer.enqueued(["d"])
    assert observer.observe(shot(queue("a", "b", "c", "d"), 1)) == []
    assert observer.observe(shot(queue("a", "x", "c", "d", "x"), 1)) == [(ADDED, "x")]


def test_a_song_that_was_ours_before_can_be_added_by_hand_later():
    observer = QueueObserver()
    observer.observe(shot(ABC, 1))
    observer.enqueued(["d"])
    observer.observe(shot(queue("a", "d"), 1))
    observer.observe(shot(queue("a"), 1))
    assert (ADDED, "d") in observer.observe(shot(queue("a", "d"), 1))


def test_songs_taken_out_before_they_played_are_removed():
    found = events(shot(ABC, 1), shot((ABC[0],), 1))
    assert found == [(REMOVED, "b"), (REMOVED, "c")]


def test_played_songs_that_leave_in_consume_mode_are_not_removed():
    assert events(shot(ABC, 1), shot(ABC[1:], 2, at=99)) == [(STARTED, "b")]


def test_a_server_started_again_skips_and_adds_nothing():
    observer = QueueObserver()
    observer.observe(shot(ABC, 2))
    observer.reconnected()
    assert observer.observe(shot(queue("x", "b", "c", first_id=1), 1)) == [(STARTED, "x")]


@pytest.mark.parametrize(
    ("snapshot", "is_played", "expected"),
    [
        pytest.param(shot(ABC, 1), set(), 2, id="after the current one"),
        pytest.param(shot(ABC, 3), set(), 0, id="the last one"),
        pytest.param(shot((), state="stop"), set(), 0, id="empty"),
        pytest.param(shot(ABC, state="stop"), set(), 3, id="not started"),
        pytest.param(shot(ABC, state="stop"), {"a", "b", "c"}, 0, id="played to the end"),
        pytest.param(at_random(shot(ABC, 3)), {"c"}, 2, id="the last place, at random"),
        pytest.param(at_random(shot(ABC, 1)), {"a", "c"}, 1, id="one left, at random"),
        pytest.param(at_random(shot(ABC, 1), has_next=False), {"a"}, 0, id="end, at random"),
    ],
)
def test_songs_ahead(snapshot, is_played, expected):
    assert n_ahead(snapshot, is_played) == expected


# Memory


def test_plays_are_remembered_after_a_restart(tmp_path):
    file = tmp_path / "played.jsonl"
    played = Played(file)
    for play in (Play(10.0, "/a"), Play(20.0, "/\udcff"), Play(30.0, "/a", is_skipped=True)):
        played.add(play)
    again = Played(file)
    assert again.since(0.0) == [Play(20.0, "/\udcff"), Play(30.0, "/a", is_skipped=True)]
    assert again.since(25.0) == [Play(30.0, "/a", is_skipped=True)]


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(b'{"at": 5, "pa', id="cut off"),
        pytest.param(b"\xff\0", id="no text"),
        pytest.param(b"[1]\n17\nnull\n", id="other JSON"),
        pytest.param(b"[" * 100_000, id="deep JSON"),
        pytest.param(b'{"at": "x", "path": 1, "is_skipped": 2}', id="other values"),
    ],
)
def test_damaged_lines_are_left_out(tmp_path, damage):
    file = tmp_path / "played.jsonl"
    Played(file).add(Play(10.0, "/a"))
    with file.open("ab") as lines:
        lines.write(damage)
    Played(file).add(Play(20.0, "/b"))
    assert Played(file).since(0.0) == [Play(10.0, "/a"), Play(20.0, "/b")]


def test_plays_from_when_the_clock_was_ahead_do_not_count(tmp_path):
    now = time.time()
    played = Played(tmp_path / "played.jsonl")
    for play in (Play(now + 3e8, "/ahead"), Play(now - 5, "/now"), Play(now - 3e8, "/behind")):
        played.add(play)
    assert played.since(now - 3_600) == [Play(now - 5, "/now")]


def test_a_long_memory_forgets_its_first_half(tmp_path, monkeypatch):
    monkeypatch.setattr("audiosearch.players.mpd.played._MAX_LINES", 10)
    file = tmp_path / "played.jsonl"
    played = Played(file)
    for number in range(11):
        played.add(Play(float(number), f"/{number}"))
    assert [play.path for play in Played(file).since(0.0)] == ["/6", "/7", "/8", "/9", "/10"]
    assert len(file.read_text().splitlines()) == 5


def test_a_memory_that_cannot_be_written_is_an_error_in_a_sentence(tmp_path):
    (tmp_path / "file").touch()
    file = tmp_path / "file" / "played.jsonl"
    with pytest.raises(PlayerError, match="Can't remember"), only_radio(file, "mpd://a"):
        pytest.fail("it can be used")
    with pytest.raises(PlayerError, match="Can't remember"):
        Played(file)


def test_only_one_radio_uses_a_memory_at_a_time(tmp_path):
    file = tmp_path / "new" / "folder" / "played.jsonl"
    with only_radio(file, "mpd://a"):
        Played(file).add(Play(1.0, "/a"))
        with pytest.raises(PlayerError, match="Another radio"), only_radio(file, "mpd://a"):
            pytest.fail("it can be used")
    with only_radio(file, "mpd://a"):
        assert Played(file).since(0.0) == [Play(1.0, "/a")]


def test_each_player_has_a_memory_of_its_own(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    files = {played_file(address) for address in ("mpd://a", "mpd://b", "mpd://a:6600")}
    assert len(files) == 3
    assert {file.parent for file in files} == {tmp_path / "audiosearch"}
