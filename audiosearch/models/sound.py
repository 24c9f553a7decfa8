"""A sound that is heard in a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: Name of the class of patches without a sound.
SILENCE: Final = "Silence"


@dataclass(frozen=True, slots=True)
class Sound:
    """A sound that is heard in a file: one of AudioSet's 521 classes.

    Attributes
    ----------
    name : str
        Name of the class, such as "Dog".
    score : float
        Highest score of a patch of the file, in [0, 1].
    mean : float
        Mean score over the patches of the file, in [0, 1].
    at : float
        Start of the patch with the highest score, in seconds.
    """

    name: str
    score: float
    mean: float
    at: float
