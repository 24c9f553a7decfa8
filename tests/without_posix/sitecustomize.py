"""Take from every process that has this folder on PYTHONPATH what Windows lacks.

Processes then inherit files by handles, as on Windows, and `audiosearch.system` takes its Windows
branches. Here, a handle is a file descriptor. A file that this process has open can't be replaced
or removed.
"""

import builtins
import contextlib
import importlib
import os
import select
import subprocess
import sys
import types
import warnings

import psutil._psposix  # before what is missing on Windows is gone, which it uses on Linux

psutil._psposix.select = types.SimpleNamespace(**vars(select))
# Packages that do without these modules on Windows, but ask for the system by its name.
_USERS = {"fcntl": "milvus_lite.db", "pwd": "ray._private.utils"}
_used = {(name, user): importlib.import_module(name) for name, user in _USERS.items()}
for _name in ("fcntl", "grp", "pwd", "resource", "termios"):
    sys.modules[_name] = None
_import = builtins.__import__


def _imported(name, variables=None, *others, **options):
    used = _used.get((name, (variables or {}).get("__name__")))
    return used or _import(name, variables, *others, **options)


builtins.__import__ = _imported
for _module, _names in {
    select: ["poll", "epoll"],
    os: ["fchdir", "nice", "pread", "pwrite", "sched_getaffinity", "sync"],
}.items():
    for _name in _names:
        delattr(_module, _name)
for _name in ("O_CLOEXEC", "O_NOCTTY", "O_NOFOLLOW", "O_NONBLOCK", "O_PATH"):
    delattr(os, _name)

_isdir = os.path.isdir
os.path.isdir = lambda path: path != "/proc/self/fd" and _isdir(path)
sys._base_executable = sys.executable  # here, that of a virtual environment starts no other one
os.set_handle_inheritable = lambda _handle, _inheritable: None
psutil.BELOW_NORMAL_PRIORITY_CLASS = 10  # a niceness
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # "only soft file lock is available"
    import filelock  # noqa: F401


class _StartupInfo:
    def __init__(self, *, lpAttributeList):  # noqa: N803  (its name on Windows)
        self.handles = lpAttributeList["handle_list"]


subprocess.STARTUPINFO = _StartupInfo
_start = subprocess.Popen.__init__


def _started(self, args, *positional, pass_fds=(), startupinfo=None, close_fds=True, **options):
    if pass_fds:
        message = "pass_fds not supported on Windows."
        raise ValueError(message)
    handles = startupinfo.handles if startupinfo else ()
    if handles and not close_fds:
        warnings.warn(
            "startupinfo.lpAttributeList['handle_list'] overriding close_fds", stacklevel=2
        )
    _start(self, args, *positional, pass_fds=handles, **options)


subprocess.Popen.__init__ = _started


def _unless_open(function):
    def changed(path, *others, **options):
        for name in (path, *others):
            if _is_open(name):
                raise PermissionError(13, "a process has the file open", os.fspath(name))
        return function(path, *others, **options)

    return changed


def _is_open(path):
    real = os.path.realpath(path)
    # filelock has other locks on Windows, which remove no file that is open.
    if not os.path.isfile(real) or ".lock" in os.path.basename(real):
        return False
    with os.scandir("/proc/self/fd") as entries:
        for entry in entries:
            with contextlib.suppress(OSError):  # closed meanwhile
                if os.readlink(entry.path) == real:
                    return True
    with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as lines:
        return any(line.rstrip("\n").endswith(f" {real}") for line in lines)


for _name in ("replace", "rename", "unlink", "remove"):
    setattr(os, _name, _unless_open(getattr(os, _name)))


def _fsencode(name):
    name = os.fspath(name)
    return name.encode("utf-8", "surrogatepass") if isinstance(name, str) else name


def _fsdecode(name):
    name = os.fspath(name)
    return name.decode("utf-8", "surrogatepass") if isinstance(name, bytes) else name


os.fsencode, os.fsdecode = _fsencode, _fsdecode
