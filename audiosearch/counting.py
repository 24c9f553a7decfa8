"""Numbers with their nouns, in the singular or plural."""

from __future__ import annotations


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Write a number with its noun. Default for ``plural``: the noun with an s.

    Examples
    --------
    >>> counted(1, "track"), counted(2_000, "track"), counted(0, "track is", "tracks are")
    ('1 track', '2000 tracks', '0 tracks are')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {plural or noun + 's'}"
