"""The examples run, and print the expected output."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("01_embed_a_sound", "128 values, of length 1.000"),
        ("02_add_and_search", "1. bell-"),
        ("03_sounds_like_playlist", "#EXTINF:3,Low Ceiling - Groove at the Border"),
        ("04_from_samples", "patches (3, 96, 64), one vector each: (3, 128)"),
    ],
)
def test_an_example_prints_the_expected_line(name, line):
    script = EXAMPLES / f"{name}.py"
    run = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert line in run.stdout


def test_every_example_is_tested():
    tested = test_an_example_prints_the_expected_line.pytestmark[0].args[1]
    assert sorted(name for name, _ in tested) == sorted(path.stem for path in EXAMPLES.glob("*.py"))
