"""The index: tracks and vectors, stored and searched by one of several backends.

Nothing here depends on audio or models.
"""
