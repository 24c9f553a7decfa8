"""A new model is one entry in the registry: every command then works with its dimension."""

import hashlib
import http.server
import json
import threading
from functools import partial

import numpy as np
import pytest
from networks import band_statistics, tflite
from sounds import melody, write

from audiosearch import DownloadError, WeightsError
from audiosearch.library.index import Index
from audiosearch.models import registry
from audiosearch.models.remote_file import RemoteFile
from audiosearch.models.spec import ModelSpec
from audiosearch.models.specs import SPECS, downloads
from audiosearch.models.weights_format import LiteRtFile

pytestmark = pytest.mark.filterwarnings("ignore")  # TensorFlow's own

DIMENSION = 512


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "bands512.tflite"
    return tflite(path, partial(band_statistics, dimension=DIMENSION))


@pytest.fixture
def published(weights):
    """Serve the weights, and return their address."""
    handler = partial(Quiet, directory=weights.parent)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/{weights.name}"
        server.shutdown()
        thread.join()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


def spec_of(weights, url, *, dimension=DIMENSION):
    return ModelSpec(
        name="bands512",
        title="Bands 512",
        dimension=dimension,
        weights=RemoteFile(
            key="BANDS512",
            title="the weights of Bands 512",
            published_url=url,
            published_sha512=hashlib.sha512(weights.read_bytes()).hexdigest(),
            option="--weights FILE",
            size_mb=0.01,
            license="CC0-1.0",
        ),
        weights_format=LiteRtFile(),
    )


@pytest.fixture
def new_model(monkeypatch, weights, published):
    """Add the model to the registry: one entry."""
    spec = spec_of(weights, published)
    monkeypatch.setitem(SPECS, spec.name, spec)
    return spec


def test_the_weights_are_downloaded_once_and_checked(new_model, monkeypatch):
    assert registry.available(new_model.name) is None
    assert registry.status()["bands512"] is None
    fetched = registry.resolve(new_model.name, may_fetch=True)
    assert fetched.dimension == fetched.load().dimension == DIMENSION
    monkeypatch.setenv("AUDIOSEARCH_BANDS512_URL", "http://127.0.0.1:1/x")
    assert registry.resolve(new_model.name) == fetched
    assert registry.by_digest(new_model.name, fetched.weights_digest) == fetched
    status = registry.status()
    assert status["bands512"] == str(fetched.path)
    assert status["bands512_fingerprint"] == fetched.weights_digest
    assert status["bands512_tflite"] == str(new_model.weights.path)
    assert "bands512" in downloads()


def test_a_local_copy_of_the_weights_replaces_the_download(new_model, monkeypatch, weights):
    monkeypatch.setenv("AUDIOSEARCH_BANDS512_URL", "http://127.0.0.1:1/x")
    with pytest.raises(DownloadError, match="the weights of Bands 512"):
        registry.resolve(new_model.name, may_fetch=True)
    model = registry.resolve(new_model.name, weights=weights)
    assert (model.name, model.dimension) == ("bands512", DIMENSION)


def test_weights_of_another_dimension_than_the_spec_says_are_rejected(
    new_model, monkeypatch, weights, published
):
    monkeypatch.setitem(SPECS, new_model.name, spec_of(weights, published, dimension=256))
    with pytest.raises(WeightsError, match="embeddings of 512 dimensions instead of 256"):
        registry.resolve(new_model.name, may_fetch=True)


def test_unavailable_weights_are_reported_with_the_command_to_get_them(new_model, run, tmp_path):
    result = run("embed", write(tmp_path / "a.wav", melody()), "--model", new_model.name)
    assert result.exit_code == 1
    assert "Bands 512's weights are not on this machine" in result.stderr
    assert "audiosearch model fetch bands512" in result.stderr.replace("\n", " ")


@pytest.fixture
def library(new_model, run, tmp_path):
    """Add 12 sounds with the new model, and return their folder."""
    folder = tmp_path / "library"
    folder.mkdir()
    for seed in range(12):
        write(folder / f"{seed:02d}.wav", melody(3.0, seed=seed))
    added = run("add", folder, "--model", new_model.name)
    assert added.exit_code == 0, added.stderr
    assert "12 added" in added.stderr
    return folder


def test_add_records_the_model_and_its_dimension(library, new_model, run):
    assert '"model": "bands512"' in run("info", "--format", "json").stdout
    with Index("index") as index:
        assert index.spec.dimension == DIMENSION
        vector = index.vector(index.storage.track_at(str(library / "00.wav")))
    assert vector.shape == (DIMENSION,)
    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-5)


def test_query_finds_a_file_and_its_neighbors(library, run):
    result = run("query", library / "03.wav", "-k", 5, "--format", "json")
    assert result.exit_code == 0, result.stderr
    hits = json.loads(result.stdout)["hits"]
    assert len(hits) == 5


def test_query_embeds_a_file_that_is_not_in_the_index(library, run, tmp_path):
    result = run("query", write(tmp_path / "x.wav", melody(3.0, seed=3)), "--format", "json")
    assert result.exit_code == 0, result.stderr
    best = json.loads(result.stdout)["hits"][0]
    assert best["path"] == str(library / "03.wav")
    assert best["similarity"] == pytest.approx(1.0, abs=1e-4)


def test_playlist_has_the_length_asked_for(library, run):
    result = run("playlist", library / "03.wav", "-n", 4)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.count(".wav") == 4


def test_map_places_every_track(library, run, tmp_path):
    result = run("map", "-o", tmp_path / "map.html")
    assert result.exit_code == 0, result.stderr
    assert (tmp_path / "map.html").stat().st_size > 0


def test_export_and_import_keep_the_dimension(library, run, tmp_path):
    exported = run("export", tmp_path / "export")
    assert exported.exit_code == 0, exported.stderr
    vectors = tmp_path / "export" / "vectors.npy"
    assert np.load(vectors).shape == (12, DIMENSION)
    fields = vectors.with_name("tracks.jsonl")
    imported = run("import", vectors, fields, "--index", tmp_path / "copy")
    assert imported.exit_code == 0, imported.stderr
    with Index(tmp_path / "copy") as index:
        assert index.spec.model == "bands512"
        assert index.spec.dimension == DIMENSION


def test_reembed_changes_the_dimension(library, run):
    result = run("reembed", "--model", "compact")
    assert result.exit_code == 0, result.stderr
    with Index("index") as index:
        assert (index.spec.model, index.spec.dimension) == ("compact", 128)
    assert run("query", library / "03.wav").exit_code == 0
