"""Tills under load: a handful of threads that sell, ask, take back and give back until they are told to stop.

Each till has its own seed, its own sales and its own idea of what it was told. It notes a wish before it sends it,
because an answer that never comes leaves the wish as the only trace. While the gateway is dead it waits at the gate;
when it lives again the till does what a cashier does: ask, or send the very same order once more.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.acceptance.books import GivenBack, Sale
from tests.acceptance.tills import ChaoyingTill, TeegonTill, Told, Word

#: How often each ending is drawn. 06 and 07 keep a till waiting for three seconds, so they are rarer.
ENDINGS = {"00": 10, "01": 4, "04": 3, "06": 1, "07": 1, "08": 2, "09": 4, "10": 4}
#: Last two digits of a refund: done, slow, refused, to the cash account, silent.
REFUND_ENDINGS = (10, 10, 10, 91, 92, 93, 94)


@dataclass
class Load:
    """Some tills in threads, and a gate that is open while the gateway lives."""

    seed: str
    teegon: TeegonTill
    chaoying: ChaoyingTill
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
            thread.join(60)
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
        dialect = self._chance.choice(("teegon", "chaoying"))
        (ending,) = self._chance.choices(list(self._load.endings), list(self._load.endings.values()))
        sale = Sale(
            order_no=f"K{self._number}N{number:05d}",
            amount_fen=self._chance.choice((100, 505, 1000, 9999)),
            code=f"13{self._number:02d}{number:012d}{ending}",
            dialect=dialect,
        )
        self.sales.append(sale)
        return self._pay(sale)

    def _pay(self, sale: Sale) -> Told:
        till = self._load.teegon if sale.dialect == "teegon" else self._load.chaoying
        told = till.pay(sale.order_no, sale.amount_fen, sale.code)
        assert told.word is not Word.REFUSED, (sale, told)  # nothing is wrong with any of these orders
        sale.payment_id = str(told.fields.get("id", "")) or sale.payment_id
        return self._noted(sale, told)

    def _follow_up(self, sale: Sale) -> Told:
        """What a cashier does about an order whose end is not known."""
        draw = self._chance.random()
        if draw < 0.4:
            return self._pay(sale)
        if draw < 0.5:
            return self._cancel(sale)
        if sale.payment_id and draw < 0.75:
            return self._noted(sale, self._load.teegon.query(sale.payment_id))
        return self._noted(sale, self._load.chaoying.query(sale.order_no))

    def _cancel(self, sale: Sale) -> Told:
        sale.cancel_asked = True
        told = self._load.chaoying.cancel(sale.order_no)
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
            return self._noted(sale, self._load.chaoying.query(sale.order_no))
        told = self._load.chaoying.query_refund(done[-1].refund_no)
        assert told.word is not Word.REFUSED, (sale, done[-1], told)
        if told.word is not Word.LOST:
            done[-1].told.append(told.word)
        return told

    def _give_back(self, sale: Sale) -> Told:
        unclear = [each for each in sale.refunds if not each.told or each.told[-1] in (Word.LOST, Word.OPEN)]
        if unclear and self._chance.random() < 0.7:
            refund = self._chance.choice(unclear)
            if self._chance.random() < 0.5:
                told = self._load.chaoying.query_refund(refund.refund_no)
                # "No such refund" is about a wish that was lost on its way, and says nothing about its end.
                if told.word is not Word.REFUSED:
                    refund.told.append(told.word)
                return told
        else:
            amount_fen = self._chance.choice(REFUND_ENDINGS) + 100 * self._chance.choice((0, 0, 1, 3))
            refund = GivenBack(f"{sale.order_no}R{len(sale.refunds) + 1}", amount_fen)
            sale.refunds.append(refund)
        args = (sale.order_no, refund.refund_no, sale.amount_fen, refund.amount_fen)
        told = self._load.chaoying.refund(*args)
        refund.told.append(told.word)
        return told

    def _noted(self, sale: Sale, told: Told) -> Told:
        """Only an order that never arrived may be refused as unknown."""
        assert told.word is not Word.REFUSED or set(sale.told) <= {Word.LOST}, (sale, told)
        sale.told.append(Word.LOST if told.word is Word.REFUSED else told.word)
        return told
