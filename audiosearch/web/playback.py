"""Audio files that browsers can play, transcoded where necessary."""

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

#: Media types of the codecs that browsers play without transcoding.
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
_MAX_COPIES = 8
_MAX_SECONDS = 120.0  # time limit of one transcoding

_Key = tuple[int, int]  # track id, and modification time of its file in ns


class Playback:
    """Files of tracks, or mp3 copies of those that browsers can't play.

    Parameters
    ----------
    folder : Path
        Folder for the copies. The last eight are kept.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._copies: OrderedDict[_Key, Path] = OrderedDict()
        self._failed: set[_Key] = set()
        # One at a time: several would only compete for the cores.
        self._lock = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None

    async def playable(self, track: Track) -> tuple[Path, str]:
        """Return a playable file of a track, and its media type.

        Raises
        ------
        TrackNotFound
            If the track's file is missing or behind a URL.
        AudioError
            If it can't be transcoded.
        """
        if is_url(track.path):
            raise TrackNotFound(
                f"Track #{track.id} is stored under a URL, which the server doesn't play.",
                hint="Open the URL itself.",
            )
        path = Path(track.path)
        if not os.path.isfile(path):
            raise TrackNotFound(
                f"The file of track #{track.id} is missing.",
                hint="`audiosearch relocate` follows moved folders, `prune` removes such tracks.",
            )
        if track.format in PLAYABLE and path.suffix.lower() in _CONTAINERS:
            return path, PLAYABLE[track.format]
        return await self._copy(track, path), _TRANSCODED

    def close(self) -> None:
        """Stop the transcoding that is running."""
        if self._process is not None:
            _kill(self._process)

    async def _copy(self, track: Track, path: Path) -> Path:
        key = (track.id, path.stat().st_mtime_ns)
        if key not in self._copies:
            async with self._lock:
                if key not in self._copies and key not in self._failed:
                    await self._transcode(key, path)
        if key in self._failed:
            hint = "`audiosearch doctor` shows details."
            raise AudioError(f"track #{track.id}", "it can't be played", hint=hint)
        self._copies.move_to_end(key)
        return self._copies[key]

    async def _transcode(self, key: _Key, path: Path) -> None:
        target = self._folder / f"{key[0]}-{key[1]}.mp3"
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "audiosearch.web.transcode", str(path), str(target)),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            status = await asyncio.wait_for(self._process.wait(), _MAX_SECONDS)
        except (TimeoutError, asyncio.TimeoutError):
            status = None
        finally:
            _kill(self._process)
            self._process = None
        if status == 0:
            self._copies[key] = target
            if len(self._copies) > _MAX_COPIES:
                self._copies.popitem(last=False)[1].unlink(missing_ok=True)
        else:
            self._failed.add(key)
            remove_drafts(self._folder)


def _kill(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):  # it has exited
        process.kill()
