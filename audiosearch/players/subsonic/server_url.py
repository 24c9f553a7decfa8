"""URLs of Subsonic servers."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from audiosearch.errors import UsageError

if TYPE_CHECKING:
    from audiosearch.players.address import PlayerAddress

#: Ends of host names that only exist in a network at home.
_HOME = (".localhost", ".local", ".lan", ".home", ".internal", ".home.arpa")


def server_url(address: PlayerAddress) -> str:
    """Return the URL of the server at an address, without "/" at its end.

    ``subsonic+http://`` and ``subsonic+https://`` say how to connect. ``subsonic://`` means https,
    or http for a host in the user's own network, unless the port is 443.

    Raises
    ------
    UsageError
        If the address names no host.

    Examples
    --------
    >>> from audiosearch.players.address import PlayerAddress
    >>> server_url(PlayerAddress.parse("subsonic://ann@music.example/nav"))
    'https://music.example/nav'
    >>> server_url(PlayerAddress.parse("subsonic://ann@nas:4533"))
    'http://nas:4533'
    """
    if not address.host:
        raise UsageError(
            f"{address} names no server.", hint="Enter an address like subsonic://USER@HOST."
        )
    _, _, scheme = address.scheme.partition("+")
    if not scheme:
        is_plain = is_own_network(address.host) and address.port != 443
        scheme = "http" if is_plain else "https"
    return f"{scheme}://{str(address).partition('://')[2]}".removesuffix("/rest")


def is_own_network(host: str) -> bool:
    """Return whether a host is this machine, or in a network at home.

    These are private IP addresses, names without a dot, and names like ``nas.local``.

    Examples
    --------
    >>> [is_own_network(host) for host in ("192.168.1.5", "nas", "nas.lan", "music.example")]
    [True, True, True, False]
    """
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_private
    except ValueError:
        return "." not in host or host.lower().endswith(_HOME)


def checked_server_url(url: str) -> str:
    """Return the URL of a server that a proxy passes requests on to, without "/" at its end.

    Raises
    ------
    UsageError
        If it isn't the http or https URL of a server, or holds a user name: the proxy would let
        everybody in under that name.
    """
    hint = "Enter an address like http://localhost:4533."
    try:
        parts = urlsplit(url)
        is_server = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_server = False
    if not is_server or parts.query or parts.fragment:
        raise UsageError("This is not the address of a music server.", hint=hint)
    if "@" in parts.netloc:
        raise UsageError(
            "The address of the music server holds a user name.",
            hint="Leave it out: each app sends its own.",
        )
    return url.rstrip("/").removesuffix("/rest")
