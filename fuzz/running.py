"""Handlers and clients without an event loop: against a desk nothing has to wait, so one step runs them to the end."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

Result = TypeVar("Result")


class Waited(Exception):
    """Something waits that has nothing to wait for."""


def run(running: Awaitable[Result]) -> Result:
    """What comes of it, at once. Raises Waited, and whatever it raises."""
    steps = running.__await__()
    try:
        steps.send(None)
    except StopIteration as end:
        result: Result = end.value
        return result
    raise Waited
