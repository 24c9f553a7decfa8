"""Passwords of music servers: from the address, the environment, a file, or the user."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from audiosearch import system
from audiosearch.errors import PlayerError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from audiosearch.players.address import PlayerAddress

VARIABLE = "AUDIOSEARCH_SUBSONIC_PASSWORD"


def passwords_file() -> Path:
    """Return the path of the user's file of passwords, which may not exist.

    Each line is ``USER@HOST[:PORT][/path] PASSWORD``, as in the server's address.
    """
    from platformdirs import user_config_path

    return user_config_path("audiosearch", appauthor=False) / "passwords"


def find_password(address: PlayerAddress, ask: Callable[[str], str] | None = None) -> str:
    """Return the password of a user of a music server.

    It comes from the address, the environment variable `VARIABLE`, the `passwords_file`, or the
    user, in this order.

    Parameters
    ----------
    address : PlayerAddress
    ask : callable, optional
        Takes a question and returns the user's answer. Default: nobody is asked.

    Raises
    ------
    PlayerError
        If there is no password, or other users may read the file.
    """
    password = address.password or os.environ.get(VARIABLE) or _from_file(address)
    if password:
        return password
    account = _account(address)
    if ask is not None:
        return ask(f"Password of {account}")
    raise PlayerError(
        f"There is no password for {account}.",
        hint=f"Set {VARIABLE}, or write the line `{account} PASSWORD` into {passwords_file()}, "
        "a file that only you may read (chmod 600).",
    )


def _account(address: PlayerAddress) -> str:
    return f"{address.user}@{str(address).partition('://')[2]}"


def _from_file(address: PlayerAddress) -> str | None:
    path = passwords_file()
    try:
        with path.open(encoding="utf-8") as file:
            status = os.fstat(file.fileno())
            text = file.read()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as exc:
        raise PlayerError(
            f"The file of passwords {path} can't be read.",
            hint="Check its permissions; it is a text in UTF-8.",
        ) from exc
    if system.is_open_to_others(status):
        raise PlayerError(
            f"Other users may read the file of passwords {path}.", hint=f"chmod 600 {path}"
        )
    account = _account(address)
    lines = (line.strip().split(maxsplit=1) for line in text.splitlines())
    return next((parts[1] for parts in lines if len(parts) == 2 and parts[0] == account), None)
