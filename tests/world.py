"""A whole gateway in one process under a clock that stands still: for tests of the gateway and of the dialects.

    async with opened_world(store_url, tmp_path) as world:
        payment = await world.till().pay(world.order(ending="01"))
        await world.pass_s(10)

Nothing here is a double of our own code but the edges: the clock, chance, the network that notices go out to, and the
log. `pass_s` works off what becomes due on the way, each at its own moment, so delays can be checked exactly.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

import anyio

from anytill.bootstrap import write_demo_directory
from anytill.bootstrap.demo import DEMO_MERCHANTS
from anytill.channels.sandbox import Outbox, SandboxChannel
from anytill.core.ids import IdMaker
from anytill.core.merchant import Credential
from anytill.core.payment import Payment, PaymentRef, PayOrder
from anytill.core.secret import Secret
from anytill.dialects import Client, Dialect, Setting, TerminalKind, load_dialects
from anytill.gateway import Gateway, GatewayTill, Parts
from anytill.ports import LETTERS_AND_DIGITS, Channel, DueKind, Journal, Letter, Store, Terminal, Unreachable
from anytill.storage import Vault, open_store
from anytill.transports.clock import StandingClock
from anytill.transports.journal import FileJournal
from anytill.wire.http import HttpRequest, HttpResponse, text
from tests.panels import AtTheTerminal, ScriptedPanel

START_MS = 1_795_000_000_000  # 2026-11-18 in Beijing
BASE_URL = "http://127.0.0.1:8000"
MOST_ROUNDS = 100_000
NOTICE_URL = "http://127.0.0.1:9999/notify"


class CountingChance:
    """Chance without chance: tokens that differ, the same in every run."""

    def __init__(self) -> None:
        self._numbers = count(1)

    def token(self, length: int, alphabet: str = LETTERS_AND_DIGITS) -> str:
        """See `ports.Chance`."""
        return f"{next(self._numbers):0{length}d}"[-length:]


@dataclass
class RecordingWatch:
    """Remembers what was told."""

    notes: list[tuple[str, Mapping[str, str | int]]] = field(default_factory=list)
    alarms: list[tuple[str, Mapping[str, str | int]]] = field(default_factory=list)

    def note(self, event: str, **fields: str | int) -> None:
        """See `ports.Watch`."""
        self.notes.append((event, fields))

    def alarm(self, event: str, **fields: str | int) -> None:
        """See `ports.Watch`."""
        self.alarms.append((event, fields))

    def fault(self, where: str, fault: Exception, **fields: str | int) -> None:
        """See `ports.Watch`."""
        self.alarms.append(("bug", {"where": where, "fault": type(fault).__name__, **fields}))


@dataclass(frozen=True)
class Posted:
    """A notice that went out."""

    at_ms: int
    url: str
    body: bytes
    content_type: str
    headers: Mapping[str, str]  # the vendor's own, their names in lower case


class Receiver:
    """The merchant's end of the notices: answers as it is told, and remembers when it was asked."""

    def __init__(self, clock: StandingClock) -> None:
        self._clock = clock
        self.posted: list[Posted] = []
        self.answer: Callable[[int], HttpResponse | None] = lambda _nth: text("success")
        self.before_answer: Callable[[str], Awaitable[None]] | None = None

    async def __call__(self, url: str, letter: Letter, timeout_ms: int) -> HttpResponse:
        """See `ports.Post`; an answer of None is no answer."""
        headers = {name.lower(): value for name, value in letter.headers.items()}
        self.posted.append(Posted(self._clock.now_ms(), url, letter.body, letter.content_type, headers))
        if self.before_answer is not None:
            await self.before_answer(url)
        answer = self.answer(len(self.posted))
        if answer is None:
            raise Unreachable("nobody there")
        return answer


class World:
    """A gateway, its store, its wallet and its clock."""

    def __init__(self, store_url: str, folder: Path) -> None:
        self._store_url = store_url
        self._folder = folder
        self._vault = Vault(b"k" * 32)
        self.clock = StandingClock(START_MS, jump=True)
        self.watch = RecordingWatch()
        self.receiver = Receiver(self.clock)
        self._orders = count(1)
        self._chance = CountingChance()
        self._ids = IdMaker()
        self._ids.grant(1, 10 * START_MS)
        self.store: Store
        self.wallet: SandboxChannel
        self.gateway: Gateway
        self._journal: FileJournal
        self.started: list[Coroutine[Any, Any, None]] = []

    async def start(self, channel: Callable[[SandboxChannel], Channel] = lambda sandbox: sandbox) -> None:
        """Open everything; after `stop`, go on with what is on disk. `channel` may put something before the wallet."""
        self.store = await open_store(self._store_url, vault=self._vault, watch=self.watch)
        # The tests' server runs without fsync, and says so.
        self.watch.alarms[:] = [alarm for alarm in self.watch.alarms if alarm[0] != "store_may_forget"]
        self._journal = FileJournal(self._folder / "wallet.journal")
        self.outbox = Outbox(self.clock)
        self.wallet = SandboxChannel("sandbox", self._journal, self.clock, self._chance)
        self.parts = Parts(
            store=self.store,
            channels={"sandbox": channel(self.wallet)},
            clock=self.clock,
            chance=self._chance,
            ids=self._ids,
            watch=self.watch,
            post=self.receiver,
            start=self.started.append,
            forms={name: dialect.form for name, dialect in load_dialects().items() if dialect.form},
            default_channel="sandbox",
            loopback_notices=True,
            code_key=b"a key of the tests",
            sms=self.outbox,
        )
        self.gateway = Gateway(self.parts)
        await write_demo_directory(self.store, self.parts.code_key, self.clock.now_ms())

    async def stop(self) -> None:
        """Let go of everything; what is not on disk is lost."""
        for never_run in self.started:
            never_run.close()
        self.started.clear()
        await self.store.close()
        await self._journal.close()

    async def restart(self) -> None:
        """Stop and start: what a new process would find."""
        await self.stop()
        await self.start()

    async def credential(self, dialect: str = "teegon") -> Credential:
        """The demo credential of a dialect."""
        return await self.gateway.credential(dialect, load_dialects()[dialect].sandbox.login)

    async def till(self, dialect: str = "teegon") -> GatewayTill:
        """The gateway's own till for the demo merchant."""
        return self.gateway.till(await self.credential(dialect), load_dialects()[dialect].sandbox.number)

    def client(self, dialect: str, **changed: str) -> Client:
        """A client of the dialect, wired straight to its own server."""
        record = load_dialects()[dialect]
        settings = {**record.sandbox_settings(BASE_URL), **changed}
        if record.terminal is not None:
            return self._at_a_terminal(record, record.terminal, settings)

        async def send(request: HttpRequest) -> HttpResponse:
            assert record.handle is not None, f"{dialect} is served by terminals"
            return await record.handle(request, self.gateway)

        return record.client(settings, send)

    def _at_a_terminal(self, record: Dialect, kind: TerminalKind, settings: Mapping[str, str]) -> Client:
        """A client wired to a terminal whose payer holds out the code of each order that the client is given."""
        panel = ScriptedPanel(self.pass_ms)
        number = settings[record.name_of(Setting.LOGIN)]
        terminals: dict[int, Terminal] = {}  # a new process is a new gateway, and a new terminal

        async def send(request: HttpRequest) -> HttpResponse:
            gateway = id(self.gateway)
            if gateway not in terminals:
                terminals[gateway] = kind.open(self.gateway, number, panel)
            return await terminals[gateway].handle(request)

        return AtTheTerminal(record.client(settings, send), panel)

    def order(self, ending: str = "00", amount_fen: int = 100, prefix: str = "13", **changes: object) -> PayOrder:
        """A new order of a new number with a new payer's code of that ending."""
        number = next(self._orders)
        order = PayOrder(
            order_no=f"T{number:08d}",
            amount_fen=amount_fen,
            subject="测试 goods",
            pay_code=Secret(f"{prefix}{number:014d}{ending}"),
            notice_url=NOTICE_URL,
        )
        return replace(order, **changes)  # type: ignore[arg-type]

    async def next_due_ms(self) -> int | None:
        """When the earliest thing of any kind is due."""
        dues = [await self.store.next_due_ms(kind) for kind in DueKind]
        return min((due for due in dues if due is not None), default=None)

    async def work(self) -> None:
        """One round of everything that is due now."""
        recovery = self.gateway.recovery
        for once in (recovery.payments, recovery.refunds, recovery.notices):
            await once()
        started, self.started[:] = list(self.started), []
        await _side_by_side(started)

    async def pass_s(self, seconds: int) -> None:
        """Let time pass; whatever becomes due on the way is done at its own moment."""
        await self.pass_ms(seconds * 1_000)

    async def pass_ms(self, ms: int) -> None:
        """As pass_s."""
        end_ms = self.clock.now_ms() + ms
        rounds = 0
        while (due_ms := await self.next_due_ms()) is not None and due_ms <= end_ms:
            self.clock.advance(max(due_ms - self.clock.now_ms(), 0))
            await self.work()
            rounds += 1
            assert rounds < MOST_ROUNDS, f"something stays due for ever: {self.watch.alarms[-3:]}"
        self.clock.advance(max(end_ms - self.clock.now_ms(), 0))

    async def book(self, order_no: str) -> Mapping[str, object]:
        """The wallet's own row of this order."""
        (row,) = await self.wallet.statement(merchant_order=order_no)
        assert isinstance(row, dict)
        return row

    async def stored(self, order_no: str) -> Payment:
        """The stored record of this order."""
        for merchant in DEMO_MERCHANTS.values():
            payment = await self.store.payment(merchant.merchant_id, PaymentRef(order_no=order_no))
            if payment is not None:
                return payment
        raise AssertionError(f"no demo merchant has {order_no}")

    async def check_books(self, *order_nos: str) -> None:
        """The ledger agrees with the payments, and what we hold of each payer's money agrees with the wallet's book."""
        assert list(await self.store.audit()) == []
        for order_no in order_nos:
            payment = await self.stored(order_no)
            rows = await self.wallet.statement(merchant_order=order_no)
            net = sum(int(str(row["net_fen"])) for row in rows if isinstance(row, dict))
            held = payment.paid_fen - payment.reversed_fen - payment.refunded_fen - payment.returned_fen
            assert net == held + payment.parked_fen, f"{order_no}: the wallet says {net}, we say {payment}"


async def _side_by_side(items: Sequence[Awaitable[None]]) -> None:
    async def one(item: Awaitable[None]) -> None:
        await item

    async with anyio.create_task_group() as group:
        for item in items:
            group.start_soon(one, item)


@asynccontextmanager
async def opened_world(store_url: str, folder: Path) -> AsyncIterator[World]:
    """A started world, stopped at the end."""
    world = World(store_url, folder)
    await world.start()
    try:
        yield world
    finally:
        await world.stop()


__all__ = ["START_MS", "Journal", "World", "opened_world"]
