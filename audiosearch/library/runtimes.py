"""The runtimes that embedded the tracks of an index, and their precisions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from audiosearch.library.storage import SettingsStorage

#: Setting: the runtimes and precisions, such as "litert f32, openvino bf16".
RUNTIMES: Final = "runtimes"
#: Setting: the same for staged vectors.
PENDING_RUNTIMES: Final = "pending_runtimes"
_SEPARATOR: Final = ", "


def runtimes_of(storage: SettingsStorage, setting: str = RUNTIMES) -> set[str]:
    """Return the runtimes that embedded tracks, each with its precision, such as "openvino bf16".

    Those of imported tracks, and of tracks that an older version added, are unknown.
    """
    return set(filter(None, storage.settings().get(setting, "").split(_SEPARATOR)))


class RuntimeRecord:
    """The runtimes that embed tracks, as one writer of an index records them.

    The settings are read and written only for a runtime that the writer hasn't recorded yet.

    Parameters
    ----------
    setting : str
        `RUNTIMES` or `PENDING_RUNTIMES`.
    """

    def __init__(self, setting: str = RUNTIMES) -> None:
        self._setting = setting
        self._recorded: set[str] = set()

    def add(self, storage: SettingsStorage, runtimes: Iterable[str]) -> None:
        """Record runtimes that have embedded tracks, besides those that are recorded.

        Each text may name several: see `audiosearch.embedding.embedder.Embedding`.
        """
        new = {name for text in runtimes for name in text.split(_SEPARATOR)} - self._recorded
        if new:
            everything = runtimes_of(storage, self._setting) | new
            storage.set_settings({self._setting: _SEPARATOR.join(sorted(everything))})
            self._recorded |= new
