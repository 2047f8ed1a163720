"""Commands over a store: what `over_store` makes of a function."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import pytest
import typer
from typer.testing import CliRunner

from anytill.cli import app
from anytill.cli.records import One, Parts, Several, Shown
from anytill.cli.stores import Task, over_store

if TYPE_CHECKING:
    from anytill.bootstrap import Keeper

GROUPS = ("agent", "merchant", "shop", "operator", "device", "key")


@over_store(create=True)
def greet(
    name: Annotated[str, typer.Argument(help="Whom.")], loud: Annotated[bool, typer.Option("--loud")] = False
) -> Task:
    """Greet somebody."""
    if name == "nobody":
        raise typer.BadParameter("somebody is needed")

    async def task(keeper: Keeper) -> Shown:
        assert await keeper.store.merchants(1) == []
        return One({"greeting": f"{name}!" if loud else name})

    return task


def asked(*arguments: str, folder: Path) -> tuple[int, str, str]:
    greeter = typer.Typer()
    greeter.command()(greet)
    where = ("--store", f"sqlite:///{folder}/store.db")
    done = CliRunner(env={"ANYTILL_KEYS__MASTER": "00" * 32}).invoke(greeter, [*arguments, *where])
    return done.exit_code, done.stdout, done.stderr


def test_a_function_becomes_a_command_over_a_store(tmp_path: Path) -> None:
    assert asked("Wang", folder=tmp_path) == (0, "greeting=Wang\n", "")
    code, printed, _ = asked("Wang", "--loud", "--json", folder=tmp_path)
    assert (code, json.loads(printed)) == (0, {"greeting": "Wang!"})
    assert "Greet somebody." in asked("--help", folder=tmp_path)[1]


def test_what_is_written_wrong_is_refused_before_the_store_is_made(tmp_path: Path) -> None:
    code, printed, said = asked("nobody", folder=tmp_path)
    assert (code, printed) == (2, "")
    assert "somebody is needed" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", GROUPS)
def test_all_commands_over_the_register_take_the_same_options(name: str) -> None:
    def inside(command: object) -> list[object]:
        found: dict[str, object] = getattr(command, "commands", {})
        return [each for one in found.values() for each in inside(one)] if found else [command]

    commands = inside(getattr(typer.main.get_command(app), "commands")[name])  # noqa: B009 - of a group
    assert commands
    for command in commands:
        options = {option for each in getattr(command, "params") for option in each.opts}  # noqa: B009 - as above
        assert {"--config", "--store", "--json"} <= options, command


def test_records_are_shown_in_words_and_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    records: list[dict[str, object]] = [{"a": 1, "on": True, "none": ""}, {"a": 2, "map": {"": "x", "k": "y"}}]
    for shown, words in (
        (Several(records, "nothing"), "a=1  on=yes\na=2  map=x,k:y\n"),
        (Parts({"one": records[:1], "other": records[1:]}), "one: a=1  on=yes\nother: a=2  map=x,k:y\n"),
    ):
        shown.show(as_json=False)
        assert capsys.readouterr().out == words
    Several(records, "nothing").show(as_json=True)
    assert json.loads(capsys.readouterr().out) == records
    Several([], "nothing", "more").show(as_json=False)
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "nothing\nmore\n")
