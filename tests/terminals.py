"""Run a process on a terminal of its own, and return what it prints there."""

from __future__ import annotations

import contextlib
import os
import struct
import subprocess
import threading


def on_terminal(
    command: list[str], *, columns: int = 80, typed: str = "", check: bool = True
) -> bytes:
    """Run a command with all its streams on a terminal, and return the bytes that it prints.

    Parameters
    ----------
    command : list of str
    columns : int
        Width of the terminal.
    typed : str
        Text that is typed in advance.
    check : bool
        Whether the command must succeed.
    """
    import fcntl  # these modules are missing in some tests
    import pty
    import termios

    terminal, ours = pty.openpty()
    fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    os.write(terminal, typed.encode())
    shown = bytearray()

    def read() -> None:
        with contextlib.suppress(OSError):  # the other end is closed
            while chunk := os.read(terminal, 65_536):
                shown.extend(chunk)

    reader = threading.Thread(target=read)
    reader.start()
    environment = {k: v for k, v in os.environ.items() if k != "COLUMNS"} | {"TERM": "xterm"}
    try:
        subprocess.run(command, stdin=ours, stdout=ours, stderr=ours, env=environment, check=check)
    finally:
        os.close(ours)
        reader.join()
        os.close(terminal)
    return bytes(shown)
