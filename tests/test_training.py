"""Training of compact: each part, and the whole program on a minute of sound."""

import subprocess
import sys
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from networks import pooled_tflite
from programs import run_program
from sounds import melody, noise, tone, write

from audiosearch import UsageError
from audiosearch.models import registry, runtime
from audiosearch.models.digest import embeddings_digest, sounds_digest
from audiosearch.models.litert_content import metadata
from audiosearch.models.log_mel import log_mel_patches
from audiosearch.models.tagger import NAMES, Tagger
from audiosearch.training import fitting
from audiosearch.training.export import litert_file
from audiosearch.training.fitting import fit_on_files
from audiosearch.training.free_audio import (
    SOURCES,
    Kind,
    LabeledFile,
    Split,
    copy_by_class,
    fetch,
    files_by_folder,
    labeled_files,
    spaced,
    versions,
)
from audiosearch.training.network import N_COEFFICIENTS, N_VALUES, Network
from audiosearch.training.projection import Projection, fit
from audiosearch.training.score import patch_waveforms, waveform_of
from audiosearch.training.tagging import MAX_FILES, RULES, recordings, tagging_table
from audiosearch.training.yamnet import CLASSES, FEATURES, Yamnet

pytestmark = pytest.mark.filterwarnings("ignore")  # warnings of TensorFlow

# Free audio


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
        pytest.param(
            *("0ad-data", Kind.EFFECT, "x/public.extracted/audio/ambient/weather/rain_01.ogg"),
            "0ad-data-ambient/weather",
            id="a file of an archive",
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


def test_packages_are_unpacked_with_the_audio_of_their_archives(tmp_path):
    packages, content = tmp_path / "packages", tmp_path / "content"
    for entry in SOURCES:
        (packages / entry.package).mkdir(parents=True, exist_ok=True)  # so that nothing is missing
    (content / "DEBIAN").mkdir(parents=True)
    (content / "DEBIAN" / "control").write_text(
        "Package: game\nVersion: 1:2.0\nArchitecture: all\nMaintainer: A <a@b.c>\nDescription: x\n"
    )
    with zipfile.ZipFile(content / "mod.zip", "w") as archive:
        archive.writestr("audio/rain.OGG", b"rain")
        archive.writestr("art/rain.png", b"picture")
    run_program("dpkg-deb", "--build", content, packages / "game_1%3a2.0_all.deb")
    fetch(packages)
    unpacked = {p.relative_to(packages / "game").as_posix() for p in packages.glob("game/**/*.*")}
    assert unpacked == {"mod.extracted", "mod.extracted/audio/rain.OGG"}
    assert versions(packages) == {"game": "1:2.0"}
    assert not list(packages.glob("*.deb"))


@pytest.mark.parametrize(
    ("n_files", "wanted", "rows"),
    [
        pytest.param(3, 5, [0, 1, 2], id="fewer files"),
        pytest.param(4, 4, [0, 1, 2, 3], id="as many files"),
        pytest.param(10, 4, [0, 2, 5, 7], id="more files"),
    ],
)
def test_files_are_evenly_spaced(n_files, wanted, rows):
    assert spaced(range(n_files), wanted) == rows


# YAMNet's file and the network


@pytest.fixture(scope="module")
def yamnet(teacher_path):
    return Yamnet(teacher_path)


@pytest.fixture(scope="module")
def network(yamnet):
    return Network(yamnet.layers())


def waveforms():
    clicks = np.zeros(80_000, dtype=np.float32)
    clicks[::4_000] = 0.9
    return [melody(20.0), melody(10.0, seed=1), noise(5.0), tone(seconds=5.0), clicks]


def of_yamnet(yamnet, waveforms):
    """Return embeddings, shape (n, 1024), and scores, shape (n, 521)."""
    results = [yamnet(patch) for waveform in waveforms for patch in patch_waveforms(waveform)]
    embeddings, scores = zip(*results, strict=True)
    return np.stack(embeddings), np.stack(scores)


def patches_of(waveforms):
    return np.concatenate([log_mel_patches(waveform) for waveform in waveforms])


def cosines(first, second):
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return np.sum(first * second, axis=1) / lengths


def check_close(first, second):
    """Check that rows have nearly the same directions. Integers round a few more than others."""
    similarities = cosines(first, second)
    assert similarities.mean() >= 0.999
    assert similarities.min() >= 0.995


def test_the_names_and_layers_of_yamnet_are_read(yamnet):
    assert len(yamnet.names) == CLASSES
    assert yamnet.names[:2] == ["Speech", "Child speech, kid speaking"]
    layers = yamnet.layers()
    assert len(layers) == 28
    assert [layer.stride for layer in layers].count(2) == 5
    assert sum(layer.weights.size for layer in layers) == pytest.approx(3.7e6, rel=0.02)
    embeddings, scores = of_yamnet(yamnet, waveforms())
    again = 1 / (1 + np.exp(-(embeddings @ layers[-1].weights + layers[-1].bias)))
    assert np.abs(again - scores).mean() < 0.001


@pytest.mark.parametrize(
    ("waveform", "name"),
    [
        pytest.param(np.zeros(16_000, dtype=np.float32), "Silence", id="silence"),
        pytest.param(tone(), "Sine wave", id="a sine"),
        pytest.param(noise(), "White noise", id="noise"),
    ],
)
def test_yamnet_names_a_sound(yamnet, waveform, name):
    _, scores = of_yamnet(yamnet, [waveform])
    assert name in [yamnet.names[i] for i in np.argsort(-scores[0])[:3]]


def with_names(path, names):
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("yamnet_label_list.txt", "\n".join(names))
    return path


def test_a_file_that_is_not_yamnet_is_rejected(tmp_path, teacher_path):
    other = pooled_tflite(
        tmp_path / "other.tflite", lambda rows: rows[:, 0], lambda rows: rows, n_values=64
    )
    with pytest.raises(ValueError, match="has no list of classes"):
        Yamnet(other)
    with pytest.raises(ValueError, match="isn't YAMNet"):
        Yamnet(with_names(other, ["Speech"] * 64))
    few = tmp_path / "few.tflite"
    few.write_bytes(teacher_path.read_bytes())
    with pytest.raises(ValueError, match="isn't YAMNet"):
        Yamnet(with_names(few, ["Speech", "Music"]))


def check_network(yamnet, network, waveforms):
    """Check embeddings and scores of each patch: those of the network and of what ships."""
    patches = patches_of(waveforms)
    embeddings, scores = of_yamnet(yamnet, waveforms)
    is_sound = np.linalg.norm(embeddings, axis=1) > 0
    features = network.features(patches).numpy()
    check_close(features[is_sound], embeddings[is_sound])
    is_heard = scores >= 0.1
    assert is_heard.sum() > 50
    errors = [
        np.abs(s - scores)[is_heard].mean() for s in (network.sounds(patches), Tagger()(patches))
    ]
    assert max(errors) <= 0.05
    return errors


def test_the_network_on_our_patches_computes_what_yamnet_computes(yamnet, network):
    check_network(yamnet, network, waveforms())


@pytest.mark.beside("audio")
def test_the_network_computes_what_yamnet_computes_for_recordings(yamnet, network, shared, figures):
    paths = sorted((shared / "audio").glob("*.wav"))
    errors = check_network(yamnet, network, [waveform_of(path) for path in paths])
    figures(files=len(paths), float_error=f"{errors[0]:.3f}", int8_error=f"{errors[1]:.3f}")


# The projection


def averages_of(labels, classes, directions, rng):
    """Return averages of files that differ more within classes than between them."""
    of_classes, of_files = directions
    noise = 6 * rng.standard_normal((len(labels), 12))
    roots = np.maximum(60 + classes[labels] @ of_classes + noise @ of_files, 0)
    cepstra = rng.standard_normal((len(labels), 20, N_COEFFICIENTS))
    moments = (cepstra.mean(axis=1), (cepstra**2).mean(axis=1), np.ones_like(cepstra[:, 0]))
    return np.concatenate([roots**2, *moments], axis=1).astype(np.float32)


def precision(vectors, labels):
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    similarities = vectors @ vectors.T - 2 * np.eye(len(vectors))
    return (labels[similarities.argmax(axis=1)] == labels).mean()


def test_the_projection_separates_classes_that_it_was_not_fitted_on():
    rng = np.random.default_rng(0)
    directions = rng.standard_normal((2, 12, FEATURES))
    labels = np.repeat(np.arange(40), 20)
    values = averages_of(labels, rng.standard_normal((40, 12)), directions, rng)
    projection = fit(values, labels, np.ones(800))
    new_labels = np.repeat(np.arange(20), 10)
    new_files = averages_of(new_labels, rng.standard_normal((20, 12)), directions, rng)
    embeddings = projection.embeddings(new_files).numpy()
    assert embeddings.shape == (200, 128)
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, rtol=1e-5)
    plain = new_files[:, :FEATURES] - new_files[:, :FEATURES].mean(axis=0)
    assert precision(embeddings, new_labels) > precision(plain, new_labels) + 0.1


def test_values_that_are_all_equal_have_a_finite_projection(tmp_path):
    values = np.ones((20, N_VALUES), dtype=np.float32)
    values[:, :5] += np.abs(np.random.default_rng(0).standard_normal((20, 5))).astype(np.float32)
    projection = fit(values, np.repeat(np.arange(4), 5), np.ones(20))
    embeddings = projection.embeddings(values).numpy()
    assert np.isfinite(embeddings).all()
    projection.write(tmp_path / "projection.npz")
    read = Projection.read(tmp_path / "projection.npz").embeddings(values).numpy()
    np.testing.assert_array_equal(read, embeddings)


# Fitting


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    """Fifteen files of three classes; a list of the calls that compute averages; the teacher."""
    rows = np.random.default_rng(0).uniform(0.1, 1, (15, N_VALUES)).astype(np.float32)
    files = [LabeledFile(tmp_path / f"{i}.wav", f"class {i // 5}", "game") for i in range(15)]
    values = {file.path: row for file, row in zip(files, rows, strict=True)}
    calls = []

    def file_averages(paths, teacher):
        calls.append(list(paths))
        return [values[path] for path in paths]

    monkeypatch.setattr(fitting, "file_averages", file_averages)
    (tmp_path / "teacher").write_bytes(b"one")
    return files, values, calls, tmp_path / "teacher"


def test_averages_are_computed_again_only_for_other_files_or_another_teacher(corpus, tmp_path):
    files, _, calls, teacher = corpus
    cache = tmp_path / "averages.npz"
    first = fit_on_files(files, teacher, cache)
    again = fit_on_files(files, teacher, cache)
    assert len(calls) == 1
    np.testing.assert_array_equal(again.matrix, first.matrix)
    fit_on_files(files[:10], teacher, cache)
    assert [len(paths) for paths in calls] == [15, 10]
    teacher.write_bytes(b"another")
    fit_on_files(files[:10], teacher, cache)
    assert len(calls) == 3


def test_files_that_cannot_be_decoded_are_left_out(corpus, tmp_path):
    files, values, _, teacher = corpus
    broken = LabeledFile(tmp_path / "broken.wav", "class 1", "game")
    expected = fit_on_files(files, teacher, tmp_path / "expected.npz")
    values[broken.path] = None
    projection = fit_on_files([broken, *files], teacher, tmp_path / "averages.npz")
    rows = np.stack([values[file.path] for file in files])
    similar = projection.embeddings(rows).numpy() @ projection.embeddings(rows).numpy().T
    as_expected = expected.embeddings(rows).numpy() @ expected.embeddings(rows).numpy().T
    np.testing.assert_allclose(similar, as_expected, atol=1e-3)


def test_classes_of_four_files_are_too_small_to_fit(corpus, tmp_path):
    files, _, _, teacher = corpus
    with pytest.raises(UsageError, match="No class has 5 audio files"):
        fit_on_files(files[:4] + files[5:9], teacher, tmp_path / "averages.npz")


# The exported file


@pytest.fixture(scope="module")
def exported(yamnet, network, tmp_path_factory):
    """The path of an exported file, its patches and its projection."""
    patches = patches_of(waveforms())
    values = network.values(patches).numpy()
    projection = fit(values, np.arange(len(values)) % 4, np.ones(len(values)))
    path = tmp_path_factory.mktemp("exported") / "compact.tflite"
    path.write_bytes(litert_file(network, projection, yamnet.names, patches))
    return path, patches, projection


def test_the_exported_file_computes_nearly_the_same_as_the_network(exported, network):
    path, patches, projection = exported
    model = runtime.Network(path)
    values, expected = model(patches), network.values(patches).numpy()
    check_close(values[:, :FEATURES], expected[:, :FEATURES])
    np.testing.assert_allclose(values[:, FEATURES:], expected[:, FEATURES:], rtol=1e-3, atol=1e-3)
    check_close(model.embeddings(values), projection.embeddings(values).numpy())


def test_the_exported_file_holds_the_names_and_is_small(exported, yamnet):
    path, _, _ = exported
    assert metadata(path.read_bytes(), NAMES).decode().splitlines() == yamnet.names
    assert path.stat().st_size <= 5_000_000


def test_another_projection_keeps_the_tagger(exported, network, yamnet, tmp_path):
    path, patches, projection = exported
    other = tmp_path / "other.tflite"
    changed = replace(projection, matrix=projection.matrix[:, ::-1].copy())
    other.write_bytes(litert_file(network, changed, yamnet.names, patches))
    assert embeddings_digest(other) != embeddings_digest(path)
    assert sounds_digest(other) == sounds_digest(path)


# Tagging


def test_the_recordings_of_packages_are_found_by_their_names(tmp_path):
    names = [
        "0ad-data/public.extracted/audio/actor/fauna/animal/cattle_01.ogg",
        "0ad-data/public.extracted/audio/voice/latin/civ_dog_bark.ogg",
        "tuxpaint-stamps-default/stamps/animals/birds/owl.ogg",
        "tuxpaint-stamps-default/stamps/naturalforces/lightningbolt_desc.ogg",
        "tuxpaint-stamps-default/stamps/animals/birds/owl.png",
        "another-package/rain.ogg",
        *(f"widelands-data/music/ingame_{number:02d}.ogg" for number in range(40)),
    ]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = recordings(tmp_path)
    assert [(file.label, file.path.name) for file in found[:2]] == [
        ("cattle", "cattle_01.ogg"),
        ("birds", "owl.ogg"),
    ]
    assert [file.label for file in found[2:]] == ["music"] * MAX_FILES


def test_the_right_names_are_names_of_audioset():
    names = {name for rule in RULES for name in rule.names.split("|")}
    assert names <= set(Tagger(n_threads=1).names)


@pytest.mark.long
def test_the_shares_of_right_names_are_a_table(teacher_path, tmp_path):
    folder = tmp_path / "sonic-pi-samples"
    folder.mkdir()
    write(folder / "tabla_1.wav", tone())
    (folder / "tabla_2.wav").write_bytes(b"no sound")
    music = tmp_path / "naev-data" / "music"
    music.mkdir(parents=True)
    write(music / "a.wav", melody(5.0))
    shipped = registry.compact().path
    lines = tagging_table(tmp_path, shipped, teacher_path).splitlines()
    assert lines[2:4] == ["| music | 1 | 100 % | 100 % |", "| tabla | 1 | 0 % | 0 % |"]
    assert "| **all files** | 2 | 50 % | 50 % |" in lines
    assert "| **files of 3 s or more** | 1 | 100 % | 100 % |" in lines
    assert float(lines[-1].rstrip(".").split()[-1]) <= 0.05


def test_a_folder_without_recordings_cannot_be_tagged(tmp_path):
    with pytest.raises(UsageError, match="has no recordings"):
        tagging_table(tmp_path, tmp_path, tmp_path)


# The whole program


def training(*arguments):
    command = [sys.executable, "-m", "audiosearch.training", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def trained(teacher_path, tmp_path_factory):
    """Fit and export on a minute of sound."""
    folder = tmp_path_factory.mktemp("training")
    audio, work, output = folder / "audio", folder / "work", folder / "output"
    classes = {
        "melody": lambda seed: melody(3.0, seed=seed),
        "noise": lambda seed: noise(3.0, seed=seed),
        "tone": lambda seed: tone(300 + 40 * seed),
        "beat": lambda seed: noise(3.0, seed=seed) * (np.arange(48_000) % 8_000 < 900 + 90 * seed),
    }
    for name, waveform in classes.items():
        (audio / name).mkdir(parents=True)
        for seed in range(5):
            write(audio / name / f"{seed}.wav", waveform(seed).astype(np.float32))
    (audio / "tone" / "broken.wav").write_bytes(b"no sound")
    (audio / "tone" / "README").touch()
    assert sum(1 for _ in files_by_folder(audio)) == 21
    output.mkdir()
    for command in (("fit", work, "--audio", audio), ("export", work, "-o", output)):
        result = training(*command, "--teacher", teacher_path)
        assert result.returncode == 0, result.stderr
    return audio, work, output


@pytest.mark.long
def test_training_gives_a_model_that_queries_run_on(trained, tmp_path, run):
    audio, _, output = trained
    added = run("add", audio, "--model", output / "compact.tflite")
    assert added.exit_code == 0
    assert "20 added, 0 unchanged, 1 failed" in added.stderr
    unseen = write(tmp_path / "unseen.wav", noise(seed=9))
    assert run("query", unseen, "-k", 3, "--format", "json").exit_code == 0
    assert "# compact" in (output / "compact.md").read_text()


@pytest.mark.long
def test_the_model_embeds_as_it_was_fitted(trained):
    _, work, output = trained
    model = runtime.Network(output / "compact.tflite")
    values = model(patches_of(waveforms()))
    projection = Projection.read(work / "projection.npz")
    check_close(model.embeddings(values), projection.embeddings(values).numpy())
    with np.load(work / "averages.npz") as stored:
        assert np.isfinite(stored["values"]).all(axis=1).sum() == 20


@pytest.mark.long
def test_a_folder_without_classes_is_rejected(teacher_path, tmp_path):
    (tmp_path / "audio" / "one").mkdir(parents=True)
    write(tmp_path / "audio" / "one" / "a.wav", tone())
    command = ("fit", tmp_path / "work", "--teacher", teacher_path, "--audio", tmp_path / "audio")
    refused = training(*command)
    assert refused.returncode == 1
    assert "No class has 5 audio files" in refused.stderr
    assert "hint: Use a folder with one subfolder per class." in refused.stderr


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
