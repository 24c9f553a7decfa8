"""Train compact.tflite: from free audio to the file that ships.

\b
    pip install -e '.[dev]'
    apt-get install fluidsynth espeak-ng
    python -m audiosearch.training build WORK --teacher yamnet.tflite
    python -m audiosearch.training train WORK
    python -m audiosearch.training export WORK --teacher yamnet.tflite

WORK keeps every download and every result; a command that is run again continues from there.
Training needs Debian 12, 15 GB of disk space and 12 GB of memory. On two cores it takes an hour and
a half. The teacher is YAMNet as a LiteRT file.
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

Work = Annotated[Path, typer.Argument(help="Folder for downloads and results.")]
TeacherFile = Annotated[
    Path, typer.Option("--teacher", exists=True, dir_okay=False, help="YAMNet: yamnet.tflite.")
]
Beside = Annotated[
    Path | None,
    typer.Option(exists=True, dir_okay=False, help="Also score this model: FILE.tflite."),
]


@app.command()
def build(
    work: Work,
    teacher: TeacherFile,
    audio: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            help="Train on this folder, with one subfolder per class, instead of Debian's audio.",
        ),
    ] = None,
    shards: Annotated[
        int, typer.Option(min=1, help="Shards to make, of 2,048 examples each.")
    ] = 192,
) -> None:
    """Download, synthesize and decode the training audio, and run the teacher on it."""
    if audio is None:
        generate.check_programs()
        packages, synthesized = work / "packages", work / "made"
        free_audio.fetch(packages)
        generate.generate_all(packages, synthesized)
        for split in SCORED:
            free_audio.copy_by_class(packages, split, work / split.value)
        train = free_audio.labeled_files(packages, free_audio.Split.TRAIN)
        files = [*train, *free_audio.files_by_folder(synthesized)]
    else:
        files = list(free_audio.files_by_folder(audio))
    corpus.write(files, work / "corpus")
    examples.write(work / "corpus", teacher, work / "examples", n_shards=shards)


@app.command()
def train(
    work: Work,
    steps: Annotated[
        int, typer.Option(min=1, help="Training steps, of 256 examples each.")
    ] = student.Recipe().n_steps,
) -> None:
    """Train the student, and fit the projection of its values and the timbre."""
    from audiosearch.training import fitting

    audio = corpus.Corpus(work / "corpus")
    recipe = student.Recipe(n_steps=steps)
    training_examples = student.Examples.read(work / "examples")
    network = student.train(training_examples, len(audio.labels), work / "checkpoints", recipe)
    network.save_weights(work / "student.weights.h5")
    fitting.fit_on_corpus(network, audio).write(work / "mix.npz")


@app.command()
def export(
    work: Work,
    teacher: TeacherFile,
    beside: Beside = None,
    output: Annotated[
        Path,
        typer.Option(
            "-o", "--output", exists=True, help="Folder for compact.tflite and compact.md."
        ),
    ] = MODELS,
) -> None:
    """Write compact.tflite and its model card with scores."""
    from audiosearch.training import card
    from audiosearch.training.export import litert_file
    from audiosearch.training.projection import Projection

    network = student.network()
    network.load_weights(work / "student.weights.h5")
    recipe = student.read_recipe(work / "checkpoints")
    content = litert_file(network, Projection.read(work / "mix.npz"))
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder, "compact.tflite")
        draft.write_bytes(content)
        tables = [
            _table(split.value, work / split.value, draft, teacher, beside)
            for split in SCORED
            if (work / split.value).exists()
        ]
    versions = free_audio.versions(work / "packages")
    text = card.model_card(network.count_params(), recipe, versions, tables)
    with (
        atomic_path(output / "compact.tflite") as model,
        atomic_path(output / "compact.md") as model_card,
    ):
        model.write_bytes(content)
        model_card.write_text(text, encoding="utf-8")


@app.command()
def score(
    folder: Annotated[
        Path, typer.Argument(exists=True, help="Folder with one subfolder per class.")
    ],
    teacher: TeacherFile,
    beside: Beside = None,
) -> None:
    """Print how well compact, another model and the teacher separate the classes of a folder."""
    typer.echo(_table(folder.name, folder, MODELS / "compact.tflite", teacher, beside))


def _table(title: str, folder: Path, model: Path, teacher: Path, beside: Path | None) -> str:
    from audiosearch.training import card
    from audiosearch.training.score import compare

    models = {"compact": model}
    if beside is not None:
        models[beside.stem] = beside
    with tempfile.TemporaryDirectory() as cache:  # keeps copies of the models
        os.environ["AUDIOSEARCH_CACHE"] = cache
        return card.score_table(title, compare(folder, models, teacher))


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        app()
    except AudiosearchError as exc:
        sys.exit(f"error: {exc}\nhint: {exc.hint}")
