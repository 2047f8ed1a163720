"""What is known of the vendors' protocols and cannot be helped by a server: `known.toml`, read.

`moved`: operations by the address to which a genuine request for another one was sent. `open`: operations by address
that need no signature. `unsigned`: the calls whose answers are believed without one. `tails`: the dialects whose free
texts can lose a tail.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

FILE: Final = Path(__file__).parent / "known.toml"


def operations(sort: str, dialect: str) -> Mapping[str, frozenset[str]]:
    """The operations that are `moved` or `open`, by address."""
    return {row["at"]: frozenset(row["does"]) for row in _rows(sort) if row["dialect"] == dialect}


def unsigned(dialect: str) -> frozenset[str]:
    """The sorts of calls (see `seeds`) whose answers need no signature."""
    return frozenset(call for row in _rows("unsigned") if row["dialect"] == dialect for call in row["calls"])


def tails(dialect: str) -> bool:
    """Whether a free text can lose what begins with an ampersand and a name that nobody knows."""
    return any(row["dialect"] == dialect for row in _rows("tails"))


@cache
def _rows(sort: str) -> Sequence[Mapping[str, Any]]:
    rows: Sequence[Mapping[str, Any]] = tomllib.loads(FILE.read_text(encoding="utf-8"))[sort]
    return rows
