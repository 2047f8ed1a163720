"""A terminal at work: with a window for people, or by itself with a customer who acts alone.

Machine -> Stand -> `bootstrap.run`, in front of which stands a Window or a Customer
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

import typer

from anytill.bootstrap import Stand, run
from anytill.bootstrap.customer import Customer, Payer
from anytill.bootstrap.terminals import Listens
from anytill.cli.process import SANDBOX_FILE, port_is_taken, run_gateway, write_access
from anytill.core.panel import Sight
from anytill.core.receipt import Receipt
from anytill.core.secret import Secret
from anytill.dialects import Dialect, TerminalKind, load_dialects
from anytill.ports import Clock, Panel
from anytill.receipts.escpos import escpos
from anytill.receipts.plain import plain_text
from anytill.transports.clock import SystemChance, SystemClock
from anytill.transports.http_server import new_event_loop
from anytill.transports.line_faults import LineFaults
from anytill.transports.panel import Front, Paper
from anytill.wire.amounts import format_yuan

if TYPE_CHECKING:
    from anytill.cli.window import Window
    from anytill.config import Settings

LOG: Final = "terminal.log"


@dataclass(frozen=True, slots=True)
class Machine:
    """A terminal as the command line describes it."""

    dialect: str
    settings: Settings  # of the gateway that it takes payments on
    demo: Path | None  # the folder of the gateway that it brings along
    data: Path
    listens: Listens
    number: str = ""  # empty: the published one
    faults: LineFaults = field(default_factory=LineFaults)
    key: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    paper: Path | None = None

    def stand(self, in_front: Callable[[Clock, Payer | None], Panel], started: Callable[[Listens], None]) -> Stand:
        """What `bootstrap` is asked for."""
        return Stand(
            dialect=self.dialect,
            number=self.number or self._record.sandbox.login,
            listens=self.listens,
            in_front=in_front,
            started=started,
            faults=self.faults,
            key=Secret(self.key) if self.key else None,
            options=self.options,
        )

    @property
    def port_options(self) -> dict[int | None, str]:
        """The options of `anytill terminal` that chose its ports."""
        return {self.listens.tcp_port: "--tcp", self.listens.http_port: "--http"}

    def title(self) -> str:
        """Its name for people."""
        return f"{self._record.title} · {self.number or self._record.sandbox.login}"

    def access(self, listens: Listens) -> dict[str, str]:
        """What a register needs to be told of it, when it listens there."""
        access = dict(self._kind.settings(listens.host, listens.http_port or 0, listens.tcp_port or 0))
        if self.key:
            access["pos_key"] = self.key
        if listens.tls is not None:
            access["http_url"] = access["http_url"].replace("http://", "https://", 1)
        missing = {"http_url": listens.http_port, "tcp_host": listens.tcp_port, "tcp_port": listens.tcp_port}
        return {name: value for name, value in access.items() if missing.get(name, 0) is not None}

    @property
    def _record(self) -> Dialect:
        return load_dialects()[self.dialect]

    @property
    def _kind(self) -> TerminalKind:
        kind = self._record.terminal
        assert kind is not None, self.dialect
        return kind


def customer_in_front(clock: Clock, payer: Payer | None) -> Panel:
    """Nobody but a customer who acts by himself."""
    customer = Customer(SystemChance(), payer)
    customer.front = Front(clock, customer)
    return customer.front


def run_by_itself(machine: Machine) -> None:
    """Until a signal. What happens is told line by line."""

    def in_front(clock: Clock, payer: Payer | None) -> Panel:
        customer = _Spoken(SystemChance(), payer)
        customer.front = Front(clock, customer, _kept_in(machine.paper))
        return customer.front

    def started(listens: Listens) -> None:
        _published(machine, listens)
        typer.echo(f"{machine.title()}: {', '.join(places(listens))}")
        typer.echo("stop: Ctrl-C")

    run_gateway(
        machine.settings,
        demo=machine.demo,
        started=None,
        stands=[machine.stand(in_front, started)],
        options=machine.port_options,
    )


def run_in_window(machine: Machine) -> None:
    """Until the window is closed. What would be logged to the screen goes to a file."""
    with (
        (machine.data / LOG).open("a", encoding="utf-8") as log,
        port_is_taken(machine.settings, machine.port_options),
        asyncio.Runner(loop_factory=new_event_loop) as runner,
    ):
        runner.run(_shown(machine, log))


async def _shown(machine: Machine, log: TextIO) -> None:
    from anytill.cli.window import Window

    stop, ready = asyncio.Event(), asyncio.Event()
    window = Window(machine.title(), SystemChance())

    def in_front(clock: Clock, payer: Payer | None) -> Panel:
        window.front = Front(clock, window, _kept_in(machine.paper))
        window.payer = payer
        return window.front

    def started(listens: Listens) -> None:
        _published(machine, listens)
        window.places = places(listens)
        ready.set()

    stands = [machine.stand(in_front, started)]
    serving = asyncio.ensure_future(
        run(machine.settings, log, demo=machine.demo, started=None, stop=stop, stands=stands)
    )
    try:
        await _first_of(serving, ready)
        if not serving.done():
            await _used(window, serving)
    finally:
        stop.set()
        await serving


async def _used(window: Window, serving: asyncio.Future[None]) -> None:
    """Until a person, or a signal, or the end of the terminal closes the window."""
    serving.add_done_callback(lambda _: window.exit())
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, window.exit)
    try:
        await window.run_async()
    finally:
        loop.remove_signal_handler(signal.SIGTERM)


async def _first_of(serving: asyncio.Future[None], ready: asyncio.Event) -> None:
    waiting: asyncio.Future[Any] = asyncio.ensure_future(ready.wait())
    await asyncio.wait([serving, waiting], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    with suppress(asyncio.CancelledError):
        await waiting


def places(listens: Listens) -> list[str]:
    """Where a terminal listens, as a register is told."""
    host = f"[{listens.host}]" if ":" in listens.host else listens.host
    scheme = "https" if listens.tls else "http"
    told = []
    if listens.http_port is not None:
        told.append(f"{scheme}://{host}:{listens.http_port}")
    if listens.tcp_port is not None:
        told.append(f"tcp://{host}:{listens.tcp_port}")
    if listens.serial_path is not None:
        told.append(f"serial:{listens.serial_path}")
    return told


def _published(machine: Machine, listens: Listens) -> None:
    """Where registers on this machine find it, and with which key; of a terminal of its own gateway only."""
    if machine.demo is not None:
        write_access(machine.data / SANDBOX_FILE, {machine.dialect: machine.access(listens)})


class _Spoken(Customer):
    """A customer whose every step is told in a line."""

    def shown(self, sight: Sight) -> None:
        """See `Display`."""
        amount = f"{sight.currency} {format_yuan(sight.amount_fen)}" if sight.amount_fen else ""
        moment = SystemClock().now_ms() // 1_000 % 86_400
        clock = f"{moment // 3_600:02d}:{moment // 60 % 60:02d}:{moment % 60:02d}"
        typer.echo(" ".join(filter(None, (clock, sight.stage, sight.title, amount, sight.number, sight.hint))))
        super().shown(sight)

    def printed(self, receipt: Receipt) -> None:
        """See `Display`."""
        typer.echo(plain_text(receipt))


def _kept_in(folder: Path | None) -> Paper | None:
    """Paper that is a folder: each slip as text, and as a printer's bytes."""
    if folder is None:
        return None
    numbers = count(1)

    def keep(receipt: Receipt) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{SystemClock().now_ms()}-{next(numbers):04d}"
        (folder / f"{name}.txt").write_text(plain_text(receipt), encoding="utf-8")
        (folder / f"{name}.bin").write_bytes(escpos(receipt))

    return keep
