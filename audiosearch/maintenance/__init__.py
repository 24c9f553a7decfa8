"""Maintenance of an index: doctor, prune, relocate, refresh, export, import, copy, optimize."""
