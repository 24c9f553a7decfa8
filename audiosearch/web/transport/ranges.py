"""Range headers, by which players request a part of a file."""

from __future__ import annotations

import re

from audiosearch.web.errors import RequestError

_RANGE = re.compile(r"bytes=(?:([0-9]+)-([0-9]*)|-([0-9]+))")
_MAX_DIGITS = 19  # of a position in a file


def requested_part(text: str, size: int) -> range | None:
    """Return the positions of the bytes that a Range header requests; None to ignore the header.

    Only a valid single range is honored, as RFC 9110, section 14.2 allows.

    Parameters
    ----------
    text : str
        Value of the header.
    size : int
        Bytes in the file.

    Raises
    ------
    RequestError
        If the range is outside the file.

    Examples
    --------
    >>> requested_part("bytes=2-5", 10), requested_part("bytes=-3", 10)
    (range(2, 6), range(7, 10))
    >>> requested_part("bytes=5-2", 10) is None
    True
    """
    match = _RANGE.fullmatch(text)
    if match is None:
        return None
    if any(len(digits or "") > _MAX_DIGITS for digits in match.groups()):
        raise _outside(size)
    first, last, n_last = (int(digits) if digits else None for digits in match.groups())
    if n_last is not None:
        part = range(max(0, size - n_last), size)
    elif last is not None and last < (first or 0):
        return None
    else:
        part = range(first or 0, size if last is None else min(last + 1, size))
    if not part:
        raise _outside(size)
    return part


def _outside(size: int) -> RequestError:
    sentence, hint = "The range is outside the file.", "Request a part of it, or the whole file."
    return RequestError(416, sentence, hint, headers={"Content-Range": f"bytes */{size}"})
