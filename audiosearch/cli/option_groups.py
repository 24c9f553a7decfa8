"""Groups of options: a command receives the options of a group as one parameter.

A group is a function or a class whose parameters are options::

    @dataclass
    class Size:
        width: Width = 10
        height: Height = 10

    def draw(*, size: Annotated[Size, OptionGroup(Size)]) -> None: ...

The command ``draw`` has the options --width and --height, and receives a ``Size`` made of them.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any


class OptionGroup:
    """Options whose values are combined to one value.

    Parameters
    ----------
    combine : callable
        Called with the values of the options by name.
    options : sequence of inspect.Parameter, optional
        The options, as parameters annotated for Typer. Default: the parameters of ``combine``.
    """

    def __init__(
        self, combine: Callable[..., Any], options: Sequence[inspect.Parameter] | None = None
    ) -> None:
        if options is None:
            options = tuple(inspect.signature(combine, eval_str=True).parameters.values())
        self.combine = combine
        self.options = options


def with_groups(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command that has the options of its groups, in the place of each group."""
    signature = inspect.signature(command, eval_str=True)
    groups = {p.name: group for p in signature.parameters.values() if (group := _group(p))}
    if not groups:
        return command
    options = [
        option.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for p in signature.parameters.values()
        for option in (groups[p.name].options if p.name in groups else (p,))
    ]

    @functools.wraps(command)
    def with_combined_options(**values: Any) -> None:
        combined = {
            name: group.combine(
                **{option.name: values.pop(option.name) for option in group.options}
            )
            for name, group in groups.items()
        }
        command(**values, **combined)

    with_combined_options.__signature__ = signature.replace(parameters=options)  # type: ignore[attr-defined]
    with_combined_options.__annotations__ = {p.name: p.annotation for p in options}
    return with_combined_options


def _group(parameter: inspect.Parameter) -> OptionGroup | None:
    metadata = getattr(parameter.annotation, "__metadata__", ())
    return next((data for data in metadata if isinstance(data, OptionGroup)), None)
