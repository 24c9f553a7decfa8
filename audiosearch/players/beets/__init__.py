"""Libraries of beets: their index follows them, and hits are their items.

The plugin itself is ``audiosearch/players/beetsplug/audiosearch.py``.
"""
