"""How compact.tflite is made, from free audio to the file that ships.

Usage::

    pip install -e '.[dev]'
    apt-get install fluidsynth espeak-ng
    python -m audiosearch.training build WORK --teacher yamnet.tflite
    python -m audiosearch.training train WORK
    python -m audiosearch.training export WORK --teacher yamnet.tflite
    python -m audiosearch.training score FOLDER --teacher yamnet.tflite

Each goes on where it was stopped.
"""

from __future__ import annotations

import json
import logging
import os
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Annotated

import typer

from audiosearch.training import corpus, examples, free_audio, generate, student

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None, help=__doc__)

MODELS = Path(__file__).parent.parent / "models"

Work = Annotated[Path, typer.Argument(help="Folder for all that is made on the way: 9 GB.")]
TeacherFile = Annotated[Path, typer.Option("--teacher", help="yamnet.tflite.")]


@app.command()
def build(
    work: Work,
    teacher: TeacherFile,
    audio: Annotated[
        Path | None,
        typer.Option(help="Learn from this folder of a folder a class, not from Debian's audio."),
    ] = None,
    shards: Annotated[int, typer.Option(help="How many times 4,096 examples to make.")] = 96,
) -> None:
    """Fetch, make and decode the training audio, and have the teacher listen to it."""
    if audio is None:
        packages, made = work / "packages", work / "made"
        free_audio.fetch(packages)
        generate.everything(packages, made)
        for split in (free_audio.Split.VALIDATION, free_audio.Split.TEST):
            free_audio.arrange(packages, split, work / split.value)
        files = chain(free_audio.labelled(packages, free_audio.Split.TRAIN), free_audio.own(made))
    else:
        files = chain(free_audio.own(audio))
    corpus.write(files, work / "corpus")
    examples.write(work / "corpus", teacher, work / "examples", n_shards=shards)


@app.command()
def train(
    work: Work,
    steps: Annotated[
        int, typer.Option(help="How many batches of 256 examples.")
    ] = student.Recipe().n_steps,
) -> None:
    """Train the student, and fit the mix of what it says with the sound's colour."""
    from audiosearch.training import files

    audio = corpus.Corpus(work / "corpus")
    recipe = student.Recipe(n_steps=steps)
    network = student.train(
        student.Examples.read(work / "examples"), len(audio.labels), work / "checkpoints", recipe
    )
    network.save_weights(work / "student.weights.h5")
    (work / "recipe.json").write_text(json.dumps(asdict(recipe)))
    files.fitted_mix(network, audio).write(work / "mix.npz")


@app.command()
def export(
    work: Work,
    teacher: TeacherFile,
    first: Annotated[
        Path | None, typer.Option(help="Another model to compare with: the first version.")
    ] = None,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Folder for compact.tflite and compact.md.")
    ] = MODELS,
) -> None:
    """Write compact.tflite and its model card, with its scores."""
    from audiosearch.training import card
    from audiosearch.training.export import litert
    from audiosearch.training.mix import Mix

    network = student.network()
    network.load_weights(work / "student.weights.h5")
    model = output / "compact.tflite"
    model.write_bytes(litert(network, Mix.read(work / "mix.npz")))
    tables = [
        card.table(work / split.value, model, teacher, first)
        for split in (free_audio.Split.TEST, free_audio.Split.VALIDATION)
        if (work / split.value).exists()
    ]
    recipe = student.Recipe(**json.loads((work / "recipe.json").read_text()))
    card_text = card.text(network.count_params(), recipe, tables)
    (output / "compact.md").write_text(card_text, encoding="utf-8")


@app.command()
def score(
    folder: Annotated[Path, typer.Argument(help="Folder of a folder a class.")],
    teacher: TeacherFile,
    model: Annotated[str, typer.Option(help="vggish, compact, or a .tflite file.")] = "compact",
    first: Annotated[Path | None, typer.Option(help="Another model to compare with.")] = None,
) -> None:
    """Print how well classes are told apart, by a model and by the teacher."""
    from audiosearch.training import card

    typer.echo(card.table(folder, model, teacher, first))


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    app()
