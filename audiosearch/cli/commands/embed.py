"""``audiosearch embed``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from audiosearch.cli.network_options import NetworkOptions
from audiosearch.cli.options import Excerpt, ModelName, Pca, file_name
from audiosearch.errors import AudiosearchError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


def embed(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE...", help="Audio files; - is standard input."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "-o",
            metavar="FILE.npy",
            help="Write a NumPy array instead: a vector, or a matrix for several files or patches.",
        ),
    ] = None,
    pooling: Annotated[
        Literal["mean", "sum"], typer.Option(help="Pooling of the patches into one vector.")
    ] = "mean",
    normalize: Annotated[
        bool, typer.Option("--normalize/--no-normalize", help="Scale vectors to unit length.")
    ] = True,
    postprocess: Annotated[
        bool,
        typer.Option(
            "--postprocess",
            help="Apply VGGish's PCA and 8-bit quantization. --pca FILE implies it.",
        ),
    ] = False,
    per_patch: Annotated[
        bool,
        typer.Option("--per-patch", help="Give one embedding per patch of 0.96 s, not pooled."),
    ] = False,
    model: ModelName = "auto",
    *,
    network: NetworkOptions,
    pca: Pca = None,
    excerpt: Excerpt = None,
) -> None:
    """Print the embeddings of files, without an index."""
    import numpy as np

    from audiosearch.audio.pipes import seekable
    from audiosearch.cli.console import warn
    from audiosearch.cli.output import print_json
    from audiosearch.embedding.embedder import Embedder
    from audiosearch.embedding.pooling import Pooling
    from audiosearch.models import registry
    from audiosearch.models.postprocess import postprocessor_for

    with network.requested(model) as request:
        resolved = registry.resolve_request(request)
        post = postprocessor_for(resolved, pca, request.progress) if postprocess or pca else None
    embedder = Embedder(resolved, excerpt_seconds=excerpt, postprocess=post)
    arrays = []
    for file in map(file_name, files):
        with seekable(file) as path:
            if per_patch:
                embedding = embedder.embed_patches(path)
            else:
                embedding = embedder.embed(path, pooling=Pooling(pooling), normalize=normalize)
        is_bytes = per_patch and post is not None
        arrays.append(embedding.vector.astype(np.uint8) if is_bytes else embedding.vector)
        if embedding.warning:
            warn(f"{file}: {embedding.warning}")
    if out is not None:
        join = np.concatenate if per_patch else np.stack
        is_single = len(arrays) == 1 and not per_patch
        _save(out, arrays[0] if is_single else join(arrays))
        return
    rows = [
        {"path": str(Path(file)), "embedding": array.tolist()}
        for file, array in zip(files, arrays, strict=True)
    ]
    print_json({"model": resolved.name, "embeddings": rows}, indent=None)


def _save(out: Path, array: npt.NDArray[np.generic]) -> None:
    import numpy as np

    try:
        with out.open("wb") as file:
            np.save(file, array)
    except OSError as exc:
        raise AudiosearchError(
            f"Can't write {out}: {exc.strerror}.", hint="Choose another file with -o."
        ) from exc
