"""The student: a small network that learns from the teacher's embeddings and from classes.

References
----------
.. [1] Hinton, Vinyals and Dean, "Distilling the knowledge in a neural network", 2015.
.. [2] Howard et al., "MobileNets", 2017: depthwise-separable convolutions.
.. [3] Tung and Mori, "Similarity-preserving knowledge distillation", ICCV 2019: the loss on
   the inner products within a batch.
"""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from audiosearch.errors import UsageError
from audiosearch.models.front_end import N_BANDS, PATCH_FRAMES
from audiosearch.training.examples import SHARD_SIZE
from audiosearch.training.teacher import TEACHER_DIMENSION

if TYPE_CHECKING:
    from pathlib import Path

    from audiosearch.types import Float32

#: Semantic values, which copy the teacher's embedding, and class values, which separate classes.
SEMANTIC_SIZE, CLASS_SIZE = 128, 64

STEM_CHANNELS = 24
#: Channels and stride of each depthwise-separable block.
BLOCKS = (
    *((48, 2), (96, 1), (128, 2), (128, 1)),
    *((256, 2), (256, 1), (256, 1), (256, 1), (384, 1)),
)
# Approximate mean and deviation of the examples' patches.
INPUT_MEAN, INPUT_DEVIATION = -2.0, 2.0

SIMILARITY_WEIGHT, CLASS_WEIGHT = 4.0, 0.15  # weights of losses
SOFTMAX_SCALE = 16.0
WEIGHT_DECAY = 0.02
STEPS_PER_CHECKPOINT = 500
_RECIPE = "recipe.json"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Recipe:
    """Settings of a training run."""

    n_steps: int = 8_000
    batch_size: int = 256
    learning_rate: float = 2e-3
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Examples:
    """All examples in memory.

    Attributes
    ----------
    patches : ndarray of float16, shape (n, 96, 64)
    semantic : ndarray of float32, shape (n, 128)
        First principal components of the teacher's centered embeddings, scaled to a mean square
        length of 1.
    labels : ndarray of int32, shape (n,)
        Class of each example, from 0.
    """

    patches: np.ndarray[Any, np.dtype[np.float16]]
    semantic: Float32
    labels: np.ndarray[Any, np.dtype[np.int32]]

    @classmethod
    def read(cls, folder: Path) -> Examples:
        """Read all shards of a folder."""
        paths = sorted(folder.glob("*.npz"))
        n_examples = len(paths) * SHARD_SIZE
        patches = np.empty((n_examples, PATCH_FRAMES, N_BANDS), dtype=np.float16)
        teacher = np.empty((n_examples, TEACHER_DIMENSION), dtype=np.float16)
        labels = np.empty(n_examples, dtype=np.int32)
        for number, path in enumerate(paths):
            rows = slice(number * SHARD_SIZE, (number + 1) * SHARD_SIZE)
            with np.load(path) as shard:
                patches[rows], teacher[rows] = shard["patches"], shard["teacher"]
                labels[rows] = shard["label"]
        return cls(patches, _principal_components(teacher), labels)

    def split(self, n_held_out: int) -> tuple[Examples, Examples]:
        """Return the examples to train on, and the last ones, which are held out."""
        parts = (slice(None, -n_held_out), slice(-n_held_out, None))
        training, held_out = (
            Examples(self.patches[part], self.semantic[part], self.labels[part]) for part in parts
        )
        return training, held_out


def _principal_components(teacher: np.ndarray[Any, np.dtype[np.float16]]) -> Float32:
    """Return the first principal components of embeddings, scaled as in `Examples.semantic`."""
    sample = teacher[:: max(1, len(teacher) // 50_000)].astype(np.float64)
    mean = sample.mean(axis=0)
    variances, components = np.linalg.eigh(np.cov(sample - mean, rowvar=False))
    first = components[:, ::-1][:, :SEMANTIC_SIZE]
    scale = np.sqrt(variances[::-1][:SEMANTIC_SIZE].sum())
    log.info("principal components keep %.3f", scale**2 / variances.sum())
    projection, shift = (first / scale).astype(np.float32), mean.astype(np.float32)
    blocks = np.array_split(teacher, max(1, len(teacher) // 10_000))
    return np.concatenate([(b.astype(np.float32) - shift) @ projection for b in blocks])


def network() -> Any:
    """Return the untrained student.

    Returns
    -------
    keras.Model
        Turns patches, shape (n, 96, 64), into semantic and class values, shape (n, 192).
        The last convolution's output is averaged over time, but not over frequency.
    """
    import tensorflow as tf

    layers = tf.keras.layers
    patches = tf.keras.Input((PATCH_FRAMES, N_BANDS))
    values = (patches[..., np.newaxis] - INPUT_MEAN) / INPUT_DEVIATION
    values = layers.Conv2D(STEM_CHANNELS, 3, strides=2, padding="same", use_bias=False)(values)
    values = _activated(values)
    for channels, stride in BLOCKS:
        skipped = values if stride == 1 and values.shape[-1] == channels else None
        values = layers.DepthwiseConv2D(3, strides=stride, padding="same", use_bias=False)(values)
        values = _activated(values)
        values = layers.Conv2D(channels, 1, use_bias=False)(values)
        values = _activated(values)
        values = values if skipped is None else values + skipped
    over_time = layers.AveragePooling2D((values.shape[1], 1))(values)
    flat = layers.Flatten()(over_time)
    # The layers' names are part of the weights on disk.
    semantic = layers.Dense(SEMANTIC_SIZE, name="meaning")(flat)
    classes = layers.Dense(CLASS_SIZE, name="identity")(flat)
    return tf.keras.Model(patches, layers.Concatenate()([semantic, classes]))


def _activated(values: Any) -> Any:
    import tensorflow as tf

    layers = tf.keras.layers
    return layers.ReLU()(layers.BatchNormalization(momentum=0.98)(values))


def train(examples: Examples, n_classes: int, folder: Path, recipe: Recipe) -> Any:
    """Train the student, starting from the last checkpoint in a folder if there is one.

    Parameters
    ----------
    examples : Examples
    n_classes : int
    folder : Path
        Folder of checkpoints.
    recipe : Recipe

    Returns
    -------
    keras.Model

    Raises
    ------
    UsageError
        If the folder's checkpoints belong to another recipe or to other classes.
    """
    import tensorflow as tf

    keras = tf.keras
    keras.utils.set_random_seed(recipe.seed)
    training, held_out = examples.split(min(4_096, len(examples.labels) // 4))
    student = network()
    classes = tf.Variable(tf.random.normal((CLASS_SIZE, n_classes)), name="classes")
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, recipe.n_steps, warmup_target=recipe.learning_rate, warmup_steps=recipe.n_steps // 20
    )
    optimizer = keras.optimizers.AdamW(rate, weight_decay=WEIGHT_DECAY, clipnorm=1.0)
    optimizer.build([*student.trainable_variables, classes])

    @tf.function  # type: ignore[untyped-decorator]
    def step(patches: Any, semantic: Any, labels: Any) -> Any:
        with tf.GradientTape() as tape:
            values = student(tf.cast(patches, tf.float32), training=True)
            losses = _losses(values, semantic, labels, classes)
            loss = tf.reduce_sum(losses)
        variables = [*student.trainable_variables, classes]
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return losses

    done = tf.Variable(0, dtype=tf.int64)
    checkpoint = tf.train.Checkpoint(
        student=student, classes=classes, optimizer=optimizer, done=done
    )
    _check_same(folder, recipe, n_classes)
    manager = tf.train.CheckpointManager(checkpoint, folder, max_to_keep=2)
    manager.restore_or_initialize()
    sums, n_summed = np.zeros(4), 0
    for number in range(int(done), recipe.n_steps):
        rows = np.random.default_rng([recipe.seed, number]).choice(
            len(training.labels), recipe.batch_size
        )
        rows.sort()
        sums += step(training.patches[rows], training.semantic[rows], training.labels[rows]).numpy()
        n_summed += 1
        done.assign_add(1)
        if (number + 1) % STEPS_PER_CHECKPOINT == 0 or number + 1 == recipe.n_steps:
            manager.save()
            log.info(
                "step %d: %s, %s", number + 1, sums / n_summed, _held_out_cosine(student, held_out)
            )
            sums, n_summed = np.zeros(4), 0
    return student


def read_recipe(folder: Path) -> Recipe:
    """Return the recipe of the training run in a folder."""
    started = json.loads((folder / _RECIPE).read_text())
    return Recipe(**{field.name: started[field.name] for field in fields(Recipe)})


def _check_same(folder: Path, recipe: Recipe, n_classes: int) -> None:
    """Check that a folder's training run has the same recipe, or record that of a new run."""
    path = folder / _RECIPE
    requested = asdict(recipe) | {"n_classes": n_classes}
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(requested))
    elif (started := json.loads(path.read_text())) != requested:
        raise UsageError(
            f"{folder} holds a training run with another recipe: {started}.",
            hint="Use the same options, or remove that folder to start again.",
        )


def _losses(values: Any, semantic: Any, labels: Any, classes: Any) -> Any:
    """Return four losses: distance, angle, similarities within the batch, and class."""
    import tensorflow as tf

    student, class_values = values[:, :SEMANTIC_SIZE], values[:, SEMANTIC_SIZE:]
    distance = tf.reduce_mean(tf.reduce_sum((student - semantic) ** 2, axis=1))
    student, teacher = tf.math.l2_normalize(student, 1), tf.math.l2_normalize(semantic, 1)
    angle = 1.0 - tf.reduce_mean(tf.reduce_sum(student * teacher, axis=1))
    similarity = tf.reduce_mean(
        (
            tf.matmul(student, student, transpose_b=True)
            - tf.matmul(teacher, teacher, transpose_b=True)
        )
        ** 2
    )
    logits = SOFTMAX_SCALE * tf.matmul(
        tf.math.l2_normalize(class_values, 1), tf.math.l2_normalize(classes, 0)
    )
    class_loss = tf.reduce_mean(
        tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    )
    return tf.stack([distance, angle, SIMILARITY_WEIGHT * similarity, CLASS_WEIGHT * class_loss])


def _held_out_cosine(student: Any, held_out: Examples) -> str:
    """Return a log message: the mean cosine of student and teacher on held-out examples."""
    values = student.predict(held_out.patches.astype(np.float32), batch_size=512, verbose=0)
    values = values[:, :SEMANTIC_SIZE]
    products = (values * held_out.semantic).sum(axis=1)
    lengths = np.linalg.norm(values, axis=1) * np.linalg.norm(held_out.semantic, axis=1)
    return f"cosine to the teacher on held-out examples: {(products / lengths).mean():.4f}"
