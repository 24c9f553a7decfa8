"""Run the audio programs that make inputs which Python packages can't make."""

from __future__ import annotations

import shutil
import subprocess


def run_program(name: str, *arguments: object, stdin: bytes | None = None) -> bytes:
    """Run a program such as ffmpeg, sox, flac, lame or opusenc, and return its standard output."""
    program = shutil.which(name)
    assert program, f"Install {name}: it makes the inputs of this test."
    result = subprocess.run(
        [program, *map(str, arguments)], input=stdin, capture_output=True, check=False
    )
    assert result.returncode == 0, result.stderr.decode(errors="replace")
    return result.stdout
