"""The store that the settings name: to own it while a gateway runs, to look at it, or to change who is who in it while
a gateway may be running."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from anytill.bootstrap.keys import code_key, master_keys
from anytill.config import Settings, SettingsError
from anytill.gateway import Devices, Office
from anytill.ports import Store, StoreUnavailable, Watch
from anytill.storage import InUse, Vault, WrongSchema, open_store, open_to_keep, open_to_look
from anytill.storage.schema import NO_STORE
from anytill.storage.vault import Unopenable
from anytill.transports.clock import SystemChance, SystemClock


@dataclass(frozen=True, slots=True)
class Keeper:
    """Whoever changes who is who in a store: with the settings, the store to look things up in, and the rules by which
    it is changed."""

    settings: Settings
    store: Store
    office: Office
    devices: Devices


@asynccontextmanager
async def looking(settings: Settings) -> AsyncIterator[Store]:
    """The store that the settings name, to look at while a gateway may be using it. Raises SettingsError."""
    try:
        store = await open_to_look(settings.text("store.url"))
    except (InUse, WrongSchema, StoreUnavailable, ValueError, OSError) as fault:
        raise _unusable(settings, fault) from None
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def keeping(settings: Settings, *, create: bool = False) -> AsyncIterator[Keeper]:
    """Who changes the store that the settings name, while a gateway may be using it. With `create` a store that is not
    there is made. Raises SettingsError."""
    vault = Vault(*master_keys(settings))
    store = await _open_to_keep(settings, vault, create=create)
    try:
        await _check_master_key(store)
        clock, chance, key = SystemClock(), SystemChance(), code_key(settings)
        yield Keeper(settings, store, Office(store, clock, chance, key, None), Devices(store, clock, chance, key))
    finally:
        await store.close()


async def _open_to_keep(settings: Settings, vault: Vault, *, create: bool) -> Store:
    url = settings.text("store.url")
    try:
        return await open_to_keep(url, vault)
    except (WrongSchema, StoreUnavailable, ValueError, OSError) as fault:
        # An empty database is a store to be; a file of something else is not.
        empty = isinstance(fault, FileNotFoundError) or (str(fault) == NO_STORE and url.startswith("postgres"))
        if empty and not create:
            raise SettingsError("store.url: there is no store yet; `anytill merchant add` makes one") from None
        if not empty:
            raise _unusable(settings, fault) from None
    return await open_owned(settings, vault)


async def _check_master_key(store: Store) -> None:
    """What is sealed with another key than the gateway's would not open for it."""
    for known in (await store.credentials())[:1]:
        try:
            await store.credential(known.dialect, known.login)
        except Unopenable:
            raise SettingsError("keys.master or keys.master_file: the store's secrets are of another key") from None


async def open_owned(settings: Settings, vault: Vault, watch: Watch | None = None) -> Store:
    """The store that the settings name. Raises SettingsError, in one sentence, when it cannot be had."""
    group_commit = settings.switch("store.group_commit")
    try:
        return await open_store(settings.text("store.url"), vault=vault, group_commit=group_commit, watch=watch)
    except (ValueError, InUse, WrongSchema, StoreUnavailable, OSError) as fault:
        raise _unusable(settings, fault) from fault


def _unusable(settings: Settings, fault: Exception) -> SettingsError:
    """Why a store cannot be had, with the database server's host and port. Never a part of the password: an address in
    which one was not escaped can be read in two ways, and the driver quotes what it could not read."""
    scheme, _, rest = settings.text("store.url").partition("://")
    if not scheme.startswith("postgres"):
        return SettingsError(f"store.url: {fault}")
    if isinstance(fault, ValueError):
        return SettingsError("store.url: the address cannot be read; signs in a password are percent-encoded")
    place, _, options = rest.partition("?")
    host = place.rpartition("@")[2].partition("/")[0]
    return SettingsError(f"store.url: {host}: {fault}" if host and "@" not in options else f"store.url: {fault}")
