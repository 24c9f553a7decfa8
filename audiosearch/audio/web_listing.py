"""List the files that web pages link to, within limits: a server can invent folders without end."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from audiosearch.audio.url_stat import url_size_and_mtime
from audiosearch.audio.urls import translate_errors
from audiosearch.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAX_DEPTH = 20  # folders within each other
MAX_FOLDERS = 10_000
MAX_FILES = 100_000
MAX_SECONDS = 3_600.0
_MAX_REQUESTS = 8  # at a time, to one server
_HINT = "Add its folders one by one, or leave some out with --exclude."


def list_web_pages(
    url: str, is_included: Callable[[str], bool]
) -> tuple[dict[str, tuple[int, int]], dict[str, AudioError]]:
    """List the file at a URL, or the files that a web page and its folders link to.

    A web page lists only names, so each file's size and time take one more request.

    Parameters
    ----------
    url : str
        URL of a file, or of a folder if it ends in a slash.
    is_included : callable
        Whether a path relative to the URL belongs to the listing. Folders end in a slash.

    Returns
    -------
    files : dict of str to tuple of int
        Size and modification time of each file, as `url_size_and_mtime` returns them.
    errors : dict of str to AudioError
        Files and folders that can't be read or aren't read.

    Raises
    ------
    AudioError
        If the URL can't be read, or has more folders or files than can be listed.
    """
    from audiosearch.audio.http_files import client_for, details

    client = client_for(url)
    if not url.endswith("/"):
        with translate_errors(url):
            return {url: url_size_and_mtime(details(client, url))}, {}
    with ThreadPoolExecutor(_MAX_REQUESTS) as pool:
        walk = _Walk(url, is_included, client)
        names, errors = walk.files(pool)
        stats = list(pool.map(partial(walk.result_or_error, details), names))
    results = dict(zip(names, stats, strict=True))
    errors |= {name: stat for name, stat in results.items() if isinstance(stat, AudioError)}
    return (
        {name: url_size_and_mtime(stat) for name, stat in results.items() if name not in errors},
        errors,
    )


class _Walk:
    """Walk over the folders of a web server.

    Parameters
    ----------
    url : str
        URL of the first folder.
    is_included : callable
        See `list_web_pages`.
    client : HttpClient
    """

    def __init__(self, url: str, is_included: Callable[[str], bool], client: Any) -> None:
        self._url = url
        self._is_included = is_included
        self._client = client
        self._end = time.monotonic() + MAX_SECONDS
        self._addresses: set[str] = set()  # of the pages that were read
        self._digests: dict[str, int] = {}  # of the links on each page, by folder

    def files(self, pool: ThreadPoolExecutor) -> tuple[list[str], dict[str, AudioError]]:
        """Return the URLs of all files, and the errors of folders."""
        from audiosearch.audio.http_files import page_links

        files: set[str] = set()
        errors: dict[str, AudioError] = {}
        folders = [self._url]
        n_folders = 0
        while folders:
            n_folders += len(folders)
            self._require(n_folders <= MAX_FOLDERS, f"it has more than {MAX_FOLDERS:,} folders")
            found: list[str] = []
            pages = pool.map(partial(self.result_or_error, page_links), folders)
            for folder, page in zip(folders, pages, strict=True):
                result = page if isinstance(page, AudioError) else self._links(folder, *page)
                if isinstance(result, AudioError):
                    errors[folder] = result
                else:
                    found += result
            if self._url in errors:
                raise errors[self._url]
            files.update(link for link in found if not link.endswith("/"))
            self._require(len(files) <= MAX_FILES, f"it has more than {MAX_FILES:,} files")
            folders = sorted({link for link in found if link.endswith("/")})
        return sorted(files), errors

    def _links(self, folder: str, address: str, links: list[str]) -> list[str] | AudioError:
        """Return the URLs of the included links of a folder, or the reason to leave it out."""
        if address in self._addresses:  # it redirects to a folder that was read
            return []
        self._addresses.add(address)
        digest = self._digests[folder] = hash(tuple(links))
        has_folders = any(link.endswith("/") for link in links)
        same = [parent for parent in self._parents(folder) if self._digests.get(parent) == digest]
        if has_folders and len(same) > 1:
            reason = "it lists the same as two of the folders that it is in"
            return AudioError(folder, reason, hint="Check whether it is a link to one of them.")
        paths = [folder.removeprefix(self._url) + link for link in links]
        if has_folders and folder.count("/") - self._url.count("/") >= MAX_DEPTH:
            reason = f"its folders are not read, because they are more than {MAX_DEPTH} deep"
            return AudioError(folder, reason, hint="Add it by itself.")
        return [self._url + path for path in paths if self._is_included(path)]

    def _parents(self, folder: str) -> Iterator[str]:
        while len(folder) > len(self._url):
            folder = folder[:-1].rpartition("/")[0] + "/"
            yield folder

    def _require(self, is_within_limit: bool, reason: str) -> None:
        if not is_within_limit:
            raise AudioError(self._url, reason, hint=_HINT)

    def result_or_error(self, request: Callable[[Any, str], Any], url: str) -> Any:
        """Return the result of a request for a URL, or the AudioError that it raises."""
        is_in_time = time.monotonic() < self._end
        self._require(is_in_time, f"listing it takes longer than {MAX_SECONDS / 60:.0f} minutes")
        try:
            with translate_errors(url):
                return request(self._client, url)
        except AudioError as exc:
            return exc
