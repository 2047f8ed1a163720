"""Who is who at the start, as the settings file says: it wins in what it says, and what it does not say stays.

Merchants and keys are also changed while a gateway runs, by the commands and by the vendors' own management calls. So
a row of the file is laid over what the store has. There is one exception: a key that was changed by command is not put
back by a file that still has an older one, for the tills have the new key, and the old one may be known to a thief.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from anytill.bootstrap.keys import (
    dialect_named,
    refuse_misspelt,
    refuse_published,
    refuse_unknown_options,
    refuse_weak,
    secret_at,
)
from anytill.config import CredentialSettings, MerchantSettings, Settings, SettingsError
from anytill.core.device import Device
from anytill.core.merchant import Agent, Credential, Merchant
from anytill.core.records import changed
from anytill.core.secret import Secret
from anytill.core.wallet import Wallet
from anytill.dialects import Login, load_dialects
from anytill.gateway import Office
from anytill.ports import Store, Watch

#: Who did it, in the record of what was done.
ACTOR: Final = "settings"
#: Others write at the same moment now and then; this many times in a row mean a fault.
_ROUNDS: Final = 20


async def write_directory(settings: Settings, store: Store, office: Office, watch: Watch, now_ms: int) -> None:
    """What the settings say of merchants and credentials. Raises SettingsError when they name something that is not
    there, and when a published secret is among them, or in the store already: everybody knows those."""
    for row in settings.merchants:
        check_channels(f"[[merchant]] {row.merchant_id}", row.channels or {}, settings)
    _check_default(settings)
    await _check_merchants(settings, store)
    for merchant in settings.merchants:
        await _write_merchant(merchant, store, office)
    for credential in settings.credentials:
        await _write_credential(credential, store, office, watch, now_ms)
    await refuse_demo_store(store)


async def refuse_demo_store(store: Store) -> None:
    """A store with a published credential that is on is a demo's. Raises SettingsError."""
    for dialect in load_dialects().values():
        known = await store.credential(dialect.name, dialect.sandbox.login)
        if known is not None and known.active and Secret(dialect.sandbox.secret) in (known.secret, known.previous):
            raise SettingsError(f"the store holds the sandbox credential of {dialect.name}: it is a demo's store")


def check_channels(where: str, channels: Mapping[str, str], settings: Settings) -> None:
    """A merchant whose channel is not there would have every payment refused. Raises SettingsError."""
    known = [channel.name for channel in settings.channels]
    for wallet, channel in channels.items():
        if wallet not in {"", *Wallet}:
            raise SettingsError(f"{where}: there is no wallet {wallet}; there {_are(Wallet)}")
        if channel not in known:
            raise SettingsError(f"{where}: there is no channel {channel}; there {_are(known)}")


def _check_default(settings: Settings) -> None:
    known = [channel.name for channel in settings.channels]
    default = settings.text("channels.default")
    if default and default not in known:
        raise SettingsError(f"channels.default: there is no channel {default}; there {_are(known)}")


async def _check_merchants(settings: Settings, store: Store) -> None:
    """A credential may speak for merchants of the settings and for those that the store has from before."""
    in_settings = {row.merchant_id for row in settings.merchants}
    for credential in settings.credentials:
        for merchant_id in credential.merchants.values():
            if merchant_id not in in_settings and await store.merchant(merchant_id) is None:
                raise SettingsError(f"{_title(credential)}: there is no merchant {merchant_id}")


async def _write_merchant(row: MerchantSettings, store: Store, office: Office) -> None:
    for _ in range(_ROUNDS):
        known = await store.merchant(row.merchant_id)
        merchant = row.merged(known)
        if merchant == known:
            return
        await _refuse_taken(merchant, store)
        if known and known.currency != merchant.currency and await store.has_payments(row.merchant_id):
            raise SettingsError(f"[[merchant]] {row.merchant_id}: it has payments in {known.currency}, which stays")
        what = "merchant.set" if known else "merchant.add"
        act = office.act(ACTOR, what, row.merchant_id, row.merchant_id, name=merchant.name)
        if await (store.move_merchant(known, merchant, act) if known else store.add_merchant(merchant, act)):
            return
    raise _never_still(f"[[merchant]] {row.merchant_id}")


async def _refuse_taken(merchant: Merchant, store: Store) -> None:
    for name, value, found in (
        ("mobile", merchant.mobile, store.merchant_by_mobile),
        ("username", merchant.username, store.merchant_by_username),
    ):
        other = await found(merchant.agent_id, value) if value else None
        if other is not None and other.merchant_id != merchant.merchant_id:
            raise SettingsError(f"[[merchant]] {merchant.merchant_id}: {name}: {other.merchant_id} has it already")


async def _write_credential(row: CredentialSettings, store: Store, office: Office, watch: Watch, now_ms: int) -> None:
    """The credential, and who holds it: a device signs for itself, an agent for others."""
    dialect = dialect_named(_title(row), row.dialect)
    refuse_misspelt(_title(row), row.login, dialect.login, f"a login of {dialect.name}")
    if dialect.merchant_number is not None:
        for number in row.merchants:
            refuse_misspelt(_title(row), number, dialect.merchant_number, f"a merchant's number of {dialect.name}")
    refuse_unknown_options(_title(row), dialect, row.options or {})
    told = _told(row)
    if dialect.signs is Login.AGENT:
        act = office.act(ACTOR, "agent.add", row.login, name=row.login)
        await store.add_agent(Agent(row.login, row.login), None, act)
    for _ in range(_ROUNDS):
        known = await store.credential(row.dialect, row.login)
        credential = _laid_over(row, told, known, now_ms) if known else told
        written = await (_move(row, credential, known, store, office) if known else _add(credential, store, office))
        if written:
            break
    else:
        raise _never_still(_title(row))
    if credential.secret != told.secret:
        watch.alarm("settings_key_ignored", dialect=row.dialect, login=row.login)
    if dialect.signs is Login.DEVICE and await store.device(row.dialect, row.login) is None:
        merchant_id, active = credential.merchants.get("", ""), credential.active
        device = Device(row.dialect, row.login, merchant_id, active=active, enrolled_at_ms=now_ms)
        act = office.act(ACTOR, "device.add", row.login, device.merchant_id, dialect=row.dialect)
        await store.add_device(device, None, act)


async def _add(credential: Credential, store: Store, office: Office) -> bool:
    about = {"dialect": credential.dialect}
    return await store.add_credential(credential, office.act(ACTOR, "key.add", credential.login, **about))


async def _move(
    row: CredentialSettings, credential: Credential, known: Credential, store: Store, office: Office
) -> bool:
    """Written at each start even if nothing changed, so that it is sealed with the master key of now. The merchants are
    written apart from it, for another process may be bringing some in."""
    device = await store.device(row.dialect, row.login) if credential.is_devices else None
    if device is not None and device.active != row.active is not None:
        # A device is on or off with its key.
        what = "device.on" if row.active else "device.off"
        act = office.act(ACTOR, what, row.login, device.merchant_id, dialect=row.dialect)
        moved = await store.move_device(changed(device, active=credential.active), credential, act)
    else:
        set_ = None if credential == known else office.act(ACTOR, "key.set", row.login, dialect=row.dialect)
        moved = await store.move_credential(credential, set_)
    if not moved:
        return False
    for number, merchant_id in row.merchants.items():
        if not await _put_mandate(row, number, known.merchants.get(number, ""), merchant_id, store, office):
            return False
    return True


async def _put_mandate(
    row: CredentialSettings, number: str, former: str, merchant_id: str, store: Store, office: Office
) -> bool:
    """Under this number the credential speaks for this merchant, and for no other; False if somebody else changes that
    at this moment."""
    if former == merchant_id:
        return True
    about = {"agent": row.login, "number": number}
    if former:
        act = office.act(ACTOR, "merchant.leave", former, former, **about)
        if not await store.drop_mandate(row.dialect, row.login, number, act):
            return False
    act = office.act(ACTOR, "merchant.join", merchant_id, merchant_id, **about)
    return await store.add_mandate(row.dialect, row.login, number, merchant_id, act)


def _told(row: CredentialSettings) -> Credential:
    """The credential as the file has it. Raises SettingsError for a secret that is not there or not good enough."""
    where = _title(row)
    secret = secret_at(where, row.secret_env, row.secret_file)
    previous = secret_at(where, row.previous_env, row.previous_file)
    assert secret is not None  # config.py sees to it
    refuse_published(where, row.login)
    refuse_weak(where, secret)
    if previous is not None:
        refuse_weak(where, previous)
    return Credential(
        dialect=row.dialect,
        login=row.login,
        secret=secret,
        merchants=row.merchants,
        previous=previous,
        active=row.active is not False,
        options=row.options or {},
        password=secret_at(where, row.password_env, row.password_file),
    )


def _laid_over(row: CredentialSettings, told: Credential, known: Credential, now_ms: int) -> Credential:
    """What the file says, over what is known; numbers that the credential has from elsewhere stay."""
    credential = changed(
        told,
        merchants={**known.merchants, **told.merchants},
        active=known.active if row.active is None else row.active,
        options=known.options if row.options is None else row.options,
        password=told.password or known.password,
        version=known.version,
    )
    if known.previous_until_ms is None:
        return credential
    # The key was changed by command. Until that change is over the old key counts beside the new one; after it, and
    # once the file has the new key too, the file is in charge again.
    if told.secret == known.secret and (told.previous or now_ms >= known.previous_until_ms):
        return credential
    return changed(
        credential,
        secret=known.secret,
        previous=known.previous,
        previous_until_ms=known.previous_until_ms,
    )


def _never_still(where: str) -> SettingsError:
    return SettingsError(f"{where}: it is being changed by others all the time: start again")


def _are(names: Iterable[str]) -> str:
    listed = list(names)
    return f"{'is' if len(listed) == 1 else 'are'} {', '.join(listed) or 'none'}"


def _title(credential: CredentialSettings) -> str:
    return f"[[credential]] {credential.dialect} {credential.login}"
