"""Moments in exports: files that other programs can read, and checks of what is imported."""

import dataclasses
import json
import struct

import numpy as np
import pytest
from tracks import SPEC, bytes_of_moments, made_moments, some_track, unit_vectors

from audiosearch import Index, LibraryError
from audiosearch.maintenance.export_import import export, export_parquet, import_vectors
from audiosearch.models.moments import Moments

N_TRACKS = 6
KEYS = ("moments", "moment_sounds", "moment_prints")


def fill(folder, hop):
    """Create an index of tracks; one has no moments, another's have no sounds and no prints."""
    n_words = 16 if hop is None else round(hop / 0.06)
    moments = [made_moments(n + 1, seed=n, n_words=n_words) for n in range(N_TRACKS)]
    moments[2], moments[4] = None, Moments(moments[4].codes)
    rows = [
        (dataclasses.replace(some_track(number), content_hash=f"a{number}"), vector)
        for number, vector in enumerate(unit_vectors(N_TRACKS))
    ]
    with Index(folder, spec=SPEC, moment_hop=hop) as index:
        index.add_all(rows, moments=moments)
    return moments


@pytest.fixture
def exported(tmp_path):
    """The folder of an export with moments, and the moments by path."""
    fill(tmp_path / "index", 0.48)
    with Index(tmp_path / "index") as index:
        export(index, tmp_path / "export")
    return tmp_path / "export", contents(tmp_path / "index")


def contents(folder):
    with Index(folder) as index:
        stored = {track.path: index.moments_of(track) for track in index}
    return {
        path: bytes_of_moments(moments) for path, moments in stored.items() if moments is not None
    }


def imported(folder, target):
    import_vectors(target, folder / "vectors.npy", folder / "tracks.jsonl")
    return contents(target)


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_an_import_restores_what_was_exported(exported, tmp_path):
    folder, expected = exported
    assert imported(folder, tmp_path / "again") == expected
    assert len(expected) == N_TRACKS - 1
    with Index(tmp_path / "again") as index:
        assert index.moment_hop == 0.48
        assert index.moments.problem() is None


def test_other_programs_can_read_the_arrays(exported):
    folder, _ = exported
    rows = [json.loads(line) for line in (folder / "tracks.jsonl").read_text().splitlines()]
    assert [row["moments"] for row in rows] == [1, 2, 0, 4, 5, 6]
    assert [row["moment_sounds"] for row in rows] == [0, 1, None, 3, None, 6]
    assert [row["moment_prints"] for row in rows] == [1, 2, None, 4, None, 6]
    codes, sounds = np.load(folder / "moments.npy"), np.load(folder / "moment_sounds.npy")
    assert (codes.dtype, codes.shape) == (np.int8, (18, 128))
    np.testing.assert_array_equal(codes[3:7], made_moments(4, seed=3).codes)
    prints = np.load(folder / "moment_prints.npy")
    assert (prints.dtype, prints.shape) == (np.uint16, (13, 8))
    np.testing.assert_array_equal(prints[3:7], made_moments(4, seed=3, n_words=8).prints)
    assert sounds.dtype.names == ("patch", "class", "score")
    assert sounds["patch"].tolist() == [2, 4, 5, 5, 13, 14, 14, 16, 17, 17]
    assert json.loads((folder / "index.json").read_text())["moment_hop"] == 0.48


def test_an_export_without_moments_has_nothing_of_them(tmp_path):
    fill(tmp_path / "index", None)
    with Index(tmp_path / "index") as index:
        export(index, tmp_path / "export")
    written = files(tmp_path / "export")
    assert sorted(written) == ["index.json", "tracks.jsonl", "vectors.npy"]
    assert not any(b"moment" in content for content in written.values())


def test_moments_of_a_replaced_export_are_deleted(exported, tmp_path):
    folder, _ = exported
    with Index(tmp_path / "index") as index:
        export(index, folder)
        assert (folder / "moments.npy").exists()
        index.set_moment_hop(None)
        export(index, folder)
    assert sorted(files(folder)) == ["index.json", "tracks.jsonl", "vectors.npy"]


@pytest.mark.parametrize("name", ["moments.npy", "moment_sounds.npy"])
def test_other_files_of_these_names_are_neither_replaced_nor_deleted(tmp_path, name):
    fill(tmp_path / "with", 0.96)
    fill(tmp_path / "without", None)
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / name).write_bytes(b"mine")
    with Index(tmp_path / "with") as index, pytest.raises(LibraryError, match=name):
        export(index, tmp_path / "export")
    with Index(tmp_path / "without") as index:
        export(index, tmp_path / "export")
    assert (tmp_path / "export" / name).read_bytes() == b"mine"


def test_parquet_leaves_moments_out(tmp_path):
    fill(tmp_path / "index", 0.96)
    with Index(tmp_path / "index") as index:
        export_parquet(index, tmp_path / "export")
    assert b"moment" not in (tmp_path / "export" / "tracks.parquet").read_bytes()


def test_an_export_whose_moments_were_deleted_is_imported_without(exported, tmp_path):
    folder, _ = exported
    (folder / "moments.npy").unlink()
    assert imported(folder, tmp_path / "again") == {}
    with Index(tmp_path / "again") as index:
        assert (index.n_tracks, index.moment_hop) == (N_TRACKS, None)


@pytest.mark.parametrize("hop", [None, 0.96])
def test_an_index_with_another_hop_gets_no_moments(exported, tmp_path, caplog, hop):
    folder, _ = exported
    with Index(tmp_path / "other", spec=SPEC, moment_hop=hop):
        pass
    assert imported(folder, tmp_path / "other") == {}
    assert "audiosearch refresh --moments" in caplog.text


def test_rows_that_are_left_out_take_their_moments_along(exported, tmp_path):
    folder, expected = exported
    lines = (folder / "tracks.jsonl").read_text().splitlines()
    row = json.loads(lines[1])
    lines[1] = json.dumps({name: row[name] for name in KEYS})  # no path
    (folder / "tracks.jsonl").write_text("\n".join(lines))
    del expected["/music/1.mp3"]
    assert imported(folder, tmp_path / "again") == expected


@pytest.mark.parametrize("hop", ["text", None, 0, -1, 0.5, True, [0.96], 1e999])
def test_an_export_with_an_unknown_hop_has_no_moments(exported, tmp_path, hop):
    folder, _ = exported
    spec = json.loads((folder / "index.json").read_text()) | {"moment_hop": hop}
    (folder / "index.json").write_text(json.dumps(spec))
    assert imported(folder, tmp_path / "again") == {}


def npy(shape):
    header = b"{'descr': '|i1', 'fortran_order': False, 'shape': %s, }\n" % shape
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + bytes(1_024)


HEADERS = [
    pytest.param(npy(b"(" * 5_000), id="nested"),
    pytest.param(npy(b"(2, 1<<40"), id="not closed"),
    pytest.param(npy(b"(99999999999, 128)"), id="huge"),
    pytest.param(npy(b"(-1, 128)"), id="negative"),
    pytest.param(npy(b"(8, 128)"), id="too few rows"),
    pytest.param(npy(b"(8, 64)"), id="another dimension"),
    pytest.param(npy(b"(1024,)"), id="one axis"),
    pytest.param(b"", id="empty"),
    pytest.param(b"junk" * 100, id="junk"),
]


@pytest.mark.parametrize("name", ["moments.npy", "moment_sounds.npy"])
@pytest.mark.parametrize("content", HEADERS)
def test_arrays_with_a_hostile_header_are_refused_in_a_sentence(exported, tmp_path, name, content):
    folder, _ = exported
    (folder / name).write_bytes(content)
    with pytest.raises(LibraryError, match=name) as caught:
        imported(folder, tmp_path / "again")
    assert "delete" in caught.value.hint


def changed_sounds(field, value):
    def change(folder):
        sounds = np.load(folder / "moment_sounds.npy")
        sounds[field][1] = value
        np.save(folder / "moment_sounds.npy", sounds)

    return change


def changed_counts(key, value):
    def change(folder):
        lines = (folder / "tracks.jsonl").read_text().splitlines()
        lines[1] = json.dumps(json.loads(lines[1]) | {key: value})
        (folder / "tracks.jsonl").write_text("\n".join(lines))

    return change


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(changed_sounds("patch", 0), id="patch of another track"),
        pytest.param(changed_sounds("patch", 2**62), id="patch beyond the end"),
        pytest.param(changed_sounds("class", 521), id="unknown class"),
        pytest.param(changed_sounds("score", np.nan), id="score that is no number"),
        pytest.param(changed_sounds("score", 1.5), id="score above 1"),
        pytest.param(changed_counts("moments", 3), id="too many patches"),
        pytest.param(changed_counts("moments", "2"), id="text for a number of patches"),
        pytest.param(changed_counts("moments", 10**30), id="huge number of patches"),
        pytest.param(changed_counts("moment_sounds", -1), id="negative number of sounds"),
        pytest.param(
            lambda folder: np.save(folder / "moments.npy", np.zeros((18, 128), np.int16)),
            id="16 bits",
        ),
        pytest.param(
            lambda folder: np.save(folder / "moment_sounds.npy", np.zeros(10)), id="no fields"
        ),
    ],
)
def test_files_that_do_not_fit_together_are_refused_and_nothing_is_imported(
    exported, tmp_path, change
):
    folder, _ = exported
    change(folder)
    with pytest.raises(LibraryError, match="moment"):
        imported(folder, tmp_path / "again")
    assert not Index.exists(tmp_path / "again")
