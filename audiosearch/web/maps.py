"""The map, made once for all who look at it, and anew when the tracks are others."""

from __future__ import annotations

import asyncio
import json
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING

from audiosearch.library.index import Index
from audiosearch.soundmap import default_color_field, sound_map
from audiosearch.soundmap.page import content, page_of

if TYPE_CHECKING:
    from audiosearch.types import StrPath
    from audiosearch.web.index_executor import IndexExecutor


@dataclass(frozen=True, slots=True)
class Map:
    """A map as it is sent: as JSON, and as a page."""

    json: bytes
    page: bytes


class Maps:
    """The map of an index, as it is now.

    Parameters
    ----------
    location : str or path-like
        Opened besides, for a layout takes long, and questions are not to wait for it.
    library : IndexExecutor
        Knows when the tracks are others.
    """

    def __init__(self, location: StrPath, library: IndexExecutor) -> None:
        self._location = location
        self._library = library
        self._lock = asyncio.Lock()  # who asks while it is made waits for the same
        self._stamp: tuple[int, int] | None = None
        self._map: Map | None = None

    async def current(self) -> Map:
        """Return the map.

        Raises
        ------
        LibraryError
            Where the index is empty.
        """
        async with self._lock:
            stamp = await self._library.ask(Index.version_token)
            if self._map is None or stamp != self._stamp:
                self._map = await asyncio.wrap_future(self._making())
                self._stamp = stamp
            return self._map

    def _making(self) -> Future[Map]:
        """Make the map on a thread that the server's end does not wait for."""
        future: Future[Map] = Future()

        def make() -> None:
            try:
                future.set_result(self._made())
            except BaseException as exc:
                future.set_exception(exc)
                raise

        threading.Thread(target=make, name="map", daemon=True).start()
        return future

    def _made(self) -> Map:
        with Index(self._location) as index:
            found = sound_map(index)
        data = content(found)
        title = f"{len(found.tracks)} tracks by how they sound"
        page = page_of(data, title=title, color_by=default_color_field(found))
        return Map(json.dumps(data).encode(), page.encode())
