"""Events of a player's queue, such as skips, found by comparing snapshots of it.

Nothing here talks to a player, so it is tested with made-up snapshots.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

SKIP_SECONDS = 30.0  # a track that is left before is skipped ...
SKIP_SHARE = 0.3  # ... or before this share of it was played, whichever is less
_MIN_SKIP_SECONDS = 0.3  # nobody has heard a track that is left before


@dataclass(frozen=True, slots=True)
class QueueItem:
    """A song in the queue.

    Attributes
    ----------
    song_id : int
        The player's id of the place in the queue. The same song may be there twice.
    uri : str
        The player's name of the song.
    seconds : float
        Duration; 0 if it is unknown.
    """

    song_id: int
    uri: str
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A player at one moment.

    Attributes
    ----------
    at : float
        Time, in seconds since any moment.
    queue : tuple of QueueItem
    state : str
        "play", "pause" or "stop".
    current_id : int or None
        ``song_id`` of the current song.
    elapsed : float
        Position in the current song, in seconds.
    is_decoded : bool
        Whether audio of the current song is there. It isn't if the song can't be played.
    is_random : bool
        Whether the player chooses the next song from the queue at random.
    has_next : bool
        Whether a song comes after the current one.
    """

    at: float
    queue: tuple[QueueItem, ...]
    state: str = "stop"
    current_id: int | None = None
    elapsed: float = 0.0
    is_decoded: bool = True
    is_random: bool = False
    has_next: bool = True

    @property
    def position(self) -> int | None:
        """Position of the current song in the queue; None if there is none."""
        ids = [item.song_id for item in self.queue]
        return ids.index(self.current_id) if self.current_id in ids else None

    @property
    def current(self) -> QueueItem | None:
        """The current song."""
        return None if self.position is None else self.queue[self.position]

    @property
    def uris(self) -> list[str]:
        """Names of the songs in the queue, without repetition."""
        return list(dict.fromkeys(item.uri for item in self.queue))


class EventKind(Enum):
    """Kind of something that happened to a song."""

    STARTED = "started to play"
    SKIPPED = "was left soon after it had started"
    ADDED = "was added to the queue by somebody else"
    REMOVED = "was removed from the queue before it was played"


Event = tuple[EventKind, str]  # and the player's name of the song


class QueueObserver:
    """Finds the events between a snapshot of a player and the next one."""

    def __init__(self) -> None:
        self._before: Snapshot | None = None
        self._enqueued: set[str] = set()
        self._started: set[int] = set()  # ids in the queue

    def enqueued(self, uris: list[str]) -> None:
        """Tell which songs were added to the queue by this program."""
        self._enqueued.update(uris)

    def reconnected(self) -> None:
        """Compare the next snapshot with nothing: the player may have been started again."""
        self._before = None
        self._started.clear()

    def observe(self, now: Snapshot) -> list[Event]:
        """Return what has happened since the last snapshot, in a likely order."""
        before, self._before = self._before, now
        events: list[Event] = []
        if before is not None:
            is_back = now.current_id in self._former_ids(before)
            if not is_back and _is_skip(before, now) and before.current is not None:
                events.append((EventKind.SKIPPED, before.current.uri))
            kept = self._started.union(item.song_id for item in now.queue)
            events += [
                (EventKind.REMOVED, item.uri) for item in before.queue if item.song_id not in kept
            ]
            known = self._enqueued.union(before.uris)
            events += [(EventKind.ADDED, uri) for uri in now.uris if uri not in known]
        current = now.current
        if current is not None and now.state == "play" and current.song_id not in self._started:
            self._started.add(current.song_id)
            events.append((EventKind.STARTED, current.uri))
        self._enqueued.clear()
        return events

    def _former_ids(self, snapshot: Snapshot) -> set[int]:
        """Return the ids of songs that were played before the current one."""
        if snapshot.is_random or snapshot.position is None:
            return self._started
        return {item.song_id for item in snapshot.queue[: snapshot.position]}


def n_ahead(now: Snapshot, is_played: set[str]) -> int:
    """Return the number of songs that come after the current one.

    Parameters
    ----------
    now : Snapshot
    is_played : set of str
        Names of songs that were played. They don't count if there is no current song, or the next
        one is chosen at random.
    """
    if now.position is not None and not now.is_random:
        return len(now.queue) - now.position - 1
    if now.position is not None and not now.has_next:
        return 0
    return sum(item.uri not in is_played and item.song_id != now.current_id for item in now.queue)


def _is_skip(before: Snapshot, now: Snapshot) -> bool:
    """Return whether the listener left the current song soon for another one.

    Stopping, clearing the queue, and a song that can't be played are no skips.
    """
    left = before.current
    if left is None or before.state == "stop" or not before.is_decoded:
        return False
    if now.current_id is None or now.current_id == before.current_id:
        return False
    elapsed = before.elapsed + (now.at - before.at if before.state == "play" else 0.0)
    limit = min(SKIP_SECONDS, SKIP_SHARE * left.seconds) if left.seconds else SKIP_SECONDS
    return _MIN_SKIP_SECONDS <= elapsed < limit
