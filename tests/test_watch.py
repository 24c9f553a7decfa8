"""`audiosearch watch`: an index follows the files in folders."""

from __future__ import annotations

import os
import shutil
import sys
import threading
from pathlib import Path

import pytest
from sounds import encode, melody, noise, tone, write
from waiting import wait_for
from watches import (
    OPEN,
    OPTIONS,
    QUIET,
    assert_like_new,
    complete,
    ids,
    names,
    wait_for_names,
    watched,
)

from audiosearch import Index, add
from audiosearch.audio import disk
from audiosearch.errors import AudiosearchError, IndexUnwritable, LibraryError, UsageError
from audiosearch.library.known_mounts import known_mounts
from audiosearch.watching import index_update, observer, scan_schedule, watch, watch_file
from audiosearch.watching.watch import Watch


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    """A folder with three complete sounds, one of them in a subfolder."""
    folder = tmp_path / "disk" / "sounds"
    (folder / "deep").mkdir(parents=True)
    files = [
        write(folder / "low.wav", tone(220, 1.0)),
        write(folder / "hiss.wav", noise(1.0)),
        flac(folder / "deep" / "tune.flac"),
    ]
    complete(*files)
    return folder


@pytest.fixture
def index(tmp_path: Path, sounds: Path) -> str:
    """An index of these sounds."""
    add(tmp_path / "index", sounds, model="compact", n_jobs=1)
    return str(tmp_path / "index")


def flac(path: Path, seed: int = 1, **tags: str) -> Path:
    return encode(path, melody(1.0, seed=seed), 16_000, container="flac", codec="flac", **tags)


ALL = ("low.wav", "hiss.wav", "tune.flac")


# Changes


def test_files_are_added_and_found_while_it_runs(place, sounds):
    with watched(place, sounds):
        wait_for_names(place, *ALL)
        write(sounds / "new.wav", tone(900, 1.0))
        (sounds / "album").mkdir()
        write(sounds / "album" / "first.wav", tone(1_200, 1.0))
        wait_for_names(place, *ALL, "new.wav", "first.wav")
    assert_like_new(place, sounds)


def test_a_moved_file_keeps_its_id_and_is_not_embedded_again(place, sounds):
    with watched(place, sounds) as run:
        wait_for_names(place, *ALL)
        before = ids(place)
        (sounds / "low.wav").rename(sounds / "deep" / "moved.wav")
        shutil.copy(sounds / "hiss.wav", sounds / "copied.wav")  # as from one disk to another
        (sounds / "hiss.wav").unlink()
        wait_for_names(place, "moved.wav", "copied.wav", "tune.flac")
    after = ids(place)
    assert (after["moved.wav"], after["copied.wav"]) == (before["low.wav"], before["hiss.wav"])
    assert sorted(run.changes("moved")) == ["copied.wav", "moved.wav"]
    assert_like_new(place, sounds)


def test_a_renamed_folder_keeps_the_ids_of_its_files(index, sounds):
    with watched(index, sounds) as run:
        (sounds / "deep").rename(sounds / "deeper")
        wait_for(lambda: run.changes("moved") == ["tune.flac"])
    assert_like_new(index, sounds)


def test_a_folder_that_left_and_came_back_is_watched_without_a_warning(index, sounds, recwarn):
    with watched(index, sounds) as run:
        (sounds / "deep").rename(sounds.parent / "elsewhere")
        wait_for_names(index, "low.wav", "hiss.wav")
        (sounds.parent / "elsewhere").rename(sounds / "deep")
        wait_for(lambda: run.changes("added") == ["tune.flac"])
        write(sounds / "deep" / "new.wav", tone(900, 1.0))
        wait_for_names(index, *ALL, "new.wav")
    assert not recwarn.list


def replace_by_folder(path, other):
    """Put another folder in place of a file or folder, in a moment."""
    path.rename(other.with_name("former"))
    other.rename(path)


def replace_by_new_folder(path, other):
    """Delete a file, and make a folder of its name."""
    path.unlink()
    shutil.copytree(other, path)


@pytest.mark.parametrize(
    ("replace", "name", "left"),
    [
        pytest.param(replace_by_folder, "deep", {"low.wav", "hiss.wav"}, id="folder"),
        pytest.param(replace_by_folder, "low.wav", {"hiss.wav", "tune.flac"}, id="file moved away"),
        pytest.param(replace_by_new_folder, "low.wav", {"hiss.wav", "tune.flac"}, id="file"),
    ],
)
def test_files_in_whose_place_a_folder_comes_are_removed(index, sounds, replace, name, left):
    other = sounds.parent / "other"
    other.mkdir()
    write(other / "new.wav", tone(900, 1.0))
    with watched(index, sounds):
        write(sounds / "first.wav", tone(500, 1.0))
        wait_for_names(index, *ALL, "first.wav")  # the first scan is over
        replace(sounds / name, other)
        wait_for_names(index, *left, "first.wav", "new.wav")
    assert_like_new(index, sounds)


def test_new_tags_are_read_without_embedding(place, sounds):
    with watched(place, sounds) as run:
        wait_for_names(place, *ALL)
        flac(sounds / "deep" / "tune.flac", title="New")
        wait_for(lambda: run.changes("retagged"))
        with Index(place) as opened:
            track = opened.storage.track_at(str(sounds / "deep" / "tune.flac"))
    assert (track.title, run.changes("added").count("tune.flac")) == ("New", 1)
    assert_like_new(place, sounds)


def test_a_file_with_another_sound_is_embedded_again(index, sounds):
    with watched(index, sounds) as run:
        write(sounds / "low.wav", tone(3_000, 1.0))
        wait_for(lambda: run.changes("added") == ["low.wav"])
    assert_like_new(index, sounds)


@pytest.mark.parametrize(
    ("remove", "left"),
    [
        pytest.param(lambda f: (f / "low.wav").unlink(), {"hiss.wav", "tune.flac"}, id="file"),
        pytest.param(lambda f: shutil.rmtree(f / "deep"), {"low.wav", "hiss.wav"}, id="folder"),
        pytest.param(
            lambda f: (f / "deep").rename(f.parent / "elsewhere"),
            {"low.wav", "hiss.wav"},
            id="folder moved out",
        ),
        pytest.param(lambda f: [p.unlink() for p in f.rglob("*.*")], set(), id="all files"),
    ],
)
def test_deleted_files_are_removed(place, sounds, remove, left):
    with watched(place, sounds):
        wait_for_names(place, *ALL)
        remove(sounds)
        wait_for_names(place, *left)


def test_a_file_that_cannot_be_decoded_is_said_once_and_forgotten_with_the_file(index, sounds):
    def failures():
        with Index(index) as opened:
            return [Path(failure.path).name for failure in opened.storage.failures()]

    with watched(index, sounds) as run:
        (sounds / "text.mp3").write_text("no sound")
        wait_for(failures)
        os.utime(sounds / "text.mp3")
        (sounds / "low.wav").rename(sounds / "later.wav")
        wait_for(lambda: run.changes("moved"))
        assert run.changes("failed") == ["text.mp3"]
        (sounds / "text.mp3").unlink()
        wait_for(lambda: not failures())


def test_a_growing_file_waits_until_it_is_complete(index, sounds, tmp_path):
    whole = write(tmp_path / "whole.wav", melody(3.0)).read_bytes()
    with watched(index, sounds) as run, (sounds / "grown.wav").open("wb") as file:
        for start in range(0, len(whole), len(whole) // 6):
            file.write(whole[start : start + len(whole) // 6])
            file.flush()
            assert not wait_quietly(OPEN / 3, lambda: run.changes("added"))
        file.close()
        wait_for(lambda: run.changes("added") == ["grown.wav"])
    assert run.changes("failed") == []
    assert_like_new(index, sounds)


def test_an_open_file_that_no_longer_grows_is_complete_after_a_longer_time(index, sounds, tmp_path):
    whole = write(tmp_path / "whole.wav", melody(3.0)).read_bytes()
    with watched(index, sounds) as run, (sounds / "open.wav").open("wb") as file:
        file.write(whole)
        file.flush()
        assert not wait_quietly(2.5 * QUIET, lambda: run.changes("added"))
        wait_for(lambda: run.changes("added") == ["open.wav"])


def wait_quietly(seconds, condition):
    """Return whether a condition becomes true within a time."""
    import time

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


# Files to leave out


def test_the_same_files_are_left_out_as_by_add(index, sounds):
    with watched(index, sounds, exclude=["*.tmp.wav"]) as run:
        write(sounds / ".hidden.wav", tone(500, 1.0))
        write(sounds / "a.tmp.wav", tone(600, 1.0))
        (sounds / "deep" / ".audiosearchignore").write_text("left*\n")
        write(sounds / "deep" / "left.wav", tone(700, 1.0))
        write(sounds / "deep" / "taken.wav", tone(800, 1.0))
        wait_for_names(index, *ALL, "taken.wav")
        (sounds / "deep" / ".audiosearchignore").unlink()
        wait_for_names(index, *ALL, "taken.wav", "left.wav")
    assert run.changes("failed") == []


def test_folders_behind_links_are_watched(tmp_path, sounds):
    other = tmp_path / "other"
    other.mkdir()
    index = tmp_path / "index"
    complete(write(other / "far.wav", tone(600, 1.0)))
    (sounds / "link").symlink_to(other)
    with watched(index, sounds):
        wait_for_names(index, *ALL, "far.wav")
        write(other / "farther.wav", tone(700, 1.0))
        wait_for_names(index, *ALL, "far.wav", "farther.wav")
        (other / "far.wav").unlink()
        wait_for_names(index, *ALL, "farther.wav")
        assert_like_new(index, sounds)
        (sounds / "link").unlink()
        wait_for_names(index, *ALL)


def test_a_link_to_a_folder_that_appears_is_followed(index, sounds, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    complete(write(other / "far.wav", tone(600, 1.0)))
    with watched(index, sounds):
        (sounds / "link").symlink_to(other)
        wait_for_names(index, *ALL, "far.wav")
        write(other / "farther.wav", tone(700, 1.0))
        wait_for_names(index, *ALL, "far.wav", "farther.wav")


def test_a_watched_folder_may_be_a_link(tmp_path, sounds):
    link, index = tmp_path / "link", tmp_path / "index"
    link.symlink_to(sounds)
    with watched(index, link):
        wait_for_names(index, *ALL)
        (sounds / "low.wav").unlink()
        write(sounds / "new.wav", tone(700, 1.0))
        wait_for_names(index, "hiss.wav", "tune.flac", "new.wav")
    assert_like_new(index, link)


def test_an_index_in_the_watched_folder_does_not_wake_the_watch(sounds, monkeypatch):
    index, rounds, find = sounds / "index", [], watch.find_files

    def counted_find(*arguments, **options):
        rounds.append(1)
        return find(*arguments, **options)

    monkeypatch.setattr(watch, "find_files", counted_find)
    with watched(index, sounds):
        wait_for_names(index, *ALL)
        assert not wait_quietly(4 * QUIET, lambda: len(rounds) > 1)


# Away, and back


def test_a_restart_finds_what_changed_in_the_meantime(place, sounds):
    with watched(place, sounds):
        wait_for_names(place, *ALL)
        before = ids(place)
    (sounds / "low.wav").rename(sounds / "moved.wav")
    (sounds / "hiss.wav").unlink()
    flac(sounds / "deep" / "tune.flac", title="New")
    write(sounds / "new.wav", tone(900, 1.0))
    with watched(place, sounds):
        wait_for_names(place, "moved.wav", "tune.flac", "new.wav")
    assert ids(place)["moved.wav"] == before["low.wav"]
    assert_like_new(place, sounds)


def test_the_last_file_of_a_folder_that_was_deleted_in_the_meantime_is_removed(index, sounds):
    (sounds / "deep" / "tune.flac").unlink()
    with watched(index, sounds):
        wait_for_names(index, "low.wav", "hiss.wav")


def test_an_unmounted_folder_keeps_its_tracks_and_is_watched_once_it_is_back(index, sounds):
    away = sounds.parent.with_name("away")
    with watched(index, sounds) as run:
        wait_for(run.notes)
        sounds.parent.rename(away)
        wait_for(lambda: f"{sounds} is not there" in run.notes())
        (away / "sounds" / "low.wav").unlink()  # seen only once it is back
        assert not wait_quietly(4 * QUIET, lambda: names(index) != set(ALL))
        away.rename(sounds.parent)
        wait_for(lambda: f"{sounds} is back" in run.notes())
        wait_for_names(index, "hiss.wav", "tune.flac")
        write(sounds / "new.wav", tone(900, 1.0))
        wait_for_names(index, "hiss.wav", "tune.flac", "new.wav")
    assert_like_new(index, sounds)


@pytest.mark.parametrize(
    "leave",
    [
        pytest.param(lambda f: None, id="no folder"),
        pytest.param(lambda f: f.mkdir(parents=True), id="an empty folder"),
        pytest.param(lambda f: (f / "lost+found").mkdir(parents=True), id="an empty subfolder"),
    ],
)
@pytest.mark.parametrize("is_running", [True, False], ids=["running", "started later"])
def test_no_mount_point_without_its_disk_removes_a_library(index, sounds, leave, is_running):
    away = sounds.parent.with_name("away")
    if not is_running:
        sounds.parent.rename(away)
        leave(sounds)
    with watched(index, sounds) as run:
        wait_for(run.notes)
        if is_running:
            sounds.parent.rename(away)
            leave(sounds)
        assert not wait_quietly(5 * QUIET, lambda: names(index) != set(ALL))
        wait_for(lambda: "stay in the index" in run.notes().replace("\n", " "))
        shutil.rmtree(sounds.parent, ignore_errors=True)
        away.rename(sounds.parent)
        write(sounds / "new.wav", tone(900, 1.0))
        wait_for_names(index, *ALL, "new.wav")


def test_the_folder_of_an_unmounted_disk_may_be_removed(index, sounds, monkeypatch):
    mounted = {str(sounds / "deep"): "ext4"}
    monkeypatch.setattr(disk, "mounts", lambda: mounted)
    handle, is_unmounting = observer.FolderObserver._handle, threading.Event()
    monkeypatch.setattr(
        observer.FolderObserver,
        "_handle",
        lambda self, event: None if is_unmounting.is_set() else handle(self, event),
    )
    with watched(index, sounds) as run, Index(index) as opened:
        wait_for(lambda: known_mounts(opened) == set(mounted))
        is_unmounting.set()
        (sounds / "deep").rename(sounds.parent / "away")
        (sounds / "deep").mkdir()
        mounted.clear()
        wait_for(lambda: "deep holds no audio files" in run.notes())
        is_unmounting.clear()
        (sounds / "deep").rmdir()
        (sounds / "low.wav").unlink()
        wait_for_names(index, "hiss.wav", "tune.flac")


def test_a_folder_in_which_a_disk_was_mounted_may_be_an_ordinary_one_now(
    index, sounds, monkeypatch
):
    mounted = {str(sounds / "deep"): "ext4"}
    monkeypatch.setattr(disk, "mounts", lambda: mounted)
    (sounds / "deep" / "album").mkdir()
    write(sounds / "deep" / "album" / "song.wav", tone(700, 1.0))
    with watched(index, sounds), Index(index) as opened:
        wait_for_names(index, *ALL, "song.wav")
        wait_for(lambda: known_mounts(opened) == set(mounted))
        mounted.clear()
        (sounds / "deep" / "album").rename(sounds.parent / "album")
        wait_for_names(index, *ALL)


@pytest.mark.parametrize("is_running", [True, False], ids=["running", "started later"])
def test_a_disk_inside_a_watched_folder_may_be_away(index, sounds, monkeypatch, is_running):
    mounted = {str(sounds / "deep"): "ext4"}
    monkeypatch.setattr(disk, "mounts", lambda: mounted)
    away = sounds.with_name("away")

    def unmount():
        (sounds / "deep").rename(away)
        (sounds / "deep").mkdir()
        mounted.clear()

    with watched(index, sounds) as run:
        wait_for(run.notes)
        with Index(index) as opened:
            wait_for(lambda: known_mounts(opened) == set(mounted))
        if is_running:
            monkeypatch.setattr(observer.FolderObserver, "_handle", lambda *_: None)
            unmount()
            wait_for(lambda: "deep holds no audio files" in run.notes())
            assert names(index) == set(ALL)
    if not is_running:
        unmount()
    with watched(index, sounds) as run:
        wait_for(lambda: "deep holds no audio files" in run.notes())
        assert names(index) == set(ALL)


def test_a_folder_that_never_was_is_an_error(index, sounds):
    with pytest.raises(UsageError, match="There is no folder"):
        Watch(index, [sounds, sounds / "nowhere"], OPTIONS)
    with pytest.raises(UsageError, match="is not a folder"):
        Watch(index, [sounds / "low.wav"], OPTIONS)


# Trouble


def test_a_full_disk_is_said_once_and_waited_for(index, sounds, monkeypatch):
    tries = []

    def full(*_):
        tries.append(1)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(watch, "_RETRY_SECONDS", 0.1)
    with watched(index, sounds) as run:
        wait_for(run.notes)
        with monkeypatch.context() as patch:
            patch.setattr(index_update.IndexUpdate, "add", full)
            write(sounds / "new.wav", tone(900, 1.0))
            wait_for(lambda: len(tries) > 3)
            assert run.notes().count("the disk is full") == 1
        wait_for_names(index, *ALL, "new.wav")
        wait_for(lambda: "Going on." in run.notes())


def test_an_index_that_another_command_writes_is_waited_for(index, sounds, start):
    program = (
        "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); db.execute('BEGIN IMMEDIATE');"
        "print('locked', file=sys.stderr, flush=True); sys.stdin.read()"
    )
    with watched(index, sounds):
        process = start(sys.executable, "-c", program, f"{index}/audiosearch.db", stdin=-1)
        assert process.stderr.readline() == "locked\n"
        write(sounds / "new.wav", tone(900, 1.0))
        assert not wait_quietly(5 * QUIET, lambda: names(index) != set(ALL))
        process.stdin.close()
        wait_for_names(index, *ALL, "new.wav")


def test_an_index_that_is_deleted_is_made_again(index, sounds):
    with watched(index, sounds) as run:
        wait_for(run.notes)
        os.rename(index, f"{index}-deleted")  # at once, because it may just be written
        write(sounds / "new.wav", tone(900, 1.0))
        wait_for_names(index, *ALL, "new.wav")


def test_events_that_the_system_lost_are_made_up_for(index, sounds, monkeypatch):
    monkeypatch.setattr(scan_schedule, "_MANY_EVENTS", 20)
    with watched(index, sounds) as run:
        wait_for(run.notes)
        monkeypatch.setattr(observer.FolderObserver, "_add", lambda *_: None)
        complete(write(sounds / "new.wav", tone(900, 1.0)))
        for number in range(30):
            (sounds / f"{number}.txt").touch()
        wait_for_names(index, *ALL, "new.wav")


@pytest.mark.parametrize(
    ("number", "message"),
    [
        pytest.param(28, "limit of this system for watched folders", id="folders"),
        pytest.param(24, "limit of this system for programs that watch", id="programs"),
    ],
)
def test_the_limits_of_inotify_are_errors_with_a_hint(index, sounds, monkeypatch, number, message):
    import ctypes

    from watchdog.observers import inotify_c

    n_added = []
    add_watch = inotify_c.inotify_add_watch

    def limited(*arguments):
        n_added.append(1)
        if len(n_added) <= 1:  # the folder itself, but not the one in it
            return add_watch(*arguments)
        ctypes.set_errno(number)
        return -1

    if number == 28:
        monkeypatch.setattr(inotify_c, "inotify_add_watch", limited)
    else:
        monkeypatch.setattr(inotify_c, "inotify_init", lambda: (ctypes.set_errno(number), -1)[1])
    with pytest.raises(AudiosearchError, match=message) as caught:
        Watch(index, [sounds], OPTIONS)
    assert "--poll" in caught.value.hint
    with watched(index, sounds, poll_seconds=0.2):
        write(sounds / "new.wav", tone(900, 1.0))
        wait_for_names(index, *ALL, "new.wav")


def test_without_watchdog_only_poll_works(index, sounds, monkeypatch):
    monkeypatch.setitem(sys.modules, "watchdog.observers", None)
    with pytest.raises(AudiosearchError, match="needs the package watchdog"):
        Watch(index, [sounds], OPTIONS)
    with watched(index, sounds, poll_seconds=0.2):
        before = ids(index)
        (sounds / "low.wav").rename(sounds / "moved.wav")
        write(sounds / "new.wav", tone(900, 1.0))
        (sounds / "hiss.wav").unlink()
        wait_for_names(index, "moved.wav", "tune.flac", "new.wav")
        assert ids(index)["moved.wav"] == before["low.wav"]
    assert_like_new(index, sounds)


def test_the_model_is_loaded_once(index, sounds, monkeypatch):
    loaded = []
    load = index_update.Reader.__init__.__globals__["load_networks"]
    monkeypatch.setitem(
        index_update.Reader.__init__.__globals__,
        "load_networks",
        lambda *a, **o: (loaded.append(1), load(*a, **o))[1],
    )
    with watched(index, sounds):
        for number in range(3):
            write(sounds / f"new{number}.wav", tone(900 + 100 * number, 1.0))
            wait_for(lambda name=f"new{number}.wav": name in names(index))
    assert len(loaded) == 1


def test_a_link_in_place_of_the_lock_is_not_followed(index, sounds, tmp_path):
    kept = tmp_path / "kept"
    kept.write_text("mine")
    Path(index, "watching.lock").symlink_to(kept)
    with pytest.raises(IndexUnwritable, match="is being watched"):
        Watch(index, [sounds], OPTIONS)
    assert watch_file.current_watch(index) is None
    assert kept.read_text() == "mine"


def test_only_one_watch_runs_for_an_index(index, sounds):
    with watched(index, sounds), pytest.raises(LibraryError, match="Another `audiosearch watch`"):
        Watch(index, [sounds], OPTIONS)
    with watched(index, sounds):
        pass
