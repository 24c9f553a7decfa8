"""The map of the served index. It is made once, and again after tracks change."""

from __future__ import annotations

import asyncio
import json
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING

from audiosearch.counting import counted
from audiosearch.library.index import Index
from audiosearch.soundmap import default_color_field, sound_map
from audiosearch.soundmap.page import content, page_of

if TYPE_CHECKING:
    from audiosearch.types import StrPath
    from audiosearch.web.index_executor import IndexExecutor


@dataclass(frozen=True, slots=True)
class Map:
    """A map as JSON and as an HTML page, both UTF-8."""

    json: bytes
    page: bytes


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
        self._lock = asyncio.Lock()  # concurrent requests wait for the same layout
        self._version_token: tuple[int, int] | None = None
        self._map: Map | None = None

    async def current(self) -> Map:
        """Return the map.

        Raises
        ------
        LibraryError
            If the index is empty.
        """
        async with self._lock:
            version_token = await self._executor.run(Index.version_token)
            if self._map is None or version_token != self._version_token:
                self._map = await asyncio.wrap_future(self._start())
                self._version_token = version_token
            return self._map

    def _start(self) -> Future[Map]:
        """Make the map on a daemon thread, so that it can't delay the server's shutdown."""
        future: Future[Map] = Future()

        def make() -> None:
            try:
                future.set_result(self._make())
            except BaseException as exc:  # noqa: BLE001  (raised again where the result is read)
                future.set_exception(exc)

        threading.Thread(target=make, name="map", daemon=True).start()
        return future

    def _make(self) -> Map:
        with Index(self._location) as index:
            result = sound_map(index)
        data = content(result)
        title = f"{counted(len(result.tracks), 'track')} by how they sound"
        page = page_of(data, title=title, color_by=default_color_field(result))
        return Map(json.dumps(data).encode(), page.encode())
