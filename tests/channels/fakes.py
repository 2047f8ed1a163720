"""What a channel gets instead of the world: a clock that stands still, a journal in memory, chance without chance."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from anytill.channels import ChannelParts
from anytill.channels.sandbox.channel import SandboxChannel
from anytill.core.lifecycle import PaymentState, RefundState
from anytill.core.payment import Method, Payment, Refund
from anytill.core.secret import Secret
from anytill.core.wallet import Wallet
from anytill.ports import Till

T = TypeVar("T")

NOON_MS = 1_767_225_600_000


class StandingClock:
    """Moves when it is told to, and by what somebody sleeps."""

    def __init__(self, now_ms: int = NOON_MS) -> None:
        self._now_ms = now_ms
        self.slept_ms: list[int] = []

    def now_ms(self) -> int:
        return self._now_ms

    def advance(self, ms: int) -> None:
        self._now_ms += ms

    async def sleep_ms(self, ms: int) -> None:
        self.slept_ms.append(ms)
        self.advance(ms)


class MemoryJournal:
    """The file as bytes, so that a test can cut it anywhere; `broken` is a disk that takes nothing."""

    def __init__(self, data: bytes = b"") -> None:
        self.data = data
        self.broken = False

    def lines(self) -> Sequence[bytes]:
        return self.data.split(b"\n")[:-1]

    async def append(self, line: bytes) -> None:
        assert b"\n" not in line
        if self.broken:
            raise OSError("no space left")
        self.data += line + b"\n"


class CountingChance:
    """A new token each time, and the same ones in every run."""

    def __init__(self) -> None:
        self._given = 0

    def token(self, length: int) -> str:
        self._given += 1
        return f"{self._given:x}".rjust(length, "k")


def code(ending: str = "00", *, prefix: str = "13", serial: int = 0) -> Secret:
    """A payer's code of 18 digits with the given ending."""
    return Secret(f"{prefix}{serial:0{16 - len(ending)}d}{ending}")


def payment(number: int = 1, amount_fen: int = 1_000, **changes: Any) -> Payment:
    """A payment as the gateway hands it to a channel."""
    made = Payment(
        merchant_id="m1",
        payment_id=f"1{number:019d}",
        order_no=f"A-{number}",
        method=Method.BARCODE,
        wallet=Wallet.WECHAT,
        state=PaymentState.SUBMITTED,
        amount_fen=amount_fen,
        created_at_ms=NOON_MS,
        deadline_at_ms=NOON_MS + 60_000,
    )
    return replace(made, **changes)


def refund(of: Payment, amount_fen: int, number: int = 1) -> Refund:
    """A refund as the gateway hands it to a channel."""
    return Refund(
        merchant_id=of.merchant_id,
        refund_id=f"2{number:019d}",
        refund_no=f"R-{number}",
        payment_id=of.payment_id,
        order_no=of.order_no,
        state=RefundState.SUBMITTED,
        amount_fen=amount_fen,
    )


def parts(name: str, journal: MemoryJournal) -> ChannelParts:
    """What a channel may use of the world, when there is no other gateway."""

    def no_till() -> Till:
        raise AssertionError("this channel has no business with a till")

    return ChannelParts(name, StandingClock(), CountingChance(), {}, lambda: journal, no_till)


class Stage:
    """A sandbox with everything round it in the test's hands."""

    def __init__(self, data: bytes = b"") -> None:
        self.clock = StandingClock()
        self.journal = MemoryJournal(data)
        self.channel = SandboxChannel("sandbox", self.journal, self.clock, CountingChance())

    def restarted(self) -> Stage:
        """Another process that finds the same file at the same time."""
        other = Stage(self.journal.data)
        other.clock.advance(self.clock.now_ms() - NOON_MS)
        return other


def finish(call: Coroutine[Any, Any, T]) -> T:
    """Run a call that has nothing to wait for, which is so with a clock and a journal that answer at once."""
    try:
        call.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    call.close()
    raise AssertionError("the call waits for something")
