"""A track's sound, as a browser can play it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from audiosearch.errors import AudioError, TrackNotFound

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


class Audio:
    """Tracks' files, or copies of those that browsers do not play, made as mp3 when asked for.

    Parameters
    ----------
    folder : Path
        Where copies are kept, the last eight of them.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._copies: OrderedDict[tuple[int, int], Path | None] = OrderedDict()
        # One copy at a time is made: several would only wait for each other's cores.
        self._maker = ThreadPoolExecutor(1, thread_name_prefix="copies")

    async def playable(self, track: Track) -> tuple[Path, str]:
        """Return a file that can be played, and its media type.

        Raises
        ------
        TrackNotFound
            Where the track's file is gone.
        AudioError
            Where it cannot be decoded any more.
        """
        path = Path(track.path)
        if not os.path.isfile(path):
            raise TrackNotFound(
                f"The file of track #{track.id} is not there any more.",
                hint="`audiosearch prune` forgets such tracks, `relocate` finds moved folders.",
            )
        if track.format in PLAYABLE and path.suffix.lower() in _CONTAINERS:
            return path, PLAYABLE[track.format]
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._maker, self._copy, track, path), _TRANSCODED

    def close(self) -> None:
        """Make no more copies."""
        self._maker.shutdown(cancel_futures=True)

    def _copy(self, track: Track, path: Path) -> Path:
        key = (track.id, path.stat().st_mtime_ns)
        if key not in self._copies:
            self._copies[key] = self._made(path, self._folder / f"{key[0]}-{key[1]}.mp3")
            if len(self._copies) > _MOST_KEPT:
                _, oldest = self._copies.popitem(last=False)
                if oldest is not None:
                    oldest.unlink(missing_ok=True)
        self._copies.move_to_end(key)
        copy = self._copies[key]
        if copy is None:
            hint = "`audiosearch doctor` says more."
            raise AudioError(f"track #{track.id}", "it cannot be played", hint=hint)
        return copy

    @staticmethod
    def _made(path: Path, target: Path) -> Path | None:
        """Return a copy; None where none can be made, which is not tried again."""
        command = [sys.executable, "-m", "audiosearch.web.transcode", str(path), str(target)]
        with contextlib.suppress(subprocess.CalledProcessError, subprocess.TimeoutExpired):
            subprocess.run(command, check=True, capture_output=True, timeout=_SECONDS)
            return target
        return None
