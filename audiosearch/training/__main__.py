"""How compact.tflite is made, from free audio to the file that ships.

\b
    pip install -e '.[dev]'
    apt-get install fluidsynth espeak-ng
    python -m audiosearch.training build WORK --teacher yamnet.tflite
    python -m audiosearch.training train WORK
    python -m audiosearch.training export WORK --teacher yamnet.tflite

What was fetched, made or learnt stays in WORK, and is gone on from. It takes Debian 12, 15 GB of
disk, 12 GB of memory and, on two cores, an hour and a half. The teacher is YAMNet, as LiteRT.
"""  # noqa: D301

from __future__ import annotations

import logging
import os
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from audiosearch.atomic import atomic_path
from audiosearch.errors import AudiosearchError
from audiosearch.training import corpus, examples, free_audio, generate, student

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None, help=__doc__)

MODELS = Path(__file__).parent.parent / "models"
SCORED = (free_audio.Split.TEST, free_audio.Split.VALIDATION)

Work = Annotated[Path, typer.Argument(help="Folder for all that is made on the way.")]
TeacherFile = Annotated[
    Path, typer.Option("--teacher", exists=True, dir_okay=False, help="yamnet.tflite.")
]
Beside = Annotated[
    Path | None,
    typer.Option(exists=True, dir_okay=False, help="Another model to compare with: FILE.tflite."),
]


@app.command()
def build(
    work: Work,
    teacher: TeacherFile,
    audio: Annotated[
        Path | None,
        typer.Option(
            exists=True, help="Learn from this folder of a folder a class, not from Debian's audio."
        ),
    ] = None,
    shards: Annotated[int, typer.Option(min=1, help="How many times 4,096 examples to make.")] = 96,
) -> None:
    """Fetch, make and decode the training audio, and have the teacher listen to it."""
    if audio is None:
        generate.check_programs()
        packages, made = work / "packages", work / "made"
        free_audio.fetch(packages)
        generate.everything(packages, made)
        for split in SCORED:
            free_audio.arrange(packages, split, work / split.value)
        train = free_audio.labelled(packages, free_audio.Split.TRAIN)
        files = [*train, *free_audio.own(made)]
    else:
        files = list(free_audio.own(audio))
    corpus.write(files, work / "corpus")
    examples.write(work / "corpus", teacher, work / "examples", n_shards=shards)


@app.command()
def train(
    work: Work,
    steps: Annotated[
        int, typer.Option(min=1, help="How many batches of 256 examples.")
    ] = student.Recipe().n_steps,
) -> None:
    """Train the student, and fit the mix of what it says with the sound's colour."""
    from audiosearch.training import fitting

    audio = corpus.Corpus(work / "corpus")
    recipe = student.Recipe(n_steps=steps)
    learnt = student.Examples.read(work / "examples")
    network = student.train(learnt, len(audio.labels), work / "checkpoints", recipe)
    network.save_weights(work / "student.weights.h5")
    fitting.fitted_mix(network, audio).write(work / "mix.npz")


@app.command()
def export(
    work: Work,
    teacher: TeacherFile,
    beside: Beside = None,
    output: Annotated[
        Path,
        typer.Option("-o", "--output", exists=True, help="Folder for compact.tflite, compact.md."),
    ] = MODELS,
) -> None:
    """Write compact.tflite and its model card, with its scores."""
    from audiosearch.training import card
    from audiosearch.training.export import litert
    from audiosearch.training.mix import Projection

    network = student.network()
    network.load_weights(work / "student.weights.h5")
    recipe = student.recipe_of(work / "checkpoints")
    content = litert(network, Projection.read(work / "mix.npz"))
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder, "compact.tflite")
        draft.write_bytes(content)
        tables = [
            _table(split.value, work / split.value, draft, teacher, beside)
            for split in SCORED
            if (work / split.value).exists()
        ]
    versions = free_audio.versions(work / "packages")
    text = card.text(network.count_params(), recipe, versions, tables)
    with (
        atomic_path(output / "compact.tflite") as model,
        atomic_path(output / "compact.md") as written,
    ):
        model.write_bytes(content)
        written.write_text(text, encoding="utf-8")


@app.command()
def score(
    folder: Annotated[Path, typer.Argument(exists=True, help="Folder of a folder a class.")],
    teacher: TeacherFile,
    beside: Beside = None,
) -> None:
    """Print how well classes are told apart by compact, by another model, and by the teacher."""
    typer.echo(_table(folder.name, folder, MODELS / "compact.tflite", teacher, beside))


def _table(title: str, folder: Path, model: Path, teacher: Path, beside: Path | None) -> str:
    from audiosearch.training import card
    from audiosearch.training.score import compare

    models = {"compact": model}
    if beside is not None:
        models[beside.stem] = beside
    with tempfile.TemporaryDirectory() as cache:  # which keeps models that are named by file
        os.environ["AUDIOSEARCH_CACHE"] = cache
        return card.table(title, compare(folder, models, teacher))


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        app()
    except AudiosearchError as exc:
        sys.exit(f"error: {exc}\nhint: {exc.hint}")
