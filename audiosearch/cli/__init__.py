"""The command line. A command parses its options, calls one function and prints the result."""

from audiosearch.cli.app import app, main

__all__ = ["app", "main"]
