"""The embedder turns a file into one vector."""

import time

import numpy as np
import pytest
import tensorflow as tf
from networks import mean_bands, pooled_tflite, tflite
from sounds import encode, melody, noise, tone, write

from audiosearch import Embedder, Index, UsageError, add
from audiosearch.embedding.patch_reader import PatchReader
from audiosearch.models.log_mel import log_mel_patches


@pytest.fixture(scope="module")
def embedder():
    return Embedder("compact")


@pytest.mark.parametrize("seconds", [0.5, -1.0, float("nan"), float("inf")])
def test_an_excerpt_that_is_too_short_or_not_finite_is_rejected(seconds):
    with pytest.raises(UsageError, match="An excerpt can't be") as caught:
        Embedder("compact", excerpt_seconds=seconds)
    assert caught.value.hint == "Use a length of 1 second or more."


def test_a_vector_has_128_values_and_unit_length(tmp_path, embedder):
    embedding = embedder.embed(write(tmp_path / "a.wav", melody()))
    assert embedding.vector.shape == (128,)
    assert embedding.vector.dtype == np.float32
    assert np.linalg.norm(embedding.vector) == pytest.approx(1.0, abs=1e-6)
    assert embedding.seconds == pytest.approx(3.0)
    assert embedding.warning is None


@pytest.mark.filterwarnings("ignore")  # warnings of TensorFlow
def test_a_vector_is_the_mean_or_sum_of_the_patches_embeddings(tmp_path):
    embedder = Embedder(str(tflite(tmp_path / "custom.tflite", mean_bands)))
    path = write(tmp_path / "a.wav", melody(40.0))
    patches = embedder.embed_patches(path).vector
    assert patches.shape == (41, 128)
    pooled = embedder.embed(path, normalize=False).vector
    summed = embedder.embed(path, pooling="sum", normalize=False).vector
    np.testing.assert_allclose(pooled, patches.mean(axis=0), atol=1e-4)
    np.testing.assert_allclose(summed, patches.sum(axis=0), rtol=1e-4, atol=1e-3)


@pytest.mark.filterwarnings("ignore")  # warnings of TensorFlow
def test_a_network_with_a_pooled_signature_makes_the_vector_from_averages(tmp_path):
    """The pooled signature here computes standard deviations, unlike a mean over patches."""

    def values(patches):
        bands = tf.reshape(patches, [-1, 96 * 64])[:, :128]
        return tf.concat([bands, bands**2], axis=1)

    def embeddings(averages):
        mean, square = tf.split(averages, 2, axis=1)
        return tf.sqrt(tf.nn.relu(square - mean**2)) + 0.1

    model = pooled_tflite(tmp_path / "custom.tflite", values, embeddings, n_values=256)
    embedder = Embedder(str(model))
    path = write(tmp_path / "a.wav", melody(40.0))
    with PatchReader(path) as reader:
        bands = np.concatenate(list(reader)).reshape(-1, 96 * 64)[:, :128]
    deviation = bands.std(axis=0) + 0.1
    vectors = {
        pooling: embedder.embed(path, pooling=pooling, normalize=False).vector
        for pooling in ("mean", "sum")
    }
    np.testing.assert_allclose(vectors["mean"], deviation, atol=1e-3)
    np.testing.assert_allclose(vectors["sum"], 41 * deviation, rtol=1e-2)
    vector = deviation / np.linalg.norm(deviation)
    np.testing.assert_allclose(embedder.embed(path).vector, vector, atol=1e-4)
    np.testing.assert_allclose(embedder.embed_patches(path).vector, 0.1, atol=0.05)
    add("index", [path], model=str(model), n_jobs=1)
    with Index("index") as index:
        np.testing.assert_allclose(
            index.vector(index.storage.track_at(str(path))), vector, atol=1e-4
        )


@pytest.mark.parametrize("n", [1, 2, 31, 32, 33])
def test_the_vector_of_a_patch_does_not_depend_on_its_batch(embedder, n):
    patches = log_mel_patches(melody(33.0))[:n]
    together = np.concatenate(list(embedder.vectors([patches])))
    alone = np.concatenate([next(embedder.vectors([patch[np.newaxis]])) for patch in patches])
    np.testing.assert_allclose(together, alone, atol=1e-5 * np.abs(alone).max())


def test_a_clip_shorter_than_a_patch_is_padded_to_one(tmp_path, embedder):
    hit = write(tmp_path / "hit.wav", noise(0.1))
    long = write(tmp_path / "long.wav", np.pad(noise(0.1), (0, 14_000)))
    vectors = [embedder.embed(path).vector for path in (hit, long)]
    np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-5)


def test_samples_near_the_largest_float_are_scaled(tmp_path, embedder):
    path = write(tmp_path / "a.wav", (3e38 * tone() / 0.5).astype(np.float32), subtype="FLOAT")
    clean = write(tmp_path / "clean.wav", 0.88 * tone() / 0.5, subtype="FLOAT")
    embedding = embedder.embed(path)
    assert "go far beyond 1" in embedding.warning
    assert embedding.vector @ embedder.embed(clean).vector > 0.99


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg", "mp3", "m4a", "aac"])
def test_an_excerpt_is_evenly_spaced_over_the_file(tmp_path, kind):
    rate = 44_100
    # Each quarter of the file has a different pitch.
    pitches = [300, 900, 2_000, 5_000]
    samples = np.concatenate([tone(hertz, 15.0, rate) for hertz in pitches])
    path = tmp_path / f"a.{kind}"
    if kind in {"m4a", "aac"}:
        encode(path, samples, rate, container={"m4a": "ipod"}.get(kind, "adts"), codec="aac")
    else:
        write(path, samples, rate)
    with PatchReader(path, excerpt_seconds=8.0) as reader:
        patches = np.concatenate(list(reader))
    assert len(patches) == 8
    loudest = patches.mean(axis=1).argmax(axis=1)
    expected = [log_mel_patches(tone(hertz, 1.0))[0].mean(axis=0).argmax() for hertz in pitches]
    np.testing.assert_array_equal(loudest, np.repeat(expected, 2))


def test_an_excerpt_as_long_as_the_file_is_the_whole_file(tmp_path):
    path = write(tmp_path / "a.wav", melody(5.0))
    whole = Embedder("compact").embed(path).vector
    excerpt = Embedder("compact", excerpt_seconds=5.0).embed(path).vector
    np.testing.assert_array_equal(whole, excerpt)


def test_reading_an_excerpt_is_faster_than_reading_the_file(tmp_path):
    path = write(tmp_path / "a.flac", melody(600.0))

    def wall_seconds(excerpt):
        started = time.perf_counter()
        with PatchReader(path, excerpt_seconds=excerpt) as reader:
            list(reader)
        return time.perf_counter() - started

    assert min(wall_seconds(5.0) for _ in range(3)) < wall_seconds(None) / 3
