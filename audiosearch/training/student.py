"""The student: a small network that learns from a teacher what a sound is.

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
from audiosearch.training.teacher import TEACHER_SIZE

if TYPE_CHECKING:
    from pathlib import Path

    from audiosearch.types import Float32

#: Values that say what a sound is (the teacher's teacher_embedding), and whose it is (its class).
MEANING_SIZE, IDENTITY_SIZE = 128, 64

STEM_CHANNELS = 24
#: Channels and stride of each depthwise-separable block.
BLOCKS = (
    *((48, 2), (96, 1), (128, 2), (128, 1)),
    *((256, 2), (256, 1), (256, 1), (256, 1), (384, 1)),
)
# Of the examples' patches, about: the mean and the deviation.
INPUT_MEAN, INPUT_DEVIATION = -2.0, 2.0

SIMILARITY_WEIGHT, IDENTITY_WEIGHT = 4.0, 0.15
SOFTMAX_SCALE = 16.0
WEIGHT_DECAY = 0.02
STEPS_A_CHECKPOINT = 500
_RECIPE = "recipe.json"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How long and how fast to learn."""

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
    meaning : ndarray of float32, shape (n, 128)
        The teacher's embeddings about their mean, along their principal components, on a
        scale on which their mean square length is 1.
    labels : ndarray of int32, shape (n,)
    """

    patches: np.ndarray[Any, np.dtype[np.float16]]
    meaning: Float32
    labels: np.ndarray[Any, np.dtype[np.int32]]

    @classmethod
    def read(cls, folder: Path) -> Examples:
        """Read all the shards of a folder."""
        paths = sorted(folder.glob("*.npz"))
        n_examples = len(paths) * SHARD_SIZE
        patches = np.empty((n_examples, PATCH_FRAMES, N_BANDS), dtype=np.float16)
        teacher = np.empty((n_examples, TEACHER_SIZE), dtype=np.float16)
        labels = np.empty(n_examples, dtype=np.int32)
        for number, path in enumerate(paths):
            rows = slice(number * SHARD_SIZE, (number + 1) * SHARD_SIZE)
            with np.load(path) as shard:
                patches[rows], teacher[rows] = shard["patches"], shard["teacher"]
                labels[rows] = shard["label"]
        return cls(patches, _meaning(teacher), labels)

    def split(self, n_kept_aside: int) -> tuple[Examples, Examples]:
        """Return all but the last so many examples, and those."""
        parts = (slice(None, -n_kept_aside), slice(-n_kept_aside, None))
        learnt, aside = (
            Examples(self.patches[part], self.meaning[part], self.labels[part]) for part in parts
        )
        return learnt, aside


def _meaning(teacher: np.ndarray[Any, np.dtype[np.float16]]) -> Float32:
    """Return the teacher's embeddings along their first principal components."""
    some = teacher[:: max(1, len(teacher) // 50_000)].astype(np.float64)
    mean = some.mean(axis=0)
    variances, components = np.linalg.eigh(np.cov(some - mean, rowvar=False))
    first = components[:, ::-1][:, :MEANING_SIZE]
    scale = np.sqrt(variances[::-1][:MEANING_SIZE].sum())
    log.info("principal components keep %.3f", scale**2 / variances.sum())
    projection, shift = (first / scale).astype(np.float32), mean.astype(np.float32)
    blocks = np.array_split(teacher, max(1, len(teacher) // 10_000))
    return np.concatenate([(b.astype(np.float32) - shift) @ projection for b in blocks])


def network() -> Any:
    """Return the student, untrained: patches, (n, 96, 64), to meaning and spec, (n, 192).

    Its values for frequency are kept apart, those for time averaged.
    """
    import tensorflow as tf

    layers = tf.keras.layers
    patches = tf.keras.Input((PATCH_FRAMES, N_BANDS))
    values = (patches[..., np.newaxis] - INPUT_MEAN) / INPUT_DEVIATION
    values = layers.Conv2D(STEM_CHANNELS, 3, strides=2, padding="same", use_bias=False)(values)
    values = _activated(values)
    for channels, stride in BLOCKS:
        same = values if stride == 1 and values.shape[-1] == channels else None
        values = layers.DepthwiseConv2D(3, strides=stride, padding="same", use_bias=False)(values)
        values = _activated(values)
        values = layers.Conv2D(channels, 1, use_bias=False)(values)
        values = _activated(values)
        values = values if same is None else values + same
    over_time = layers.AveragePooling2D((values.shape[1], 1))(values)
    flat = layers.Flatten()(over_time)
    meaning = layers.Dense(MEANING_SIZE, name="meaning")(flat)
    spec = layers.Dense(IDENTITY_SIZE, name="identity")(flat)
    return tf.keras.Model(patches, layers.Concatenate()([meaning, spec]))


def _activated(values: Any) -> Any:
    import tensorflow as tf

    layers = tf.keras.layers
    return layers.ReLU()(layers.BatchNormalization(momentum=0.98)(values))


def train(examples: Examples, n_classes: int, folder: Path, recipe: Recipe) -> Any:
    """Train the student, going on from the last checkpoint in a folder.

    Returns
    -------
    keras.Model

    Raises
    ------
    UsageError
        Where the folder's checkpoints are of another recipe, or of other classes.
    """
    import tensorflow as tf

    keras = tf.keras
    keras.utils.set_random_seed(recipe.seed)
    learnt, aside = examples.split(min(4_096, len(examples.labels) // 4))
    student = network()
    classes = tf.Variable(tf.random.normal((IDENTITY_SIZE, n_classes)), name="classes")
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, recipe.n_steps, warmup_target=recipe.learning_rate, warmup_steps=recipe.n_steps // 20
    )
    optimizer = keras.optimizers.AdamW(rate, weight_decay=WEIGHT_DECAY, clipnorm=1.0)
    optimizer.build([*student.trainable_variables, classes])

    @tf.function  # type: ignore[untyped-decorator]
    def step(patches: Any, meaning: Any, labels: Any) -> Any:
        with tf.GradientTape() as tape:
            found = student(tf.cast(patches, tf.float32), training=True)
            losses = _losses(found, meaning, labels, classes)
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
            len(learnt.labels), recipe.batch_size
        )
        rows.sort()
        sums += step(learnt.patches[rows], learnt.meaning[rows], learnt.labels[rows]).numpy()
        n_summed += 1
        done.assign_add(1)
        if (number + 1) % STEPS_A_CHECKPOINT == 0 or number + 1 == recipe.n_steps:
            manager.save()
            log.info("step %d: %s, %s", number + 1, sums / n_summed, _cosine(student, aside))
            sums, n_summed = np.zeros(4), 0
    return student


def recipe_of(folder: Path) -> Recipe:
    """Return the recipe of the training in a folder."""
    begun = json.loads((folder / _RECIPE).read_text())
    return Recipe(**{field.name: begun[field.name] for field in fields(Recipe)})


def _check_same(folder: Path, recipe: Recipe, n_classes: int) -> None:
    """Check that what began in a folder is what is asked for, or write down what begins."""
    path = folder / _RECIPE
    asked = asdict(recipe) | {"n_classes": n_classes}
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asked))
    elif (begun := json.loads(path.read_text())) != asked:
        raise UsageError(
            f"{folder} holds the training of another recipe: {begun}.",
            hint="Ask for the same, or remove that folder to begin anew.",
        )


def _losses(found: Any, meaning: Any, labels: Any, classes: Any) -> Any:
    """Return the four losses: of distance, of angle, of similarity within the batch, of class."""
    import tensorflow as tf

    said, spec = found[:, :MEANING_SIZE], found[:, MEANING_SIZE:]
    distance = tf.reduce_mean(tf.reduce_sum((said - meaning) ** 2, axis=1))
    said, meaning = tf.math.l2_normalize(said, 1), tf.math.l2_normalize(meaning, 1)
    angle = 1.0 - tf.reduce_mean(tf.reduce_sum(said * meaning, axis=1))
    similarity = tf.reduce_mean(
        (tf.matmul(said, said, transpose_b=True) - tf.matmul(meaning, meaning, transpose_b=True))
        ** 2
    )
    logits = SOFTMAX_SCALE * tf.matmul(
        tf.math.l2_normalize(spec, 1), tf.math.l2_normalize(classes, 0)
    )
    classed = tf.reduce_mean(
        tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    )
    return tf.stack([distance, angle, SIMILARITY_WEIGHT * similarity, IDENTITY_WEIGHT * classed])


def _cosine(student: Any, aside: Examples) -> str:
    """Say how near the student comes to the teacher on other examples, of the same clips."""
    said = student.predict(aside.patches.astype(np.float32), batch_size=512, verbose=0)
    said = said[:, :MEANING_SIZE]
    products = (said * aside.meaning).sum(axis=1)
    lengths = np.linalg.norm(said, axis=1) * np.linalg.norm(aside.meaning, axis=1)
    return f"cosine to the teacher on other examples: {(products / lengths).mean():.4f}"
