"""Limits for child processes that decode files: a memory limit, and exit with the parent."""

from __future__ import annotations

import os
import threading
import time

#: Memory that a decoding process may take. Decoders use a hundredth of it, except on malformed
#: files.
MAX_MEMORY_BYTES = 2 << 30


def limit_memory() -> None:
    """Limit the memory of this process to `MAX_MEMORY_BYTES`."""
    try:
        import resource
    except ImportError:  # the system has no such limits
        return
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limit = MAX_MEMORY_BYTES if hard == resource.RLIM_INFINITY else min(MAX_MEMORY_BYTES, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))


def exit_with_parent() -> None:
    """Exit this process when its parent ends, even if a decoder is in an endless loop."""
    threading.Thread(target=_watch_parent, args=[os.getppid()], daemon=True).start()


def _watch_parent(parent_id: int) -> None:
    while os.getppid() == parent_id:
        time.sleep(1.0)
    os._exit(1)
