"""Result of adding a file, and the policy on which files to process again."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Status(str, Enum):
    """Outcome of adding a file."""

    ADDED = "added"
    MOVED = "moved"
    RETAGGED = "retagged"  # only its tags have changed, so it was not embedded again
    UNCHANGED = "unchanged"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class AddResult:
    """Result of adding one file.

    Attributes
    ----------
    path : str
    status : Status
    seconds : float
        Length of an added file in seconds; 0 for any other file.
    message : str or None
        Reason why the file failed, or why only part of it was embedded.
    hint : str or None
        Next step for a failed file.
    is_known_failure : bool
        Whether the file failed at an earlier time, hasn't changed, and was not tried again.
    """

    path: str
    status: Status
    seconds: float = 0.0
    message: str | None = None
    hint: str | None = None
    is_known_failure: bool = False


class ReprocessPolicy(Enum):
    """Known files to embed again."""

    CHANGED = "changed"  # only files that changed
    FAILED = "failed"  # also files that failed before
    ALL = "all"
