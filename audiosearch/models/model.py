"""A model on this machine, and the model that a user asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from audiosearch.models.download import Progress, no_progress
from audiosearch.models.installed import find_spec
from audiosearch.models.specs import AUTO

if TYPE_CHECKING:
    from pathlib import Path

    from audiosearch.models.runtime import Network
    from audiosearch.models.spec import ModelSpec
    from audiosearch.types import StrPath


@dataclass(frozen=True, slots=True)
class Model:
    """A model on this machine, ready to load.

    Attributes
    ----------
    name : str
        Name of a built-in model, of a model of another package, or of a .tflite file.
    weights_digest : str
        64 hexadecimal digits. Embeddings can be compared if their models' digests are equal.
    path : Path
        The LiteRT file.
    """

    name: str
    weights_digest: str
    path: Path

    @property
    def spec(self) -> ModelSpec | None:
        """The model's description; None for a user's own file."""
        return find_spec(self.name)

    @property
    def dimension(self) -> int:
        """Numbers in an embedding. Read from the file if the registry doesn't list the model.

        Raises
        ------
        WeightsError
            If the file isn't a model that runs here.
        """
        return self.spec.dimension if self.spec else self.load(n_threads=1).dimension

    def load(self, *, n_threads: int | None = None) -> Network:
        """Load the network.

        Parameters
        ----------
        n_threads : int, optional
            Threads to run on. Default: the number of cores.

        Raises
        ------
        WeightsError
            If the file isn't a model that runs here.
        """
        from audiosearch.models.runtime import Network

        return Network(self.path, n_threads=n_threads)


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """The model that a user asks for.

    Attributes
    ----------
    model : str
        Name of a model, the path of a .tflite file, or "auto".
    weights : str, path-like or None
        Local copy of the model's weights, instead of the downloaded one. For VGGish a
        checkpoint; ``AUDIOSEARCH_WEIGHTS`` names one too.
    progress : callable
        Called while a download or a conversion runs.
    """

    model: str = AUTO
    weights: StrPath | None = None
    progress: Progress = no_progress
