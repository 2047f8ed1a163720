"""Brings a database to the tables this version needs.

Migrations are numbered files, applied in order, each in a transaction that also records its number and checksum; they
only go forward. A file may have a twin for one database (`0001_initial.sqlite.sql`), which is applied right after it
and counts as part of it.

`schema.sql` (with the same twins) is what all migrations together amount to, for people to read; a test builds one
database each way and compares them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Final

from anytill.storage.queries import EngineName

_FILE: Final = re.compile(r"([0-9]{4})_([a-z_]+)\.sql")

#: Where it is written down what has been applied. It exists before the first migration.
REGISTER: Final = "register.sql"

NO_STORE: Final = "this is no store of anytill"


class WrongSchema(Exception):
    """The database does not fit this version of anytill: start the version that it was made for, or a newer one."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One step forward."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of its text: a migration that was applied is never edited."""
        return hashlib.sha256(self.sql.encode()).hexdigest()

    @property
    def record(self) -> Mapping[str, object]:
        """The values of record_migration."""
        return {"number": self.number, "name": self.name, "checksum": self.checksum}


def migrations(engine: EngineName) -> Sequence[Migration]:
    """All migrations for one database, in order. Raises ValueError when their numbers have gaps."""
    folder = resources.files("anytill.storage").joinpath("migrations")
    named = sorted(match.group() for file in folder.iterdir() if (match := _FILE.fullmatch(file.name)))
    found = [Migration(int(name[:4]), name[5:-4], _with_twin(folder, name[:-4], engine)) for name in named]
    if [migration.number for migration in found] != list(range(1, len(found) + 1)):
        raise ValueError("migrations must be numbered 1, 2, 3 …")
    return found


def register() -> str:
    """The statement that makes the table of applied migrations, if it is not there."""
    return resources.files("anytill.storage").joinpath("migrations", REGISTER).read_text(encoding="utf-8")


def fresh_schema(engine: EngineName) -> str:
    """What all migrations together amount to."""
    return _with_twin(resources.files("anytill.storage"), "schema", engine)


def pending(known: Sequence[Migration], applied: Sequence[Sequence[object]]) -> Sequence[Migration]:
    """What is still to be applied, given (number, checksum) of what was. Raises WrongSchema."""
    for number, (recorded, checksum) in enumerate(applied, start=1):
        if recorded != number or number > len(known):
            raise WrongSchema(f"the database has migration {recorded}, this version has {len(known)}")
        if checksum != known[number - 1].checksum:
            raise WrongSchema(f"migration {number} is not the one that was applied to the database")
    return known[len(applied) :]


def check_current(engine: EngineName, applied: Sequence[Sequence[object]]) -> None:
    """Raises WrongSchema unless everything this version knows, and nothing else, was applied."""
    if pending(migrations(engine), applied):
        raise WrongSchema("the store is of an older version: start the gateway once to bring it up to date")


def _with_twin(folder: Traversable, stem: str, engine: EngineName) -> str:
    text = folder.joinpath(f"{stem}.sql").read_text(encoding="utf-8")
    twin = folder.joinpath(f"{stem}.{engine}.sql")
    return text + twin.read_text(encoding="utf-8") if twin.is_file() else text
