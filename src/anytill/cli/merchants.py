"""Commands over merchants: what is said of them, whether they may take money, and which agents speak for them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anytill.cli import office as desk
from anytill.cli.keeping import ConfigFile, StoreUrl
from anytill.cli.office import AsJson
from anytill.cli.records import device_facts, key_facts, merchant_facts, operator_facts, shop_facts
from anytill.cli.sentences import say, stop

if TYPE_CHECKING:
    from anytill.bootstrap import Keeping
    from anytill.core.merchant import Merchant

MOST_SHOWN = 10_000

merchant = typer.Typer(help="Merchants: a shop, or a chain that keeps one book.", no_args_is_help=True)

MerchantId = Annotated[str, typer.Argument(help="The merchant's number here.")]
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
AgentId = Annotated[str, typer.Argument(help="The agent's number: its login.")]
AgentsNumber = Annotated[str, typer.Argument(metavar="NUMBER", help="By which the agent calls the merchant.")]
OfDialect = Annotated[str, typer.Option("--dialect", "-d", help="Where the agent has keys of several.")]


@dataclass(frozen=True, slots=True)
class _Wish:
    """What is to be said of a merchant; None and empty stand for what is not given."""

    name: str | None = None
    short_name: str | None = None
    mobile: str | None = None
    username: str | None = None
    password_file: str = ""
    max_amount: str | None = None
    currency: str | None = None
    channel: list[str] | None = None

    def on(self, before: Merchant, keeping: Keeping) -> Merchant:
        """The merchant as wished. Raises BadParameter, SettingsError."""
        from anytill.bootstrap.directory import check_channels
        from anytill.core.records import changed

        wished: dict[str, Any] = {}
        wished |= {} if self.name is None else {"name": desk.name(self.name)}
        wished |= {} if self.short_name is None else {"short_name": desk.name(self.short_name)}
        wished |= {} if self.mobile is None else {"mobile": desk.mobile(self.mobile)}
        wished |= {} if self.username is None else {"username": self.username and desk.number(self.username)}
        wished |= {} if self.max_amount is None else {"max_amount_fen": desk.fen(self.max_amount)}
        wished |= {} if self.currency is None else {"currency": desk.currency(self.currency)}
        if self.password_file:
            wished["password_hash"] = keeping.office.hashed(desk.password_in(self.password_file))
        if self.channel:
            channels = {**before.channels, **desk.pairs(self.channel, "--channel")}
            wished["channels"] = {wallet: channel for wallet, channel in channels.items() if channel}
            check_channels("--channel", wished["channels"], keeping.settings)
        return changed(before, **wished)


@merchant.command()
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
    config: ConfigFile = None,
    store: StoreUrl = "",
    as_json: AsJson = False,
) -> None:
    """Add a merchant; it may take money at once. A store that is not there yet is made."""
    from anytill.core.merchant import Merchant

    first = Merchant(desk.number(merchant_id), desk.name(name), agent_id=agent)
    wish = _Wish(None, short_name, mobile, username, password_file, max_amount, currency, channel)

    async def task(keeping: Keeping) -> Merchant:
        await _refuse_unknown_agent(keeping, agent)
        new = wish.on(first, keeping)
        await _refuse_taken(keeping, new)
        await keeping.office.add_merchant(new, desk.actor())
        return new

    desk.show(merchant_facts(desk.kept(config, store, task, create=True)), as_json=as_json)


@merchant.command("set")
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
    config: ConfigFile = None,
    store: StoreUrl = "",
    as_json: AsJson = False,
) -> None:
    """Change what is said of a merchant; what is not given stays."""
    wish = _Wish(name, short_name, mobile, username, password_file, max_amount, currency, channel)

    async def task(keeping: Keeping) -> Merchant:
        before = await keeping.office.merchant(merchant_id)
        after = wish.on(before, keeping)
        if after.currency != before.currency and await keeping.store.has_payments(merchant_id):
            stop(2, f"refused: {merchant_id} has payments in {before.currency}, which stays")
        return await _changed(keeping, before, after, "merchant.set")

    desk.show(merchant_facts(desk.kept(config, store, task)), as_json=as_json)


@merchant.command()
def on(merchant_id: MerchantId, config: ConfigFile = None, store: StoreUrl = "", as_json: AsJson = False) -> None:
    """Let a merchant take money."""
    _switch(merchant_id, "ON", config, store, as_json=as_json)


@merchant.command()
def off(merchant_id: MerchantId, config: ConfigFile = None, store: StoreUrl = "", as_json: AsJson = False) -> None:
    """Refuse a merchant's new payments; queries and refunds go on."""
    _switch(merchant_id, "OFF", config, store, as_json=as_json)


@merchant.command()
def wait(merchant_id: MerchantId, config: ConfigFile = None, store: StoreUrl = "", as_json: AsJson = False) -> None:
    """Put a merchant back to where it waits to be let in."""
    _switch(merchant_id, "WAITING", config, store, as_json=as_json)


@merchant.command()
def join(
    merchant_id: MerchantId,
    agent: AgentId,
    number: AgentsNumber,
    dialect: OfDialect = "",
    config: ConfigFile = None,
    store: StoreUrl = "",
    as_json: AsJson = False,
) -> None:
    """Let an agent speak for a merchant, under a number. A merchant that belongs to nobody is the agent's from then."""
    from anytill.core.records import changed
    from anytill.gateway.office import AlreadyThere

    desk.number(number)

    async def task(keeping: Keeping) -> Merchant:
        before = await keeping.office.merchant(merchant_id)
        of = await _dialect_of_agent(keeping, agent, dialect)
        if number in (await desk.credential(keeping, of, agent)).merchants:
            raise AlreadyThere(f"agent {agent} has a merchant {number} already")
        after = before if before.agent_id else changed(before, agent_id=agent)
        if after != before:
            after = await _changed(keeping, before, after, "merchant.set")
        act = keeping.office.act(desk.actor(), "merchant.join", merchant_id, merchant_id, agent=agent, number=number)
        if not await keeping.store.add_mandate(of, agent, number, merchant_id, act):
            raise AlreadyThere(f"agent {agent} has a merchant {number} already")
        return after

    desk.show({**merchant_facts(desk.kept(config, store, task)), "number": number}, as_json=as_json)


@merchant.command()
def leave(
    agent: AgentId, number: AgentsNumber, dialect: OfDialect = "", config: ConfigFile = None, store: StoreUrl = ""
) -> None:
    """An agent speaks for the merchant of this number no more."""
    from anytill.gateway.office import NotThere

    async def task(keeping: Keeping) -> str:
        of = await _dialect_of_agent(keeping, agent, dialect)
        credential = await keeping.store.credential(of, agent)
        merchant_id = credential.merchants.get(number, "") if credential else ""
        act = keeping.office.act(desk.actor(), "merchant.leave", merchant_id, merchant_id, agent=agent, number=number)
        if not (merchant_id and await keeping.store.drop_mandate(of, agent, number, act)):
            raise NotThere(f"agent {agent} has no merchant {number}")
        return merchant_id

    typer.echo(f"agent {agent} speaks for {desk.kept(config, store, task)} no more")


@merchant.command("list")
def list_merchants(config: ConfigFile = None, store: StoreUrl = "", as_json: AsJson = False) -> None:
    """List the merchants."""

    async def task(keeping: Keeping) -> list[dict[str, object]]:
        return [merchant_facts(each) for each in await keeping.store.merchants(MOST_SHOWN)]

    found = desk.kept(config, store, task)
    desk.show_all(found, "there are no merchants", as_json=as_json)
    if len(found) == MOST_SHOWN:
        say(f"there may be more: the first {MOST_SHOWN:,} are listed")


@merchant.command()
def show(merchant_id: MerchantId, config: ConfigFile = None, store: StoreUrl = "", as_json: AsJson = False) -> None:
    """Show all that is known of a merchant: its shops, people, devices and keys too, but no secret."""

    async def task(keeping: Keeping) -> dict[str, list[dict[str, object]]]:
        store = keeping.store
        found = await keeping.office.merchant(merchant_id)
        return {
            "merchant": [
                {**merchant_facts(found), **{f"details.{name}": text for name, text in found.details.items()}}
            ],
            "shops": [shop_facts(each) for each in await store.shops_of(merchant_id)],
            "operators": [operator_facts(each) for each in await store.operators_of(merchant_id)],
            "devices": [device_facts(each) for each in await store.devices(merchant_id)],
            "keys": [key_facts(each) for each in await store.credentials(merchant_id)],
        }

    desk.show_parts(desk.kept(config, store, task), as_json=as_json)


def _switch(merchant_id: str, state: str, config: Path | None, store: str, *, as_json: bool) -> None:
    from anytill.core.merchant import MerchantState
    from anytill.core.records import changed

    what = {"ON": "merchant.on", "OFF": "merchant.off", "WAITING": "merchant.wait"}[state]

    async def task(keeping: Keeping) -> Merchant:
        before = await keeping.office.merchant(merchant_id)
        return await _changed(keeping, before, changed(before, state=MerchantState(state)), what)

    desk.show(merchant_facts(desk.kept(config, store, task)), as_json=as_json)


async def _changed(keeping: Keeping, before: Merchant, after: Merchant, what: str) -> Merchant:
    """Replace a merchant; what was changed is written down by name alone, for it may be a person's."""
    await _refuse_taken(keeping, after)
    names = [name for name in before.__slots__ if getattr(before, name) != getattr(after, name)]
    about = {"changed": ", ".join(names)} if what == "merchant.set" else {}
    if not await keeping.office.change_merchant(before, after, desk.actor(), what, **about):
        stop(2, f"refused: {before.merchant_id} was changed by somebody else at this moment: look, and try again")
    return after


async def _refuse_taken(keeping: Keeping, merchant: Merchant) -> None:
    """An agent knows one merchant by a mobile, and one by a user name. Raises AlreadyThere."""
    from anytill.gateway.office import AlreadyThere

    for what, value, found in (
        ("mobile", merchant.mobile, keeping.store.merchant_by_mobile),
        ("user name", merchant.username, keeping.store.merchant_by_username),
    ):
        other = await found(merchant.agent_id, value) if value else None
        if other is not None and other.merchant_id != merchant.merchant_id:
            raise AlreadyThere(f"{other.merchant_id} of the same agent has this {what} already")


async def _refuse_unknown_agent(keeping: Keeping, agent_id: str) -> None:
    from anytill.gateway.office import NotThere

    if agent_id and agent_id not in {each.agent_id for each in await keeping.store.agents()}:
        raise NotThere(f"there is no agent {agent_id}")


async def _dialect_of_agent(keeping: Keeping, agent_id: str, wanted: str) -> str:
    """In which dialect the agent has a key. Raises NotThere, BadParameter."""
    from anytill.dialects import Login, load_dialects
    from anytill.gateway.office import NotThere

    if wanted:
        desk.dialect_of(wanted, Login.AGENT)
    agents = {name for name, each in load_dialects().items() if each.signs is Login.AGENT}
    keys = await keeping.store.credentials()
    found = [key.dialect for key in keys if key.login == agent_id and key.dialect in agents]
    found = [each for each in found if wanted in ("", each)]
    if not found:
        raise NotThere(f"there is no agent {agent_id} with a key" + (f" of {wanted}" if wanted else ""))
    if len(found) > 1:
        raise typer.BadParameter(f"agent {agent_id} has keys of {', '.join(found)}: give --dialect")
    return found[0]
