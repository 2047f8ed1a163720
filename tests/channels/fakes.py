"""What a channel gets instead of the world: a clock that stands still, a disk in memory, chance without chance."""

from __future__ import annotations

from collections.abc import Coroutine, Iterable
from dataclasses import replace
from typing import Any, TypeVar

from anytill.channels import ChannelParts
from anytill.channels.sandbox.channel import SandboxChannel
from anytill.core.lifecycle import PaymentState, RefundState
from anytill.core.payment import Method, Payment, Refund
from anytill.core.secret import Secret
from anytill.core.wallet import Wallet
from anytill.ports import LETTERS_AND_DIGITS, Journal, Till
from anytill.transports.clock import StandingClock
from anytill.transports.journal import MemoryJournal

T = TypeVar("T")

NOON_MS = 1_767_225_600_000


class Disk(MemoryJournal):
    """A journal whose bytes can be counted and cut; `broken` is a disk that takes nothing."""

    def __init__(self, lines: Iterable[bytes] = ()) -> None:
        super().__init__(lines)
        self.broken = False

    @property
    def data(self) -> bytes:
        return b"".join(line + b"\n" for line in self.lines())

    async def append(self, line: bytes) -> None:
        if self.broken:
            raise OSError("no space left")
        await super().append(line)


class CountingChance:
    """A new token each time, and the same ones in every run."""

    def __init__(self) -> None:
        self._given = 0

    def token(self, length: int, alphabet: str = LETTERS_AND_DIGITS) -> str:
        self._given += 1
        return f"{self._given:x}".rjust(length, "k")


def standing_clock() -> StandingClock:
    """Noon; it moves when it is told to, and by what somebody sleeps."""
    return StandingClock(NOON_MS, jump=True)


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


def parts(name: str, journal: Journal) -> ChannelParts:
    """What a channel may use of the world, when there is no other gateway."""

    def no_till() -> Till:
        raise AssertionError("this channel has no business with a till")

    return ChannelParts(name, standing_clock(), CountingChance(), {}, lambda: journal, no_till)


class Stage:
    """A sandbox with everything round it in the test's hands."""

    def __init__(self, lines: Iterable[bytes] = ()) -> None:
        self.clock = standing_clock()
        self.journal = Disk(lines)
        self.channel = SandboxChannel("sandbox", self.journal, self.clock, CountingChance())

    def restarted(self) -> Stage:
        """Another process that finds the same file at the same time."""
        other = Stage(self.journal.lines())
        other.clock.advance(self.clock.now_ms() - NOON_MS)
        return other


def finish(call: Coroutine[Any, Any, T]) -> T:
    """Run a call that waits for nothing but its turn, which is so with a clock and a disk that answer at once."""
    try:
        while call.send(None) is None:
            pass
    except StopIteration as end:
        result: T = end.value
        return result
    call.close()
    raise AssertionError("the call waits for something")
