"""The wheel: the files that it contains."""

import sys
from pathlib import Path

import pytest
from setuptools import find_namespace_packages

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel_files():
    """Return the wheel's files as pyproject.toml tells setuptools to select them."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    find = settings["packages"]["find"]
    files = set()
    for root in (ROOT / where for where in find["where"]):
        packages = find_namespace_packages(
            str(root), exclude=find["exclude"], include=find["include"]
        )
        folders = [root / package.replace(".", "/") for package in packages]
        files |= {path.relative_to(root) for folder in folders for path in folder.glob("*.py")}
    for package, patterns in settings["package-data"].items():
        for pattern in patterns:
            matches = {path for path in (ROOT / package).glob(pattern) if path.is_file()}
            assert matches, f"package-data has a pattern without files: {pattern}"
            files |= {path.relative_to(ROOT) for path in matches}
    return {path.as_posix() for path in files}


def test_training_is_left_out(wheel_files):
    assert (ROOT / "audiosearch" / "training" / "__init__.py").exists()
    assert not [path for path in wheel_files if "training" in path]


def test_training_can_be_imported_from_a_checkout():
    from audiosearch.training import network

    assert Path(network.__file__).is_relative_to(ROOT)


def test_every_other_file_is_included(wheel_files):
    files = (path for path in (ROOT / "audiosearch").rglob("*") if path.is_file())
    names = {path.relative_to(ROOT).as_posix() for path in files if path.suffix != ".pyc"}
    names = {name.replace("audiosearch/players/beetsplug/", "beetsplug/") for name in names}
    assert wheel_files == {name for name in names if "/training/" not in name}
    assert "beetsplug/audiosearch.py" in wheel_files
    assert "beetsplug/__init__.py" not in wheel_files  # it is beets' namespace package
    assert "audiosearch/models/compact.tflite" in wheel_files
    assert "audiosearch/web/page/index.html" in wheel_files
