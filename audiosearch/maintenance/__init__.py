"""Upkeep of an index: check and repair, files, tags, export, import, copy, optimize."""
