"""The table that registers the commands.

To add a command, write its function in a new file in `commands` and add one line to `COMMANDS`.
"""

from collections.abc import Callable

import typer
from typer.core import TyperCommand

from audiosearch.cli.commands.add import OptionalRayAddress, add
from audiosearch.cli.commands.bench import bench
from audiosearch.cli.commands.copy import copy
from audiosearch.cli.commands.cut import cut
from audiosearch.cli.commands.demo import demo
from audiosearch.cli.commands.doctor import doctor
from audiosearch.cli.commands.duplicates import duplicates
from audiosearch.cli.commands.embed import embed
from audiosearch.cli.commands.evaluate import evaluate
from audiosearch.cli.commands.export import export
from audiosearch.cli.commands.failures import failures
from audiosearch.cli.commands.import_vectors import import_vectors
from audiosearch.cli.commands.info import info
from audiosearch.cli.commands.list import list_tracks
from audiosearch.cli.commands.map import draw_map
from audiosearch.cli.commands.model import model_group
from audiosearch.cli.commands.optimize import optimize
from audiosearch.cli.commands.playlist import playlist
from audiosearch.cli.commands.playlists import playlists_group
from audiosearch.cli.commands.proxy import proxy
from audiosearch.cli.commands.prune import prune
from audiosearch.cli.commands.query import query
from audiosearch.cli.commands.radio import radio
from audiosearch.cli.commands.reembed import reembed
from audiosearch.cli.commands.refresh import refresh
from audiosearch.cli.commands.relocate import relocate
from audiosearch.cli.commands.remove import remove
from audiosearch.cli.commands.serve import serve
from audiosearch.cli.commands.sounds import sounds
from audiosearch.cli.commands.watch import watch

#: Commands by name, in the order in which `audiosearch --help` lists them.
COMMANDS: dict[str, Callable[..., None] | typer.Typer] = {
    "add": add,
    "watch": watch,
    "query": query,
    "cut": cut,
    "playlist": playlist,
    "playlists": playlists_group,
    "radio": radio,
    "duplicates": duplicates,
    "map": draw_map,
    "evaluate": evaluate,
    "embed": embed,
    "list": list_tracks,
    "sounds": sounds,
    "info": info,
    "remove": remove,
    "failures": failures,
    "serve": serve,
    "proxy": proxy,
    "prune": prune,
    "relocate": relocate,
    "refresh": refresh,
    "optimize": optimize,
    "reembed": reembed,
    "doctor": doctor,
    "export": export,
    "import": import_vectors,
    "copy": copy,
    "bench": bench,
    "model": model_group,
    "demo": demo,
}

#: Click classes of the commands that parse their arguments in a special way.
COMMAND_CLASSES: dict[str, type[TyperCommand]] = {"add": OptionalRayAddress}
