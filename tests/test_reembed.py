"""A whole index by another model, while the old one answers."""

import os

import numpy as np
import pytest
from networks import mean_bands, tflite
from sounds import noise, tone, write

from audiosearch import Embedder, Index, LibraryError, ModelMismatch, add, similar
from audiosearch.ingest.reembed import Reembedding
from audiosearch.models.registry import ModelRequest, compact

pytestmark = pytest.mark.filterwarnings("ignore")  # TensorFlow's own


@pytest.fixture(scope="session")
def other(tmp_path_factory):
    return str(tflite(tmp_path_factory.mktemp("model") / "other.tflite", mean_bands))


@pytest.fixture
def index(music):
    (music / "twin.wav").write_bytes((music / "low.wav").read_bytes())
    add("index", [music], model="compact")
    return "index"


def reembed(model, *, force=False):
    with Reembedding("index", ModelRequest(model)) as reembedding:
        outcomes = dict(reembedding)
        return outcomes, reembedding.commit(force=force)


def vectors():
    with Index("index") as index:
        return {track.path: index.vector(track) for track in index}


def test_every_track_has_the_other_model_s_vector_and_keeps_its_id(index, other):
    with Index("index") as opened:
        before = {track.path: track.id for track in opened}
    outcomes, lost = reembed(other)
    assert (set(outcomes), set(outcomes.values()), lost) == (set(before), {None}, [])
    embedder = Embedder(other)
    for path, vector in vectors().items():
        np.testing.assert_allclose(vector, embedder.embed(path).vector, atol=1e-6)
    with Index("index") as opened:
        assert opened.spec.model == "other.tflite"
        assert {track.path: track.id for track in opened} == before
        assert opened.pending() == (None, 0)
        track, similarity = opened.search(vectors()[min(before)], 1)[0]
        assert (track.path, similarity) == (min(before), pytest.approx(1.0))


def test_until_all_are_embedded_the_old_model_answers_and_what_is_done_is_kept(index, other, music):
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


def test_files_that_are_gone_hold_it_up_unless_they_may_be_forgotten(index, other, music):
    (music / "high.wav").unlink()
    before = vectors()
    with pytest.raises(LibraryError, match="1 tracks cannot be embedded anew, 1 of them"):
        reembed(other)
    assert vectors().keys() == before.keys()
    outcomes, lost = reembed(other, force=True)
    assert list(outcomes) == [failure.path for failure in lost] == [str(music / "high.wav")]
    assert len(vectors()) == 5
    with Index("index") as opened:
        assert [failure.path for failure in opened.failures()] == [str(music / "high.wav")]


def test_tracks_that_are_added_or_changed_meanwhile_are_embedded_too(index, other, music):
    with Reembedding("index", ModelRequest(other)) as reembedding:
        assert set(dict(reembedding).values()) == {None}
        write(music / "low.wav", tone(500))
        write(music / "new.wav", noise(seed=5))
        add("index", [music])
        with pytest.raises(LibraryError, match="added"):
            reembedding.commit()
    outcomes, _ = reembed(other)
    assert {os.path.basename(path) for path in outcomes} == {"low.wav", "new.wav"}
    expected = Embedder(other).embed(music / "low.wav").vector
    np.testing.assert_allclose(vectors()[str(music / "low.wav")], expected, atol=1e-6)


def test_one_that_had_the_index_open_mixes_nothing(index, other, music):
    with Index("index") as opened:
        track = next(iter(opened))
        vector = opened.vector(track)
        reembed(other)
        with pytest.raises(ModelMismatch, match="meanwhile"):
            opened.add(track, vector)
        with pytest.raises(ModelMismatch, match="meanwhile"):
            opened.search(vector, 1)


def test_a_third_model_starts_from_nothing(index, other, tmp_path):
    with Reembedding("index", ModelRequest(other)) as reembedding:
        dict(reembedding)
    third = tflite(tmp_path / "third.tflite", lambda patches: mean_bands(patches) + 1)
    with Reembedding("index", ModelRequest(str(third))) as reembedding:
        assert len(reembedding) == 6


def test_an_index_is_not_embedded_anew_by_its_own_model(index):
    with pytest.raises(LibraryError, match="already"):
        reembed("compact")


def test_the_command_says_what_it_did(index, other, run):
    result = run("reembed", "--model", other)
    assert result.exit_code == 0
    assert "6 embedded; the index answers by other.tflite" in result.stderr
    assert run("reembed", "--model", compact().name).exit_code == 0


def test_a_file_that_changed_since_gives_no_one_else_its_vector(index, other, music):
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


def test_a_file_that_was_gone_is_added_when_it_is_back(index, other, music):
    away = (music / "high.wav").rename(music.parent / "away.wav")
    reembed(other, force=True)
    away.rename(music / "high.wav")
    added = [o for o in add("index", [music]) if o.status.value == "added"]
    assert [os.path.basename(o.path) for o in added] == ["high.wav"]


def test_what_is_not_done_forgets_nothing(index, other, music):
    (music / "high.wav").unlink()
    with Reembedding("index", ModelRequest(other)) as reembedding:
        dict(reembedding)
        write(music / "new.wav", noise(seed=5))
        add("index", [music])
        with pytest.raises(LibraryError, match="added or changed"):
            reembedding.commit(force=True)
    assert str(music / "high.wav") in vectors()
    with Index("index") as opened:
        assert opened.failures() == []


def test_two_at_once_do_not_mix(index, other, tmp_path):
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


def test_an_index_is_not_emptied_for_want_of_a_disk(index, other, music):
    music.rename(music.with_name("unmounted"))
    with pytest.raises(LibraryError, match="None of the tracks can be embedded"):
        reembed(other, force=True)
    assert len(vectors()) == 6


def test_a_file_that_changed_is_embedded_by_the_old_model_where_the_new_one_does_not_succeed(
    index, other, music
):
    write(music / "high.wav", noise(seed=8))
    with Reembedding("index", ModelRequest(other)) as reembedding:
        assert set(dict(reembedding).values()) == {None}
    add("index", [music])
    expected = Embedder("compact").embed(music / "high.wav").vector
    np.testing.assert_allclose(vectors()[str(music / "high.wav")], expected, atol=1e-6)
