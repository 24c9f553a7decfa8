"""Times at which a watch compares all files with the index."""

from __future__ import annotations

import time

_MANY_EVENTS = 2_000  # between two looks; then the system may have lost some


class ScanSchedule:
    """Decides when a scan is due: at first, when one was requested, and after many events.

    Parameters
    ----------
    poll_seconds : float or None
        Time between the end of a scan and the next one. None: only the other reasons count.
    """

    def __init__(self, poll_seconds: float | None) -> None:
        self._poll_seconds = poll_seconds
        self._is_requested = True
        self._had_many_events = False
        self._scanned_at = 0.0

    def request(self) -> None:
        """Let a scan be due."""
        self._is_requested = True

    def scanned(self) -> None:
        """Tell that a scan is complete."""
        self._is_requested, self._scanned_at = False, time.monotonic()

    def is_due(self, n_events: int, *, is_idle: bool) -> bool:
        """Return whether a scan is due. It stays due until it is complete.

        Parameters
        ----------
        n_events : int
            Number of events of the system since the last call. After many, the system may have lost
            some, so a scan is due once there are fewer again.
        is_idle : bool
            Whether the files of the last scan are done. Before, no poll is due.
        """
        has_many_events = n_events > _MANY_EVENTS
        self._is_requested |= self._had_many_events and not has_many_events
        self._had_many_events = has_many_events
        if self._poll_seconds is not None and is_idle:
            self._is_requested |= time.monotonic() - self._scanned_at >= self._poll_seconds
        return self._is_requested
