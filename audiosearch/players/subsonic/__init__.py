"""Servers with the Subsonic or OpenSubsonic interface: Navidrome, Airsonic, Gonic and others."""

from audiosearch.players.subsonic.player import SubsonicPlayer

__all__ = ["SubsonicPlayer"]
