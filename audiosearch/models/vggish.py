"""VGGish as TF-slim defines it, its checkpoints, and their conversion to LiteRT.

This module and `audiosearch.training` are the only ones that import TensorFlow. TensorFlow takes
seconds to import and gigabytes of memory to convert with, so the conversion runs in a process of
its own. It converts a checkpoint into the cache and prints the weights digest as JSON. If that
fails, it prints the error and exits with status 1.

References
----------
.. [1] Hershey et al., "CNN Architectures for Large-Scale Audio Classification",
   ICASSP 2017.
.. [2] ``vggish_slim.py`` in github.com/tensorflow/models, research/audioset/vggish, version of
   2023: the embedding layer has no activation.
"""

from __future__ import annotations

import glob
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audiosearch import child_process
from audiosearch.atomic import remove_drafts
from audiosearch.errors import ModelError, WeightsError
from audiosearch.models.cache import (
    cache_dir,
    cached_file,
    files_key,
    model_path,
    record_digest,
    recorded_digest,
    unwritable,
)
from audiosearch.models.digest import arrays_digest
from audiosearch.models.download import Progress, no_progress
from audiosearch.models.front_end import N_BANDS, PATCH_FRAMES
from audiosearch.models.vggish_layers import VGGISH_DIMENSION, VGGISH_SHAPES

if TYPE_CHECKING:
    from audiosearch.types import Float32

_LAYERS = (
    *("conv1", "conv2", "conv3/conv3_1", "conv3/conv3_2", "conv4/conv4_1", "conv4/conv4_2"),
    *("fc1/fc1_1", "fc1/fc1_2", "fc2"),
)

#: Variables of a VGGish checkpoint and their shapes, in the order of the layers.
VARIABLES: dict[str, tuple[int, ...]] = {
    f"vggish/{layer}/{kind}": shape
    for layer, weights in zip(_LAYERS, VGGISH_SHAPES, strict=True)
    for kind, shape in (("weights", weights), ("biases", weights[-1:]))
}


def converted_digest(checkpoint: Path, progress: Progress = no_progress) -> str:
    """Convert a checkpoint into the cache unless it is there, and return its weights digest.

    Parameters
    ----------
    checkpoint : Path
        A V1 checkpoint file, or the prefix (or ``.index`` file) of a V2 checkpoint.
    progress : callable
        Called when a conversion starts.

    Raises
    ------
    WeightsError
        If there is no such checkpoint, or it isn't VGGish's.
    ModelError
        If the conversion fails, or the cache can't be written.
    """
    from filelock import FileLock

    lock = cache_dir() / "models" / "lock"
    try:
        if (weights_digest := earlier_digest(checkpoint)) is not None:
            return weights_digest
        lock.parent.mkdir(parents=True, exist_ok=True)
        progress("Converting VGGish, once (about half a minute)", 0, None)
        with FileLock(lock):
            remove_drafts(lock.parent)
            weights_digest = earlier_digest(checkpoint)
            if weights_digest is None:
                prefix, files = _checkpoint_files(checkpoint)
                weights_digest = _convert_in_process(prefix)
                record_digest(files_key(files), weights_digest)
    except OSError as exc:
        raise unwritable(exc) from exc
    return weights_digest


def earlier_digest(checkpoint: Path) -> str | None:
    """Return a checkpoint's weights digest if the cache holds its conversion, else None.

    Raises
    ------
    WeightsError
        If there is no such checkpoint, or it is a LiteRT model.
    """
    _, files = _checkpoint_files(checkpoint)
    weights_digest = recorded_digest(files_key(files))
    is_there = weights_digest and os.path.exists(model_path(weights_digest))
    return weights_digest if is_there else None


def _checkpoint_files(checkpoint: Path) -> tuple[Path, list[Path]]:
    """Return the path that TensorFlow takes for a checkpoint, and the checkpoint's files."""
    if checkpoint.suffix == ".tflite":
        raise WeightsError(
            f"{checkpoint} is a LiteRT model, not a checkpoint.",
            hint=f"Name it with --model {checkpoint} instead of --weights.",
        )
    if checkpoint.suffix == ".index":
        checkpoint = checkpoint.with_suffix("")
    if os.path.isfile(checkpoint):
        return checkpoint, [checkpoint]
    index = checkpoint.parent / f"{checkpoint.name}.index"
    files = sorted(map(Path, glob.glob(f"{glob.escape(str(checkpoint))}.data-*")))
    if checkpoint.name and os.path.isfile(index) and files:
        return checkpoint, [index, *files]
    raise WeightsError(
        f"There is no checkpoint {checkpoint}.",
        hint="Name a VGGish checkpoint: a .ckpt file, or a V2 checkpoint without its .index.",
    )


def _convert_in_process(checkpoint: Path) -> str:
    """Convert a checkpoint in a process of its own, and return its weights digest."""
    result = child_process.run(
        *(__name__, str(checkpoint.absolute())),
        variables={"AUDIOSEARCH_CACHE": str(cache_dir().absolute())},
    )
    try:
        reply = json.loads(result.stdout)
    except ValueError:
        last_line = result.stderr.strip().rpartition("\n")[2]
        raise ModelError(
            f"Converting {checkpoint} failed: {last_line or f'exit status {result.returncode}'}.",
            hint="Converting takes about 4 GB of memory and 600 MB of disk space.",
        ) from None
    if result.returncode:
        kind = WeightsError if reply["is_weights"] else ModelError
        raise kind(reply["message"], hint=reply["hint"])
    return str(reply["fingerprint"])


def read_checkpoint(checkpoint: Path) -> dict[str, Float32]:
    """Read VGGish's variables from a checkpoint.

    Returns
    -------
    dict of str to ndarray of float32
        By name, in the order of the layers.

    Raises
    ------
    WeightsError
        If it isn't a checkpoint, or variables are missing or have other shapes.
    """
    import tensorflow as tf

    try:
        reader = tf.train.load_checkpoint(str(checkpoint))
        shapes = reader.get_variable_to_shape_map()
    except (tf.errors.OpError, ValueError, RuntimeError) as exc:
        raise WeightsError(
            f"{checkpoint} is not a TensorFlow checkpoint, or it is damaged.",
            hint="Copy or download it again; `audiosearch model fetch` gets the published one.",
        ) from exc
    wrong = [
        f"{name} is missing" if name not in shapes else f"{name} has shape {actual}, not {shape}"
        for name, shape in VARIABLES.items()
        if (actual := tuple(shapes.get(name, ()))) != shape
    ]
    if wrong:
        more = f", and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise WeightsError(
            f"{checkpoint} is not a VGGish checkpoint: {'; '.join(wrong[:3])}{more}.",
            hint="A VGGish checkpoint has the variables vggish/conv1/weights to vggish/fc2/biases.",
        )
    try:
        return {name: reader.get_tensor(name) for name in VARIABLES}
    except tf.errors.OpError as exc:
        raise WeightsError(f"{checkpoint} is damaged.", hint="Copy or download it again.") from exc


def slim_network(patches: Any) -> Any:
    """Define VGGish in the current graph.

    Parameters
    ----------
    patches : tf.Tensor of float32, shape (n_patches, 96, 64)
        Natural log of mel magnitude plus 0.01.

    Returns
    -------
    tf.Tensor of float32, shape (n_patches, 128)
        Output of the last layer, which has no activation.

    References
    ----------
    .. [1] Hershey et al., "CNN Architectures for Large-Scale Audio Classification",
       ICASSP 2017.
    """
    import tensorflow as tf
    import tf_slim as slim

    convolutions = slim.arg_scope([slim.conv2d], kernel_size=3, stride=1, padding="SAME")
    pools = slim.arg_scope([slim.max_pool2d], kernel_size=2, stride=2, padding="SAME")
    with tf.compat.v1.variable_scope("vggish"), convolutions, pools:
        net = tf.reshape(patches, [-1, PATCH_FRAMES, N_BANDS, 1])
        net = slim.max_pool2d(slim.conv2d(net, 64, scope="conv1"))
        net = slim.max_pool2d(slim.conv2d(net, 128, scope="conv2"))
        net = slim.max_pool2d(slim.repeat(net, 2, slim.conv2d, 256, scope="conv3"))
        net = slim.max_pool2d(slim.repeat(net, 2, slim.conv2d, 512, scope="conv4"))
        net = slim.repeat(slim.flatten(net), 2, slim.fully_connected, 4_096, scope="fc1")
        return slim.fully_connected(net, VGGISH_DIMENSION, activation_fn=None, scope="fc2")


def convert(checkpoint: Path) -> str:
    """Convert a checkpoint into the cache in this process, and return its weights digest.

    Raises
    ------
    WeightsError
        If it isn't a VGGish checkpoint.
    ModelError
        If the cache can't be written.
    """
    import tensorflow as tf

    arrays = read_checkpoint(checkpoint)
    weights_digest = arrays_digest(arrays.values())
    if os.path.exists(model_path(weights_digest)):
        return weights_digest
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        patches = v1.placeholder(tf.float32, (None, PATCH_FRAMES, N_BANDS), name="patches")
        embeddings = slim_network(patches)
        for variable in v1.global_variables():
            variable.load(arrays.pop(variable.op.name), session)
        converter = v1.lite.TFLiteConverter.from_session(session, [patches], [embeddings])
        content = converter.convert()
    with cached_file(model_path(weights_digest)) as draft:
        draft.write_bytes(content)
    return weights_digest


def main() -> int:
    """Convert the checkpoint that the command line names, for `converted_digest`."""
    try:
        reply: dict[str, str | bool] = {"fingerprint": convert(Path(sys.argv[1]))}
        status = 0
    except ModelError as exc:
        is_weights = isinstance(exc, WeightsError)
        reply = {"message": str(exc), "hint": exc.hint, "is_weights": is_weights}
        status = 1
    sys.stdout.write(json.dumps(reply))
    return status
