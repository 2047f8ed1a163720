"""Commands over merchants: what is said of them, whether they may take money, and which agents speak for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anytill.cli import arguments
from anytill.cli.arguments import AgentId, MerchantId
from anytill.cli.records import (
    One,
    Parts,
    Several,
    Shown,
    device_facts,
    key_facts,
    merchant_facts,
    operator_facts,
    shop_facts,
)
from anytill.cli.sentences import stop
from anytill.cli.stores import Task, actor, over_store

if TYPE_CHECKING:
    from anytill.bootstrap import Keeper
    from anytill.core.merchant import Merchant
    from anytill.dialects import Dialect

MOST_SHOWN = 10_000

merchant = typer.Typer(help="Merchants: a shop, or a chain that keeps one book.", no_args_is_help=True)

ShortName = Annotated[str | None, typer.Option("--short-name", help="Its name where there is little room.")]
Mobile = Annotated[str | None, typer.Option("--mobile", help="Of the person who answers for it; '' for none.")]
Username = Annotated[str | None, typer.Option("--username", help="That person's log-in name; '' for none.")]
PasswordFile = Annotated[str, typer.Option("--password-file", help="A file that holds that person's password.")]
MaxAmount = Annotated[str | None, typer.Option("--max-amount", help="Yuan or dollars; no single payment above it.")]
Currency = Annotated[
    str | None, typer.Option("--currency", help="CNY or HKD, of all its payments; fixed once there is one.")
]
Channels = Annotated[
    list[str] | None,
    typer.Option("--channel", help="WALLET=CHANNEL, or =CHANNEL for all others; again for more. WALLET= takes away."),
]
AgentsNumber = Annotated[str, typer.Argument(metavar="NUMBER", help="By which the agent calls the merchant.")]
OfDialect = Annotated[str, typer.Option("--dialect", "-d", help="Where the agent has keys of several.")]


@dataclass(frozen=True, slots=True)
class _Wish:
    """What is to be said of a merchant."""

    fields: Mapping[str, object]
    password: str
    channels: Mapping[str, str]  # of some wallets; an empty one is taken away

    @classmethod
    def read(cls, password_file: str, channel: list[str] | None, **given: str | None) -> _Wish:
        """As it was written; None stands for what is not given. Raises BadParameter."""
        checks: Mapping[str, Callable[[str], object]] = {
            "name": arguments.name,
            "short_name": arguments.name,
            "mobile": arguments.mobile,
            "username": arguments.username,
            "max_amount_fen": arguments.fen,
            "currency": arguments.currency,
        }
        fields = {name: checks[name](text) for name, text in given.items() if text is not None}
        return cls(fields, arguments.password_in(password_file), arguments.pairs(channel or [], "--channel"))

    def on(self, before: Merchant, keeper: Keeper) -> Merchant:
        """The merchant as wished. Raises SettingsError."""
        from anytill.bootstrap.directory import check_channels
        from anytill.core.records import changed

        wished: dict[str, Any] = dict(self.fields)
        if self.password:
            wished["password_hash"] = keeper.office.hashed(self.password)
        if self.channels:
            wished["channels"] = {wallet: name for wallet, name in {**before.channels, **self.channels}.items() if name}
            check_channels("--channel", wished["channels"], keeper.settings)
        return changed(before, **wished)


@merchant.command()
@over_store(create=True)
def add(
    merchant_id: MerchantId,
    name: Annotated[str, typer.Argument(help="What it is called.")],
    short_name: ShortName = None,
    mobile: Mobile = None,
    username: Username = None,
    password_file: PasswordFile = "",
    max_amount: MaxAmount = None,
    currency: Currency = None,
    channel: Channels = None,
    agent: Annotated[str, typer.Option("--agent", help="The agent that brings it in.")] = "",
) -> Task:
    """Add a merchant; it may take money at once. A store that is not there yet is made."""
    from anytill.core.merchant import Merchant

    first = Merchant(arguments.number(merchant_id), arguments.name(name), agent_id=agent)
    said = {"short_name": short_name, "mobile": mobile, "username": username}
    wish = _Wish.read(password_file, channel, **said, max_amount_fen=max_amount, currency=currency)

    async def task(keeper: Keeper) -> Shown:
        await keeper.office.refuse_unknown_agent(agent)
        new = wish.on(first, keeper)
        await keeper.office.add_merchant(new, actor())
        return One(merchant_facts(new))

    return task


@merchant.command("set")
@over_store()
def set_(
    merchant_id: MerchantId,
    name: Annotated[str | None, typer.Option("--name", help="What it is called.")] = None,
    short_name: ShortName = None,
    mobile: Mobile = None,
    username: Username = None,
    password_file: PasswordFile = "",
    max_amount: MaxAmount = None,
    currency: Currency = None,
    channel: Channels = None,
) -> Task:
    """Change what is said of a merchant; what is not given stays."""
    said = {"name": name, "short_name": short_name, "mobile": mobile, "username": username}
    wish = _Wish.read(password_file, channel, **said, max_amount_fen=max_amount, currency=currency)

    async def task(keeper: Keeper) -> Shown:
        before = await keeper.office.merchant(merchant_id)
        after = wish.on(before, keeper)
        if after.currency != before.currency and await keeper.store.has_payments(merchant_id):
            stop(2, f"refused: {merchant_id} has payments in {before.currency}, which stays")
        # What was changed is written down by name alone, for it may be a person's.
        names = [name for name in before.__slots__ if getattr(before, name) != getattr(after, name)]
        await keeper.office.set_merchant(before, after, actor(), "merchant.set", changed=", ".join(names))
        return One(merchant_facts(after))

    return task


@merchant.command()
@over_store()
def on(merchant_id: MerchantId) -> Task:
    """Let a merchant take money."""
    return _switching(merchant_id, "ON", "merchant.on")


@merchant.command()
@over_store()
def off(merchant_id: MerchantId) -> Task:
    """Refuse a merchant's new payments; queries and refunds go on."""
    return _switching(merchant_id, "OFF", "merchant.off")


@merchant.command()
@over_store()
def wait(merchant_id: MerchantId) -> Task:
    """Put a merchant back to where it waits to be let in."""
    return _switching(merchant_id, "WAITING", "merchant.wait")


@merchant.command()
@over_store()
def join(merchant_id: MerchantId, agent: AgentId, number: AgentsNumber, dialect: OfDialect = "") -> Task:
    """Let an agent speak for a merchant, under a number. A merchant that belongs to nobody is the agent's from then."""
    arguments.number(number)

    async def task(keeper: Keeper) -> Shown:
        of = await _dialect_of_agent(keeper, agent, dialect)
        if of.merchant_number is not None:
            arguments.spelled("NUMBER", number, of.merchant_number, f"a merchant's number of {of.name}")
        joined = await keeper.office.join(merchant_id, of.name, agent, number, actor())
        return One({**merchant_facts(joined), "number": number})

    return task


@merchant.command()
@over_store()
def leave(agent: AgentId, number: AgentsNumber, dialect: OfDialect = "") -> Task:
    """An agent speaks for the merchant of this number no more."""

    async def task(keeper: Keeper) -> Shown:
        of = await _dialect_of_agent(keeper, agent, dialect)
        left = await keeper.office.leave(of.name, agent, number, actor())
        return One({"agent_id": agent, "number": number, "merchant_id": left})

    return task


@merchant.command("list")
@over_store()
def list_merchants() -> Task:
    """List the merchants."""

    async def task(keeper: Keeper) -> Shown:
        found = [merchant_facts(each) for each in await keeper.store.merchants(MOST_SHOWN)]
        more = f"there may be more: the first {MOST_SHOWN:,} are listed" if len(found) == MOST_SHOWN else ""
        return Several(found, "there are no merchants", more)

    return task


@merchant.command()
@over_store()
def show(merchant_id: MerchantId) -> Task:
    """Show all that is known of a merchant: its shops, people, devices and keys too, but no secret."""

    async def task(keeper: Keeper) -> Shown:
        store = keeper.store
        found = await keeper.office.merchant(merchant_id)
        details = {f"details.{name}": text for name, text in found.details.items()}
        return Parts(
            {
                "merchant": [{**merchant_facts(found), **details}],
                "shops": [shop_facts(each) for each in await store.shops_of(merchant_id)],
                "operators": [operator_facts(each) for each in await store.operators_of(merchant_id)],
                "devices": [device_facts(each) for each in await store.devices(merchant_id)],
                "keys": [key_facts(each) for each in await store.credentials(merchant_id)],
            }
        )

    return task


def _switching(merchant_id: str, state: str, what: str) -> Task:
    async def task(keeper: Keeper) -> Shown:
        from anytill.core.merchant import MerchantState
        from anytill.core.records import changed

        before = await keeper.office.merchant(merchant_id)
        after = changed(before, state=MerchantState(state))
        await keeper.office.set_merchant(before, after, actor(), what)
        return One(merchant_facts(after))

    return task


async def _dialect_of_agent(keeper: Keeper, agent_id: str, wanted: str) -> Dialect:
    """In which dialect the agent has a key. Raises NotThere, BadParameter."""
    from anytill.dialects import Login, load_dialects
    from anytill.gateway.changes import NotThere

    if wanted:
        arguments.dialect_of(wanted, Login.AGENT)
    of_agents = {name: each for name, each in load_dialects().items() if each.signs is Login.AGENT}
    keys = await keeper.store.credentials()
    found = [key.dialect for key in keys if key.login == agent_id and key.dialect in of_agents]
    found = [each for each in found if wanted in ("", each)]
    if not found:
        raise NotThere(f"there is no agent {agent_id} with a key" + (f" of {wanted}" if wanted else ""))
    if len(found) > 1:
        raise typer.BadParameter(f"agent {agent_id} has keys of {', '.join(found)}: give --dialect")
    return of_agents[found[0]]
