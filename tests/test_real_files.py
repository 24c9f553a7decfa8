"""One track per real file: links, copies, moved files, and files with odd times."""

import dataclasses
import os
from collections import Counter
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

import pytest
from sounds import melody, noise, tone, write

from audiosearch import Index, add, similar
from audiosearch.audio.discovery import discover
from audiosearch.audio.file_stat import read_file_stat, size_and_mtime, storable_ns
from audiosearch.audio.opened_file import open_regular
from audiosearch.audio.url_stat import url_size_and_mtime
from audiosearch.ingest.plan import states
from audiosearch.library.filters import Filters
from audiosearch.maintenance.files import forget
from audiosearch.search.duplicates import duplicates

_INT64 = 2**63


@pytest.fixture
def disk(tmp_path):
    """A folder with two songs, one of them in a subfolder."""
    (tmp_path / "disk" / "album").mkdir(parents=True)
    write(tmp_path / "disk" / "one.wav", tone(220))
    write(tmp_path / "disk" / "album" / "two.wav", noise())
    return tmp_path / "disk"


def link(path, target, *, is_folder=False):
    path.parent.mkdir(exist_ok=True)
    path.symlink_to(target, target_is_directory=is_folder)
    return path


def add_all(place, *paths):
    return add(place, paths, model="compact")


def statuses(results):
    return sorted(result.status.value for result in results)


def stored(place):
    """Ids of the tracks by path."""
    with Index(place) as index:
        return {track.path: track.id for track in index}


def store_under(place, path, other):
    """Store the track of one path under another one too, like earlier versions did."""
    with Index(place) as index:
        track = index.storage.track_at(str(path))
        link_track = dataclasses.replace(track, path=str(other), id=0)
        return index.add(link_track, index.vector(track)).id


@pytest.fixture
def nothing_is_embedded(monkeypatch):
    """A function that makes embedding fail from now on."""
    return lambda: monkeypatch.setattr("audiosearch.models.registry.Model.load", None)


# Folders


@pytest.mark.parametrize(
    ("links", "roots"),
    [
        pytest.param({"B/up": ".."}, ["A", "B"], id="a link to the folder above two arguments"),
        pytest.param({"B/up": ".."}, [".", "A"], id="a link to a folder above and twice"),
        pytest.param({"0": "A"}, ["."], id="a link before its target"),
        pytest.param({"A/b": "../B", "B/a": "../A"}, ["A"], id="links to each other"),
        pytest.param({"A/here": "."}, ["."], id="a link to its own folder"),
        pytest.param({"B/x": "../A", "B/y": "../A"}, ["B"], id="two links to a folder outside"),
        pytest.param({"s": "."}, ["s", "."], id="a link and its target as arguments"),
        pytest.param({"s": ".", "t": "s"}, ["s", "t"], id="two links as arguments"),
        pytest.param({}, ["A", "B", "A", "B/../A"], id="the same argument twice"),
        pytest.param({}, [".", "A", "B"], id="folders inside another argument"),
    ],
)
def test_a_folder_that_is_reached_twice_is_read_once(tmp_path, links, roots):
    songs = tmp_path / "songs"
    for name in ("A", "B"):
        write((songs / name).mkdir(parents=True) or songs / name / "song.wav", tone())
    for path, target in links.items():
        link(songs / path, target, is_folder=True)
    found = discover([songs / root for root in roots]).paths
    real = Counter(os.path.realpath(path) for path in found)
    assert real == {str(songs / name / "song.wav"): 1 for name in ("A", "B")}


def test_a_folder_is_read_under_its_own_path_if_that_is_below_an_argument(disk):
    link(disk / "0 first", "album", is_folder=True)
    assert str(disk / "album" / "two.wav") in discover([disk]).paths


def test_folders_without_inodes_are_all_read(disk, monkeypatch):
    stat = os.stat

    def without_inode(path, **options):
        status = stat(path, **options)
        return SimpleNamespace(
            **{n: getattr(status, n) for n in dir(status) if n[:3] == "st_"}
            | {"st_ino": 0, "st_dev": 0}
        )

    monkeypatch.setattr(os, "stat", without_inode)
    assert len(discover([disk]).paths) == 2


# Links


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
def test_a_link_and_its_target_are_one_track_in_any_order(disk, place, order):
    paths = [disk / "one.wav", link(disk / "0.wav", "one.wav")]
    for i in order:
        add_all(place, paths[i])
    assert list(stored(place)) == [str(disk / "one.wav")]


def test_a_link_in_a_folder_is_not_a_second_track(disk, place):
    link(disk / "0.wav", "one.wav")
    link(disk / "album" / "1.wav", disk / "one.wav")
    link(disk / "album" / "2.wav", "1.wav")
    assert statuses(add_all(place, disk)) == ["added", "added"]
    assert set(stored(place)) == {str(disk / "one.wav"), str(disk / "album" / "two.wav")}
    assert statuses(add_all(place, disk)) == ["unchanged", "unchanged"]


def test_two_links_to_a_file_that_was_not_added_are_one_track(disk, tmp_path):
    favorites = tmp_path / "favorites"
    first = link(favorites / "1.wav", disk / "one.wav")
    second = link(favorites / "2.wav", disk / "one.wav")
    add_all("index", favorites)
    assert list(stored("index")) == [str(first)]
    assert statuses(add_all("index", second)) == ["unchanged"]
    assert list(stored("index")) == [str(first)]


def test_the_track_of_a_link_gets_the_path_of_the_file_once_that_is_added(
    disk, tmp_path, place, nothing_is_embedded
):
    add_all(place, link(tmp_path / "favorites" / "1.wav", disk / "one.wav"))
    (track_id,) = stored(place).values()
    nothing_is_embedded()
    (disk / "album" / "two.wav").unlink()
    assert dict(states(place, discover(disk).paths)) == {str(disk / "one.wav"): "moved"}
    assert statuses(add_all(place, disk)) == ["moved"]
    assert stored(place) == {str(disk / "one.wav"): track_id}
    assert statuses(add_all(place, tmp_path / "favorites")) == ["unchanged"]


def test_tracks_of_links_in_an_older_index_merge(disk, place, nothing_is_embedded):
    add_all(place, disk)
    before = stored(place)
    for name in ("1.wav", "album/2.wav"):
        store_under(place, disk / "one.wav", link(disk / name, disk / "one.wav"))
    nothing_is_embedded()
    assert statuses(add_all(place, disk)) == ["unchanged", "unchanged"]
    assert stored(place) == before


def test_tracks_of_links_merge_although_the_file_has_changed(disk):
    add_all("index", disk)
    before = stored("index")
    store_under("index", disk / "one.wav", link(disk / "1.wav", "one.wav"))
    write(disk / "one.wav", melody(2.0))
    assert statuses(add_all("index", disk)) == ["added", "unchanged"]
    assert stored("index") == before


@pytest.mark.parametrize("is_changed", [False, True])
@pytest.mark.parametrize(
    ("up", "target", "stored_as"),
    [
        pytest.param("album/up", "..", "album/up/one.wav", id="a link to a folder above"),
        pytest.param("0", "album", "0/two.wav", id="a link before its target"),
        pytest.param("z", "album", "z/two.wav", id="a link after its target"),
    ],
)
def test_tracks_in_linked_folders_of_an_older_index_merge(disk, up, target, stored_as, is_changed):
    add_all("index", disk)
    before = stored("index")
    link(disk / up, target, is_folder=True)
    song = (disk / stored_as).resolve()
    store_under("index", song, disk / stored_as)
    if is_changed:
        write(song, melody(2.0))
    expected = ["added" if is_changed else "unchanged", "unchanged"]
    assert statuses(add_all("index", disk)) == expected
    assert stored("index") == before


def test_a_library_added_through_a_linked_folder_keeps_its_paths_and_ids(
    disk, tmp_path, nothing_is_embedded
):
    music = link(tmp_path / "Music", disk, is_folder=True)
    add_all("index", music)
    before = stored("index")
    assert set(before) == {str(music / "one.wav"), str(music / "album" / "two.wav")}
    nothing_is_embedded()
    for path in (music, music / "one.wav", music / "album"):
        assert set(statuses(add_all("index", path))) == {"unchanged"}
        assert stored("index") == before


def test_the_folder_behind_a_linked_folder_adds_no_tracks(disk, tmp_path, nothing_is_embedded):
    music = link(tmp_path / "Music", disk, is_folder=True)
    add_all("index", music)
    ids = set(stored("index").values())
    nothing_is_embedded()
    for roots in ([disk], [music], [music, disk]):
        add_all("index", *roots)
        assert stored("index").keys() == {str(disk / "one.wav"), str(disk / "album" / "two.wav")}
        assert set(stored("index").values()) == ids


def test_a_link_that_leads_to_another_file_now_is_that_file(disk, tmp_path):
    favorite = link(tmp_path / "favorites" / "1.wav", disk / "one.wav")
    add_all("index", favorite)
    favorite.unlink()
    link(favorite, disk / "album" / "two.wav")
    assert statuses(add_all("index", favorite)) == ["added"]
    add_all("index", disk)
    assert set(stored("index")) == {str(disk / "one.wav"), str(disk / "album" / "two.wav")}


def test_a_file_with_links_that_cannot_be_decoded_fails_once(disk):
    add_all("index", disk)
    (disk / "bad.wav").write_text("no sound")
    link(disk / "link.wav", "bad.wav")
    with Index("index") as index:
        (failed,) = (r for r in add_all("index", disk) if r.status.value == "failed")
        assert [f.path for f in index.storage.failures()] == [failed.path]
        earlier = dataclasses.replace(index.storage.failures()[0], path=str(disk / "link.wav"))
        index.storage.add_failures([earlier])
        assert statuses(add_all("index", disk)) == ["failed", "unchanged", "unchanged"]
        assert [f.path for f in index.storage.failures()] == [str(disk / "bad.wav")]


def test_a_file_in_a_linked_folder_that_cannot_be_decoded_fails_once(disk, tmp_path):
    (disk / "bad.wav").write_text("no sound")
    add_all("index", disk)
    assert statuses(add_all("index", link(tmp_path / "up", disk, is_folder=True))) == [
        "failed",
        *["unchanged"] * 2,
    ]
    with Index("index") as index:
        assert [f.path for f in index.storage.failures()] == [str(disk / "bad.wav")]


def test_a_link_to_a_file_that_was_renamed_fails_under_its_own_path(disk):
    add_all("index", disk, dangling := link(disk / "link.wav", "one.wav"))
    before = stored("index")
    (disk / "one.wav").rename(disk / "renamed.wav")
    results = add_all("index", disk)
    assert {r.path: r.status.value for r in results} == {
        str(dangling): "failed",
        str(disk / "renamed.wav"): "moved",
        str(disk / "album" / "two.wav"): "unchanged",
    }
    assert set(stored("index").values()) == set(before.values())


@pytest.mark.parametrize("name", ["link.wav", "Music/one.wav", "Music/../Music/one.wav"])
def test_a_query_by_a_link_finds_the_track_of_its_target(
    disk, tmp_path, place, nothing_is_embedded, name
):
    add_all(place, disk)
    link(tmp_path / "link.wav", disk / "one.wav")
    link(tmp_path / "Music", disk, is_folder=True)
    nothing_is_embedded()
    hits = similar(place, tmp_path / name).hits
    assert [hit.track.path for hit in hits] == [str(disk / "album" / "two.wav")]


@pytest.mark.parametrize("name", ["disk/one.wav", "other.wav", "Other/one.wav"])
def test_a_query_by_the_file_finds_the_track_of_a_link(
    disk, tmp_path, place, nothing_is_embedded, name
):
    music = link(tmp_path / "Music", disk, is_folder=True)
    add_all(place, music)
    link(tmp_path / "other.wav", disk / "one.wav")
    link(tmp_path / "Other", disk, is_folder=True)
    nothing_is_embedded()
    hits = similar(place, tmp_path / name).hits
    assert [hit.track.path for hit in hits] == [str(music / "album" / "two.wav")]


def test_a_linked_folder_stands_for_its_target_in_filters_and_removals(disk, tmp_path, place):
    add_all(place, disk)
    link(tmp_path / "Music", disk, is_folder=True)
    with Index(place) as index:
        filters = Filters(folder=(str(tmp_path / "Music" / "album"),))
        assert index.storage.ids(filters).tolist() == [stored(place)[str(disk / "album/two.wav")]]
        assert forget(index, [str(tmp_path / "Music" / "album")]) == 1
    assert list(stored(place)) == [str(disk / "one.wav")]


def test_a_link_is_never_the_best_copy(disk):
    add_all("index", disk)
    for name in ("0.wav", "2.wav"):
        store_under("index", disk / "one.wav", link(disk / name, "one.wav"))
    (disk / "copy.wav").write_bytes((disk / "one.wav").read_bytes())
    with Index("index") as index:
        track = index.resolve(str(disk / "0.wav"))
        index.storage.update(dataclasses.replace(track, size=10 * track.size, format="flac"))
        (group,) = duplicates(index)
    assert [copy.track.path for copy in group[-2:]] == [str(disk / "0.wav"), str(disk / "2.wav")]


def test_a_file_in_a_linked_folder_is_no_copy_of_itself(disk, tmp_path):
    music = link(tmp_path / "Music", disk, is_folder=True)
    add_all("index", music / "one.wav")
    store_under("index", music / "one.wav", disk / "one.wav")
    with Index("index") as index:
        assert duplicates(index) == []


def test_hard_links_are_copies_and_both_are_found(disk, place, nothing_is_embedded):
    add_all(place, disk)
    os.link(disk / "one.wav", disk / "album" / "hard.wav")
    nothing_is_embedded()
    assert statuses(add_all(place, disk)) == ["added", "unchanged", "unchanged"]
    paths = {str(disk / "one.wav"), str(disk / "album" / "hard.wav")}
    for path in paths:
        assert similar(place, path, k=1).hits[0].track.path in paths - {path}
    with Index(place) as index:
        (group,) = duplicates(index)
        assert {copy.track.path for copy in group} == paths


# Moved files


def rows_of(run, *arguments):
    return dict(reversed(line.split("\t")) for line in run(*arguments).stdout.splitlines())


def test_a_dry_run_shows_what_will_be_moved(disk, run):
    write(disk / "three.wav", melody())
    add_all("index", disk)
    (disk / "album").rename(disk / "renamed album")
    (disk / "one.wav").rename(disk / "1.wav")
    (disk / "copy of three.wav").write_bytes((disk / "three.wav").read_bytes())
    write(disk / "new.wav", tone(500))  # as long as the moved files
    planned = rows_of(run, "add", disk, "--dry-run")
    assert planned == {
        str(disk / "renamed album" / "two.wav"): "moved",
        str(disk / "1.wav"): "moved",
        str(disk / "copy of three.wav"): "new",
        str(disk / "new.wav"): "new",
    }
    before = stored("index")
    done = {r.path: r.status.value for r in add_all("index", disk)}
    assert {path for path, status in done.items() if status == "moved"} == {
        path for path, state in planned.items() if state == "moved"
    }
    assert set(before.values()) < set(stored("index").values())


def test_a_file_that_was_moved_away_from_its_link_takes_over_the_track(disk, tmp_path, run):
    add_all("index", link(tmp_path / "favorites" / "1.wav", disk / "one.wav"))
    (track_id,) = stored("index").values()
    (disk / "one.wav").rename(disk / "renamed.wav")
    assert rows_of(run, "add", disk / "renamed.wav", "--dry-run").popitem()[1] == "moved"
    assert statuses(add_all("index", disk / "renamed.wav")) == ["moved"]
    assert stored("index") == {str(disk / "renamed.wav"): track_id}


def test_a_dry_run_calls_one_of_two_copies_of_a_missing_file_moved(disk, run):
    add_all("index", disk)
    content = (disk / "one.wav").read_bytes()
    (disk / "one.wav").unlink()
    for name in ("a.wav", "b.wav"):
        (disk / name).write_bytes(content)
    assert sorted(rows_of(run, "add", disk, "--dry-run").values()) == ["moved", "new"]
    assert statuses(add_all("index", disk)) == ["added", "moved", "unchanged"]


def test_a_dry_run_opens_only_files_that_may_be_moved(disk, monkeypatch, run):
    add_all("index", disk)
    write(disk / "new.wav", tone(5.0))
    write(disk / "album" / "same size.wav", tone(600))
    monkeypatch.setattr("audiosearch.ingest.plan.read_file_stat", None)
    assert set(rows_of(run, "add", disk, "--dry-run").values()) == {"new"}


# Modification times

_SECOND = 10**9


_FAR_TIMES = pytest.mark.parametrize(
    "mtime_ns",
    [
        pytest.param(2**33 * _SECOND, id="2242"),
        pytest.param(10**10 * _SECOND, id="2286"),
        pytest.param(15 * 10**9 * _SECOND, id="2445"),
        pytest.param(2**62 * _SECOND, id="as late as possible"),
        pytest.param(-(2**31) * _SECOND - 1, id="1901"),
        pytest.param(-(10**10) * _SECOND, id="1653"),
        pytest.param(-(2**62) * _SECOND, id="as early as possible"),
    ],
)


@_FAR_TIMES
def test_a_file_with_any_modification_time_is_added_once(music, mtime_ns):
    os.utime(music / "low.wav", ns=(0, mtime_ns))  # file systems limit it, some to 2446
    (music / "broken.wav").write_text("no sound")
    os.utime(music / "broken.wav", ns=(0, mtime_ns))
    assert statuses(add("index", [music], model="compact")) == ["added"] * 5 + ["failed"]
    assert statuses(add("index", [music])) == ["failed"] + ["unchanged"] * 5


@pytest.mark.parametrize("time_ns", [0, -1, _INT64 - 1, _INT64, -_INT64, -_INT64 - 1, 2**90])
def test_every_time_can_be_stored(tmp_path, monkeypatch, time_ns):
    assert -_INT64 < storable_ns(time_ns) < _INT64
    path = write(tmp_path / "a.wav", tone())
    os.utime(path, ns=(0, time_ns))
    with open_regular(str(path)) as file:
        assert read_file_stat(file).mtime_ns == size_and_mtime(str(path))[1]


def test_an_object_replaced_within_a_second_is_a_changed_one():
    time, other = datetime(2026, 1, 1, tzinfo=timezone.utc), {"size": 5}
    before, after, later = (
        url_size_and_mtime(other | {"LastModified": time + timedelta(seconds=wait), "ETag": digest})
        for wait, digest in ((0, "a"), (0, "b"), (1, "a"))
    )
    assert len({before, after, later}) == 3
    assert before[1] // 10**9 == after[1] // 10**9 == time.timestamp()


def test_etags_of_servers_that_share_a_website_may_differ():
    time = "Thu, 01 Jan 2026 00:00:00 GMT"
    one, other = (url_size_and_mtime({"Last-Modified": time, "ETag": tag}) for tag in ("a", "b"))
    assert one == other


@pytest.mark.parametrize(
    "time",
    ["9999-12-31", "0001-01-01", 1e300, -1e300, 10**40, float("nan"), float("inf")],
)
def test_every_time_of_a_url_can_be_stored(time):
    size, mtime_ns = url_size_and_mtime({"size": 5, "mtime": time})
    assert size == 5
    assert -_INT64 < mtime_ns < _INT64


def test_a_copy_is_added_without_reading_all_other_copies(tmp_path, monkeypatch):
    content = write(tmp_path / "sound.wav", tone()).read_bytes()
    (tmp_path / "music").mkdir()
    for number in range(60):
        (tmp_path / "music" / f"{number}.wav").write_bytes(content)
    tracks_of, n_read = Index.tracks_of, 0

    def counted(index, hashes):
        nonlocal n_read
        found = tracks_of(index, hashes)
        n_read += sum(map(len, found.values()))
        return found

    monkeypatch.setattr(Index, "tracks_of", counted)
    assert statuses(add("index", [tmp_path / "music"], model="compact")) == ["added"] * 60
    assert n_read < 60
