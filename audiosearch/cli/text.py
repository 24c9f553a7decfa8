"""Text for people: counts, durations, safe characters."""

from __future__ import annotations

from audiosearch.counting import counted

__all__ = ["clock", "counted", "printable"]


def clock(seconds: float) -> str:
    """Write a duration as music players do.

    Examples
    --------
    >>> clock(3.4), clock(225), clock(3_725)
    ('0:03', '3:45', '1:02:05')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def printable(text: str) -> str:
    r"""Escape the characters that a terminal can't show or would act on.

    Examples
    --------
    >>> print(printable("a" + chr(9) + "b"))
    a\tb
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
