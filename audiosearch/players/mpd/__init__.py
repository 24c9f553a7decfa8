"""MPD, the Music Player Daemon."""

from audiosearch.players.mpd.player import MpdPlayer

__all__ = ["MpdPlayer"]
