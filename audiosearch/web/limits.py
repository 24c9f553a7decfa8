"""Limits of the server."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one request, and of all that are handled at once.

    Attributes
    ----------
    header_bytes : int
        Size of a request's address and headers.
    header_seconds : float
        Time until all headers have arrived, from the start of the connection or from the end of the
        last response.
    upload_bytes : int
        Size of a request body with files.
    other_bytes : int
        Size of a request body without files.
    total_bytes : int
        Size of all request bodies held at once, not counting the first 64 KB of each.
    upload_seconds : float
        Time until the whole body has arrived.
    kept_seconds : float
        Time for which an upload is kept after its last use.
    kept_bytes, kept_uploads : int
        Size of all uploads that are kept, on the disk and in memory; and their number, which is
        smaller if the process may open few files.
    embedding_seconds : float
        Time to decode and embed one file, once it is its turn.
    waiting_seconds : float
        Time that a file waits for its turn.
    waiting_uploads : int
        Number of files that wait for their turn.
    waiting_copies : int
        Number of files of the library that are transcoded for a player, or wait for that.
    waiting_covers : int
        Number of cover images that wait to be made smaller.
    waiting_waveforms : int
        Number of files of the library that are decoded to draw them, or wait for that.
    unread_seconds : float
        Time for which a client may read nothing of its response.
    connections : int
        Number of open connections. There are fewer if the process may open few files.
    index_seconds : float
        Time for the work on the index, and for waiting for it.
    waiting_short, waiting_long : int
        Number of requests that wait for each thread of short work on the index, such as queries,
        and of long work, such as playlists.
    """

    header_bytes: int = 32 * 2**10
    header_seconds: float = 10.0
    upload_bytes: int = 64 * 2**20
    other_bytes: int = 2**20
    total_bytes: int = 256 * 2**20
    upload_seconds: float = 60.0
    kept_seconds: float = 3_600.0
    kept_bytes: int = 200 * 2**20
    kept_uploads: int = 200
    embedding_seconds: float = 60.0
    waiting_seconds: float = 60.0
    waiting_uploads: int = 256
    waiting_copies: int = 8
    waiting_covers: int = 32
    waiting_waveforms: int = 256
    unread_seconds: float = 300.0
    connections: int = 512
    index_seconds: float = 30.0
    waiting_short: int = 1_000
    waiting_long: int = 32
