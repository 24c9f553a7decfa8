"""A real MPD with its own music folder, queue and socket, which plays to nowhere."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
from pathlib import Path

import mpd
from sounds import tone, write
from tracks import SPEC, unit_vectors
from waiting import wait_for

from audiosearch import Index
from audiosearch.library.track import Track

SECONDS = 20.0  # length of each track


class Server:
    """An MPD that can be killed and started again."""

    def __init__(self, folder: Path, music: Path, settings: str = "") -> None:
        self.folder, self.music = folder, music
        folder.mkdir(exist_ok=True)
        (folder / "playlists").mkdir(exist_ok=True)
        self.socket = folder / "socket"
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.address = f"mpd://{self.socket}"
        self.tcp_address = f"mpd://127.0.0.1:{self.port}"
        self.config = folder / "mpd.conf"
        self.config.write_text(f"""
            music_directory "{music}"
            playlist_directory "{folder}/playlists"
            db_file "{folder}/database"
            state_file "{folder}/state"
            state_file_interval "1"
            log_file "{folder}/log"
            bind_to_address "{self.socket}"
            bind_to_address "127.0.0.1"
            port "{self.port}"
            auto_update "no"
            zeroconf_enabled "no"
            audio_output {{
                type "null"
                name "nowhere"
            }}
            {settings}
        """)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start MPD, and wait until it has read its music folder, as it does at the first start."""
        program = shutil.which("mpd")
        assert program, "Install mpd: these tests talk to it."
        self._process = subprocess.Popen(
            [program, "--no-daemon", str(self.config)], stderr=subprocess.DEVNULL
        )

        def answers() -> bool:
            with contextlib.suppress(OSError, mpd.MPDError):
                with socket.socket(socket.AF_UNIX) as probe:  # mpd2 doesn't close one that fails
                    probe.connect(str(self.socket))
                with self.client() as client:
                    return "updating_db" not in client.status()
            return False

        wait_for(answers)

    def update(self) -> None:
        """Read the music folder again."""
        with self.client() as client:
            client.update()
            wait_for(lambda: "updating_db" not in client.status())

    def kill(self) -> None:
        """Kill MPD."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
            self.socket.unlink()

    @contextlib.contextmanager
    def client(self, password: str = ""):
        """Connect to MPD."""
        client = mpd.MPDClient()
        client.timeout = 30
        client.connect(str(self.socket))
        try:
            if password:
                client.password(password)
            yield client
        finally:
            client.disconnect()

    def queue(self) -> list[str]:
        """Return the names of the songs in the queue."""
        with self.client() as client:
            return [song["file"] for song in client.playlistinfo()]


@contextlib.contextmanager
def serving_mpd(folder: Path, music: Path, *, settings: str = ""):
    """Run an MPD that knows the files in a folder."""
    server = Server(folder, music, settings)
    server.start()
    try:
        yield server
    finally:
        server.kill()


def name_of(number: int) -> str:
    """Return the path of a made-up song below the music folder."""
    return f"Artist {number % 20}/Song {number}.wav"


def make_music(music: Path, location: Path, n_tracks: int) -> Path:
    """Make sound files, and an index of them with made-up vectors; return the folder of files."""
    first = write(music.parent / "sound.wav", tone(440.0, SECONDS, 8_000), 8_000)
    rows = []
    for number in range(n_tracks):
        file = music / name_of(number)
        file.parent.mkdir(parents=True, exist_ok=True)
        os.link(first, file)
        rows.append(made_track(str(file), number))
    with Index(location, spec=SPEC) as index:
        index.add_all(zip(rows, unit_vectors(n_tracks), strict=True))
    return music


def made_track(path: str, number: int) -> Track:
    """Return the track of a file, one of twenty artists'."""
    return Track(
        path=path,
        size=number,
        mtime_ns=1,
        content_hash=f"{number:032x}",
        seconds=SECONDS,
        sample_rate_hz=8_000,
        channels=1,
        format="wav",
        title=f"Song {number}",
        artist=f"Artist {number % 20}",
    )
