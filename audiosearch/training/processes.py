"""Several processes at a time, each on one core."""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from audiosearch.embedding.decoder_process import ENVIRONMENT
from audiosearch.models.runtime import n_cores


def pool() -> ProcessPoolExecutor:
    """Return as many processes as there are cores, whose numerical libraries run on one each."""
    os.environ.update(ENVIRONMENT)  # read by libraries on loading, in processes started afresh
    return ProcessPoolExecutor(n_cores(), mp_context=get_context("spawn"))
