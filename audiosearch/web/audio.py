"""A track's sound, as a browser can play it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING

from audiosearch.atomic import remove_drafts
from audiosearch.errors import AudioError, TrackNotFound
from audiosearch.paths import is_url

if TYPE_CHECKING:
    from audiosearch.library.index import Track

#: What browsers play as it is, by codec: the media type.
PLAYABLE = {
    "mp3": "audio/mpeg",
    "flac": "audio/flac",
    "vorbis": "audio/ogg",
    "opus": "audio/ogg",
    "wav": "audio/wav",
    "aac": "audio/mp4",
}
_CONTAINERS = {".mp3", ".flac", ".ogg", ".oga", ".opus", ".wav", ".m4a", ".mp4"}
_TRANSCODED = "audio/mpeg"
_MOST_KEPT = 8
_SECONDS = 120.0  # that making one may take

_Key = tuple[int, int]  # a track's id, and the time of its file's last change


class Audio:
    """Tracks' files, or copies of those that browsers do not play, made as mp3 when asked for.

    Parameters
    ----------
    folder : Path
        Where copies are kept, the last eight of them.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._copies: OrderedDict[_Key, Path] = OrderedDict()
        self._failed: set[_Key] = set()
        # One copy at a time is made: several would only wait for each other's cores.
        self._turn = asyncio.Lock()
        self._making: asyncio.subprocess.Process | None = None

    async def playable(self, track: Track) -> tuple[Path, str]:
        """Return a file that can be played, and its media type.

        Raises
        ------
        TrackNotFound
            Where the track's file is gone.
        AudioError
            Where it cannot be decoded any more.
        """
        if is_url(track.path):
            raise TrackNotFound(
                f"Track #{track.id} is behind a URL, and is not played from here.",
                hint="Open the URL itself.",
            )
        path = Path(track.path)
        if not os.path.isfile(path):
            raise TrackNotFound(
                f"The file of track #{track.id} is not there any more.",
                hint="`audiosearch prune` forgets such tracks, `relocate` finds moved folders.",
            )
        if track.format in PLAYABLE and path.suffix.lower() in _CONTAINERS:
            return path, PLAYABLE[track.format]
        return await self._copy(track, path), _TRANSCODED

    def close(self) -> None:
        """Break off the copy that is being made."""
        if self._making is not None:
            _kill(self._making)

    async def _copy(self, track: Track, path: Path) -> Path:
        key = (track.id, path.stat().st_mtime_ns)
        if key not in self._copies:
            async with self._turn:
                if key not in self._copies and key not in self._failed:
                    await self._make(key, path)
        if key in self._failed:
            hint = "`audiosearch doctor` says more."
            raise AudioError(f"track #{track.id}", "it cannot be played", hint=hint)
        self._copies.move_to_end(key)
        return self._copies[key]

    async def _make(self, key: _Key, path: Path) -> None:
        target = self._folder / f"{key[0]}-{key[1]}.mp3"
        self._making = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "audiosearch.web.transcode", str(path), str(target)),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            status = await asyncio.wait_for(self._making.wait(), _SECONDS)
        except (TimeoutError, asyncio.TimeoutError):
            status = None
        finally:
            _kill(self._making)
            self._making = None
        if status == 0:
            self._copies[key] = target
            if len(self._copies) > _MOST_KEPT:
                self._copies.popitem(last=False)[1].unlink(missing_ok=True)
        else:
            self._failed.add(key)
            remove_drafts(self._folder)


def _kill(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):  # it has ended
        process.kill()
