"""A published file that is downloaded into the cache."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from audiosearch.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

    from audiosearch.models.download import Progress

_SHA512 = re.compile("[0-9a-f]{128}")


def is_sha512(text: str) -> bool:
    """Return whether a text is a SHA-512 digest: 128 hexadecimal digits."""
    return bool(_SHA512.fullmatch(text.strip().lower()))


class RemoteFile(NamedTuple):
    """A published file: its address, and the digest that verifies it.

    The environment variable ``AUDIOSEARCH_<key>_URL`` names a mirror, and
    ``AUDIOSEARCH_<key>_SHA512`` the digest of a file on the mirror that isn't the published one.

    Attributes
    ----------
    key : str
        Part of the names of the environment variables; upper case.
    title : str
        Name in messages.
    published_url : str
    published_sha512 : str
        128 hexadecimal digits.
    option : str
        The command line's option to use a local file instead, as in "--weights FILE".
    size_mb : float
        Approximate size, in units of 1,000,000 bytes.
    license : str
        SPDX identifier.
    """

    key: str
    title: str
    published_url: str
    published_sha512: str
    option: str
    size_mb: float
    license: str

    @property
    def label(self) -> str:
        """Name in messages, with the size of a large file."""
        return f"{self.title} ({self.size_mb:.0f} MB)" if self.size_mb >= 1 else self.title

    @property
    def url(self) -> str:
        """Address to download from."""
        return os.environ.get(f"AUDIOSEARCH_{self.key}_URL") or self.published_url

    @property
    def sha512(self) -> str:
        """Expected digest: 128 hexadecimal digits in lower case.

        Raises
        ------
        ModelError
            If the variable holds something else.
        """
        variable = f"AUDIOSEARCH_{self.key}_SHA512"
        digest = os.environ.get(variable) or self.published_sha512
        if not is_sha512(digest):
            raise ModelError(
                f"The variable {variable} is not a SHA-512 digest.",
                hint="Set it to the 128 hexadecimal digits that `sha512sum FILE` prints.",
            )
        return digest.strip().lower()

    @property
    def path(self) -> Path:
        """Path in the cache. The file exists once it was downloaded and verified."""
        from audiosearch.models.cache import cache_dir

        name = urlsplit(self.published_url).path.rpartition("/")[2]
        return cache_dir() / "downloads" / self.sha512[:16] / name

    def fetch(self, progress: Progress | None = None) -> Path:
        """Download the file unless the cache has it, and return its path.

        If two processes fetch the same file, the second one waits for the first.

        Raises
        ------
        DownloadError
            If the server doesn't respond, the connection breaks, or the digest is wrong.
        ModelError
            If the cache can't be written.
        """
        from audiosearch.models.download import download, no_progress

        path = self.path
        download(
            self.url,
            path,
            sha512=self.sha512,
            label=self.label,
            hint=f"Check the network, use a local file with {self.option}, or set "
            f"AUDIOSEARCH_{self.key}_URL (and AUDIOSEARCH_{self.key}_SHA512) to a mirror.",
            progress=progress or no_progress,
        )
        return path
