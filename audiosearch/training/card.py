"""The model card that ships beside compact.tflite, written by the training program."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audiosearch.training import student
from audiosearch.training.free_audio import GENERATED, SOURCES, Source, Split
from audiosearch.training.projection import DIMENSION, N_COEFFICIENTS, N_VALUES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from audiosearch.search.evaluate import Scores
    from audiosearch.training.score import Comparison

_TEXT = """\
# compact

The embedding model that ships with audiosearch. It turns a file's log-mel patches of 0.96 s (96
frames x 64 bands, the same input as VGGish) into one embedding of {dimension} numbers. It is not
VGGish, and it was not trained on AudioSet.

## Architecture

- Signature `serving_default`: (n, 96, 64) to (n, {n_values}). A network of depthwise-separable
  convolutions (the student: {n_parameters:,} parameters, single precision) computes
  {n_semantic} semantic values and {n_class} class values. It also computes the means of
  {n_coefficients} cepstral coefficients, of their squares, and of their differences' squares.
- Signature `pooled`: averages of those values over a file to the file's embedding. Thanks to
  the squares, means and deviations over the file are exact. There are three blocks (semantic
  values, class values, timbre), each scaled to length 1. They are projected to the
  directions in which the training classes differ most from each other, relative to differences
  within a class.

## Training

The teacher is YAMNet (Apache-2.0; int8, 1,024 values), which was trained on the sounds of AudioSet.
The student's semantic values learn the first {n_semantic} principal components of the teacher's
embeddings: their distance, their angle, and the similarities within a batch. The student's class
values learn to name a clip's class. Training took {n_steps:,} steps of {batch_size} examples. An
example is one patch; speech, music, instruments and effects have about equal shares. Patches are
randomly detuned, mixed and filtered, with noise and reverberation; half of them have a peak between
-36 and 0 dB.

`python -m audiosearch.training --help`, in a checkout, shows how to train it again from this audio
and the teacher.

| package, version | used to | kind | license of the audio |
|---|---|---|---|
{sources}

The audio comes from Debian 12 or was made by programs of Debian 12. None of it is in the package.

## Scores

Each file of a class is a query among all other files. P@1 is the share of queries with a nearest
neighbor of the same class, and mAP is the mean average precision; both are averaged over classes.
Each package was used for one purpose: to learn, to choose a recipe, or to score. So the files of
**test** had no influence on the model.
`python -m audiosearch.training score WORK/test --teacher yamnet.tflite --beside FILE` computes
a table again. `audiosearch add WORK/test --model compact` and `audiosearch evaluate --by folder`
compute the row of compact.

{tables}

## Limits

The training audio has more synthesized speech and spoken numbers than conversations, more game
music than records, and more single notes than bands. The model was never compared with the
published weights of VGGish. It is not a classifier: it has no names for sounds. Voices in the same
language and on the same microphone are similar, no matter who speaks.
"""


def model_card(
    n_parameters: int, recipe: student.Recipe, versions: dict[str, str], tables: Sequence[str]
) -> str:
    """Return the model card in Markdown.

    Parameters
    ----------
    n_parameters : int
        Parameters of the student.
    recipe : Recipe
        Settings of the student's training.
    versions : dict of str to str
        Versions of the packages, by name.
    tables : sequence of str
        Scores, from `score_table`.
    """
    return _TEXT.format(
        dimension=DIMENSION,
        n_values=N_VALUES,
        n_parameters=n_parameters,
        n_semantic=student.SEMANTIC_SIZE,
        n_class=student.CLASS_SIZE,
        n_coefficients=N_COEFFICIENTS,
        n_steps=recipe.n_steps,
        batch_size=recipe.batch_size,
        sources="\n".join(_source_row(source, versions) for source in (*SOURCES, *GENERATED)),
        tables="\n\n".join(tables),
    )


_USES = {Split.TRAIN: "learn", Split.VALIDATION: "choose", Split.TEST: "score"}


def _source_row(source: Source, versions: dict[str, str]) -> str:
    name = f"{source.package} {versions.get(source.package, '')}".strip()
    return f"| {name} | {_USES[source.split]} | {source.kind.value} | {source.license} |"


def score_table(title: str, comparison: Comparison) -> str:
    """Return scores as a table in Markdown, with the ratios of the first model to each model.

    Parameters
    ----------
    title : str
    comparison : Comparison
    """
    about = f"**{title}**: {comparison.n_files} files, {comparison.n_classes} classes"
    if comparison.n_failed:
        about += f" ({comparison.n_failed} other files can't be decoded)"
    name, first = next(iter(comparison.scores.items()))
    rows = [_row(name, scores, first) for name, scores in comparison.scores.items()]
    head = f"| model | P@1 | mAP | P@1 of {name} / P@1 | mAP of {name} / mAP |"
    return "\n".join([about, "", head, "|---|---|---|---|---|", *rows])


def _row(name: str, scores: Scores, first: Scores) -> str:
    pairs = [(scores.precision_1, first.precision_1), (scores.map, first.map)]
    values = [f"{value:.3f}" for value, _ in pairs]
    ratios = [f"{reference / value:.3f}" if value else "-" for value, reference in pairs]
    return f"| {' | '.join([name, *values, *ratios])} |"
