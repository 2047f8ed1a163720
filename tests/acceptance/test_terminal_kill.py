"""kill -9 of either side at any moment: the books agree, and an order is charged once at most.

Two campaigns run side by side, since each mostly waits for processes to start. In the first, two cashiers with
registers that share no code with us sell and give back at a demo's terminal, which is killed at seeded moments. In the
second `anytill ecr` sells and gives back over each line at a terminal, and now the register is killed, now the
terminal, now both. Then everything is asked for once more, and the judge compares what was told with the store and with
the wallet's own book.
"""

from __future__ import annotations

import os
import random
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from tests.acceptance.books import GivenBack, Sale, select, unfinished, verdict
from tests.acceptance.harness import Demo, until
from tests.acceptance.qfpay_register import Form, Http, Key, QfpayTill, Tcp
from tests.acceptance.terminals import Cable, Ecr, Terminal, cable, sale
from tests.acceptance.tills import Word

pytestmark = pytest.mark.timeout(1_500)

KILLS: Final = max(int(os.environ.get("ANYTILL_TEST_KILLS", "50")) // 5, 1)
#: On a slow machine less happens between two kills: then they go on until all that is wanted was seen, up to this.
MOST: Final = 6
SEED: Final = os.environ.get("ANYTILL_TEST_SEED", "1")
#: The lease that a killed process held, the deadline, a second lease, and the way back: no order is open for longer.
LONGEST_S: Final = 400
#: What a register may need at most before it begins something new, or to end it: five minutes of asking (`Patience`).
LONGEST_ROUND_S: Final = 330
#: A refund without a number is the same one for a minute; a careful register asks for it again only well within that.
SAME_REFUND_S: Final = 40.0
ENDINGS: Final = ("00",) * 8 + ("01", "04", "05", "06", "09", "10")
WAITING: Final = {"01", "06", "09"}
#: How often the register is struck before its request can have arrived: it needs ten seconds to be sure of that.
EARLY: Final = 0.15
CHANNELS: Final = ("wx", "alipay", "payme", "card_payment", "octopus", "fps")
#: What the cashiers must have been told, each at least once.
HEARD: Final = (Word.YES, Word.NO, Word.LOST)


class Abandoned(Exception):
    """Nobody waits for this campaign any more."""


# The terminal is killed


@dataclass
class Cashier:
    """Sells and gives back without pause, and asks until he knows or has had enough."""

    name: str
    till: QfpayTill
    gate: threading.Event
    stop: threading.Event
    chance: random.Random
    sales: list[Sale] = field(default_factory=list)
    told: Counter[str] = field(default_factory=Counter)

    def works(self) -> None:
        """Until he may go home."""
        while self._goes_on():
            order = self._sells()
            if order.told[-1] is Word.YES and self.chance.random() < 0.5:
                self._gives_back(order)

    def _sells(self) -> Sale:
        ending, channel = self.chance.choice(ENDINGS), self.chance.choice(CHANNELS)
        cents = self.chance.randint(1, 90) * 100 + int(ending)
        order = sale(f"{self.name}{len(self.sales):05d}", cents, channel)
        fields = {"payment_timeout": 2} if ending in WAITING else {}
        # Who sets a time may have the order taken back.
        order.cancel_asked = bool(fields)
        self.sales.append(order)
        self._hears(order.told, self.till.pay(order.order_no, cents, channel, **fields).word)
        for _ in range(self.chance.randint(1, 4)):
            if order.told[-1] in (Word.YES, Word.NO) or not self._goes_on():
                break
            asked = self.till.query(order.order_no)
            if asked.fields.get("respcd") == "1136":
                asked = self.till.pay(order.order_no, cents, channel, **fields)
            self._hears(order.told, asked.word)
        return order

    def _gives_back(self, order: Sale) -> None:
        whole = order.code.startswith("card")
        cents = order.charge_fen if whole else max(order.charge_fen // 2, 1)
        refund = GivenBack("", cents, dialect="qfpay", first_asked_s=time.monotonic())
        order.refunds.append(refund)
        self._hears(refund.told, self.till.refund(order.order_no, cents).word)
        while refund.told[-1] is Word.LOST and self._goes_on():
            if time.monotonic() - refund.first_asked_s > SAME_REFUND_S:
                return
            self._hears(refund.told, self.till.refund(order.order_no, cents).word)

    def _hears(self, told: list[Word], word: Word) -> None:
        told.append(word)
        self.told[word] += 1

    def _goes_on(self) -> bool:
        while not self.gate.wait(0.1):
            if self.stop.is_set():
                return False
        return not self.stop.is_set()


def terminal_is_killed(demo: Demo, abandoned: threading.Event) -> list[Cashier]:
    """The campaign; the demo is left running, and every order has ended."""
    chance = random.Random(f"{SEED}/terminal")
    gate, stop = threading.Event(), threading.Event()
    cashiers = [
        Cashier(name, till, gate, stop, random.Random(f"{SEED}/{name}"))
        for name, till in (("KH", _at(demo, "http", Form.QUOTED)), ("KT", _at(demo, "tcp", Form.RAW)))
    ]
    demo.start()
    with ThreadPoolExecutor(len(cashiers)) as threads:
        working = [threads.submit(cashier.works) for cashier in cashiers]
        try:
            for nth in range(MOST * KILLS):
                if nth >= KILLS and _was_told_all(cashiers):
                    break
                gate.set()
                if abandoned.wait(chance.uniform(0.01, 0.4) * (nth // KILLS + 1)):
                    raise Abandoned
                gate.clear()
                demo.kill()
                demo.start()
        finally:
            stop.set()
            demo.kill()
            for each in working:
                each.result(120)
                # Nobody hangs on a connection to a process that is gone.
            for cashier in cashiers:
                cashier.till.close()
    demo.start()
    passed_s = 0
    while unfinished(demo.store_url):
        assert passed_s < LONGEST_S, f"still open after {passed_s} s"
        demo.advance(10)
        passed_s += 10
        until(lambda: not _due(demo), "what is due is taken up")
    for cashier in cashiers:
        _ask_all(cashier)
        cashier.till.close()
    return cashiers


def _was_told_all(cashiers: Sequence[Cashier]) -> bool:
    """Whether between them they have heard every word, and asked for a refund."""
    words = all(any(cashier.told[word] for cashier in cashiers) for word in HEARD)
    return words and any(refund.told for each in cashiers for order in each.sales for refund in order.refunds)


def _at(demo: Demo, way: str, form: Form) -> QfpayTill:
    def port(name: str) -> int:
        try:
            return int(demo.access["qfpay"][name].rpartition(":")[2])
        except FileNotFoundError:  # a demo that is down has told nobody where it is
            return 0

    line = Http(lambda: port("http_url")) if way == "http" else Tcp(lambda: port("tcp_port"))
    return QfpayTill(line, Key("f46b1f08bec1f39104792cc79ec9aacd"), form)


def _due(demo: Demo) -> int:
    tables = ("payment", "refund", "notice")
    rows = [f"SELECT due_at_ms FROM {table} WHERE due_at_ms <= {demo.now_ms()}" for table in tables]  # noqa: S608
    return len(select(demo.store_url, " UNION ALL ".join(rows)))


def _ask_all(cashier: Cashier) -> None:
    """All must now be told an end; what the terminal does not know was never told as begun."""
    for order in cashier.sales:
        asked = cashier.till.query(order.order_no)
        if asked.fields.get("respcd") == "1136":
            assert set(order.told) <= {Word.LOST, Word.REFUSED}, order
            continue
        assert asked.word in (Word.YES, Word.NO), (order, asked)
        order.told.append(asked.word)


# The register is killed


@dataclass
class Clerk:
    """Starts `anytill ecr` again and again on one journal, over whichever line."""

    terminal: Terminal
    cable: Cable
    journal: Path
    chance: random.Random
    line: str = "--http"
    started: list[str] = field(default_factory=list)
    victims: Counter[str] = field(default_factory=Counter)

    def ecr(self) -> Ecr:
        """Over the line of the command before while what was begun there has no end: nobody may go on elsewhere."""
        ecr = Ecr(self.terminal, self._way, self.journal)
        steps = ecr.steps()
        ended = {_about(step) for step in steps if step["step"] == "end"}
        if all(_about(step) in ended for step in steps):
            self.line = self.chance.choice(("--http", "--tcp", "--serial"))
        return ecr

    def _way(self) -> Sequence[str]:
        places = {
            "--http": f"127.0.0.1:{self.terminal.port}",
            "--tcp": f"127.0.0.1:{self.terminal.tcp_port}",
            "--serial": self.cable.register,
        }
        return self.line, places[self.line]

    def task(self) -> Sequence[str]:
        """What to do next: mostly sell; sometimes give back a part of what is known to be paid. Of a payment's second
        refund whose answer is lost no register can find the end, so there is one of each."""
        steps = self.ecr().steps()
        touched = {step["order_no"] for step in steps if step["step"] == "refund"}
        paid = [step["number"] for step in steps if step.get("state") == "PAID" and step["number"] not in touched]
        if paid and self.chance.random() < 0.35:
            return ("refund", self.chance.choice(paid), f"0.{self.chance.randint(1, 9)}{len(self.started) % 10}",
                    "--refund-no", f"R{len(self.started):05d}")  # fmt: skip
        cents = self.chance.choice(("00", "00", "00", "04"))
        number, channel = f"E{len(self.started):05d}", self.chance.choice(("wx", "alipay"))
        # The payer has little time, or each payment of a terminal that was killed meanwhile would be open for minutes,
        # as a card's is: those are the other campaign's.
        return ("pay", f"{self.chance.randint(1, 90)}.{cents}", "--order-no", number, "--channel", channel,
                "--timeout", "10")  # fmt: skip

    def round(self) -> None:
        """One command, and what is killed meanwhile."""
        ecr, task = self.ecr(), self.task()
        number = task[task.index("--refund-no" if task[0] == "refund" else "--order-no") + 1]
        self.started.append(number)
        sendings = self._sendings()
        running = ecr.begun(*task)
        early = self.chance.random() < EARLY
        until(
            lambda: running.poll() is not None or (_is_begun(ecr, number) if early else self._sendings() > sendings),
            "it is written down" if early else "the terminal asks its channel",
            LONGEST_ROUND_S,
            0.001,
        )
        threading.Event().wait(self.chance.choice((0.0, self.chance.uniform(0.0, 0.04))))
        victim = self.chance.choice(("register", "register", "terminal", "both", "nobody"))
        if victim == "terminal" and "--serial" in ecr.arguments():
            victim = "both"  # nothing tells a register that there is nobody at the cable's other end: it waits minutes
        self.victims[victim] += 1
        if victim in ("terminal", "both"):
            self.terminal.kill()
        if victim in ("register", "both"):
            running.kill()
        if self.terminal.process is None:
            self.terminal.start()
        _waited(running, LONGEST_ROUND_S)

    def _sendings(self) -> int:
        """How often this life of the terminal has asked its channel for money."""
        return self.terminal.spoken().count(" SENDING ")

    def has_seen_all(self) -> bool:
        """Whether either side was killed, and something was paid."""
        return min(self.struck("register"), self.struck("terminal")) > 0 and any(
            step.get("state") == "PAID" for step in self.ecr().steps()
        )

    def struck(self, side: str) -> int:
        """How often this side was killed, alone or with the other."""
        return self.victims[side] + self.victims["both"]

    def finishes(self) -> None:
        """Until nothing is without its end."""

        def done() -> bool:
            told, _ = self.ecr().begun("resume").communicate(timeout=LONGEST_ROUND_S)
            return told.strip().endswith("everything has its end")

        until(done, "every end is found", LONGEST_ROUND_S)

    def sales(self) -> list[Sale]:
        """What the journal says of each order."""
        steps = self.ecr().steps()
        begun = {step["number"]: step for step in steps if step["step"] == "trade"}
        ends = {(step.get("of", "trade"), step["number"]): step for step in steps if step["step"] == "end"}
        known = {row["order_no"] for row in select(self.terminal.store_url, "SELECT order_no FROM payment")}
        sales = {}
        for number, step in begun.items():
            order = sales[number] = sale(number, step["amount_fen"], step["details"]["channel"])
            order.cancel_asked = True  # as for every order with a time set
            order.told.append(_word(ends["trade", number], is_known=number in known))
        for step in steps:
            if step["step"] == "refund" and _word(ends["refund", step["number"]]) is Word.YES:
                refund = GivenBack("", step["amount_fen"], [Word.YES], "qfpay")
                sales[step["order_no"]].refunds.append(refund)
        return list(sales.values())


def _about(step: dict[str, Any]) -> tuple[str, str]:
    """Which trade or refund a line of the journal is about."""
    kind = "refund" if step["step"] == "refund" else step.get("of", "trade")
    return kind, step["number"]


def _is_begun(ecr: Ecr, number: str) -> bool:
    return any(step["number"] == number for step in ecr.steps())


def _waited(process: subprocess.Popen[str], timeout_s: float) -> None:
    told, _ = process.communicate(timeout=timeout_s)
    assert "Traceback" not in told, told


def _word(end: dict[str, Any], *, is_known: bool = True) -> Word:
    if end["state"] in ("PAID", "DONE"):
        return Word.YES
    # Of what never reached the terminal, or was taken back before anything was presented, nobody has a record.
    return Word.NO if is_known else Word.REFUSED


def register_is_killed(clerk: Clerk, abandoned: threading.Event) -> Clerk:
    """The campaign; the terminal is left running, and the journal has no open end."""
    clerk.terminal.start()
    for nth in range(MOST * (KILLS + 2)):
        if nth >= KILLS + 2 and clerk.has_seen_all():
            break
        if abandoned.is_set():
            raise Abandoned
        clerk.round()
    clerk.finishes()
    return clerk


# What came of it


@dataclass
class Campaigns:
    """Both, under way."""

    demo: Demo
    terminal: Terminal
    cashiers: Future[list[Cashier]]
    clerk: Future[Clerk]


@pytest.fixture(scope="module")
def campaigns(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Campaigns]:
    """No process outlives the tests."""
    folder = tmp_path_factory.mktemp("terminal-kill")
    demo, abandoned = Demo(folder / "demo"), threading.Event()
    with ExitStack() as stack:
        joined = stack.enter_context(cable())
        terminal = Terminal(folder / "terminal", serial=joined.terminal)
        stack.callback(terminal.kill)
        stack.callback(demo.kill)
        threads = stack.enter_context(ThreadPoolExecutor(2))
        stack.callback(abandoned.set)
        clerk = Clerk(terminal, joined, folder / "ecr.journal", random.Random(f"{SEED}/register"))
        yield Campaigns(
            demo,
            terminal,
            threads.submit(terminal_is_killed, demo, abandoned),
            threads.submit(register_is_killed, clerk, abandoned),
        )


def test_the_terminal_is_killed_at_any_moment(campaigns: Campaigns) -> None:
    cashiers, demo = campaigns.cashiers.result(), campaigns.demo
    told = sum((cashier.told for cashier in cashiers), Counter[str]())
    print(f"seed {SEED}: {KILLS} kills, {told}")  # noqa: T201 - pytest shows it when the test fails
    assert demo.terminate() == 0
    sales = [order for cashier in cashiers for order in cashier.sales]
    assert verdict(demo.store_url, demo.journal, sales) == []
    demo.audit()
    demo.check_silence()
    assert demo.starts > KILLS
    assert min(told[word] for word in HEARD) > 0, told
    assert any(refund.told for order in sales for refund in order.refunds)


def test_the_register_is_killed_at_any_moment(campaigns: Campaigns) -> None:
    clerk, terminal = campaigns.clerk.result(), campaigns.terminal
    sales = clerk.sales()
    print(f"seed {SEED}: {clerk.victims}, {len(sales)} orders")  # noqa: T201 - likewise
    assert terminal.terminate() == 0
    assert verdict(terminal.store_url, terminal.journal, sales) == []
    terminal.audit()
    terminal.check_silence()
    # No number is ever sent twice as a new one, by whichever life of the register.
    steps = clerk.ecr().steps()
    begun = Counter(step["number"] for step in steps if step["step"] in ("trade", "refund"))
    assert set(begun.values()) == {1}
    assert {order.told[-1] for order in sales} >= {Word.YES}
    assert clerk.struck("register") > 0
    assert clerk.struck("terminal") > 0
