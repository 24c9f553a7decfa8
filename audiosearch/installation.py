"""The command that installs an optional package, from where audiosearch itself was installed."""

from __future__ import annotations

import json
import os
import shutil
import sys
from importlib.metadata import PackageNotFoundError, distribution
from urllib.parse import urlsplit
from urllib.request import url2pathname

_PACKAGE = "audiosearch"


def install_command(extra: str) -> str:
    """Return the command that installs an extra.

    It installs into the environment that audiosearch runs in, and names the folder, file or
    repository that audiosearch was installed from, because a package index may have another package
    of this name. Installers record it as ``direct_url.json``: see
    https://packaging.python.org/en/latest/specifications/direct-url/

    Parameters
    ----------
    extra : str
        Name of the extra, such as "milvus".
    """
    return f"{_pip()} install {_requirement(extra)}"


def _pip() -> str:
    """Return the pip of this environment, as a shell calls it."""
    folder = os.path.dirname(sys.executable)
    is_on_path = os.path.dirname(shutil.which("pip") or "") == folder
    return "pip" if is_on_path else f"{sys.executable} -m pip"


def _requirement(extra: str) -> str:
    name = f"{_PACKAGE}[{extra}]"
    try:
        recorded = json.loads(distribution(_PACKAGE).read_text("direct_url.json") or "{}")
    except (PackageNotFoundError, OSError, ValueError):
        recorded = {}
    url = recorded.get("url")
    if not url:
        return f"'{name}'"
    if recorded.get("dir_info", {}).get("editable"):
        return f"-e '{url2pathname(urlsplit(url).path)}[{extra}]'"
    if source := recorded.get("vcs_info"):
        url = f"{source['vcs']}+{url}@{source['commit_id']}"
    return f"'{name} @ {url}'"
