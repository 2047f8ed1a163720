"""Named SQL, read from `queries.sql` and `queries.register.sql`.

    -- payment_by_id --                    a name, for both databases; `.sqlite` or `.postgres` for one of them
    -- One payment by our number.          what it is for
    SELECT {payment_columns} FROM …        {name}: the text of another section
    WHERE payment_id = :payment_id         :name: a parameter

A database person reads and changes these files without knowing Python. Parameters are turned into the numbered form of
the driver ($1 or ?1), so a statement takes its values as a list, in the order in which its names first appear.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Final, Literal

EngineName = Literal["sqlite", "postgres"]

FILES: Final = ("queries.sql", "queries.register.sql")

_HEADER: Final = re.compile(r"^-- ([a-z_]+)(?:\.(sqlite|postgres))? --$", re.MULTILINE)
_SECTION: Final = re.compile(r"\{([a-z_]+)\}")
#: A parameter, but not the second colon of PostgreSQL's `value::type`.
_PARAMETER: Final = re.compile(r"(?<![:\w]):([a-z_]+)\b")
_MARK: Final = {"sqlite": "?", "postgres": "$"}


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement in the words of one database; `parameters` are its names in the order of their numbers."""

    name: str
    sql: str
    parameters: tuple[str, ...]

    def arguments(self, values: Mapping[str, object]) -> list[object]:
        """The values in the statement's order. Raises KeyError when one is missing."""
        return [values[name] for name in self.parameters]


def load(engine: EngineName, text: str | None = None) -> Mapping[str, Statement]:
    """Every statement for one database, by name. Raises ValueError when a name is given twice or not at all."""
    if text is None:
        folder = resources.files("anytill.storage")
        text = "\n".join(folder.joinpath(name).read_text(encoding="utf-8") for name in FILES)
    sections: dict[str, str] = {}
    pieces = _HEADER.split(text)[1:]
    for name, only, body in zip(pieces[::3], pieces[1::3], pieces[2::3], strict=True):
        if only not in (None, engine):
            continue
        if name in sections:
            raise ValueError(f"{name} is given twice for {engine}")
        sections[name] = _without_comments(body)
    return {name: _statement(name, body, sections, _MARK[engine]) for name, body in sections.items()}


def _without_comments(body: str) -> str:
    return "\n".join(line for line in body.splitlines() if not line.startswith("--")).strip()


def _statement(name: str, body: str, sections: Mapping[str, str], mark: str) -> Statement:
    parameters: list[str] = []

    def section(match: re.Match[str]) -> str:
        if match[1] not in sections:
            raise ValueError(f"{name} refers to {match[1]}, which is not there")
        return sections[match[1]]

    def number(match: re.Match[str]) -> str:
        if match[1] not in parameters:
            parameters.append(match[1])
        return f"{mark}{parameters.index(match[1]) + 1}"

    sql = _PARAMETER.sub(number, _SECTION.sub(section, body))
    return Statement(name, sql, tuple(parameters))
