"""Write a full-size VGGish checkpoint of seeded random weights.

Usage: python tests/golden/make_checkpoint.py OUT.ckpt [--seed N] [--variants]

The file has the container, names, shapes and types of Google's `vggish_model.ckpt` (a single-file
TensorFlow V1 checkpoint, 288.6 MB), so that the code which downloads, checks, converts and runs
the published file can run where that file is missing. The weights are random: never call what
they compute VGGish. The values in golden.npz belong to the default seed, whose file is the same,
byte for byte, in every run of TensorFlow 2.21 on one C library (SHA256 below).

With --variants, three more are written beside it: `v2`, the same weights as a V2 checkpoint;
`few`, which lacks most of them; `odd`, with a variable of the wrong shape.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

SEED = 7
#: Digests of the file of the default seed. The logarithm of glibc rounds better from 2.41 on, and
#: so some thirty weights of 72 million differ in their last bit.
SHA256 = {
    "83ad00d6598b998e32e0d972aca34f115d4cc1243d0f70a3416bce8b1508a655",  # glibc 2.36, Debian 12
    "44379f62bd9fe39860d42cf99b9563dccd2995e2486b80859d29501d675375b4",  # glibc 2.41, Debian 13
}

#: Input and output channels of each 3x3 convolution.
CONVOLUTIONS = {
    "conv1": (1, 64),
    "conv2": (64, 128),
    "conv3/conv3_1": (128, 256),
    "conv3/conv3_2": (256, 256),
    "conv4/conv4_1": (256, 512),
    "conv4/conv4_2": (512, 512),
}
#: Inputs and outputs of each fully connected layer.
DENSE = {"fc1/fc1_1": (6 * 4 * 512, 4_096), "fc1/fc1_2": (4_096, 4_096), "fc2": (4_096, 128)}


def weights(seed: int = SEED) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the names and float32 values of the 18 variables.

    They are scaled as He et al. do, so that activations stay in range.
    """
    random = np.random.default_rng(seed)
    for name, (n_in, n_out) in {**CONVOLUTIONS, **DENSE}.items():
        shape = (3, 3, n_in, n_out) if name in CONVOLUTIONS else (n_in, n_out)
        scale = np.float32(np.sqrt(2.0 / np.prod(shape[:-1])))
        yield f"vggish/{name}/weights", random.standard_normal(shape, dtype=np.float32) * scale
        biases = random.standard_normal(n_out, dtype=np.float32)
        yield f"vggish/{name}/biases", biases * np.float32(0.01)


def make(path: Path, seed: int = SEED, *, with_variants: bool = False) -> None:
    """Write a checkpoint, and its variants beside it if asked."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow.compat.v1 as tf
    from tensorflow.core.protobuf.saver_pb2 import SaverDef

    def save(variables: list[tf.Variable], path: Path, version: int) -> None:
        saver = tf.train.Saver(variables, write_version=version)
        saver.save(session, os.path.abspath(path), write_meta_graph=False, write_state=False)

    with tf.Graph().as_default(), tf.Session() as session:
        variables = []
        for name, value in weights(seed):
            placeholder = tf.placeholder(tf.float32, value.shape)
            variable = tf.Variable(placeholder, name=name, use_resource=False)
            session.run(variable.initializer, {placeholder: value})
            variables.append(variable)
        save(variables, path, SaverDef.V1)
        if with_variants:
            save(variables, path.with_name("v2"), SaverDef.V2)
            save(variables[:4], path.with_name("few"), SaverDef.V2)
    if with_variants:
        with tf.Graph().as_default(), tf.Session() as session:
            odd = tf.Variable(
                tf.zeros((3, 3, 1, 32)), name="vggish/conv1/weights", use_resource=False
            )
            session.run(odd.initializer)
            save([odd], path.with_name("odd"), SaverDef.V2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--variants", action="store_true")
    arguments = parser.parse_args()
    make(arguments.out, arguments.seed, with_variants=arguments.variants)


if __name__ == "__main__":
    main()
