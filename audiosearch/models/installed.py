"""Models of other packages, which they offer by an entry point of the group ``audiosearch.models``.

Entry points are only looked up when a name is needed that isn't in `SPECS`: importing packages of
others would slow down every command.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Set as AbstractSet
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from audiosearch import defaults
from audiosearch.errors import UsageError
from audiosearch.models.front_end import FRONT_END_VERSION
from audiosearch.models.remote_file import RemoteFile, is_sha512
from audiosearch.models.spec import ModelSpec, PackagedFile
from audiosearch.models.specs import AUTO, SPECS
from audiosearch.models.weights_format import WeightsFormat

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from importlib.metadata import EntryPoint

log = logging.getLogger(__name__)

GROUP: Final = "audiosearch.models"

_TYPES: Final = {
    "name": str,
    "title": str,
    "dimension": int,
    "weights": (PackagedFile, RemoteFile),
    "weights_format": WeightsFormat,
    "abilities": AbstractSet,
    "strengths": str,
}
_REMOTE_TYPES: Final = {
    **dict.fromkeys(
        ("key", "title", "published_url", "published_sha512", "option", "license"), str
    ),
    "size_mb": (int, float),
}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


class InstalledModel(NamedTuple):
    """A model of another package.

    Attributes
    ----------
    package : str
        Name of the package.
    spec : ModelSpec
    """

    package: str
    spec: ModelSpec


def find_spec(name: str) -> ModelSpec | None:
    """Return the model with a name: a built-in one, or else one of an installed package.

    Raises
    ------
    UsageError
        If several packages bring a model with this name.
    """
    if name in SPECS or not _is_name(name):
        return SPECS.get(name)
    models = [model for model in installed_models() if model.spec.name == name]
    if len(models) > 1:
        raise _same_name(name, models)
    return models[0].spec if models else None


def requested_spec(name: str) -> ModelSpec | None:
    """Return the model that a user asks for by name; None if there is none.

    Raises
    ------
    UsageError
        If several packages bring a model with this name, or one with the name of a built-in model.
    """
    if name in SPECS:
        models = [model for model in installed_models() if model.spec.name == name]
        if models:
            raise _same_name(name, models)
    return find_spec(name)


def all_specs() -> dict[str, ModelSpec]:
    """Return the built-in models and those of installed packages, by name.

    Models with the same name are left out, except built-in ones.
    """
    models = installed_models()
    names = [model.spec.name for model in models]
    others = {model.spec.name: model.spec for model in models if names.count(model.spec.name) == 1}
    return SPECS | {name: spec for name, spec in others.items() if name not in SPECS}


@cache
def installed_models() -> tuple[InstalledModel, ...]:
    """Return the models of installed packages.

    If a package's entry point can't be loaded, the log has a warning.
    """
    from importlib.metadata import entry_points

    models: list[InstalledModel] = []
    for entry_point in entry_points(group=GROUP):
        package = entry_point.dist.name if entry_point.dist else entry_point.module
        try:
            models += [InstalledModel(package, spec) for spec in _specs(entry_point)]
        except (Exception, SystemExit) as exc:  # noqa: BLE001  (any code may run)
            reason = " ".join(str(exc).split()) or type(exc).__name__
            log.warning(
                "The models of the package %s can't be used: %s. Update or uninstall it.",
                package,
                reason.rstrip("."),
            )
    return tuple(models)


def _specs(entry_point: EntryPoint) -> Iterator[ModelSpec]:
    value = entry_point.load()
    if callable(value) and not isinstance(value, ModelSpec):
        value = value()
    specs = [value] if isinstance(value, ModelSpec) else list(value)
    for spec in specs:
        _check(spec)
    yield from specs


def _check(spec: Any) -> None:
    """Check the fields of a model of another package.

    Raises
    ------
    TypeError, ValueError
        If the model can't be used. The message is a phrase.
    """
    if not isinstance(spec, ModelSpec):
        message = "it brings something that is not a ModelSpec"
        raise TypeError(message)
    _check_types(spec, _TYPES)
    if isinstance(spec.weights, PackagedFile):
        _check_types(spec.weights, {"name": str, "license": str, "folder": Path})
    else:
        _check_types(spec.weights, _REMOTE_TYPES)
        if not is_sha512(spec.weights.published_sha512):
            message = f"{spec.weights.published_sha512!r} is not a SHA-512 digest"
            raise ValueError(message)
    if not _is_name(spec.name):
        message = f"{spec.name!r} can't be the name of a model"
        raise ValueError(message)
    if spec.dimension not in range(defaults.MIN_DIMENSION, defaults.MAX_DIMENSION + 1):
        message = f"{spec.name} has {spec.dimension} dimensions"
        raise ValueError(message)
    if spec.front_end != FRONT_END_VERSION:
        message = f"{spec.name} needs the front end {spec.front_end}, not {FRONT_END_VERSION}"
        raise ValueError(message)


def _check_types(values: Any, types: Mapping[str, Any]) -> None:
    for field, type_ in types.items():
        value = getattr(values, field)
        if not isinstance(value, type_) or isinstance(value, (bool, type)):
            message = f"{field} can't be {value!r} in a {type(values).__name__}"
            raise TypeError(message)


def _is_name(text: str) -> bool:
    """Return whether a text can be the name of a model of a package, and not a file."""
    return bool(_NAME.fullmatch(text)) and text != AUTO and not text.endswith(".tflite")


def _same_name(name: str, models: list[InstalledModel]) -> UsageError:
    packages = sorted({model.package for model in models})
    if name in SPECS:
        return UsageError(
            f"The package {packages[0]} brings a model with the name {name}, which is the name "
            "of a built-in model.",
            hint=f"Uninstall it with `pip uninstall {packages[0]}`, or ask its author for another "
            "name.",
        )
    return UsageError(
        f"Several models have the name {name}, from {' and '.join(packages)}.",
        hint=f"Uninstall all but one of them, for example with `pip uninstall {packages[-1]}`.",
    )
