"""Connections to MPD, with errors that say what happened and what to do next."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from audiosearch.errors import (
    LoginRefused,
    MissingExtra,
    PlayerError,
    PlayerUnreachable,
    UsageError,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mpd import CommandError, MPDClient

    from audiosearch.players.address import PlayerAddress

DEFAULT_PORT = 6600
_TAGS = ("Artist", "Title")  # that are read; MPD breaks off answers of more than 8 MiB
_MAX_LIST_BYTES = 2**19  # MPD breaks off the connection at a list of commands of 2 MiB
_COMMAND_BYTES = 50  # of a command without its song
TIMEOUT_S = 10.0  # wait for each part of an answer, and for the connection
_CHECK_HINT = "Start MPD, or check the host and the port: `mpc -h HOST -p PORT status`."
_LOST_HINT = "Run the same command again."
_LOG_IN_HINT = "Check the password before the host: mpd://PASSWORD@HOST."


def require_client() -> None:
    """Check that MPD's client is installed.

    Raises
    ------
    MissingExtra
        If it isn't.
    """
    try:
        import mpd  # noqa: F401  (only whether it can be imported)
    except ImportError as exc:
        raise MissingExtra("An address of MPD", "python-mpd2", "mpd") from exc


def check_address(address: PlayerAddress) -> None:
    """Check that an address names either a host or a socket.

    Raises
    ------
    UsageError
        If it names both.
    """
    if address.host and address.path:
        raise UsageError(
            f"{address} names a host and a path.",
            hint="Use mpd://HOST:PORT, or mpd:///PATH for a socket on this machine.",
        )


def is_sendable(text: str) -> bool:
    """Return whether MPD's protocol can carry a text: no line breaks, and no lone surrogates."""
    try:
        text.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        return False
    return not any(char in text for char in "\n\r\0")


def parts(uris: Iterable[str]) -> Iterator[list[str]]:
    """Divide names of songs into parts that fit into one list of commands each."""
    part: list[str] = []
    n_bytes = 0
    for uri in uris:
        n_command_bytes = len(uri.encode(errors="surrogateescape")) + _COMMAND_BYTES
        n_bytes += n_command_bytes
        if part and n_bytes > _MAX_LIST_BYTES:
            yield part
            part, n_bytes = [], n_command_bytes
        part.append(uri)
    if part:
        yield part


@contextmanager
def connected(address: PlayerAddress, needs: Iterable[str] = ()) -> Iterator[MPDClient]:
    """Connect to MPD, and disconnect at the end.

    Only calls of the client belong into the block, because its errors are taken for those of MPD.

    Parameters
    ----------
    address : PlayerAddress
    needs : iterable of str
        Commands that MPD must permit.

    Raises
    ------
    PlayerUnreachable
        If MPD doesn't answer, or the connection is lost.
    PlayerError
        If MPD refuses a command or the password.
    """
    from audiosearch.players.mpd.client import Client

    client = Client()
    client.timeout = TIMEOUT_S
    try:
        with translated_errors(address):
            if not address.host:
                os.stat(address.path)  # the client would leave its own socket open
            client.connect(address.host or address.path, address.port or DEFAULT_PORT)
            _log_in(client, address, needs)
        yield client
    finally:
        client.disconnect()


@contextmanager
def translated_errors(address: PlayerAddress) -> Iterator[None]:
    """Raise errors of the client's calls as errors for users; see `connected`."""
    import mpd

    try:
        yield
    except mpd.CommandError as exc:
        raise _refusal(address, exc) from exc
    except TimeoutError as exc:
        raise PlayerUnreachable(
            f"MPD at {address} didn't answer within {TIMEOUT_S:g} seconds.", hint=_CHECK_HINT
        ) from exc
    except (mpd.ConnectionError, ConnectionResetError, BrokenPipeError) as exc:
        raise PlayerUnreachable(
            f"The connection to MPD at {address} was lost.", hint=_LOST_HINT
        ) from exc
    except (mpd.MPDError, UnicodeDecodeError) as exc:
        raise PlayerError(
            f"The program that answers at {address} isn't MPD.", hint=_CHECK_HINT
        ) from exc
    except (OSError, UnicodeError) as exc:
        reason = getattr(exc, "strerror", None) or "there can be no such host"
        raise PlayerUnreachable(
            f"Can't connect to MPD at {address}: {reason}.", hint=_CHECK_HINT
        ) from exc


def _log_in(client: MPDClient, address: PlayerAddress, needs: Iterable[str]) -> None:
    password = ":".join(filter(None, (address.user, address.password)))  # MPD has no users
    if password:
        if not is_sendable(password):
            raise LoginRefused(f"MPD at {address} refuses the password.", hint=_LOG_IN_HINT)
        client.password(password)
    permitted = set(client.commands())
    missing = sorted(set(needs) - permitted)
    if missing:
        raise PlayerError(
            f"MPD at {address} doesn't permit the command {missing[0]}.", hint=_LOG_IN_HINT
        )
    if "tagtypes" in permitted:
        client.tagtypes("clear")
        client.tagtypes("enable", *_TAGS)


def _refusal(address: PlayerAddress, error: CommandError) -> PlayerError:
    from mpd import FailureResponseCode

    codes = FailureResponseCode
    if error.errno is codes.PASSWORD:
        return LoginRefused(f"MPD at {address} refuses the password.", hint=_LOG_IN_HINT)
    if error.errno is codes.PERMISSION:
        return PlayerError(f"MPD at {address} doesn't permit this.", hint=_LOG_IN_HINT)
    if error.errno is codes.PLAYLIST_MAX:
        return PlayerError(
            f"MPD at {address} can't hold so many tracks in one playlist.",
            hint="Send fewer tracks, or increase max_playlist_length in mpd.conf.",
        )
    return PlayerError(
        f"MPD at {address} refuses the command {error.command}: {error.msg}.",
        hint="Look into MPD's log and its settings in mpd.conf.",
    )
