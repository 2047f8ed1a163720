"""The whole: opens everything in order, runs it, and closes it in the opposite order."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TextIO

from anytill.bootstrap.channels import OpenJournal, open_channel, restore_clock
from anytill.bootstrap.demo import write_demo_directory
from anytill.bootstrap.directory import write_directory
from anytill.bootstrap.keys import code_key, master_keys, sms_key
from anytill.bootstrap.nodes import RENEW_MS, NodeHolder
from anytill.bootstrap.routes import control_routes, dialect_routes, operator_routes
from anytill.bootstrap.stand import Stand, standing
from anytill.bootstrap.stores import open_owned
from anytill.channels.sandbox import Outbox
from anytill.config import Settings, SettingsError
from anytill.core.ids import IdMaker
from anytill.dialects import load_dialects
from anytill.gateway import Gateway, Parts
from anytill.ports import Channel, Clock, DueKind, Sms, Store
from anytill.storage import Vault
from anytill.transports.aside import OneThread
from anytill.transports.clock import MovableClock, SystemChance, SystemClock
from anytill.transports.http_client import open_post
from anytill.transports.http_server import Application, RequestLimits, serve
from anytill.transports.journal import FileJournal
from anytill.transports.sms import open_hook
from anytill.transports.watch import JsonWatch
from anytill.transports.worker import Crew, Wake, work

#: After so many new objects the collector looks at the young, and every so many looks at the older.
_SELDOM: Final = (50_000, 50, 100)


@dataclass(slots=True)
class Assembly:
    """A gateway with everything round it, ready to serve."""

    gateway: Gateway
    store: Store
    channels: Mapping[str, Channel]
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
    started: Callable[[int], Awaitable[None] | None] | None,
    stop: asyncio.Event,
    stands: Sequence[Stand] = (),
    open_journal: OpenJournal = FileJournal,
) -> None:
    """Serve until `stop` is set, finishing what is in flight. `demo` is the folder of a demo's data; terminals may
    stand beside.

    `opened` is called when the data is ours alone, `started` with the port when requests are accepted, which is when
    the terminals, too, can be asked. Without `started` the gateway has no port: only terminals are served.
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
            async with AsyncExitStack() as beside:
                for stand in stands:
                    await beside.enter_async_context(_standing(stand, assembly, stop))
                with seldom_collected():
                    await _serve(assembly, settings, started, stop)
        finally:
            ended.set()
            await asyncio.gather(*workers)


def _standing(stand: Stand, assembly: Assembly, stop: asyncio.Event) -> AbstractAsyncContextManager[None]:
    return standing(stand, assembly.gateway, assembly.store, assembly.channels, assembly.clock, assembly.watch, stop)


async def _serve(
    assembly: Assembly,
    settings: Settings,
    started: Callable[[int], Awaitable[None] | None] | None,
    stop: asyncio.Event,
) -> None:
    if started is None:
        await stop.wait()
        return
    host, port = settings.text("server.host"), settings.number("server.port")
    await serve(assembly.application, host, port, started=started, stop=stop)


@asynccontextmanager
async def assembled(
    settings: Settings, log: TextIO, *, demo: Path | None = None, open_journal: OpenJournal = FileJournal
) -> AsyncIterator[Assembly]:
    """Everything opened and wired; `open_journal` opens a sandbox's book. Raises SettingsError for what cannot work."""
    async with AsyncExitStack() as stack:
        watch = JsonWatch(log, debug=settings.switch("log.requests"))
        clock = MovableClock() if demo else SystemClock()
        vault = Vault(*master_keys(settings))
        store = await open_owned(settings, vault, watch)
        stack.push_async_callback(store.close)
        channels = {each.name: open_channel(each, stack, clock, open_journal) for each in settings.channels}
        if isinstance(clock, MovableClock):
            restore_clock(clock, channels)
        outbox = Outbox(clock)
        post = open_post(allow_loopback=settings.switch("notices.loopback"))
        stack.push_async_callback(post.aclose)
        ids = IdMaker()
        node = NodeHolder(store, clock, ids)
        await node.take()
        wakes = {kind: Wake() for kind in DueKind}
        crew = Crew()
        stack.push_async_callback(crew.finish)
        aside = OneThread()
        stack.callback(aside.close)
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
            sms=outbox if demo else _sms(settings, stack),
            aside=aside,
        )
        gateway = Gateway(parts)
        if demo:
            await write_demo_directory(store, parts.code_key, clock.now_ms())
        else:
            await write_directory(settings, store, gateway.office, watch, clock.now_ms())
        routes = [*dialect_routes(gateway, watch), *operator_routes(store, watch)]
        if demo:
            routes += control_routes(channels, clock, node, outbox)
        limits = RequestLimits(max_in_flight=settings.number("server.max_in_flight"))
        application = Application(routes, watch=watch, limits=limits)
        yield Assembly(gateway, store, channels, clock, watch, application, wakes, node)


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


def _sms(settings: Settings, stack: AsyncExitStack) -> Sms | None:
    """The hook that short messages are handed to; None where the settings name none. Raises SettingsError."""
    url = settings.text("sms.url")
    if not url:
        return None
    key = sms_key(settings)
    try:
        sms, send = open_hook(url, key)
    except ValueError as fault:
        raise SettingsError(f"sms.url: {fault}") from None
    stack.push_async_callback(send.aclose)
    return sms
