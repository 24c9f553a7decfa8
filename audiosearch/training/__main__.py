"""Make compact.tflite: from YAMNet and free audio to the file that ships.

\b
    pip install -e '.[dev]'
    python -m audiosearch.training fit WORK --teacher yamnet.tflite
    python -m audiosearch.training export WORK --teacher yamnet.tflite

WORK keeps every download and every result; a command that is run again continues from there.
This needs Debian 12 and 10 GB of disk space. On two cores it takes half an hour, most of it for
downloads. The teacher is YAMNet as a LiteRT file.
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
from audiosearch.training import free_audio

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None, help=__doc__)

MODELS = Path(__file__).parent.parent / "models"
SCORED = [split for split in free_audio.Split if split is not free_audio.Split.TRAIN]

Work = Annotated[Path, typer.Argument(help="Folder for downloads and results.")]
TeacherFile = Annotated[
    Path, typer.Option("--teacher", exists=True, dir_okay=False, help="YAMNet: yamnet.tflite.")
]
Beside = Annotated[
    Path | None,
    typer.Option(exists=True, dir_okay=False, help="Also score this model: FILE.tflite."),
]


@app.command()
def fit(
    work: Work,
    teacher: TeacherFile,
    audio: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            help="Fit on this folder, with one subfolder per class, instead of Debian's audio.",
        ),
    ] = None,
) -> None:
    """Download the audio, run YAMNet's layers on it, and fit the projection of their values."""
    from audiosearch.training import fitting

    if audio is None:
        packages = work / "packages"
        free_audio.fetch(packages)
        for split in SCORED:
            free_audio.copy_by_class(packages, split, work / split.value)
        files = list(free_audio.labeled_files(packages, free_audio.Split.TRAIN))
    else:
        work.mkdir(parents=True, exist_ok=True)
        files = list(free_audio.files_by_folder(audio))
    fitting.fit_on_files(files, teacher, work / "averages.npz").write(work / "projection.npz")
    fitting.write_patches(files, work / "patches.npy")


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
    import numpy as np

    from audiosearch.training import card
    from audiosearch.training.export import litert_file
    from audiosearch.training.network import Network
    from audiosearch.training.projection import Projection
    from audiosearch.training.tagging import tagging_table
    from audiosearch.training.yamnet import Yamnet

    yamnet = Yamnet(teacher)
    content = litert_file(
        Network(yamnet.layers()),
        Projection.read(work / "projection.npz"),
        yamnet.names,
        np.load(work / "patches.npy"),
    )
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder, "compact.tflite")
        draft.write_bytes(content)
        tables = [
            _table(split.value, work / split.value, draft, teacher, beside)
            for split in SCORED
            if (work / split.value).exists()
        ]
        packages = work / "packages"
        sounds = tagging_table(packages, draft, teacher) if packages.exists() else ""
    text = card.model_card(free_audio.versions(packages), tables, sounds)
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


@app.command()
def tags(work: Work, teacher: TeacherFile) -> None:
    """Print how often the names of sounds are right, by class, with the share of YAMNet."""
    from audiosearch.training.tagging import tagging_table

    typer.echo(tagging_table(work / "packages", MODELS / "compact.tflite", teacher))


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
