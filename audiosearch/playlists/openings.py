"""Candidates that pass the rules about tags, kept up to date while a playlist grows.

A playlist may have to pass over most tracks of an index before each of its tracks: with an artist
gap of 1,000, all tracks by the artists of the last 1,000 tracks. Trying them one by one takes a
minute. But adding a track changes little: it blocks its own artist, title and so on, and allows the
one artist whose gap is over. So the candidates are sorted by their artists (and other keys, see
`audiosearch.playlists.rules`) once. After each added track, only the candidates that have a changed
key are looked up, by bisection, and marked as passing or not. The best candidate is then the one
with the largest score among those that pass, which NumPy finds at once.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from audiosearch.playlists.rule_codes import NO_KEY, code, read_codes
from audiosearch.playlists.rules import EXCLUDED, NOT_AVAILABLE, SAME_RECORDING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from audiosearch.library.index import Index
    from audiosearch.playlists.builder import PlaylistBuilder
    from audiosearch.playlists.rules import KeyChange
    from audiosearch.types import Bool, Int64


_CANDIDATES_PER_ARTIST = 16  # that are looked through, for each candidate that is read


class _Positions:
    """Positions of the candidates by code."""

    def __init__(self, codes: Int64) -> None:
        self.codes = codes
        self._order = np.argsort(codes, kind="stable")
        self._sorted = codes[self._order]

    def of(self, value: int) -> Int64:
        """Return the positions of the candidates with a code, ascending."""
        start, end = (np.searchsorted(self._sorted, value, side) for side in ("left", "right"))
        return self._order[start:end]

    def count(self, most: int) -> int:
        """Return the number of candidates if only ``most`` with the same code count."""
        starts = np.flatnonzero(np.diff(self._sorted, prepend=self._sorted[:1] - 1))
        counts = np.diff(starts, append=len(self._sorted))
        limited = np.where(self._sorted[starts] == NO_KEY, counts, np.minimum(counts, most))
        return int(limited.sum())


class Openings:
    """Which candidates may be added to a playlist.

    Parameters
    ----------
    index : Index
    builder : PlaylistBuilder
    ids : ndarray of int64, shape (n,)

    Attributes
    ----------
    ids : ndarray of int64, shape (n_candidates,)
        The given ids, in the same order, without those of removed tracks.
    is_passing : ndarray of bool, shape (n_candidates,)
        Whether a candidate breaks none of the rules about tags.
    """

    def __init__(self, index: Index, builder: PlaylistBuilder, ids: Int64) -> None:
        self._builder, self._rules = builder, builder.rules.rules
        special = (NOT_AVAILABLE, EXCLUDED, SAME_RECORDING)
        numbers = [n for n, rule in enumerate(self._rules) if rule.name not in special]
        self.ids, codes = read_codes(index, [self._rules[n] for n in numbers], ids)
        self._by_code = {n: _Positions(values) for n, values in zip(numbers, codes, strict=True)}
        self._is_broken = np.zeros((len(self._rules), len(self.ids)), dtype=bool)
        self._limits = [n for n, rule in enumerate(self._rules) if rule.is_limit]
        # A candidate is closed once it is chosen, or breaks a rule for good when its turn comes.
        self._is_open = np.ones(len(self.ids), dtype=bool)
        self._is_noted = np.zeros(len(self.ids), dtype=bool)  # its broken rule is remembered
        self.is_passing: Bool = np.ones(len(self.ids), dtype=bool)
        self._penalties = np.zeros(len(self.ids), dtype=np.float32)  # -inf if it doesn't pass
        self._masked: Any = None  # scores with penalties
        blocked = builder.blocked_keys()
        taken: list[Any] = [key[0] for n, key, _ in blocked if self._rules[n].name == NOT_AVAILABLE]
        self.close(np.isin(self.ids, taken))
        self._exclude(index)
        self._change(blocked)

    def _exclude(self, index: Index) -> None:
        """Break the rule about excluded tracks, which has nothing to do with tags."""
        for number, rule in enumerate(self._rules):
            if rule.name == EXCLUDED:
                paths = index.fields(["id", "path"], self.ids.tolist())
                excluded = [i for i, path in paths if rule.group(path)]
                is_excluded = np.isin(self.ids, excluded)
                self._is_broken[number] = is_excluded
                self.is_passing &= ~is_excluded
                self._penalties[is_excluded] = -np.inf

    def close(self, positions: int | Bool) -> None:
        """Close candidates for good: they are chosen, or can't be."""
        self._is_open[positions] = self.is_passing[positions] = False
        self._penalties[positions] = -np.inf

    def update(self) -> None:
        """Take over the changes that the last added track has made to the builder."""
        self._change(self._builder.changes)

    def _change(self, changes: Iterable[KeyChange]) -> None:
        for number, key, is_blocked in changes:
            if number not in self._by_code:
                continue
            positions = self._by_code[number].of(code(key))
            self._is_broken[number, positions] = is_blocked
            self._is_noted[positions] = False
            is_passing = self._is_open[positions] & ~self._is_broken[:, positions].any(axis=0)
            self.is_passing[positions] = is_passing
            self._penalties[positions] = np.where(is_passing, 0.0, -np.inf)

    def best(self, scores: Any) -> int | None:
        """Return the position of the passing candidate with the largest score; None if none passes.

        Parameters
        ----------
        scores : ndarray of float, shape (n_candidates,)
        """
        if self._masked is None or self._masked.dtype != scores.dtype:
            self._masked = np.empty_like(scores)  # a new array for each choice would be slow
        np.add(scores, self._penalties, out=self._masked)
        best = int(np.argmax(self._masked)) if len(scores) else 0
        return best if self.is_passing[best : best + 1].any() else None

    def max_tracks(self, wanted: int) -> int:
        """Return a number of tracks that the playlist can't exceed, because of the limits.

        Parameters
        ----------
        wanted : int
            Number of tracks to add. The result is only useful if it is smaller.
        """
        bounds = [wanted]
        for number, by_code in self._by_code.items():
            rule = self._rules[number]
            if number == self._builder.rules.gap:
                most = math.ceil(wanted / (self._builder.rules.constraints.artist_gap + 1))
            else:
                most = rule.most
            bounds.append(by_code.count(most))
        return min(bounds)

    def next_best(self, scores: Any, n: int) -> list[int]:
        """Return about n candidates that are likely to be chosen next, given their scores.

        If there is a limit on artists, they are by different artists.
        """
        passing = np.flatnonzero(self.is_passing)
        best = passing[_largest(scores[passing], n * _CANDIDATES_PER_ARTIST)]
        for number, by_code in self._by_code.items():
            if self._rules[number].fields == ("artist",):
                codes = by_code.codes[best]
                is_alone = codes == NO_KEY
                is_alone[np.unique(codes, return_index=True)[1]] = True
                best = best[is_alone]
        return [int(position) for position in best[:n]]

    def note_passed_over(self, scores: Any, best: int | None) -> None:
        """Remember the broken rules of the candidates that score better than the chosen one.

        Parameters
        ----------
        scores : ndarray of float, shape (n_candidates,)
        best : int or None
            Position of the chosen candidate. If None, all candidates are passed over.
        """
        is_pending = self._is_open & ~(self.is_passing | self._is_noted)
        if best is not None:
            is_pending &= scores >= scores[best]
        positions = np.flatnonzero(is_pending)
        if best is not None:
            positions = positions[(scores[positions] > scores[best]) | (positions < best)]
        if not len(positions):
            return
        positions = positions[np.argsort(-scores[positions], kind="stable")]
        broken = self._is_broken[:, positions]
        names = [self._rules[number].name for number in np.argmax(broken, axis=0).tolist()]
        self._builder.remember_rejections(
            dict(zip(self.ids[positions].tolist(), names, strict=True))
        )
        self._is_noted[positions] = True
        # The artist gap ends. Limits, and other rules, are broken for good.
        gap = self._builder.rules.gap
        is_closed = np.ones(len(positions), dtype=bool)
        if gap is not None:
            is_closed = ~broken[gap] | broken[self._limits].any(axis=0)
        self._is_open[positions[is_closed]] = False


def _largest(values: Any, n: int) -> Int64:
    """Return the positions of the n largest values, the largest first."""
    positions = np.argpartition(values, -n)[-n:] if n < len(values) else np.arange(len(values))
    return positions[np.argsort(-values[positions], kind="stable")]
