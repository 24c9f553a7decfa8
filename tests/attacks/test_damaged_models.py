"""Damaged models are refused in a sentence, or run; none ends the process or keeps it busy."""

from collections import Counter

import numpy as np
from forked_tries import outcomes
from mutations import DAMAGES, random_bytes

from audiosearch.models.registry import compact

PROGRAM = """
import ai_edge_litert.interpreter, numpy
from audiosearch.models import registry

def use(path):
    network = registry.resolve(path).load()
    network.embeddings(network(numpy.zeros((3, 96, 64), numpy.float32)))
"""


def damaged_tables(content, rng, _):
    """Change bytes where the model's tables are, not its weights."""
    table_bytes = 20_000
    at = rng.integers(table_bytes, size=rng.integers(1, 6))
    for position in at if rng.integers(2) else len(content) - 1 - at:
        content[position] = rng.integers(256)
    return content


def test_a_damaged_model_is_refused_or_runs(tmp_path, request, figures):
    original = compact().path.read_bytes()
    damages = [*DAMAGES, *[damaged_tables] * len(DAMAGES)]
    paths = []
    for number in range(request.config.getoption("--models")):
        rng = np.random.default_rng(number)
        damage = damages[number % len(damages)]
        path = tmp_path / f"{number} {damage.__name__}.tflite"
        path.write_bytes(damage(bytearray(original), rng, rng.bytes(5_000)))
        paths.append(str(path))
    results = outcomes(PROGRAM, paths)
    figures(models=len(paths), **Counter(results.values()))
    assert all(results[path] == "refused" for path in paths if random_bytes.__name__ in path)
