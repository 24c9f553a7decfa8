"""Embed files into an index: add files, or embed all tracks again with another model."""
