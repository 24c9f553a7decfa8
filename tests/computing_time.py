"""A limit on computing time, which doesn't depend on what else the machine does."""

import contextlib
import time


@contextlib.contextmanager
def taking_little_time():
    """Allow ten seconds of computing; without the limits, it is a minute or more."""
    start = time.process_time()
    yield
    assert time.process_time() - start < 10
