"""Results of the checks of an index."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class State(str, Enum):
    """Severity of a finding."""

    OK = "ok"
    WARNING = "warning"  # searches work, but not everything does
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """Result of one check.

    Attributes
    ----------
    check : {"database", "vectors", "search file", "files", "model", "sounds", "moments"}
    state : State
    detail : str
        One sentence or phrase. It doesn't contain the name of the check.
    """

    check: str
    state: State
    detail: str
