"""Codes of the keys that rules give to tracks, so that the keys of many tracks are compared fast.

Keys are tuples of texts, which NumPy can't sort or compare quickly. So each key is replaced by its
hash, an integer of 64 bits: its code. Codes don't depend on a playlist, so those of a whole library
are kept for the next one. Two keys have the same code with a probability of less than 1 in 10
million, even in a library of a million tracks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from audiosearch import time_limit
from audiosearch.playlists.kept import kept

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

    from audiosearch.library.index import Index
    from audiosearch.playlists.rules import Rule
    from audiosearch.types import Int64

NO_KEY: Final = 0  # code of a track that a rule ignores

# Share of the library. For larger pools, the codes of all tracks are read and kept.
_MIN_KEPT_SHARE = 0.25
_CODES_PER_CHECK = 10_000  # between two checks of the time limit


def code(key: tuple[Hashable, Hashable]) -> int:
    """Return the code of a key: a number of 64 bits."""
    return hash(key)


class RuleCodes:
    """Codes of the same tracks for several rules.

    Parameters
    ----------
    ids : ndarray of int64, shape (n,), optional
        Default: all tracks.

    Attributes
    ----------
    ids : ndarray of int64, shape (n_stored,)
        Ascending ids of the tracks that exist.
    """

    def __init__(self, ids: Int64 | None = None) -> None:
        self._wanted = None if ids is None else ids.tolist()
        self.ids: Int64 = np.empty(0, dtype=np.int64)
        self._codes: dict[tuple[str, ...], Int64] = {}  # by the fields that a rule depends on

    def of(self, index: Index, rules: Sequence[Rule]) -> list[Int64]:
        """Return the codes for each rule: int64, shape (n_stored,)."""
        missing = {rule.fields: rule for rule in rules if rule.fields not in self._codes}
        if missing and not self._read(index, list(missing.values())):
            self._read(index, rules)
        return [self._codes[rule.fields] for rule in rules]

    def _read(self, index: Index, rules: Sequence[Rule]) -> bool:
        """Add codes for rules. If tracks have changed meanwhile, forget all other codes."""
        names = list(dict.fromkeys(["id", *(name for rule in rules for name in rule.fields)]))
        rows = index.fields(names, self._wanted)
        columns = dict(
            zip(names, zip(*rows, strict=True) if rows else [()] * len(names), strict=True)
        )
        ids = np.array(columns["id"], dtype=np.int64)
        is_unchanged = not self._codes or np.array_equal(ids, self.ids)
        if not is_unchanged:
            self._codes.clear()
        self.ids = ids
        for rule in rules:
            codes = _codes(rule, [columns[name] for name in rule.fields])
            self._codes[rule.fields] = np.fromiter(codes, dtype=np.int64, count=len(rows))
        return is_unchanged


def _codes(rule: Rule, columns: Sequence[Sequence[Any]]) -> Iterator[int]:
    groups: dict[Any, Hashable] = {}
    for number, (value, *more) in enumerate(zip(*columns, strict=True)):
        if number % _CODES_PER_CHECK == 0:
            time_limit.check()
        if value not in groups:
            groups[value] = rule.group(value)
        group, detail = groups[value], rule.detail(*more)
        yield NO_KEY if group == "" or detail == "" else hash((group, detail))


def _codes_of_all(_: Index) -> RuleCodes:
    return RuleCodes()


def read_codes(index: Index, rules: Sequence[Rule], ids: Int64) -> tuple[Int64, list[Int64]]:
    """Return the codes of candidates for each rule about tags.

    The codes of a whole library are kept until its tracks change.

    Returns
    -------
    ids : ndarray of int64, shape (n_candidates,)
        The given ids, in the same order, without those of removed tracks.
    codes : list of ndarray of int64, shape (n_candidates,)
    """
    codes = RuleCodes(ids)
    if len(ids) >= _MIN_KEPT_SHARE * index.n_tracks:
        codes = kept(index, _codes_of_all)
    by_rule = codes.of(index, rules)
    ids = ids[np.isin(ids, codes.ids)]
    rows = np.searchsorted(codes.ids, ids)
    return ids, [values[rows] for values in by_rule]
