"""Input files of `add`: local files and URLs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from audiosearch.audio import file_stat
from audiosearch.audio.decode import SUFFIXES
from audiosearch.audio.discovery import AudioFiles, discover
from audiosearch.errors import AudioError, Unreachable
from audiosearch.paths import absolute, is_url

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from collections.abc import Set as AbstractSet

    from audiosearch.types import StrPath


class InputFiles:
    """Local files and URLs, with the sizes and modification times of the URLs.

    Parameters
    ----------
    paths : str, path-like, or iterable of them
        Local files and folders, as for `audiosearch.audio.discovery.discover`; URLs of files
        and folders. Ignore files in folders behind URLs have no effect.
    exclude : sequence of str
        Patterns of files and folders to leave out, as in a ``.gitignore``.
    suffixes : set of str
        Suffixes of audio files, in lower case with the dot.

    Attributes
    ----------
    paths : list of str
        All files, including URLs that can't be read.
    folder_aliases : list of str
        Other paths, by links, of local folders that were read.
    urls : dict of str to tuple of int
        Size in bytes and modification time in ns of each URL, as in
        `audiosearch.audio.url_listing.UrlListing`.

    Raises
    ------
    AudioError
        If there is no audio file at all.
    UsageError
        If a pattern is invalid, or a URL contains a secret.
    MissingExtra
        If fsspec, or the package it needs for a URL, is not installed.
    """

    def __init__(
        self,
        paths: StrPath | Iterable[StrPath],
        *,
        exclude: Sequence[str] = (),
        suffixes: AbstractSet[str] = SUFFIXES,
    ) -> None:
        names = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
        urls = [os.fspath(name) for name in names if is_url(os.fspath(name))]
        local_paths = [absolute(os.fspath(name)) for name in names if not is_url(os.fspath(name))]
        self.urls: dict[str, tuple[int, int]] = {}
        self._errors: dict[str, AudioError] = {}
        for url in urls:
            from audiosearch.audio.url_listing import list_url

            try:
                listing = list_url(url, exclude=exclude, suffixes=suffixes)
                self.urls |= listing.files
                self._errors |= listing.errors
            except AudioError as exc:
                self._errors[url] = exc
        files = AudioFiles([], [])
        try:
            if local_paths:
                files = discover(local_paths, exclude=exclude, suffixes=suffixes)
        except AudioError:
            if not self.urls:
                raise
            files = AudioFiles([path for path in local_paths if not os.path.isdir(path)], [])
        self.folder_aliases = files.folder_aliases
        if not files.paths and not self.urls:
            raise next(iter(self._errors.values()))
        self.paths = [*files.paths, *self.urls, *self._errors]

    def size_and_mtime(self, path: str) -> tuple[int, int]:
        """Return the size in bytes and the modification time in ns of a file or URL.

        Raises
        ------
        AudioError
            If the file or URL can't be read.
        """
        if path in self._errors:
            raise self._errors[path]
        return self.urls.get(path) or file_stat.size_and_mtime(path)

    def size_and_mtime_after_failure(self, error: AudioError) -> tuple[int, int] | None:
        """Return the size and modification time to store with a failure; None to store none."""
        if error.path in self._errors:
            return None
        if is_url(error.path) and not isinstance(error, Unreachable):
            return self.urls.get(error.path)
        return file_stat.size_and_mtime_after_failure(error)
