"""LiteRT and OpenVINO run the same model files, with the same results."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import openvino
import pytest
import tensorflow as tf
from networks import pooled_tflite, tflite
from sounds import melody, tone, write
from toy_backend import ToyStorage

from audiosearch import Embedder, Index, UsageError, WeightsError, add
from audiosearch.library.runtimes import RUNTIMES, RuntimeRecord, runtimes_of
from audiosearch.maintenance.copy import copy
from audiosearch.models import auto_network, registry
from audiosearch.models.auto_network import MIN_PATCHES, AutoNetwork
from audiosearch.models.cache import cache_dir
from audiosearch.models.openvino import check_bf16
from audiosearch.models.runtime import Network
from audiosearch.models.runtime_choice import LITERT_F32, RuntimeChoice

pytestmark = pytest.mark.filterwarnings("ignore")  # warnings of TensorFlow

OPENVINO_F32 = RuntimeChoice("openvino", "f32")
HAS_BF16 = "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def convolutions(patches):
    """Return 32 numbers for each patch, by a small network with random weights."""
    rng = np.random.default_rng(0)
    kernel = rng.normal(0, 0.3, (3, 3, 1, 8)).astype(np.float32)
    matrix = rng.normal(0, 0.1, (8 * 48 * 32, 32)).astype(np.float32)
    maps = tf.nn.relu(tf.nn.conv2d(patches[..., tf.newaxis], kernel, 2, "SAME"))
    return tf.reshape(maps, (-1, matrix.shape[0])) @ matrix


@pytest.fixture(scope="session")
def path(tmp_path_factory):
    """A model with one computation."""
    return tflite(tmp_path_factory.mktemp("model") / "small.tflite", convolutions)


@pytest.fixture(scope="session")
def several(tmp_path_factory):
    """A model with two computations."""
    file = tmp_path_factory.mktemp("model") / "pooled.tflite"
    return pooled_tflite(file, lambda p: p[:, 0], lambda averages: 2 * averages, n_values=64)


def patches_of(n):
    return np.random.default_rng(n).normal(-2, 2, (n, 96, 64)).astype(np.float32)


def cosines(values, others):
    products = (values * others).sum(axis=1)
    return products / np.linalg.norm(values, axis=1) / np.linalg.norm(others, axis=1)


def recorded():
    """Return the contents of all records of speeds."""
    return [float(file.read_text()) for file in (cache_dir() / "speedups").glob("*")]


# The two runtimes


def test_openvino_computes_what_litert_computes_in_batches_of_any_size(path):
    reference, network = Network(path), Network(path, choice=OPENVINO_F32)
    assert (str(reference.runtime), str(network.runtime)) == ("litert f32", "openvino f32")
    assert network.dimension == reference.dimension == 32
    for n in (1, 32, 7, 32, 64):
        patches = patches_of(n)
        np.testing.assert_allclose(network(patches), reference(patches), rtol=1e-4, atol=1e-4)


def test_bf16_is_near_f32_or_refused(path):
    choice = RuntimeChoice("auto", "bf16")
    if not HAS_BF16:
        with pytest.raises(UsageError, match="doesn't compute in bf16"):
            Network(path, choice=choice)
        return
    network = Network(path, choice=choice)
    assert str(network.runtime) == "openvino bf16"
    patches = patches_of(32)
    values, reference = network(patches), Network(path)(patches)
    assert cosines(values, reference).min() > 0.999
    assert not np.array_equal(values, reference)


def first_and_last(patches):
    """Return 16 numbers for each patch. Only the first and the last of three layers round."""
    rng = np.random.default_rng(0)
    kernel = rng.normal(0, 0.3, (3, 3, 1, 1)).astype(np.float32)
    matrix = rng.normal(0, 0.1, (48 * 32, 16)).astype(np.float32)
    maps = tf.nn.conv2d(patches[..., tf.newaxis], kernel, 2, "SAME")
    maps = tf.nn.conv2d(tf.round(maps), np.ones((1, 1, 1, 1), np.float32), 1, "SAME")
    return tf.reshape(maps, (-1, matrix.shape[0])) @ matrix


def with_a_branch(patches):
    """Return 32 numbers for each patch. The second convolution has a bypass."""
    rng = np.random.default_rng(0)
    kernel = rng.normal(0, 0.3, (3, 3, 1, 4)).astype(np.float32)
    second = rng.normal(0, 0.1, (3, 3, 4, 4)).astype(np.float32)
    matrix = rng.normal(0, 0.1, (4 * 48 * 32, 32)).astype(np.float32)
    maps = tf.nn.relu(tf.nn.conv2d(patches[..., tf.newaxis], kernel, 2, "SAME"))
    maps = maps + tf.nn.relu(tf.nn.conv2d(maps, second, 1, "SAME"))
    return tf.reshape(maps, (-1, matrix.shape[0])) @ matrix


@pytest.mark.skipif(not HAS_BF16, reason="this processor doesn't compute in bf16")
def test_bf16_is_exact_in_the_first_convolution_and_the_last_layer(tmp_path):
    file = tflite(tmp_path / "chain.tflite", first_and_last)
    network, patches = Network(file, choice=RuntimeChoice("auto", "bf16")), patches_of(8)
    np.testing.assert_allclose(network(patches), Network(file)(patches), rtol=1e-4, atol=1e-4)


@pytest.mark.skipif(not HAS_BF16, reason="this processor doesn't compute in bf16")
def test_bf16_runs_networks_with_branches(tmp_path):
    file = tflite(tmp_path / "branch.tflite", with_a_branch)
    network, patches = Network(file, choice=RuntimeChoice("auto", "bf16")), patches_of(8)
    values = network(patches)
    assert cosines(values, Network(file)(patches)).min() > 0.999
    assert network.dimension == values.shape[1] == 32


def test_a_result_does_not_change_with_the_next_batch(path):
    network = Network(path, choice=OPENVINO_F32)
    first = network(patches_of(4))
    kept = first.copy()
    network(patches_of(5)[:4])
    np.testing.assert_array_equal(first, kept)


@pytest.mark.checkpoint
def test_vggish_gives_the_same_embeddings_on_openvino(checkpoints):
    model = registry.resolve("vggish", weights=checkpoints.v1)
    patches = patches_of(8)
    values = model.on(OPENVINO_F32).load()(patches)
    assert cosines(values, model.load()(patches)).min() > 0.999999


# What can't be chosen


@pytest.mark.parametrize(
    ("runtime", "precision", "message", "hint"),
    [
        pytest.param("cuda", "f32", "'cuda' is not a runtime", "auto, litert, openvino", id="name"),
        pytest.param("auto", "f16", "'f16' is not a precision", "f32, bf16", id="precision"),
        pytest.param("auto", "", "'' is not a precision", "f32, bf16", id="empty"),
        pytest.param("openvino", "int8", "'int8' is not a precision", "f32, bf16", id="int8"),
        pytest.param("litert", "bf16", "LiteRT doesn't compute in bf16", "openvino", id="litert"),
    ],
)
def test_a_choice_that_nothing_offers_is_refused(run, music, runtime, precision, message, hint):
    with pytest.raises(UsageError, match=message) as error:
        RuntimeChoice(runtime, precision)
    assert hint in error.value.hint
    result = run("add", music, "--runtime", runtime, "--precision", precision)
    assert result.exit_code == 2
    assert message in result.stderr
    assert not Path("index").exists()


def test_a_processor_without_bf16_is_refused():
    check_bf16(["FP32", "BF16", "INT8"])
    with pytest.raises(UsageError, match="doesn't compute in bf16") as error:
        check_bf16(["FP32", "INT8"])
    assert "avx512_bf16 or amx_bf16" in error.value.hint


@pytest.mark.parametrize("options", [("--runtime", "openvino"), ("--precision", "bf16")])
def test_a_file_with_several_computations_stays_on_litert(run, music, several, options):
    for model in ("compact", several):
        result = run("add", music, "--model", model, *options)
        assert result.exit_code == 2
        assert "holds several computations" in result.stderr
        assert " ".join(options) in result.stderr


def test_a_damaged_file_is_refused(path, tmp_path):
    damaged = tmp_path / "damaged.tflite"
    damaged.write_bytes(path.read_bytes()[:2_000])
    with pytest.raises(WeightsError, match=r"damaged\.tflite"):
        Network(damaged, choice=OPENVINO_F32)


# The faster one


def run_patches(network, n):
    for _ in range(n // 32):
        network(patches_of(32))


@pytest.mark.parametrize("speedup", [None, 0.9, 1.1])
def test_auto_measures_once_and_uses_the_faster(path, monkeypatch, speedup):
    if speedup is not None:  # as an earlier run recorded it
        run_patches(AutoNetwork(path, "digest", n_threads=1), MIN_PATCHES + 32)
        (record,) = (cache_dir() / "speedups").iterdir()
        record.write_text(f"{speedup}\n")
    network = AutoNetwork(path, "digest", n_threads=1)
    run_patches(network, MIN_PATCHES - 32)
    assert network.runtime == LITERT_F32
    run_patches(network, 64)
    (ratio,) = recorded()
    assert ratio > 0
    assert speedup in (None, ratio)
    assert network.runtime == (OPENVINO_F32 if ratio > 1 else LITERT_F32)
    patches = patches_of(3)
    np.testing.assert_allclose(network(patches), Network(path)(patches), rtol=1e-4, atol=1e-4)


def test_auto_measures_each_model_and_number_of_threads(path):
    for digest, n_threads in (("a", 1), ("a", 2), ("b", 1), ("a", 1)):
        run_patches(AutoNetwork(path, digest, n_threads=n_threads), MIN_PATCHES + 32)
    assert len(recorded()) == 3


def test_auto_measures_again_if_the_record_is_damaged(path):
    run_patches(AutoNetwork(path, "digest", n_threads=1), MIN_PATCHES + 32)
    (record,) = (cache_dir() / "speedups").iterdir()
    for text in ("", "fast", "nan", "inf"):
        record.write_text(text)
        run_patches(AutoNetwork(path, "digest", n_threads=1), MIN_PATCHES + 32)
        assert np.isfinite(recorded()).all()


def test_auto_stays_on_litert_for_files_that_openvino_cannot_run(several):
    network = AutoNetwork(several, "digest", n_threads=1)
    run_patches(network, MIN_PATCHES + 32)
    assert network.runtime == LITERT_F32
    assert recorded() == []


def test_auto_stays_on_litert_if_the_values_differ(path):
    network, patches = Network(path), patches_of(32)
    for change in (lambda values: values + 0.1, lambda values: values * np.nan):
        assert auto_network.speedup(lambda p, c=change: c(network(p)), network, patches) == 0
    assert auto_network.speedup(network, network, patches) > 0


def test_patches_without_any_values_are_equal():
    values = np.array([[0.0, 0.0], [3.0, 4.0]], np.float32)
    other = np.array([[1e-9, 0.0], [3.0, 4.0]], np.float32)
    patches = patches_of(2)
    assert auto_network.speedup(lambda _: values, lambda _: values.copy(), patches) > 0
    assert auto_network.speedup(lambda _: values, lambda _: other, patches) == 0


def test_a_file_names_every_runtime_that_embedded_it(path, run, tmp_path):
    run_patches(AutoNetwork(path, registry.resolve(str(path)).weights_digest), MIN_PATCHES + 32)
    (record,) = (cache_dir() / "speedups").iterdir()
    record.write_text("2.0\n")
    long = write(tmp_path / "long.wav", melody(0.96 * (MIN_PATCHES + 70)))
    add("index", [long], model=str(path))
    assert runtimes(run) == "litert f32, openvino f32"


def test_add_measures_after_many_patches_but_never_single_clips(path, tmp_path):
    long = write(tmp_path / "long.wav", melody(0.96 * (MIN_PATCHES + 70)))
    add("index", [write(tmp_path / "short.wav", melody(5.0))], model=str(path))
    assert recorded() == []
    embedder = Embedder(str(path))
    embedder.embed_patches(long)
    assert recorded() == []
    add("index", [long], runtime="litert")
    assert recorded() == []
    add("index2", [long], model=str(path))
    assert len(recorded()) == 1
    with Index("index") as index, Index("index2") as other:
        tracks = [i.storage.track_at(str(long)) for i in (index, other)]
        one, two = (i.vector(t) for i, t in zip((index, other), tracks, strict=True))
        np.testing.assert_allclose(one, two, atol=1e-6)


# Indexes


def runtimes(run, *options):
    return json.loads(run("info", "--format", "json", *options).stdout)["runtimes"]


def test_vectors_of_both_runtimes_are_one_index(run, music, path):
    files = sorted(str(file) for file in music.glob("*.wav"))
    add("index", files[:1], model=str(path), runtime="openvino")
    add("index", files[1:], runtime="litert")
    assert {result.status.value for result in add("index", files)} == {"unchanged"}
    assert runtimes(run) == "litert f32, openvino f32"
    unseen = write(music.parent / "unseen.wav", tone(221))
    found = [run("query", unseen, "--runtime", name).stdout for name in ("litert", "openvino")]
    assert len(found[0].splitlines()) == len(files)
    assert [line.split()[-1] for line in found[0].splitlines()] == [
        line.split()[-1] for line in found[1].splitlines()
    ]


def test_info_names_the_runtimes_that_embedded(run, music, path):
    add("index", [music], model=str(path), runtime="openvino")
    assert runtimes(run) == "openvino f32"
    with Index("index") as index:
        list(copy(index, "copy"))
    assert runtimes(run, "--index", "copy") == "openvino f32"
    assert run("reembed", "--model", "compact").exit_code == 0
    assert runtimes(run) == "litert f32"
    assert run("export", "out").exit_code == 0
    assert (
        run("import", "out/vectors.npy", "out/tracks.jsonl", "--index", "imported").exit_code == 0
    )
    assert runtimes(run, "--index", "imported") is None


def test_an_interrupted_reembedding_remembers_its_runtime(run, music, path):
    from audiosearch.ingest.reembed import Reembedding

    add("index", [music], model="compact")
    request = registry.ModelRequest(str(path), runtime=OPENVINO_F32)
    with Reembedding("index", request) as reembedding:
        next(iter(reembedding))
    assert runtimes(run) == "litert f32"
    assert run("reembed", "--model", path, "--runtime", "litert").exit_code == 0
    assert "openvino f32" in runtimes(run)


class CountedStorage(ToyStorage):
    """A storage that counts how often its settings are read."""

    n_reads = 0

    def settings(self):
        self.n_reads += 1
        return super().settings()


def test_a_writer_reads_the_settings_once_for_each_runtime():
    storage = CountedStorage({RUNTIMES: "openvino bf16"})
    record = RuntimeRecord()
    for runtime in [*3 * ["litert f32"], *3 * ["openvino f32"], "litert f32"]:
        record.add(storage, {runtime})
    assert storage.n_reads == 2
    assert runtimes_of(storage) == {"litert f32", "openvino bf16", "openvino f32"}


def test_refreshed_moments_name_their_runtime(run, music, path):
    add("index", [music], model=str(path), runtime="litert")
    assert run("refresh", "--moments", "--runtime", "openvino").exit_code == 0
    assert runtimes(run) == "litert f32, openvino f32"


# Without the extra, and what is imported

PROBE = """
import json, sys
from importlib.util import spec_from_loader
state = sys.argv[1]
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "openvino" and state == "blocked":
            raise ModuleNotFoundError(name)
        return spec_from_loader(name, self) if name == "openvino" else None
    def create_module(self, spec):
        raise OSError("libtbb.so.12: no such file")
    def exec_module(self, module):
        pass
if state == "missing":
    sys.modules["openvino"] = None
elif state != "there":
    sys.meta_path.insert(0, Finder())
events, codes = [], []
def watch(event, arguments):
    if event.startswith("socket.") or event == "open" and set(str(arguments[1])) & set("wax+"):
        events.append([event, str(arguments[0])])
from audiosearch.cli import app
sys.addaudithook(watch)
for command in json.loads(sys.argv[2]):
    sys.argv = ["audiosearch", *command]
    try:
        app()
    except SystemExit as exc:
        codes.append(exc.code)
modules = [name for name in sys.modules if name.startswith("openvino") and sys.modules[name]]
print(json.dumps({"codes": codes, "modules": modules, "events": events}))
"""


def probe(state, *commands):
    """Run commands with OpenVINO "missing", "blocked", "broken" or "there".

    Return errors and what was touched.
    """
    lists = json.dumps([[str(word) for word in command] for command in commands])
    arguments = [sys.executable, "-c", PROBE, state, lists]
    result = subprocess.run(arguments, capture_output=True, text=True, check=True)
    return result.stderr, json.loads(result.stdout.splitlines()[-1])


@pytest.mark.parametrize("state", ["missing", "there"])
def test_no_command_imports_openvino_unless_it_is_asked_for(music, path, state):
    unseen = write(music.parent / "unseen.wav", melody())
    errors, touched = probe(
        state,
        ["add", music, "--model", path],
        ["query", unseen],
        ["embed", unseen, "--model", path, "--per-patch"],
        ["info"],
    )
    assert touched["codes"] == [0, 0, 0, 0], errors
    assert touched["modules"] == []


@pytest.mark.parametrize("state", ["missing", "blocked"])
@pytest.mark.parametrize("options", [("--runtime", "openvino"), ("--precision", "bf16")])
def test_without_the_extra_a_request_for_it_names_it(music, path, options, state):
    for_model = ("--model", path, *options)
    errors, touched = probe(state, ["add", music, *for_model], ["embed", music, *for_model])
    assert touched["codes"] == [1, 1]
    assert errors.count(f"`{' '.join(options)}` needs the package openvino") == 2
    assert "[openvino]'" in errors
    assert not Path("index").exists()


@pytest.mark.parametrize("options", [("--runtime", "openvino"), ("--precision", "bf16")])
def test_an_openvino_that_cannot_be_loaded_is_a_sentence(music, path, options):
    long = write(music.parent / "long.wav", melody(0.96 * (MIN_PATCHES + 70)))
    errors, touched = probe("broken", ["embed", long, "--model", path, *options])
    assert touched["codes"] == [1]
    assert "OpenVINO can't be loaded: libtbb.so.12: no such file." in errors
    assert "Install it again" in errors
    errors, touched = probe("broken", ["add", long, "--model", path, "--no-sounds"])
    assert touched["codes"] == [0], errors


def test_openvino_sends_nothing_and_writes_nothing(music, path, monkeypatch):
    monkeypatch.setenv("HOME", os.getcwd())
    arguments = ["embed", music / "low.wav", "--model", path, "--runtime", "openvino"]
    errors, touched = probe("there", arguments)
    assert touched["codes"] == [0], errors
    assert "openvino" in touched["modules"]
    assert not [name for name in touched["modules"] if "openvino_telemetry" in name]
    assert [name for kind, name in touched["events"] if kind.startswith("socket.")] == []
    written = {name for kind, name in touched["events"] if not kind.startswith("socket.")}
    assert {name for name in written if not name.startswith(str(cache_dir()))} <= {os.devnull}
    assert os.listdir() == []
