"""The year in a date tag."""

from __future__ import annotations

import re

_YEARS = range(1000, 3000)
_LIKELY_YEARS = range(1900, 2100)
_DIGITS = re.compile(r"\d+")


def parse_year(value: object) -> int | None:
    """Return the first year from 1000 to 2999 in a date of any form; None if there is none.

    Parameters
    ----------
    value : object
        Text of a tag, or a number.

    Examples
    --------
    >>> parse_year("2004-05-00"), parse_year("21.05.1997"), parse_year("c. 1990")
    (2004, 1997, 1990)
    >>> parse_year("19970521"), parse_year("0000"), parse_year("'97")
    (1997, None, None)
    """
    runs = _DIGITS.findall("" if value is None else str(value))
    return next((year for run in runs if (year := _year_of(run)) is not None), None)


def _year_of(digits: str) -> int | None:
    """Return the year in a group of digits: YYYY, YYYYMM, YYYYMMDD (and a time), DDMMYYYY."""
    first, last = int(digits[:4]), int(digits[-4:])
    if len(digits) == 4:
        return first if first in _YEARS else None
    if len(digits) == 6:
        return first if first in _LIKELY_YEARS and int(digits[4:]) in range(1, 13) else None
    has_date = len(digits) in (8, 12, 14) and int(digits[4:6]) <= 12 and int(digits[6:8]) <= 31
    if has_date and first in _YEARS:
        return first
    if len(digits) == 8 and first in _LIKELY_YEARS and last not in _LIKELY_YEARS:
        return first
    return last if len(digits) == 8 and last in _YEARS else None
