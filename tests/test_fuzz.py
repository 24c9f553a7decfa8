"""Odd files and names in a folder don't stop `add`."""

import os
import struct
import sys

import numpy as np
import pytest
from adding import add, stored_and_failed
from sounds import noise, write


@pytest.mark.skipif(sys.platform != "linux", reason="needs pipes, names and permissions of Linux")
def test_odd_files_and_names_do_not_stop_add(tmp_path):
    folder = tmp_path / "odd"
    (folder / "empty" / "inside").mkdir(parents=True)
    (folder / "loop").symlink_to(folder)
    (folder / "loop.wav").symlink_to(folder / "loop.wav")
    (folder / "dangling.wav").symlink_to(folder / "nowhere.wav")
    (folder / "folder.wav").mkdir()
    os.mkfifo(folder / "pipe.wav")
    (folder / "nothing.mp3").touch()
    names = ["new\nline.wav", "\U0001f3b5.wav", os.fsdecode(b"\xff\xfe.wav"), "-rf.wav", "a\tb.wav"]
    for seed, name in enumerate(names):
        write(folder / "x.wav", noise(seed=seed)).rename(folder / name)
    write(folder / "secret.wav", noise(seed=9)).chmod(0)
    (folder / "closed").mkdir(mode=0)
    with (folder / "sparse.mp3").open("wb") as file:
        file.truncate(1 << 30)
    wide = noise(0.1, 192_000)[:, np.newaxis] * np.ones(8)
    write(folder / "long.wav", wide, 192_000, subtype="DOUBLE")
    with (folder / "long.wav").open("r+b") as file:  # 4 GB, the longest that its header can declare
        at = file.read(4_096).index(b"data")
        file.truncate((4 << 30) - 2)
        file.seek(4)
        file.write(struct.pack("<I", 0xFFFF_FFF6))
        file.seek(at + 4)
        file.write(struct.pack("<I", 0xFFFF_FFFE - at - 8))
    stderr = add(folder)
    stored, failed = stored_and_failed()
    os.chmod(folder / "closed", 0o700)
    assert {os.path.basename(path) for path in stored} == {*names, "long.wav"}
    assert {os.path.basename(path) for path in failed} == {
        "loop.wav", "dangling.wav", "pipe.wav", "nothing.mp3", "secret.wav", "closed", "sparse.mp3"
    }  # fmt: skip
    assert "6 added" in stderr
    (folder / "secret.wav").chmod(0o600)
    assert "1 added" in add(folder)
    assert str(folder / "secret.wav") in stored_and_failed()[0]
