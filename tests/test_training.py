"""Training of compact: each part, and the whole program on a minute of sound."""

import json
import subprocess
import sys

import numpy as np
import pytest
from sounds import melody, noise, tone, write

from audiosearch import UsageError
from audiosearch.models.front_end import PATCH_SAMPLES
from audiosearch.models.log_mel import log_mel_patches
from audiosearch.models.runtime import Network
from audiosearch.training import student
from audiosearch.training.augment import augment, change_timbre
from audiosearch.training.corpus import Clip, Corpus
from audiosearch.training.examples import SHARES, Sampler
from audiosearch.training.free_audio import (
    SOURCES,
    Kind,
    Split,
    copy_by_class,
    files_by_folder,
    labeled_files,
)
from audiosearch.training.generate import write_waveforms
from audiosearch.training.projection import (
    N_COEFFICIENTS,
    N_VALUES,
    Projection,
    fit,
    patch_values,
)
from audiosearch.training.student import CLASS_SIZE, SEMANTIC_SIZE
from audiosearch.training.teacher import Teacher


def source(package, kind):
    (match,) = [s for s in SOURCES if s.package == package and s.kind is kind]
    return match


def test_every_package_belongs_to_one_split():
    splits = {}
    for entry in SOURCES:
        splits.setdefault(entry.package, set()).add(entry.split)
    assert all(len(used) == 1 for used in splits.values())
    assert {split for used in splits.values() for split in used} == set(Split)


@pytest.mark.parametrize(
    ("package", "kind", "path", "label"),
    [
        pytest.param(
            *("asterisk-core-sounds-en-wav", Kind.SPEECH),
            *("usr/share/asterisk/sounds/en_US_f_Allison/digits/1.wav",),
            "asterisk-core-sounds-en-wav",
            id="a package is one speaker",
        ),
        pytest.param(
            *("asterisk-core-sounds-en-wav", Kind.SPEECH),
            *("usr/share/asterisk/sounds/en_US_f_Allison/silence/1.wav",),
            None,
            id="silence is left out",
        ),
        pytest.param(
            *("lmms-common", Kind.INSTRUMENT, "usr/share/lmms/samples/drums/snare01.ogg"),
            "lmms-common-drums/snare",
            id="an instrument",
        ),
        pytest.param(
            *("wesnoth-1.16-data", Kind.EFFECT, "usr/share/x/core/sounds/wolf-hit-1.ogg"),
            "wesnoth-1.16-data-wolf",
            id="an effect",
        ),
        pytest.param(
            *("wesnoth-1.16-data", Kind.EFFECT, "usr/share/x/core/sounds/wolfish.ogg"),
            None,
            id="another word is left out",
        ),
    ],
)
def test_the_path_of_a_file_sets_its_class(package, kind, path, label):
    assert source(package, kind).class_of(path) == label


def test_files_to_score_are_copied_to_one_folder_per_class(tmp_path):
    samples = tmp_path / "packages" / "lmms-common" / "usr" / "share" / "lmms" / "samples"
    for folder, n_files in (("basses", 40), ("beats", 5), ("bassloops", 4)):
        (samples / folder).mkdir(parents=True)
        for number in range(n_files):
            (samples / folder / f"{number:02d}.ogg").write_bytes(b"%d" % number)
    (samples / "basses" / "README").touch()
    assert len(list(labeled_files(tmp_path / "packages", Split.TEST))) == 49
    copy_by_class(tmp_path / "packages", Split.TEST, tmp_path / "test")
    counts = {folder.name: len(list(folder.iterdir())) for folder in (tmp_path / "test").iterdir()}
    assert counts == {"lmms-common-basses": 30, "lmms-common-beats": 5}


def test_augmented_patches_are_valid_and_varied():
    random = np.random.default_rng(0)
    waveform = melody(2.0)
    changed = [augment(waveform, noise(0.5), random) for _ in range(200)]
    for patch in changed:
        assert patch.shape == (PATCH_SAMPLES,)
        assert patch.dtype == np.float32
        assert np.abs(patch).max() <= 1.0 + 1e-6
    plain = waveform[:PATCH_SAMPLES]
    cosines = [p @ plain / np.linalg.norm(p) / np.linalg.norm(plain) for p in changed]
    assert max(cosines) > 0.999  # some differ only in level
    assert min(np.abs(cosines)) < 0.5
    again = augment(waveform, noise(0.5), np.random.default_rng(1))
    np.testing.assert_array_equal(again, augment(waveform, noise(0.5), np.random.default_rng(1)))


def test_changing_the_timbre_keeps_the_length():
    random = np.random.default_rng(0)
    clips = [change_timbre(tone(440, 3.0), random) for _ in range(40)]
    assert {clip.shape for clip in clips} == {(48_000,)}
    levels = [np.abs(clip).max() for clip in clips]
    assert max(levels) <= 1.0
    assert max(levels) / min(levels) > 4


def test_rare_kinds_and_classes_are_drawn_as_often_as_common_ones(tmp_path):
    rows = [[0, 100, "a speaker", "speech"]] * 50 + [[0, 100, "another", "speech"]]
    rows += [[0, 100, "a song", "music"]]
    (tmp_path / "clips.json").write_text(json.dumps(rows))
    np.zeros(100, dtype=np.int16).tofile(tmp_path / "samples.i16")
    sampler = Sampler(Corpus(tmp_path), np.random.default_rng(0))
    drawn = [sampler.draw()[0].label for _ in range(4_000)]
    speech = SHARES[Kind.SPEECH] / (SHARES[Kind.SPEECH] + SHARES[Kind.MUSIC])
    assert drawn.count("a song") / 4_000 == pytest.approx(1 - speech, abs=0.03)
    assert drawn.count("a speaker") / drawn.count("another") == pytest.approx(1, abs=0.15)


def test_a_clip_reads_its_own_samples(tmp_path):
    np.arange(100, dtype=np.int16).tofile(tmp_path / "samples.i16")
    (tmp_path / "clips.json").write_text(json.dumps([[40, 20, "a", "music"]]))
    corpus = Corpus(tmp_path)
    assert corpus.clips == [Clip(40, 20, "a", Kind.MUSIC)]
    samples = corpus.waveform(corpus.clips[0], 15, 10) * 32_767
    np.testing.assert_allclose(samples, np.arange(55, 60), rtol=1e-5)


@pytest.mark.filterwarnings("ignore")  # warnings of TensorFlow
def test_the_projection_separates_classes_that_it_was_not_fitted_on():
    rng = np.random.default_rng(0)
    n_patches, size = 20, SEMANTIC_SIZE + CLASS_SIZE
    # Directions in which classes differ, and directions of other differences.
    of_classes, of_files = rng.standard_normal((2, 12, size))

    def averages(labels, classes):
        """Return averages of files that differ more within classes than between them."""
        noise = 6 * rng.standard_normal((len(labels), 12))
        values = classes[labels] @ of_classes + noise @ of_files
        cepstra = rng.standard_normal((len(labels), n_patches, N_COEFFICIENTS))
        moments = (cepstra.mean(axis=1), (cepstra**2).mean(axis=1), np.ones_like(cepstra[:, 0]))
        return np.concatenate([values, *moments], axis=1).astype(np.float32)

    def precision(vectors, labels):
        vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        cosines = vectors @ vectors.T - 2 * np.eye(len(vectors))
        return (labels[cosines.argmax(axis=1)] == labels).mean()

    labels = np.repeat(np.arange(40), 20)
    projection = fit(averages(labels, rng.standard_normal((40, 12))), labels, np.ones(800))
    new_labels = np.repeat(np.arange(20), 10)
    new_files = averages(new_labels, rng.standard_normal((20, 12)))
    projected = projection.embeddings(new_files).numpy()
    assert projected.shape == (200, 128)
    plain = new_files[:, :size] - new_files[:, :size].mean(axis=0)
    assert precision(projected, new_labels) > precision(plain, new_labels) + 0.2


@pytest.mark.filterwarnings("ignore")  # warnings of TensorFlow
def test_constant_values_have_a_finite_projection():
    values = np.ones((20, N_VALUES), dtype=np.float32)
    values[:, :5] += np.random.default_rng(0).standard_normal((20, 5)).astype(np.float32)
    projection = fit(values, np.repeat(np.arange(4), 5), np.ones(20))
    embeddings = projection.embeddings(values).numpy()
    assert np.isfinite(embeddings).all()
    assert np.abs(embeddings).max() < 1e6


def test_the_teacher_distinguishes_a_tone_from_noise(teacher_path):
    teacher = Teacher(teacher_path)
    tones = [teacher(tone(hertz)[:PATCH_SAMPLES]) for hertz in (440, 450)]
    hiss = teacher(noise()[:PATCH_SAMPLES])
    assert tones[0].shape == (1_024,)
    assert min(vector.min() for vector in (*tones, hiss)) >= 0
    near, far = (np.corrcoef(tones[0], other)[0, 1] for other in (tones[1], hiss))
    assert near > far + 0.2


def test_a_model_that_is_not_the_teacher_is_rejected(shipped_path):
    with pytest.raises(ValueError, match="no layer of 1024"):
        Teacher(shipped_path)


@pytest.fixture
def shipped_path():
    from audiosearch.models import registry

    return registry.compact().path


def training(*arguments):
    command = [sys.executable, "-m", "audiosearch.training", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def trained(teacher_path, tmp_path_factory):
    """Train on a minute of sound for a few steps."""
    folder = tmp_path_factory.mktemp("training")
    audio, work, output = folder / "audio", folder / "work", folder / "output"
    write_waveforms(audio)
    for number, path in enumerate(sorted(audio.glob("*/*.wav"))):
        if number % 4:
            path.unlink()
    (audio / "voice-1").mkdir()
    write(audio / "voice-1" / "a.wav", melody(5.0))
    (audio / "voice-1" / "broken.wav").write_bytes(b"no sound")
    assert sum(1 for _ in files_by_folder(audio)) == 32
    teacher = ("--teacher", teacher_path)
    output.mkdir()
    commands = (
        ("build", work, *teacher, "--audio", audio, "--shards", 1),
        ("train", work, "--steps", 3),
        ("export", work, *teacher, "-o", output),
    )
    for command in commands:
        result = training(*command)
        assert result.returncode == 0, result.stderr
    return audio, work, output


@pytest.mark.long
def test_training_gives_a_model_that_queries_run_on(trained, tmp_path, run):
    audio, _, output = trained
    added = run("add", audio, "--model", output / "compact.tflite")
    assert added.exit_code == 0
    assert "31 added, 0 unchanged, 1 failed" in added.stderr
    unseen = write(tmp_path / "unseen.wav", noise(seed=9))
    assert run("query", unseen, "-k", 3, "--format", "json").exit_code == 0
    assert "# compact" in (output / "compact.md").read_text()


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")  # warnings of TensorFlow
def test_the_exported_model_computes_the_same_as_the_trained_one(trained):
    _, work, output = trained
    network = student.network()
    network.load_weights(work / "student.weights.h5")
    patches = log_mel_patches(melody(5.0))
    expected = patch_values(network, patches).numpy()
    exported = Network(output / "compact.tflite")
    values = exported(patches)
    for part in (slice(SEMANTIC_SIZE + CLASS_SIZE), slice(SEMANTIC_SIZE + CLASS_SIZE, None)):
        largest = np.abs(expected[:, part]).max()
        np.testing.assert_allclose(values[:, part], expected[:, part], atol=1e-4 * largest)
    projected = Projection.read(work / "mix.npz").embeddings(values).numpy()
    largest = np.abs(projected).max()
    np.testing.assert_allclose(exported.embeddings(values), projected, atol=1e-3 * largest)


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")  # warnings of TensorFlow
def test_interrupted_training_continues_to_the_same_weights(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    patches = rng.standard_normal((64, 96, 64)).astype(np.float16)
    semantic = rng.standard_normal((64, SEMANTIC_SIZE)).astype(np.float32)
    examples = student.Examples(patches, semantic, rng.integers(0, 3, 64).astype(np.int32))
    recipe = student.Recipe(n_steps=4, batch_size=8)
    monkeypatch.setattr(student, "STEPS_PER_CHECKPOINT", 2)
    whole = student.train(examples, 3, tmp_path / "whole", recipe).get_weights()

    def interrupt(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(student, "_held_out_cosine", interrupt)
        with pytest.raises(KeyboardInterrupt):
            student.train(examples, 3, tmp_path / "parts", recipe)
    parts = student.train(examples, 3, tmp_path / "parts", recipe).get_weights()
    for expected, weights in zip(whole, parts, strict=True):
        np.testing.assert_allclose(weights, expected, atol=1e-6)
    with pytest.raises(UsageError, match="another recipe"):
        student.train(examples, 3, tmp_path / "parts", student.Recipe(n_steps=5, batch_size=8))


@pytest.mark.long
def test_a_folder_of_other_audio_is_rejected(trained, teacher_path, tmp_path):
    _, work, _ = trained
    (tmp_path / "audio" / "other").mkdir(parents=True)
    write(tmp_path / "audio" / "other" / "a.wav", tone())
    refused = training("build", work, "--teacher", teacher_path, "--audio", tmp_path / "audio")
    assert refused.returncode == 1
    assert "was made from other audio" in refused.stderr
    assert "hint: Name another folder" in refused.stderr


@pytest.mark.long
def test_scores_are_printed_as_a_table(trained, teacher_path, tmp_path):
    audio, _, output = trained
    early = tmp_path / "early.tflite"
    early.write_bytes((output / "compact.tflite").read_bytes())
    result = training("score", audio, "--teacher", teacher_path, "--beside", early)
    assert result.returncode == 0, result.stderr
    assert "1 other files can't be decoded" in result.stdout
    rows = [line.strip("| ").split(" | ") for line in result.stdout.splitlines() if "|" in line]
    scores = {row[0]: [float(cell) for cell in row[1:]] for row in rows[2:]}
    assert list(scores) == ["compact", "early", "YAMNet, the teacher"]
    assert all(0 < cell <= 1 for cells in scores.values() for cell in cells[:2])
    assert scores["compact"][2:] == [1.0, 1.0]
