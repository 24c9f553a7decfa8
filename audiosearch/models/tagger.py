"""The tagger: which of AudioSet's 521 classes of sounds are heard in a patch.

It is the signature ``sounds`` of compact.tflite. It listens to the same patches as any model of
embeddings.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from audiosearch.models.signatures import SOUNDS, SOUNDS_FROM_VALUES
from audiosearch.models.specs import FALLBACK, SPECS

if TYPE_CHECKING:
    from audiosearch.models.model import Model
    from audiosearch.types import Float32

#: Name of the metadata with the names of the classes, a line each.
NAMES: Final = "sound_names"

_PATH = SPECS[FALLBACK].weights.path


@cache
def sound_names() -> tuple[str, ...]:
    """Return the names of the 521 classes, in the order of the scores."""
    from audiosearch.models.litert_content import metadata

    return tuple(metadata(_PATH.read_bytes(), NAMES).decode().splitlines())


@cache
def tagger_digest() -> str:
    """Return the digest of the tagger: 64 hexadecimal digits."""
    from audiosearch.models.digest import sounds_digest

    return sounds_digest(_PATH)


class Tagger:
    """Scores the sounds in patches. Only one thread may use a tagger at a time.

    Parameters
    ----------
    model : Model, optional
        Model that embeds the same patches. If it is the packaged compact, `scores` uses the values
        that its network has computed, so that the network runs once.
    n_threads : int, optional
        Threads to run on. Default: the number of cores.

    Attributes
    ----------
    names : tuple of str
        Names of the 521 classes, in the order of the scores.
    digest : str
        Sounds can be compared if the digests of their taggers are equal.

    Examples
    --------
    >>> import numpy as np
    >>> tagger = Tagger(n_threads=1)
    >>> scores = tagger(np.full((3, 96, 64), np.log(0.01), dtype=np.float32))
    >>> scores.shape, tagger.names[scores[0].argmax()]
    ((3, 521), 'Silence')
    """

    def __init__(self, model: Model | None = None, *, n_threads: int | None = None) -> None:
        from audiosearch.models.digest import embeddings_digest
        from audiosearch.models.litert import Signature, opened
        from audiosearch.system import n_cores

        self.names, self.digest = sound_names(), tagger_digest()
        interpreter = opened(_PATH, n_threads=n_threads or n_cores())
        self._from_patches = Signature(interpreter, SOUNDS)
        self._from_values = Signature(interpreter, SOUNDS_FROM_VALUES)
        self._takes_values = model and model.weights_digest == embeddings_digest(_PATH)

    def __call__(self, patches: Float32) -> Float32:
        """Return the scores of all classes in each patch.

        Parameters
        ----------
        patches : ndarray of float32, shape (n_patches, 96, 64)
            Natural log of mel magnitude plus 0.01.

        Returns
        -------
        ndarray of float32, shape (n_patches, 521)
            In [0, 1].
        """
        return self._from_patches(patches)

    def scores(self, patches: Float32, values: Float32) -> Float32:
        """Return the same scores, in less time if the values of the model contain them.

        Parameters
        ----------
        patches : ndarray of float32, shape (n_patches, 96, 64)
        values : ndarray of float32, shape (n_patches, n_values)
            Values that the network of the model returned for the patches.
        """
        return self._from_values(values) if self._takes_values else self(patches)
