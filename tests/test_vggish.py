"""VGGish: its checkpoint, the conversion, and its embeddings."""

import hashlib
import subprocess
import sys

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from golden.make_checkpoint import SHA256
from sounds import melody, tone, upsampled, write

from audiosearch import Embedder, WeightsError
from audiosearch.models import registry
from audiosearch.models.cache import model_path
from audiosearch.models.digest import tflite_digest
from audiosearch.models.log_mel import log_mel_patches
from audiosearch.models.vggish import converted_digest, read_checkpoint

pytestmark = pytest.mark.checkpoint

GOLDEN = ["sine_1khz_3s", "chirp_noise_5s", "one_patch_15600", "one_short_30959", "silence_2s"]
RECORDINGS = ["guitar", "birds1", "applause", "rain", "piano", "dog", "jazz_guitar", "car-horn"]

# Google's code runs the checkpoint, without our conversion.
PLAIN_SESSION = """
import sys, numpy as np, tensorflow as tf
from audiosearch.models.vggish import slim_network
v1 = tf.compat.v1
with tf.Graph().as_default(), v1.Session() as session:
    patches = v1.placeholder(tf.float32, (None, 96, 64))
    embeddings = slim_network(patches)
    v1.train.Saver().restore(session, sys.argv[1])
    np.save(sys.argv[3], session.run(embeddings, {patches: np.load(sys.argv[2])}))
"""


def embeddings_of_plain_session(checkpoint, patches, folder):
    np.save(folder / "patches.npy", patches)
    arguments = [checkpoint, folder / "patches.npy", folder / "embeddings.npy"]
    subprocess.run(
        [sys.executable, "-c", PLAIN_SESSION, *arguments], check=True, capture_output=True
    )
    return np.load(folder / "embeddings.npy")


def test_litert_computes_the_same_as_a_tf_slim_session(checkpoints, tmp_path):
    patches = log_mel_patches(melody(5.0))
    expected = embeddings_of_plain_session(checkpoints.v1, patches, tmp_path)
    actual = registry.resolve("vggish", weights=checkpoints.v1).load()(patches)
    assert actual.shape == (5, 128)
    assert np.abs(actual - expected).max() <= 1e-4 * np.abs(expected).max()
    assert (expected < 0).any()  # no activation after the last layer


def test_the_same_weights_have_the_same_digest_in_any_file(checkpoints):
    weights_digest = converted_digest(checkpoints.v1)
    assert converted_digest(checkpoints.v2) == weights_digest
    assert converted_digest(checkpoints.v2.with_name("v2.index")) == weights_digest
    assert tflite_digest(model_path(weights_digest)) == (weights_digest, True)
    assert registry.resolve(str(model_path(weights_digest))).name == "vggish"


@pytest.mark.filterwarnings("ignore")  # warnings of TensorFlow
def test_a_network_without_an_activation_is_not_recognized_as_vggish(checkpoints, tmp_path):
    path = tmp_path / "changed.tflite"
    content = model_path(converted_digest(checkpoints.v1)).read_bytes()
    path.write_bytes(without_activation(content))
    weights_digest, is_vggish = tflite_digest(path)
    assert not is_vggish
    assert weights_digest != converted_digest(checkpoints.v1)


def without_activation(content):
    """Remove the ReLU of one fully connected layer of a LiteRT file."""
    changed = bytearray(content)
    model = schema.Model.GetRootAsModel(changed, 0)
    graph = model.Subgraphs(0)
    operator = graph.Operators(graph.OperatorsLength() - 2)
    table = operator.BuiltinOptions()
    offset = table.Offset(4)  # the first field, the fused activation
    assert changed[table.Pos + offset] == 1
    changed[table.Pos + offset] = 0
    return bytes(changed)


def test_a_checkpoint_is_converted_only_once(checkpoints):
    stages = []
    for _ in range(2):
        converted_digest(checkpoints.v1)
    converted_digest(checkpoints.v1, lambda *stage: stages.append(stage))
    assert stages == []


@pytest.mark.filterwarnings("ignore")  # warnings of TensorFlow
class TestInvalidCheckpoints:
    def test_an_error_names_missing_variables(self, checkpoints):
        with pytest.raises(
            WeightsError, match=r"vggish/conv3/conv3_1/weights is missing.* and 11 more"
        ):
            read_checkpoint(checkpoints.few)

    def test_an_error_names_wrong_shapes(self, checkpoints):
        with pytest.raises(WeightsError, match=r"conv1/weights has shape \(3, 3, 1, 32\), not"):
            read_checkpoint(checkpoints.odd)

    @pytest.mark.parametrize("content", [b"", b"no checkpoint at all" * 100])
    def test_a_file_that_is_not_a_checkpoint_is_rejected(self, tmp_path, content):
        path = tmp_path / "x.ckpt"
        path.write_bytes(content)
        with pytest.raises(WeightsError, match="not a TensorFlow checkpoint"):
            read_checkpoint(path)

    def test_a_truncated_checkpoint_is_rejected(self, checkpoints, tmp_path):
        path = tmp_path / "cut.ckpt"
        with checkpoints.v1.open("rb") as whole:
            path.write_bytes(whole.read(50_000_000))
        with pytest.raises(WeightsError, match=r"cut\.ckpt"):
            read_checkpoint(path)

    def test_an_error_leaves_the_process_that_converts(self, tmp_path):
        path = tmp_path / "x.ckpt"
        path.write_bytes(b"no checkpoint at all")
        with pytest.raises(WeightsError, match="not a TensorFlow checkpoint") as caught:
            converted_digest(path)
        assert "audiosearch model fetch" in caught.value.hint


def test_a_litert_model_given_as_weights_is_named_so(tmp_path, run):
    sound = write(tmp_path / "a.wav", tone())
    refused = run("add", sound, "--weights", "mine.tflite")
    assert refused.exit_code == 1
    assert "mine.tflite is a LiteRT model, not a checkpoint." in refused.stderr
    assert "--model mine.tflite" in refused.stderr


def test_a_missing_checkpoint_is_rejected(tmp_path):
    with pytest.raises(WeightsError, match="There is no checkpoint"):
        converted_digest(tmp_path / "none.ckpt")


def test_an_index_finds_its_model_without_the_checkpoint(checkpoints, music, run, monkeypatch):
    added = run("add", music, "--model", "vggish", "--weights", checkpoints.v1)
    assert added.exit_code == 0, added.stderr
    monkeypatch.setenv("AUDIOSEARCH_WEIGHTS", "/nowhere/gone.ckpt")
    unseen = write(music.parent / "unseen.wav", melody(seed=5))
    assert run("query", unseen).exit_code == 0


def test_adding_with_other_weights_is_rejected_and_names_both_models(checkpoints, music, run):
    run("add", music, "--model", "compact")
    refused = run("add", music, "--weights", checkpoints.v1)
    assert refused.exit_code == 1
    assert "made with compact (digest" in refused.stderr
    assert "not with vggish (digest" in refused.stderr


def test_random_weights_fail_the_smoke_test(checkpoints, run):
    result = run("model", "verify", "--weights", checkpoints.v1)
    assert result.exit_code == 1
    assert "embedding mean" in result.stdout
    assert "fails Google's smoke test" in result.stderr


@pytest.fixture(scope="module")
def embedder(made_checkpoints):
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AUDIOSEARCH_CACHE", str(made_checkpoints.cache))
        return Embedder("vggish", weights=made_checkpoints.v1)


class TestGolden:
    """Values computed by Google's own code with the same checkpoint."""

    @pytest.mark.skipif(sys.platform != "linux", reason="its digests are those of glibc")
    def test_the_checkpoint_belongs_to_the_golden_values(self, checkpoints):
        assert hashlib.sha256(checkpoints.v1.read_bytes()).hexdigest() in SHA256

    @pytest.mark.parametrize("name", GOLDEN)
    def test_embeddings(self, golden, embedder, name):
        expected = golden[f"{name}/embeddings"]
        actual = np.concatenate(list(embedder.vectors([golden[f"{name}/patches"]])))
        assert np.abs(actual - expected).max() <= 1e-4 * np.abs(expected).max()

    @pytest.mark.parametrize("name", GOLDEN)
    def test_pooled_vectors(self, golden, embedder, name, tmp_path):
        path = write(tmp_path / "a.wav", golden[f"{name}/waveform"], subtype="FLOAT")
        for pooling in ("mean", "sum"):
            vector = embedder.embed(path, pooling=pooling).vector
            np.testing.assert_allclose(vector, golden[f"{name}/{pooling}"], atol=1e-5)
        total = golden[f"{name}/embeddings"].sum(axis=0)
        summed = embedder.embed(path, pooling="sum", normalize=False).vector
        assert np.abs(summed - total).max() <= 1e-4 * np.abs(total).max()

    def test_post_processed_bytes(self, golden, checkpoints, run, tmp_path):
        np.savez(
            tmp_path / "pca.npz", **{n: golden[n] for n in golden.files if n.startswith("pca")}
        )
        options = (
            "--model",
            "vggish",
            "--weights",
            checkpoints.v1,
            "--per-patch",
            "--postprocess",
        )
        differences = []
        for name in GOLDEN:
            path = write(tmp_path / "a.wav", golden[f"{name}/waveform"], subtype="FLOAT")
            out = tmp_path / "out.npy"
            result = run("embed", path, *options, "--pca", tmp_path / "pca.npz", "-o", out)
            assert result.exit_code == 0, result.stderr
            actual = np.load(out)
            assert actual.dtype == np.uint8
            differences.append(actual.astype(int) - golden[f"{name}/postprocessed"])
        apart = np.concatenate(differences)
        assert np.abs(apart).max() <= 1
        assert np.count_nonzero(apart) <= apart.size / 200

    @pytest.mark.parametrize("name", GOLDEN)
    def test_stereo_files_at_44100_hz(self, golden, embedder, name, tmp_path):
        """Embed a file whose channels' mean, resampled, is the golden waveform.

        The golden waveform is resampled to 44.1 kHz exactly, by its spectrum. Then tones are added
        that must vanish in mono at 16 kHz: one of opposite sign in the two channels, and two above
        8 kHz. So this tests decoding, the mean of the channels and resampling against
        Google's values, but with synthesized sounds only.
        """
        mono = upsampled(golden[f"{name}/waveform"], 44_100)
        seconds = (len(mono) + 1) / 44_100
        side, *above = (tone(hz, seconds, 44_100)[: len(mono)] for hz in (523, 11_000, 17_000))
        left, right = mono + 0.4 * side + 0.2 * sum(above), mono - 0.4 * side + 0.2 * sum(above)
        stereo = np.stack([left, right], axis=1)
        path = write(tmp_path / "a.wav", stereo, 44_100, subtype="FLOAT")
        n_patches = len(golden[f"{name}/embeddings"])
        assert len(embedder.embed_patches(path).vector) == n_patches
        assert embedder.embed(path).vector @ golden[f"{name}/mean"] >= 0.99999

    @pytest.mark.beside("audio")
    @pytest.mark.parametrize("name", [f"{name}.wav" for name in RECORDINGS])
    def test_real_recordings(self, golden, shared, embedder, name):
        path = shared / "audio" / name
        assert len(embedder.embed_patches(path).vector) == golden[f"wav/{name}/n_patches"]
        assert embedder.embed(path).vector @ golden[f"wav/{name}/mean"] >= 0.9999
