"""Objects made from all tracks of an index, kept with the open index until its tracks change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from collections.abc import Callable

    from audiosearch.library.index import Index

T = TypeVar("T")

_kept: WeakKeyDictionary[Index, dict[Callable[[Index], Any], tuple[tuple[int, int], Any]]] = (
    WeakKeyDictionary()
)


def kept(index: Index, make: Callable[[Index], T]) -> T:
    """Return the object that a function makes from an index, made again after tracks change.

    The object must not refer to the index. Otherwise, neither would ever be freed.
    """
    token = index.version_token()
    objects = _kept.setdefault(index, {})
    if make not in objects or objects[make][0] != token:
        objects[make] = token, make(index)
    value: T = objects[make][1]
    return value
