"""Moments in a folder: the table, its FAISS file, doctor, and what damage costs."""

import dataclasses
import os
import shutil
import sqlite3
from contextlib import closing

import faiss
import numpy as np
import pytest
from tracks import SPEC, bytes_of_moments, made_moments, some_track, unit, unit_vectors

from audiosearch import Index, LibraryError
from audiosearch.library.faiss import moment_index
from audiosearch.library.faiss.moment_index import MomentIndex, config_for
from audiosearch.library.folder import moments as folder_moments
from audiosearch.library.patch_positions import Positions
from audiosearch.maintenance.copy import copy
from audiosearch.maintenance.doctor import State, examine, repair
from audiosearch.models.moments import Moments, PatchSounds, quantized
from audiosearch.models.spectral_print import SpectralPrint

N_TRACKS = 8
HOP = 0.96


def hashed(number, content="a"):
    return dataclasses.replace(some_track(number), content_hash=f"{content}{number}")


def fill(folder, n_tracks=N_TRACKS, hop=HOP, n_patches=lambda number: number + 2):
    """Create an index in which each track has some patches, and return them."""
    with Index(folder, spec=SPEC, moment_hop=hop) as index:
        moments = [made_moments(n_patches(number), seed=number) for number in range(n_tracks)]
        rows = [(hashed(number), unit()) for number in range(n_tracks)]
        index.add_all(rows, moments=moments)
        index.sync()
    return moments


@pytest.fixture
def folder(tmp_path):
    fill(tmp_path / "index")
    return tmp_path / "index"


def execute(folder, sql, values=()):
    with closing(sqlite3.connect(folder / "audiosearch.db")) as connection, connection:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(sql, values)


def finding(folder):
    found = {finding.check: finding for finding in examine(folder)}
    return found.get("moments")


def found_tracks(index, k=1_000):
    (found,) = index.moments.search(unit_vectors(1), k)
    return sorted(set(found.track_ids.tolist()))


# The FAISS file


def test_the_file_is_written_by_sync_and_only_after_changes(folder):
    file = folder / "moments.faiss"
    before = file.stat().st_mtime_ns
    with Index(folder) as index:
        index.add(hashed(0), unit_vectors(2)[1])  # a new vector, the same patches
        index.moments.put({track.id: index.moments_of(track) for track in index})
        index.sync()
        assert file.stat().st_mtime_ns == before
        assert index.moments.file_bytes() == file.stat().st_size
        assert index.totals().faiss_bytes == (folder / "vectors.faiss").stat().st_size
        index.remove([index.resolve("/music/3.mp3")])
        index.sync()
        assert file.stat().st_mtime_ns != before
        assert index.moments.problem() is None


@pytest.mark.parametrize(
    ("damage", "word"),
    [
        pytest.param(lambda file: file.unlink(), "missing", id="missing"),
        pytest.param(lambda file: file.write_bytes(b""), "empty", id="empty"),
        pytest.param(lambda file: file.write_bytes(b"junk" * 500), "damaged", id="junk"),
        pytest.param(lambda file: os.truncate(file, 900), "damaged", id="cut"),
        pytest.param(
            lambda file: shutil.copy(file.with_name("vectors.faiss"), file),
            "not the file",
            id="another file",
        ),
    ],
)
def test_a_damaged_file_is_reported_and_rebuilt(folder, damage, word):
    with Index(folder) as index:
        expected = index.moments.search(unit_vectors(1), 5)[0]
    damage(folder / "moments.faiss")
    assert finding(folder).state is State.WARNING
    assert word in finding(folder).detail
    with Index(folder) as index:
        found = index.moments.search(unit_vectors(1), 5)[0]
        assert found.track_ids.tolist() == expected.track_ids.tolist()
    assert finding(folder).state is State.OK


def test_repair_rebuilds_a_damaged_file(folder):
    (folder / "moments.faiss").write_bytes(b"junk" * 500)
    assert "The FAISS file of the moments was rebuilt." in repair(folder)
    assert finding(folder).state is State.OK


def test_a_file_of_a_restored_backup_is_not_used(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "backup")
    with Index(folder) as index:
        index.moments.put({1: made_moments(4, seed=99)})
        index.sync()
    shutil.copy(folder / "moments.faiss", tmp_path / "backup" / "moments.faiss")
    query = made_moments(4, seed=99).vectors()[:1]
    with Index(tmp_path / "backup") as index:
        assert index.moments.search(query, 1)[0].products[0] < 0.9
        assert len(found_tracks(index)) == N_TRACKS


def test_few_changes_are_searched_without_writing_the_file(folder):
    before = (folder / "moments.faiss").stat().st_mtime_ns
    new = made_moments(5, seed=77)
    with Index(folder) as index:
        index.remove([index.resolve("/music/3.mp3")])
        index.add_all([(hashed(20), unit())], moments=[new])
        added = index.resolve("/music/20.mp3")
        assert len(found_tracks(index)) == N_TRACKS
        (found,) = index.moments.search(new.vectors()[4:], 1)
        assert (found.track_ids[0], found.patches[0]) == (added.id, 4)
        assert found.products[0] == pytest.approx(1.0)
    assert (folder / "moments.faiss").stat().st_mtime_ns == before


def test_changes_of_another_process_are_found(folder):
    new = made_moments(2, seed=50)
    with Index(folder) as reader, Index(folder) as writer:
        found_tracks(reader)
        for number in range(3):
            writer.remove([writer.resolve(f"/music/{number}.mp3")])
            writer.add_all([(hashed(40 + number), unit())], moments=[new])
            if number == 1:
                writer.sync()
            ids = sorted(track.id for track in writer)
            assert found_tracks(reader) == ids


def change_and_fail(index):
    with index.transaction():
        index.moments.put({1: None, 2: made_moments(9, seed=9)})
        assert 1 not in found_tracks(index)
        index.moments.put({4: "no moments"})


def test_a_transaction_that_fails_changes_no_search(folder):
    with Index(folder) as index:
        before = found_tracks(index)
        with pytest.raises(AttributeError):
            change_and_fail(index)
        assert found_tracks(index) == before
        index.moments.put({3: made_moments(5, seed=5)})
        assert found_tracks(index) == before


def test_ids_are_never_used_twice(folder):
    with Index(folder) as index:
        before = index.moments.patches.positions()
        index.moments.put({8: None})
        index.moments.put({8: made_moments(3, seed=3)})
        after = index.moments.patches.positions()
    assert after.first_ids[-1] == before.next_id == sum(range(2, N_TRACKS + 2))


@pytest.fixture
def small_lists(monkeypatch):
    """Lists from 100 patches on, and no exact search of few tracks."""
    monkeypatch.setattr(moment_index, "_MAX_FLAT", 100)
    monkeypatch.setattr(folder_moments, "_MAX_EXHAUSTIVE", 0)
    monkeypatch.setattr(moment_index, "_MAX_LAG", 0)
    monkeypatch.setattr(moment_index, "_MIN_NPROBE", 1)


@pytest.mark.usefixtures("small_lists")
def test_the_type_follows_the_number_of_patches(tmp_path):
    fill(tmp_path / "index", n_patches=lambda _: 10)
    query = unit_vectors(1, seed=5)
    with Index(tmp_path / "index") as index:
        index.moments.search(query, 3)
        assert index.moments._index.config.index_type == "flat-sq8"
        rows = [(hashed(50 + number), unit()) for number in range(20)]
        index.add_all(rows, moments=[made_moments(30, seed=50 + n) for n in range(20)])
        index.moments.search(query, 3)
        assert index.moments._index.config.index_type == "ivf-sq8"
        assert index.moments.problem() is None
        nearest = (
            np.concatenate([m.vectors() for _, m in index.moments.of(range(1, 29))]) @ query[0]
        )
        (found,) = index.moments.search(query, 700)  # more than the nearest lists have
        np.testing.assert_allclose(found.products, np.sort(nearest)[::-1], atol=1e-5)
        (few,) = index.moments.search(query, 40, ids=np.array([3, 12]))
        assert sorted(set(few.track_ids.tolist())) == [3, 12]
        assert len(few.patches) == 40
        index.remove([track for track in index if track.id > 8])
        index.moments.search(query, 3)
        assert index.moments._index.config.index_type == "flat-sq8"


@pytest.mark.usefixtures("small_lists")
def test_lists_find_nearly_all_of_the_nearest_patches(tmp_path):
    centers = unit_vectors(40, seed=1)
    rng = np.random.default_rng(0)

    def near(n):
        return (centers[rng.integers(40, size=n)] + 0.5 * unit_vectors(n, seed=n)).astype("f4")

    with Index(tmp_path / "index", spec=SPEC, moment_hop=HOP) as index:
        moments = [Moments(quantized(near(200 + number))) for number in range(20)]
        index.add_all([(hashed(n), unit()) for n in range(20)], moments=moments)
        queries = near(50)
        found = index.moments.search(queries, 10)
        assert index.moments._index.config.nlist
    matrix = np.concatenate([m.vectors() for m in moments])
    limits = np.sort(queries @ matrix.T, axis=1)[:, -10]
    shares = [np.mean(f.products >= limit - 1e-5) for f, limit in zip(found, limits, strict=True)]
    assert np.mean(shares) >= 0.95


def test_codes_stay_in_the_mapped_file(folder):
    with Index(folder) as index:
        index.moments.search(unit_vectors(1), 1)
        opened = MomentIndex(index.moments.patches, folder)
        codes = faiss.downcast_index(opened.faiss.index).codes
        address = int(codes.data().this) if hasattr(codes.data(), "this") else int(codes.data())
        start = opened._mapped.ctypes.data
        assert start <= address < start + len(opened._mapped)


@pytest.mark.parametrize(
    ("n_patches", "kind"), [(1, "flat-sq8"), (200_000, "flat-sq8"), (10_000_000, "ivf-sq8")]
)
def test_large_numbers_of_patches_are_kept_in_lists(n_patches, kind):
    assert config_for(n_patches).index_type == kind


def test_sparse_ids_select_the_same_patches(folder, monkeypatch):
    with Index(folder) as index:
        monkeypatch.setattr(folder_moments, "_MAX_EXHAUSTIVE", 0)
        expected = index.moments.search(unit_vectors(1), 9, ids=np.array([2, 5]))[0]
        monkeypatch.setattr(moment_index, "_MAX_BITMAP_IDS", 0)
        found = index.moments.search(unit_vectors(1), 9, ids=np.array([2, 5]))[0]
    assert found.track_ids.tolist() == expected.track_ids.tolist()
    assert len(found.patches) == 9


def test_positions_map_ids_to_patches_and_back():
    positions = Positions(np.array([7, 3]), np.array([2, 10]), np.array([3, 2]), 20)
    assert positions.ids().tolist() == [2, 3, 4, 10, 11]
    rows, patches = positions.locate(np.array([0, 2, 4, 5, 11, 12]))
    assert rows.tolist() == [-1, 0, 0, -1, 1, -1]
    assert patches[[1, 2, 4]].tolist() == [0, 2, 1]
    bits = np.unpackbits(positions.bitmap(), bitorder="little")
    assert np.flatnonzero(bits).tolist() == positions.ids().tolist()


# Values that somebody edited

DAMAGES = [
    pytest.param("UPDATE moments SET codes = 'text' WHERE track_id = 3", id="text for codes"),
    pytest.param("UPDATE moments SET codes = x'00' WHERE track_id = 3", id="short codes"),
    pytest.param("UPDATE moments SET codes = zeroblob(900000) WHERE track_id = 3", id="long codes"),
    pytest.param("UPDATE moments SET n_patches = 'many' WHERE track_id = 3", id="text for number"),
    pytest.param("UPDATE moments SET n_patches = -4 WHERE track_id = 3", id="negative number"),
    pytest.param("UPDATE moments SET n_patches = 0 WHERE track_id = 3", id="no patches"),
    pytest.param("UPDATE moments SET n_patches = 1 << 39 WHERE track_id = 3", id="huge number"),
    pytest.param("UPDATE moments SET first_id = 1 << 62 WHERE track_id = 3", id="huge id"),
    pytest.param("UPDATE moments SET first_id = -1 WHERE track_id = 3", id="negative id"),
    pytest.param("UPDATE moments SET first_id = 1.5 WHERE track_id = 3", id="fraction for id"),
    pytest.param("UPDATE moments SET first_id = 4 WHERE track_id = 3", id="ids of another track"),
    pytest.param("UPDATE moments SET sounds = 'text' WHERE track_id = 3", id="text for sounds"),
    pytest.param("UPDATE moments SET sounds = x'01' WHERE track_id = 3", id="short sounds"),
    pytest.param(
        "UPDATE moments SET sounds = x'01000000ffff10' WHERE track_id = 3", id="unknown class"
    ),
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_moments_are_found_left_out_and_removed(folder, damage):
    execute(folder, damage)
    with Index(folder) as index:
        index.moments.totals()
        index.moments.search(unit_vectors(1), 1_000)
        index.moments.delete_file()
        others = {1, 2, 4, 5, 6, 7, 8}
        assert others <= set(found_tracks(index)) | {2}
        assert others <= {track_id for track_id, _ in index.moments.of(list(range(1, 9)))}
        index.moments.put({8: made_moments(3, seed=8)})
        index.sync()
    assert finding(folder).state is State.ERROR
    assert "1 track" in finding(folder).detail
    assert any("Damaged moments of 1 track removed" in line for line in repair(folder))
    assert finding(folder).state is State.WARNING
    assert "1 of 8 tracks have none; `audiosearch refresh --moments`" in finding(folder).detail
    with Index(folder) as index:
        assert index.n_tracks == N_TRACKS
        assert len(found_tracks(index)) == N_TRACKS - 1


def test_moments_of_which_all_are_damaged_are_searched(folder):
    execute(folder, "UPDATE moments SET codes = x'00'")
    with Index(folder) as index:
        index.moments.delete_file()
        assert found_tracks(index) == []
        index.moments.put({1: made_moments(4)})
        index.sync()
        assert found_tracks(index) == [1]


@pytest.mark.parametrize("text", ["", "-1", "1e9", "abc", "9" * 50, "٣"])
def test_an_invalid_next_id_is_computed_again(folder, text):
    execute(folder, "UPDATE settings SET value = ? WHERE key = 'next_patch_id'", [text])
    with Index(folder) as index:
        index.moments.put({1: made_moments(4, seed=44)})
        assert len(found_tracks(index)) == N_TRACKS
    assert finding(folder).state is State.OK


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("moments_arrangement", "{}"),
        ("moments_arrangement", '{"kind": "hnsw"}'),
        ("moments_built", "abc"),
        ("moments_built", "-1"),
        ("moments_token", ""),
        ("moments_token", "abc"),
    ],
)
def test_settings_of_the_file_that_do_not_fit_cost_a_rebuild(folder, key, text):
    execute(folder, "UPDATE settings SET value = ? WHERE key = ?", [text, key])
    with Index(folder) as index:
        index.moments.put({1: made_moments(4, seed=44)})
        index.sync()
        assert len(found_tracks(index)) == N_TRACKS
    assert finding(folder).state is State.OK


# Other indexes


def test_doctor_says_nothing_about_moments_of_an_index_without(tmp_path):
    fill(tmp_path / "index", hop=None)
    assert finding(tmp_path / "index") is None
    assert not (tmp_path / "index" / "moments.faiss").exists()


def test_left_over_moments_are_reported_and_removed(folder):
    execute(folder, "DELETE FROM settings WHERE key = 'moment_hop'")
    assert finding(folder).state is State.WARNING
    assert "Moments of 8 tracks removed." in repair(folder)
    assert finding(folder) is None
    assert not (folder / "moments.faiss").exists()


def test_moments_can_be_dropped_and_added_again(folder, caplog):
    with Index(folder) as index:
        index.set_moment_hop(None)
        assert not (folder / "moments.faiss").exists()
        assert index.moments.problem() is None
        index.set_moment_hop(HOP)
        index.moments.put({2: made_moments(3)})
        index.sync()
        assert found_tracks(index) == [2]
    assert caplog.text == ""


@pytest.fixture
def older(folder):
    """An index of a version without moments."""
    for sql in (
        "DROP TABLE moments",
        "DELETE FROM _sqlite_migrations WHERE name >= 'm013'",
        "DELETE FROM settings WHERE key LIKE '%moment%' OR key = 'next_patch_id'",
        "ALTER TABLE pending_vectors DROP COLUMN codes",
        "ALTER TABLE pending_vectors DROP COLUMN sounds",
        "ALTER TABLE pending_vectors DROP COLUMN prints",
    ):
        execute(folder, sql)
    (folder / "moments.faiss").unlink()
    return folder


def test_an_index_of_an_older_version_is_read_and_takes_moments(older):
    with Index(older) as index:
        assert index.moment_hop is None
        assert index.moments.totals() == (0, 0, 0)
        assert len(index.moments.missing()) == N_TRACKS
        assert list(index.moments.of([1])) == []
        assert index.moments.damaged() == []
        assert found_tracks(index) == []
        index.sync()
        index.set_moment_hop(HOP)
        index.moments.put({1: made_moments(3)})
        assert found_tracks(index) == [1]


def test_moments_of_a_version_without_prints_are_searched_and_count_as_missing(folder):
    for sql in (
        "ALTER TABLE moments DROP COLUMN prints",
        "ALTER TABLE pending_vectors DROP COLUMN prints",
        "DELETE FROM _sqlite_migrations WHERE name >= 'm014'",
    ):
        execute(folder, sql)
    with Index(folder) as index:
        assert list(index.moments.prints()) == []
        assert index.moments_of(index.resolve("#1")).prints is None
        assert index.moments.totals()[0] == N_TRACKS
        assert len(found_tracks(index)) > 0
        index.moments.put({1: made_moments(3)})
        assert [i for i, _ in index.moments.prints()] == [1]
        assert len(index.moments.missing()) == N_TRACKS - 1


def test_a_database_without_header_keeps_its_moments(folder):
    with Index(folder) as index:
        before = {i: bytes_of_moments(m) for i, m in index.moments.of([*range(9)])}
    database = folder / "audiosearch.db"
    content = bytearray(database.read_bytes())
    content[:4096] = bytes(4096)
    database.write_bytes(content)
    repair(folder, model="compact")
    with Index(folder) as index:
        assert index.moment_hop == HOP
        after = {i: bytes_of_moments(m) for i, m in index.moments.of([*range(9)])}
        assert len(found_tracks(index)) == len(after)
    assert after == before
    assert finding(folder).state is State.OK


def test_moments_of_a_former_sound_are_not_recovered(folder):
    with Index(folder) as index:
        index.storage.next_revision()
        index.storage.db.conn.commit()
        index.add(index.resolve("#2"), unit_vectors(5)[4])  # its vector is newer than its moments
    database = folder / "audiosearch.db"
    content = bytearray(database.read_bytes())
    content[:4096] = bytes(4096)
    database.write_bytes(content)
    repair(folder, model="compact")
    with Index(folder) as index:
        assert [track.id for track in index.moments.missing()] == [2]
    assert finding(folder).state is State.WARNING


# Copies


@pytest.mark.parametrize("target", ["folder", "milvus"])
def test_copy_takes_moments_and_prints_to_any_backend_and_back(folder, tmp_path, target):
    locations = [folder, tmp_path / "copy", tmp_path / "back"]
    if target == "milvus":
        locations[1] = f"milvus+lite://{tmp_path / 'copy.db'}"
    contents = []
    for source, location in zip(locations, [*locations[1:], None], strict=True):
        with Index(source) as index:
            assert index.moment_hop == HOP
            if source == folder:
                words = np.arange(N_TRACKS * 50_000, dtype=np.uint16).reshape(N_TRACKS, -1)
                prints = (SpectralPrint(1.5, row, row[:9]) for row in words)  # of several parts
                index.put_prints(dict(zip([t.sound_hash for t in index], prints, strict=True)))
            moments = {bytes_of_moments(index.moments_of(track)) for track in index}
            kept = index.prints(index).items()
            prints = {(key, p.seconds, p.words.tobytes(), len(p.fine_words)) for key, p in kept}
            contents.append((moments, prints))
            if location is not None:
                assert list(copy(index, location))[-1] == N_TRACKS
    assert contents[0] == contents[1] == contents[2]
    assert list(map(len, contents[0])) == [N_TRACKS, N_TRACKS]


@pytest.mark.parametrize(
    ("source_hop", "target_hop", "warning"),
    [
        pytest.param(0.96, None, "has no moments", id="target without"),
        pytest.param(0.96, 0.48, "every 0.48 s", id="another hop"),
        pytest.param(None, 0.96, "these tracks have none", id="source without"),
    ],
)
def test_moments_that_do_not_fit_are_left_out_with_a_warning(
    tmp_path, caplog, source_hop, target_hop, warning
):
    fill(tmp_path / "source", hop=source_hop)
    with Index(tmp_path / "target", spec=SPEC, moment_hop=target_hop):
        pass
    with Index(tmp_path / "source") as source:
        list(copy(source, tmp_path / "target"))
    assert warning in caplog.text
    assert "audiosearch refresh --moments --index" in caplog.text
    with Index(tmp_path / "target") as target:
        assert (target.n_tracks, target.moments.totals()[0]) == (N_TRACKS, 0)


def test_moments_of_several_tracks_are_stored_all_or_none(folder):
    with Index(folder) as index:
        before = index.moments.totals()
        wrong = Moments(np.zeros((2, 128), np.int8), PatchSounds(None, None, None))
        with pytest.raises(AttributeError):
            index.add_all(
                [(hashed(30), unit()), (hashed(31), unit())], moments=[made_moments(2), wrong]
            )
        assert index.moments.totals() == before
        assert index.n_tracks == N_TRACKS


def test_a_query_of_another_dimension_is_an_error(folder):
    with Index(folder) as index, pytest.raises(LibraryError, match="128 numbers, not of 64"):
        index.moments.search(unit_vectors(1, dimension=64), 3)
