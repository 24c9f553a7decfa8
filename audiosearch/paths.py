"""Paths: on this machine, or URLs."""

from __future__ import annotations

import errno
import os
import re
from typing import TYPE_CHECKING

from audiosearch.normal_form import normal_form
from audiosearch.system import true_case

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://[^\r\n]+")  # one letter is a drive

_DEVICE = re.compile(r"(?:con|prn|aux|nul|con(?:in|out)\$|(?:com|lpt)[0-9¹²³]) *", re.IGNORECASE)


def is_url(path: str) -> bool:
    """Return whether a path is a URL.

    Examples
    --------
    >>> is_url("s3://bucket/a.mp3"), is_url("/music/a.mp3"), is_url("c://music/a.mp3")
    (True, False, False)
    """
    return _URL.fullmatch(path) is not None


def real_path(path: str) -> str:
    """Return the path of a file or folder without symbolic links; a URL stays as it is."""
    try:
        return path if is_url(path) else os.path.realpath(path)
    except ValueError:  # no file has such a name
        return absolute(path)


def new_name(name: str) -> str:
    """Return a name for a new file, changed if Windows takes it for a device, with any suffix.

    Examples
    --------
    >>> new_name("Con"), new_name("nul.1"), new_name("Contra")
    ('Con_', 'nul_.1', 'Contra')
    """
    stem, dot, rest = name.partition(".")
    return f"{stem}_{dot}{rest}" if _DEVICE.fullmatch(stem) else name


def path_from_bytes(content: bytes) -> str:
    """Return the path that bytes stand for.

    Windows knows only names in Unicode. Other bytes, from an index or a playlist of another system,
    become the same text there as on Linux.
    """
    try:
        return os.fsdecode(content)
    except UnicodeDecodeError:
        return content.decode(errors="surrogateescape")


def names_of(path: str) -> list[str]:
    """Return the paths under which an index may store a file: absolute, and without links."""
    return list(dict.fromkeys([absolute(path), real_path(path)]))


def normal_forms_of(path: str) -> list[str]:
    """Return the absolute path with its letters composed and decomposed (NFC and NFD).

    File systems keep names in the form in which they were given, or decompose them. Keyboards
    compose letters.
    """
    return normal_forms(absolute(path))


def folder_names(folder: str) -> list[str]:
    """Return the paths by which a filter recognizes the files in a folder."""
    return list(dict.fromkeys([*names_of(folder), *normal_forms_of(folder)]))


def path_parts(folder_name: str) -> list[str]:
    r"""Return the parts of paths by which a filter recognizes the files in folders with a name.

    The paths of imported tracks may be Windows paths.

    Examples
    --------
    >>> path_parts("Jazz")
    ['/Jazz/', '\\Jazz\\']
    """
    names = normal_forms(folder_name)
    return [f"{separator}{name}{separator}" for name in names for separator in "/\\"]


def normal_forms(name: str) -> list[str]:
    """Return a name with its letters composed and decomposed (NFC and NFD)."""
    return list(dict.fromkeys(normal_form(form, name) for form in ("NFC", "NFD")))


def parent_names(path: str) -> list[str]:
    r"""Return the names of the folders that a path is in: those whose `path_parts` it contains.

    Examples
    --------
    >>> parent_names("/music/Jazz/a.mp3"), parent_names("C:\\Jazz\\a.mp3")
    (['music', 'Jazz'], ['Jazz'])
    """
    names = (name for separator in "/\\" for name in path.split(separator)[1:-1])
    return list(dict.fromkeys(filter(None, names)))


def real_paths(paths: Iterable[str]) -> Iterator[str]:
    """Yield the path without symbolic links of each file. Each folder is looked up once."""
    real_folders: dict[str, str] = {}
    for path in paths:
        folder, name = os.path.split(path)
        if is_url(path) or not folder:
            yield real_path(path)
            continue
        if folder not in real_folders:
            real_folders[folder] = real_path(folder)
        real = os.path.join(real_folders[folder], name)
        yield real_path(real) if os.path.islink(real) else real


def absolute(path: str) -> str:
    """Return a path in the form that an index stores: absolute; a URL stays as it is.

    On Windows, it has the upper and lower case that the disk has.
    """
    return path if is_url(path) else true_case(os.path.abspath(path))


def is_in(path: str, folder: str) -> bool:
    """Return whether a path is that of a folder, or of something in it. Both are absolute.

    Examples
    --------
    >>> is_in("/music/a.mp3", "/music"), is_in("/music2", "/music"), is_in("/music", "/")
    (True, False, True)
    """
    return os.path.join(path, "").startswith(os.path.join(folder, ""))


def why_missing(path: str) -> str:
    """Return why a path can't be found, as a clause: it is a broken link, or there is no file."""
    if is_url(path):
        return "it is a URL, and only `audiosearch add` reads these"
    try:
        target = os.readlink(path)
    except (OSError, ValueError):
        return "there is no such file"
    try:
        os.stat(path)
    except OSError as exc:
        if exc.errno == errno.ELOOP:
            return f"it is a link to {target}, which leads back to it"
    return f"it is a link to {target}, which doesn't exist"
