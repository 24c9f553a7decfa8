"""The model card that ships beside compact.tflite, written by the training program."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audiosearch.training.free_audio import SOURCES, Source, Split
from audiosearch.training.network import N_COEFFICIENTS, N_VALUES
from audiosearch.training.projection import DIMENSION
from audiosearch.training.tagging import MAX_FILES
from audiosearch.training.yamnet import CLASSES, FEATURES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from audiosearch.search.evaluate import Scores
    from audiosearch.training.score import Comparison

_TEXT = """\
# compact

The model that ships with audiosearch. It turns a file's log-mel patches of 0.96 s (96 frames x 64
bands, the same input as VGGish) into one embedding of {dimension} numbers, and it scores
{n_classes} classes of sounds of AudioSet in each patch. It is not VGGish. It is derived from
YAMNet.

## Architecture

- Signature `serving_default`: (n, 96, 64) to (n, {n_values}). The convolutions of YAMNet, a
  MobileNet of 27 layers with 3.2 million weights, compute {n_features:,} values; the means of
  {n_coefficients} cepstral coefficients, of their squares, and of their differences' squares
  follow. YAMNet's input is ln(mel + 0.001) instead of ln(mel + 0.01), so each patch is converted
  first. The convolutions compute in 8-bit integers.
- Signature `pooled`: averages of those values over a file to the file's embedding, of length 1.
  Thanks to the squares, means and deviations over the file are exact. There are two blocks: the
  square roots of YAMNet's values (what a sound is), and the statistics of the cepstra, whitened
  (how it is colored). Each block is reduced to its principal components and has a fixed length.
  Then directions in which files of the same class differ get less weight, and the {dimension}
  directions in which files differ most are kept.
- Signature `sounds`: (n, 96, 64) to (n, {n_classes}), YAMNet's scores from 0 to 1. The metadata
  `sound_names` has the names. `sounds_from_values` computes the same from the values of
  `serving_default`.

## Origin

The weights of the convolutions and of the scores are those of YAMNet (Plakal and Ellis, Google,
Apache-2.0), which was trained on the sounds of AudioSet: its 8-bit file, read as numbers and
quantized again for other ranges. They were not trained further. The projection was fitted on the
audio below, with the classes of each package.

`python -m audiosearch.training --help`, in a checkout, shows how to make the file again from this
audio and YAMNet.

| package, version | used to | kind | license of the audio |
|---|---|---|---|
{sources}

The packages are those of Debian 12. None of the audio is in the package.

## Scores

Each file of a class is a query among all other files. P@1 is the share of queries with a nearest
neighbor of the same class, and mAP is the mean average precision; both are averaged over classes.
Nothing was fitted on these files. The recipe is the one with the best scores on **validation**; the
other sets were looked at, too, while it was chosen. The row `second` is the second version of
compact, which learned from YAMNet's embeddings; YAMNet's own row is the mean of its embeddings.
`python -m audiosearch.training score WORK/test --teacher yamnet.tflite --beside FILE` computes
a table again. `audiosearch add WORK/test --model compact` and `audiosearch evaluate --by folder`
compute the row of compact.

{tables}

## Sounds

The share of recordings with a right name among the first three that `audiosearch add` stores. The
recordings come from packages above. Nothing in `sounds` was fitted on them, except that single
patches of some set the ranges of its integers. They are those whose file names say clearly what is
heard: animals, weather, water, voices, music, instruments and engines, at most {max_files} of a
class. They were chosen by these names, not by results. A name is right if it is AudioSet's name of
the class or of a kind of it. Many recordings are short, some shorter than one patch.
`python -m audiosearch.training tags WORK --teacher yamnet.tflite` computes the table again.

{sounds}

## Limits

YAMNet was trained on videos, at 16 kHz: it knows kinds of sounds, not melodies, words or speakers.
Voices in the same language and on the same microphone are similar, no matter who speaks. Scores are
not probabilities: sounds that AudioSet has few examples of get low scores. The model was never
compared with the published weights of VGGish.
"""


def model_card(versions: dict[str, str], tables: Sequence[str], sounds: str) -> str:
    """Return the model card in Markdown.

    Parameters
    ----------
    versions : dict of str to str
        Versions of the packages, by name.
    tables : sequence of str
        Scores, from `score_table`.
    sounds : str
        Shares of right names, from `tagging_table`.
    """
    return _TEXT.format(
        dimension=DIMENSION,
        n_classes=CLASSES,
        n_features=FEATURES,
        n_values=N_VALUES,
        n_coefficients=N_COEFFICIENTS,
        sources="\n".join(_source_row(source, versions) for source in SOURCES),
        tables="\n\n".join(tables),
        max_files=MAX_FILES,
        sounds=sounds,
    )


_USES = {Split.TRAIN: "fit", Split.VALIDATION: "choose"}


def _source_row(source: Source, versions: dict[str, str]) -> str:
    name = f"{source.package} {versions.get(source.package, '')}".strip()
    use = _USES.get(source.split, "score")
    return f"| {name} | {use} | {source.kind.value} | {source.license} |"


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
