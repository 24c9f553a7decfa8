"""Models: names in the registry, a user's own file, and the model that an index records."""

import shutil
from functools import partial

import numpy as np
import pytest
import tensorflow as tf
from networks import band_statistics, mean_bands, pooled_tflite, tflite
from sounds import melody, write

from audiosearch import ModelUnavailable, UsageError, WeightsError
from audiosearch.models import registry
from audiosearch.models.front_end import FRONT_END_VERSION
from audiosearch.models.remote_file import RemoteFile
from audiosearch.models.runtime import Network
from audiosearch.models.spec import Ability
from audiosearch.models.specs import SPECS, model_choices
from audiosearch.models.tflite_graph import vggish_arrays

pytestmark = pytest.mark.filterwarnings("ignore")  # warnings of TensorFlow


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_every_spec_describes_its_files_and_front_end(spec):
    assert SPECS[spec.name] is spec
    assert spec.front_end == FRONT_END_VERSION
    assert 2 <= spec.dimension <= 4_096
    for file in filter(None, (spec.weights, spec.pca)):
        assert file.license == "Apache-2.0"
        if isinstance(file, RemoteFile):
            assert file.published_url.startswith("https://")
            assert len(bytes.fromhex(file.published_sha512)) == 64
            assert file.size_mb > 0


def test_the_model_of_a_new_index_is_vggish_or_else_the_packaged_model():
    assert (registry.PREFERRED, registry.FALLBACK) == ("vggish", "compact")
    assert SPECS[registry.FALLBACK].is_packaged
    assert SPECS[registry.PREFERRED].pca is not None
    assert Ability.WHITENING in SPECS[registry.PREFERRED].abilities


def test_the_packaged_model_has_the_dimension_of_its_spec():
    assert registry.compact().load().dimension == SPECS["compact"].dimension == 128


def test_help_and_errors_list_every_model(run):
    assert all(name in model_choices().split("|") for name in SPECS)
    with pytest.raises(WeightsError, match="There is no model unknown") as error:
        registry.resolve("unknown")
    assert model_choices() in error.value.hint
    assert all(name in run("add", "--help").stdout for name in ("auto|", *SPECS))


def test_status_lists_every_model_of_the_registry():
    shipped = registry.compact()
    facts = registry.status()
    assert list(facts) == [
        *("compact", "compact_fingerprint"),
        *("vggish", "vggish_fingerprint", "vggish_checkpoint", "vggish_pca"),
        "cache",
    ]
    assert facts["compact"] == str(shipped.path)
    assert facts["compact_fingerprint"] == shipped.weights_digest
    assert facts["vggish"] is None
    assert facts["vggish_checkpoint"] is None


def test_an_index_finds_a_users_own_model_without_its_file(music, run, tmp_path):
    path = tflite(tmp_path / "own.tflite", mean_bands)
    assert run("add", music, "--model", path).exit_code == 0
    assert '"model": "own.tflite"' in run("info", "--format", "json").stdout
    path.unlink()
    unseen = write(tmp_path / "unseen.wav", melody(seed=4))
    assert run("query", unseen).exit_code == 0
    other = tflite(tmp_path / "own.tflite", lambda patches: 2 * mean_bands(patches) + 1)
    refused = run("query", unseen, "--model", other)
    assert refused.exit_code == 1
    assert refused.stderr.count("own.tflite (digest") == 2


def test_a_copy_of_compact_is_a_users_own_model_with_the_same_digest(tmp_path):
    copy = tmp_path / "copy.tflite"
    shutil.copyfile(registry.compact().path, copy)
    model = registry.resolve(str(copy))
    assert (model.name, model.weights_digest) == ("copy.tflite", registry.compact().weights_digest)


@pytest.mark.parametrize("dimension", [2, 64, 128, 512, 4_096])
def test_a_model_may_have_any_dimension(tmp_path, dimension):
    embed = partial(band_statistics, dimension=dimension)
    model = registry.resolve(str(tflite(tmp_path / "x.tflite", embed)))
    assert model.dimension == dimension
    network = model.load()
    assert network.dimension == dimension
    patches = np.ones((3, 96, 64), dtype=np.float32)
    assert network.embeddings(network(patches)).shape == (3, dimension)


@pytest.mark.parametrize("dimension", [1, 4_097])
def test_too_few_or_too_many_dimensions_are_rejected(tmp_path, dimension):
    path = tflite(tmp_path / "x.tflite", partial(band_statistics, dimension=dimension))
    with pytest.raises(WeightsError, match=f"embeddings of {dimension:,} dimensions") as error:
        registry.resolve(str(path))
    assert "2 to 4,096 dimensions" in error.value.hint


@pytest.mark.parametrize(
    ("embed", "shape"),
    [
        pytest.param(mean_bands, (None, 50, 64), id="50 frames"),
        pytest.param(lambda p: p[:, 0, 0], (None, 96, 64), id="a number for each patch"),
        pytest.param(lambda p: p[:, :2], (None, 96, 64), id="a matrix for each patch"),
        pytest.param(lambda p: (p[:, 0], p[:, 1]), (None, 96, 64), id="two outputs"),
        pytest.param(lambda p: tf.cast(p[:, 0], tf.int32), (None, 96, 64), id="integers"),
    ],
)
def test_models_with_other_inputs_or_outputs_are_rejected(tmp_path, embed, shape):
    path = tflite(tmp_path / "x.tflite", embed, shape=shape)
    with pytest.raises(WeightsError, match="doesn't turn log-mel patches into embeddings"):
        registry.resolve(str(path))


def test_a_model_for_one_patch_at_a_time_is_rejected(tmp_path):
    path = tflite(tmp_path / "x.tflite", lambda p: tf.reshape(p[:, 0], (1, 64)))
    with pytest.raises(WeightsError, match="can't run on several patches at a time"):
        registry.resolve(str(path))


def test_a_second_signature_sets_the_dimension(tmp_path):
    path = pooled_tflite(
        tmp_path / "x.tflite",
        lambda patches: patches[:, 0, :60],
        lambda averages: tf.tile(averages, [1, 5]),
        n_values=60,
    )
    network = Network(path)
    assert network.dimension == 300
    values = network(np.ones((3, 96, 64), dtype=np.float32))
    assert values.shape == (3, 60)
    assert network.embeddings(values).shape == (3, 300)


@pytest.mark.parametrize(
    ("n_pooled", "n_out", "reason"),
    [
        pytest.param(100, 128, "doesn't turn", id="averages of another size"),
        pytest.param(64, 1, "embeddings of 1 dimensions", id="embeddings of one number"),
    ],
)
def test_second_signatures_that_do_not_fit_are_rejected(tmp_path, n_pooled, n_out, reason):
    path = pooled_tflite(
        tmp_path / "x.tflite",
        lambda patches: patches[:, 0, :64],
        lambda averages: tf.tile(averages, [1, 2])[:, :n_out],
        n_values=n_pooled,
    )
    with pytest.raises(WeightsError, match=reason):
        registry.resolve(str(path))


def test_a_file_that_is_not_a_model_is_rejected(tmp_path):
    path = tmp_path / "x.tflite"
    path.write_bytes(b"no model" * 100)
    with pytest.raises(WeightsError, match=r"x\.tflite"):
        registry.resolve(str(path))


def test_only_a_downloaded_model_takes_weights(tmp_path):
    with pytest.raises(UsageError, match="--weights is for vggish, not for compact"):
        registry.resolve("compact", weights=tmp_path / "x.ckpt")


@pytest.mark.parametrize("weights_digest", ["0" * 64, "../../evil", ""])
def test_an_unknown_digest_is_reported(weights_digest):
    with pytest.raises(ModelUnavailable, match="not on this machine"):
        registry.by_digest("vggish", weights_digest)


def test_a_damaged_file_is_not_recognized_as_vggish():
    content = bytearray(registry.compact().path.read_bytes())
    rng = np.random.default_rng(0)
    assert vggish_arrays(bytes(content)) is None
    for _ in range(200):
        at = int(rng.integers(8, 4_000))
        content[at] ^= int(rng.integers(1, 255))
        assert vggish_arrays(bytes(content)) is None
