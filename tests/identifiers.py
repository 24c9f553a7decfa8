"""List the identifiers that each package defines, from modules to parameters and attributes.

Usage: python tests/identifiers.py [PACKAGE...]    such as: library library/faiss playlists
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[1] / "audiosearch"


def identifiers(path: Path) -> set[str]:
    """Return the names that a module defines, its own among them."""
    names = {path.stem}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            names.add(node.id if isinstance(node, ast.Name) else node.attr)
    return names


def main() -> None:
    """Print a line per package."""
    areas = defaultdict(set)
    for path in sorted(ROOT.rglob("*.py")):
        areas[path.parent.relative_to(ROOT).as_posix()] |= identifiers(path)
    for area in sys.argv[1:] or areas:
        print(f"{area}: {' '.join(sorted(areas[area]))}")


if __name__ == "__main__":
    main()
