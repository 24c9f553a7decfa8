"""List the audio files at a URL: a file, a folder of a filesystem, or web pages of links."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from audiosearch.audio.decode import SUFFIXES
from audiosearch.audio.discovery import IgnorePatterns, no_audio_files
from audiosearch.audio.url_stat import url_size_and_mtime
from audiosearch.audio.urls import check_no_password, filesystem_of, is_http, translate_errors
from audiosearch.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from collections.abc import Set as AbstractSet

_MAX_REQUESTS = 8  # at a time, to one server


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
    with translate_errors(url):
        filesystem, root = filesystem_of(url)
        filesystem.invalidate_cache()
        if not (is_http(url) and url.endswith("/")):
            details = filesystem.info(root)
            if is_http(url) or details["type"] != "directory":
                return UrlListing({url: url_size_and_mtime(details)})
        details_by_name = {} if is_http(url) else filesystem.find(root, detail=True)
    patterns = IgnorePatterns("", exclude)

    def is_included(relative_path: str) -> bool:
        is_hidden = any(part.startswith(".") for part in relative_path.split("/"))
        suffix = os.path.splitext(relative_path)[1].lower()
        is_audio = relative_path.endswith("/") or suffix in suffixes
        return is_audio and not is_hidden and relative_path not in patterns

    if is_http(url):
        listing = _follow_links(filesystem, url, is_included)
    else:
        names = {name.removeprefix(root.rstrip("/")).lstrip("/"): name for name in details_by_name}
        listing = UrlListing(
            {
                f"{url.rstrip('/')}/{path}": url_size_and_mtime(details_by_name[names[path]])
                for path in sorted(filter(is_included, names))
                if not path.endswith("/")
            }
        )
    if not (listing.files or listing.errors):
        raise no_audio_files(url)
    return listing


def _follow_links(filesystem: Any, url: str, is_included: Callable[[str], bool]) -> UrlListing:
    """List the files that a web page links to, including those in linked folders.

    A web page lists only names, so each file's size and time take one more request.
    """
    errors: dict[str, AudioError] = {}
    files: set[str] = set()
    seen = {url}
    folders = [url]
    with ThreadPoolExecutor(_MAX_REQUESTS) as pool:
        while folders:
            pages = pool.map(partial(_result_or_error, partial(_links, filesystem)), folders)
            links = set()
            for folder, page in zip(folders, pages, strict=True):
                if isinstance(page, AudioError):
                    errors[folder] = page
                else:
                    links.update(page)
            included = {link for link in links - seen if is_included(link.removeprefix(url))}
            seen |= included
            folders = sorted(link for link in included if link.endswith("/"))
            files |= included.difference(folders)
        if url in errors:
            raise errors[url]
        names = sorted(files)
        results = list(pool.map(partial(_result_or_error, filesystem.info), names))
    details = dict(zip(names, results, strict=True))
    errors |= {file: result for file, result in details.items() if isinstance(result, AudioError)}
    return UrlListing(
        {
            file: url_size_and_mtime(result)
            for file, result in details.items()
            if file not in errors
        },
        errors,
    )


def _result_or_error(request: Callable[[str], Any], url: str) -> Any:
    """Return the result of a request for a URL, or the AudioError that it raises."""
    try:
        with translate_errors(url):
            return request(url)
    except AudioError as exc:
        return exc


def _links(filesystem: Any, folder: str) -> list[str]:
    """Return the URLs that a web page links to within its own folder; folders end in a slash."""
    try:
        names = filesystem.ls(folder, detail=False)
    except FileNotFoundError as exc:
        # For a page without links, fsspec also requests the URL without its slash. That request
        # may fail although the page exists.
        if exc.args != (folder.rstrip("/"),):
            raise
        return []
    return [_without_dots(folder, name) for name in names if not ("?" in name and name[-1] == "/")]


def _without_dots(folder: str, name: str) -> str:
    """Return a link without the path segments "." that stand for the folder itself.

    Examples
    --------
    >>> _without_dots("http://host/a/", "http://host/a/./b.wav")
    'http://host/a/b.wav'
    """
    relative_path = name.partition("://")[2].removeprefix(folder.partition("://")[2])
    return folder + "/".join(part for part in relative_path.split("/") if part != ".")
