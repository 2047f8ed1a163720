"""What was done to agents, merchants, devices and keys, and by whom."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anytill.cli import office as desk
from anytill.cli.keeping import ConfigFile, StoreUrl
from anytill.cli.office import AsJson
from anytill.cli.records import act_facts

if TYPE_CHECKING:
    from anytill.bootstrap import Keeping


def history(
    merchant_id: Annotated[str, typer.Option("--merchant", help="What was done to one merchant.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="So many at most.")] = 100,
    config: ConfigFile = None,
    store: StoreUrl = "",
    as_json: AsJson = False,
) -> None:
    """Tell what was done to agents, merchants, devices and keys, and by whom; the newest first."""

    async def task(keeping: Keeping) -> list[dict[str, object]]:
        return [act_facts(each) for each in await keeping.store.acts(limit, merchant_id)]

    desk.show_all(desk.kept(config, store, task), "nothing was done", as_json=as_json)


COMMANDS: list[Callable[..., Any]] = [history]
