"""The folders that Python imports from, without the working directory.

A file `numpy.py` in a folder of downloads must not run because a command is used there. This module
imports only what Python has loaded when it starts: an import before `leave_out_working_directory`
could run such a file.
"""

import os
import sys

_PACKAGES_FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def safe_path() -> list[str]:
    """Return `sys.path` without entries that depend on the working directory.

    Python adds the working directory for ``python -m`` and for empty entries of ``PYTHONPATH``. It
    stays only if it is also a folder of installed packages, or if ``PYTHONPATH`` gives it as an
    absolute path.
    """
    path = [entry for entry in sys.path if os.path.isabs(entry)]
    try:
        working_directory = os.getcwd()
    except OSError:  # it was deleted, with all that it held
        return path
    named = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    unsafe = {working_directory, *(os.path.abspath(entry) for entry in named)}
    unsafe -= {*filter(os.path.isabs, named), *_installed()}
    return [entry for entry in path if entry not in unsafe]


def leave_out_working_directory() -> None:
    """Keep this process from importing anything from the working directory."""
    sys.path[:] = safe_path()


def _installed() -> list[str]:
    """Return the folders of installed packages."""
    site = sys.modules.get("site")  # absent after python -S
    folders = [] if site is None else [*site.getsitepackages(), str(site.USER_SITE)]
    return [*folders, _PACKAGES_FOLDER]
