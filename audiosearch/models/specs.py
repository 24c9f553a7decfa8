"""The registry: every model that ships with audiosearch.

To add a model with .tflite weights, add one `ModelSpec` to `SPECS`. No other module changes.
The command line reads the names at every start, so this module and its imports load fast. Models
of other packages are in `audiosearch.models.installed`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from audiosearch.models.remote_file import RemoteFile
from audiosearch.models.spec import Ability, ModelSpec, PackagedFile
from audiosearch.models.vggish_layers import VGGISH_DIMENSION, VGGISH_FLOPS_PER_PATCH
from audiosearch.models.weights_format import VggishCheckpoint

if TYPE_CHECKING:
    from collections.abc import Mapping

_VGGISH = ModelSpec(
    name="vggish",
    title="VGGish",
    dimension=VGGISH_DIMENSION,
    weights=RemoteFile(
        key="VGGISH",
        title="VGGish's checkpoint",
        published_url="https://storage.googleapis.com/audioset/vggish_model.ckpt",
        published_sha512="4e320f1b148f7ae8e08a8df17b102582e57fd8a9688ec17ce8f6077f062ce8fc"
        "aea711933c1b80192f3c2a9f7a09b40d6616e04b0f22a68d217ff1ec8ef0376f",
        option="`add --weights FILE`",
        size_mb=288,
        license="Apache-2.0",
    ),
    weights_format=VggishCheckpoint(),
    abilities=frozenset({Ability.WHITENING}),
    pca=RemoteFile(
        key="PCA",
        title="VGGish's PCA parameters",
        published_url="https://storage.googleapis.com/audioset/vggish_pca_params.npz",
        published_sha512="3728bcbc45cb05b4cff527434a069f990e110f1fc9687f74fce55dc204da6aa0"
        "f0f96cb4466a96fc056c32743c63830022c839072cc501a3f14bfb44928a701c",
        option="`embed --pca FILE`",
        size_mb=0.07,
        license="Apache-2.0",
    ),
    flops_per_patch=VGGISH_FLOPS_PER_PATCH,
    weights_variable="AUDIOSEARCH_WEIGHTS",
)

_COMPACT = ModelSpec(
    name="compact",
    title="compact",
    dimension=128,
    weights=PackagedFile("compact.tflite", license="Apache-2.0"),
    strengths="It is good at kinds of sound: with 687 files in 39 classes of music, instruments, "
    "speech and effects, the nearest neighbor was of the same class for 76 % (62 % with YAMNet, "
    "from which it is derived).",
)

#: Every built-in model, by name.
SPECS: Final[dict[str, ModelSpec]] = {spec.name: spec for spec in (_VGGISH, _COMPACT)}

#: Value of ``--model`` for the index's model; for a new index, PREFERRED or else FALLBACK.
AUTO: Final = "auto"
#: The model of a new index, if its weights are available.
PREFERRED: Final = _VGGISH.name
#: The model of a new index, if the weights of PREFERRED aren't available. It is packaged.
FALLBACK: Final = _COMPACT.name


def model_choices(specs: Mapping[str, ModelSpec] = SPECS) -> str:
    """Return the values of ``--model`` except "auto", as help texts and errors show them.

    Parameters
    ----------
    specs : mapping of str to ModelSpec
        Models to name.

    Examples
    --------
    >>> model_choices().startswith("vggish|compact"), model_choices().endswith("FILE.tflite")
    (True, True)
    """
    return "|".join((*specs, "FILE.tflite"))


def downloads(specs: Mapping[str, ModelSpec] = SPECS) -> dict[str, RemoteFile]:
    """Return every file that ``audiosearch model fetch`` downloads, by the name it takes.

    Parameters
    ----------
    specs : mapping of str to ModelSpec
        Models whose files to list.

    Examples
    --------
    >>> set(downloads()) >= {"vggish", "pca"}
    True
    """
    weights = {
        name: spec.weights for name, spec in specs.items() if isinstance(spec.weights, RemoteFile)
    }
    pca = {spec.pca.key.lower(): spec.pca for spec in specs.values() if spec.pca is not None}
    return weights | pca
