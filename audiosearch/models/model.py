"""A model on this machine, and the model that a user asks for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from audiosearch.models.download import Progress, no_progress
from audiosearch.models.installed import find_spec
from audiosearch.models.runtime_choice import AUTO_F32, LITERT_F32, RuntimeChoice
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
    runtime : RuntimeChoice
        Runtime and precision to load it with.
    """

    name: str
    weights_digest: str
    path: Path
    runtime: RuntimeChoice = AUTO_F32

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
        if self.spec:
            return self.spec.dimension
        from audiosearch.models.runtime import Network

        return Network(self.path, n_threads=1).dimension

    def on(self, runtime: RuntimeChoice) -> Model:
        """Return the same model, to be loaded with a runtime and a precision.

        Raises
        ------
        MissingExtra, UsageError, WeightsError
            If it can't be loaded so: see `audiosearch.models.openvino.check`.
        """
        if runtime.needs_openvino:
            from audiosearch.models import openvino

            openvino.check(runtime, self.path)
        return replace(self, runtime=runtime)

    def load(self, *, n_threads: int | None = None, for_many_files: bool = False) -> Network:
        """Load the network.

        Parameters
        ----------
        n_threads : int, optional
            Threads to run on. Default: the number of cores.
        for_many_files : bool
            Whether the runtime "auto" may become OpenVINO after many patches.

        Raises
        ------
        WeightsError
            If the file isn't a model that runs here.
        MissingExtra, UsageError
            If the runtime can't be used: see `audiosearch.models.openvino.check`.
        """
        from audiosearch.models import openvino
        from audiosearch.models.runtime import Network

        if self.runtime.needs_openvino:
            return Network(self.path, n_threads=n_threads, choice=self.runtime)
        if for_many_files and self.runtime.runtime == AUTO and openvino.is_installed():
            from audiosearch.models.auto_network import AutoNetwork

            return AutoNetwork(self.path, self.weights_digest, n_threads=n_threads)
        return Network(self.path, n_threads=n_threads, choice=LITERT_F32)


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
    runtime : RuntimeChoice
        Runtime and precision to run it with.
    """

    model: str = AUTO
    weights: StrPath | None = None
    progress: Progress = no_progress
    runtime: RuntimeChoice = AUTO_F32


#: The model of the index. For a new index: VGGish if available, else compact.
AUTO_REQUEST: Final = ModelRequest()
