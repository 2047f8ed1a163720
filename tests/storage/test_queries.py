"""The reader of named SQL, and the file itself."""

from __future__ import annotations

import re
from importlib import resources

import pytest

from anytill.storage import queries

SAMPLE = """
-- Words before the first name are ignored, :so_is_this.

-- columns --
-- What belongs together.
a, b

-- find --
-- A comment with a :colon.
SELECT {columns}, c::text FROM t WHERE a = :second_id AND b = :first AND c = :second_id

-- claim.sqlite --
UPDATE s

-- claim.postgres --
UPDATE p
"""


def test_each_database_gets_its_own_words() -> None:
    sqlite, postgres = queries.load("sqlite", SAMPLE), queries.load("postgres", SAMPLE)
    assert sqlite["find"].sql == "SELECT a, b, c::text FROM t WHERE a = ?1 AND b = ?2 AND c = ?1"
    assert postgres["find"].sql == "SELECT a, b, c::text FROM t WHERE a = $1 AND b = $2 AND c = $1"
    assert postgres["find"].parameters == ("second_id", "first")
    assert (sqlite["claim"].sql, postgres["claim"].sql) == ("UPDATE s", "UPDATE p")


def test_values_are_given_in_the_statements_order() -> None:
    find = queries.load("sqlite", SAMPLE)["find"]
    assert find.arguments({"first": 1, "second_id": 2, "more": 3}) == [2, 1]
    with pytest.raises(KeyError):
        find.arguments({"first": 1})


def test_a_name_is_given_once() -> None:
    with pytest.raises(ValueError, match="find is given twice"):
        queries.load("sqlite", SAMPLE + "\n-- find --\nSELECT 1\n")
    with pytest.raises(ValueError, match="refers to nothing"):
        queries.load("sqlite", "-- a --\nSELECT {nothing}\n")


def test_both_databases_know_the_same_statements_but_for_the_batches() -> None:
    sqlite, postgres = set(queries.load("sqlite")), set(queries.load("postgres"))
    assert postgres - sqlite == {"add_payments", "move_payments", "move_notices"}
    assert sqlite <= postgres


def test_every_statement_is_used_and_says_what_it_is_for() -> None:
    folder = resources.files("anytill.storage")
    code = "".join(file.read_text() for file in folder.iterdir() if file.name.endswith(".py"))
    code += "next_payment_due next_refund_due next_notice_due"  # named by their kind
    text = "".join(folder.joinpath(name).read_text() for name in queries.FILES)
    for name in queries.load("postgres"):
        assert name in code or f"{{{name}}}" in text, f"{name} is used by nobody"
        assert re.search(rf"^-- {name}(\.\w+)? --\n-- [A-Z]", text, re.MULTILINE), f"{name} says nothing of itself"


def test_no_statement_changes_the_ledger() -> None:
    for statement in queries.load("postgres").values():
        assert not re.search(r"(UPDATE|DELETE\s+FROM|TRUNCATE)\s+ledger", statement.sql, re.IGNORECASE)
