"""The whole: opens everything in order, runs it, and closes it in the opposite order."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TextIO

from anytill.bootstrap.channels import OpenJournal, open_channel, restore_clock
from anytill.bootstrap.directory import code_key, master_keys, write_demo_directory, write_directory
from anytill.bootstrap.nodes import RENEW_MS, NodeHolder
from anytill.bootstrap.routes import control_routes, dialect_routes, operator_routes
from anytill.config import Settings, SettingsError
from anytill.core.ids import IdMaker
from anytill.dialects import load_dialects
from anytill.gateway import Gateway, Parts
from anytill.ports import Clock, DueKind, Store, StoreUnavailable
from anytill.storage import InUse, Vault, WrongSchema, open_store, open_to_look
from anytill.transports.clock import MovableClock, SystemChance, SystemClock
from anytill.transports.http_client import open_post
from anytill.transports.http_server import Application, RequestLimits, serve
from anytill.transports.journal import FileJournal
from anytill.transports.watch import JsonWatch
from anytill.transports.worker import Crew, Wake, work

#: After so many new objects the collector looks at the young, and every so many looks at the older.
_SELDOM: Final = (50_000, 50, 100)


@dataclass(slots=True)
class Assembly:
    """A gateway with everything round it, ready to serve."""

    gateway: Gateway
    store: Store
    clock: Clock
    watch: JsonWatch
    application: Application
    wakes: Mapping[DueKind, Wake]
    node: NodeHolder


async def run(
    settings: Settings,
    log: TextIO,
    *,
    demo: Path | None = None,
    opened: Callable[[], None] = lambda: None,
    started: Callable[[int], Awaitable[None] | None],
    stop: asyncio.Event,
    open_journal: OpenJournal = FileJournal,
) -> None:
    """Serve until `stop` is set, finishing what is in flight. `demo` is the folder of a demo's data.

    `opened` is called when the data is ours alone, `started` with the port when requests are accepted.
    """
    async with assembled(settings, log, demo=demo, open_journal=open_journal) as assembly:
        opened()
        recovery = assembly.gateway.recovery
        rounds = {
            DueKind.PAYMENT: recovery.payments,
            DueKind.REFUND: recovery.refunds,
            DueKind.NOTICE: recovery.notices,
        }
        ended = asyncio.Event()
        workers = [
            asyncio.ensure_future(work(once, assembly.clock, assembly.wakes[kind], ended, watch=assembly.watch))
            for kind, once in rounds.items()
        ]
        keeping = work(assembly.node.keep, assembly.clock, Wake(), ended, watch=assembly.watch, poll_ms=RENEW_MS)
        workers.append(asyncio.ensure_future(keeping))
        try:
            host, port = settings.text("server.host"), settings.number("server.port")
            with seldom_collected():
                await serve(assembly.application, host, port, started=started, stop=stop)
        finally:
            ended.set()
            await asyncio.gather(*workers)


@asynccontextmanager
async def assembled(
    settings: Settings, log: TextIO, *, demo: Path | None = None, open_journal: OpenJournal = FileJournal
) -> AsyncIterator[Assembly]:
    """Everything opened and wired; `open_journal` opens a sandbox's book. Raises SettingsError for what cannot work."""
    async with AsyncExitStack() as stack:
        watch = JsonWatch(log, debug=settings.switch("log.requests"))
        clock = MovableClock() if demo else SystemClock()
        vault = Vault(*master_keys(settings))
        store = await _open_store(settings, vault, watch)
        stack.push_async_callback(store.close)
        channels = {each.name: open_channel(each, stack, clock, open_journal) for each in settings.channels}
        if isinstance(clock, MovableClock):
            restore_clock(clock, channels)
        post = open_post(allow_loopback=settings.switch("notices.loopback"))
        stack.push_async_callback(post.aclose)
        ids = IdMaker()
        node = NodeHolder(store, clock, ids)
        await node.take()
        wakes = {kind: Wake() for kind in DueKind}
        crew = Crew()
        stack.push_async_callback(crew.finish)
        parts = Parts(
            store=store,
            channels=channels,
            clock=clock,
            chance=SystemChance(),
            ids=ids,
            watch=watch,
            post=post,
            start=crew.start,
            forms={name: dialect.form for name, dialect in load_dialects().items() if dialect.form},
            default_channel=settings.text("channels.default") or next(iter(channels), ""),
            loopback_notices=settings.switch("notices.loopback"),
            wake=lambda kind: wakes[kind].set(),
            code_key=code_key(settings),
        )
        gateway = Gateway(parts)
        await (write_demo_directory(store) if demo else write_directory(settings, store))
        routes = [*dialect_routes(gateway, watch), *operator_routes(store, watch)]
        if demo:
            routes += control_routes(channels, clock, node)
        limits = RequestLimits(max_in_flight=settings.number("server.max_in_flight"))
        yield Assembly(gateway, store, clock, watch, Application(routes, watch=watch, limits=limits), wakes, node)


@contextmanager
def seldom_collected() -> Iterator[None]:
    """Serving, Python's collector of reference cycles looks seldom, and never at what was there before.

    What was assembled stays to the end, and a payment's own values refer to no one who refers back, so they go without
    a collector. With the usual settings its walks through them cost each payment some four per cent of its time.
    """
    usual = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_SELDOM)
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()


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


async def _open_store(settings: Settings, vault: Vault, watch: JsonWatch | None = None) -> Store:
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
