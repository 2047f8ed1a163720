"""A terminal on its lines: all at once on the one terminal, none when one cannot be had, and the same truth at both
ends whatever is wrong with the line."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from anytill.bootstrap.terminals import (
    Listens,
    OnTheLine,
    PowerCut,
    TerminalSend,
    open_terminal_send,
    serve_terminal,
    terminal_routes,
)
from anytill.core.errors import Refusal
from anytill.core.lifecycle import PaymentState
from anytill.core.panel import Sight, Stage, Way
from anytill.core.payment import PayOrder
from anytill.core.receipt import Receipt
from anytill.core.secret import Secret
from anytill.core.wallet import Wallet
from anytill.dialects.qfpay import DIALECT
from anytill.dialects.qfpay.client import Client
from anytill.dialects.qfpay.codec import PosKey, is_whole
from anytill.dialects.qfpay.ends import Patience
from anytill.dialects.qfpay.register import Register
from anytill.ports import Send, Terminal, Unreachable
from anytill.transports.clock import StandingClock, SystemClock
from anytill.transports.journal import MemoryJournal
from anytill.transports.line_faults import LineFaults
from anytill.transports.panel import Front
from anytill.transports.tls import IMPORTED, client_tls, self_made_tls
from anytill.wire.http import HttpRequest, HttpResponse, text
from tests.dialects.qfpay.desk import KEY, USER_CANCELLED, Desk, message, said
from tests.transports.cables import Cable
from tests.transports.fakes import Remembered
from tests.world import World, opened_world

KIND = DIALECT.terminal or pytest.fail("it has terminals")
TRADE = "/api/pos/trade"


class Fake:
    """A terminal that answers with what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.stops = 0

    async def handle(self, request: HttpRequest) -> HttpResponse:
        self.asked.append(f"{request.method} {request.path}")
        return text(f"{request.method} {request.body.decode()}")

    async def answer(self, message: bytes) -> bytes:
        if message == b"bug":
            raise KeyError(message)
        self.asked.append(message.decode())
        return b"[" + message + b"]"

    def is_whole(self, message: bytes) -> bool:
        return message.endswith(b".")

    def stop(self) -> None:
        self.stops += 1


def at_once(_message: bytes) -> bool:
    return True


def request(body: bytes, method: str = "POST", path: str = TRADE) -> HttpRequest:
    return HttpRequest(method, path, "", {}, body, "")


@contextlib.asynccontextmanager
async def served(
    terminal: Terminal, listens: Listens, watch: Remembered | None = None, faults: LineFaults | None = None
) -> AsyncIterator[Listens]:
    """The terminal on these lines; the real ports."""
    opened, stop = asyncio.get_running_loop().create_future(), asyncio.Event()
    lines = OnTheLine(watch or Remembered(), faults or LineFaults(), grace_s=10)
    serving = asyncio.ensure_future(
        serve_terminal(DIALECT, terminal, listens, lines, started=opened.set_result, stop=stop)
    )
    await asyncio.wait({serving, opened}, return_when=asyncio.FIRST_COMPLETED)
    try:
        if serving.done():
            await serving
        yield await opened
    finally:
        stop.set()
        await asyncio.wait_for(serving, timeout=60)


def send_to(address: str, is_whole: Callable[[bytes], bool] = at_once) -> TerminalSend:
    return open_terminal_send(KIND, address, timeout_ms=60_000, is_whole=is_whole)


async def answered(send: Send, question: HttpRequest) -> HttpResponse:
    """The answer. It is asked for again where this machine stood still for longer than a line waits for a word."""
    for _ in range(10):
        with contextlib.suppress(Unreachable):
            return await send(question)
    return await send(question)


@pytest.mark.anyio
async def test_all_lines_at_once() -> None:
    terminal = Fake()
    async with (
        Cable() as cable,
        served(terminal, Listens(http_port=0, tcp_port=0, serial_path=cable.left.path)) as at,
    ):
        assert at.serial_path == cable.left.path
        for address, answer in (
            (f"http://127.0.0.1:{at.http_port}", b"POST x."),
            (f"tcp://127.0.0.1:{at.tcp_port}", b"[x.]"),
            (f"serial:{cable.right.path}", b"[x.]"),
        ):
            send = send_to(address)
            asking = answered(send, request(b"x.")) if address.startswith("serial:") else send(request(b"x."))
            assert (await asking).body == answer
            await send.aclose()
    over_serial = terminal.asked[2:]
    assert terminal.asked == [f"POST {TRADE}", "x.", *over_serial]
    assert {*over_serial} == {"x."}
    assert terminal.stops == 1


@pytest.mark.anyio
@pytest.mark.parametrize("wanted", [Listens(http_port=0), Listens(tcp_port=0)])
async def test_each_line_is_optional(wanted: Listens) -> None:
    async with served(Fake(), wanted) as at:
        assert (at.http_port is None) == (wanted.http_port is None)
        assert (at.tcp_port is None) == (wanted.tcp_port is None)
        assert at.serial_path is None


@pytest.mark.anyio
async def test_every_method_reaches_the_terminal_that_has_a_word_for_it() -> None:
    terminal = Fake()
    async with served(terminal, Listens(http_port=0)) as at:
        send = send_to(f"http://127.0.0.1:{at.http_port}")
        for method in ("OPTIONS", "GET", "PUT", "DELETE", "POST"):
            assert (await send(request(b"", method))).body == f"{method} ".encode()
        assert (await send(request(b"", path="/elsewhere"))).status == 404
        await send.aclose()
    assert {path for _, path in (each.split() for each in terminal.asked)} == {TRADE}
    assert len(terminal_routes(DIALECT, terminal)) == 6 * 6


@pytest.mark.anyio
async def test_the_preflight_of_a_browser_is_answered_over_the_wire(world: World) -> None:
    desk = await Desk(world).opened()
    async with served(desk.terminal, Listens(http_port=0)) as at:
        reader, writer = await asyncio.open_connection("127.0.0.1", at.http_port)
        writer.write(
            f"OPTIONS {TRADE} HTTP/1.1\r\nhost: a\r\norigin: https://pos.example\r\n"
            "access-control-request-method: POST\r\nconnection: close\r\n\r\n".encode()
        )
        head = (await reader.read()).lower()
        assert head.startswith(b"http/1.1 204 ")
        assert b"access-control-allow-origin: *\r\n" in head
        assert b"access-control-allow-methods: post, options\r\n" in head
        writer.close()
        await writer.wait_closed()


@pytest.mark.anyio
async def test_https(tmp_path: Path) -> None:
    path = tmp_path / "terminal.pem"
    tls = self_made_tls(path, ["127.0.0.1"], SystemClock().now_ms())
    async with served(Fake(), Listens(http_port=0, tls=tls)) as at:
        send = open_terminal_send(
            KIND,
            f"https://127.0.0.1:{at.http_port}",
            timeout_ms=60_000,
            is_whole=at_once,
            tls=client_tls(path.with_suffix(IMPORTED)),
        )
        assert (await send(request(b"x"))).body == b"POST x"
        await send.aclose()


@pytest.mark.anyio
async def test_a_bug_is_told_to_a_person_and_to_the_register_in_the_vendors_words() -> None:
    watch = Remembered()
    async with served(Fake(), Listens(tcp_port=0), watch) as at:
        answer = await send_to(f"tcp://127.0.0.1:{at.tcp_port}")(request(b"bug\n"))
    assert b'"4005"' in answer.body
    assert watch.alarms == [("terminal", {"fault": "KeyError"})]


@pytest.mark.anyio
async def test_when_one_line_cannot_be_had_there_is_none(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for listens in (
            Listens(http_port=0, tcp_port=port),
            Listens(http_port=port, tcp_port=0),
            Listens(http_port=0, tcp_port=0, serial_path=str(tmp_path / "none")),
        ):
            with pytest.raises(OSError):  # noqa: PT011 - in the system's words
                async with served(Fake(), listens):
                    pytest.fail("it was started")


def test_where_a_terminal_may_be() -> None:
    for address in ("http://a", "https://a:1", "http://[::1]:9001", "tcp://a", "tcp://[::1]:1", "serial:/dev/ttyUSB0"):
        assert callable(send_to(address))
    for address in ("", "a", "ftp://a", "tcp://", "tcp://a/b", "serial:", "http://a/b", "http://user@a"):
        with pytest.raises(ValueError):  # noqa: PT011 - whichever part of it is wrong
            send_to(address)


# The money, whatever is wrong with the line

FAULTS = {
    "none": LineFaults(),
    "split": LineFaults(split_bytes=50, pause_ms=0),
    "noise": LineFaults(noise_every=2),
    "mute": LineFaults(mute_every=2),
}


def answer_is_whole(message: bytes) -> bool:
    return is_whole(message, [PosKey(Secret(KEY))])


def register_at(send: Send, journal: MemoryJournal | None = None) -> Register:
    patience = Patience(again_ms=100, settled_ms=1_000, most_ms=60_000)
    client = Client({"pos_key": KEY}, send)
    return Register(client, journal or MemoryJournal(), StandingClock(jump=True), told_to_nobody, patience=patience)


def told_to_nobody(*_: object, **__: object) -> None:
    """A register's word to its people."""


@pytest.fixture
async def one_world(tmp_path: Path) -> AsyncIterator[World]:
    """What is wrong with a line is nothing to the store: one kind will do."""
    async with opened_world(f"sqlite:///{tmp_path / 'world.db'}", tmp_path) as world:
        yield world


@pytest.mark.anyio
@pytest.mark.parametrize("line", ["tcp", "serial"])
@pytest.mark.parametrize("fault", FAULTS)
async def test_register_and_wallet_agree(one_world: World, line: str, fault: str) -> None:
    desk = await Desk(one_world).opened()
    async with (
        Cable() as cable,
        served(desk.terminal, Listens(tcp_port=0, serial_path=cable.left.path), faults=FAULTS[fault]) as at,
    ):
        address = f"tcp://127.0.0.1:{at.tcp_port}" if line == "tcp" else f"serial:{cable.right.path}"
        send = send_to(address, answer_is_whole)
        register = register_at(send)
        for number, ending, charged_fen in (("A1", "00", 150), ("A2", "04", 0), ("A3", "00", 150)):
            desk.code(ending)
            try:
                end = await register.pay(PayOrder(number, 150, currency="HKD", wallet=Wallet.WECHAT))
                said_fen = 150 if end.state is PaymentState.PAID else 0
            except Refusal:
                said_fen = 0
            assert (number, said_fen) == (number, charged_fen)
            assert await desk.net_fen(number) == charged_fen
        assert not register.without_end
        await send.aclose()


@pytest.mark.anyio
@pytest.mark.parametrize("scheme", ["http", "tcp"])
async def test_what_waits_for_a_person_is_taken_back_when_it_is_switched_off(world: World, scheme: str) -> None:
    desk, nobody = await Desk(world).opened(), Nobody()
    # Its clock stands, so that no payer's time is ever over: only the switch can end it.
    terminal = KIND.open(world.gateway, desk.number, Front(StandingClock(world.clock.now_ms()), nobody))
    async with served(terminal, Listens(http_port=0, tcp_port=0)) as at:
        port = at.http_port if scheme == "http" else at.tcp_port
        send = send_to(f"{scheme}://127.0.0.1:{port}", lambda message: is_whole(message, [PosKey(Secret(KEY))]))
        body = message(desk.trade(channel="fps", out_trade_no="SHOWN"))
        asked = asyncio.ensure_future(send(request(body)))
        async with asyncio.timeout(60):
            await nobody.waited_for.wait()
    assert said((await asked).body).codes == USER_CANCELLED
    assert (await desk.stored("SHOWN")).state is PaymentState.CANCELLED
    assert await desk.net_fen("SHOWN") == 0
    await send.aclose()


class Nobody:
    """Nobody is in front of the terminal."""

    def __init__(self) -> None:
        self.waited_for = asyncio.Event()

    def shown(self, sight: Sight) -> None:
        if sight.stage is Stage.SHOWING:
            self.waited_for.set()

    def asked(self, way: Way) -> None:
        pass

    def printed(self, receipt: Receipt) -> None:
        pass

    def went_home(self) -> None:
        pass


class Cut(BaseException):
    """The power is gone."""


@pytest.mark.anyio
async def test_the_power_fails_when_it_is_paid_and_before_that_is_told(world: World) -> None:
    desk = await Desk(world).opened()
    cuts: list[str] = []

    def cut() -> None:
        cuts.append("cut")
        raise Cut

    desk.code("00")
    terminal = KIND.open(world.gateway, desk.number, PowerCut(desk.panel, cut))
    send = Terminals(terminal)
    journal = MemoryJournal()
    with pytest.raises(Cut):
        await register_at(send, journal).pay(PayOrder("A1", 150, currency="HKD", wallet=Wallet.WECHAT))
    assert cuts == ["cut"]
    assert Stage.DONE not in desk.panel.stages
    await desk.restart()
    send.terminal = desk.terminal
    (payment,) = await register_at(send, journal).resume()
    assert payment.state is PaymentState.PAID
    assert await desk.net_fen("A1") == 150


class Terminals:
    """The way to whichever terminal stands there."""

    def __init__(self, terminal: Terminal) -> None:
        self.terminal = terminal

    async def __call__(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse(200, await self.terminal.answer(request.body), "")


@pytest.mark.anyio
async def test_a_panel_without_power_cut_is_a_panel(world: World) -> None:
    desk = Desk(world)
    panel = PowerCut(desk.panel, lambda: None)
    panel.show(Sight(Stage.ASKING))
    panel.show(Sight(Stage.DONE))
    desk.panel.will(Way.TAP, Secret("4111111111111111=1"))
    assert isinstance(await panel.present(Way.TAP, 1_000), Secret)
    assert await panel.pause(1) is None
    panel.withdraw()
    panel.go_home()
    desk.panel.has_paper = False
    with pytest.raises(OSError):  # noqa: PT011 - no paper, in whatever words
        await panel.print(Receipt(()))
    assert desk.panel.stages == [Stage.ASKING, Stage.DONE]
    assert desk.panel.homes == 1
