"""Small files that declare or unfold to very much cost neither memory nor time without limit."""

import os
import time

from adding import Usage, add, nothing_left, stored_and_failed
from bombs import bombs

from audiosearch.confinement import MAX_MEMORY_BYTES

_MAX_PARENT_MB = 500


def test_a_file_that_declares_or_unfolds_to_very_much_is_stored_or_fails(
    tmp_path, request, monkeypatch, figures
):
    folder, usage = tmp_path / "bombs", Usage()
    folder.mkdir()
    makers = bombs(request.config.getoption("--bomb-scale"))
    for name, make in makers.items():
        (folder / name).write_bytes(make())
    started = time.monotonic()
    with nothing_left(monkeypatch, tmp_path):
        add(folder, "-j", "2", usage=usage)
    stored, failed = stored_and_failed()
    assert {os.path.basename(path) for path in stored | failed} == makers.keys()
    assert all(reason and "\n" not in reason for reason in failed.values())
    peaks, seconds = usage.peaks(), round(time.monotonic() - started)
    figures(files=len(makers), stored=len(stored), failed=len(failed), seconds=seconds, peak=peaks)
    assert peaks["child_mb"] < MAX_MEMORY_BYTES >> 20
    assert peaks["mb"] < _MAX_PARENT_MB
    slow = {path for path, reason in failed.items() if "too long" in reason}
    assert {os.path.basename(path) for path in slow} <= {"laces.mka"}
