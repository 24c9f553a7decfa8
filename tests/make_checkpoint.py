"""Write a VGGish checkpoint of seeded random weights, in both of TensorFlow's formats.

Usage: make_checkpoint.py FOLDER
The network has VGGish's shape and none of its knowledge.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saver_pb2

from audiosearch.models.vggish import VARIABLES

v1 = tf.compat.v1


def seeded(name: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    spread = 0.01 if name.endswith("biases") else np.sqrt(2 / np.prod(shape[:-1]))
    return rng.standard_normal(shape, dtype=np.float32) * np.float32(spread)


def main(folder: Path) -> None:
    rng = np.random.default_rng(20)
    with tf.Graph().as_default(), v1.Session() as session:
        variables = []
        for name, shape in VARIABLES.items():
            variable = v1.get_variable(name, shape, use_resource=False)
            variable.load(seeded(name, shape, rng), session)
            variables.append(variable)
        for version, name in ((saver_pb2.SaverDef.V1, "v1.ckpt"), (saver_pb2.SaverDef.V2, "v2")):
            saver = v1.train.Saver(variables, write_version=version)
            saver.save(session, str(folder / name), write_meta_graph=False, write_state=False)
        few = v1.train.Saver(variables[:4], write_version=saver_pb2.SaverDef.V2)
        few.save(session, str(folder / "few"), write_meta_graph=False, write_state=False)
    with tf.Graph().as_default(), v1.Session() as session:
        odd = v1.get_variable("vggish/conv1/weights", (3, 3, 1, 32), use_resource=False)
        session.run(v1.global_variables_initializer())
        saver = v1.train.Saver([odd], write_version=saver_pb2.SaverDef.V2)
        saver.save(session, str(folder / "odd"), write_meta_graph=False, write_state=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
