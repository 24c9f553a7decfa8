"""Temporary local copies of files behind URLs."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import tempfile
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from audiosearch.audio.urls import filesystem_of, is_http, translate_errors
from audiosearch.errors import Unreachable, is_disk_full

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def fetched(url: str, *, folder: str | None = None) -> Iterator[str]:
    """Yield the path of a local copy of a file at a URL; the copy lasts as long as the block.

    Parameters
    ----------
    url : str
    folder : str, optional
        Parent folder of the copy. Default: the system's folder for temporary files.

    Yields
    ------
    str
        Path of the copy, with the suffix of the URL.

    Raises
    ------
    AudioError
        If the file can't be fetched.
    MissingExtra
        If fsspec is not installed.
    """
    copy_folder = temporary_folder(url, parent=folder)
    path = os.path.join(copy_folder, f"sound{os.path.splitext(urlsplit(url).path)[1]}")
    try:
        with translate_errors(url):
            try:
                if is_http(url):
                    from audiosearch.audio.http_files import get_file

                    get_file(url, path)
                else:
                    filesystem, name = filesystem_of(url)
                    filesystem.get_file(name, path)
            except OSError as exc:
                if is_disk_full(exc) or not os.path.isdir(copy_folder):
                    raise _no_room(url, exc) from exc
                raise
        yield path
    finally:
        shutil.rmtree(copy_folder, ignore_errors=True)


def temporary_folder(url: str, *, parent: str | None = None) -> str:
    """Make a temporary folder for copies.

    Parameters
    ----------
    url : str
        URL to be fetched, for the error message.
    parent : str, optional
        Parent folder. Default: the system's folder for temporary files.

    Raises
    ------
    Unreachable
        If the folder can't be made.
    """
    try:
        return tempfile.mkdtemp(prefix="audiosearch-", dir=parent)
    except OSError as exc:
        raise _no_room(url, exc) from exc


def _no_room(url: str, error: OSError) -> Unreachable:
    return Unreachable(
        url,
        f"{platform.node()} has no room for it ({error.strerror or error})",
        hint="Free some space in the folder for temporary files, or set TMPDIR to another folder.",
    )
