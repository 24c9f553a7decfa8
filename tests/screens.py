"""Screens on which pages are tested, and their accessibility."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

#: Color schemes and widths in pixels. Each occurs once, and in the long tests with the other too.
SCREENS = [
    ("light", 1280),
    ("dark", 390),
    pytest.param("light", 390, marks=pytest.mark.long),
    pytest.param("dark", 1280, marks=pytest.mark.long),
]


def serious_violations(frame: Any) -> list[tuple[str, list[str]]]:
    """Rules of accessibility that a page or frame breaks seriously, and the elements that do."""
    violations = Axe().run(frame).response["violations"]
    serious = [one for one in violations if one["impact"] in {"serious", "critical"}]
    return [(one["id"], [node["html"] for node in one["nodes"]]) for one in serious]
