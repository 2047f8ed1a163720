"""Commands over devices: tills that sign for themselves, and pay boxes that an agent's key speaks for.

How a device comes by its key is its vendor's affair: where the published sandbox credential has an activation code, the
device fetches the key with one; elsewhere the key, and a password where the vendor has one, are typed in.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anytill.cli import office as desk
from anytill.cli.keeping import ConfigFile, StoreUrl
from anytill.cli.office import AsJson, IssuedKey, Overlap, SecretEnv, SecretFile, Url
from anytill.cli.records import device_facts
from anytill.cli.sentences import say, stop

if TYPE_CHECKING:
    from anytill.bootstrap import Keeping
    from anytill.dialects import Dialect

PASSWORD_LENGTH = 16

device = typer.Typer(help="Tills that sign for themselves, and pay boxes.", no_args_is_help=True)

DialectName = Annotated[str, typer.Argument(help="semoor, yst …; chaoying for pay boxes.")]
DeviceId = Annotated[str, typer.Argument(help="The device's number.")]


@device.command()
def add(
    dialect: DialectName,
    merchant_id: Annotated[str, typer.Argument(help="The merchant's number here.")],
    device_id: Annotated[str, typer.Option("--number", help="Default: a new one that looks like the vendor's.")] = "",
    name: Annotated[str, typer.Option("--name", help="What people call it.")] = "",
    shop_id: Annotated[str, typer.Option("--shop", help="The shop where it stands.")] = "",
    option: Annotated[
        list[str] | None, typer.Option("--option", help="NAME=VALUE, a switch of the dialect. Again for more.")
    ] = None,
    url: Url = "",
    config: ConfigFile = None,
    store: StoreUrl = "",
    as_json: AsJson = False,
) -> None:
    """Add a device; what it must be told is printed once."""
    from anytill.core.device import Device
    from anytill.core.secret import Secret
    from anytill.dialects import Login

    found = desk.dialect_of(dialect)
    signs = found.signs is Login.DEVICE
    if not (device_id or signs):
        raise typer.BadParameter(f"a device of {dialect} has no key of its own, so its number must be given: --number")
    wanted = _number(device_id) if device_id else ""
    named = desk.name(name) if name else ""
    if option and not signs:
        raise typer.BadParameter(f"a device of {dialect} has no key of its own, and options belong to a key")
    options = desk.options_of(found, option or [])

    async def task(keeping: Keeping) -> IssuedKey:
        await desk.refuse_unknown_shop(keeping, merchant_id, shop_id)
        number = wanted or await desk.new_login(keeping, found)
        new = Device(found.name, number, merchant_id, named, shop_id)
        password = Secret(keeping.chance.token(PASSWORD_LENGTH)) if found.sandbox.password else None
        key = found.key if signs else None
        issued = await keeping.office.add_device(new, key, desk.actor(), password=password, options=options)
        if issued is None:
            return IssuedKey(found, new.device_id)
        if found.sandbox.activation_code:
            code = await keeping.office.new_code(issued.device, found.key, desk.actor())
            return IssuedKey(found, new.device_id, activation_code=code)
        return IssuedKey(found, new.device_id, issued.credential.secret, password)

    told = desk.kept(config, store, task)
    if signs:
        _show_issued(told, url, as_json=as_json)
    else:
        desk.show({"dialect": dialect, "device_id": told.login}, as_json=as_json)


@device.command()
def code(
    dialect: DialectName,
    device_id: DeviceId,
    url: Url = "",
    config: ConfigFile = None,
    store: StoreUrl = "",
    as_json: AsJson = False,
) -> None:
    """Print a new activation code; it voids the one before. Once the device has fetched its key with a code, the next
    code brings it a new key, and the old one counts for a day more."""
    found = _activated_by_code(dialect)

    async def task(keeping: Keeping) -> IssuedKey:
        device = await keeping.office.device(dialect, device_id)
        new = await keeping.office.new_code(device, found.key, desk.actor())
        return IssuedKey(found, device_id, activation_code=new)

    _show_issued(desk.kept(config, store, task), url, as_json=as_json)


@device.command()
def rotate(
    dialect: DialectName,
    device_id: DeviceId,
    overlap: Overlap = 24,
    secret_env: SecretEnv = "",
    secret_file: SecretFile = "",
    url: Url = "",
    config: ConfigFile = None,
    store: StoreUrl = "",
    as_json: AsJson = False,
) -> None:
    """Give a device a new key; the old one counts for some hours more."""
    from anytill.dialects import Login

    found = desk.dialect_of(dialect, Login.DEVICE)
    if found.sandbox.activation_code:
        stop(
            2, f"anytill: a device of {dialect} fetches its new key itself: `anytill device code {dialect} {device_id}`"
        )
    given = desk.given_secret(secret_env, secret_file)

    async def task(keeping: Keeping) -> IssuedKey:
        await keeping.office.device(dialect, device_id)
        return await desk.rotated(keeping, found, device_id, overlap, given)

    desk.kept(config, store, task).show(url, as_json=as_json)


@device.command()
def on(
    dialect: DialectName, device_id: DeviceId, config: ConfigFile = None, store: StoreUrl = "", as_json: AsJson = False
) -> None:
    """Switch a device on again, its key with it."""
    _switch(dialect, device_id, config, store, on=True, as_json=as_json)


@device.command()
def off(
    dialect: DialectName, device_id: DeviceId, config: ConfigFile = None, store: StoreUrl = "", as_json: AsJson = False
) -> None:
    """Switch a device off, its key with it: it is refused from then on."""
    _switch(dialect, device_id, config, store, on=False, as_json=as_json)


@device.command("list")
def list_devices(
    merchant_id: Annotated[str, typer.Option("--merchant", help="Those of one merchant.")] = "",
    config: ConfigFile = None,
    store: StoreUrl = "",
    as_json: AsJson = False,
) -> None:
    """List the devices, and when each was last heard."""

    async def task(keeping: Keeping) -> list[dict[str, object]]:
        seen = {(each.dialect, each.login): each for each in await keeping.store.sightings()}
        found = await keeping.store.devices(merchant_id)
        return [device_facts(each, seen.get((each.dialect, each.device_id))) for each in found]

    desk.show_all(desk.kept(config, store, task), "there are no devices", as_json=as_json)


@device.command()
def show(
    dialect: DialectName, device_id: DeviceId, config: ConfigFile = None, store: StoreUrl = "", as_json: AsJson = False
) -> None:
    """Show a device, and when it was last heard."""
    desk.show(desk.kept(config, store, lambda keeping: _facts(keeping, dialect, device_id)), as_json=as_json)


def _switch(dialect: str, device_id: str, config: Path | None, store: str, *, on: bool, as_json: bool) -> None:
    async def task(keeping: Keeping) -> dict[str, object]:
        found = await keeping.office.device(dialect, device_id)
        await keeping.office.switch_device(found, on=on, actor=desk.actor())
        return await _facts(keeping, dialect, device_id)

    desk.show(desk.kept(config, store, task), as_json=as_json)


async def _facts(keeping: Keeping, dialect: str, device_id: str) -> dict[str, object]:
    found = await keeping.office.device(dialect, device_id)
    seen = [each for each in await keeping.store.sightings() if (each.dialect, each.login) == (dialect, device_id)]
    details = {f"details.{name}": text for name, text in found.details.items()}
    return {**device_facts(found, seen[0] if seen else None), **details}


def _activated_by_code(dialect: str) -> Dialect:
    from anytill.dialects import Login

    found = desk.dialect_of(dialect, Login.DEVICE)
    if not found.sandbox.activation_code:
        stop(2, f"anytill: a device of {dialect} has no activation code: `anytill device rotate` gives it a new key")
    return found


def _number(text: str) -> str:
    """A device's number. Some vendors compare them without case, so that none is told from another by it."""
    if text != text.lower():
        raise typer.BadParameter(f"{text!r}: write a device's number in lower case")
    return desk.login(text)


def _show_issued(told: IssuedKey, url: str, *, as_json: bool) -> None:
    told.show(url, as_json=as_json)
    if told.activation_code:
        say("the code works once, within 15 minutes")
