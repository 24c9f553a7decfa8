"""Mistakes in command lines: contradicting options, and names that are nearly right."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from audiosearch import system
from audiosearch.cli.output import Format
from audiosearch.cli.streams import escaped_on_terminals
from audiosearch.errors import UsageError

_MAX_SUGGESTIONS = 3

# Pairs of parameters that contradict each other if both are given, and the value of the second
# one that doesn't.
_CONTRADICTIONS: dict[tuple[str, str], Any] = {
    ("null", "output"): Format.PATHS,
    ("per_patch", "pooling"): None,
    ("per_patch", "normalize"): False,
    ("n_tracks", "length"): None,
}

# Types of numbers in errors, by the first word of their names.
_NUMBERS = {"int": "a whole number", "float": "a number"}


class CheckedCommand(TyperCommand):
    """Command that refuses contradicting options, and escapes what it prints on a terminal."""

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        """Run the command."""
        with escaped_on_terminals():
            return super().invoke(ctx)

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        """Parse the command line.

        Raises
        ------
        UsageError
            If two options contradict each other, or one needs another.
        """
        rest = super().parse_args(ctx, args)
        for param in self.params:
            name = param.name or ""
            if param.param_type_name == "argument" and param.nargs == -1 and ctx.params[name]:
                ctx.params[name] = system.matching_files(ctx.params[name])
        given = {p.name: p.opts[0] for p in self.params if is_given(ctx, p.name or "")}
        for (name, other), harmless in _CONTRADICTIONS.items():
            if {name, other} <= given.keys() and ctx.params[other] != harmless:
                raise UsageError(
                    f"{given[name]} can't be combined with this {given[other]}.",
                    hint="Leave out one of them.",
                )
        if "csv_safe" in given and Format.CSV not in (
            ctx.params.get("output"),
            ctx.params.get("style"),
        ):
            raise UsageError(
                "--csv-safe only changes --format csv.",
                hint="Add --format csv, or leave out --csv-safe.",
            )
        return rest


def is_given(ctx: typer.Context, name: str) -> bool:
    """Return whether an option is in the command line, with a value other than False."""
    source = ctx.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE" and ctx.params.get(name) is not False


class SuggestingGroup(TyperGroup):
    """Command group that suggests the commands whose names are near an unknown one."""

    def resolve_command(self, ctx: typer.Context, args: list[str]) -> Any:  # type: ignore[override]
        """Return the name of the command, the command, and its arguments."""
        try:
            return super().resolve_command(ctx, args)
        except typer.TyperException as exc:
            exc.message = exc.message.rstrip(".") + suggestion(args[0], self.commands)
            raise


def command_group(text: str) -> typer.Typer:
    """Return a command group with a help text, to which commands can be added."""
    # `SuggestingGroup` suggests commands.
    group = typer.Typer(cls=SuggestingGroup, help=text, suggest_commands=False)
    group.callback(invoke_without_command=True)(help_without_command)
    return group


def help_without_command(context: typer.Context) -> None:
    """Print a group's help if no command of it was given."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def usage_message(error: Any, args: Sequence[str]) -> str:
    """Return the message of an error in the command line, with a suggestion for unknown options.

    Parameters
    ----------
    error : TyperException
    args : sequence of str
        The command line. Of a long option with a single dash, the error only has one letter.
    """
    if not hasattr(error, "possibilities"):
        _describe_number(error)
        return " ".join(str(error.format_message()).split())
    name = error.option_name
    if not name.startswith("--"):
        name = next((arg for arg in args if arg.startswith(name)), name)
    name = name.partition("=")[0]
    params = error.ctx.command.params
    names = [option for param in params for option in param.opts + param.secondary_opts]
    return f"No such option: {name}{suggestion(name, names)}"


def _describe_number(error: Any) -> None:
    """Say in an error which numbers an option takes, if it takes numbers and got something else."""
    number = getattr(getattr(error, "param", None), "type", None)
    kind = getattr(number, "name", "").partition(" ")[0]
    value, is_not, _ = error.message.rpartition(" is not ")
    if is_not and kind in _NUMBERS:
        error.message = f"{value}{is_not}{_NUMBERS[kind]}{_range_words(number)}."


def _range_words(number: Any) -> str:
    """Return the range of a type of numbers in words that follow the noun; empty without one."""
    low, high = (
        None if bound is None else f"{bound:,.15g}"
        for bound in (getattr(number, "min", None), getattr(number, "max", None))
    )
    if low is None:
        return "" if high is None else f" of at most {high}"
    return f" of at least {low}" if high is None else f" from {low} to {high}"


def suggestion(name: str, names: Iterable[str]) -> str:
    """Return ". Did you mean ...?" with the names that begin like a name or are near it, or "."."""

    def plain(text: str) -> str:
        return text.lstrip("-").lower()

    by_plain_name = {plain(other): other for other in names}
    typed = plain(name)
    near = [other for other in by_plain_name if len(typed) > 1 and other.startswith(typed)]
    near = near or get_close_matches(typed, by_plain_name, n=_MAX_SUGGESTIONS)
    if not near:
        return "."
    return f". Did you mean {' or '.join(by_plain_name[other] for other in near)}?"
