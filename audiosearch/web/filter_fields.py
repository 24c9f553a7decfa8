"""Filters as fields of a form, and as parameters of an address: ``only.genre``, ``unless.sound``."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Annotated, Any

from audiosearch.web.schemas import FilterParams

if TYPE_CHECKING:
    from collections.abc import Callable

    from audiosearch.library.filters import Filters

_GROUPS = {"only": "Allow only these tracks.", "unless": "Leave these tracks out."}


def filter_fields(kind: Callable[..., Any]) -> Callable[..., Filters]:
    """Return a FastAPI dependency that reads the fields of `FilterParams`, and returns the filters.

    Parameters
    ----------
    kind : callable
        ``fastapi.Form`` or ``fastapi.Query``.
    """

    def read_filters(**values: Any) -> Filters:
        only, unless = (
            FilterParams(**{name: values[f"{group}_{name}"] for name in FilterParams.model_fields})
            for group in _GROUPS
        )
        return only.filters(unless)

    parameters = [
        inspect.Parameter(
            f"{group}_{name}",
            inspect.Parameter.KEYWORD_ONLY,
            default=field.default,
            annotation=Annotated[
                field.rebuild_annotation(), kind(alias=f"{group}.{name}", description=description)
            ],
        )
        for group, description in _GROUPS.items()
        for name, field in FilterParams.model_fields.items()
    ]
    read_filters.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return read_filters
