"""The map of the served index. It is made once, and again after tracks change."""

from __future__ import annotations

import asyncio
import json
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from blake3 import blake3

from audiosearch.library.index import Index
from audiosearch.soundmap import default_color_field, sound_map
from audiosearch.soundmap.columns import columns_of
from audiosearch.soundmap.content import content

if TYPE_CHECKING:
    from audiosearch.types import StrPath
    from audiosearch.web.services.index_executor import IndexExecutor


@dataclass(frozen=True, slots=True)
class Map:
    """A map as JSON in UTF-8: in one piece, and its parts by name, in a smaller form."""

    json: bytes
    parts: dict[str, bytes]


class Maps:
    """The current map of an index.

    Parameters
    ----------
    location : str or path-like
        Folder or address of the index. It is opened a second time, because a layout takes
        long and requests should not wait for it.
    executor : IndexExecutor
        Tells whether the tracks have changed.
    """

    def __init__(self, location: StrPath, executor: IndexExecutor) -> None:
        self._location = location
        self._executor = executor
        self._version_token: tuple[int, int] | None = None  # of the map that was begun last
        self._making: asyncio.Future[Map] | None = None
        self._share = 0.0

    @property
    def progress(self) -> float | None:
        """Share of the work that is done, 0 to 1; None if no map is being made."""
        is_made = self._making is None or self._making.done()
        return None if is_made else self._share

    async def current(self) -> Map:
        """Return the map of the tracks as they are now.

        Only one map is made at a time. It is also finished if no client waits for it any longer.

        Raises
        ------
        LibraryError
            If the index is empty.
        """
        while True:
            version_token = await self._executor.run(Index.version_token)
            making = self._making
            if making is None or (
                making.done()
                and (making.exception() is not None or version_token != self._version_token)
            ):
                self._version_token = version_token
                self._making = making = self._start()
            is_current = version_token == self._version_token
            result = await asyncio.shield(making)
            if is_current:
                return result

    async def part(self, name: str) -> bytes:
        """Return a part of the map: "points" of the current one, others of the one made last.

        Otherwise the parts would hardly ever match while tracks are being added.
        """
        making = self._making
        is_made = making is not None and making.done() and making.exception() is None
        if making is not None and is_made and name != "points":
            return making.result().parts[name]
        return (await self.current()).parts[name]

    def _start(self) -> asyncio.Future[Map]:
        """Make the map on a daemon thread, so that it can't delay the server's shutdown."""
        future: Future[Map] = Future()
        self._share = 0.0

        def make() -> None:
            try:
                future.set_result(self._make())
            except BaseException as exc:  # noqa: BLE001  (raised again where the result is read)
                future.set_exception(exc)

        threading.Thread(target=make, name="map", daemon=True).start()
        return asyncio.wrap_future(future)

    def _make(self) -> Map:
        with Index(self._location) as index:
            result = sound_map(index, on_progress=self._set_share)
        whole = json.dumps(content(result)).encode()
        version = {"version": blake3(whole).hexdigest(length=8)}
        parts = columns_of(result, color_by=default_color_field(result))
        small = {name: _json(version | part) for name, part in parts.items()}
        return Map(whole, small)

    def _set_share(self, share: float) -> None:
        self._share = share


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
