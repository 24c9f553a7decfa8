"""Properties of the packaged model that don't depend on its training."""

from contextlib import closing

import numpy as np
import pytest
from sounds import melody, noise, tone, write

from audiosearch import Embedder, add
from audiosearch.audio.decode import mono_blocks, open_recording
from audiosearch.demo import write_sounds
from audiosearch.embedding.pooling import unit
from audiosearch.library.index import EmbeddingSpec, Index, Track
from audiosearch.models import registry
from audiosearch.models.front_end import PATCH_SAMPLES
from audiosearch.models.log_mel import log_mel_patches
from audiosearch.training.free_audio import SOURCES, Split

CARD = registry.compact().path.with_suffix(".md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def shipped():
    return registry.compact().load()


@pytest.fixture(scope="module")
def vector(shipped):
    def embed(samples):
        return unit(shipped.embeddings(shipped(log_mel_patches(samples)).mean(axis=0)[None])[0])

    return embed


def test_the_file_is_small():
    assert registry.compact().path.stat().st_size <= 5_000_000


def test_silence_has_a_finite_embedding(shipped):
    values = shipped(np.full((2, 96, 64), np.log(0.01), dtype=np.float32))
    embeddings = shipped.embeddings(values)
    assert embeddings.shape == (2, 128)
    assert np.isfinite(embeddings).all()
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, rtol=1e-5)


def test_two_noises_are_more_similar_than_noise_and_tone(vector):
    hiss, other_hiss = vector(noise(seed=1)), vector(noise(seed=2))
    assert hiss @ other_hiss > hiss @ vector(tone()) + 0.3


def test_the_embedding_of_a_file_is_not_the_mean_over_its_patches(shipped, vector):
    """The averages distinguish a steady sound from one that changes."""
    quiet_and_loud = melody(16.0) * np.repeat(np.float32([0.02, 1.0] * 8), 16_000)
    embeddings = shipped.embeddings(shipped(log_mel_patches(quiet_and_loud)))
    by_patches = unit(embeddings.mean(axis=0))
    assert vector(quiet_and_loud) @ by_patches < 0.98


@pytest.mark.parametrize("n", [1, 2, 31, 33])
def test_the_values_of_a_patch_do_not_depend_on_its_batch(shipped, n):
    patches = log_mel_patches(melody(33.0))[:n]
    alone = np.concatenate([shipped(patch[np.newaxis]) for patch in patches])
    together = shipped(patches)
    np.testing.assert_allclose(together, alone, rtol=1e-5, atol=1e-5)
    apart = np.concatenate([shipped.embeddings(values[np.newaxis]) for values in alone])
    np.testing.assert_allclose(shipped.embeddings(together), apart, rtol=1e-5, atol=1e-5)


def test_the_vector_of_a_file_does_not_depend_on_its_batch(tmp_path):
    alone = Embedder("compact")
    paths = [write(tmp_path / f"{n}.wav", melody(float(n), seed=n)) for n in (3, 7, 40, 5)]
    add("index", paths, model="compact", n_jobs=2)  # in batches that span files
    with Index("index") as index:
        for path in paths:
            stored = index.vector(index.storage.track_at(str(path)))
            np.testing.assert_allclose(stored, alone.embed(path).vector, atol=1e-5)


@pytest.mark.parametrize("decibels", [-6, 6])
def test_loudness_hardly_changes_the_vector(tmp_path, vector, decibels):
    import soundfile

    gain = np.float32(10 ** (decibels / 20))
    sounds, queries = write_sounds(tmp_path)
    waveforms = [soundfile.read(sound.path, dtype="float32")[0] for sound in sounds + queries]
    cosines = [vector(waveform) @ vector(gain * waveform) for waveform in waveforms]
    assert np.mean(cosines) >= 0.97


def waveform_of(path):
    with closing(open_recording(path)) as recording:
        return np.concatenate(list(mono_blocks(recording, path)))


@pytest.mark.beside("audio")
def test_loudness_hardly_changes_the_vectors_of_recordings(shared, vector):
    waveforms = [waveform_of(str(path)) for path in sorted((shared / "audio").glob("*.wav"))]
    gains = [np.float32(10 ** (decibels / 20)) for decibels in (-6, 6)]
    cosines = [vector(w) @ vector(gain * w) for w in waveforms for gain in gains]
    assert len(cosines) == 16
    assert np.mean(cosines) >= 0.97


def test_an_index_of_another_version_is_rejected_and_names_the_command_to_rebuild_it(run, tmp_path):
    first = "ee1c73fd6dfa" + "0" * 52
    track = Track("/music/a.mp3", 1, 1, "0" * 32, 3.0, 44_100, 2, "mp3")
    with Index("index", spec=EmbeddingSpec("compact", first)) as index:
        index.add(track, unit(np.ones(128, dtype=np.float32)))
    clip = write(tmp_path / "clip.wav", melody())
    for command in (["query", clip], ["add", clip], ["add", clip, "--model", "compact"]):
        refused = run(*command)
        assert refused.exit_code == 1
        assert "compact (digest ee1c73fd6dfa)" in refused.stderr
        assert "`audiosearch reembed --model compact`" in refused.stderr.replace("\n", " ")


def test_the_model_card_names_every_source_and_license():
    rows = {
        (cells[0].split()[0], *cells[1:])
        for cells in map(table_cells, CARD.splitlines())
        if len(cells) == 4
    }
    uses = {Split.TRAIN: "fit", Split.VALIDATION: "choose"}
    for source in SOURCES:
        use = uses.get(source.split, "score")
        assert (source.package, use, source.kind.value, source.license) in rows


def test_the_model_card_shows_scores_above_those_of_the_teacher_and_the_second_version():
    """The scores are for audio that the model wasn't fitted on."""
    rows = [cells for cells in map(table_cells, CARD.splitlines()) if len(cells) == 5]
    maps = {
        name: [float(cells[2]) for cells in rows if cells[0] == name]
        for name in ("compact", "second", "YAMNet, the teacher")
    }
    assert [len(values) for values in maps.values()] == [4, 4, 4]
    compact, second, teacher = map(np.array, maps.values())
    assert (compact >= teacher).all()
    assert (compact >= 0.96 * second).all()
    assert compact.mean() > second.mean()


def test_the_model_card_shows_that_sounds_are_named_as_well_as_by_yamnet():
    rows = [table_cells(line) for line in section("Sounds").splitlines()]
    shares = {
        cells[0]: [float(cell.rstrip(" %")) for cell in cells[1:]]
        for cells in rows
        if len(cells) == 4 and cells[1].isdigit()
    }
    assert len(shares) >= 10 + 2  # classes and their averages
    _, compact, teacher = shares["**all files**"]
    assert compact >= teacher - 1
    assert float(section("Sounds").rstrip(".\n").rpartition(" ")[2]) <= 0.05


def section(title):
    return CARD.partition(f"## {title}\n")[2].partition("\n## ")[0]


def table_cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")] if line[:1] == "|" else []


def test_every_patch_has_an_embedding(tmp_path):
    embedder = Embedder("compact")
    assert embedder.embed_patches(write(tmp_path / "a.wav", melody(5.0))).vector.shape == (5, 128)
    one = write(tmp_path / "one.wav", melody(1.0)[:PATCH_SAMPLES])
    whole = embedder.embed(one, normalize=False).vector
    np.testing.assert_allclose(embedder.embed_patches(one).vector[0], whole, rtol=1e-5)
