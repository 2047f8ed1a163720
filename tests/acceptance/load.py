"""Tills under load: a handful of threads that sell, ask, take back and give back until they are told to stop.

Each till has its own seed, its own sales and its own idea of what it was told. It notes a wish before it sends it,
because an answer that never comes leaves the wish as the only trace. While the gateway is dead it waits at the gate;
when it lives again the till does what a cashier does: ask, or send the very same order once more.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.acceptance.books import GivenBack, Sale
from tests.acceptance.shop import Shop, is_unknown, payment_id
from tests.acceptance.tills import Told, Word

#: How often each ending is drawn. 06 and 07 keep a till waiting for three seconds, so they are rarer.
ENDINGS = {"00": 10, "01": 4, "04": 3, "06": 1, "07": 1, "08": 2, "09": 4, "10": 4}
#: Last two digits of a refund: done, slow, refused, to the cash account, silent.
REFUND_ENDINGS = (10, 10, 10, 91, 92, 93, 94)
#: A refund without a number is known by its amount: no other refund has this one, and a sale has one such refund.
NUMBERLESS_FEN = 7
#: For how long an equal refund without a number is surely the same one: the gateway promises a minute.
SAME_REFUND_S = 40.0
#: Semoor twice: with a till's own order number and without one.
DIALECTS = ("teegon", "chaoying", "yst", "semoor", "semoor")
REFUNDING = ("chaoying", "semoor", "yst")


@dataclass
class Load:
    """Some tills in threads, and a gate that is open while the gateway lives."""

    seed: str
    shop: Shop
    tills: int = 6
    endings: dict[str, int] = field(default_factory=lambda: dict(ENDINGS))
    gate: threading.Event = field(default_factory=threading.Event)
    stopped: threading.Event = field(default_factory=threading.Event)
    faults: list[BaseException] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._tills = [_Till(self, number) for number in range(self.tills)]
        self._threads = [threading.Thread(target=self._guarded, args=(till.run,)) for till in self._tills]

    @property
    def sales(self) -> Sequence[Sale]:
        """All that was ever attempted."""
        return [sale for till in self._tills for sale in till.sales]

    def start(self) -> None:
        """Let the tills begin, as soon as the gate opens."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let each till finish the call it is in."""
        self.stopped.set()
        self.gate.set()
        for thread in self._threads:
            thread.join(120)
            assert not thread.is_alive(), "a till hangs"
        if self.faults:
            raise self.faults[0]

    def _guarded(self, run: Callable[[], None]) -> None:
        try:
            run()
        except BaseException as fault:  # noqa: BLE001 - told by stop(), in the thread that can do something about it
            self.faults.append(fault)


class _Till:
    def __init__(self, load: Load, number: int) -> None:
        self._load = load
        self._number = number
        self._chance = random.Random(f"{load.seed}/{number}")
        self.sales: list[Sale] = []

    def run(self) -> None:
        while not self._load.stopped.is_set():
            if self._load.gate.wait(1):
                self._act()

    def _act(self) -> Told:
        open_sales = [sale for sale in self.sales if not sale.told or sale.told[-1] in (Word.LOST, Word.OPEN)]
        paid = [sale for sale in self.sales[-40:] if sale.told and sale.told[-1] is Word.YES]
        draw = self._chance.random()
        if open_sales and draw < 0.3:
            return self._follow_up(self._chance.choice(open_sales))
        if paid and draw < 0.55:
            return self._give_back(self._chance.choice(paid))
        if paid and draw < 0.62:
            return self._cancel(self._chance.choice(paid))
        if paid and draw < 0.72:  # what was told must still be so, above all after the gateway was killed
            return self._remind(paid[-1])
        return self._sell()

    def _sell(self) -> Told:
        number = len(self.sales) + 1
        dialect = self._chance.choice(DIALECTS)
        (ending,) = self._chance.choices(list(self._load.endings), list(self._load.endings.values()))
        sale = Sale(
            order_no=f"K{self._number}N{number:05d}",
            amount_fen=self._chance.choice((100, 505, 1000, 9999)),
            code=f"13{self._number:02d}{number:012d}{ending}",
            dialect=dialect,
            numbered=dialect != "semoor" or self._chance.random() < 0.5,
        )
        self.sales.append(sale)
        return self._pay(sale)

    def _pay(self, sale: Sale) -> Told:
        told = self._load.shop.pay(sale)
        assert told.word is not Word.REFUSED, (sale, told)  # nothing is wrong with any of these orders
        return self._noted(sale, told)

    def _follow_up(self, sale: Sale) -> Told:
        """What a cashier does about an order whose end is not known."""
        if not sale.number:
            # No number of its own, and none was told: the payer's code is all there is to ask by. Only when nothing is
            # known of that is the order sent again; later it might have become another.
            told = self._ask(sale)
            return self._pay(sale) if is_unknown(told) else told
        draw = self._chance.random()
        if draw < 0.4 and sale.numbered:
            return self._pay(sale)
        if draw < 0.5:
            return self._cancel(sale)
        return self._ask(sale)

    def _ask(self, sale: Sale) -> Told:
        return self._noted(sale, self._chance.choice(self._load.shop.asks(sale))())

    def _cancel(self, sale: Sale) -> Told:
        sale.cancel_asked = True
        told = self._chance.choice(self._load.shop.cancels(sale))()
        sale.cancel_told.append(told.word)
        if told.word is Word.YES:
            sale.told.append(Word.NO)
        elif sale.told[-1] is Word.YES and told.word is not Word.REFUSED:
            sale.told.append(Word.OPEN)
        return told

    def _remind(self, sale: Sale) -> Told:
        """Ask again about what was told as done: it may not be forgotten, not even for a moment."""
        done = [refund for refund in sale.refunds if refund.told and refund.told[-1] is Word.YES]
        if not done:
            return self._ask(sale)
        if sale.payment_id and (not done[-1].refund_no or self._chance.random() < 0.3):
            return self._bill(sale, sum(refund.amount_fen for refund in done))
        return self._ask_about_refund(sale, done[-1], known=True)

    def _bill(self, sale: Sale, at_least_fen: int) -> Told:
        """Semoor's list of what went back holds all that any till was told of."""
        told = self._load.shop.semoor.read(f"dm{sale.payment_id}")
        if told.word is Word.YES:
            back_fen = -fen(told.fields.get("refund_total", "0.00"))
            assert back_fen >= at_least_fen, (sale, told)
        return self._noted(sale, told)

    def _ask_about_refund(self, sale: Sale, refund: GivenBack, *, known: bool) -> Told:
        told = self._chance.choice(self._load.shop.asks_about_refund(sale, refund))()
        # "No such refund" is about a wish that was lost on its way, and says nothing about its end.
        assert told.word is not Word.REFUSED or not known, (sale, refund, told)
        if told.word not in (Word.REFUSED, Word.LOST):
            refund.told.append(told.word)
        return told

    def _give_back(self, sale: Sale) -> Told:
        unclear = [each for each in sale.refunds if not each.told or each.told[-1] in (Word.LOST, Word.OPEN)]
        if unclear and self._chance.random() < 0.7:
            refund = self._chance.choice(unclear)
            if refund.refund_no and self._chance.random() < 0.5:
                return self._ask_about_refund(sale, refund, known=False)
            if not refund.refund_no and time.monotonic() - refund.first_asked_s > SAME_REFUND_S:
                return self._bill(sale, 0)  # sent again now it would be another refund
        else:
            refund = self._new_refund(sale)
        told = self._load.shop.refund(sale, refund)
        refund.told.append(told.word)
        return told

    def _new_refund(self, sale: Sale) -> GivenBack:
        amount_fen = self._chance.choice(REFUND_ENDINGS) + 100 * self._chance.choice((0, 0, 1, 3))
        refund = GivenBack(f"{sale.order_no}R{len(sale.refunds) + 1}", amount_fen, first_asked_s=time.monotonic())
        if sale.payment_id:
            refund.dialect = self._chance.choice(REFUNDING)
        if refund.dialect == "semoor" and all(each.refund_no for each in sale.refunds) and self._chance.random() < 0.5:
            refund.refund_no, refund.amount_fen = "", NUMBERLESS_FEN
        sale.refunds.append(refund)
        return refund

    def _noted(self, sale: Sale, told: Told) -> Told:
        """Only an order that never arrived may be refused as unknown; by the payer's code also one that ended unpaid,
        which is found by its number alone."""
        assert told.word is not Word.REFUSED or (is_unknown(told) and set(sale.told) <= {Word.LOST}), (sale, told)
        sale.payment_id = sale.payment_id or payment_id(told)
        sale.told.append(Word.LOST if told.word is Word.REFUSED else told.word)
        return told


def fen(yuan: str) -> int:
    """An amount in yuan with two decimals."""
    whole, _, cents = yuan.partition(".")
    return int(whole + cents)
