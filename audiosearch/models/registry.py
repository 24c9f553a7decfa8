"""The models there are: how a name becomes a network that runs."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from audiosearch.errors import (
    ModelError,
    ModelMismatch,
    ModelUnavailable,
    UsageError,
    WeightsError,
)
from audiosearch.models.cache import cached_file, model_path
from audiosearch.models.download import Progress, RemoteFile, no_progress
from audiosearch.models.front_end import EMBEDDING_SIZE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audiosearch.models.runtime import Network
    from audiosearch.types import StrPath

AUTO, VGGISH, COMPACT = "auto", "vggish", "compact"

#: Licence of both files: Apache-2.0.
VGGISH_CHECKPOINT = RemoteFile(
    key="VGGISH",
    title="VGGish's checkpoint (288 MB)",
    published_url="https://storage.googleapis.com/audioset/vggish_model.ckpt",
    published_sha512="4e320f1b148f7ae8e08a8df17b102582e57fd8a9688ec17ce8f6077f062ce8fc"
    "aea711933c1b80192f3c2a9f7a09b40d6616e04b0f22a68d217ff1ec8ef0376f",
    option="--weights FILE",
)
VGGISH_PCA = RemoteFile(
    key="PCA",
    title="VGGish's PCA parameters",
    published_url="https://storage.googleapis.com/audioset/vggish_pca_params.npz",
    published_sha512="3728bcbc45cb05b4cff527434a069f990e110f1fc9687f74fce55dc204da6aa0"
    "f0f96cb4466a96fc056c32743c63830022c839072cc501a3f14bfb44928a701c",
    option="--pca FILE",
)

_GET_VGGISH = (
    "`audiosearch model fetch` downloads VGGish (288 MB); --weights FILE uses a local one."
)

_HINTS = {
    VGGISH: _GET_VGGISH,
    COMPACT: "It shipped with another version of audiosearch: `audiosearch reembed --model "
    "compact` makes the index's vectors anew with this version's.",
}
_ANOTHER_MODEL = (
    "Name its file with --model FILE.tflite, or make the index's vectors anew with a model that "
    "is here: `audiosearch reembed --model compact`."
)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Model:
    """A network on this machine, ready to load.

    Attributes
    ----------
    name : str
        "vggish", "compact", or a .tflite file's name.
    weights_digest : str
        64 hexadecimal digits; embeddings can be compared where it is the same.
    path : Path
        The LiteRT file.
    """

    name: str
    weights_digest: str
    path: Path

    @property
    def dimension(self) -> int:
        """Numbers in an embedding."""
        return EMBEDDING_SIZE

    def load(self, *, n_threads: int | None = None) -> Network:
        """Load the network, to run on so many threads; as many as there are cores, unless given."""
        from audiosearch.models.runtime import Network

        return Network(self.path, n_threads=n_threads)


@dataclass(frozen=True, slots=True)
class Request:
    """The model that was asked for.

    Attributes
    ----------
    model : str
        "vggish", "compact", the path of a .tflite file, or "auto".
    weights : str, path-like or None
        A VGGish checkpoint; ``AUDIOSEARCH_WEIGHTS`` where not given.
    progress : callable
        Told about a download or a conversion.
    """

    model: str = AUTO
    weights: StrPath | None = None
    progress: Progress = no_progress


def compact() -> Model:
    """Return the model that ships with the package."""
    from audiosearch.models.digest import file_digest

    path = Path(__file__).with_name("compact.tflite")
    return Model(COMPACT, file_digest(path), path)


def choose(
    name: str = AUTO,
    *,
    weights: StrPath | None = None,
    may_fetch: bool = False,
    progress: Progress = no_progress,
) -> Model:
    """Return the model that a name stands for, converting and fetching as it takes.

    Parameters
    ----------
    name : str
        "vggish", "compact", the path of a .tflite file, or "auto": VGGish where its weights
        are at hand or may be fetched, else compact, with a warning in the log.
    weights : Path, optional
        A VGGish checkpoint; ``AUDIOSEARCH_WEIGHTS`` where not given.
    may_fetch : bool
        Download VGGish's published checkpoint where it is not at hand.

    Raises
    ------
    UsageError
        Where ``weights`` are given for a model that takes none.
    ModelUnavailable, DownloadError, WeightsError, ModelError
        Where "vggish", or what was named, cannot be had.
    """
    if weights is not None and name not in (AUTO, VGGISH):
        raise UsageError(
            f"--weights are for vggish, not for {name}.", hint="Leave out one of the two."
        )
    if name == COMPACT:
        return compact()
    if name not in (AUTO, VGGISH):
        return _own_model(Path(name))
    model = vggish_at_hand(weights, progress)
    if model is not None:
        return model
    if may_fetch:
        try:
            return fetched_vggish(progress)
        except ModelError as exc:
            if name == VGGISH:
                raise
            _warn_of_compact(str(exc))
            return compact()
    if name == VGGISH:
        raise ModelUnavailable("VGGish's weights are not on this machine.", hint=_GET_VGGISH)
    _warn_of_compact("VGGish's weights are not on this machine.")
    return compact()


def vggish_at_hand(
    weights: StrPath | None = None, progress: Progress = no_progress
) -> Model | None:
    """Return VGGish by weights on this machine; None where there are none.

    Weights that are named, by argument or ``AUDIOSEARCH_WEIGHTS``, come before downloaded
    ones.

    Raises
    ------
    WeightsError
        Where the weights named are not a VGGish checkpoint.
    """
    named = os.environ.get("AUDIOSEARCH_WEIGHTS")
    if weights is not None:
        return _vggish(Path(weights), progress)
    if named:
        return _vggish(Path(os.path.expanduser(named)), progress)
    return downloaded_vggish(progress)


def downloaded_vggish(progress: Progress = no_progress) -> Model | None:
    """Return VGGish by the checkpoint in the cache; None where it was not fetched."""
    path = VGGISH_CHECKPOINT.path
    return _vggish(path, progress) if os.path.exists(path) else None


def resolve_for_index(name: str, weights_digest: str, request: Request) -> Model:
    """Return the model that an index was made with, or the other one that was asked for.

    Parameters
    ----------
    name, weights_digest : str
        The index's model.
    request : Request
        Where "auto" stands for the index's own.

    Raises
    ------
    ModelMismatch
        Where "vggish" is asked for and the index's model is no VGGish at all.
    ModelUnavailable, WeightsError, ModelError
        Where the model cannot be had.
    """
    wanted, weights, progress = request.model, request.weights, request.progress
    if weights is None and (wanted == AUTO or wanted == name in (VGGISH, COMPACT)):
        return by_digest(name, weights_digest, progress)
    if weights is None and wanted == VGGISH:
        raise ModelMismatch(
            f"The index was made with {describe(name, weights_digest)}, not with vggish.",
            hint="Leave out --model to use the index's own; `audiosearch reembed` changes it.",
        )
    return choose(wanted, weights=weights, progress=progress)


def fetched_vggish(progress: Progress = no_progress) -> Model:
    """Return VGGish by its published checkpoint, downloading it where need be.

    Raises
    ------
    DownloadError, WeightsError, ModelError
        Where it cannot be downloaded, read or converted.
    """
    return _vggish(VGGISH_CHECKPOINT.fetch(progress), progress)


def by_digest(name: str, weights_digest: str, progress: Progress = no_progress) -> Model:
    """Return the model with a weights_digest, as an index recorded it: the name, where not known.

    Raises
    ------
    ModelUnavailable
        Where it is not on this machine.
    """
    with contextlib.suppress(ValueError):  # a name that was given to imported vectors
        if os.path.exists(cached := model_path(weights_digest)):
            return Model(name, weights_digest, cached)
    for model in _candidates(name, progress):
        if model is not None and weights_digest in (model.weights_digest, name):
            return model
    raise ModelUnavailable(
        f"The model {describe(name, weights_digest)} is not on this machine.",
        hint=_HINTS.get(name, _ANOTHER_MODEL),
    )


def _candidates(name: str, progress: Progress) -> Iterator[Model | None]:
    if name == COMPACT:
        yield compact()
    elif name == VGGISH:
        yield vggish_at_hand(None, progress)
        yield downloaded_vggish(progress)


def status() -> dict[str, str | None]:
    """Return what is at hand and where, None for what is not; nothing is fetched or converted."""
    from audiosearch.models.cache import cache_dir

    named = os.environ.get("AUDIOSEARCH_WEIGHTS")
    checkpoint = Path(os.path.expanduser(named)) if named else VGGISH_CHECKPOINT.path
    pca = VGGISH_PCA.path
    weights_digest = _known_vggish(checkpoint)
    shipped = compact()
    return {
        "compact": str(shipped.path),
        "compact_fingerprint": shipped.weights_digest,
        "vggish": str(model_path(weights_digest)) if weights_digest else None,
        "vggish_fingerprint": weights_digest,
        "vggish_checkpoint": str(checkpoint) if os.path.exists(checkpoint) else None,
        "vggish_pca": str(pca) if pca.exists() else None,
        "cache": str(cache_dir()),
    }


def _known_vggish(checkpoint: Path) -> str | None:
    from audiosearch.models.vggish import converted_already

    try:
        return converted_already(checkpoint)
    except WeightsError:
        return None


def nominal_digest(name: str) -> str:
    """Return what stands for a model known by name only: compact's weights_digest, or the name."""
    return compact().weights_digest if name == COMPACT else name


def describe(name: str, weights_digest: str) -> str:
    """Name a model so that two of the same name can be told apart.

    Examples
    --------
    >>> describe("vggish", "de0c06254967dca2bfa704cb7f2c")
    'vggish (digest de0c06254967)'
    """
    return name if weights_digest == name else f"{name} (digest {weights_digest[:12]})"


def _vggish(checkpoint: Path, progress: Progress) -> Model:
    from audiosearch.models.vggish import converted

    weights_digest = converted(checkpoint, progress)
    return Model(VGGISH, weights_digest, model_path(weights_digest))


def _own_model(path: Path) -> Model:
    """Return a user's own LiteRT file, after copying it into the cache for later queries."""
    if path.suffix != ".tflite" or not path.is_file():
        raise WeightsError(
            f"There is no model {path}.", hint="--model takes vggish, compact, or a .tflite file."
        )
    from audiosearch.models.digest import tflite_digest

    try:
        weights_digest, is_vggish = tflite_digest(path)
    except OSError as exc:
        raise WeightsError(
            f"{path} cannot be read: {exc.strerror}.", hint="Check that you may read it."
        ) from exc
    model = Model(VGGISH if is_vggish else path.name, weights_digest, path)
    model.load().try_out()
    if not os.path.exists(model_path(weights_digest)):
        with cached_file(model_path(weights_digest)) as draft:
            shutil.copyfile(path, draft)
    return model


def _warn_of_compact(reason: str) -> None:
    log.warning(
        "%s Using the model that ships with audiosearch, `compact`, instead: it knows less about "
        "sound. Once VGGish is here (`audiosearch model fetch`), an index gets its vectors by "
        "`audiosearch reembed --model vggish`.",
        reason,
    )
