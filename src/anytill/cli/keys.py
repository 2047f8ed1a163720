"""Commands over keys: those that a merchant's tills share, and how any key is changed without a till falling silent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from anytill.cli import arguments
from anytill.cli.issuing import IssuedKey, Overlap, SecretEnv, SecretFile, Url, given_secret, rotating
from anytill.cli.records import One, Several, Shown, key_facts
from anytill.cli.stores import Task, actor, over_store

if TYPE_CHECKING:
    from anytill.bootstrap import Keeper

key = typer.Typer(help="Keys of agents, merchants and devices.", no_args_is_help=True)
merchant_key = typer.Typer(help="Keys that a merchant's tills share.", no_args_is_help=True)

DialectName = Annotated[str, typer.Argument(help="chaoying, teegon …")]
LoginName = Annotated[str, typer.Argument(help="The login that the key belongs to.")]


@merchant_key.command()
@over_store()
def add(
    merchant_id: arguments.MerchantId,
    dialect: Annotated[str, typer.Argument(help="A dialect whose keys are a merchant's: teegon.")],
    login: Annotated[str, typer.Option("--login", help="Default: a new one that looks like the vendor's.")] = "",
    secret_env: SecretEnv = "",
    secret_file: SecretFile = "",
    option: arguments.DialectOptions = None,
    url: Url = "",
) -> Task:
    """Add a key for a merchant's tills; it is printed once."""
    from anytill.core.merchant import Credential
    from anytill.dialects import Login

    found = arguments.dialect_of(dialect, Login.MERCHANT)
    wanted = arguments.login("--login", found, login) if login else ""
    given = given_secret(secret_env, secret_file)
    options = arguments.options_of(found, option or [])

    async def task(keeper: Keeper) -> Shown:
        await keeper.office.merchant(merchant_id)
        name = wanted or await keeper.devices.new_login(dialect, found.new_login)
        secret = given or keeper.devices.new_key(found.key)
        credential = Credential(dialect, name, secret, {"": merchant_id}, options=options)
        await keeper.devices.add_key(credential, actor())
        return IssuedKey(found, name, None if given else secret, url=url)

    return task


@key.command("list")
@over_store()
def list_keys(
    merchant_id: Annotated[str, typer.Option("--merchant", help="Those that speak for one merchant.")] = "",
) -> Task:
    """List the logins that have a key, and whom they speak for. No key is shown."""

    async def task(keeper: Keeper) -> Shown:
        return Several([key_facts(each) for each in await keeper.store.credentials(merchant_id)], "there are no keys")

    return task


@key.command()
@over_store()
def rotate(
    dialect: DialectName,
    login: LoginName,
    overlap: Overlap = 24,
    secret_env: SecretEnv = "",
    secret_file: SecretFile = "",
    url: Url = "",
) -> Task:
    """Give a login a new key, which is printed once; the old one counts for some hours more."""
    return rotating(arguments.dialect_of(dialect), "LOGIN", login, overlap, secret_env, secret_file, url)


@key.command()
@over_store()
def end(dialect: DialectName, login: LoginName) -> Task:
    """The old key of a login counts no more, although its hours are not over."""
    arguments.dialect_of(dialect)

    async def task(keeper: Keeper) -> Shown:
        await keeper.devices.end_former_key(dialect, login, actor())
        return await _shown(keeper, dialect, login)

    return task


@key.command()
@over_store()
def on(dialect: DialectName, login: LoginName) -> Task:
    """Accept a login's keys again; a device is switched on with its key."""
    return _switching(dialect, login, on=True)


@key.command()
@over_store()
def off(dialect: DialectName, login: LoginName) -> Task:
    """Refuse a login's keys; a device is switched off with its key."""
    return _switching(dialect, login, on=False)


def _switching(dialect: str, login: str, *, on: bool) -> Task:
    arguments.dialect_of(dialect)

    async def task(keeper: Keeper) -> Shown:
        await keeper.devices.switch_key(dialect, login, on=on, actor=actor())
        return await _shown(keeper, dialect, login)

    return task


async def _shown(keeper: Keeper, dialect: str, login: str) -> Shown:
    (known,) = [each for each in await keeper.store.credentials() if (each.dialect, each.login) == (dialect, login)]
    return One(key_facts(known))
