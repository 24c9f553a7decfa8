"""Audio behind URLs, by fsspec: what is there, and files of it on this machine for a while."""

from __future__ import annotations

import contextlib
import os
import tempfile
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from audiosearch.errors import AudioError, MissingExtra, Unreachable
from audiosearch.paths import is_url
from audiosearch.sound.decode import SUFFIXES
from audiosearch.sound.pipeline import AtHand
from audiosearch.sound.reader import Reader
from audiosearch.sound.walk import Ignored, find_audio, is_gone

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from collections.abc import Set as AbstractSet

    from audiosearch.params import StrPath

# What filesystems call the time of the last change.
_TIMES = ("mtime", "LastModified", "last_modified", "updated", "Last-Modified", "created")
# What they call something that changes with a file's content.
_DIGESTS = ("ETag", "etag", "md5Hash", "content_md5", "Content-MD5", "checksum", "crc32c")
_HTTP = ("http", "https")
_NOTHING_THERE = (404, 410)
_SILENCE_SECONDS = 60.0  # after so long without a byte, a server has gone
_ATTEMPTS_HINT = "Check the URL, and that this machine may reach it; then add it once more."


class Sources:
    """Local files and URLs, and what is known of them before they are opened.

    Parameters
    ----------
    paths : str, path-like, or iterable of them
        As `audiosearch.sound.walk.find_audio` takes them, and URLs of files and folders, in
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
                self.listed |= listing(url, exclude=exclude, suffixes=suffixes)
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
        """Return a file's size and time of change, as of `audiosearch.sound.reader.Reader`."""
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


def listing(
    url: str, *, exclude: Sequence[str] = (), suffixes: AbstractSet[str] = SUFFIXES
) -> dict[str, tuple[int, int]]:
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

    Returns
    -------
    dict of str to tuple of int
        By URL the size in bytes, 0 where it is not known, and the time in ns since 1970, or a
        number that is another where the file changes.

    Raises
    ------
    AudioError
        Where nothing is there, or it cannot be reached.
    MissingExtra
        Where fsspec is not installed.
    """
    with _in_a_sentence(url):
        filesystem, root = _filesystem(url)
        filesystem.invalidate_cache()
        is_http = urlsplit(url).scheme.lower() in _HTTP
        if not (is_http and url.endswith("/")):
            info = filesystem.info(root)
            if is_http or info["type"] != "directory":
                return {url: _size_and_time(info)}
        found = filesystem.find(root, detail=True)
    ignored = Ignored("", exclude)
    files = {}
    for name, info in sorted(found.items()):
        inner = name.removeprefix(root.rstrip("/")).lstrip("/")
        is_hidden = any(part.startswith(".") for part in inner.split("/"))
        if (
            os.path.splitext(inner)[1].lower() in suffixes
            and not is_hidden
            and inner not in ignored
        ):
            files[f"{url.rstrip('/')}/{inner}"] = info
    if not files:
        hint = "Audio is known by suffixes such as .mp3, .flac, .ogg, .m4a and .wav."
        raise AudioError(url, "no audio file is in there", hint=hint)
    if is_http:  # whose listings tell names alone
        with _in_a_sentence(url):
            files = {file: filesystem.info(file) for file in files}
    return {file: _size_and_time(info) for file, info in files.items()}


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
    suffix = os.path.splitext(urlsplit(url).path)[1]
    with tempfile.TemporaryDirectory(
        prefix="audiosearch-", dir=folder, ignore_cleanup_errors=True
    ) as place:
        path = os.path.join(place, f"sound{suffix}")
        with _in_a_sentence(url):
            filesystem, name = _filesystem(url)
            filesystem.get_file(name, path)
        yield path


@contextlib.contextmanager
def at_hand(
    path: str, *, listed: tuple[int, int] | None = None, folder: str | None = None
) -> Iterator[AtHand]:
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
            yield AtHand(local, *(listed or (None, None)))
    else:
        yield AtHand(path)


def _filesystem(url: str) -> tuple[Any, str]:
    """Return what reads a URL, and the URL's name there."""
    try:
        import fsspec
    except ImportError as exc:
        raise MissingExtra("What reads URLs", "fsspec", "ray") from exc
    options = {}
    if urlsplit(url).scheme.lower() in _HTTP:
        import aiohttp

        # A large file may take its time, a silent server not.
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=_SILENCE_SECONDS, sock_read=_SILENCE_SECONDS
        )
        options = {"client_kwargs": {"timeout": timeout}}
    filesystem, name = fsspec.core.url_to_fs(url, **options)
    return filesystem, str(name)


@contextlib.contextmanager
def _in_a_sentence(url: str) -> Iterator[None]:
    """Put what the libraries behind fsspec raise into sentences."""
    try:
        yield
    except (AudioError, MissingExtra):
        raise
    except FileNotFoundError as exc:
        cause = exc.__cause__  # of HTTP, where every failure becomes this one
        if type(cause).__module__.startswith("aiohttp") and _status(cause) not in _NOTHING_THERE:
            raise _refused(url, cause) from exc
        raise Unreachable(url, "there is no such file", hint="Check the URL.") from exc
    except ImportError as exc:
        scheme = urlsplit(url).scheme
        package = _DRIVERS.get(scheme, exc.name)
        reason = f"what reads {scheme}:// is not installed"
        hint = f"pip install {package}" if package else str(exc)
        raise AudioError(url, reason, hint=f"{hint}, on every node.") from exc
    except ValueError as exc:
        if "rotocol" not in str(exc):
            raise _refused(url, exc) from exc
        hint = "URLs begin with s3://, gs://, https:// and the like."
        raise AudioError(url, "nothing reads URLs of that kind", hint=hint) from exc
    except PermissionError as exc:
        raise Unreachable(url, "you may not read it", hint=_CREDENTIALS) from exc
    except Exception as exc:  # each library behind fsspec has errors of its own
        raise _refused(url, exc) from exc


_DRIVERS = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "http": "aiohttp"}
_DRIVERS |= {"https": "aiohttp", "abfs": "adlfs", "az": "adlfs", "sftp": "paramiko"}
_CREDENTIALS = (
    "Each node needs credentials for it: for s3:// as the AWS command line has them, for gs:// as "
    "gcloud has."
)


def _status(error: BaseException | None) -> int | None:
    """Return the HTTP status that an error is about; None where there is none."""
    status = getattr(error, "status", None)
    return status if isinstance(status, int) else None


def _refused(url: str, error: BaseException | None) -> Unreachable:
    """Say why a server gives no file; its own words might repeat what only it should know."""
    status = _status(error)
    if status in (401, 403) or "Credentials" in type(error).__name__:
        return Unreachable(url, "you may not read it", hint=_CREDENTIALS)
    if status is not None:
        return Unreachable(url, f"its server answers with {status}", hint=_ATTEMPTS_HINT)
    if "Timeout" in type(error).__name__:
        return Unreachable(url, "its server does not answer in time", hint=_ATTEMPTS_HINT)
    words = getattr(error, "strerror", None) or type(error).__name__
    return Unreachable(url, f"it cannot be reached ({words})", hint=_ATTEMPTS_HINT)


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
