"""List the audio files at a URL: a file, a folder of a filesystem, or web pages of links."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from audiosearch.audio.decode import SUFFIXES
from audiosearch.audio.discovery import no_audio_files
from audiosearch.audio.ignore_patterns import IgnorePatterns
from audiosearch.audio.url_stat import url_size_and_mtime
from audiosearch.audio.urls import check_no_password, filesystem_of, is_http, translate_errors
from audiosearch.audio.web_listing import list_web_pages

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from collections.abc import Set as AbstractSet

    from audiosearch.errors import AudioError


@dataclass(frozen=True, slots=True)
class UrlListing:
    """Files at a URL.

    Attributes
    ----------
    files : dict of str to tuple of int
        Size in bytes (0 if unknown) and modification time in ns since 1970 of each URL. If the time
        is unknown, a number that changes with the content takes its place.
    errors : dict of str to AudioError
        Files and folders that are listed but can't be read.
    """

    files: dict[str, tuple[int, int]]
    errors: dict[str, AudioError] = field(default_factory=dict)


def list_url(
    url: str, *, exclude: Sequence[str] = (), suffixes: AbstractSet[str] = SUFFIXES
) -> UrlListing:
    """Return the audio files at a URL, with their sizes and modification times.

    Parameters
    ----------
    url : str
        URL of a file, or of a folder, which is searched recursively. Over HTTP, only a URL that
        ends in a slash is a folder.
    exclude : sequence of str
        Patterns of files and folders to leave out, as in a ``.gitignore``, relative to the
        folder.
    suffixes : set of str
        Suffixes of audio files in folders, in lower case with the dot.

    Raises
    ------
    AudioError
        If there is no audio file, or the URL can't be reached.
    UsageError
        If the URL contains a password, or a pattern is invalid.
    MissingExtra
        If fsspec is not installed.
    """
    check_no_password(url)
    patterns = IgnorePatterns("", exclude)

    def is_included(relative_path: str) -> bool:
        is_hidden = any(part.startswith(".") for part in relative_path.split("/"))
        suffix = os.path.splitext(relative_path)[1].lower()
        is_audio = relative_path.endswith("/") or suffix in suffixes
        return is_audio and not is_hidden and relative_path not in patterns

    if is_http(url):
        listing = UrlListing(*list_web_pages(url, is_included))
    else:
        listing = UrlListing(_list_filesystem(url, is_included))
    if not (listing.files or listing.errors):
        raise no_audio_files(url)
    return listing


def _list_filesystem(url: str, is_included: Callable[[str], bool]) -> dict[str, tuple[int, int]]:
    """Return the sizes and times of the file at a URL, or of the files below it, by fsspec."""
    with translate_errors(url):
        filesystem, root = filesystem_of(url)
        filesystem.invalidate_cache()
        details = filesystem.info(root)
        if details["type"] != "directory":
            return {url: url_size_and_mtime(details)}
        details_by_name = filesystem.find(root, detail=True)
    names = {name.removeprefix(root.rstrip("/")).lstrip("/"): name for name in details_by_name}
    return {
        f"{url.rstrip('/')}/{path}": url_size_and_mtime(details_by_name[names[path]])
        for path in sorted(filter(is_included, names))
        if not path.endswith("/")
    }
