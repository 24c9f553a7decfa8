"""VGGish's PCA post-processing."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from audiosearch.errors import UsageError, WeightsError
from audiosearch.models import registry
from audiosearch.models.download import no_progress
from audiosearch.models.front_end import EMBEDDING_SIZE, QUANTIZE_MAX, QUANTIZE_MIN

if TYPE_CHECKING:
    from pathlib import Path

    from audiosearch.models.download import Progress
    from audiosearch.types import Float32, UInt8


@dataclass(frozen=True, slots=True)
class PcaPostprocessor:
    """VGGish's post-processing: project, clip to [-2, 2], quantise to 8 bits.

    Attributes
    ----------
    eigen_vectors : ndarray of float32, shape (128, 128)
    means : ndarray of float32, shape (128, 1)

    References
    ----------
    .. [1] ``vggish_postprocess.py`` in github.com/tensorflow/models,
       research/audioset/vggish.
    """

    eigen_vectors: Float32
    means: Float32

    @classmethod
    def read(cls, path: Path) -> PcaPostprocessor:
        """Read the ``.npz`` file that Google publishes, or one like it.

        Raises
        ------
        WeightsError
            Where it is no such file.
        """
        shapes = {
            "pca_eigen_vectors": (EMBEDDING_SIZE, EMBEDDING_SIZE),
            "pca_means": (EMBEDDING_SIZE, 1),
        }
        hint = "It must be an .npz file with " + " and ".join(f"{n} {s}" for n, s in shapes.items())
        try:
            with np.load(path) as archive:
                arrays = {name: archive[name].astype(np.float32) for name in shapes}
        except (
            OSError,
            ValueError,
            KeyError,
            AttributeError,
            TypeError,
            EOFError,
            zipfile.BadZipFile,
        ) as exc:
            raise WeightsError(f"{path} cannot be read as PCA parameters.", hint=hint) from exc
        for name, shape in shapes.items():
            if arrays[name].shape != shape:
                message = f"{path}: {name} has shape {arrays[name].shape}, not {shape}."
                raise WeightsError(message, hint=hint)
        return cls(arrays["pca_eigen_vectors"], arrays["pca_means"])

    def __call__(self, embeddings: Float32) -> UInt8:
        """Post-process patch embeddings.

        Parameters
        ----------
        embeddings : ndarray of float32, shape (n_patches, 128)

        Returns
        -------
        ndarray of uint8, shape (n_patches, 128)
        """
        projected = (self.eigen_vectors @ (embeddings.T - self.means)).T
        clipped = np.clip(projected, QUANTIZE_MIN, QUANTIZE_MAX)
        scale = np.float32(255.0 / (QUANTIZE_MAX - QUANTIZE_MIN))
        quantized: UInt8 = ((clipped - np.float32(QUANTIZE_MIN)) * scale).astype(np.uint8)
        return quantized


def postprocessor_for(
    model: registry.Model, path: Path | None = None, progress: Progress = no_progress
) -> PcaPostprocessor:
    """Return the post-processing of a model's embeddings.

    Parameters
    ----------
    model : Model
    path : Path, optional
        PCA parameters to use; VGGish's published ones, fetched where need be, unless given.
    progress : callable, optional
        Told about the download.

    Raises
    ------
    UsageError
        Where none are given for a model that is not VGGish.
    DownloadError, WeightsError, ModelError
        Where the parameters cannot be had or read.
    """
    if path is None:
        if model.name != registry.VGGISH:
            raise UsageError(
                f"The published PCA parameters are for vggish, not for {model.name}.",
                hint="Use --model vggish, or name parameters of your own with --pca FILE.",
            )
        path = registry.VGGISH_PCA.fetch(progress)
    return PcaPostprocessor.read(path)
