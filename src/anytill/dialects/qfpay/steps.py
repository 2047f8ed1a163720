"""What a cash register writes down before it does it, as lines of a journal (`ports.Journal`).

    {"at":1795000000000,"step":"trade","number":"N1","amount_fen":100,"terminal":"tcp://10.0.0.7:9002", …}
    {"at":1795000060000,"step":"inquiry","number":"N1"}
    {"at":1795000061000,"step":"withdrawal","number":"N1"}
    {"at":1795000070000,"step":"end","number":"N1","state":"CANCELLED","payment_id":"", …}

Whatever was sent stands here, on disk, before it was; an end stands here before anybody is told. So after a crash the
lines say what may have happened, and which trades and refunds have no end yet. No code, no card and no key is written.
A refund has no number on the wire; the one it has here is the register's own.

One journal serves a register at all its terminals, so that what is open at one is not forgotten at another. But only
the terminal that was sent a trade can say what became of it: any other would truly say that there is none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final, TypeAlias

from anytill.core.errors import OrderConflict
from anytill.core.lifecycle import PaymentState, RefundState
from anytill.core.payment import Method, Payment, PaymentRef, PayOrder, Refund, RefundOrder
from anytill.core.wallet import Wallet
from anytill.ports import Clock, Journal


class DamagedJournal(ValueError):
    """The journal holds a line that no register has written."""


class Step(StrEnum):
    """What is about to be done, or has ended."""

    TRADE = "trade"  # 1001 goes out
    REFUND = "refund"  # 1002 goes out
    INQUIRY = "inquiry"  # the answer was lost: 4001 goes out, again and again until the end is known
    WITHDRAWAL = "withdrawal"  # 5001 goes out
    END = "end"


@dataclass(frozen=True, slots=True)
class Sale:
    """A trade as the journal knows it."""

    order: PayOrder
    end: Payment | None = None
    terminal: str = ""  # where it was sent to

    @property
    def number(self) -> str:
        """The order's."""
        return self.order.order_no


@dataclass(frozen=True, slots=True)
class GivingBack:
    """A refund as the journal knows it, with what had been given back of its payment before."""

    order: RefundOrder
    before_fen: int
    currency: str
    end: Refund | None = None
    terminal: str = ""

    @property
    def number(self) -> str:
        """The register's own of this refund."""
        return self.order.refund_no


Task: TypeAlias = Sale | GivingBack
_Line: TypeAlias = dict[str, Any]


class JournalAt:
    """A register's journal while it works at one terminal. Implements `ports.Journal`."""

    def __init__(self, journal: Journal, terminal: str, *, formerly: str | None = None) -> None:
        """`terminal` is the address, spelled always in the same way; `formerly` another one that it had before."""
        self._journal = journal
        self.terminal = terminal
        self._formerly = formerly

    def is_here(self, terminal: str) -> bool:
        """Whether this is the terminal at the address."""
        return terminal in (self.terminal, self._formerly)

    def lines(self) -> Sequence[bytes]:
        """See `ports.Journal`."""
        return self._journal.lines()

    async def append(self, line: bytes) -> None:
        """See `ports.Journal`."""
        await self._journal.append(line)

    async def close(self) -> None:
        """See `ports.Journal`."""
        await self._journal.close()


@dataclass
class Steps:
    """All trades and refunds of one register, and the journal they are written to. What the journal of a register with
    one terminal says has no address."""

    journal: Journal
    clock: Clock
    _tasks: dict[tuple[type, str], Task] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Read what was written before. Raises DamagedJournal."""
        for place, line in enumerate(self.journal.lines(), 1):
            try:
                self._apply(json.loads(line))
            except (ValueError, KeyError, TypeError, AttributeError) as fault:
                raise DamagedJournal(f"line {place} of the register's journal cannot be read") from fault

    def sale(self, number: str) -> Sale | None:
        """The trade of this number. Raises OrderConflict when only another terminal knows what became of it."""
        task = self._asked_here(self._tasks.get((Sale, number)))
        return task if isinstance(task, Sale) else None

    def giving_back(self, number: str) -> GivingBack | None:
        """The refund of this number. Raises OrderConflict as `sale` does."""
        task = self._asked_here(self._tasks.get((GivingBack, number)))
        return task if isinstance(task, GivingBack) else None

    @property
    def without_end(self) -> list[Task]:
        """What may still be under way at this terminal, oldest first."""
        return [task for task in self._tasks.values() if task.end is None and self._is_here(task)]

    @property
    def elsewhere(self) -> list[Task]:
        """What may still be under way at others, oldest first."""
        return [task for task in self._tasks.values() if task.end is None and not self._is_here(task)]

    @property
    def refund_ids(self) -> set[str]:
        """The terminal's numbers of the refunds that have ended."""
        ends = [task.end for task in self._tasks.values()]
        return {end.refund_id for end in ends if isinstance(end, Refund) and end.refund_id}

    def gone_fen(self, ref: PaymentRef) -> int:
        """What is back of a payment by the refunds of this journal that were told done."""
        ends = [task.end for task in self._tasks.values() if isinstance(task, GivingBack) and task.order.payment == ref]
        return sum(end.refunded_fen for end in ends if end is not None)

    async def begin(self, task: Task) -> None:
        """A trade or refund is about to be sent. Raises OSError; then it must not be."""
        line = _sale_line(task.order) if isinstance(task, Sale) else _refund_line(task)
        at = {"terminal": self.journal.terminal} if isinstance(self.journal, JournalAt) else {}
        await self._write(Step.TRADE if isinstance(task, Sale) else Step.REFUND, task, at | line)

    async def mark(self, step: Step, task: Task) -> None:
        """An inquiry or a withdrawal is about to be sent."""
        await self._write(step, task, {})

    async def end(self, task: Task, end: Payment | Refund) -> None:
        """The end is known, and may be told when this returns."""
        names = _PAYMENT_END if isinstance(end, Payment) else _REFUND_END
        await self._write(Step.END, task, {name: getattr(end, name) for name in names})

    def _is_here(self, task: Task) -> bool:
        return not isinstance(self.journal, JournalAt) or self.journal.is_here(task.terminal)

    def _asked_here(self, task: Task | None) -> Task | None:
        if task is not None and task.end is None and not self._is_here(task):
            raise OrderConflict(f"it was sent to {task.terminal or 'another terminal'}, which alone knows its end")
        return task

    async def _write(self, step: Step, task: Task, values: _Line) -> None:
        kind = {} if step in (Step.TRADE, Step.REFUND) or isinstance(task, Sale) else {"of": Step.REFUND}
        line = {"at": self.clock.now_ms(), "step": step, "number": task.number, **kind, **values}
        encoded = json.dumps(line, ensure_ascii=False, separators=(",", ":"))
        await self.journal.append(encoded.encode())
        self._apply(json.loads(encoded))

    def _apply(self, line: _Line) -> None:
        step, number = Step(line["step"]), str(line["number"])
        if step is Step.TRADE:
            self._tasks[Sale, number] = Sale(_order(line), terminal=_terminal(line))
            return
        if step is Step.REFUND:
            self._tasks[GivingBack, number] = _giving_back(line)
            return
        key = (GivingBack if line.get("of") == Step.REFUND else Sale), number
        task = self._tasks[key]
        self._tasks[key] = _ended(task, line) if step is Step.END else task


#: What is kept of an order, of a payment's end and of a refund's. Nothing that a payer showed is among it.
_ORDER: Final = ("amount_fen", "method", "subject", "currency", "wallet", "expires_in_s", "details")
_PAYMENT_END: Final = (
    "state", "payment_id", "method", "wallet", "amount_fen", "paid_fen", "channel_trade_no", "code_hint",
    "paid_at_ms", "reason",
)  # fmt: skip
_REFUND_END: Final = ("state", "refund_id", "amount_fen", "refunded_fen", "channel_refund_no", "reason")


def _terminal(line: _Line) -> str:
    return str(line.get("terminal", ""))


def _sale_line(order: PayOrder) -> _Line:
    return {**{name: getattr(order, name) for name in _ORDER}, "details": dict(order.details)}


def same_wish(one: PayOrder, other: PayOrder) -> bool:
    """Whether two orders ask for the same, as far as the journal keeps it."""
    return one.order_no == other.order_no and _sale_line(one) == _sale_line(other)


def _order(line: _Line) -> PayOrder:
    wallet = line["wallet"]
    values = {name: line[name] for name in _ORDER} | {
        "method": Method(line["method"]),
        "wallet": None if wallet is None else Wallet(wallet),
    }
    return PayOrder(order_no=str(line["number"]), **values)


def _refund_line(task: GivingBack) -> _Line:
    return {
        "order_no": task.order.payment.order_no,
        "payment_id": task.order.payment.payment_id,
        "amount_fen": task.order.amount_fen,
        "currency": task.currency,
        "before_fen": task.before_fen,
    }


def _giving_back(line: _Line) -> GivingBack:
    payment = PaymentRef(line["order_no"], line["payment_id"])
    order = RefundOrder(payment, str(line["number"]), int(line["amount_fen"]))
    return GivingBack(order, int(line["before_fen"]), str(line["currency"]), terminal=_terminal(line))


def _ended(task: Task, line: Mapping[str, Any]) -> Task:
    if isinstance(task, Sale):
        values = {name: line[name] for name in _PAYMENT_END}
        values |= {
            "state": PaymentState(line["state"]),
            "method": Method(line["method"]),
            "wallet": Wallet(line["wallet"]),
        }
        return replace(
            task,
            end=Payment(
                merchant_id="",
                order_no=task.number,
                currency=task.order.currency,
                subject=task.order.subject,
                **values,
            ),
        )
    values = {name: line[name] for name in _REFUND_END} | {"state": RefundState(line["state"])}
    ref = task.order.payment
    return replace(
        task,
        end=Refund(
            merchant_id="",
            refund_no=task.number,
            payment_id=ref.payment_id,
            order_no=ref.order_no,
            currency=task.currency,
            **values,
        ),
    )
