"""Damaged files in every container: each is stored or fails, and nothing piles up."""

import os

import pytest
from adding import Usage, add, nothing_left, stored_and_failed
from mutations import DAMAGES, cut, damaged, originals, random_bytes

_MAX_GROWTH = {"mb": 100, "child_mb": 150, "fds": 8, "child_fds": 4}  # of the index, and of a file


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return originals(tmp_path_factory.mktemp("originals"))


@pytest.mark.parametrize("options", [(), ("--excerpt", "1")], ids=["whole", "excerpt"])
def test_a_damaged_file_is_stored_or_fails(files, tmp_path, request, options, monkeypatch, figures):
    folder, usage, names = tmp_path / "damaged", Usage(), set()
    folder.mkdir()
    n_files = request.config.getoption("--mutations") // 2
    for name, content in damaged(files, range(n_files), seed=len(options)):
        (folder / name).write_bytes(content)
        names.add(name)
    with nothing_left(monkeypatch, tmp_path):
        add(folder, *options, usage=usage)
    stored, failed = stored_and_failed()
    assert {os.path.basename(path) for path in stored | failed} == names
    assert not stored.keys() & failed.keys()
    assert all(reason and "\n" not in reason for reason in failed.values())
    used = usage.starts_and_ends()
    figures(files=n_files, stored=len(stored), failed=len(failed), **used)
    for name, (start, end) in used.items():
        assert end <= start + _MAX_GROWTH[name], used
    for damage in DAMAGES:
        is_stored = any(f" {damage.__name__}." in path for path in stored)
        assert is_stored is (damage is not random_bytes), damage
    assert any(f" {cut.__name__}." in path for path in failed)
