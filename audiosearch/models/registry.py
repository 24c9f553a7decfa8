"""Model names become models on this machine."""

from __future__ import annotations

import contextlib
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from audiosearch.errors import (
    ModelError,
    ModelMismatch,
    ModelUnavailable,
    UsageError,
    WeightsError,
)
from audiosearch.models.cache import cache_dir, model_path
from audiosearch.models.download import Progress, no_progress
from audiosearch.models.installed import (
    all_specs,
    find_spec,
    installed_models,
    requested_spec,
)
from audiosearch.models.model import AUTO_REQUEST, Model, ModelRequest
from audiosearch.models.remote_file import RemoteFile
from audiosearch.models.spec import PackagedFile
from audiosearch.models.specs import AUTO, FALLBACK, PREFERRED, SPECS, model_choices
from audiosearch.models.weights_format import copy_to_cache

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audiosearch.models.spec import ModelSpec
    from audiosearch.types import StrPath

__all__ = [
    "AUTO",
    "AUTO_REQUEST",
    "FALLBACK",
    "PREFERRED",
    "SPECS",
    "Model",
    "ModelRequest",
    "available",
    "by_digest",
    "compact",
    "describe",
    "fetch",
    "find_spec",
    "nominal_digest",
    "resolve",
    "resolve_for_index",
    "resolve_request",
    "status",
]

log = logging.getLogger(__name__)


def compact() -> Model:
    """Return the model that ships with the package."""
    return _packaged(SPECS[FALLBACK])


def resolve(
    name: str = AUTO,
    *,
    weights: StrPath | None = None,
    may_fetch: bool = False,
    progress: Progress = no_progress,
) -> Model:
    """Return the model with a name. Convert or download its weights if needed.

    Parameters
    ----------
    name : str
        Name of a model, the path of a .tflite file, or "auto": VGGish if its weights are on this
        machine or can be downloaded, else compact.
    weights : str or path-like, optional
        Local copy of the model's weights.
    may_fetch : bool
        Download the published weights if they aren't on this machine. If that fails with "auto",
        the log has a warning that says what compact is good at.
    progress : callable
        Called while a download or a conversion runs.

    Raises
    ------
    UsageError
        If ``weights`` are given for a model that takes none, or several models have this name.
    ModelUnavailable, DownloadError, WeightsError, ModelError
        If the model isn't on this machine, or can't be downloaded, read or converted.
    """
    spec = SPECS[PREFERRED] if name == AUTO else requested_spec(name)
    if weights is not None and (spec is None or spec.is_packaged):
        takers = [spec.name for spec in SPECS.values() if not spec.is_packaged]
        raise UsageError(
            f"--weights is for {' and '.join(takers)}, not for {name}.",
            hint="Leave out --weights or --model.",
        )
    if spec is None:
        return _user_model(Path(name))
    model = available(spec.name, weights, progress)
    if model is None and may_fetch:
        try:
            model = fetch(spec.name, progress)
        except ModelError as exc:
            if name != AUTO:
                raise
            _warn_of_fallback(str(exc))
    if model is not None:
        return model
    if name == AUTO:
        return compact()
    raise ModelUnavailable(
        f"{spec.title}'s weights are not on this machine.", hint=_unavailable_hint(spec.name)
    )


def available(
    name: str, weights: StrPath | None = None, progress: Progress = no_progress
) -> Model | None:
    """Return a model of the registry if its weights are on this machine, else None.

    Parameters
    ----------
    name : str
        Name of a built-in model or of a model of another package.
    weights : str or path-like, optional
        Local copy of the weights. It takes precedence over the model's environment variable,
        which takes precedence over downloaded weights.
    progress : callable
        Called while a conversion runs.

    Raises
    ------
    WeightsError, ModelError
        If the weights that ``weights`` or the variable names can't be read or converted.
    """
    spec = _spec(name)
    if spec.is_packaged:
        return _packaged(spec, progress)
    named = _local_weights(spec, weights)
    return _downloaded(spec, progress) if named is None else _installed(spec, named, progress)


def fetch(name: str, progress: Progress = no_progress) -> Model:
    """Return a model of the registry with its published weights. Download them if needed.

    Raises
    ------
    DownloadError, WeightsError, ModelError
        If they can't be downloaded, read or converted.
    """
    spec = _spec(name)
    if isinstance(spec.weights, PackagedFile):
        return _packaged(spec, progress)
    return _installed(spec, spec.weights.fetch(progress), progress)


def resolve_for_index(name: str, weights_digest: str, request: ModelRequest) -> Model:
    """Return an index's model, or the model that the user asks for instead.

    Parameters
    ----------
    name, weights_digest : str
        The index's model.
    request : ModelRequest
        "auto" means the index's model.

    Raises
    ------
    ModelMismatch
        If the user asks for a downloaded model by name, and the index has another one.
    ModelUnavailable, WeightsError, ModelError
        If the model isn't on this machine, or can't be read or converted.
    MissingExtra, UsageError
        If the runtime that the user asks for can't run it.
    """
    if request.weights is None:
        requested = None if request.model == AUTO else requested_spec(request.model)
        if request.model == AUTO or (requested and requested.name == name):
            model = by_digest(name, weights_digest, request.progress)
            return model.on(request.runtime)
        if requested and not requested.is_packaged:
            raise ModelMismatch(
                f"The index was made with {describe(name, weights_digest)}, "
                f"not with {requested.name}.",
                hint="Leave out --model to use the index's model, or run `audiosearch reembed` to "
                "change it.",
            )
    return resolve_request(request)


def resolve_request(request: ModelRequest, *, may_fetch: bool = False) -> Model:
    """Return the model that the user asks for, ready to run as asked.

    Parameters
    ----------
    request : ModelRequest
    may_fetch : bool
        See `resolve`.

    Raises
    ------
    UsageError, ModelUnavailable, DownloadError, WeightsError, ModelError
        See `resolve`.
    MissingExtra, UsageError
        If the runtime that the user asks for can't run it.
    """
    model = resolve(
        request.model, weights=request.weights, may_fetch=may_fetch, progress=request.progress
    )
    return model.on(request.runtime)


def by_digest(name: str, weights_digest: str, progress: Progress = no_progress) -> Model:
    """Return the model that an index records.

    Parameters
    ----------
    name : str
    weights_digest : str
        Digest of the model's weights. It is the name if imported vectors came without a digest.
    progress : callable
        Called while a conversion runs.

    Raises
    ------
    ModelUnavailable
        If it isn't on this machine.
    WeightsError, ModelError
        If weights that an environment variable names can't be read or converted.
    """
    with contextlib.suppress(ValueError):  # the digest of imported vectors may be a name
        if os.path.exists(cached := model_path(weights_digest)):
            return Model(name, weights_digest, cached)
    for model in _candidates(name, progress):
        if model is not None and weights_digest in (model.weights_digest, name):
            return model
    raise ModelUnavailable(
        f"The model {describe(name, weights_digest)} is not on this machine.",
        hint=_unavailable_hint(name),
    )


def status() -> dict[str, str | None]:
    """Return which models are on this machine. Nothing is downloaded or converted.

    Returns
    -------
    dict of str to str or None
        Paths and weights digests; None for files that aren't on this machine.
    """
    facts: dict[str, str | None] = {}
    packages = {model.spec.name: model.package for model in installed_models()}
    for name, spec in sorted(all_specs().items()):
        if name not in SPECS:
            facts[f"{name}_package"] = packages[name]
        if isinstance(spec.weights, PackagedFile):
            path = spec.weights.path
            facts[name] = str(path) if os.path.exists(path) else None
            facts[f"{name}_fingerprint"] = (
                _packaged(spec).weights_digest if name in SPECS else _installed_digest(spec, path)
            )
            continue
        file = _local_weights(spec) or spec.weights.path
        weights_digest = _installed_digest(spec, file)
        facts[name] = str(model_path(weights_digest)) if weights_digest else None
        facts[f"{name}_fingerprint"] = weights_digest
        facts[f"{name}_{spec.weights_format.label}"] = str(file) if os.path.exists(file) else None
        if spec.pca is not None:
            facts[f"{name}_pca"] = str(spec.pca.path) if os.path.exists(spec.pca.path) else None
    return facts | {"cache": str(cache_dir())}


def nominal_digest(name: str) -> str:
    """Return the digest to record for a model that is known only by name.

    It is the digest of a packaged model, and the name for any other model.
    """
    spec = find_spec(name)
    return _packaged(spec).weights_digest if spec and spec.is_packaged else name


def describe(name: str, weights_digest: str) -> str:
    """Return a model's name and the start of its digest, to tell apart models with the same name.

    Examples
    --------
    >>> describe("vggish", "de0c06254967dca2bfa704cb7f2c")
    'vggish (digest de0c06254967)'
    """
    return name if weights_digest == name else f"{name} (digest {weights_digest[:12]})"


def _candidates(name: str, progress: Progress) -> Iterator[Model | None]:
    """Yield the models on this machine that a name may mean."""
    spec = find_spec(name)
    if spec is not None:
        yield available(name, None, progress)
        if not spec.is_packaged:
            yield _downloaded(spec, progress)


def _spec(name: str) -> ModelSpec:
    spec = find_spec(name)
    if spec is None:
        raise KeyError(name)
    return spec


def _packaged(spec: ModelSpec, progress: Progress = no_progress) -> Model:
    """Return a model whose file ships with a package. A file of another package is checked."""
    from audiosearch.models.digest import embeddings_digest

    path = spec.weights.path
    if spec.name not in SPECS:
        return _installed(spec, path, progress)
    return Model(spec.name, embeddings_digest(path), path)


def _local_weights(spec: ModelSpec, weights: StrPath | None = None) -> Path | None:
    """Return the path of local weights, from an argument or else the model's variable."""
    if weights is not None:
        return Path(weights)
    named = os.environ.get(spec.weights_variable) if spec.weights_variable else None
    return Path(os.path.expanduser(named)) if named else None


def _downloaded(spec: ModelSpec, progress: Progress) -> Model | None:
    path = spec.weights.path
    return _installed(spec, path, progress) if os.path.exists(path) else None


def _installed(spec: ModelSpec, weights: Path, progress: Progress) -> Model:
    weights_digest = spec.weights_format.install(
        weights, dimension=spec.dimension, progress=progress
    )
    return Model(spec.name, weights_digest, model_path(weights_digest))


def _installed_digest(spec: ModelSpec, weights: Path) -> str | None:
    try:
        return spec.weights_format.installed_digest(weights)
    except WeightsError:
        return None


def _user_model(path: Path) -> Model:
    """Return the model in a user's own LiteRT file, and keep a copy for later queries."""
    if path.suffix != ".tflite" or not os.path.isfile(path):
        raise WeightsError(
            f"There is no model {path}.", hint=f"--model takes {model_choices(all_specs())}."
        )
    weights_digest, is_vggish, _ = copy_to_cache(path)
    return Model(PREFERRED if is_vggish else path.name, weights_digest, path)


def _warn_of_fallback(reason: str) -> None:
    log.warning(
        "%s Using `%s` instead, the smaller model in this package. %s To change to %s later: "
        "`audiosearch model fetch`, then `audiosearch reembed --model %s`.",
        reason,
        FALLBACK,
        SPECS[FALLBACK].strengths,
        SPECS[PREFERRED].title,
        PREFERRED,
    )


def _unavailable_hint(name: str) -> str:
    spec = find_spec(name)
    if spec is None:
        return (
            "Install the package that brings it, name its file with --model FILE.tflite, or embed "
            "the index's files again with a model on this machine: `audiosearch reembed --model "
            f"{FALLBACK}`."
        )
    if isinstance(spec.weights, RemoteFile):
        return (
            f"`audiosearch model fetch {name}` downloads {spec.weights.label}; "
            f"{spec.weights.option} uses a local one."
        )
    package = "audiosearch" if name in SPECS else "its package"
    return (
        f"It shipped with another version of {package}. "
        f"`audiosearch reembed --model {name}` embeds the index's files with this version's."
    )
