"""Addresses of players: ``mpd://[password@]HOST:PORT``, ``subsonic://USER@HOST[:PORT][/path]``.

``subsonic+http://`` and ``subsonic+https://`` say how to connect: see
`audiosearch.players.subsonic.server_url`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from audiosearch.errors import UsageError

SCHEMES = ("mpd", "subsonic", "subsonic+http", "subsonic+https")
_HINT = "Enter an address like mpd://localhost:6600 or subsonic://USER@HOST/path."
_SIGNS_HINT = "In a password, write %23 for #, %2F for /, %3F for ?, %40 for @, and %25 for %."


@dataclass(frozen=True, slots=True)
class PlayerAddress:
    """Address of a player or a music server.

    Attributes
    ----------
    scheme : str
        One of `SCHEMES`.
    host : str
        Name or IP address; for ``mpd:///path/of/socket`` empty.
    port : int or None
    user : str or None
        Text before "@": for MPD, the password.
    password : str or None
        Never part of ``str(address)``.
    path : str
        The rest, without "/" at its end; percent signs are decoded in the path of a socket.
    """

    scheme: str
    host: str
    port: int | None = None
    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    path: str = ""

    @classmethod
    def parse(cls, text: str) -> PlayerAddress:
        """Read an address.

        Raises
        ------
        UsageError
            If it is no address of a player.

        Examples
        --------
        >>> PlayerAddress.parse("subsonic://ann@music.example:4533/nav").path
        '/nav'
        """
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError as exc:
            has_signs = re.search(r"//.*[#/?].*@", text)
            raise _no_address(text, hint=_SIGNS_HINT if has_signs else _HINT) from exc
        has_slashes = text.startswith(f"{parts.scheme}://")
        if parts.scheme not in SCHEMES or not has_slashes or not (parts.hostname or parts.path):
            raise _no_address(text)
        if parts.query or parts.fragment or (parts.hostname and "@" in parts.path):
            raise _no_address(text, hint=_SIGNS_HINT)  # a part of the password would be the host
        user, password = (
            None if part is None else unquote(part) for part in (parts.username, parts.password)
        )
        path = parts.path.rstrip("/") if parts.hostname else unquote(parts.path)
        return cls(parts.scheme, parts.hostname or "", port, user, password, path)

    def __str__(self) -> str:
        """Return the address without user and password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port is None else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path}"


def _no_address(text: str, hint: str = _HINT) -> UsageError:
    """Return the error that a text is no address of a player. It doesn't show a password."""
    shown = re.sub(r"//.*@", "//", text)
    return UsageError(f"{shown} is not the address of a player.", hint=hint)
