"""SQL conditions that a column has one of many values."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence, Sized

T = TypeVar("T")

_MAX_VARIABLES = 500  # values in one SQL statement; SQLite limits their number


def one_of(column: str, values: Sized) -> str:
    """Return the condition that a column has one of several values, to be passed as parameters.

    Examples
    --------
    >>> one_of("id", [7, 8])
    'id IN (?, ?)'
    """
    return f"{column} IN ({', '.join('?' * len(values))})"


def batches(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield values in batches that fit into one SQL statement."""
    for start in range(0, len(values), _MAX_VARIABLES):
        yield values[start : start + _MAX_VARIABLES]
