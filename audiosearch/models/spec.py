"""The description of a model: its files, its dimension and its abilities."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from audiosearch.models.front_end import FRONT_END_VERSION
from audiosearch.models.weights_format import LiteRtFile

if TYPE_CHECKING:
    from audiosearch.models.remote_file import RemoteFile
    from audiosearch.models.weights_format import WeightsFormat


class Ability(str, Enum):
    """Something that only some models can do."""

    SOUNDS = "sounds"  # name the sounds in a recording
    WHITENING = "whitening"  # whitened vectors find similar tracks better than plain ones


class PackagedFile(NamedTuple):
    """A file that ships with a package.

    Attributes
    ----------
    name : str
        File name.
    license : str
        SPDX identifier.
    folder : Path
        Folder of the file. Default: ``audiosearch/models``.
    """

    name: str
    license: str
    folder: Path = Path(__file__).parent

    @property
    def path(self) -> Path:
        """Path of the file."""
        return self.folder / self.name


class ModelSpec(NamedTuple):
    """The description of a model that audiosearch knows by name.

    Attributes
    ----------
    name : str
        Value of ``--model``, as recorded in indexes.
    title : str
        Name in messages.
    dimension : int
        Numbers in an embedding, from 2 to 4,096.
    weights : PackagedFile or RemoteFile
        The file with the weights. A LiteRT file, if the file is packaged.
    weights_format : WeightsFormat
        Turns the file into a LiteRT file in the cache, unless it ships with audiosearch.
    abilities : frozenset of Ability
        Optional things that the model can do.
    strengths : str
        Sentences on what the model is good and bad at, with measured figures.
    pca : RemoteFile or None
        Published parameters of PCA post-processing, for ``embed --postprocess``.
    flops_per_patch : int or None
        Multiplications and additions of the network for one patch.
    weights_variable : str or None
        Environment variable with the path of a local weights file.
    front_end : str
        Version of the front end that makes the network's input.
    """

    name: str
    title: str
    dimension: int
    weights: PackagedFile | RemoteFile
    weights_format: WeightsFormat = LiteRtFile()
    abilities: frozenset[Ability] = frozenset()
    strengths: str = ""
    pca: RemoteFile | None = None
    flops_per_patch: int | None = None
    weights_variable: str | None = None
    front_end: str = FRONT_END_VERSION

    @property
    def is_packaged(self) -> bool:
        """Whether the weights ship with a package."""
        return isinstance(self.weights, PackagedFile)
