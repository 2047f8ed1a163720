"""Every fault knob of the terminal: whatever the line does, and when the power fails between a payment and its answer,
the register, the terminal and the wallet's own book end with the same truth."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Final

import pytest

from anytill.bootstrap.terminals import POWER_CUT_STATUS
from tests.acceptance.books import GivenBack, Sale, verdict, wallet_book
from tests.acceptance.harness import until
from tests.acceptance.qfpay_register import QfpayTill, Serial, Tcp
from tests.acceptance.terminals import ECR_ENDS_WITHIN_S, Cable, Ecr, Terminal, cable, sale, serving
from tests.acceptance.tills import Told, Word

pytestmark = pytest.mark.timeout(900)

LINE_FAULTS: Final = ("split-frames", "noise", "no-ack")
#: Where acknowledgements are swallowed the document's second is waited for; an answer that cannot be heard for noise
#: is asked for again soon. Answers in pieces of three bytes take seconds, of which nobody knows how many.
ACKNOWLEDGED_WITHIN_S: Final = 1.0
SHORT_PATIENCE_S: Final = 4.0
#: A refund without a number is the same one for a minute; a careful register asks for it again only well within that.
SAME_REFUND_S: Final = 40.0
KNOWN_WITHIN_S: Final = 120.0
#: What payers do: most pay at once; of a code on the screen 02 is turned away.
CENTS: Final = (1_200, 704, 1_205, 9_900, 100, 1_202)


@dataclass
class Faulty:
    """A terminal with something wrong, and what was sold there."""

    terminal: Terminal
    cable: Cable
    sales: list[Sale] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def ecr(self, way: str, folder: Path) -> Ecr:
        """`anytill ecr` on a line. Its journal is a new one."""
        ways: dict[str, Callable[[], Sequence[str]]] = {
            "http": lambda: ("--http", f"127.0.0.1:{self.terminal.port}"),
            "tcp": lambda: ("--tcp", f"127.0.0.1:{self.terminal.tcp_port}"),
            "serial": lambda: ("--serial", self.cable.register),
        }
        return Ecr(self.terminal, ways[way], folder / f"{way}.journal")

    def order(self, cents: int, channel: str = "wx") -> Sale:
        """A new one."""
        made = sale(f"F{next(self._numbers):05d}", cents, channel)
        self.sales.append(made)
        return made

    def charged_fen(self, order: Sale) -> int:
        """By the wallet's own book."""
        book = wallet_book(self.terminal.journal)
        return sum(int(book.amounts(each)["net_fen"]) for each in book.orders_called(merchant_order=order.order_no))

    def judged(self) -> None:
        """All three agree."""
        if self.terminal.process is not None:
            self.terminal.hang_up()
            assert self.terminal.terminate() == 0, self.terminal.printed()
        assert verdict(self.terminal.store_url, self.terminal.journal, self.sales) == []


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Faulty]]:
    """A terminal for each fault of the line. At the end register, terminal and wallet must agree."""
    made = {}
    with ExitStack() as stack:
        for fault in LINE_FAULTS:
            joined = stack.enter_context(cable())
            folder = tmp_path_factory.mktemp(fault)
            made[fault] = Faulty(Terminal(folder, serial=joined.terminal, options=("--fault", fault)), joined)
        stack.enter_context(serving(*(each.terminal for each in made.values())))
        yield made
        for each in made.values():
            each.judged()


def sold(till: QfpayTill, order: Sale, channel: str, **fields: object) -> Word:
    """What a careful register ends with: it asks until it knows, and what never arrived it sends once more."""

    def knows() -> bool:
        told = till.query(order.order_no)
        if told.fields.get("respcd") == "1136":
            told = till.pay(order.order_no, order.amount_fen, channel, **fields)
        order.told.append(told.word)
        return told.word in (Word.YES, Word.NO)

    told = till.pay(order.order_no, order.amount_fen, channel, **fields)
    order.told.append(told.word)
    if told.word not in (Word.YES, Word.NO):
        until(knows, f"the end of {order.order_no}", KNOWN_WITHIN_S)
    return order.told[-1]


def gave_back(till: QfpayTill, order: Sale, cents: int) -> Told:
    """A refund; when its answer is lost the register asks for the same again, which is the same one."""
    refund = GivenBack("", cents, dialect="qfpay", first_asked_s=time.monotonic())
    order.refunds.append(refund)
    told = till.refund(order.order_no, cents)
    refund.told.append(told.word)

    def knows() -> bool:
        nonlocal told
        told = _asked_again(till, order, refund)
        refund.told.append(told.word)
        return told.word in (Word.YES, Word.NO)

    if told.word is not Word.YES:
        until(knows, f"the refund of {order.order_no}", KNOWN_WITHIN_S)
    return told


def _asked_again(till: QfpayTill, order: Sale, refund: GivenBack) -> Told:
    """The same refund; once it might be taken for another one, only if nothing has gone back of the payment."""
    if time.monotonic() - refund.first_asked_s > SAME_REFUND_S:
        left = till.query(order.order_no).fields.get("allow_refund_amt")
        if left != str(order.amount_fen):
            return Told(Word.YES if left == str(order.amount_fen - refund.amount_fen) else Word.LOST)
    return till.refund(order.order_no, refund.amount_fen)


@pytest.mark.parametrize("line", ["serial", "tcp"])
@pytest.mark.parametrize("fault", LINE_FAULTS)
def test_a_bad_line_costs_time_and_no_money(faulty: dict[str, Faulty], fault: str, line: str) -> None:
    counter = faulty[fault]
    terminal = counter.terminal
    till = terminal.by_serial(counter.cable.register) if line == "serial" else terminal.by_tcp(ending=b"\n")
    assert isinstance(till.line, Serial | Tcp)
    if fault != "split-frames":
        till.line.timeout_s = SHORT_PATIENCE_S
    if isinstance(till.line, Serial) and fault == "no-ack":
        till.line.acknowledged_within_s = ACKNOWLEDGED_WITHIN_S
    # In pieces of three bytes an answer takes seconds.
    for cents in CENTS[:2] if fault == "split-frames" else CENTS:
        order = counter.order(cents, "alipay")
        scan_type = "QRCODE_PAY" if cents % 100 == 2 else "SCAN_PAY"
        word = sold(till, order, "alipay", scan_type=scan_type, payment_timeout=30)
        assert word is (Word.NO if cents % 100 else Word.YES), order
        assert counter.charged_fen(order) == (0 if cents % 100 else cents)
        if word is Word.YES and cents > 100:
            assert gave_back(till, order, 31).word is Word.YES
            assert counter.charged_fen(order) == cents - 31
    till.close()  # a serial port has one owner


@pytest.mark.parametrize("fault", LINE_FAULTS)
def test_anytill_ecr_on_a_bad_serial_line(faulty: dict[str, Faulty], fault: str, tmp_path: Path) -> None:
    counter = faulty[fault]
    ecr = counter.ecr("serial", tmp_path)
    order = counter.order(2_000)
    paid = ecr.told("pay", "20.00", "--order-no", order.order_no)
    order.told.append(Word.YES)
    assert (paid["order_no"], paid["state"], paid["amount"]) == (order.order_no, "PAID", "20.00")
    order.refunds.append(GivenBack("", 500, [Word.YES], "qfpay"))

    def given_back() -> bool:
        back = ecr.run("refund", order.order_no, "5.00")
        # It asks how the payment stands before it writes anything down; without an answer nothing was begun.
        assert (back.returncode, "state=DONE" in back.stdout) in {(0, True), (3, False)}, back
        return back.returncode == 0

    until(given_back, "the refund")
    assert counter.charged_fen(order) == 1_500
    steps = [step["step"] for step in ecr.steps()]
    assert (steps.count("trade"), steps.count("refund"), steps.count("end")) == (1, 1, 2)


def test_the_power_fails_when_the_payer_has_paid(tmp_path: Path) -> None:
    """Five times: two registers on three lines, charges and refunds; once the register's own power fails as well."""
    with cable() as joined:
        counter = Faulty(Terminal(tmp_path, serial=joined.terminal, options=("--fault", "power-cut")), joined)
        with serving(counter.terminal):
            _charged_by_ecr(counter, tmp_path)
            _charged_by_another(counter)
            _charged_and_the_register_dies(counter, tmp_path)
            _given_back_by_another(counter)
            _given_back_by_ecr(counter, tmp_path)
            counter.judged()


def _again(counter: Faulty) -> None:
    assert counter.terminal.cut_off() == POWER_CUT_STATUS
    counter.terminal.start()


def _charged_by_ecr(counter: Faulty, folder: Path) -> None:
    order = counter.order(1_100)
    ecr = counter.ecr("http", folder)
    paying = ecr.begun("pay", "11.00", "--order-no", order.order_no)
    _again(counter)
    told, _ = paying.communicate(timeout=ECR_ENDS_WITHIN_S)
    assert (paying.returncode, "state=PAID" in told) == (0, True), told
    order.told.append(Word.YES)
    assert [step["step"] for step in ecr.steps()] == ["trade", "inquiry", "end"]
    assert counter.charged_fen(order) == 1_100


def _charged_by_another(counter: Faulty) -> None:
    order = counter.order(2_200, "card_payment")
    till = counter.terminal.by_tcp()
    order.told.append(till.pay(order.order_no, 2_200, "card_payment").word)
    _again(counter)
    order.told += [till.query(order.order_no).word, till.pay(order.order_no, 2_200, "card_payment").word]
    assert order.told == [Word.LOST, Word.YES, Word.YES]
    assert counter.charged_fen(order) == 2_200


def _charged_and_the_register_dies(counter: Faulty, folder: Path) -> None:
    order = counter.order(3_300, "octopus")
    ecr = counter.ecr("serial", folder)
    paying = ecr.begun("pay", "33.00", "--order-no", order.order_no, "--channel", "octopus")
    code = counter.terminal.cut_off()
    paying.kill()
    paying.communicate()
    assert code == POWER_CUT_STATUS
    counter.terminal.start()
    assert (ecr.told("resume")["state"], ecr.run("resume").stderr.strip()) == ("PAID", "everything has its end")
    order.told.append(Word.YES)
    assert counter.charged_fen(order) == 3_300


def _given_back_by_another(counter: Faulty) -> None:
    order = counter.sales[0]
    till = counter.terminal.by_http()
    order.refunds.append(GivenBack("", 400, [till.refund(order.order_no, 400).word], "qfpay"))
    _again(counter)
    asked = till.query(order.order_no)
    assert (asked.word, asked.fields["allow_refund_amt"], asked.fields["cancel"]) == (Word.YES, "700", "5")
    assert order.refunds[0].told == [Word.LOST]
    assert counter.charged_fen(order) == 700


def _given_back_by_ecr(counter: Faulty, folder: Path) -> None:
    order = counter.sales[1]
    ecr = counter.ecr("tcp", folder)
    refunding = ecr.begun("refund", order.order_no)
    _again(counter)
    told, _ = refunding.communicate(timeout=ECR_ENDS_WITHIN_S)
    assert (refunding.returncode, "state=DONE" in told) == (0, True), told
    order.refunds.append(GivenBack("", 2_200, [Word.YES], "qfpay"))
    assert [step["step"] for step in ecr.steps()] == ["refund", "inquiry", "end"]
    assert counter.charged_fen(order) == 0
