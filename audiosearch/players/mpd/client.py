"""Client of MPD that takes all names of files, as Python does in paths."""

from __future__ import annotations

import io

from mpd import MPDClient

_ERRORS = "surrogateescape"


class Client(MPDClient):  # type: ignore[misc]  # (without types)
    """Client of MPD. Bytes that aren't UTF-8 are decoded and sent with ``surrogateescape``."""

    _rbfile: io.BufferedReader

    def connect(self, host: str, port: int | None = None) -> None:
        """Connect to a host, or to a socket."""
        super().connect(host, port)
        self._rbfile = _Answers(self._rbfile.detach())
        self._wfile.reconfigure(errors=_ERRORS)


class _Answers(io.BufferedReader):
    def readline(self, size: int | None = -1) -> bytes:
        return _Line(super().readline(size))


class _Line(bytes):
    def decode(self, encoding: str = "utf-8", errors: str = _ERRORS) -> str:
        return super().decode(encoding, errors)
