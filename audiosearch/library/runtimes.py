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


def runtimes_of(storage: SettingsStorage, setting: str = RUNTIMES) -> set[str]:
    """Return the runtimes that embedded tracks, each with its precision, such as "openvino bf16".

    Those of imported tracks, and of tracks that an older version added, are unknown.
    """
    return set(filter(None, storage.settings().get(setting, "").split(", ")))


def add_runtimes(
    storage: SettingsStorage, runtimes: Iterable[str], setting: str = RUNTIMES
) -> None:
    """Record the runtimes that have embedded tracks, besides those that are recorded."""
    recorded = runtimes_of(storage, setting)
    if not recorded.issuperset(runtimes := set(runtimes)):
        storage.set_settings({setting: ", ".join(sorted(recorded | runtimes))})
