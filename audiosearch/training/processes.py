"""A pool of processes, one per core."""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from audiosearch.embedding.decoder_process import ENVIRONMENT
from audiosearch.system import n_cores


def process_pool() -> ProcessPoolExecutor:
    """Return a pool with a process for each core. Their numerical libraries use one core each."""
    os.environ.update(ENVIRONMENT)  # numerical libraries of new processes read it
    return ProcessPoolExecutor(n_cores(), mp_context=get_context("spawn"))
