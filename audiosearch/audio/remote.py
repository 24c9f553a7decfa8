"""Audio behind URLs, by fsspec: what is there, and files of it on this machine for a while."""

from __future__ import annotations

import contextlib
import errno
import os
import platform
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from audiosearch.audio.decode import SUFFIXES
from audiosearch.audio.discovery import Ignored, find_audio, is_gone
from audiosearch.audio.urls import check_no_password, filesystem_of, is_http, translate_errors
from audiosearch.embedding.pipeline import LocalFile
from audiosearch.embedding.reader import Reader
from audiosearch.errors import AudioError, Unreachable
from audiosearch.paths import is_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from collections.abc import Set as AbstractSet

    from audiosearch.types import StrPath

# What filesystems call the time of the last change.
_TIMES = ("mtime", "LastModified", "last_modified", "updated", "Last-Modified", "created")
# What they call something that changes with a file's content.
_DIGESTS = ("ETag", "etag", "md5Hash", "content_md5", "Content-MD5", "checksum", "crc32c")
_MOST_REQUESTS = 8  # at a time, to one server
_FULL = (errno.ENOSPC, errno.EDQUOT)


class InputFiles:
    """Local files and URLs, and what is known of them before they are opened.

    Parameters
    ----------
    paths : str, path-like, or iterable of them
        As `audiosearch.audio.discovery.find_audio` takes them, and URLs of files and folders, in
        which there are no files of patterns to leave out.
    exclude : sequence of str
    suffixes : set of str

    Attributes
    ----------
    paths : list of str
        The files.
    listed : dict of str to tuple of int
        The size of each URL in bytes, 0 where it is not known, and its time of change in ns,
        or a number that stands for it.

    Raises
    ------
    AudioError
        Where no audio file is there at all.
    UsageError
        Where a pattern is none.
    MissingExtra
        Where fsspec, or what it needs for a URL, is not installed.
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
        local = [os.path.abspath(name) for name in names if not is_url(os.fspath(name))]
        self.listed: dict[str, tuple[int, int]] = {}
        self._failed: dict[str, AudioError] = {}
        for url in urls:
            try:
                found = listing(url, exclude=exclude, suffixes=suffixes)
                self.listed |= found.files
                self._failed |= found.failed
            except AudioError as exc:
                self._failed[url] = exc
        files = []
        try:
            files = find_audio(local, exclude=exclude, suffixes=suffixes) if local else []
        except AudioError:
            if not self.listed:
                raise
            files = [path for path in local if is_gone(path)]
        if not files and not self.listed:
            raise next(iter(self._failed.values()))
        self.paths = [*files, *self.listed, *self._failed]
        self._here = Reader()

    def size_and_time(self, path: str) -> tuple[int, int]:
        """Return a file's size and time of change, as of `audiosearch.embedding.reader.Reader`."""
        if path in self._failed:
            raise self._failed[path]
        return self.listed.get(path) or self._here.size_and_time(path)

    def size_and_time_when_failed(self, error: AudioError) -> tuple[int, int] | None:
        """Return by what a file that failed is known not to have changed; None for none."""
        if error.path in self._failed:
            return None
        if is_url(error.path) and not isinstance(error, Unreachable):
            return self.listed.get(error.path)
        return self._here.size_and_time_when_failed(error)


@dataclass(frozen=True, slots=True)
class Listing:
    """What is at a URL.

    Attributes
    ----------
    files : dict of str to tuple of int
        By URL the size in bytes, 0 where it is not known, and the time in ns since 1970, or a
        number that is another where the file changes.
    failed : dict of str to AudioError
        Files and folders that are named there, and cannot be had.
    """

    files: dict[str, tuple[int, int]]
    failed: dict[str, AudioError] = field(default_factory=dict)


def listing(
    url: str, *, exclude: Sequence[str] = (), suffixes: AbstractSet[str] = SUFFIXES
) -> Listing:
    """Return the files at a URL, with their sizes and times of change.

    Parameters
    ----------
    url : str
        Of a file; or of a folder, which is searched recursively. Over HTTP a URL stands for a
        file unless it ends in a slash.
    exclude : sequence of str
        Patterns as in ``.gitignore``, relative to the folder, of what to leave out.
    suffixes : set of str
        What the names of files in folders end in.

    Raises
    ------
    AudioError
        Where nothing is there, or it cannot be reached.
    UsageError
        Where the URL holds a password, or a pattern is none.
    MissingExtra
        Where fsspec is not installed.
    """
    check_no_password(url)
    with translate_errors(url):
        filesystem, root = filesystem_of(url)
        filesystem.invalidate_cache()
        if not (is_http(url) and url.endswith("/")):
            info = filesystem.info(root)
            if is_http(url) or info["type"] != "directory":
                return Listing({url: _size_and_time(info)})
        found = {} if is_http(url) else filesystem.find(root, detail=True)
    ignored = Ignored("", exclude)

    def is_wanted(inner: str) -> bool:
        is_hidden = any(part.startswith(".") for part in inner.split("/"))
        is_audio = inner.endswith("/") or os.path.splitext(inner)[1].lower() in suffixes
        return is_audio and not is_hidden and inner not in ignored

    if is_http(url):
        listed = _linked(filesystem, url, is_wanted)
    else:
        inner = {name.removeprefix(root.rstrip("/")).lstrip("/"): name for name in found}
        files = {
            f"{url.rstrip('/')}/{path}": _size_and_time(found[inner[path]])
            for path in sorted(filter(is_wanted, inner))
            if not path.endswith("/")
        }
        listed = Listing(files)
    if not (listed.files or listed.failed):
        hint = "Audio is known by suffixes such as .mp3, .flac, .ogg, .m4a and .wav."
        raise AudioError(url, "no audio file is in there", hint=hint)
    return listed


def _linked(filesystem: Any, url: str, is_wanted: Callable[[str], bool]) -> Listing:
    """Return the files that a page links, and those in folders that it links.

    Such pages tell names alone: each file is asked for its size and time.
    """
    failed: dict[str, AudioError] = {}
    files: set[str] = set()
    seen = {url}
    folders = [url]
    with ThreadPoolExecutor(_MOST_REQUESTS) as pool:
        while folders:
            pages = pool.map(partial(_tried, partial(_links, filesystem)), folders)
            links = set()
            for folder, page in zip(folders, pages, strict=True):
                if isinstance(page, AudioError):
                    failed[folder] = page
                else:
                    links.update(page)
            wanted = {link for link in links - seen if is_wanted(link.removeprefix(url))}
            seen |= wanted
            folders = sorted(link for link in wanted if link.endswith("/"))
            files |= wanted.difference(folders)
        if url in failed:
            raise failed[url]
        names = sorted(files)
        infos = list(pool.map(partial(_tried, filesystem.info), names))
    found = dict(zip(names, infos, strict=True))
    failed |= {file: info for file, info in found.items() if isinstance(info, AudioError)}
    return Listing(
        {file: _size_and_time(info) for file, info in found.items() if file not in failed}, failed
    )


def _tried(ask: Callable[[str], Any], url: str) -> Any:
    """Return an answer, or why there is none."""
    try:
        with translate_errors(url):
            return ask(url)
    except AudioError as exc:
        return exc


def _links(filesystem: Any, folder: str) -> list[str]:
    """Return the URLs of what a page links in its own folder; folders' end in a slash."""
    try:
        names = filesystem.ls(folder, detail=False)
    except FileNotFoundError as exc:
        # A page without links is asked for once more without its slash, and may not be there.
        if exc.args != (folder.rstrip("/"),):
            raise
        return []
    return [_plain(folder, name) for name in names if not ("?" in name and name.endswith("/"))]


def _plain(folder: str, name: str) -> str:
    """Return a link without the dots that stand for its own folder.

    Examples
    --------
    >>> _plain("http://host/a/", "http://host/a/./b.wav")
    'http://host/a/b.wav'
    """
    inner = name.partition("://")[2].removeprefix(folder.partition("://")[2])
    return folder + "/".join(part for part in inner.split("/") if part != ".")


def temporary_folder(url: str, *, parent: str | None = None) -> str:
    """Make a folder for what is fetched, in another or in the system's for such.

    Raises
    ------
    Unreachable
        Where this machine has no room for it.
    """
    try:
        return tempfile.mkdtemp(prefix="audiosearch-", dir=parent)
    except OSError as exc:
        raise _no_room(url, exc) from exc


def _no_room(url: str, error: OSError) -> Unreachable:
    return Unreachable(
        url,
        f"{platform.node()} has no room for it ({error.strerror or error})",
        hint="Make room in its folder of temporary files, or set TMPDIR to another.",
    )


@contextlib.contextmanager
def fetched(url: str, *, folder: str | None = None) -> Iterator[str]:
    """Give a local copy of a file at a URL, for as long as a block lasts.

    Parameters
    ----------
    url : str
    folder : str, optional
        Where to put it; the system's folder for such files, unless given.

    Raises
    ------
    AudioError
        Where it cannot be fetched: it is worth another try later.
    MissingExtra
        Where fsspec is not installed.
    """
    place = temporary_folder(url, parent=folder)
    path = os.path.join(place, f"sound{os.path.splitext(urlsplit(url).path)[1]}")
    try:
        with translate_errors(url):
            filesystem, name = filesystem_of(url)
            try:
                filesystem.get_file(name, path)
            except OSError as exc:
                if exc.errno in _FULL or not os.path.isdir(place):
                    raise _no_room(url, exc) from exc
                raise
        yield path
    finally:
        shutil.rmtree(place, ignore_errors=True)


@contextlib.contextmanager
def open_local(
    path: str, *, listed: tuple[int, int] | None = None, folder: str | None = None
) -> Iterator[LocalFile]:
    """Give the file to open for a path or URL, for as long as a block lasts.

    Parameters
    ----------
    path : str
    listed : tuple of int, optional
        The size and time of change by which a URL is known.
    folder : str, optional
        As of `fetched`, whose errors these are.
    """
    if is_url(path):
        with fetched(path, folder=folder) as local:
            yield LocalFile(local, *(listed or (None, None)))
    else:
        yield LocalFile(path)


def _size_and_time(info: dict[str, Any]) -> tuple[int, int]:
    from blake3 import blake3

    size = int(info.get("size") or 0)
    times = (_nanoseconds(info.get(name)) for name in _TIMES)
    known = next((time for time in times if time is not None), None)
    if known is not None:
        return size, known
    content = [str(info[name]) for name in _DIGESTS if info.get(name)] or [str(size)]
    return size, int.from_bytes(blake3("\n".join(content).encode()).digest(length=8), "big") >> 1


def _nanoseconds(time: object) -> int | None:
    """Return a time as nanoseconds since 1970: of seconds, a datetime, or text."""
    if isinstance(time, str):
        time = _parsed(time)
    if isinstance(time, datetime):
        if time.tzinfo is None:
            time = time.replace(tzinfo=timezone.utc)
        since = time - datetime(1970, 1, 1, tzinfo=timezone.utc)
        return max(0, (since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1_000)
    if isinstance(time, (int, float)):
        return max(0, round(time * 1e6) * 1_000)  # a float holds no more
    return None


def _parsed(text: str) -> datetime | None:
    for parse in (datetime.fromisoformat, parsedate_to_datetime):
        with contextlib.suppress(ValueError):
            return parse(
                text.replace("Z", "+00:00") if parse is not parsedate_to_datetime else text
            )
    return None
