"""`prune`, `remove`, `relocate` and `refresh`: missing, moved and retagged files."""

import os

import pytest
from sounds import encode, tone, write

from audiosearch import Index, LibraryError, TrackNotFound, add, similar
from audiosearch.library.index import Track
from audiosearch.maintenance.files import forget, missing_files, prune, refresh, relocate


@pytest.fixture
def index(music, place):
    (music / "bad.mp3").write_text("no sound")
    add(place, [music], model="compact")
    with Index(place) as opened:
        yield opened


@pytest.mark.parametrize("has_folders", [False, True], ids=["nothing", "folders in their place"])
def test_tracks_and_failures_of_missing_files_are_pruned(music, index, has_folders):
    for name in ("low.wav", "bad.mp3"):
        (music / name).unlink()
        if has_folders:
            (music / name).mkdir()
    missing = missing_files(index)
    assert [os.path.basename(track.path) for track in missing.tracks] == ["low.wav"]
    prune(index, missing)
    totals = index.totals()
    assert (totals.tracks, totals.failures) == (4, 0)
    hits = similar(index, music / "high.wav").hits
    assert str(music / "low.wav") not in [hit.track.path for hit in hits]


def test_an_index_is_not_emptied_if_a_disk_is_not_mounted(music, index):
    music.rename(music.with_name("unmounted"))
    with pytest.raises(LibraryError, match="may not be mounted"):
        prune(index, missing_files(index))
    assert index.totals().tracks == 5
    prune(index, missing_files(index), force=True)
    assert index.totals().tracks == 0


@pytest.mark.parametrize("leaves_the_mount_point", [True, False])
def test_tracks_on_a_disk_that_is_not_mounted_are_not_pruned(
    tmp_path, music, index, leaves_the_mount_point, monkeypatch
):
    disks = tmp_path / "disks"
    monkeypatch.setattr("audiosearch.maintenance.files._MOUNT_FOLDERS", (str(disks),))
    disk = disks / "one"
    disk.mkdir(parents=True)
    other = disk / "Album"
    music.joinpath("deep").rename(other)
    add(index.location, [other])
    assert index.totals().tracks == 5
    other.rename(tmp_path / "unmounted")
    if not leaves_the_mount_point:
        disk.rmdir()
    with pytest.raises(LibraryError, match=f"{disk}.*may not be mounted"):
        prune(index, missing_files(index))
    prune(index, missing_files(index), force=True)
    assert index.totals().tracks == 4


@pytest.fixture
def mounted(music, monkeypatch):
    """Let the folder "deep" be the mount point of a disk while the music is added."""
    mounts = {str(music / "deep"): "ext4", "/": "ext4"}
    monkeypatch.setattr("audiosearch.audio.disk.mounts", lambda: mounts)
    return mounts


def test_tracks_on_a_disk_that_was_mounted_among_other_music_are_not_pruned(music, mounted, index):
    deep = music / "deep"
    deep.rename(music.with_name("away"))
    deep.mkdir()
    mounted[str(deep)] = "autofs"  # would be mounted when it is used
    (music / "low.wav").unlink()
    with pytest.raises(LibraryError, match=f"{deep}.*may not be mounted"):
        prune(index, missing_files(index))
    deep.rmdir()
    music.with_name("away").rename(deep)
    prune(index, missing_files(index))
    assert index.totals().tracks == 4


def test_files_deleted_on_a_disk_that_is_mounted_are_pruned(music, mounted, index):
    for file in (music / "deep").iterdir():
        file.unlink()
    (music / "deep" / "notes.txt").touch()
    prune(index, missing_files(index))
    assert index.totals().tracks == 4


def test_files_deleted_after_a_disk_became_a_folder_are_pruned(music, mounted, index):
    write(music / "deep" / "new.wav", tone(300, 1.0))
    mounted.clear()
    add(index.location, [music])
    (music / "deep" / "new.wav").unlink()
    prune(index, missing_files(index))
    assert index.totals().tracks == 5


def test_the_root_folder_can_be_relocated(music, index):
    before = [track.path for track in index]
    assert relocate(index, "/", "/backup") == 5
    assert [track.path for track in index] == [f"/backup{path}" for path in before]


def test_a_folder_is_relocated_without_reading_a_file(music, index):
    vectors = {track.id: index.vector(track).tobytes() for track in index}
    elsewhere = music.with_name("elsewhere")  # no such folder
    assert relocate(index, music, elsewhere) == 5
    assert {track.id: index.vector(track).tobytes() for track in index} == vectors
    assert all(track.path.startswith(f"{elsewhere}{os.sep}") for track in index)
    assert index.resolve(str(elsewhere / "deep" / "hiss2.wav"))


def test_relocation_to_the_path_of_another_track_is_rejected(music, index):
    copy = music.with_name("copy")
    copy.mkdir()
    (copy / "low.wav").write_bytes((music / "low.wav").read_bytes())
    add(index.location, [copy])
    with pytest.raises(LibraryError, match=r"1 of the tracks.*low\.wav"):
        relocate(index, copy, music)
    assert index.totals().tracks == 6


def test_a_folder_without_tracks_and_a_file_are_refused(music, index):
    for name in ("nowhere", str(music / "low.wav")):
        with pytest.raises(TrackNotFound):
            relocate(index, name, "elsewhere")


def test_refresh_updates_tags_only(music, index):
    path = music / "song.m4a"

    def tagged(title):
        sound = tone(rate=48_000)
        encode(path, sound, 48_000, container="ipod", codec="aac", title=title)

    tagged("Before")
    add(index.location, [path])
    before = index.resolve(str(path))
    tagged("After")
    (changed,) = refresh(index)
    assert (changed.id, changed.title) == (before.id, "After")
    assert (changed.mtime_ns, changed.content_hash) == (before.mtime_ns, before.content_hash)
    assert list(refresh(index)) == []


def test_prune_asks_for_confirmation(music, run):
    run("add", music, "--model", "compact")
    (music / "low.wav").unlink()
    refused = run("prune")
    assert refused.exit_code == 1
    assert str(music / "low.wav") in refused.stderr
    assert len(run("list").stdout.splitlines()) == 5
    assert "1 removed from the index" in run("prune", "-y").stderr
    assert len(run("list").stdout.splitlines()) == 4


def test_relocate_and_refresh_print_how_many_tracks_changed(music, run):
    run("add", music, "--model", "compact")
    assert "5 relocated" in run("relocate", music, "/elsewhere").stderr
    assert "0 changed" in run("refresh").stderr


@pytest.mark.parametrize(
    ("new", "is_warned"),
    [("elsewhere", True), (".", False), ("s3://bucket/music", False)],
    ids=["no such folder", "a folder", "a URL"],
)
def test_relocating_to_a_folder_that_does_not_exist_is_a_warning(music, run, new, is_warned):
    run("add", music, "--model", "compact")
    result = run("relocate", music, new)
    assert (result.exit_code, "5 relocated" in result.stderr) == (0, True)
    assert ("There is no folder elsewhere." in result.stderr) is is_warned


def test_failures_are_relocated_and_removed_with_their_folder(music, index):
    elsewhere = music.rename(music.with_name("elsewhere"))
    relocate(index, music, elsewhere)
    assert [failure.path for failure in index.storage.failures()] == [str(elsewhere / "bad.mp3")]
    assert forget(index, [str(elsewhere)]) == 5
    assert (index.storage.failures(), index.totals().tracks) == ([], 0)


@pytest.mark.parametrize("names", [["."], ["bad.mp3"], ["bad.mp3", "low.wav"], ["low.wav", "."]])
def test_failures_are_forgotten_in_a_folder_without_tracks_and_by_their_path(index, music, names):
    index.remove([track for track in index if not track.path.endswith("low.wav")])
    if "low.wav" not in names:
        index.remove(list(index))
    n_tracks = index.n_tracks
    assert forget(index, [str(music / name) for name in names]) == n_tracks
    assert (index.storage.failures(), index.n_tracks) == ([], 0)


def test_nothing_is_removed_if_one_name_is_unknown(index, music):
    with pytest.raises(TrackNotFound, match=r"none\.wav"):
        forget(index, [str(music / "bad.mp3"), str(music / "low.wav"), str(music / "none.wav")])
    assert (len(index.storage.failures()), index.n_tracks) == (1, 5)


def test_remove_prints_how_many_tracks_and_failures_are_removed(music, run):
    (music / "bad").mkdir()
    (music / "bad" / "bad.mp3").write_text("no sound")
    run("add", music, "--model", "compact")
    assert "1 track removed\n" in run("remove", music / "low.wav").stderr
    assert "0 tracks removed, 1 failure forgotten\n" in run("remove", music / "bad").stderr
    assert "4 tracks removed\n" in run("remove", music).stderr


def test_tracks_with_imported_paths_are_pruned_too(index):
    vector = index.vector(next(iter(index)))
    index.add(Track("x/1.mp3", 0, 0, "", 1.0, 0, 0, ""), vector)
    missing = missing_files(index)
    assert [track.path for track in missing.tracks] == ["x/1.mp3"]
    prune(index, missing)
    assert index.storage.track_at("x/1.mp3") is None


def test_an_emptied_album_does_not_count_as_an_unmounted_disk(music, index):
    (music / "deep" / "hiss2.wav").unlink()
    prune(index, missing_files(index))
    assert index.totals().tracks == 4
