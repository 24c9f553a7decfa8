"""Start child processes that run a module of audiosearch. No other module starts processes.

A child process imports from the same folders as this one, never from the working directory: its own
is the root folder, and its environment names no relative folders. So file names among its arguments
must be absolute. Unless the caller says otherwise, its standard input is empty and it inherits no
open files.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from typing import TYPE_CHECKING, Any

from audiosearch import system
from audiosearch.import_path import PACKAGES_FOLDER, safe_path

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator, Mapping

_ROOT = os.path.abspath(os.sep)  # always exists, and only the administrator can write to it
#: Variables from which Python and the system's linker take folders with code.
_CODE_FOLDERS = (
    *("LD_LIBRARY_PATH", "PATH"),
    *("PYTHONHOME", "PYTHONPATH", "PYTHONPYCACHEPREFIX", "PYTHONUSERBASE"),
)


def start(
    module: str, *arguments: str, variables: Mapping[str, str] | None = None, **options: Any
) -> subprocess.Popen[Any]:
    """Start a process that calls the function ``main`` of a module and exits with its result.

    Parameters
    ----------
    module : str
        Name of the module.
    *arguments : str
        Arguments of the process: ``sys.argv[1:]``.
    variables : mapping of str to str, optional
        Environment variables to add.
    **options
        Further arguments of `subprocess.Popen`.

    Raises
    ------
    OSError
        If the process can't be started.
    """
    return subprocess.Popen(_command(module, arguments), **_settings(variables) | options)


def run(
    module: str, *arguments: str, variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a process like `start` to its end, and return its output."""
    command, settings = _command(module, arguments), _settings(variables)
    return subprocess.run(
        command, **settings, capture_output=True, encoding="utf-8", errors="replace", check=False
    )


async def start_async(
    module: str, *arguments: str, variables: Mapping[str, str] | None = None, **options: Any
) -> asyncio.subprocess.Process:
    """Start a process like `start`, for use with asyncio."""
    import asyncio

    program, *rest = _command(module, arguments)
    return await asyncio.create_subprocess_exec(program, *rest, **_settings(variables) | options)


@contextlib.contextmanager
def outside_working_directory() -> Iterator[None]:
    """Change to the root folder while a library starts processes or reads settings.

    This affects all threads, so that the block must be short.
    """
    with system.working_directory(_ROOT):
        yield


def _command(module: str, arguments: tuple[str, ...]) -> list[str]:
    # Not by -m, because pickled classes must belong to the module's name, not to __main__.
    path = [*safe_path(), PACKAGES_FOLDER]
    program = f"import sys; sys.path[:] = {path!a}; from {module} import main; sys.exit(main())"
    return [system.interpreter()[0], "-c", program, *arguments]


def _settings(variables: Mapping[str, str] | None = None) -> dict[str, Any]:
    environment = {**os.environ, **system.interpreter()[1], **(variables or {})}
    for name in environment.keys() & _CODE_FOLDERS:
        folders = filter(os.path.isabs, environment[name].split(os.pathsep))
        environment[name] = os.pathsep.join(folders)
    return {"cwd": _ROOT, "env": environment, "stdin": subprocess.DEVNULL}
