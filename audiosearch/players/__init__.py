"""Music players and servers that playlists are sent to. One module or folder a player.

`open_player` returns a `Player` for an address like ``mpd://localhost:6600``.
"""

from audiosearch.players.address import PlayerAddress
from audiosearch.players.open import open_player
from audiosearch.players.player import Player, SendOptions, SendResult

__all__ = [
    "Player",
    "PlayerAddress",
    "SendOptions",
    "SendResult",
    "open_player",
]
