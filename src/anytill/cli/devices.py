"""Commands over devices: tills that sign for themselves, and pay boxes that an agent's key speaks for.

How a device comes by its key is its vendor's affair, which the dialect's record tells: it fetches the key with a code,
or the key, and a password where the vendor has one, are typed in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from anytill.cli import arguments
from anytill.cli.issuing import IssuedKey, Overlap, SecretEnv, SecretFile, Url, fetches_its_key, rotating
from anytill.cli.records import One, Several, Shown, device_facts
from anytill.cli.sentences import stop
from anytill.cli.stores import Task, actor, over_store

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anytill.bootstrap import Keeper
    from anytill.core.device import Device
    from anytill.dialects import Dialect

PASSWORD_LENGTH = 16

device = typer.Typer(help="Tills that sign for themselves, and pay boxes.", no_args_is_help=True)

DialectName = Annotated[str, typer.Argument(help="semoor, yst …; chaoying for pay boxes.")]
DeviceId = Annotated[str, typer.Argument(help="The device's number.")]


@device.command()
@over_store()
def add(
    dialect: DialectName,
    merchant_id: arguments.MerchantId,
    device_id: Annotated[str, typer.Option("--number", help="Default: a new one that looks like the vendor's.")] = "",
    name: Annotated[str, typer.Option("--name", help="What people call it.")] = "",
    shop_id: Annotated[str, typer.Option("--shop", help="The shop where it stands.")] = "",
    option: arguments.DialectOptions = None,
    url: Url = "",
) -> Task:
    """Add a device; what it must be told is printed once."""
    from anytill.core.device import Device
    from anytill.dialects import Login

    found = arguments.dialect_of(dialect)
    signs = found.signs is Login.DEVICE
    if not signs:
        _refuse_no_box(found, device_id, option or [])
    elif device_id:
        arguments.login("--number", found, device_id)
    named = arguments.name(name) if name else ""
    options = arguments.options_of(found, option or [])

    async def task(keeper: Keeper) -> Shown:
        await keeper.office.refuse_unknown_shop(merchant_id, shop_id)
        number = device_id or await keeper.devices.new_login(dialect, found.new_login)
        new = Device(dialect, number, merchant_id, named, shop_id)
        if signs:
            return await _issued(keeper, found, new, options, url)
        await keeper.devices.add_device(new, None, actor())
        return One({"dialect": dialect, "device_id": number})

    return task


@device.command()
@over_store()
def code(dialect: DialectName, device_id: DeviceId, url: Url = "") -> Task:
    """Print a new activation code; it voids the one before. Once the device has fetched its key with a code, the next
    code brings it a new key, and the old one counts for a day more."""
    from anytill.dialects import Login

    found = arguments.dialect_of(dialect, Login.DEVICE)
    if not fetches_its_key(found):
        stop(2, f"anytill: a device of {dialect} has no activation code: `anytill device rotate` gives it a new key")

    async def task(keeper: Keeper) -> Shown:
        known = await keeper.devices.device(dialect, device_id)
        new = await keeper.devices.new_code(known, found.key, actor())
        return IssuedKey(found, device_id, activation_code=new, url=url)

    return task


@device.command()
@over_store()
def rotate(
    dialect: DialectName,
    device_id: DeviceId,
    overlap: Overlap = 24,
    secret_env: SecretEnv = "",
    secret_file: SecretFile = "",
    url: Url = "",
) -> Task:
    """Give a device a new key; the old one counts for some hours more."""
    from anytill.dialects import Login

    found = arguments.dialect_of(dialect, Login.DEVICE)
    return rotating(found, "DEVICE_ID", device_id, overlap, secret_env, secret_file, url)


@device.command()
@over_store()
def on(dialect: DialectName, device_id: DeviceId) -> Task:
    """Switch a device on again, its key with it."""
    return _switching(dialect, device_id, on=True)


@device.command()
@over_store()
def off(dialect: DialectName, device_id: DeviceId) -> Task:
    """Switch a device off, its key with it: it is refused from then on."""
    return _switching(dialect, device_id, on=False)


@device.command("list")
@over_store()
def list_devices(
    merchant_id: Annotated[str, typer.Option("--merchant", help="Those of one merchant.")] = "",
) -> Task:
    """List the devices, and when each was last heard."""

    async def task(keeper: Keeper) -> Shown:
        seen = {(each.dialect, each.login): each for each in await keeper.store.sightings()}
        found = await keeper.store.devices(merchant_id)
        return Several(
            [device_facts(each, seen.get((each.dialect, each.device_id))) for each in found], "there are no devices"
        )

    return task


@device.command()
@over_store()
def show(dialect: DialectName, device_id: DeviceId) -> Task:
    """Show a device, and when it was last heard."""
    return lambda keeper: _shown(keeper, dialect, device_id)


def _refuse_no_box(dialect: Dialect, device_id: str, option: list[str]) -> None:
    """A device without a login is a pay box, for vendors who have such; its number is its maker's."""
    if dialect.box is None:
        again = f"`anytill merchant key add MERCHANT_ID {dialect.name}`"
        stop(2, f"anytill: {dialect.name} has no devices, its tills share their merchant's key: {again}")
    none = f"a device of {dialect.name} has no key of its own"
    if not device_id:
        raise typer.BadParameter(f"{none}, so its number must be given: --number")
    if option:
        raise typer.BadParameter(f"{none}, and options belong to a key")
    arguments.spelled("--number", device_id, dialect.box, f"a pay box of {dialect.name}")


async def _issued(keeper: Keeper, dialect: Dialect, new: Device, options: Mapping[str, str], url: str) -> IssuedKey:
    """What a new device must be told: a code, or its key and its password."""
    from anytill.core.merchant import KeyShape
    from anytill.dialects import Setting
    from anytill.ports import LETTERS_AND_DIGITS

    devices = keeper.devices
    has_password = dialect.name_of(Setting.PASSWORD)
    password = devices.new_key(KeyShape(PASSWORD_LENGTH, LETTERS_AND_DIGITS)) if has_password else None
    issued = await devices.add_device(new, dialect.key, actor(), password=password, options=options)
    assert issued is not None
    if fetches_its_key(dialect):
        activation_code = await devices.new_code(issued.device, dialect.key, actor())
        return IssuedKey(dialect, new.device_id, activation_code=activation_code, url=url)
    return IssuedKey(dialect, new.device_id, issued.credential.secret, password, url=url)


def _switching(dialect: str, device_id: str, *, on: bool) -> Task:
    async def task(keeper: Keeper) -> Shown:
        known = await keeper.devices.device(dialect, device_id)
        await keeper.devices.switch_device(known, on=on, actor=actor())
        return await _shown(keeper, dialect, device_id)

    return task


async def _shown(keeper: Keeper, dialect: str, device_id: str) -> Shown:
    found = await keeper.devices.device(dialect, device_id)
    seen = [each for each in await keeper.store.sightings() if (each.dialect, each.login) == (dialect, device_id)]
    details = {f"details.{name}": text for name, text in found.details.items()}
    return One({**device_facts(found, seen[0] if seen else None), **details})
