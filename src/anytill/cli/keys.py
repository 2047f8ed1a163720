"""Commands over keys: those that a merchant's tills share, and how any key is changed without a till falling silent."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anytill.cli import office as desk
from anytill.cli.keeping import ConfigFile, StoreUrl
from anytill.cli.office import AsJson, IssuedKey, Overlap, SecretEnv, SecretFile, Url
from anytill.cli.records import key_facts

if TYPE_CHECKING:
    from anytill.bootstrap import Keeping

key = typer.Typer(help="Keys of agents, merchants and devices.", no_args_is_help=True)
merchant_key = typer.Typer(help="Keys that a merchant's tills share.", no_args_is_help=True)

DialectName = Annotated[str, typer.Argument(help="chaoying, teegon …")]
LoginName = Annotated[str, typer.Argument(help="The login that the key belongs to.")]


@merchant_key.command()
def add(
    merchant_id: Annotated[str, typer.Argument(help="The merchant's number here.")],
    dialect: Annotated[str, typer.Argument(help="A dialect whose keys are a merchant's: teegon.")],
    login: Annotated[str, typer.Option("--login", help="Default: a new one that looks like the vendor's.")] = "",
    secret_env: SecretEnv = "",
    secret_file: SecretFile = "",
    option: Annotated[
        list[str] | None, typer.Option("--option", help="NAME=VALUE, a switch of the dialect. Again for more.")
    ] = None,
    url: Url = "",
    config: ConfigFile = None,
    store: StoreUrl = "",
    as_json: AsJson = False,
) -> None:
    """Add a key for a merchant's tills; it is printed once."""
    from anytill.core.merchant import Credential
    from anytill.dialects import Login

    found = desk.dialect_of(dialect, Login.MERCHANT)
    wanted = desk.login(login) if login else ""
    given = desk.given_secret(secret_env, secret_file)
    options = desk.options_of(found, option or [])

    async def task(keeping: Keeping) -> IssuedKey:
        await keeping.office.merchant(merchant_id)
        name = wanted or await desk.new_login(keeping, found)
        secret = given or desk.new_secret(keeping, found)
        credential = Credential(dialect, name, secret, {"": merchant_id}, options=options)
        await keeping.office.add_key(credential, desk.actor())
        return IssuedKey(found, name, None if given else secret)

    desk.kept(config, store, task).show(url, as_json=as_json)


@key.command("list")
def list_keys(
    merchant_id: Annotated[str, typer.Option("--merchant", help="Those that speak for one merchant.")] = "",
    config: ConfigFile = None,
    store: StoreUrl = "",
    as_json: AsJson = False,
) -> None:
    """List the logins that have a key, and whom they speak for. No key is shown."""

    async def task(keeping: Keeping) -> list[dict[str, object]]:
        return [key_facts(each) for each in await keeping.store.credentials(merchant_id)]

    desk.show_all(desk.kept(config, store, task), "there are no keys", as_json=as_json)


@key.command()
def rotate(
    dialect: DialectName,
    login: LoginName,
    overlap: Overlap = 24,
    secret_env: SecretEnv = "",
    secret_file: SecretFile = "",
    url: Url = "",
    config: ConfigFile = None,
    store: StoreUrl = "",
    as_json: AsJson = False,
) -> None:
    """Give a login a new key, which is printed once; the old one counts for some hours more."""
    found = desk.dialect_of(dialect)
    desk.login(login)
    if found.sandbox.activation_code:
        desk.stop_for_code(dialect, login)
    given = desk.given_secret(secret_env, secret_file)
    told = desk.kept(config, store, lambda keeping: desk.rotated(keeping, found, login, overlap, given))
    told.show(url, as_json=as_json)


@key.command()
def end(
    dialect: DialectName, login: LoginName, config: ConfigFile = None, store: StoreUrl = "", as_json: AsJson = False
) -> None:
    """The old key of a login counts no more, although its hours are not over."""
    desk.dialect_of(dialect)

    async def task(keeping: Keeping) -> dict[str, object]:
        await keeping.office.end_former_key(dialect, login, desk.actor())
        return await _facts(keeping, dialect, login)

    desk.show(desk.kept(config, store, task), as_json=as_json)


@key.command()
def on(
    dialect: DialectName, login: LoginName, config: ConfigFile = None, store: StoreUrl = "", as_json: AsJson = False
) -> None:
    """Accept a login's keys again; a device is switched on with its key."""
    _switch(dialect, login, config, store, on=True, as_json=as_json)


@key.command()
def off(
    dialect: DialectName, login: LoginName, config: ConfigFile = None, store: StoreUrl = "", as_json: AsJson = False
) -> None:
    """Refuse a login's keys; a device is switched off with its key."""
    _switch(dialect, login, config, store, on=False, as_json=as_json)


def _switch(dialect: str, login: str, config: Path | None, store: str, *, on: bool, as_json: bool) -> None:
    desk.dialect_of(dialect)

    async def task(keeping: Keeping) -> dict[str, object]:
        await keeping.office.switch_key(dialect, login, on=on, actor=desk.actor())
        return await _facts(keeping, dialect, login)

    desk.show(desk.kept(config, store, task), as_json=as_json)


async def _facts(keeping: Keeping, dialect: str, login: str) -> dict[str, object]:
    (known,) = [each for each in await keeping.store.credentials() if (each.dialect, each.login) == (dialect, login)]
    return key_facts(known)
