"""The model card that is shipped beside compact.tflite, written by what made it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audiosearch.training import score, student
from audiosearch.training.free_audio import GENERATED, SOURCES, Split

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from audiosearch.evaluate import Evaluation

_TEXT = """\
# compact

The model that ships with audiosearch: log-mel patches of 0.96 s (96 frames x 64 bands, VGGish's
own input) to 128 values a file. It is not VGGish, and was not trained on AudioSet.

## What it is

- `serving_default`: (n, 96, 64) to (n, {n_values}): a student of depthwise-separable convolutions
  ({n_parameters:,} parameters, in half precision) gives {meaning} values that say what is heard and
  {identity} that tell its classes apart; beside them, the means of 42 cepstral coefficients, of
  their squares and of their differences' squares.
- `pooled`: averages of those over a file to its 128 values. The squares make means and deviations
  over the file exact. The three parts, each of length 1, are projected to the directions in which
  classes of the training audio differ more than they vary within.

## How it was made

The teacher is YAMNet (Apache-2.0; int8, 1,024 values), which was trained on AudioSet's sounds; the
student learns its embeddings' first 128 principal components, by distance, angle, and the
similarities within a batch, and to name the clip's class ({n_steps:,} steps of {batch_size}
examples). Examples are a patch each, drawn evenly from speech, music, instruments and effects: detuned, mixed,
filtered, in rooms and noise, at levels from -36 to 0 dB. `python -m audiosearch.training --help`
makes it anew from this audio and the teacher.

| package | used to | what for | licence of its audio |
|---|---|---|---|
{sources}

The audio is Debian's, or made by Debian's programs, and none of it is in the package.

## How good it is

Each file of a class is asked for, leaving it out, among all files: the share of nearest neighbours
of its class (P@1) and the mean average precision (mAP), each averaged over classes. Files of a
package were used for one of learning, choosing and scoring. A table is made anew by
`python -m audiosearch.training score FOLDER --teacher yamnet.tflite --first FILE`; its row for
compact by `audiosearch add FOLDER --model compact` and `audiosearch evaluate --by folder`.

{tables}

## What it is not

It heard synthesised speech and numbers read aloud more than conversations, game music more than
records, and single notes more than bands. It was never compared with VGGish's published weights.
It is no classifier: it has no names for what it hears. Voices of one language and microphone are
near each other whoever speaks.
"""


def text(n_parameters: int, recipe: student.Recipe, tables: Sequence[str]) -> str:
    """Return the model card.

    Parameters
    ----------
    n_parameters : int
        The student's.
    recipe : Recipe
        By which it learnt.
    tables : sequence of str
        Of scores, as `table` makes them.
    """
    from audiosearch.training.mix import N_VALUES

    rows = [(s.package, s.split.value, s.kind.value, s.licence) for s in (*SOURCES, *GENERATED)]
    uses = {Split.TRAIN.value: "learn", Split.VALIDATION.value: "choose", Split.TEST.value: "score"}
    return _TEXT.format(
        n_values=N_VALUES,
        n_parameters=n_parameters,
        meaning=student.MEANING_SIZE,
        identity=student.IDENTITY_SIZE,
        n_steps=recipe.n_steps,
        batch_size=recipe.batch_size,
        sources="\n".join(
            f"| {name} | {uses[use]} | {kind} | {licence} |" for name, use, kind, licence in rows
        ),
        tables="\n\n".join(tables),
    )


def table(folder: Path, model: Path | str, teacher: Path, first: Path | None) -> str:
    """Return the scores on a folder of a folder a class as a table in Markdown.

    Parameters
    ----------
    folder : Path
    model : str or path-like
    teacher : Path
        ``yamnet.tflite``.
    first : Path, optional
        Another model, for comparison.
    """
    evaluations = {"compact": score.of_model(folder, str(model))}
    if first is not None:
        evaluations["its first version"] = score.of_model(folder, str(first))
    evaluations["YAMNet, the teacher"] = score.of_teacher(folder, teacher)
    ours = evaluations["compact"]
    title = f"**{folder.name}**: {ours.tracks} files, {ours.labels} classes"
    rows = [_row(name, found, ours) for name, found in evaluations.items()]
    return "\n".join([title, "", *_HEAD, *rows])


_HEAD = (
    "| model | P@1 | mAP | compact's P@1 over it | compact's mAP over it |",
    "|---|---|---|---|---|",
)


def _row(name: str, found: Evaluation, ours: Evaluation) -> str:
    p1, precision = found.plain.precision_1, found.plain.map
    over = (ours.plain.precision_1 / p1, ours.plain.map / precision)
    return f"| {name} | {p1:.3f} | {precision:.3f} | {over[0]:.2f} | {over[1]:.2f} |"
