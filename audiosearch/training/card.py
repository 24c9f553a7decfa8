"""The model card that is shipped beside compact.tflite, written by what made it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audiosearch.training import student
from audiosearch.training.free_audio import GENERATED, SOURCES, Source, Split
from audiosearch.training.mix import N_VALUES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from audiosearch.search.evaluate import Scores
    from audiosearch.training.score import Comparison

_TEXT = """\
# compact

The model that ships with audiosearch: log-mel patches of 0.96 s (96 frames x 64 bands, VGGish's
own input) to 128 values a file. It is not VGGish, and was not trained on AudioSet.

## What it is

- `serving_default`: (n, 96, 64) to (n, {n_values}): a student of depthwise-separable convolutions
  ({n_parameters:,} parameters, single precision) gives {meaning} values that say what is heard and
  {spec} that tell its classes apart; beside them, the means of 42 cepstral coefficients, of
  their squares and of their differences' squares.
- `pooled`: averages of those over a file to its 128 values. The squares make means and deviations
  over the file exact. The three parts, each of length 1, are projected to the directions in which
  classes of the training audio differ more than they vary within.

## How it was made

The teacher is YAMNet (Apache-2.0; int8, 1,024 values), which was trained on AudioSet's sounds; the
student learns its embeddings' first 128 principal components, by distance, angle, and the
similarities within a batch, and to name the clip's class ({n_steps:,} steps of {batch_size}
examples). Examples are a patch each, about as many of speech, music, instruments and effects:
detuned, mixed, filtered, in rooms and noise, half of them at levels from -36 to 0 dB.
`python -m audiosearch.training --help` makes it anew from this audio and the teacher.

| package, version | used to | kind | licence of its audio |
|---|---|---|---|
{sources}

The audio is Debian 12's, or made by programs of Debian 12, and none of it is in the package.

## How good it is

Each file of a class is asked for, leaving it out, among all files: the share of nearest neighbours
of its class (P@1) and the mean average precision (mAP), each averaged over classes. Files of a
package were used for one of learning, choosing and scoring: nothing was chosen by the files of
**test**. `python -m audiosearch.training score WORK/test --teacher yamnet.tflite --beside FILE`
makes a table anew; `audiosearch add WORK/test --model compact` and
`audiosearch evaluate --by folder`, compact's own row.

{tables}

## What it is not

It heard synthesised speech and numbers read aloud more than conversations, game music more than
records, and single notes more than bands. It was never compared with VGGish's published weights.
It is no classifier: it has no names for what it hears. Voices of one language and microphone are
near each other whoever speaks.
"""


def text(
    n_parameters: int, recipe: student.Recipe, versions: dict[str, str], tables: Sequence[str]
) -> str:
    """Return the model card.

    Parameters
    ----------
    n_parameters : int
        The student's.
    recipe : Recipe
        By which it learnt.
    versions : dict of str to str
        Of the packages, by name.
    tables : sequence of str
        Of scores, as `table` makes them.
    """
    return _TEXT.format(
        n_values=N_VALUES,
        n_parameters=n_parameters,
        meaning=student.MEANING_SIZE,
        spec=student.IDENTITY_SIZE,
        n_steps=recipe.n_steps,
        batch_size=recipe.batch_size,
        sources="\n".join(_source_row(source, versions) for source in (*SOURCES, *GENERATED)),
        tables="\n\n".join(tables),
    )


_USES = {Split.TRAIN: "learn", Split.VALIDATION: "choose", Split.TEST: "score"}


def _source_row(source: Source, versions: dict[str, str]) -> str:
    name = f"{source.package} {versions.get(source.package, '')}".strip()
    return f"| {name} | {_USES[source.split]} | {source.kind.value} | {source.licence} |"


def table(title: str, comparison: Comparison) -> str:
    """Return scores as a table in Markdown, with the first model's share of each of the others.

    Parameters
    ----------
    title : str
    comparison : Comparison
    """
    about = f"**{title}**: {comparison.n_files} files, {comparison.n_classes} classes"
    if comparison.n_failed:
        about += f" ({comparison.n_failed} more files do not decode)"
    name, ours = next(iter(comparison.scores.items()))
    rows = [_row(name, found, ours) for name, found in comparison.scores.items()]
    head = f"| model | P@1 | mAP | {name}'s P@1 over it | {name}'s mAP over it |"
    return "\n".join([about, "", head, "|---|---|---|---|---|", *rows])


def _row(name: str, found: Scores, ours: Scores) -> str:
    pairs = [(found.precision_1, ours.precision_1), (found.map, ours.map)]
    scores = [f"{theirs:.3f}" for theirs, _ in pairs]
    ratios = [f"{mine / theirs:.3f}" if theirs else "-" for theirs, mine in pairs]
    return f"| {' | '.join([name, *scores, *ratios])} |"
