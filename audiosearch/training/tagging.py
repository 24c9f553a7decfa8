"""Tagging: the sounds that are named in free recordings whose file names say what is heard.

The tagger was not fitted on these recordings. They were chosen by the names of the
files alone, not by results: animals, weather, water, voices, music, instruments and engines, where
the name leaves no doubt. A file counts if one of its first three names is right, as
``audiosearch add`` stores them.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from functools import cache
from itertools import repeat
from typing import TYPE_CHECKING

import numpy as np

from audiosearch.audio.decode import SUFFIXES
from audiosearch.embedding.running_scores import RunningScores
from audiosearch.errors import AudioError, UsageError
from audiosearch.models.litert import Signature
from audiosearch.models.log_mel import patch_stream
from audiosearch.models.signatures import SOUNDS
from audiosearch.training.free_audio import SOURCES, LabeledFile, spaced
from audiosearch.training.processes import process_pool
from audiosearch.training.score import patch_waveforms, waveform_of
from audiosearch.training.yamnet import load_yamnet

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from audiosearch.types import Float32

#: Files of a class that are used, so that no class dominates.
MAX_FILES = 25
N_NAMES = 3
#: Files of at least this many patches, or 2.9 s, have a row of their own.
LONG_PATCHES = 3
#: Errors are measured where YAMNet's score is at least this.
MIN_SCORE = 0.1

_FAUNA = "^0ad-data/.*/fauna/.*"
_STAMP = "^tuxpaint-stamps-default/.*/animals/.*/"
_LANDS = "^widelands-data/.*/"
_STAMPED_BIRDS = "blackbird|crow|cuckoo|drake|duck|gander|lark|owl|seagull|tucan"
_BIRDS = "exotic-birds|bird_twitter|forest_owl|raven_loop|birds\\d|misc_crow|canary|/Hawk"
_ACOUSTIC = "^hydrogen-drumkits/.*/(?:BJA_P|Colombo|Forzee|Millo|The Black).*"
_DRUMS = "Drum|Drum kit|Percussion"


@dataclass(frozen=True, slots=True)
class Rule:
    """A class of recordings.

    Attributes
    ----------
    label : str
    pattern : str
        Regular expression to search in a file's path, which starts with the package.
    names : str
        Names of AudioSet that are right, separated by "|".
    """

    label: str
    pattern: str
    names: str


RULES = (
    Rule(
        "cattle",
        rf"{_FAUNA}cattle|{_STAMP}(?:cow|cow_white|bull|bison)\.|{_LANDS}ox_",
        "Cattle, bovinae|Moo",
    ),
    Rule(
        "chickens",
        rf"{_FAUNA}chicken|{_STAMP}(?:hen|rooster)\.",
        "Chicken, rooster|Cluck|Crowing, cock-a-doodle-doo|Fowl",
    ),
    Rule(
        "horses", rf"{_FAUNA}horse|{_STAMP}horse\.|{_LANDS}horse_", "Horse|Neigh, whinny|Clip-clop"
    ),
    Rule(
        "sheep and goats",
        rf"{_FAUNA}(?:sheep|goat)|{_STAMP}(?:sheep|sheep_lamb|goat|ram)\.|{_LANDS}sheep_",
        "Sheep|Goat|Bleat",
    ),
    Rule("pigs", rf"{_FAUNA}pig|{_STAMP}pig\.", "Pig|Oink"),
    Rule(
        "dogs and wolves",
        rf"{_STAMP}dog\.|{_LANDS}(?:wolf|coyote)_|/Bark|wolf-growl",
        "Dog|Bark|Bow-wow|Howl|Growling|Canidae, dogs, wolves",
    ),
    Rule(
        "big cats",
        rf"{_FAUNA}lion|{_STAMP}(?:lion|tiger)\.",
        "Roaring cats (lions, tigers)|Roar|Growling",
    ),
    Rule(
        "birds",
        rf"{_STAMP}(?:{_STAMPED_BIRDS})\.|{_LANDS}(?:bird\d_|duck_)|{_BIRDS}",
        "Bird|Bird vocalization, bird call, bird song|Chirp, tweet|Fowl|Duck|Quack|Goose|Honk|Crow|"
        "Caw|Owl|Hoot|Pigeon, dove|Coo",
    ),
    Rule(
        "insects",
        rf"{_STAMP}(?:bee|hornet|mosquito|grasshopper)\.|{_LANDS}crickets",
        "Insect|Bee, wasp, etc.|Mosquito|Fly, housefly|Buzz|Cricket",
    ),
    Rule("rain", r"/rain\d*\.", "Rain|Rain on surface|Raindrop"),
    Rule("thunder", r"^(?!flare).*/thunder\d*\.|lightningbolt", "Thunder|Thunderstorm"),
    Rule(
        "rivers and waterfalls",
        r"water/river|river_loop|/waterfall|env_sounds_water",
        "Water|Stream|Waterfall|Gurgling|Trickle, dribble",
    ),
    Rule("waves", r"water/wave", "Waves, surf|Ocean"),
    Rule(
        "speech",
        r"^asterisk-core.*/(?:digits|letters|phonetic)/|^0ad-data/.*/audio/voice/(?!.*_dog_)",
        "Speech|Conversation|Narration, monologue|Speech synthesizer|Shout",
    ),
    Rule(
        "music",
        r"^(?:0ad|hyperrogue|naev|warzone2100|wesnoth-1.16-music|widelands).*/music/[^/]+$",
        "Music",
    ),
    Rule(
        "guitars",
        r"GuitarStrums/|/guit_|/guitar-",
        "Guitar|Electric guitar|Acoustic guitar|Steel guitar, slide guitar|Strum|"
        "Plucked string instrument",
    ),
    Rule(
        "violins and cellos",
        r"/music/string/(?:cello|violin)\.|/violoncello-",
        "Violin, fiddle|Cello|Bowed string instrument|String section",
    ),
    Rule(
        "drums",
        rf"{_ACOUSTIC}(?:kick|snare|tom)|/drum_(?:bass|heavy|roll|snare|tom)",
        f"{_DRUMS}|Snare drum|Bass drum|Drum roll|Rimshot",
    ),
    Rule(
        "cymbals",
        rf"{_ACOUSTIC}(?:crash|ride|hat|cymbal)|/drum_(?:cymbal|splash)|/cymbal_crash",
        f"{_DRUMS}|Cymbal|Hi-hat",
    ),
    Rule("tabla", r"/tabla_", "Tabla|Drum|Percussion"),
    Rule(
        "engines",
        r"^torcs-data/.*engine|^supertuxkart-data/.*/(?:engine_|car_)",
        "Engine|Light engine (high frequency)|Medium engine (mid frequency)|"
        "Heavy engine (low frequency)|Idling|Engine starting|Accelerating, revving, vroom|Vehicle|"
        "Car|Motor vehicle (road)|Race car, auto racing|Motorcycle",
    ),
)


@dataclass(frozen=True, slots=True)
class FileResult:
    """Names for one file by the model and by YAMNet, and the errors of the model's scores."""

    names: tuple[str, ...]
    teacher_names: tuple[str, ...]
    errors: Float32
    n_patches: int


def recordings(folder: Path) -> list[LabeledFile]:
    """Return the recordings in the packages: up to 25 of a class, evenly spaced."""
    classes: dict[str, list[LabeledFile]] = {rule.label: [] for rule in RULES}
    packages = sorted({source.package for source in SOURCES})
    for path in (path for package in packages for path in sorted((folder / package).rglob("*"))):
        name = path.relative_to(folder).as_posix()
        if path.suffix.lower() in SUFFIXES and "_desc" not in name:  # those are spoken
            for rule in RULES:
                if re.search(rule.pattern, name, re.IGNORECASE):
                    classes[rule.label].append(LabeledFile(path, rule.label, name.split("/")[0]))
                    break
    return [file for files in classes.values() for file in spaced(files, MAX_FILES)]


def tagging_table(folder: Path, model: Path, teacher: Path) -> str:
    """Return the shares of files with a right name, as a table in Markdown, and the mean error.

    Parameters
    ----------
    folder : Path
        The unpacked packages.
    model : Path
        ``compact.tflite``.
    teacher : Path
        ``yamnet.tflite``.

    Raises
    ------
    UsageError
        If there are no recordings.
    """
    files = recordings(folder)
    if not files:
        raise UsageError(f"{folder} has no recordings.", hint="Run the command `fit` first.")
    with process_pool() as processes:
        paths = [file.path for file in files]
        results = list(processes.map(_result, paths, repeat(model), repeat(teacher), chunksize=4))
    right = {rule.label: set(rule.names.split("|")) for rule in RULES}
    rows: dict[str, list[tuple[bool, bool]]] = {}
    of_long_files = []
    for file, result in zip(files, results, strict=True):
        if result is not None:
            hits = (result.names, result.teacher_names)
            ours, theirs = (not right[file.label].isdisjoint(names) for names in hits)
            rows.setdefault(file.label, []).append((ours, theirs))
            if result.n_patches >= LONG_PATCHES:
                of_long_files.append((ours, theirs))
    errors = np.concatenate([result.errors for result in results if result is not None])
    return "\n".join(_lines(rows, of_long_files, errors))


def _lines(
    rows: dict[str, list[tuple[bool, bool]]],
    of_long_files: list[tuple[bool, bool]],
    errors: Float32,
) -> Iterator[str]:
    yield "| recordings of | files | compact | YAMNet |"
    yield "|---|---|---|---|"
    for label, hits in rows.items():
        yield _row(label, len(hits), np.mean(hits, axis=0))
    whole = [hit for hits in rows.values() for hit in hits]
    yield _row("**all files**", len(whole), np.mean(whole, axis=0))
    means = [np.mean(hits, axis=0) for hits in rows.values()]
    yield _row("**mean of the classes**", len(whole), np.mean(means, axis=0))
    if of_long_files:
        shares = np.mean(of_long_files, axis=0)
        yield _row("**files of 3 s or more**", len(of_long_files), shares)
    yield ""
    yield (
        f"Scores of at least {MIN_SCORE} by YAMNet: {len(errors):,}, "
        f"mean absolute error {errors.mean():.3f}."
    )


def _row(label: str, n_files: int, shares: Sequence[float]) -> str:
    return f"| {label} | {n_files} | {' | '.join(f'{100 * share:.0f} %' for share in shares)} |"


def _result(path: Path, model: Path, teacher: Path) -> FileResult | None:
    """Return the result of one file; None if it can't be decoded."""
    yamnet = load_yamnet(teacher)
    try:
        waveform = waveform_of(path)
    except AudioError as exc:
        logging.getLogger(__name__).warning("%s", exc)
        return None
    scores = _sounds(model)(np.concatenate(list(patch_stream([waveform]))))
    teacher_scores = np.stack([yamnet(patch)[1] for patch in patch_waveforms(waveform)])
    errors = np.abs(scores - teacher_scores)[teacher_scores >= MIN_SCORE]
    return FileResult(
        _first_names(scores, yamnet.names),
        _first_names(teacher_scores, yamnet.names),
        errors,
        len(scores),
    )


def _first_names(scores: Float32, names: Sequence[str]) -> tuple[str, ...]:
    running = RunningScores()
    running.add(scores)
    return tuple(sound.name for sound in running.sounds(names)[:N_NAMES])


@cache
def _sounds(model: Path) -> Signature:
    from ai_edge_litert.interpreter import Interpreter

    return Signature(Interpreter(str(model), num_threads=1), SOUNDS)
