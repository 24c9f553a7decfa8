"""Listening histories: files in which other programs say which music was played, and when."""

from audiosearch.plays.history import ListeningHistory, Recording
from audiosearch.plays.read import read_history

__all__ = ["ListeningHistory", "Recording", "read_history"]
