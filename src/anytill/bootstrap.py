"""Puts the parts together. The only file that knows every concrete one; tests put others together instead.

    settings -> store, channels, clock, watch -> Gateway -> one handler for each route of each dialect -> Application

`assembled` opens everything in order and closes it in the opposite one; `run` serves until it is told to stop, with
one worker for each kind of due work beside the server.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TextIO

from anytill.channels import ChannelParts, load_channels
from anytill.channels.sandbox import SandboxChannel
from anytill.channels.sandbox.control import SandboxControl
from anytill.config import ChannelSettings, CredentialSettings, Settings, SettingsError
from anytill.core.ids import IdMaker
from anytill.core.merchant import Credential, Merchant
from anytill.core.secret import Secret
from anytill.dialects import Dialect, load_dialects
from anytill.gateway import Gateway, Parts
from anytill.ports import Channel, Clock, DueKind, Journal, Store, StoreUnavailable, Till
from anytill.storage import InUse, Vault, WrongSchema, open_store
from anytill.transports.clock import MovableClock, SystemChance, SystemClock
from anytill.transports.http_client import open_post, open_send
from anytill.transports.http_server import Application, Handler, RequestLimits, Route, serve
from anytill.transports.journal import FileJournal, JournalBusy
from anytill.transports.watch import JsonWatch
from anytill.transports.worker import Crew, Wake, gather_limited, work
from anytill.wire.http import HttpRequest, HttpResponse, text

UPSTREAM_TIMEOUT_MS: Final = 10_000
DEMO_MERCHANT: Final = Merchant("demo", "演示商户 Demo Shop", "演示 Demo")
LEAST_SECRET: Final = 16
MASTER_KEY_BYTES: Final = 32
_AT_ONCE: Final = 64


@dataclass(slots=True)
class Assembly:
    """A gateway with everything round it, ready to serve."""

    gateway: Gateway
    store: Store
    clock: Clock
    watch: JsonWatch
    application: Application
    wakes: Sequence[Wake]


async def run(
    settings: Settings,
    log: TextIO,
    *,
    demo: Path | None = None,
    opened: Callable[[], None] = lambda: None,
    started: Callable[[int], Awaitable[None] | None],
    stop: asyncio.Event,
) -> None:
    """Serve until `stop` is set, finishing what is in flight. `demo` is the folder of a demo's data.

    `opened` is called when the data is ours alone, `started` with the port when requests are accepted.
    """
    async with assembled(settings, log, demo=demo) as assembly:
        opened()
        recovery = assembly.gateway.recovery
        rounds = (recovery.payments, recovery.refunds, recovery.notices)
        ended = asyncio.Event()
        workers = [
            asyncio.ensure_future(work(once, assembly.clock, wake, ended, watch=assembly.watch))
            for once, wake in zip(rounds, assembly.wakes, strict=True)
        ]
        try:
            host, port = settings.text("server.host"), settings.number("server.port")
            await serve(assembly.application, host, port, started=started, stop=stop)
        finally:
            ended.set()
            await asyncio.gather(*workers)


@asynccontextmanager
async def assembled(settings: Settings, log: TextIO, *, demo: Path | None = None) -> AsyncIterator[Assembly]:
    """Everything opened and wired. Raises SettingsError for settings that cannot work."""
    async with AsyncExitStack() as stack:
        watch = JsonWatch(log, debug=settings.switch("log.requests"))
        clock = MovableClock() if demo else SystemClock()
        vault = Vault(*_master_keys(settings))
        store = await _open_store(settings, vault, watch)
        stack.push_async_callback(store.close)
        channels = {each.name: _open_channel(each, stack, clock) for each in settings.channels}
        if isinstance(clock, MovableClock):
            _restore_clock(clock, channels)
        post = open_post(allow_loopback=settings.switch("notices.loopback"))
        stack.push_async_callback(post.aclose)
        wakes = (Wake(), Wake(), Wake())
        crew = Crew()
        stack.push_async_callback(crew.finish)
        parts = Parts(
            store=store,
            channels=channels,
            clock=clock,
            chance=SystemChance(),
            ids=IdMaker(settings.number("server.node")),
            watch=watch,
            post=post,
            start=crew.start,
            forms={name: dialect.form for name, dialect in load_dialects().items() if dialect.form},
            default_channel=settings.text("channels.default") or next(iter(channels), ""),
            loopback_notices=settings.switch("notices.loopback"),
            wake=wakes[-1].set,
            side_by_side=_side_by_side,
        )
        gateway = Gateway(parts)
        await (write_demo_directory(store) if demo else _write_directory(settings, store))
        routes = [*dialect_routes(gateway, watch), *operator_routes(store, watch)]
        if demo:
            routes += _control_routes(channels, clock)
        limits = RequestLimits(max_in_flight=settings.number("server.max_in_flight"))
        yield Assembly(gateway, store, clock, watch, Application(routes, watch=watch, limits=limits), wakes)


async def audited(settings: Settings) -> Sequence[str]:
    """What is wrong with the books of the store that the settings name; empty when they are right."""
    store = await _open_store(settings, Vault(*_master_keys(settings)))
    try:
        return await store.audit()
    finally:
        await store.close()


async def _open_store(settings: Settings, vault: Vault, watch: JsonWatch | None = None) -> Store:
    """The store that the settings name. Raises SettingsError, in one sentence, when it cannot be had."""
    group_commit = settings.switch("store.group_commit")
    try:
        return await open_store(settings.text("store.url"), vault=vault, group_commit=group_commit, watch=watch)
    except (ValueError, InUse, WrongSchema, StoreUnavailable) as fault:
        raise SettingsError(f"store.url: {fault}") from fault


def dialect_routes(gateway: Gateway, watch: JsonWatch) -> list[tuple[Route, Handler]]:
    """Every path of every dialect, with the dialect's own answer when the fault is ours."""
    return [
        (Route(method, route.path, route.ignore_case, on_error=dialect.system_error), _timed(dialect, gateway, watch))
        for dialect in load_dialects().values()
        for route in dialect.routes
        for method in sorted(route.methods)
    ]


def _timed(dialect: Dialect, gateway: Gateway, watch: JsonWatch) -> Handler:
    async def handle(request: HttpRequest) -> HttpResponse:
        started = time.perf_counter()
        response = await dialect.handle(request, gateway)
        watch.observe_request(dialect.name, response.status, time.perf_counter() - started)
        return response

    return handle


def operator_routes(store: Store, watch: JsonWatch) -> list[tuple[Route, Handler]]:
    """/healthz: the process answers. /readyz: it can do its work. /metrics: for Prometheus."""

    async def healthz(_request: HttpRequest) -> HttpResponse:
        return text("ok\n")

    async def readyz(_request: HttpRequest) -> HttpResponse:
        try:
            async with asyncio.timeout(5):
                await store.next_due_ms(DueKind.PAYMENT)
        except Exception as fault:  # noqa: BLE001 - whatever it is, the answer is "not now"
            watch.alarm("not ready", fault=type(fault).__name__)
            return text("the store does not answer\n", status=503)
        return text("ready\n")

    async def metrics(_request: HttpRequest) -> HttpResponse:
        return HttpResponse(200, watch.render(), "text/plain; version=0.0.4; charset=utf-8")

    return [(Route("GET", "/healthz"), healthz), (Route("GET", "/readyz"), readyz), (Route("GET", "/metrics"), metrics)]


def _control_routes(channels: Mapping[str, Channel], clock: Clock) -> list[tuple[Route, Handler]]:
    """The payer's hand, the clock and the wallet's own book; in demo mode only."""
    assert isinstance(clock, MovableClock)
    sandboxes = [channel for channel in channels.values() if isinstance(channel, SandboxChannel)]
    routes: list[tuple[Route, Handler]] = [
        (Route(method, path), SandboxControl(sandbox, clock, clock.advance))
        for sandbox in sandboxes[:1]
        for path in SandboxControl.PATHS
        for method in ("GET", "POST")
    ]
    return [*routes, (Route("POST", "/sandbox/notify"), _heard)]


async def _heard(_request: HttpRequest) -> HttpResponse:
    """A merchant that hears every notice, for tills under test that have no receiver of their own."""
    return text("success")


def _restore_clock(clock: MovableClock, channels: Mapping[str, Channel]) -> None:
    """A demo that was moved on and killed goes on where it was: time never runs backwards for an order."""
    moved = [channel.restored_offset_ms for channel in channels.values() if isinstance(channel, SandboxChannel)]
    clock.advance(max(moved, default=0))


def _open_channel(settings: ChannelSettings, stack: AsyncExitStack, clock: Clock) -> Channel:
    kinds = load_channels()
    if settings.kind not in kinds:
        raise SettingsError(f"[channel.{settings.name}] kind must be one of {', '.join(kinds)}")

    def open_journal() -> Journal:
        book = Path(_option(settings, "book"))
        try:
            journal = FileJournal(book)
        except JournalBusy:
            raise SettingsError(f"[channel.{settings.name}] book: {book} is in use by another process") from None
        stack.push_async_callback(journal.close)
        return journal

    parts = ChannelParts(
        name=settings.name,
        clock=clock,
        chance=SystemChance(),
        options=settings.options,
        open_journal=open_journal,
        open_till=lambda: _open_till(settings, stack),
    )
    return kinds[settings.kind].open(parts)


def _open_till(settings: ChannelSettings, stack: AsyncExitStack) -> Till:
    """A dialect's client, for a channel that is another gateway."""
    dialects = load_dialects()
    dialect = dialects.get(_option(settings, "dialect"))
    if dialect is None:
        raise SettingsError(f"[channel.{settings.name}] dialect must be one of {', '.join(dialects)}")
    # Lost answers must be asked about and money must find its way back: without these a channel is not safe.
    if lacking := {"query", "cancel", "refund", "query_refund"} - dialect.operations:
        raise SettingsError(f"[channel.{settings.name}] {dialect.name} cannot be a channel: it lacks {min(lacking)}")
    values = dict(settings.options)
    if "secret_env" in values:
        values[_option(settings, "secret_name")] = os.environ.get(values["secret_env"], "")
    if missing := [name for name in dialect.client_settings if not values.get(name)]:
        raise SettingsError(f"[channel.{settings.name}] needs {missing[0]}")
    send = open_send(values["base_url"], timeout_ms=UPSTREAM_TIMEOUT_MS)
    stack.push_async_callback(send.aclose)
    return dialect.client(values, send)


def _option(settings: ChannelSettings, name: str) -> str:
    value = settings.options.get(name, "")
    if not value:
        raise SettingsError(f"[channel.{settings.name}] needs {name}")
    return value


async def write_demo_directory(store: Store) -> None:
    """The demo's merchant and the published credential of every dialect."""
    await store.put_merchant(DEMO_MERCHANT)
    for dialect in load_dialects().values():
        access = dialect.sandbox
        merchants = {access.number: DEMO_MERCHANT.merchant_id}
        await store.put_credential(Credential(dialect.name, access.login, Secret(access.secret), merchants))


async def _write_directory(settings: Settings, store: Store) -> None:
    """What the settings say of merchants and credentials. Raises SettingsError when a published secret is among them,
    or in the store already: everybody knows those."""
    for row in settings.merchants:
        await store.put_merchant(
            Merchant(row.merchant_id, row.name, row.short_name, row.state, row.max_amount_fen, row.channels)
        )
    for each in settings.credentials:
        secret = Secret(_secret(each))
        _refuse_weak(each, secret)
        await store.put_credential(Credential(each.dialect, each.login, secret, each.merchants, options=each.options))
    for dialect in load_dialects().values():
        known = await store.credential(dialect.name, dialect.sandbox.login)
        if known is not None and known.active and known.secret == Secret(dialect.sandbox.secret):
            raise SettingsError(f"the store holds the sandbox credential of {dialect.name}: it is a demo's store")


def _refuse_weak(credential: CredentialSettings, secret: Secret) -> None:
    name = f"[[credential]] {credential.dialect} {credential.login}"
    dialects = load_dialects()
    if credential.dialect not in dialects:
        raise SettingsError(f"{name}: dialect must be one of {', '.join(dialects)}")
    if len(secret.reveal()) < LEAST_SECRET:
        raise SettingsError(f"{name}: a secret has at least {LEAST_SECRET} characters")
    published = {dialect.sandbox.secret for dialect in dialects.values()}
    if secret.reveal() in published or credential.login in {each.sandbox.login for each in dialects.values()}:
        raise SettingsError(f"{name}: this is a sandbox credential, and everybody knows it")


def _secret(credential: CredentialSettings) -> str:
    if credential.secret_env:
        return os.environ.get(credential.secret_env, "")
    try:
        return Path(credential.secret_file).read_text().strip()
    except OSError as fault:
        raise SettingsError(f"[[credential]] {credential.login}: secret_file: {fault.strerror}") from None


def _master_keys(settings: Settings) -> Sequence[bytes]:
    text_ = settings.text("keys.master")
    path = settings.text("keys.master_file")
    if path:
        try:
            text_ = Path(path).read_text()
        except OSError as fault:
            raise SettingsError(f"keys.master_file: {fault.strerror}") from None
    try:
        keys = [bytes.fromhex(line) for line in text_.split()]
    except ValueError:
        keys = []
    if not keys or any(len(key) != MASTER_KEY_BYTES for key in keys):
        raise SettingsError("keys.master or keys.master_file must give a key of 64 hex digits")
    return keys


async def _side_by_side(items: Sequence[Awaitable[None]]) -> None:
    async def each(item: Awaitable[None]) -> None:
        await item

    await gather_limited([each(item) for item in items], _AT_ONCE)
