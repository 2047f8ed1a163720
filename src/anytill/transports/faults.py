"""What may be told of one of our own faults: where it happened and of what kind it is, never what it says.

A traceback's lines are our source, which holds no secrets; an exception's text may quote whatever it choked on, a
request's body included. So the text stays out, for the fault itself and for all it came from.
"""

from __future__ import annotations

import traceback
from pathlib import PurePath
from typing import Final

# The innermost frames say most; the outermost are the event loop's.
_FRAMES: Final = 8
_LONGEST_CHAIN: Final = 5


def fault_fields(fault: BaseException) -> dict[str, str]:
    """Fields for `Watch.alarm`: the class of the fault, and its frames with those of its causes."""
    return {"fault": type(fault).__qualname__, "trace": " | ".join(_chain(fault))}


def _chain(fault: BaseException) -> list[str]:
    told: list[str] = []
    queue: list[BaseException | None] = [fault]
    while queue and len(told) < _LONGEST_CHAIN:
        each = queue.pop(0)
        if each is None:
            continue
        told.append(f"{type(each).__qualname__} at {_frames(each)}")
        queue.append(each.__cause__ or (None if each.__suppress_context__ else each.__context__))
        if isinstance(each, BaseExceptionGroup):
            queue.extend(each.exceptions)
    return told


def _frames(fault: BaseException) -> str:
    frames = traceback.extract_tb(fault.__traceback__)[-_FRAMES:]
    return " > ".join(f"{PurePath(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames) or "nowhere"
