"""List the audio files at a URL: a file, a folder of a filesystem, or web pages of links."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from audiosearch.audio.decode import SUFFIXES
from audiosearch.audio.discovery import no_audio_files
from audiosearch.audio.ignore_patterns import IgnorePatterns
from audiosearch.audio.url_stat import url_size_and_mtime
from audiosearch.audio.urls import (
    check_no_secret,
    filesystem_of,
    has_secret_query,
    is_http,
    scheme_of,
    translate_errors,
)
from audiosearch.audio.web_listing import list_web_pages
from audiosearch.errors import AudioError
from audiosearch.paths import is_url

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from collections.abc import Set as AbstractSet

_VERSION = "?versionId="  # drivers take what follows in a name for a version, and may ignore it


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
        If the URL contains a secret, or a pattern is invalid.
    MissingExtra
        If fsspec is not installed.
    """
    check_no_secret(url)
    if scheme_of(url) in ("file", "local"):
        hint = "Add it by its path, without file://."
        raise AudioError(url, "it is the URL of a file on this machine", hint=hint)
    patterns = IgnorePatterns("", exclude)

    def is_included(relative_path: str) -> bool:
        is_hidden = any(part.startswith(".") for part in relative_path.split("/"))
        suffix = os.path.splitext(relative_path)[1].lower()
        is_audio = relative_path.endswith("/") or suffix in suffixes
        return is_audio and not is_hidden and relative_path not in patterns

    def is_linked(relative_path: str) -> bool:
        return not has_secret_query(relative_path) and is_included(relative_path)

    if is_http(url):
        listing = UrlListing(*list_web_pages(url, is_linked))
    else:
        listing = _list_filesystem(url, is_included)
    if not (listing.files or listing.errors):
        raise no_audio_files(url)
    return listing


def _list_filesystem(url: str, is_included: Callable[[str], bool]) -> UrlListing:
    """Return the sizes and times of the file at a URL, or of the files below it, by fsspec."""
    if _VERSION in url:
        hint = "Add the URL without it. The current version is read."
        raise AudioError(url, f"{_VERSION} names a version of a file", hint=hint)
    with translate_errors(url):
        filesystem, name = filesystem_of(url)
        filesystem.invalidate_cache()
        details = filesystem.info(name)
        if details["type"] != "directory":
            return UrlListing({url: url_size_and_mtime(details)})
        details_by_name = filesystem.find(name, detail=True)
        filesystem.invalidate_cache()  # it has kept all details too
    folder = str(details["name"]).rstrip("/")
    names = {name.removeprefix(folder).removeprefix("/"): name for name in details_by_name}
    listing = UrlListing({})
    for path in sorted(filter(is_included, names)):
        file = f"{url.rstrip('/')}/{path}"
        if path.endswith("/"):
            continue
        unusable = "a line break" if not is_url(file) else _VERSION if _VERSION in file else ""
        if unusable:
            reason = f"its name contains {unusable}"
            listing.errors[file] = AudioError(file, reason, hint="Rename it, and add it again.")
        else:
            listing.files[file] = url_size_and_mtime(details_by_name[names[path]])
    return listing
