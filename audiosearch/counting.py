"""Numbers with their nouns, in the singular or plural."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """Write a number with its noun.

    Examples
    --------
    >>> counted(1, "track"), counted(2_000, "track")
    ('1 track', '2000 tracks')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
