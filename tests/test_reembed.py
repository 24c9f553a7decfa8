"""All tracks of an index are embedded with another model, while searches use the old one."""

import os

import numpy as np
import pytest
from networks import mean_bands, tflite
from sounds import noise, tone, write

from audiosearch import Embedder, Index, LibraryError, ModelMismatch, add, similar
from audiosearch.ingest.reembed import Reembedding
from audiosearch.models.registry import ModelRequest, compact

pytestmark = pytest.mark.filterwarnings("ignore")  # warnings of TensorFlow


@pytest.fixture(scope="session")
def other(tmp_path_factory):
    return str(tflite(tmp_path_factory.mktemp("model") / "other.tflite", mean_bands))


@pytest.fixture
def index(music):
    (music / "copy of low.wav").write_bytes((music / "low.wav").read_bytes())
    add("index", [music], model="compact")
    return "index"


def reembed(model, *, force=False):
    """Embed all tracks again; return the errors by path, and the stored failures."""
    with Reembedding("index", ModelRequest(model)) as reembedding:
        errors = dict(reembedding)
        return errors, reembedding.commit(force=force)


def vectors():
    """Return the vectors of the index by path."""
    with Index("index") as index:
        return {track.path: index.vector(track) for track in index}


def test_every_track_gets_a_vector_of_the_other_model_and_keeps_its_id(index, other):
    with Index("index") as opened:
        before = {track.path: track.id for track in opened}
    errors, failures = reembed(other)
    assert (set(errors), set(errors.values()), failures) == (set(before), {None}, [])
    embedder = Embedder(other)
    for path, vector in vectors().items():
        np.testing.assert_allclose(vector, embedder.embed(path).vector, atol=1e-6)
    with Index("index") as opened:
        assert opened.spec.model == "other.tflite"
        assert {track.path: track.id for track in opened} == before
        assert opened.pending() == (None, 0)
        low = next(path for path in before if path.endswith("low.wav"))  # no copy of another
        track, similarity = opened.search(vectors()[low], 1)[0]
        assert (track.path, similarity) == (low, pytest.approx(1.0))


def test_an_interrupted_run_keeps_the_old_vectors_and_its_progress(index, other, music):
    before = vectors()
    with Reembedding("index", ModelRequest(other)) as reembedding:
        iterator = iter(reembedding)
        first = next(iterator)
        iterator.close()
    assert vectors().keys() == before.keys()
    for path, vector in vectors().items():
        np.testing.assert_array_equal(vector, before[path])
    assert len(similar("index", music / "low.wav", request=ModelRequest("compact")).hits) == 5
    with Index("index") as opened:
        model, n_done = opened.pending()
    assert (model, n_done >= 1) == ("other.tflite", True)
    with Reembedding("index", ModelRequest(other)) as again:
        assert len(again) == 6 - n_done
        assert first[0] not in dict(again)
        again.commit()
    with Index("index") as opened:
        assert opened.spec.model == "other.tflite"


def test_missing_files_are_an_error_unless_forced(index, other, music):
    (music / "high.wav").unlink()
    before = vectors()
    with pytest.raises(LibraryError, match="1 track can't be embedded, 1 of them"):
        reembed(other)
    assert vectors().keys() == before.keys()
    errors, failures = reembed(other, force=True)
    assert list(errors) == [failure.path for failure in failures] == [str(music / "high.wav")]
    assert len(vectors()) == 5
    with Index("index") as opened:
        assert [failure.path for failure in opened.storage.failures()] == [str(music / "high.wav")]


def test_tracks_added_or_changed_in_the_meantime_need_another_run(index, other, music):
    with Reembedding("index", ModelRequest(other)) as reembedding:
        assert set(dict(reembedding).values()) == {None}
        write(music / "low.wav", tone(500))
        write(music / "new.wav", noise(seed=5))
        add("index", [music])
        with pytest.raises(LibraryError, match="added"):
            reembedding.commit()
    errors, _ = reembed(other)
    assert {os.path.basename(path) for path in errors} == {"low.wav", "new.wav"}
    expected = Embedder(other).embed(music / "low.wav").vector
    np.testing.assert_allclose(vectors()[str(music / "low.wav")], expected, atol=1e-6)


def test_an_index_that_was_open_before_does_not_mix_models(index, other, music):
    with Index("index") as opened:
        track = next(iter(opened))
        vector = opened.vector(track)
        reembed(other)
        with pytest.raises(ModelMismatch, match="changed the model"):
            opened.add(track, vector)
        with pytest.raises(ModelMismatch, match="changed the model"):
            opened.search(vector, 1)


def test_staged_vectors_of_another_model_are_not_used(index, other, tmp_path):
    with Reembedding("index", ModelRequest(other)) as reembedding:
        dict(reembedding)
    third = tflite(tmp_path / "third.tflite", lambda patches: mean_bands(patches) + 1)
    with Reembedding("index", ModelRequest(str(third))) as reembedding:
        assert len(reembedding) == 6


def test_reembedding_with_the_same_model_is_an_error(index):
    with pytest.raises(LibraryError, match="already"):
        reembed("compact")


def test_the_command_reports_the_number_of_tracks(index, other, run):
    result = run("reembed", "--model", other)
    assert result.exit_code == 0
    assert "6 embedded; the index now uses other.tflite" in result.stderr
    assert run("reembed", "--model", compact().name).exit_code == 0


def test_a_copy_of_the_old_content_of_a_changed_file_is_embedded_itself(index, other, music):
    old = (music / "high.wav").read_bytes()
    write(music / "high.wav", noise(seed=8))
    reembed(other)
    (music / "copy.wav").write_bytes(old)
    statuses = {os.path.basename(o.path): o.status.value for o in add("index", [music])}
    assert statuses["copy.wav"] == "added"
    embedder = Embedder(other)
    for name in ("high.wav", "copy.wav"):
        expected = embedder.embed(music / name).vector
        np.testing.assert_allclose(vectors()[str(music / name)], expected, atol=1e-6)


def test_a_restored_file_is_added_again(index, other, music):
    away = (music / "high.wav").rename(music.parent / "away.wav")
    reembed(other, force=True)
    away.rename(music / "high.wav")
    added = [o for o in add("index", [music]) if o.status.value == "added"]
    assert [os.path.basename(o.path) for o in added] == ["high.wav"]


def test_a_failed_commit_changes_nothing(index, other, music):
    (music / "high.wav").unlink()
    with Reembedding("index", ModelRequest(other)) as reembedding:
        dict(reembedding)
        write(music / "new.wav", noise(seed=5))
        add("index", [music])
        with pytest.raises(LibraryError, match="added or changed"):
            reembedding.commit(force=True)
    assert str(music / "high.wav") in vectors()
    with Index("index") as opened:
        assert opened.storage.failures() == []


def test_two_runs_at_once_do_not_mix_models(index, other, tmp_path):
    third = tflite(tmp_path / "third.tflite", lambda patches: mean_bands(patches) + 1)
    with Reembedding("index", ModelRequest(other)) as first:
        with Reembedding("index", ModelRequest(str(third))) as second:
            with pytest.raises(LibraryError, match="Another process"):
                dict(first)
            dict(second)
            second.commit()
        with pytest.raises(LibraryError, match="Another process"):
            first.commit()
    embedder = Embedder(str(third))
    for path, vector in vectors().items():
        np.testing.assert_allclose(vector, embedder.embed(path).vector, atol=1e-6)


def test_commit_refuses_if_no_track_can_be_embedded(index, other, music):
    music.rename(music.with_name("unmounted"))
    with pytest.raises(LibraryError, match="None of the tracks can be embedded"):
        reembed(other, force=True)
    assert len(vectors()) == 6


def test_add_uses_the_old_model_until_the_new_one_is_committed(index, other, music):
    write(music / "high.wav", noise(seed=8))
    with Reembedding("index", ModelRequest(other)) as reembedding:
        assert set(dict(reembedding).values()) == {None}
    add("index", [music])
    expected = Embedder("compact").embed(music / "high.wav").vector
    np.testing.assert_allclose(vectors()[str(music / "high.wav")], expected, atol=1e-6)
