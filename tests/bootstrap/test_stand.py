"""A terminal that stands beside a gateway: whose it is, what is laid over its credential, and how it comes and goes."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from typing import Any

import pytest

from anytill.bootstrap.customer import Customer, Payer
from anytill.bootstrap.stand import Stand, standing
from anytill.bootstrap.terminals import Listens, PowerCut
from anytill.config import SettingsError
from anytill.core.panel import Sight, Stage
from anytill.core.secret import Secret
from anytill.dialects.qfpay.sandbox import SANDBOX
from anytill.ports import Clock, Panel
from anytill.transports.clock import StandingClock, SystemChance
from anytill.transports.line_faults import LineFaults
from anytill.transports.panel import Front
from tests.acceptance.qfpay_register import Http, Key, QfpayTill, Tcp
from tests.acceptance.tills import Told, Word
from tests.transports.fakes import Remembered, kept_port
from tests.world import World

pytestmark = pytest.mark.anyio

OTHER_KEY = "0123456789abcdef"
FREE = Listens(http_port=0, tcp_port=0)


class Shop:
    """Who asked for a stand, and what became of it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.listens: Listens | None = None
        self.payers: list[Payer | None] = []
        self.stop = asyncio.Event()
        self.watch = Remembered()
        #: In the place of the world's clock, which goes on as soon as anybody waits.
        self.front_clock: Clock | None = None

    def in_front(self, clock: Clock, payer: Payer | None) -> Panel:
        customer = Customer(SystemChance(), payer)
        customer.front = Front(self.front_clock or clock, customer)
        self.payers.append(payer)
        return customer.front

    def started(self, listens: Listens) -> None:
        self.listens = listens

    def wants(self, listens: Listens = FREE, number: str = SANDBOX.login, **more: Any) -> Stand:
        return Stand("qfpay", number, listens, self.in_front, self.started, **more)

    @asynccontextmanager
    async def stands(self, stand: Stand) -> AsyncIterator[None]:
        world = self.world
        channels = {"sandbox": world.wallet}
        async with standing(stand, world.gateway, world.store, channels, world.clock, self.watch, self.stop):
            yield

    async def pays(self, number: str, key: Key, way: str = "tcp") -> Told:
        """A sale by a register at the stand."""
        assert self.listens is not None
        http, tcp = self.listens.http_port or 0, self.listens.tcp_port or 0
        till = QfpayTill(Http(lambda: http) if way == "http" else Tcp(lambda: tcp), key)
        try:
            return await asyncio.to_thread(till.pay, number, 1_200)
        finally:
            till.close()


@pytest.fixture
def shop(world: World) -> Shop:
    return Shop(world)


async def test_it_takes_payments_on_the_gateway_while_it_stands(shop: Shop) -> None:
    with kept_port() as http_port, kept_port() as tcp_port:
        async with shop.stands(shop.wants(Listens(http_port=http_port, tcp_port=tcp_port))):
            assert isinstance(shop.payers[0], Payer), "a sandbox has a payer's hand"
            for way in ("http", "tcp"):
                told = await shop.pays(f"S-{way}", Key(SANDBOX.secret), way)
                assert (told.word, told.fields["udid"]) == (Word.YES, SANDBOX.login)
        for port in (http_port, tcp_port):
            with pytest.raises(OSError, match="refused"), closing(socket.create_connection(("127.0.0.1", port))):
                pass
    assert int(str((await shop.world.wallet.totals())["orders"])) == 2
    assert not shop.stop.is_set() or shop.watch.alarms == []


async def test_another_key_and_switches_are_laid_over_the_published_ones(shop: Shop) -> None:
    stand = shop.wants(key=Secret(OTHER_KEY), options={"response": "plain"})
    async with shop.stands(stand):
        assert (await shop.pays("S1", Key(OTHER_KEY))).word is Word.YES
        assert (await shop.pays("S2", Key(SANDBOX.secret))).code == "4003"
    known = await shop.world.store.credential("qfpay", SANDBOX.login)
    assert known is not None
    assert (known.secret, known.options) == (Secret(OTHER_KEY), {**SANDBOX.options, "response": "plain"})


async def test_only_options_leave_the_key_alone(shop: Shop) -> None:
    async with shop.stands(shop.wants(options={"key_bytes": "hex"})):
        assert (await shop.pays("S1", Key(SANDBOX.secret, is_hex=True))).word is Word.YES


async def test_a_terminal_that_nobody_knows_is_told_in_a_sentence(shop: Shop) -> None:
    with pytest.raises(SettingsError, match="qfpay has no terminal 12345678 that is on: `anytill device add`"):
        async with shop.stands(shop.wants(number="12345678")):
            pytest.fail("it stands")
    assert shop.listens is None


async def test_a_dialect_without_terminals_has_none(shop: Shop) -> None:
    stand = Stand("yst", "x", FREE, shop.in_front, shop.started)
    with pytest.raises(SettingsError, match="yst has no terminals"):
        async with shop.stands(stand):
            pytest.fail("it stands")


@pytest.mark.parametrize("line", ["http_port", "tcp_port"])
async def test_a_port_that_is_taken_is_nobodys(shop: Shop, line: str) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        listens = Listens(**{"http_port": 0, "tcp_port": 0, line: taken.getsockname()[1]})
        with pytest.raises(OSError, match="in use"):
            async with shop.stands(shop.wants(listens)):
                # It learns of it before anybody can ask, or at the latest here.
                await shop.stop.wait()
    assert shop.listens is None


async def test_what_was_asked_is_answered_before_it_goes(shop: Shop) -> None:
    """The order waits for its payer, who pays while the terminal is being stopped."""
    world = shop.world
    shop.front_clock = StandingClock(world.clock.now_ms())
    paying: asyncio.Future[Told] | None = None
    async with shop.stands(shop.wants()):
        assert shop.listens is not None
        port = shop.listens.tcp_port or 0
        till = QfpayTill(Tcp(lambda: port), Key(SANDBOX.secret))
        paying = asyncio.ensure_future(
            asyncio.to_thread(till.pay, "LATE", 903, "fps")  # its code is left alone
        )
        async with asyncio.timeout(120):
            while not await world.wallet.statement(merchant_order="LATE"):
                await asyncio.sleep(0)
        await world.wallet.payer_pays(merchant_order="LATE")
        shop.stop.set()
        assert not paying.done()
    assert (await paying).word is Word.YES
    till.close()


async def test_the_power_is_cut_only_where_that_is_wanted(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    cuts: list[Sight] = []

    def shown(panel: PowerCut, sight: Sight) -> None:
        cuts.append(sight)
        panel._panel.show(sight)

    monkeypatch.setattr(PowerCut, "show", shown)
    async with shop.stands(shop.wants(faults=LineFaults(power_cut=True))):
        await shop.pays("S1", Key(SANDBOX.secret))
    assert cuts[-1].stage is Stage.DONE
    cuts.clear()
    async with shop.stands(shop.wants()):
        assert (await shop.pays("S2", Key(SANDBOX.secret))).word is Word.YES
    assert cuts == []
