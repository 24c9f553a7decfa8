"""Array files with any header are refused in a sentence."""

import struct
import zipfile

import numpy as np
import pytest

from audiosearch import LibraryError
from audiosearch.errors import WeightsError
from audiosearch.maintenance.export_import import import_vectors
from audiosearch.models.postprocess import PcaPostprocessor

HEADERS = [
    pytest.param(b"(" * 5_000, id="nested"),
    pytest.param(b"(2, 1<<40", id="not closed"),
    pytest.param(b"(99999999999, 128)", id="huge"),
    pytest.param(b"(-1, 128)", id="negative"),
    pytest.param(b"-" * 60_000 + b"1", id="signs"),
    pytest.param(b"\n  1\n 2", id="indented"),
]


def npy(shape):
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': %s, }\n" % shape
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + bytes(1_024)


@pytest.mark.parametrize("shape", HEADERS)
def test_vectors_with_a_hostile_header_are_refused(tmp_path, shape):
    (tmp_path / "vectors.npy").write_bytes(npy(shape))
    (tmp_path / "tracks.jsonl").write_text('{"path": "/a.wav"}\n')
    with pytest.raises(LibraryError, match="not an array that NumPy can read"):
        import_vectors(
            tmp_path / "index", tmp_path / "vectors.npy", tmp_path / "tracks.jsonl", model="compact"
        )


@pytest.mark.parametrize("shape", HEADERS)
def test_pca_parameters_with_a_hostile_header_are_refused(tmp_path, shape):
    path = tmp_path / "pca.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("pca_eigen_vectors", "pca_means"):
            archive.writestr(f"{name}.npy", npy(shape))
    with pytest.raises(WeightsError, match="cannot be read as PCA parameters"):
        PcaPostprocessor.read(path)


def test_pca_parameters_of_which_a_part_is_damaged_are_refused(tmp_path):
    path = tmp_path / "pca.npz"
    arrays = {"pca_eigen_vectors": np.eye(128, dtype="f4"), "pca_means": np.zeros((128, 1), "f4")}
    np.savez_compressed(path, **arrays)
    content = bytearray(path.read_bytes())
    content[80:100] = b"\xff" * 20
    path.write_bytes(content)
    with pytest.raises(WeightsError):
        PcaPostprocessor.read(path)
