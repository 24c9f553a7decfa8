"""Commands that install extras."""

import json
import sys
from importlib import metadata

import pytest

from audiosearch import installation
from audiosearch.errors import MissingExtra


@pytest.mark.parametrize(
    ("recorded", "requirement"),
    [
        (None, "'audiosearch[ray]'"),
        ("no JSON", "'audiosearch[ray]'"),
        (
            {"url": "file:///my%20music/audiosearch", "dir_info": {"editable": True}},
            "-e '/my music/audiosearch[ray]'",
        ),
        (
            {"url": "file:///src/audiosearch", "dir_info": {}},
            "'audiosearch[ray] @ file:///src/audiosearch'",
        ),
        (
            {"url": "https://host/it.git", "vcs_info": {"vcs": "git", "commit_id": "1f"}},
            "'audiosearch[ray] @ git+https://host/it.git@1f'",
        ),
    ],
)
@pytest.mark.posix
def test_an_extra_comes_from_where_audiosearch_came_from(monkeypatch, recorded, requirement):
    text = json.dumps(recorded) if isinstance(recorded, dict) else recorded
    distribution = type("Installed", (), {"read_text": lambda _self, _name: text})()
    monkeypatch.setattr(installation, "distribution", lambda _name: distribution)
    assert installation.install_command("ray").endswith(f"pip install {requirement}")


def test_a_package_that_is_not_installed_has_a_hint_too(monkeypatch):
    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(installation, "distribution", missing)
    assert MissingExtra("It", "ray", "ray").hint.endswith("pip install 'audiosearch[ray]'")


def test_the_environment_of_audiosearch_is_used(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    assert installation.install_command("ray").startswith(f"{tmp_path / 'python'} -m pip install ")
