"""Every file of a folder, however damaged, is either added or recorded as a failure."""

import os
import struct
import subprocess
import sys

import numpy as np
import pytest
from sounds import encode, melody, noise, write

from audiosearch import Index

SNDFILE = {
    "a.wav": {},
    "float.wav": {"subtype": "FLOAT"},
    "a.aiff": {},
    "a.flac": {},
    "a.ogg": {"format": "OGG", "subtype": "VORBIS"},
    "a.opus": {"format": "OGG", "subtype": "OPUS"},
    "a.mp3": {"format": "MP3"},
}
FFMPEG = {
    "aac.m4a": ("ipod", "aac"),
    "alac.m4a": ("ipod", "alac"),
    "a.aac": ("adts", "aac"),
    "a.wma": ("asf", "wmav2"),
    "a.webm": ("webm", "libopus"),
    "a.mka": ("matroska", "aac"),
    "a.wv": ("wv", "wavpack"),
}


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """Return the suffix and bytes of a short sound in every format."""
    folder = tmp_path_factory.mktemp("originals")
    sound = melody(3.0, 48_000)
    paths = [write(folder / name, sound, 48_000, **options) for name, options in SNDFILE.items()]
    for name, (container, codec) in FFMPEG.items():
        paths.append(encode(folder / name, sound, 48_000, container=container, codec=codec))
    return [(path.suffix, path.read_bytes()) for path in paths]


def cut(content, rng, _):
    return content[: rng.integers(1, len(content))]


def flipped(content, rng, _):
    for at in rng.integers(len(content), size=rng.integers(1, 30)):
        content[at] ^= rng.integers(1, 256)
    return content


def with_a_random_header(content, rng, _):
    for at in rng.integers(200, size=rng.integers(1, 8)):
        content[at] = rng.integers(256)
    return content


def spliced(content, rng, other):
    at = rng.integers(5_000)
    return bytearray(other[:at]) + content[at:]


def with_a_gap(content, rng, _):
    at, length = rng.integers(len(content)), rng.integers(1, 4_000)
    content[at : at + length] = bytes(int(length))
    return content


def random_bytes(content, rng, _):
    return bytearray(rng.bytes(rng.integers(1, 20_000)))


DAMAGES = [cut, flipped, with_a_random_header, spliced, with_a_gap, random_bytes]


def add(folder, *options):
    """Add a folder in another process, and return its standard error."""
    command = [sys.executable, "-m", "audiosearch", "add", "--model", "compact", *options, folder]
    # The process drops root's right to read all files, so that some files can't be read.
    program = (
        "import ctypes, os, sys\n"
        "for capability in (1, 2): ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)\n"
        "os.execv(sys.argv[1], sys.argv[1:])"
    )
    completed = subprocess.run(
        [sys.executable, "-c", program, *map(str, command)],
        stderr=subprocess.PIPE,
        check=False,
        timeout=3_000,
    )
    stderr = completed.stderr.decode(errors="replace")
    assert completed.returncode == 0, stderr
    assert "Traceback" not in stderr
    return stderr


def stored_and_failed():
    """Return the tracks by path, and the reasons for failures by path."""
    with Index("index") as index, index.storage.all_with_vectors() as (_, rows):
        stored = {}
        for track, vector in rows:
            assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-5)
            stored[track.path] = track
        return stored, {failure.path: failure.reason for failure in index.storage.failures()}


@pytest.mark.parametrize("options", [(), ("--excerpt", "1")], ids=["whole", "excerpt"])
def test_a_damaged_file_is_stored_or_fails(originals, tmp_path, request, options):
    rng = np.random.default_rng(len(options))
    folder = tmp_path / "damaged"
    folder.mkdir()
    names = set()
    for number in range(request.config.getoption("--mutations") // 2):
        suffix, content = originals[rng.integers(len(originals))]
        _, other = originals[rng.integers(len(originals))]
        damage = DAMAGES[number % len(DAMAGES)]
        name = f"{number} {damage.__name__}{suffix}"
        (folder / name).write_bytes(damage(bytearray(content), rng, other))
        names.add(name)
    add(folder, *options)
    stored, failed = stored_and_failed()
    assert {os.path.basename(path) for path in stored | failed} == names
    assert not stored.keys() & failed.keys()
    marks = {damage: f" {damage.__name__}." for damage in DAMAGES}
    for damage, mark in marks.items():
        assert any(mark in path for path in stored) is (damage is not random_bytes), damage
    assert any(marks[random_bytes] in path for path in failed)
    assert any(marks[cut] in path for path in failed)


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
