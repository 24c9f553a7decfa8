"""Recall and memory that `optimize` was asked for. Whitened vectors made later keep to them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from audiosearch import defaults
from audiosearch.errors import OverMemoryLimit
from audiosearch.json_input import parse_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from audiosearch.library.search_benchmark import MeasuredConfig

_SETTING = "search_target"


@dataclass(frozen=True, slots=True)
class SearchTarget:
    """Recall and memory of searches.

    Attributes
    ----------
    recall : float
        Smallest share of the ten nearest tracks that a search must find, in (0, 1].
    max_bytes : int or None
        Limit of the memory that searches keep, for the plain and the whitened vectors together.
        None: no limit.
    """

    recall: float = defaults.TARGET_RECALL
    max_bytes: int | None = None

    @classmethod
    def from_settings(cls, settings: dict[str, str]) -> SearchTarget:
        """Return the target stored in an index's settings; the default if it isn't readable."""
        try:
            target = cls(**parse_json(settings.get(_SETTING, "{}")))
        except (TypeError, ValueError):
            return cls()
        is_recall = isinstance(target.recall, (int, float)) and 0.0 < target.recall <= 1.0
        is_limit = target.max_bytes is None or type(target.max_bytes) is int
        return target if is_recall and is_limit else cls()

    def to_settings(self) -> dict[str, str]:
        """Return the target as a setting, by name."""
        return {_SETTING: json.dumps(asdict(self))}

    def check_memory(
        self, configs: Iterable[MeasuredConfig], n_vectors: int, dimension: int
    ) -> None:
        """Check that vector indexes keep to the memory limit together.

        Raises
        ------
        OverMemoryLimit
            If they need more.
        """
        n_bytes = sum(config.memory_bytes(n_vectors, dimension) for config in configs)
        if self.max_bytes is not None and n_bytes > self.max_bytes:
            raise OverMemoryLimit(
                f"With whitened vectors, searches need {n_bytes / 1e6:.6g} MB, more than the "
                f"{self.max_bytes / 1e6:.6g} MB of the last `optimize --max-memory`.",
                hint="Run `audiosearch optimize --whiten --max-memory 2GB` with enough for both, "
                "or search without --whiten.",
            )
