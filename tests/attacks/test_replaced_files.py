"""Files of an index that something else takes the place of, while a server and commands use them.

Nobody gets the bytes of another file, nothing waits, and every answer is a sentence.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from images import PNG
from networks import mean_bands, tflite
from served import serving
from sounds import encode, melody, noise, write
from tagging import with_cover

from audiosearch import Index, add, similar

SECRET = b"the contents of a private file "
SECONDS = 10.0  # time limit of a request or a command; all of them take much less


def pipe(path, _):
    path.unlink()
    os.mkfifo(path)


def endless_device(path, _):
    path.unlink()
    path.symlink_to("/dev/zero")


def link_to_a_secret(path, secret):
    path.unlink()
    path.symlink_to(secret)


def link_to_a_sound(path, secret):
    path.unlink()
    path.symlink_to(secret.with_name("sound.mp3"))


def linked_folder(path, secret):
    path.parent.rename(path.parent.with_name(f"away-{path.parent.name}"))
    elsewhere = secret.with_name(f"elsewhere-{path.parent.name}")
    elsewhere.mkdir()
    (elsewhere / path.name).write_bytes(SECRET)
    path.parent.symlink_to(elsewhere)


def listening_socket(path, _):
    path.unlink()
    here = os.getcwd()
    os.chdir(path.parent)  # the address of a socket is short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path.name)
    os.chdir(here)


def folder(path, _):
    path.unlink()
    path.mkdir()


def broken_link(path, _):
    path.unlink()
    path.symlink_to("nowhere")


REPLACEMENTS = [
    *(pipe, endless_device, link_to_a_secret, link_to_a_sound),
    *(linked_folder, listening_socket, folder, broken_link),
]


@dataclass
class Replaced:
    """A library in which every file was replaced, and its server."""

    location: Path
    url: str
    ids: dict[str, int]  # by the name of the replacement and the suffix


@pytest.fixture(scope="module")
def replaced(tmp_path_factory):
    home = tmp_path_factory.mktemp("replaced")
    music, secrets = home / "music", [home / name / "secret.txt" for name in ("private", "other")]
    sound = write(home / "tone.mp3", melody(1.0)).read_bytes()
    for secret in secrets:
        secret.parent.mkdir()
        secret.write_bytes(SECRET)
        secret.with_name("sound.mp3").write_bytes(with_cover(sound, PNG) + SECRET)
    for number, replace in enumerate(REPLACEMENTS):
        album = music / replace.__name__
        album.mkdir(parents=True)
        song = write(album / "a.mp3", melody(1.0, seed=number))
        song.write_bytes(with_cover(song.read_bytes(), PNG))
        options = {"container": "asf", "codec": "wmav2"}
        album = album.with_name(f"{replace.__name__}-wma")
        album.mkdir()
        encode(album / "a.wma", noise(1.0, 44_100, seed=number), 44_100, **options)
    write(music / "kept.mp3", noise(1.0))
    location = home / "index"
    add(location, [music], model="compact", n_jobs=1)
    with Index(location) as index:
        ids = {Path(track.path).parent.name: track.id for track in index}
    for replace in REPLACEMENTS:
        replace(music / replace.__name__ / "a.mp3", secrets[0])
        replace(music / f"{replace.__name__}-wma" / "a.wma", secrets[1])
    with serving(home, {}) as server:
        yield Replaced(location, server.url, ids)


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        pytest.param("audio", {}, id="audio"),
        pytest.param("audio", {"Range": "bytes=0-"}, id="part of the audio"),
        pytest.param("cover", {}, id="cover"),
    ],
)
@pytest.mark.parametrize("suffix", ["", "-wma"], ids=["sent as it is", "transcoded"])
@pytest.mark.parametrize("replace", REPLACEMENTS, ids=lambda replace: replace.__name__)
def test_a_replaced_file_is_not_sent(replaced, replace, suffix, path, headers):
    track_id = replaced.ids[f"{replace.__name__}{suffix}"]
    url = f"{replaced.url}/api/tracks/{track_id}/{path}"
    response = httpx.get(url, headers=headers, timeout=SECONDS)
    assert response.status_code == 404
    assert response.json()["error"].startswith(f"The file of track #{track_id} ")
    assert "private" not in response.text


def command(location, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "audiosearch", *arguments, "--index", location],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def tracks_of(location):
    with Index(location) as index:
        return list(index)


def test_refresh_keeps_the_tags_of_replaced_files(replaced):
    before = tracks_of(replaced.location)
    result = command(replaced.location, "refresh")
    assert (result.returncode, "0 changed" in result.stderr) == (0, True)
    assert tracks_of(replaced.location) == before


def test_doctor_names_a_replaced_file(replaced):
    result = command(replaced.location, "doctor", "--format", "json")
    (files,) = [row for row in json.loads(result.stdout)["checks"] if row["check"] == "files"]
    assert files["state"] == "warning"
    assert "replaced by something else" in files["detail"]


def test_reembed_embeds_no_other_file(replaced, tmp_path):
    model = tflite(tmp_path / "other.tflite", mean_bands)
    result = command(replaced.location, "reembed", "--model", str(model))
    n_replaced = len(replaced.ids) - 1  # one file is kept
    assert result.returncode == 1
    assert f"{n_replaced} tracks can't be embedded" in result.stderr


def test_queries_by_replaced_tracks_use_their_stored_vectors(replaced):
    for track_id in replaced.ids.values():
        assert len(similar(replaced.location, f"#{track_id}", k=1).hits) == 1


def test_add_keeps_the_previous_version_of_replaced_files(replaced):
    before = tracks_of(replaced.location)
    music = replaced.location.parent / "music"
    result = command(replaced.location, "add", music)
    assert (result.returncode, "failed" in result.stderr) == (0, True)
    after = {track.id: track for track in tracks_of(replaced.location)}
    is_sound = {replaced.ids["link_to_a_sound"], replaced.ids["link_to_a_sound-wma"]}
    for track in before:  # a sound behind a link is a sound of the library, once it is added
        assert track.id in is_sound or after[track.id] == track


# Files that change while they are sent


@pytest.fixture(scope="module")
def growing(tmp_path_factory):
    home = tmp_path_factory.mktemp("growing")
    write(home / "music.wav", noise(240.0, 44_100), 44_100)
    write(home / "hard.wav", noise(1.0))
    os.link(home / "hard.wav", home / "other name")
    add(home / "index", [home / "music.wav", home / "hard.wav"], model="compact", n_jobs=1)
    with serving(home, {}) as server:
        yield server


def slow_request(url, path):
    parts = urlsplit(url)
    client = socket.create_connection((parts.hostname, parts.port))
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    client.settimeout(SECONDS)
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode())
    return client


def received(client):
    content = b""
    while chunk := client.recv(1 << 16):
        content += chunk
    return content.partition(b"\r\n\r\n")[2]


def test_a_file_that_shrinks_while_it_is_sent_ends_the_connection(growing):
    path = growing.folder / "music.wav"
    content = path.read_bytes()
    try:
        with slow_request(growing.url, "/api/tracks/1/audio") as client:
            first = client.recv(1_000)
            os.truncate(path, 1_000)
            rest = received(client)
    finally:
        path.write_bytes(content)
    assert first.startswith(b"HTTP/1.1 200")
    assert len(rest) < len(content)
    assert httpx.get(f"{growing.url}/api/health", timeout=SECONDS).status_code == 200
    assert not [line for line in growing.said if "Traceback" in line]


def test_a_file_that_grows_while_it_is_sent_is_sent_as_it_was(growing):
    path = growing.folder / "music.wav"
    n_bytes = path.stat().st_size
    with httpx.stream("GET", f"{growing.url}/api/tracks/1/audio", timeout=SECONDS) as response:
        with path.open("ab") as file:
            file.write(SECRET * 1_000)
        content = response.read()
    os.truncate(path, n_bytes)
    assert content == path.read_bytes()


def test_a_file_that_is_replaced_while_it_is_sent_is_sent_as_it_was(growing):
    path = growing.folder / "music.wav"
    content = path.read_bytes()
    with httpx.stream("GET", f"{growing.url}/api/tracks/1/audio", timeout=SECONDS) as response:
        path.unlink()
        path.symlink_to("/etc/passwd")
        sent = response.read()
    path.unlink()
    path.write_bytes(content)
    assert sent == content


def test_a_file_with_another_hard_link_is_sent(growing):
    response = httpx.get(f"{growing.url}/api/tracks/2/audio", timeout=SECONDS)
    assert response.content == (growing.folder / "other name").read_bytes()


# Disks that don't answer

#: `audiosearch`, for which files with "hung" in their paths are on a disk that never answers.
HUNG = """
import builtins, os, signal, time
from audiosearch.__main__ import main

try:
    from audiosearch.audio import disk
    disk.DISKS._limit_seconds = 0.5
except ImportError:  # an older version has no time limit
    pass

def hanging(function):
    def call(path, *args, **kwargs):
        if "hung" in str(path):  # like a system call that no signal interrupts
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            os.write(1, b"waiting\\n")
            time.sleep(1_000)
        return function(path, *args, **kwargs)
    return call

os.stat, os.lstat, os.open = map(hanging, (os.stat, os.lstat, os.open))
builtins.open = hanging(builtins.open)
main()
"""


@pytest.fixture(scope="module")
def hung(tmp_path_factory):
    home = tmp_path_factory.mktemp("disks")
    (home / "hung").mkdir()
    for number in range(3):
        write(home / "hung" / f"{number}.mp3", melody(1.0, seed=number))
    write(home / "kept.mp3", noise(1.0))
    add(home / "index", [home / "hung", home / "kept.mp3"], model="compact", n_jobs=1)
    return home


def test_a_disk_that_does_not_answer_delays_no_other_request(hung):
    with serving(hung, {}, program=["-c", HUNG]) as server:
        paths = [f"{kind}" for kind in ("audio", "cover") for _ in range(12)]
        clients = [slow_request(server.url, f"/api/tracks/1/{path}") for path in paths]
        started = time.monotonic()
        for path in ("/api/health", "/api/tracks/4/audio", "/api/tracks/4"):
            assert httpx.get(server.url + path, timeout=SECONDS).status_code == 200
        assert time.monotonic() - started < SECONDS
        for client in clients:
            with client:
                answer = client.recv(10_000)
            assert answer.startswith(b"HTTP/1.1 503")
        late = httpx.get(f"{server.url}/api/tracks/1/cover", timeout=SECONDS)
        assert "its disk doesn't answer" in late.json()["error"]
        assert str(hung) not in late.text


@pytest.mark.parametrize("name", ["refresh", "doctor", "prune"])
def test_ctrl_c_ends_a_command_that_waits_for_a_disk(hung, start, name):
    program = HUNG.replace("0.5", "100.0")
    process = start(
        *(sys.executable, "-c", program, name, "--index", hung / "index"), stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == "waiting\n"
    process.send_signal(signal.SIGINT)
    assert process.wait(SECONDS) == 130


def test_refresh_skips_a_disk_that_does_not_answer(hung):
    result = subprocess.run(
        [sys.executable, "-c", HUNG, "refresh", "--index", hung / "index"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert result.returncode == 0
    assert "3 files skipped. The first is " in result.stderr
    assert "its disk doesn't answer" in result.stderr


# Links that were there when the files were added


@pytest.fixture(scope="module")
def linked(tmp_path_factory):
    home = tmp_path_factory.mktemp("linked")
    disk, elsewhere = home / "disk", home / "elsewhere"
    disk.mkdir()
    elsewhere.mkdir()
    write(disk / "a.flac", noise(1.0))
    write(elsewhere / "b.flac", noise(1.0, seed=1))
    (disk / "b.flac").symlink_to(elsewhere / "b.flac")
    (home / "Music").symlink_to(disk)
    add(home / "index", [home / "Music"], model="compact", n_jobs=1)
    with Index(home / "index") as index:
        ids = {os.path.basename(track.path): track.id for track in index}
    with serving(home, ids) as server:
        yield server


@pytest.mark.parametrize("name", ["a.flac", "b.flac"], ids=["linked folder", "linked file"])
def test_files_behind_links_that_were_added_are_sent(linked, name):
    url = f"{linked.url}/api/tracks/{linked.ids[name]}/audio"
    response = httpx.get(url, timeout=SECONDS)
    assert response.content == (linked.folder / "Music" / name).read_bytes()


def test_a_library_whose_link_leads_elsewhere_is_sent_after_it_is_added_again(linked):
    moved = linked.folder / "new disk"
    (linked.folder / "disk").rename(moved)
    (linked.folder / "Music").unlink()
    (linked.folder / "Music").symlink_to(moved)
    url = f"{linked.url}/api/tracks/{linked.ids['a.flac']}/audio"
    assert httpx.get(url, timeout=SECONDS).status_code == 404
    results = add(linked.folder / "index", [linked.folder / "Music"])
    assert {result.status.value for result in results} == {"unchanged"}
    assert httpx.get(url, timeout=SECONDS).content == (moved / "a.flac").read_bytes()


def test_the_real_path_is_stored_and_follows_relocation(tmp_path, place, run):
    (tmp_path / "disk").mkdir()
    write(tmp_path / "disk" / "a.wav", noise(1.0))
    (tmp_path / "link").symlink_to("disk")
    add(place, [tmp_path / "link"], model="compact", n_jobs=1)
    (track,) = tracks_of(place)
    assert (track.path, track.real_path) == (
        str(tmp_path / "link" / "a.wav"), str(tmp_path / "disk" / "a.wav"),
    )  # fmt: skip
    (tmp_path / "disk").rename(tmp_path / "new")
    run("relocate", tmp_path / "link", tmp_path / "new", "--index", place)
    (track,) = tracks_of(place)
    assert track.path == track.real_path == str(tmp_path / "new" / "a.wav")


def test_tracks_of_an_older_index_get_their_real_path_by_the_next_add(tmp_path):
    path = write(tmp_path / "a.wav", noise(1.0))
    add(tmp_path / "index", [path], model="compact", n_jobs=1)
    with Index(tmp_path / "index") as index:
        db = index.storage.db
        db.execute("ALTER TABLE tracks DROP COLUMN real_path")
        db.execute("DELETE FROM _sqlite_migrations WHERE name >= 'm010'")
        db.commit()
    assert [track.real_path for track in tracks_of(tmp_path / "index")] == [""]
    (result,) = add(tmp_path / "index", [path])
    assert result.status.value == "unchanged"
    assert [track.real_path for track in tracks_of(tmp_path / "index")] == [str(path)]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_an_unreadable_file_is_an_error_that_says_so(linked):
    path = linked.folder / "elsewhere" / "b.flac"
    path.chmod(0)
    url = f"{linked.url}/api/tracks/{linked.ids['b.flac']}"
    try:
        for kind in ("audio", "cover"):
            response = httpx.get(f"{url}/{kind}", timeout=SECONDS)
            assert (response.status_code, "can't be opened" in response.text) == (404, True)
    finally:
        path.chmod(0o600)
