"""Commands without what Windows lacks, as far as Linux can show it: see `without_posix`."""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from images import encoded
from served import serving
from sounds import encode, melody, noise, tone, write
from tagging import with_cover
from waiting import wait_for

from audiosearch import Index, add

WITHOUT_POSIX = Path(__file__).parent / "without_posix"


@pytest.fixture(autouse=True)
def _without_posix(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(WITHOUT_POSIX), prepend=os.pathsep)


def python(program, *arguments):
    """Run a program, and return what it prints."""
    command = [sys.executable, "-W", "error", "-c", program, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def audiosearch(*arguments):
    """Run a command, and return what it prints."""
    program = "import sys; from audiosearch.__main__ import main; main()"
    return python(program, *arguments)


def test_what_windows_lacks_is_missing():
    program = (
        "import importlib, os, select\n"
        "for name in ('fcntl', 'grp', 'pwd', 'resource', 'termios'):\n"
        "    try: importlib.import_module(name)\n"
        "    except ModuleNotFoundError: print(name)\n"
        "print(hasattr(select, 'poll'), hasattr(os, 'O_NOFOLLOW'), os.path.isdir('/proc/self/fd'))"
    )
    assert python(program).split() == [
        *("fcntl", "grp", "pwd", "resource", "termios"),
        *("False", "False", "False"),
    ]


def test_files_are_added_found_cut_and_written_to_a_playlist(music):
    audiosearch("add", "--model", "compact", music)
    found = audiosearch("query", music / "hiss.flac", "-k", "1")
    assert found.split("\t")[-1].strip() == str(music / "deep" / "hiss2.wav")
    audiosearch("playlist", music / "low.wav", "-n", "3", "-o", "low.m3u8")
    lines = Path("low.m3u8").read_text(encoding="utf-8").splitlines()
    assert len([line for line in lines if not line.startswith("#")]) == 3
    audiosearch("cut", f"{music / 'tune.ogg'}@0-0.5", "-o", "cuts")
    assert len(list(Path("cuts").iterdir())) == 1


def test_the_search_file_of_an_open_index_is_replaced(tmp_path, music):
    program = (
        "import sys; from pathlib import Path; from audiosearch import Index, add\n"
        "add(sys.argv[1], [sys.argv[2] + '/low.wav'], model='compact')\n"
        "with Index(sys.argv[1]) as index:\n"
        "    file = Path(sys.argv[1], 'vectors.faiss')\n"
        "    for _ in range(2):\n"
        "        (track, *_) = index\n"
        "        print(len(index.search(index.vector(track), 9)), file.stat().st_ino)\n"
        "        add(sys.argv[1], [sys.argv[2]], model='compact')"
    )
    first, second = (line.split() for line in python(program, "index", music).splitlines())
    assert (first[0], second[0]) == ("1", "5")
    assert first[1] != second[1]


def test_a_killed_decoder_fails_its_file_and_starts_again(tmp_path):
    path = write(tmp_path / "long.wav", melody(300.0))
    program = (
        "import sys; from audiosearch import AudioError\n"
        "from audiosearch.embedding.decoder_process import DecoderProcess\n"
        "decoder = DecoderProcess()\n"
        "messages = decoder.read(sys.argv[1], excerpt_seconds=None)\n"
        "next(messages); decoder._process.kill()\n"
        "try: list(messages)\n"
        "except AudioError as error: print(error.reason)\n"
        "print(sum(1 for _ in decoder.read(sys.argv[1], excerpt_seconds=None)) > 1)\n"
        "decoder.close()"
    )
    reason, works = python(program, path).splitlines()
    assert reason.startswith("its decoder was killed")
    assert works == "True"


def test_a_decoder_that_takes_too_much_memory_ends():
    program = (
        "import time; from audiosearch import confinement\n"
        "confinement.MAX_MEMORY_BYTES = 200 << 20\n"
        "confinement.confine(); content = bytearray(b'1') * (400 << 20); time.sleep(60)"
    )
    done = subprocess.run([sys.executable, "-c", program], timeout=300, check=False)
    assert done.returncode == 76


def test_a_server_answers_plays_and_shows_covers(tmp_path):
    music = tmp_path / "music"
    music.mkdir()
    path = encode(music / "a.m4a", melody(3.0, 44_100), 44_100, container="ipod", codec="alac")
    cover = write(music / "b.mp3", tone(440, 3.0))
    cover.write_bytes(with_cover(cover.read_bytes(), encoded("JPEG", (1_500, 900))))
    add(tmp_path / "index", [music], model="compact", n_jobs=1)
    with Index(tmp_path / "index") as index:
        ids = {Path(track.path).name: track.id for track in index}
    with serving(tmp_path, ids) as served, httpx.Client(base_url=served.url, timeout=30) as api:
        with path.open("rb") as clip:
            hits = api.post("/api/query", files={"file": clip}, data={"k": 1}).json()["hits"]
        part = api.get(f"/api/tracks/{ids['b.mp3']}/audio", headers={"Range": "bytes=10-19"})
        copy = api.get(f"/api/tracks/{ids['a.m4a']}/audio?format=mp3")
        image = api.get(f"/api/tracks/{ids['b.mp3']}/cover")
    assert [hit["track"]["id"] for hit in hits] == [ids["a.m4a"]]
    assert part.content == cover.read_bytes()[10:20]
    assert copy.headers["content-type"] == "audio/mpeg"
    assert image.headers["content-type"] == "image/jpeg"


def test_one_watch_follows_a_folder_until_it_is_killed(tmp_path, music, start):
    audiosearch("add", "--model", "compact", music)
    command = [sys.executable, "-m", "audiosearch", "watch", music]

    def names():
        with Index("index") as index:
            return {Path(track.path).name for track in index}

    watching = start(*command)
    wait_for(lambda: "Watching" in watching.stderr.readline())
    refused = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Another `audiosearch watch` is running" in refused.stderr
    write(music / "new.wav", noise(seed=7))
    wait_for(lambda: "new.wav" in names())
    watching.kill()
    watching.wait()
    again = start(*command)
    wait_for(lambda: "Watching" in again.stderr.readline())
