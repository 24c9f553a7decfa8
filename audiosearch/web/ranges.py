"""Range headers, by which players request a part of a file."""

from __future__ import annotations

import re

from audiosearch.web.security import RequestError

_RANGE = re.compile(r"bytes=(?:(\d+)-(\d*)|-(\d+))")
_MAX_DIGITS = 19  # of a position in a file


def is_range(text: str, size: int | None) -> bool:
    """Return whether a Range header is a valid single range.

    Others are to be ignored, as RFC 9110, section 14.2 requires.

    Parameters
    ----------
    text : str
        Value of the header.
    size : int or None
        Bytes in the file. None: it is not known to be the file that the range is for.

    Raises
    ------
    RequestError
        If the range is outside the file, or outside of any file.
    """
    match = _RANGE.fullmatch(text)
    if match is None:
        return False
    if any(len(digits or "") > _MAX_DIGITS for digits in match.groups()):
        raise _outside(size)
    first, last, n_last = (int(digits) if digits else None for digits in match.groups())
    if first is not None and last is not None and first > last:
        return False
    if size is not None and (size == 0 or n_last == 0 or (first or 0) >= size):
        raise _outside(size)
    return True


def _outside(size: int | None) -> RequestError:
    headers = {} if size is None else {"Content-Range": f"bytes */{size}"}
    sentence, hint = "The range is outside the file.", "Request a part of it, or the whole file."
    return RequestError(416, sentence, hint, headers=headers)
