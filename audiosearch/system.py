"""Everything that differs between operating systems. No other module asks on which one it runs.

Windows can't replace or remove a file that is open or mapped into memory, gives handles to its
processes in place of descriptors, and limits no process's memory. Only Linux opens the file of a
descriptor again by a path.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import importlib
import io
import mmap
import os
import signal
import stat
import sys
import time
from typing import IO, TYPE_CHECKING, Any, BinaryIO, Final

if TYPE_CHECKING:
    import tempfile
    from collections.abc import Callable, Iterable, Iterator
    from multiprocessing.connection import Connection as _Connection
    from typing import TypeAlias

    Connection: TypeAlias = _Connection[Any, Any]


def _module(name: str) -> Any:
    """Return a module that only some systems have; None on others."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        return None


_os: Any = os  # with the functions that only some systems have
_fcntl, _msvcrt, _resource, _select = map(_module, ("fcntl", "msvcrt", "resource", "select"))

#: Whether this is Windows. Only there, files are open by handles.
IS_WINDOWS: Final = hasattr(os, "set_handle_inheritable")
#: Whether this is Linux, whose kernel can take rights from a process.
IS_LINUX: Final = sys.platform == "linux"

# Opening must neither wait for the other end of a pipe nor take over a terminal.
_READ_FLAGS: Final = os.O_RDONLY | sum(
    getattr(os, name, 0) for name in ("O_NONBLOCK", "O_CLOEXEC", "O_NOCTTY", "O_BINARY")
)
#: Flag for `open_at_once`: fail on a symbolic link. Windows, where making links needs rights, lacks
#: it.
NO_LINK: Final[int] = getattr(os, "O_NOFOLLOW", 0)
_DESCRIPTORS = "/proc/self/fd"
#: Whether a process opens the file of a descriptor again by a path.
HAS_DESCRIPTOR_PATHS: Final = os.path.isdir(_DESCRIPTORS)

_KILLED = 9  # the number of SIGKILL
_ENABLE_VIRTUAL_TERMINAL_PROCESSING = 4
_SEND_BUFFER_BYTES = 1 << 20  # two messages, so that decoding goes on while one is being read
_REPLACE_SECONDS = 5.0  # for which another process may have a file open


# Files


def open_at_once(path: str, flags: int = 0) -> int:
    """Open a file for reading, or a pipe without waiting for its other end.

    Parameters
    ----------
    path : str
    flags : int
        Further flags of `os.open`, such as `NO_LINK`.

    Returns
    -------
    int
        The descriptor.
    """
    return os.open(path, _READ_FLAGS | flags)


def open_without_links(real_path: str) -> int:
    """Open a path that contains no symbolic links; fail if one has been put there meanwhile.

    Windows opens any path.
    """
    if not hasattr(os, "O_PATH"):
        return open_at_once(real_path, getattr(os, "O_NOFOLLOW_ANY", 0))
    root, *folders, name = real_path.split(os.sep)
    folder = os.open(root or os.sep, _os.O_PATH | _os.O_DIRECTORY | _os.O_CLOEXEC)
    try:
        for part in folders:
            flags = _os.O_PATH | _os.O_DIRECTORY | _os.O_NOFOLLOW | _os.O_CLOEXEC
            inner = os.open(part, flags, dir_fd=folder)
            os.close(folder)
            folder = inner
        return os.open(name, _READ_FLAGS | NO_LINK, dir_fd=folder)
    finally:
        os.close(folder)


def descriptor_path(descriptor: int) -> str:
    """Return the path by which this process opens the file of a descriptor again.

    Only valid where `HAS_DESCRIPTOR_PATHS`.
    """
    return f"{_DESCRIPTORS}/{descriptor}"


def read_at(descriptor: int, n_bytes: int, position: int) -> bytes:
    """Read from a position of a file. Windows also moves the file to the end of what was read."""
    if hasattr(os, "pread"):
        content: bytes = _os.pread(descriptor, n_bytes, position)
        return content
    os.lseek(descriptor, position, os.SEEK_SET)
    return os.read(descriptor, n_bytes)


def lock(file: IO[Any], *, wait: bool = True) -> None:
    """Lock an open file against other processes, until it is closed.

    Windows has no such locks: there, files can't be replaced or removed while they are open.

    Raises
    ------
    OSError
        If the file system has no locks, or if another process has locked the file and ``wait`` is
        False.
    """
    if _fcntl is not None:
        _fcntl.flock(file, _fcntl.LOCK_EX | (0 if wait else _fcntl.LOCK_NB))


#: Whether `lock` has an effect, and a locked file can be replaced.
HAS_LOCKS: Final = _fcntl is not None


def replace(source: str | os.PathLike[str], target: str | os.PathLike[str]) -> None:
    """Rename a file to a name that another file may have.

    Windows refuses that while a process reads the other file, and so tries for some seconds.

    Raises
    ------
    OSError
        If it can't be renamed.
    """
    deadline = time.monotonic() + _REPLACE_SECONDS
    while True:
        try:
            os.replace(source, target)
        except PermissionError:
            if not IS_WINDOWS or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def mapped(file: BinaryIO) -> mmap.mmap | bytes:
    """Return the content of a file, mapped into memory.

    Windows reads it instead, so that the file can be replaced.

    Raises
    ------
    OSError, ValueError
        If it can't be read, or is empty.
    """
    if not IS_WINDOWS:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    content = file.read()
    if not content:
        raise ValueError("the file is empty")
    return content


def temporary_file() -> IO[bytes]:
    """Return a file that is gone when it is closed. On Linux it has no name.

    On Windows, it remains until this process ends if it is still open by its name.
    """
    import tempfile

    if HAS_DESCRIPTOR_PATHS:
        return tempfile.TemporaryFile(prefix="audiosearch-", buffering=0)
    return _NamedFile()


@functools.cache
def _temporary_folder() -> tempfile.TemporaryDirectory[str]:
    """Return a folder that is removed when this process ends."""
    import tempfile

    return tempfile.TemporaryDirectory(prefix="audiosearch-", ignore_cleanup_errors=True)


class _NamedFile(io.FileIO):
    """A new file. Closing removes it, but on Windows not if it is open elsewhere."""

    def __init__(self) -> None:
        import tempfile

        descriptor, path = tempfile.mkstemp(dir=_temporary_folder().name)
        os.close(descriptor)
        super().__init__(path, "r+")

    def close(self) -> None:
        """Close and remove the file."""
        super().close()
        with contextlib.suppress(OSError):
            os.unlink(self.name)


@contextlib.contextmanager
def working_directory(folder: str) -> Iterator[None]:
    """Change to a folder while the block runs. This affects all threads."""
    if not hasattr(os, "fchdir"):
        previous_name = os.getcwd()
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(previous_name)
        return
    previous = os.open(".", os.O_RDONLY)  # unlike its name, valid even if the folder was deleted
    try:
        os.chdir(folder)
        yield
    finally:
        os.fchdir(previous)
        os.close(previous)


def true_case(path: str) -> str:
    """Return an absolute path as its disk spells it, where the system ignores case: on Windows.

    Links stay in it. Without such a file, only the letter of its drive becomes a capital.
    """
    if not IS_WINDOWS:
        return path
    drive, rest = os.path.splitdrive(path)
    real = os.path.realpath(path)
    if os.path.normcase(real).endswith(os.path.normcase(rest)):  # a drive may be a network folder
        rest = real[len(real) - len(rest) :]
    return (drive.upper() if drive.endswith(":") else drive) + rest


def is_hidden(entry: os.DirEntry[str]) -> bool:
    """Return whether a file or folder is hidden: by a dot, or on Windows by an attribute.

    The recycle bins of disks have that attribute.
    """
    if entry.name.startswith(".") or not IS_WINDOWS:
        return entry.name.startswith(".")
    attributes = getattr(entry.stat(follow_symlinks=False), "st_file_attributes", 0)
    return bool(attributes & stat.FILE_ATTRIBUTE_HIDDEN)


def use_escape_sequences(descriptor: int) -> None:
    """Let a console of Windows act on escape sequences, as other terminals do."""
    if _msvcrt is None:
        return
    import ctypes

    windows: Any = ctypes
    kernel = windows.WinDLL("kernel32")
    console, mode = ctypes.c_void_p(_handle_of(descriptor)), ctypes.c_ulong()
    if kernel.GetConsoleMode(console, ctypes.byref(mode)):  # it is a console
        kernel.SetConsoleMode(console, mode.value | _ENABLE_VIRTUAL_TERMINAL_PROCESSING)


def is_closed_pipe(error: OSError) -> bool:
    """Return whether writing failed because the reader of a pipe has gone.

    Windows gives the same error for an invalid argument.
    """
    return error.errno == errno.EPIPE or (IS_WINDOWS and error.errno == errno.EINVAL)


def matching_files(words: Iterable[str]) -> list[str]:
    """Replace words with ``*`` or ``?`` by the names of the files that they match, if any do.

    The shells of other systems than Windows have done so already.
    """
    if not IS_WINDOWS:
        return list(words)
    import glob

    def matches(word: str) -> list[str]:
        is_pattern = not {"*", "?"}.isdisjoint(word)
        return sorted(glob.glob(word.replace("[", "[[]"))) if is_pattern else []

    return [name for word in words for name in matches(word) or [word]]


def is_open_to_others(status: os.stat_result) -> bool:
    """Return whether other users may read or write a file, as far as its mode tells."""
    return not IS_WINDOWS and bool(status.st_mode & (stat.S_IRWXG | stat.S_IRWXO))


# Processes


def interpreter() -> tuple[str, dict[str, str]]:
    """Return the path of this Python, and the environment variables that it needs.

    The program of a virtual environment of Windows only starts another process. That one would stay
    when its grandparent is killed.
    """
    program: str = getattr(sys, "_base_executable", sys.executable)
    if not IS_WINDOWS or program == sys.executable:
        return sys.executable, {}
    return program, {"__PYVENV_LAUNCHER__": sys.executable}


def connected_pair() -> tuple[Connection, Connection]:
    """Return the two ends of a pipe between this process and a child."""
    from multiprocessing.connection import Pipe

    pipe: Any = Pipe  # type checkers give it another type on Windows
    ours, theirs = pipe()
    if not IS_WINDOWS:
        import socket

        with socket.socket(fileno=os.dup(theirs.fileno())) as theirs_again:
            theirs_again.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
    return ours, theirs


def waiter(end: Connection) -> Callable[[float], bool]:
    """Return a function that waits some seconds, and returns whether there is a message to read."""
    if not hasattr(_select, "poll"):
        return end.poll
    poll = _select.poll()  # made once; `Connection.poll` makes one for each message
    poll.register(end.fileno(), _select.POLLIN)
    return lambda seconds: bool(poll.poll(1e3 * seconds))


def inherited(*files: Connection | int) -> tuple[list[str], dict[str, Any]]:
    """Prepare for a child to inherit open files, and no others.

    Parameters
    ----------
    *files : connection or int
        Ends of pipes, and descriptors of files.

    Returns
    -------
    (list of str, dict)
        For each file the argument by which the child opens it, with `inherited_connection` or
        `inherited_file`; and the options to start the child with.
    """
    handles = [file.fileno() if not isinstance(file, int) else _handle_of(file) for file in files]
    arguments = list(map(str, handles))
    if not IS_WINDOWS:
        return arguments, {"pass_fds": handles}
    import subprocess

    windows: Any = subprocess
    for handle in handles:
        _os.set_handle_inheritable(handle, True)
    # Of the handles that can be inherited, a child then gets only these.
    return arguments, {"startupinfo": windows.STARTUPINFO(lpAttributeList={"handle_list": handles})}


def inherited_connection(argument: str) -> Connection:
    """Return the end of a pipe that the parent passed as an argument, see `inherited`."""
    import multiprocessing.connection as ends

    kind: Any = getattr(ends, "PipeConnection", ends.Connection)
    result: Connection = kind(int(argument))
    return result


def inherited_file(argument: str) -> int:
    """Return the descriptor of a file for writing that the parent passed, see `inherited`."""
    handle = int(argument)
    if _msvcrt is None:
        return handle
    descriptor: int = _msvcrt.open_osfhandle(handle, _os.O_BINARY)
    return descriptor


def _handle_of(descriptor: int) -> int:
    if _msvcrt is None:
        return descriptor
    handle: int = _msvcrt.get_osfhandle(descriptor)
    return handle


def send_file(receiver: Connection, descriptor: int, process_id: int) -> None:
    """Send an open file to a child. Only where `HAS_DESCRIPTOR_PATHS`."""
    from multiprocessing.reduction import send_handle

    send: Any = send_handle
    send(receiver, descriptor, process_id)


def received_file(sender: Connection) -> int:
    """Return the descriptor of a file that the parent sent by `send_file`."""
    from multiprocessing.reduction import recv_handle

    receive: Any = recv_handle
    descriptor: int = receive(sender)
    return descriptor


def was_killed(status: int) -> bool:
    """Return whether a process with this exit status was killed by the system or a user.

    Windows doesn't tell.
    """
    return status == -_KILLED


def exit_cause(status: int) -> str:
    """Return the name of the signal or the status with which a process ended, in words.

    Examples
    --------
    >>> exit_cause(3), exit_cause(0xC0000005)
    ('exit status 3', 'exit status 0xC0000005')
    """
    if status < 0:
        return signal.Signals(-status).name
    return f"exit status {status}" if status < 256 else f"exit status 0x{status:08X}"


def limit_resources(memory_bytes: int, file_bytes: int) -> bool:
    """Limit this process's memory and the files that it writes, and let it leave no memory dump.

    Returns
    -------
    bool
        Whether the system limits its memory; only Linux does. Elsewhere, watch `used_memory`.
    """
    if _resource is None:
        return False
    limits = {_resource.RLIMIT_FSIZE: file_bytes, _resource.RLIMIT_CORE: 0}
    if IS_LINUX:
        limits[_resource.RLIMIT_DATA] = memory_bytes
    for kind, limit in limits.items():
        _, hard = _resource.getrlimit(kind)
        lower = limit if hard == _resource.RLIM_INFINITY else min(limit, hard)
        _resource.setrlimit(kind, (lower, lower))
    return IS_LINUX


def used_memory() -> int:
    """Return the memory that this process takes, in bytes."""
    import psutil

    return int(psutil.Process().memory_info().rss)


def parent_lookout() -> Callable[[], bool]:
    """Return a function that tells whether the parent of this process is still running."""
    parent_id = os.getppid()
    if not IS_WINDOWS:
        return lambda: os.getppid() == parent_id
    import psutil

    return psutil.Process(parent_id).is_running


def raise_descriptor_limit(wanted: int) -> int:
    """Raise the number of files that this process may open at once.

    Returns
    -------
    int
        The limit, but at most ``wanted``. Windows has none.
    """
    if _resource is None:
        return wanted
    soft, hard = _resource.getrlimit(_resource.RLIMIT_NOFILE)
    if soft == _resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    possible = wanted if hard == _resource.RLIM_INFINITY else min(wanted, hard)
    _resource.setrlimit(_resource.RLIMIT_NOFILE, (possible, hard))
    return int(possible)


def n_cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def lower_priority(nice: int) -> None:
    """Leave the processor to other programs.

    Parameters
    ----------
    nice : int
        From 0 to 19: how much. Windows has one step.
    """
    if hasattr(os, "nice"):
        os.nice(nice)
    elif nice:
        import psutil

        windows: Any = psutil
        psutil.Process().nice(windows.BELOW_NORMAL_PRIORITY_CLASS)


def sync_disks() -> None:
    """Wait until all files are on their disks, where the system can."""
    if hasattr(os, "sync"):
        os.sync()
