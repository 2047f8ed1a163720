"""A terminal set up beside a gateway, in its process: whose it is, who is in front of it, and where it listens.

Stand (what is wanted) -> standing() -> Panel -> Terminal -> its lines, while the gateway serves
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from anytill.bootstrap.customer import Payer
from anytill.bootstrap.terminals import Listens, OnTheLine, PowerCut, serve_terminal
from anytill.channels.sandbox import SandboxChannel
from anytill.config import SettingsError
from anytill.core.errors import UnknownCredential
from anytill.core.records import changed
from anytill.core.secret import Secret
from anytill.dialects import load_dialects
from anytill.gateway import Gateway
from anytill.ports import Channel, Clock, Panel, Store, Watch
from anytill.transports.line_faults import LineFaults

#: Who is in front of the terminal: told its clock, and whose hand pays what the screen shows, if a sandbox does.
InFront = Callable[[Clock, Payer | None], Panel]


@dataclass(frozen=True, slots=True)
class Stand:
    """What is wanted."""

    dialect: str
    number: str  # the terminal's: its credential's login
    listens: Listens
    in_front: InFront
    started: Callable[[Listens], None]
    faults: LineFaults = field(default_factory=LineFaults)
    key: Secret | None = None  # in place of the published one; for a demo's terminal only
    options: Mapping[str, str] = field(default_factory=dict)  # laid over the credential's; likewise


@asynccontextmanager
async def standing(
    stand: Stand, gateway: Gateway, store: Store, channels: Mapping[str, Channel], clock: Clock, watch: Watch,
    stop: asyncio.Event,
) -> AsyncIterator[None]:  # fmt: skip
    """The terminal takes payments from here to the end of the body, and until what was asked of it is answered.

    If it cannot go on, `stop` is set. Raises SettingsError for a terminal that is not known, OSError for a line that
    cannot be had.
    """
    dialect = load_dialects()[stand.dialect]
    if dialect.terminal is None:
        raise SettingsError(f"{dialect.name} has no terminals")
    await _lay_over(stand, gateway, store)
    payer = next((Payer(channel) for channel in channels.values() if isinstance(channel, SandboxChannel)), None)
    panel = stand.in_front(clock, payer)
    if stand.faults.power_cut:
        panel = PowerCut(panel)
    terminal = dialect.terminal.open(gateway, stand.number, panel)
    ready, ended = asyncio.Event(), asyncio.Event()

    def started(listens: Listens) -> None:
        stand.started(listens)
        ready.set()

    lines = OnTheLine(watch, stand.faults)
    serving = asyncio.ensure_future(
        serve_terminal(dialect, terminal, stand.listens, lines, started=started, stop=ended)
    )
    opening = asyncio.ensure_future(ready.wait())
    try:
        await asyncio.wait({serving, opening}, return_when=asyncio.FIRST_COMPLETED)
        if not serving.done():
            serving.add_done_callback(lambda _: stop.set())
            yield
    finally:
        opening.cancel()
        ended.set()
        await serving


async def _lay_over(stand: Stand, gateway: Gateway, store: Store) -> None:
    try:
        credential = await gateway.credential(stand.dialect, stand.number)
    except UnknownCredential:
        raise SettingsError(
            f"{stand.dialect} has no terminal {stand.number} that is on: `anytill device add` makes one"
        ) from None
    if stand.key is None and not stand.options:
        return
    laid_over = changed(
        credential, secret=stand.key or credential.secret, options={**credential.options, **stand.options}
    )
    await store.put_credential(laid_over)
    gateway.forget(laid_over)
