"""The benchmarks start: their imports and options are those of today."""

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = sorted((Path(__file__).parent / "benchmarks").glob("*.py"))


@pytest.mark.parametrize("path", BENCHMARKS, ids=lambda path: path.stem)
def test_a_benchmark_says_how_to_use_it(path):
    shown = subprocess.run(
        [sys.executable, path, "--help"], check=True, capture_output=True, text=True
    )
    assert f"python tests/benchmarks/{path.name}" in " ".join(shown.stdout.split())
