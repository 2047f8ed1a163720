"""Commands over a merchant's shops and the people at its tills."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anytill.cli import office as desk
from anytill.cli.keeping import ConfigFile, StoreUrl
from anytill.cli.office import AsJson
from anytill.cli.records import operator_facts, shop_facts

if TYPE_CHECKING:
    from anytill.bootstrap import Keeping
    from anytill.core.device import Operator, Shop

shop = typer.Typer(help="A merchant's shops.", no_args_is_help=True)
operator = typer.Typer(help="The people at a merchant's tills.", no_args_is_help=True)

MerchantId = Annotated[str, typer.Argument(help="The merchant's number here.")]
ShopId = Annotated[str, typer.Argument(help="The shop's number.")]
OperatorId = Annotated[str, typer.Argument(help="The person's number at the till.")]
Name = Annotated[str, typer.Argument(help="What it is called.")]


@shop.command("add")
def add_shop(
    merchant_id: MerchantId,
    shop_id: ShopId,
    name: Name,
    config: ConfigFile = None,
    store: StoreUrl = "",
    as_json: AsJson = False,
) -> None:
    """Add one of a merchant's shops."""
    from anytill.core.device import Shop
    from anytill.gateway.office import AlreadyThere

    new = Shop(merchant_id, desk.number(shop_id), desk.name(name))

    async def task(keeping: Keeping) -> Shop:
        await keeping.office.merchant(merchant_id)
        act = keeping.office.act(desk.actor(), "shop.add", shop_id, merchant_id, name=name)
        if not await keeping.store.add_shop(new, act):
            raise AlreadyThere(f"there is a shop {shop_id} of {merchant_id} already")
        return new

    desk.show(shop_facts(desk.kept(config, store, task)), as_json=as_json)


@shop.command("list")
def list_shops(
    merchant_id: MerchantId, config: ConfigFile = None, store: StoreUrl = "", as_json: AsJson = False
) -> None:
    """List a merchant's shops."""

    async def task(keeping: Keeping) -> list[dict[str, object]]:
        await keeping.office.merchant(merchant_id)
        return [shop_facts(each) for each in await keeping.store.shops_of(merchant_id)]

    desk.show_all(desk.kept(config, store, task), "there are no shops", as_json=as_json)


@operator.command("add")
def add_operator(
    merchant_id: MerchantId,
    operator_id: OperatorId,
    name: Name,
    shop_id: Annotated[str, typer.Option("--shop", help="The shop where this person works.")] = "",
    config: ConfigFile = None,
    store: StoreUrl = "",
    as_json: AsJson = False,
) -> None:
    """Add a person at a merchant's tills."""
    from anytill.core.device import Operator
    from anytill.gateway.office import AlreadyThere

    new = Operator(merchant_id, desk.number(operator_id), desk.name(name), shop_id)

    async def task(keeping: Keeping) -> Operator:
        await keeping.office.merchant(merchant_id)
        await desk.refuse_unknown_shop(keeping, merchant_id, shop_id)
        act = keeping.office.act(desk.actor(), "operator.add", operator_id, merchant_id, name=name)
        if not await keeping.store.add_operator(new, act):
            raise AlreadyThere(f"there is an operator {operator_id} of {merchant_id} already")
        return new

    desk.show(operator_facts(desk.kept(config, store, task)), as_json=as_json)


@operator.command("list")
def list_operators(
    merchant_id: MerchantId, config: ConfigFile = None, store: StoreUrl = "", as_json: AsJson = False
) -> None:
    """List the people at a merchant's tills."""

    async def task(keeping: Keeping) -> list[dict[str, object]]:
        await keeping.office.merchant(merchant_id)
        return [operator_facts(each) for each in await keeping.store.operators_of(merchant_id)]

    desk.show_all(desk.kept(config, store, task), "there are no operators", as_json=as_json)


@operator.command("on")
def operator_on(
    merchant_id: MerchantId,
    operator_id: OperatorId,
    config: ConfigFile = None,
    store: StoreUrl = "",
    as_json: AsJson = False,
) -> None:
    """A person works here again."""
    _switch(merchant_id, operator_id, config, store, on=True, as_json=as_json)


@operator.command("off")
def operator_off(
    merchant_id: MerchantId,
    operator_id: OperatorId,
    config: ConfigFile = None,
    store: StoreUrl = "",
    as_json: AsJson = False,
) -> None:
    """A person works here no more."""
    _switch(merchant_id, operator_id, config, store, on=False, as_json=as_json)


def _switch(merchant_id: str, operator_id: str, config: Path | None, store: str, *, on: bool, as_json: bool) -> None:
    from anytill.core.records import changed
    from anytill.gateway.office import ChangedMeanwhile, NotThere

    async def task(keeping: Keeping) -> Operator:
        known = {each.operator_id: each for each in await keeping.store.operators_of(merchant_id)}
        if operator_id not in known:
            raise NotThere(f"there is no operator {operator_id} of {merchant_id}")
        after = changed(known[operator_id], active=on)
        what = "operator.on" if on else "operator.off"
        act = keeping.office.act(desk.actor(), what, operator_id, merchant_id)
        if not await keeping.store.move_operator(known[operator_id], after, act):
            raise ChangedMeanwhile(f"operator {operator_id} was changed by somebody else at this moment: try again")
        return after

    desk.show(operator_facts(desk.kept(config, store, task)), as_json=as_json)
