"""Async generators that a test leaves open are errors."""

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="module")
def nothing_is_left_half_run() -> Iterator[None]:
    """Collects garbage: an async generator that was neither exhausted nor closed complains then, which is an error."""
    yield
    gc.collect()
