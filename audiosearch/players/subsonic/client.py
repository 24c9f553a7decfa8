"""Requests to a Subsonic server."""

from __future__ import annotations

import contextlib
import hashlib
import secrets
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests

from audiosearch.errors import LoginRefused, PlayerError, PlayerUnreachable, RefusedAnswer
from audiosearch.http_client import HttpClient, body
from audiosearch.json_input import parse_json
from audiosearch.players.subsonic.server_url import is_own_network

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MISSING_PARAMETER, WRONG_PASSWORD, NOT_FOUND = 10, 40, 70  # codes of errors

_VERSION = "1.13.0"  # of the interface: the first one with tokens instead of passwords
#: Codes of a server that wants the password: it has no tokens, or not for this user.
_WANTS_PASSWORD = {MISSING_PARAMETER, 41}
_RESPONSE_SECONDS = 30.0
_MAX_BYTES = 64 * 2**20  # of an answer
_MAX_SECONDS = 60.0
_TLS_HINT = (
    "Check the address and the port. For a certificate authority of your own, set SSL_CERT_FILE to "
    "the file with its certificate."
)


class SubsonicError(PlayerError):
    """Error with a code, as Subsonic defines it.

    Attributes
    ----------
    code : int
    reason : str
        Sentence for the user of an app, who doesn't see the rest of the message.
    """

    def __init__(self, message: str, *, hint: str, reason: str, code: int = 0) -> None:
        super().__init__(message, hint=hint)
        self.code, self.reason = code, reason


class ServerError(SubsonicError):
    """Error that a server answers."""

    def __init__(self, url: str, reason: str, *, code: int = 0) -> None:
        super().__init__(
            f"The server {url} refuses: {reason.rstrip('.')}.",
            hint="Check the user name and the password."
            if code == WRONG_PASSWORD
            else "Look for the reason in the server's log.",
            reason=reason,
            code=code,
        )


class SubsonicClient:
    """Requests to a Subsonic server on behalf of one user.

    Parameters are sent in the body, so that they are in no log of addresses.

    Parameters
    ----------
    url : str
        URL of the server, without "/" at its end.
    credentials : mapping
        Parameters of every request that say who asks, and how to answer.
    headers : mapping, optional
        Headers of every request.
    """

    def __init__(
        self,
        url: str,
        credentials: Mapping[str, str | list[str]],
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._url = url
        self._parameters = {**credentials, "f": "json"}
        self._headers = headers or {}
        self._is_ended = False
        self._http = HttpClient(
            url, response_seconds=_RESPONSE_SECONDS, stall_seconds=_RESPONSE_SECONDS
        )

    def __enter__(self) -> SubsonicClient:
        return self

    def __exit__(self, *exception: object) -> None:
        self._http.close()

    def end(self) -> None:
        """Let all further requests fail, because nobody waits for them. Any thread may call it."""
        self._is_ended = True

    def call(self, method: str, **parameters: str | int | list[str]) -> dict[str, Any]:
        """Call a method of the server, and return the answer's ``subsonic-response``.

        Raises
        ------
        ServerError
            If the server answers with an error.
        PlayerError
            If there is no answer, or it isn't that of a Subsonic server.
        """
        if self._is_ended:
            reason = "Nobody waits for the answer any more."
            raise SubsonicError(reason, hint="Send another request.", reason=reason)
        form = self._parameters | {
            # Names of files may have bytes that are no text.
            name: value if isinstance(value, list) else str(value).encode(errors="replace").decode()
            for name, value in parameters.items()
        }
        status, content = self._post(f"{self._url}/rest/{method}.view", form)
        try:
            answer = parse_json(content)["subsonic-response"]
            if answer["status"] == "ok":
                return dict(answer)
            error = answer["error"]
            code, message = int(error["code"]), str(error.get("message") or "no reason given")
        except (ValueError, KeyError, TypeError, AttributeError) as exc:
            raise PlayerError(
                f"{self._url} doesn't answer like a Subsonic server (status {status}).",
                hint="Check the address and its path; subsonic+http:// and subsonic+https:// say "
                "how to connect.",
            ) from exc
        raise ServerError(self._url, message, code=code)

    def _post(self, url: str, form: Mapping[str, str | list[str]]) -> tuple[int, bytes]:
        try:
            response = self._http.post(url, form, self._headers)
            parts = body(response, max_bytes=_MAX_BYTES, max_seconds=_MAX_SECONDS)
            return response.status_code, b"".join(parts)
        except (requests.RequestException, RefusedAnswer) as exc:
            raise PlayerUnreachable(
                f"The server {self._url} can't be used: {_reason(exc)}.",
                hint=_TLS_HINT
                if isinstance(exc, requests.exceptions.SSLError)
                else "Check the address, and whether the server runs; subsonic+http:// and "
                "subsonic+https:// say how to connect.",
            ) from exc


@contextlib.contextmanager
def logged_in(url: str, user: str, password: str) -> Iterator[SubsonicClient]:
    """Let the block use a client that the server accepts.

    The server gets a salted digest of the password. A server that knows no digests gets the
    password itself, if the connection is encrypted or stays in the user's own network.

    Raises
    ------
    LoginRefused
        If the server refuses the user or the password.
    PlayerError
        If it can't be reached, or refuses something else.
    """
    salt = secrets.token_hex(8)
    token = hashlib.md5(f"{password}{salt}".encode(), usedforsecurity=False).hexdigest()
    who = {"u": user, "v": _VERSION, "c": "audiosearch"}
    with SubsonicClient(url, {**who, "t": token, "s": salt}) as client:
        if _knows_digests(client):
            yield client
            return
    parts = urlsplit(url)
    if parts.scheme == "http" and not is_own_network(parts.hostname or ""):
        raise PlayerError(
            f"The server {url} wants the password over a connection that isn't encrypted.",
            hint="Connect by subsonic+https://.",
        )
    with SubsonicClient(url, {**who, "p": f"enc:{password.encode().hex()}"}) as client:
        _log_in(client)
        yield client


def _knows_digests(client: SubsonicClient) -> bool:
    """Return whether the server accepts a client; False if it wants the password instead."""
    try:
        _log_in(client)
    except ServerError as exc:
        if exc.code in _WANTS_PASSWORD:
            return False
        raise
    return True


def _log_in(client: SubsonicClient) -> None:
    try:
        client.call("ping")
    except ServerError as exc:
        if exc.code == WRONG_PASSWORD:
            raise LoginRefused(str(exc), hint=exc.hint) from exc
        raise


def items(answer: Any, *names: str) -> list[dict[str, Any]]:
    """Return the elements of a list in an answer: an empty list if it is missing.

    Examples
    --------
    >>> items({"album": {"song": [{"id": "1"}]}}, "album", "song")
    [{'id': '1'}]
    """
    for name in names:
        answer = answer.get(name) if isinstance(answer, dict) else None
    if isinstance(answer, dict):  # some servers write a list of one as its element
        answer = [answer]
    return [item for item in answer or () if isinstance(item, dict) and item.get("id")]


def _reason(error: Exception) -> str:
    """Return why there is no answer, as a phrase without addresses or parameters."""
    if isinstance(error, RefusedAnswer):
        return str(error)
    for kind, reason in (
        (requests.exceptions.SSLError, "it has no https with a trusted certificate"),
        (requests.Timeout, "it doesn't answer in time"),
        (requests.ConnectionError, "no connection"),
    ):
        if isinstance(error, kind):
            return reason
    return "it sends no valid answer"
