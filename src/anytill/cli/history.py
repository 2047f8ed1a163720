"""What was done to agents, merchants, devices and keys, and by whom."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anytill.cli.records import Several, Shown, act_facts
from anytill.cli.stores import Task, over_store

if TYPE_CHECKING:
    from anytill.bootstrap import Keeper


@over_store()
def history(
    merchant_id: Annotated[str, typer.Option("--merchant", help="What was done to one merchant.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="So many at most.")] = 100,
) -> Task:
    """Tell what was done to agents, merchants, devices and keys, and by whom; the newest first."""

    async def task(keeper: Keeper) -> Shown:
        return Several([act_facts(each) for each in await keeper.store.acts(limit, merchant_id)], "nothing was done")

    return task


COMMANDS: list[Callable[..., Any]] = [history]
