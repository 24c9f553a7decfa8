"""Free audio to fit models on: sound and music packages of Debian, fetched, never kept here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PACKAGES = (
    "asterisk-core-sounds-en-wav",
    "asterisk-moh-opsound-wav",
    "drascula-music",
    "hydrogen-drumkits",
    "hyperrogue-music",
    "sonic-pi-samples",
    "wesnoth-1.16-music",
)


def fetch(folder: Path) -> None:
    """Download the packages by apt-get and unpack each into a folder of its own.

    Raises
    ------
    subprocess.CalledProcessError
        Where apt-get or dpkg-deb fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["apt-get", "download", *PACKAGES], cwd=folder, check=True)
    for archive in sorted(folder.glob("*.deb")):
        target = folder / archive.name.partition("_")[0]
        subprocess.run(["dpkg-deb", "-x", archive, target], check=True)
        archive.unlink()


if __name__ == "__main__":
    fetch(Path(sys.argv[1]))
