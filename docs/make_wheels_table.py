"""Make the table in docs/install.md again: for which systems the package index has wheels.

It asks pip to install audiosearch's dependencies for another system, without installing anything.

    python docs/make_wheels_table.py [PYPROJECT]
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import tomllib
from packaging.requirements import Requirement

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).with_name("install.md")
START, END = "<!-- wheels -->\n", "<!-- end of wheels -->"
PYTHON = "3.12"
#: Tag of wheels, and the name of the system as Python has it.
SYSTEMS = {"win_amd64": "win32", "macosx_14_0_arm64": "darwin"}
#: Extras that only name others, or that only developers need.
LEFT_OUT = {"dev", "web"}


def main() -> None:
    """Print the table, and write it to the page."""
    path = sys.argv[1] if len(sys.argv) > 1 else PAGE.parents[1] / "pyproject.toml"
    project = tomllib.loads(Path(path).read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    groups = {"(none)": project["dependencies"]}
    groups |= {
        f"`{name}`": list(_with_those_of_extras(extras[name], extras))
        for name in sorted(extras)
        if name not in LEFT_OUT
    }
    rows = [_row(name, texts) for name, texts in groups.items()]
    lines = [
        "| extra | compiled packages | Windows x64 | macOS arm64 |",
        "|---|---|---|---|",
        *rows,
    ]
    table = "\n".join(lines) + "\n"
    sys.stdout.write(table)
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(START)
    PAGE.write_text(f"{before}{START}{table}{END}{rest.partition(END)[2]}", encoding="utf-8")


def _with_those_of_extras(texts: list[str], extras: dict[str, list[str]]) -> Iterator[str]:
    """Yield requirements, with those of audiosearch's own extras in place of their names."""
    for text in texts:
        requirement = Requirement(text)
        if requirement.name == "audiosearch":
            for extra in requirement.extras:
                yield from _with_those_of_extras(extras[extra], extras)
        else:
            yield text


def _row(name: str, texts: list[str]) -> str:
    """Return the line of the table for some requirements."""
    compiled: dict[str, None] = {}
    cells = []
    for tag, platform in SYSTEMS.items():
        wanted = [_without_marker(text) for text in texts if _is_for(text, platform)]
        wheels = _wheels(wanted, tag)
        if wheels is None:
            missing = [text for text in wanted if _wheels([text], tag) is None]
            cells.append(f"no: {', '.join(Requirement(text).name for text in missing)}")
            continue
        cells.append("yes")
        compiled |= {package: None for package, file in wheels if not file.endswith("-any.whl")}
    return f"| {name} | {', '.join(sorted(compiled)) or 'none'} | {' | '.join(cells)} |"


def _is_for(text: str, platform: str) -> bool:
    marker = Requirement(text).marker
    environment = {"sys_platform": platform, "python_version": PYTHON}
    return marker is None or marker.evaluate(environment)


def _without_marker(text: str) -> str:
    return re.split(";", text)[0].strip()


def _wheels(requirements: list[str], tag: str) -> list[tuple[str, str]] | None:
    """Return each package with its version, and the file of its wheel; None if one is missing."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        command = [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"),
            *("--only-binary=:all:", f"--platform={tag}", f"--python-version={PYTHON}"),
            *(f"--target={folder}", f"--report={report}", *requirements),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.stderr.write(done.stderr)
            return None
        installed = json.loads(report.read_text(encoding="utf-8"))["install"]
    return [
        (
            f"{item['metadata']['name'].lower()} {item['metadata']['version']}",
            item["download_info"]["url"].rpartition("/")[2],
        )
        for item in installed
    ]


if __name__ == "__main__":
    main()
