"""Limits that a process sets itself before it decodes files, in case a file takes control of it.

=====================  =============================================================================
memory                 at most `MAX_MEMORY_BYTES`; other systems than Linux look at it ten times a
                       second
lifetime               the process ends with its parent
size of a file         Linux and macOS: at most `MAX_FILE_BYTES`
memory dumps           Linux and macOS: none
files, programs        Linux 5.13 and later, by Landlock: it can read files, but not write, make or
                       remove any, nor start programs
network                Linux 6.7: it can't open or accept TCP connections
other processes        Linux 6.12: it can't send signals to them
=====================  =============================================================================

Containers that forbid Landlock have only the first four.
"""

from __future__ import annotations

import ctypes
import os
import threading
import time

from audiosearch import system

#: Memory that a decoding process may take. Decoders use a hundredth of it, except on malformed
#: files.
MAX_MEMORY_BYTES = 2 << 30

#: Exit status of a process that took more, where the system doesn't refuse it.
OUT_OF_MEMORY_STATUS = 76

#: Size of a file that a decoding process may write: 12 hours of mp3.
MAX_FILE_BYTES = 1 << 30

# From linux/prctl.h, asm-generic/unistd.h and linux/landlock.h.
_PR_SET_NO_NEW_PRIVS = 38
_SYS_CREATE_RULESET, _SYS_RESTRICT_SELF = 444, 446
_CREATE_RULESET_VERSION = 1
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
# First Landlock version, and the rights that it and the versions before it can withhold.
_FILE_RIGHTS = ((1, (1 << 13) - 1), (2, (1 << 14) - 1), (3, (1 << 15) - 1))
_BIND_AND_CONNECT_TCP, _SIGNALS_AND_ABSTRACT_SOCKETS = 3, 3


class _RulesetAttributes(ctypes.Structure):
    _fields_ = (
        ("files", ctypes.c_uint64),
        ("network", ctypes.c_uint64),
        ("scope", ctypes.c_uint64),
    )


def confine() -> None:
    """Limit this process. Call it before the process starts threads or reads any file.

    Threads that libraries started when they were imported would not be limited.
    """
    has_memory_limit = system.limit_resources(MAX_MEMORY_BYTES, MAX_FILE_BYTES)
    if system.IS_LINUX:
        _restrict_access()
    watch = [_exit_with_parent] if has_memory_limit else [_exit_with_parent, _exit_without_memory]
    for function in watch:
        threading.Thread(target=function, daemon=True).start()


def _restrict_access() -> None:
    """Withhold all rights but reading by Landlock, as far as the kernel supports it."""
    libc = ctypes.CDLL(None)
    version = libc.syscall(_SYS_CREATE_RULESET, None, 0, _CREATE_RULESET_VERSION)
    if version < 1:
        return
    rights = max(rights for first, rights in _FILE_RIGHTS if version >= first)
    attributes = _RulesetAttributes(
        files=rights & ~(_READ_FILE | _READ_DIR),
        network=_BIND_AND_CONNECT_TCP if version >= 4 else 0,
        scope=_SIGNALS_AND_ABSTRACT_SOCKETS if version >= 6 else 0,
    )
    size = ctypes.sizeof(attributes)
    ruleset = libc.syscall(_SYS_CREATE_RULESET, ctypes.byref(attributes), size, 0)
    if ruleset >= 0:
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)  # the next call requires it
        libc.syscall(_SYS_RESTRICT_SELF, ruleset, 0)
        os.close(ruleset)


def _exit_with_parent() -> None:
    """Exit this process when its parent ends, even if a decoder is in an endless loop."""
    has_parent = system.parent_lookout()
    while has_parent():
        time.sleep(1.0)
    os._exit(1)


def _exit_without_memory() -> None:
    """Exit this process when it takes too much memory."""
    while system.used_memory() <= MAX_MEMORY_BYTES:
        time.sleep(0.1)
    os._exit(OUT_OF_MEMORY_STATUS)
