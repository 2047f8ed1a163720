"""A payment terminal and its registers: every function over every line, in every form, with every kind of key."""

from __future__ import annotations

import json
import re
import secrets
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Final

import pytest

from tests.acceptance.books import GivenBack, Sale, verdict, wallet_book
from tests.acceptance.harness import until
from tests.acceptance.qfpay_register import (
    ANSWER,
    PATHS,
    REQUEST,
    Form,
    Http,
    Key,
    QfpayTill,
    Serial,
    frame,
    read,
    written,
)
from tests.acceptance.terminals import Cable, Terminal, cable, sale, serving, well_before_midnight
from tests.acceptance.tills import Told, Word

pytestmark = pytest.mark.timeout(400)

KEYS: Final = ("256 bit", "128 bit", "128 bit in hex")
LINES: Final = ("http", "tcp", "tcp lines", "serial")
CHANNELS: Final = ("wx", "alipay", "payme", "union", "fps", "octopus", "card_payment", "unionpay_card", "amex_card")


@dataclass
class Counter:
    """A terminal, the cable at it, and all that was sold there."""

    terminal: Terminal
    cable: Cable
    sales: list[Sale] = field(default_factory=list)
    _tills: dict[tuple[str, Form], QfpayTill] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def till(self, line: str, form: Form = Form.RAW) -> QfpayTill:
        """A register that has been here before, or a new one."""
        if line == "serial":
            form_of_it = self._tills.setdefault((line, Form.RAW), self.terminal.by_serial(self.cable.register))
            return QfpayTill(form_of_it.line, self.terminal.key, form)
        made = {
            "http": lambda: self.terminal.by_http(form),
            "tcp": lambda: self.terminal.by_tcp(form),
            "tcp lines": lambda: self.terminal.by_tcp(form, b"\n"),
        }
        if (line, form) not in self._tills:
            self._tills[line, form] = made[line]()
        return self._tills[line, form]

    def number(self, of: str = "T") -> str:
        return f"{of}{next(self._numbers):05d}"

    def sell(self, till: QfpayTill, cents: int = 100, channel: str = "wx", **fields: object) -> tuple[Sale, Told]:
        """A new order, and what the register was told."""
        order = sale(self.number(), cents, channel)
        self.sales.append(order)
        told = till.pay(order.order_no, cents, channel, **fields)
        order.told.append(told.word)
        return order, told

    def accepts(self, till: QfpayTill, order: Sale) -> bool:
        """Whether the terminal had time for this order, which then was told its word."""
        told = till.pay(order.order_no, order.amount_fen)
        if told.word is Word.REFUSED:
            assert told.fields["respcd"] == "9010", told
            return False
        order.told.append(told.word)
        return True

    def shows(self, cents: int) -> bool:
        """Whether the last order is of this sum, and its code has come to the screen."""
        number = self.sales[-1].order_no if self.sales and self.sales[-1].amount_fen == cents else "nobody's"
        return self.was(number, "SHOWING")

    def was(self, order_no: str, *stages: str) -> bool:
        """Whether the screen has told one of these stages of the order, whatever it has told since."""
        lines = [line for line in self.terminal.spoken().splitlines() if order_no in line]
        return any(stage in line for line in lines for stage in stages)

    def charged_fen(self, order: Sale) -> int:
        """What the payer is poorer by, in the wallet's own book."""
        book = wallet_book(self.terminal.journal)
        return sum(int(book.amounts(each)["net_fen"]) for each in book.orders_called(merchant_order=order.order_no))


@pytest.fixture(scope="module")
def counters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Counter]]:
    """A terminal for each kind of key, the second with https. At the end all books are compared."""
    kinds = {
        "256 bit": {},
        "128 bit": {"key": Key(secrets.token_hex(8)), "secure": True},
        "128 bit in hex": {"key": Key(secrets.token_hex(16), is_hex=True), "options": ("--key-bytes", "hex")},
    }
    made: dict[str, Counter] = {}
    with ExitStack() as stack:
        for kind, how in kinds.items():
            joined = stack.enter_context(cable())
            folder = tmp_path_factory.mktemp("terminal")
            made[kind] = Counter(Terminal(folder, serial=joined.terminal, **how), joined)  # type: ignore[arg-type]
        stack.enter_context(serving(*(each.terminal for each in made.values())))
        yield made
        for each in made.values():
            each.terminal.hang_up()
            assert each.terminal.terminate() == 0, each.terminal.printed()
            assert verdict(each.terminal.store_url, each.terminal.journal, each.sales) == []


@pytest.fixture
def counter(counters: dict[str, Counter]) -> Counter:
    """The terminal with the published key."""
    return counters["256 bit"]


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("key", KEYS)
def test_all_that_a_register_asks_for(counters: dict[str, Counter], key: str, line: str, form: Form) -> None:
    counter = counters[key]
    till = counter.till(line, form)
    order, told = counter.sell(till, 1_250)
    assert (told.word, told.code, told.text) == (Word.YES, "6000", "Transaction successful")
    assert [told.fields[name] for name in ("txamt", "txcurrcd", "out_trade_no")] == ["1250", "344", order.order_no]
    assert counter.charged_fen(order) == 1_250

    order.refunds.append(GivenBack("", 250, dialect="qfpay"))
    back = till.refund(order.order_no, 250)
    order.refunds[0].told.append(back.word)
    assert (back.word, back.fields["txamt"], back.fields["orig_syssn"]) == (Word.YES, "250", told.fields["syssn"])
    assert counter.charged_fen(order) == 1_000
    asked = till.query(order.order_no)
    assert (asked.word, asked.fields["cancel"], asked.fields["allow_refund_amt"]) == (Word.YES, "5", "1000")
    assert till.query_id(told.fields["syssn"]).fields["out_trade_no"] == order.order_no
    assert till.query_id(back.fields["syssn"]).fields["origssn"] == told.fields["syssn"]

    before = len(counter.terminal.slips())
    assert till.receipt(told.fields["syssn"]).word is Word.YES
    (receipt,) = counter.terminal.slips()[before:]
    assert order.order_no in receipt
    assert "12.50" in receipt

    nothing = till.cancel()
    assert (nothing.word, nothing.code, nothing.fields["respcd"]) == (Word.REFUSED, "6002", "9011")
    assert till.query("NOBODYS").fields["respcd"] == "1136"


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("line", LINES)
def test_the_days_takings_come_out_of_the_printer(counter: Counter, line: str, form: Form) -> None:
    counter.sell(counter.till("http"))
    before = len(counter.terminal.slips())
    told = counter.till(line, form).summary()
    assert (told.word, told.code) == (Word.YES, "6000"), told
    (summary,) = counter.terminal.slips()[before:]
    assert "80000001" in summary


@pytest.mark.parametrize("line", LINES)
def test_a_trade_that_waits_is_taken_back(counters: dict[str, Counter], line: str) -> None:
    """Shown as a code that nobody scans; 5001 comes over another connection, for whom nobody has to wait."""
    counter = counters["128 bit"]
    till, other = counter.till(line), counter.terminal.by_http(Form.QUOTED)
    with ThreadPoolExecutor(1) as threads:
        selling = threads.submit(counter.sell, till, 703, "alipay", scan_type="QRCODE_PAY")
        until(lambda: counter.shows(703), "the code is shown")
        order = counter.sales[-1]
        asked = other.query(order.order_no)
        assert (asked.word, asked.code, asked.fields["cancel"]) == (Word.OPEN, "6000", "0")
        order.cancel_asked = True
        cancelled = other.cancel()
        order.cancel_told.append(cancelled.word)
        assert (cancelled.word, cancelled.code) == (Word.YES, "6000"), cancelled
        _, told = selling.result()
    assert (told.word, told.code) == (Word.NO, "6001"), told
    assert counter.charged_fen(order) == 0
    again = till.query(order.order_no)
    assert (again.word, again.fields["cancel"]) == (Word.NO, "2")


@pytest.mark.parametrize("channel", CHANNELS)
def test_every_channel_is_paid(counter: Counter, channel: str) -> None:
    till = counter.till("tcp")
    order, told = counter.sell(till, 200, channel)
    assert told.word is Word.YES, told
    assert counter.charged_fen(order) == 200
    asked = till.query(order.order_no)
    assert (asked.word, asked.fields["txamt"], asked.fields["busicd"]) == (Word.YES, "200", told.fields["busicd"])
    if channel.endswith("card") or channel == "card_payment":
        assert told.fields["cardscheme"] in ("VISA", "MASTERCARD", "UNIONPAY", "AMEX")
        assert "*****" in asked.fields["cardno"]


@pytest.mark.parametrize(("channel", "cents"), [("wx", 504), ("alipay", 505), ("card_payment", 604), ("octopus", 605)])
def test_a_payer_who_cannot_pay_is_a_clear_no(counter: Counter, channel: str, cents: int) -> None:
    order, told = counter.sell(counter.till("tcp"), cents, channel)
    assert (told.word, told.code) == (Word.NO, "6002"), told
    assert counter.charged_fen(order) == 0
    assert counter.till("http").query(order.order_no).word is Word.NO


def test_a_card_is_asked_for_its_number_above_a_thousand_and_goes_back_whole_on_its_day(counter: Counter) -> None:
    well_before_midnight()
    till, before = counter.till("serial"), len(counter.terminal.spoken())
    order, told = counter.sell(till, 100_100, "card_payment")
    assert told.word is Word.YES
    part = till.refund(order.order_no, 100)
    assert (part.word, part.code, part.fields["respcd"]) == (Word.REFUSED, "4006", "9014")
    order.refunds.append(GivenBack("", 100_100, dialect="qfpay"))
    whole = till.refund(order.order_no)
    order.refunds[0].told.append(whole.word)
    assert (whole.word, whole.fields["txamt"]) == (Word.YES, "100100")
    assert counter.charged_fen(order) == 0
    # The PIN; longer numbers may hold its digits by chance.
    assert not re.search(r"(?<!\d)1234(?!\d)", counter.terminal.spoken()[before:])


def test_the_same_number_again_is_told_how_it_stands_and_charges_nobody(counter: Counter) -> None:
    order, told = counter.sell(counter.till("http"), 300)
    for line in LINES:
        again = counter.till(line).pay(order.order_no, 300)
        assert (again.word, again.fields["syssn"]) == (Word.YES, told.fields["syssn"])
        other = counter.till(line).pay(order.order_no, 400)
        assert (other.code, other.fields["respcd"]) == ("4006", "1102")
    assert counter.charged_fen(order) == 300


def test_a_script_of_its_own_in_loose_text_over_https(counters: dict[str, Counter]) -> None:
    """What a browser's till does: it asks whether it may, sends quoted base64 of loose text, and reads plain JSON."""
    counter = counters["128 bit"]
    line, key = counter.terminal.by_http().line, counter.terminal.key
    assert isinstance(line, Http)
    assert line.tls is not None
    page = {"Origin": "https://pos.example", "Access-Control-Request-Method": "POST"}
    may = line.request("OPTIONS", PATHS[1001], b"", {**page, "Access-Control-Request-Headers": "content-type"})
    assert may is not None
    assert (may[0], may[1]["access-control-allow-origin"]) == (204, "*")
    assert "POST" in may[1]["access-control-allow-methods"]
    assert "content-type" in may[1]["access-control-allow-headers"].lower()

    order = sale("POS--00042--1", 1_250, "wx", told=[Word.YES])
    counter.sales.append(order)
    content = {"amt": 12.5, "channel": "wx", "func_type": 1001, "out_trade_no": order.order_no}
    body = written(content, key, Form.LOOSE)
    inside = key.decrypted(json.loads(body).encode())
    assert inside.startswith("{content={amt=12.5,channel='wx',func_type=1001,out_trade_no='POS--00042--1'}, digest='")
    answer = line.request("POST", PATHS[1001], body, {"Content-Type": "application/json"})
    assert answer is not None
    status, headers, said = answer
    assert (status, headers["access-control-allow-origin"]) == (200, "*")
    assert headers["content-type"].startswith("application/json")
    assert said.startswith(b'{"respcd":"6000",')
    assert read(said, key)["data"]["txamt"] == "1250"
    assert counter.charged_fen(order) == 1_250


class TestRefused:
    """What is no request of this terminal's register is told so, in the open, and changes nothing."""

    def test_another_key_is_one_answer_whatever_is_wrong(self, counter: Counter) -> None:
        line = counter.terminal.by_http().line
        content = {"amt": 1, "channel": "wx", "func_type": 1001, "out_trade_no": "STRANGE1"}
        right = counter.terminal.key
        changed = written(content, right, Form.PLAIN).replace(b'"amt": 1', b'"amt": 2')
        strangers = [written(content, Key(secrets.token_hex(16)), form) for form in Form]
        told = {line.ask(body, 1001, bool) for body in (*strangers, changed, right.encrypted("{").encode())}
        assert len(told) == 1
        assert read(told.pop() or b"", right)["respcd"] == "4003"
        assert counter.till("http").query("STRANGE1").fields["respcd"] == "1136"

    def test_wrong_paths_and_methods(self, counter: Counter) -> None:
        line = counter.terminal.by_http().line
        assert isinstance(line, Http)
        inquiry = written({"func_type": 5001}, counter.terminal.key, Form.QUOTED)
        cases = [("GET", PATHS[5001], b"", "4004"), ("POST", PATHS[1001], inquiry, "4006"),
                 ("POST", PATHS[5001], b"%%%", "5001"), ("POST", PATHS[5001], b"", "5001")]  # fmt: skip
        for method, path, body, code in cases:
            answer = line.request(method, path, body, {})
            assert answer is not None
            assert (answer[0], json.loads(answer[2])["respcd"]) == (200, code), (method, path)

    @pytest.mark.parametrize("fields", [{"amt": "1.001"}, {"amt": -1}, {"amt": 1, "channel": "cash"}, {"amt": "1e3"}])
    def test_wrong_fields(self, counter: Counter, fields: dict[str, object]) -> None:
        asked = {"channel": "wx", "out_trade_no": "WRONG001", **fields}
        answer = counter.till("tcp").call(1001, **asked)
        assert answer is not None
        assert answer["respcd"] == "4006"
        assert next(reversed(fields)) in answer["respmsg"]


class TestOthersAtTheLine:
    """A slow or silent peer holds nothing up."""

    def test_silent_and_slow_connections(self, counters: dict[str, Counter]) -> None:
        counter = counters["128 bit"]
        terminal = counter.terminal
        whole = written({"func_type": 5001}, terminal.key, Form.RAW)
        with ExitStack() as peers:
            for number in range(40):
                # To TCP, half of a message or nothing; to https, half of a handshake, or nothing.
                port = terminal.tcp_port if number % 2 else terminal.port
                peer = peers.enter_context(closing(socket.create_connection(("127.0.0.1", port), 10)))
                half = whole[:40] if number % 2 else b"\x16\x03\x01\x02\x00\x01"
                if number % 4 > 1:
                    peer.sendall(half)
            assert {counter.sell(till)[1].word for till in (terminal.by_http(), terminal.by_tcp())} == {Word.YES}
            assert counter.sell(counter.till("serial"))[1].word is Word.YES

    def test_one_byte_at_a_time(self, counter: Counter) -> None:
        """A request that drips in is answered when it is whole, and others are answered meanwhile. Half a second
        without a byte ends it too, so a drip that somebody held up proves nothing and is begun again."""
        body = written({"func_type": 5001}, counter.terminal.key, Form.RAW)
        other = counter.till("http")

        def dripped() -> bool:
            with closing(socket.create_connection(("127.0.0.1", counter.terminal.tcp_port), 60)) as slow:
                slow.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for at in range(len(body)):
                    slow.sendall(body[at : at + 1])
                    if at % 40 == 0:
                        assert other.query("NOBODYS").fields["respcd"] == "1136"
                slow.shutdown(socket.SHUT_WR)
                heard = b""
                while data := slow.recv(65_536):
                    heard += data
            try:
                answer = read(heard, counter.terminal.key)
            except ValueError:  # two answers, to two halves
                return False
            return bool(answer["data"].get("respcd") == "9011")

        until(dripped, "a request that dripped in is answered as one")

    def test_half_a_frame_and_noise_on_the_serial_line(self, counter: Counter) -> None:
        till = counter.till("serial")
        assert isinstance(till.line, Serial)
        body = written({"func_type": 5001}, counter.terminal.key, Form.RAW)
        for rubbish in (frame(REQUEST, 7, body)[:-9], b"\x00/n/n\x01\x10", secrets.token_bytes(50), frame(ANSWER, 9)):
            till.line.write(rubbish)
            order, told = counter.sell(till)
            # Whoever spoke into the noise may have to ask again; nobody is charged twice.
            while told.word in (Word.LOST, Word.OPEN):  # open: what counted as lost was only late
                told = till.pay(order.order_no, order.amount_fen)
            order.told.append(told.word)
            assert told.word is Word.YES, rubbish
            assert counter.charged_fen(order) == 100

    def test_a_register_that_goes_away_while_it_waits(self, counter: Counter) -> None:
        """The trade goes on: its end is found by its number."""
        order = sale(counter.number(), 903, "payme")
        counter.sales.append(order)
        content = {"amt": 9.03, "channel": "payme", "func_type": 1001, "out_trade_no": order.order_no}
        content |= {"scan_type": "QRCODE_PAY", "payment_timeout": 2}
        with closing(socket.create_connection(("127.0.0.1", counter.terminal.tcp_port), 10)) as gone:
            gone.sendall(written(content, counter.terminal.key, Form.RAW))
            # Who was held up for its two seconds shows no code any more.
            until(lambda: counter.was(order.order_no, "SHOWING", "CONFIRMING", "REFUSED"), "the code is shown")
        until(lambda: counter.till("http").query(order.order_no).word is Word.NO, "it is closed unpaid")
        assert counter.charged_fen(order) == 0
        next_one = sale(counter.number(), 100)
        counter.sales.append(next_one)
        # The gateway may know the end a moment before the terminal does.
        until(lambda: counter.accepts(counter.till("tcp"), next_one), "the terminal has time")
        assert next_one.told == [Word.YES]


class TestTwoRegisters:
    """One terminal, one errand at a time."""

    def test_they_sell_at_the_same_time(self, counter: Counter) -> None:
        """Who is told that it is busy was not charged and tries again."""
        busy: list[str] = []
        together = threading.Barrier(3)

        def accepted(till: QfpayTill, order: Sale) -> bool:
            if counter.accepts(till, order):
                return True
            busy.append(order.order_no)
            return False

        def sells(till: QfpayTill) -> list[Sale]:
            sold: list[Sale] = []
            together.wait(120)
            # Three of whom one is held up may not meet at first.
            while len(sold) < 12 or (not busy and len(sold) < 72):
                order = sale(counter.number("B"), 1_200, "wx")
                sold.append(order)
                until(partial(accepted, till, order), "the terminal has time", poll_s=0.05)
            return sold

        tills = (counter.terminal.by_http(), counter.terminal.by_tcp(Form.LOOSE), counter.till("serial"))
        with ThreadPoolExecutor(3) as threads:
            sold = [order for each in threads.map(sells, tills) for order in each]
        counter.sales += sold
        assert {word for order in sold for word in order.told} == {Word.YES}
        assert [counter.charged_fen(order) for order in sold] == [1_200] * len(sold)
        assert len(sold) >= 36
        assert busy, "they never met"

    def test_the_other_is_told_that_the_terminal_is_busy_and_how_the_first_stands(self, counter: Counter) -> None:
        other = counter.terminal.by_tcp()
        with closing(other.line), ThreadPoolExecutor(1) as threads:
            selling = threads.submit(counter.sell, counter.till("http"), 803, "union", scan_type="QRCODE_PAY")
            until(lambda: counter.shows(803), "the code is shown")
            order = counter.sales[-1]
            refused = other.pay("OTHER001", 100)
            assert (refused.word, refused.code, refused.fields["respcd"]) == (Word.REFUSED, "4005", "9010")
            assert other.refund(order.order_no, 1).fields["respcd"] == "9010"
            same = other.pay(order.order_no, 803, "union", scan_type="QRCODE_PAY")
            assert (same.word, same.fields["respcd"]) == (Word.OPEN, "1145")
            order.cancel_asked = True
            order.cancel_told.append(other.cancel().word)
            assert order.cancel_told == [Word.YES]
            assert selling.result()[1].code == "6001"
        assert other.query("OTHER001").fields["respcd"] == "1136"
        assert counter.charged_fen(order) == 0
