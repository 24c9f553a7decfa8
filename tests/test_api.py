"""The public names exist, and importing the package loads only the modules it needs."""

import subprocess
import sys
from importlib.metadata import version

import pytest

import audiosearch


@pytest.mark.parametrize("name", audiosearch.__all__)
def test_every_public_name_has_a_docstring(name):
    assert getattr(audiosearch, name).__doc__


def test_importing_the_package_loads_none_of_its_modules():
    check = (
        "import sys\n"
        "import audiosearch\n"
        "sys.exit(sorted(n for n in sys.modules if n.startswith('audiosearch.') or n == 'numpy'))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", check], capture_output=True, text=True, check=False
    )
    assert result.stderr.strip() == "[]"


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="nonsense"):
        audiosearch.nonsense  # noqa: B018


def test_the_top_version_of_the_changelog_is_the_version_of_the_package(request):
    changelog = (request.config.rootpath / "CHANGELOG.md").read_text(encoding="utf-8")
    assert version("audiosearch") == audiosearch.__version__
    assert changelog.split("\n## ")[1].split()[0] == audiosearch.__version__
