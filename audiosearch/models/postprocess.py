"""VGGish's PCA post-processing: embeddings become 8-bit values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from audiosearch import numpy_files
from audiosearch.errors import UsageError, WeightsError
from audiosearch.models.download import Progress, no_progress
from audiosearch.models.specs import SPECS
from audiosearch.models.vggish_layers import VGGISH_DIMENSION

if TYPE_CHECKING:
    from pathlib import Path

    from audiosearch.models.model import Model
    from audiosearch.types import Float32, UInt8

QUANTIZE_MIN: Final = -2.0
QUANTIZE_MAX: Final = 2.0


@dataclass(frozen=True, slots=True)
class PcaPostprocessor:
    """VGGish's post-processing: project, clip to [-2, 2], quantize to 8 bits.

    Attributes
    ----------
    eigen_vectors : ndarray of float32, shape (dimension, dimension)
    means : ndarray of float32, shape (dimension, 1)

    References
    ----------
    .. [1] ``vggish_postprocess.py`` in github.com/tensorflow/models,
       research/audioset/vggish.
    """

    eigen_vectors: Float32
    means: Float32

    @classmethod
    def read(cls, path: Path, *, dimension: int = VGGISH_DIMENSION) -> PcaPostprocessor:
        """Read an ``.npz`` file with the arrays of Google's published file.

        Parameters
        ----------
        path : Path
        dimension : int
            Numbers in an embedding.

        Raises
        ------
        WeightsError
            If it isn't such a file.
        """
        shapes = {"pca_eigen_vectors": (dimension, dimension), "pca_means": (dimension, 1)}
        hint = "It must be an .npz file with " + " and ".join(f"{n} {s}" for n, s in shapes.items())
        try:
            with np.load(path) as archive:
                arrays = {name: archive[name].astype(np.float32) for name in shapes}
        except numpy_files.ERRORS as exc:
            message = f"{path} cannot be read as PCA parameters."
            raise WeightsError(message, hint=hint + ".") from exc
        for name, shape in shapes.items():
            if arrays[name].shape != shape:
                message = f"{path}: {name} has shape {arrays[name].shape}, not {shape}."
                raise WeightsError(message, hint=hint + ".")
        return cls(arrays["pca_eigen_vectors"], arrays["pca_means"])

    def __call__(self, embeddings: Float32) -> UInt8:
        """Post-process the embeddings of patches.

        Parameters
        ----------
        embeddings : ndarray of float32, shape (n_patches, dimension)

        Returns
        -------
        ndarray of uint8, shape (n_patches, dimension)
        """
        projected = (self.eigen_vectors @ (embeddings.T - self.means)).T
        clipped = np.clip(projected, QUANTIZE_MIN, QUANTIZE_MAX)
        scale = np.float32(255.0 / (QUANTIZE_MAX - QUANTIZE_MIN))
        quantized: UInt8 = ((clipped - np.float32(QUANTIZE_MIN)) * scale).astype(np.uint8)
        return quantized


def postprocessor_for(
    model: Model, path: Path | None = None, progress: Progress = no_progress
) -> PcaPostprocessor:
    """Return the post-processing of a model's embeddings.

    Parameters
    ----------
    model : Model
    path : Path, optional
        PCA parameters. Default: the model's published ones, downloaded if needed.
    progress : callable, optional
        Called while the download runs.

    Raises
    ------
    UsageError
        If no parameters are given, and none are published for the model.
    DownloadError, WeightsError, ModelError
        If the parameters can't be downloaded or read.
    """
    if path is None:
        published = model.spec.pca if model.spec else None
        if published is None:
            names = [name for name, spec in SPECS.items() if spec.pca is not None]
            raise UsageError(
                f"The published PCA parameters are for {' and '.join(names)}, "
                f"not for {model.name}.",
                hint=f"Use --model {names[0]}, or your own parameters with --pca FILE.",
            )
        path = published.fetch(progress)
    return PcaPostprocessor.read(path, dimension=model.dimension)
