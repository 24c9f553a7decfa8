"""Wait for a condition."""

import time

import pytest


def wait_for(condition):
    """Return the first true result of a condition, or fail after two minutes."""
    for _ in range(2_400):
        if value := condition():
            return value
        time.sleep(0.05)
    pytest.fail("the condition was not met within 120 s")
