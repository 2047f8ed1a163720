"""Commands over a merchant's shops and the people at its tills."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from anytill.cli import arguments
from anytill.cli.arguments import MerchantId
from anytill.cli.records import One, Several, Shown, operator_facts, shop_facts
from anytill.cli.stores import Task, actor, over_store

if TYPE_CHECKING:
    from anytill.bootstrap import Keeper

shop = typer.Typer(help="A merchant's shops.", no_args_is_help=True)
operator = typer.Typer(help="The people at a merchant's tills.", no_args_is_help=True)

ShopId = Annotated[str, typer.Argument(help="The shop's number.")]
OperatorId = Annotated[str, typer.Argument(help="The person's number at the till.")]
Name = Annotated[str, typer.Argument(help="What it is called.")]


@shop.command("add")
@over_store()
def add_shop(merchant_id: MerchantId, shop_id: ShopId, name: Name) -> Task:
    """Add one of a merchant's shops."""
    from anytill.core.device import Shop

    new = Shop(merchant_id, arguments.number(shop_id), arguments.name(name))

    async def task(keeper: Keeper) -> Shown:
        await keeper.office.add_shop(new, actor())
        return One(shop_facts(new))

    return task


@shop.command("list")
@over_store()
def list_shops(merchant_id: MerchantId) -> Task:
    """List a merchant's shops."""

    async def task(keeper: Keeper) -> Shown:
        await keeper.office.merchant(merchant_id)
        return Several([shop_facts(each) for each in await keeper.store.shops_of(merchant_id)], "there are no shops")

    return task


@operator.command("add")
@over_store()
def add_operator(
    merchant_id: MerchantId,
    operator_id: OperatorId,
    name: Name,
    shop_id: Annotated[str, typer.Option("--shop", help="The shop where this person works.")] = "",
) -> Task:
    """Add a person at a merchant's tills."""
    from anytill.core.device import Operator

    new = Operator(merchant_id, arguments.number(operator_id), arguments.name(name), shop_id)

    async def task(keeper: Keeper) -> Shown:
        await keeper.office.add_operator(new, actor())
        return One(operator_facts(new))

    return task


@operator.command("list")
@over_store()
def list_operators(merchant_id: MerchantId) -> Task:
    """List the people at a merchant's tills."""

    async def task(keeper: Keeper) -> Shown:
        await keeper.office.merchant(merchant_id)
        found = await keeper.store.operators_of(merchant_id)
        return Several([operator_facts(each) for each in found], "there are no operators")

    return task


@operator.command("on")
@over_store()
def operator_on(merchant_id: MerchantId, operator_id: OperatorId) -> Task:
    """A person works here again."""
    return _switching(merchant_id, operator_id, on=True)


@operator.command("off")
@over_store()
def operator_off(merchant_id: MerchantId, operator_id: OperatorId) -> Task:
    """A person works here no more."""
    return _switching(merchant_id, operator_id, on=False)


def _switching(merchant_id: str, operator_id: str, *, on: bool) -> Task:
    async def task(keeper: Keeper) -> Shown:
        return One(operator_facts(await keeper.office.switch_operator(merchant_id, operator_id, on=on, actor=actor())))

    return task
