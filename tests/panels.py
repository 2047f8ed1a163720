"""The front of a terminal as a test plays it: a `ports.Panel` that does what it was told and remembers what it saw.

    panel = ScriptedPanel(world.pass_ms)
    panel.holds_out(Secret("130000000000000100"))       from now on, whenever something is to be tapped or scanned
    panel.will(Way.TAP, Left.CANCELLED, Secret("4111111111111111=1"))    once each, in this order, before that
    panel.will(Way.PIN, desk_sends_5001)                a function is awaited; what it returns is presented
    panel.pausing(None, None, Left.CANCELLED)           the third pause ends by the red key

Nobody is ever waited for in real time. Where a person would let time pass, the world's time passes (`pass_ms`), and
whatever is due in it is done. Who has nothing to present lets the whole timeout pass.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from anytill.core.panel import Left, Sight, Stage, Way
from anytill.core.payment import Payment, PaymentRef, PayOrder, Refund, RefundOrder, RefundRef
from anytill.core.receipt import Receipt
from anytill.core.secret import Secret
from anytill.dialects import Client
from anytill.wire.http import HttpRequest, HttpResponse

#: What somebody presents, how somebody leaves, or what happens first and then makes one of them; None: nobody comes.
Presented: TypeAlias = Secret | Left | None
Act: TypeAlias = Presented | Callable[[], Awaitable[Presented]]


@dataclass(frozen=True)
class Asked:
    """What was asked, for how long, and what stood on the screen then."""

    way: Way
    timeout_ms: int
    sight: Sight


@dataclass
class ScriptedPanel:
    """Implements `ports.Panel`."""

    pass_ms: Callable[[int], Awaitable[None]]
    sights: list[Sight] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    printed: list[Receipt] = field(default_factory=list)
    pauses: int = 0
    withdrawals: int = 0  # what was withdrawn while somebody was waited for
    homes: int = 0
    has_paper: bool = True
    is_slow: bool = False  # what is presented counts although the register took its request back meanwhile
    _acts: dict[Way, deque[Act]] = field(default_factory=dict)
    _pausing: deque[Act] = field(default_factory=deque)
    _held_out: Secret | None = None
    _waiting: bool = False
    _withdrawn: bool = False

    def holds_out(self, what: Secret | None) -> None:
        """What is presented whenever something is to be tapped or scanned and the script says nothing else."""
        self._held_out = what

    def will(self, way: Way, *acts: Act) -> None:
        """What is done, one after the other, when this is asked."""
        self._acts.setdefault(way, deque()).extend(acts)

    def pausing(self, *acts: Act) -> None:
        """What happens in the next pauses, one after the other."""
        self._pausing.extend(acts)

    @property
    def stages(self) -> list[Stage]:
        """What stood on the screen, each stage once until it changed."""
        shown: list[Stage] = []
        for sight in self.sights:
            if not shown or shown[-1] is not sight.stage:
                shown.append(sight.stage)
        return shown

    def show(self, sight: Sight) -> None:
        """See `ports.Panel`."""
        self.sights.append(sight)

    async def present(self, way: Way, timeout_ms: int) -> Secret | Left:
        """See `ports.Panel`."""
        self.asked.append(Asked(way, timeout_ms, self.sights[-1]))
        script = self._acts.get(way)
        act: Act = script.popleft() if script else self._held_out if way in (Way.TAP, Way.SCAN) else None
        said = await self._done(act)
        if self._withdrawn and not self.is_slow:
            return Left.WITHDRAWN
        if said is None or said is Left.TIMED_OUT:
            await self.pass_ms(timeout_ms)
            return Left.TIMED_OUT
        return said

    async def pause(self, ms: int) -> Left | None:
        """See `ports.Panel`."""
        self.pauses += 1
        said = await self._done(self._pausing.popleft() if self._pausing else None)
        if self._withdrawn:
            return Left.WITHDRAWN
        if isinstance(said, Left) and said is not Left.TIMED_OUT:
            return said
        await self.pass_ms(ms)
        return None

    def withdraw(self) -> None:
        """See `ports.Panel`."""
        if self._waiting:
            self.withdrawals += 1
            self._withdrawn = True

    async def print(self, receipt: Receipt) -> None:
        """See `ports.Panel`."""
        if not self.has_paper:
            raise OSError("no paper")
        self.printed.append(receipt)

    def go_home(self) -> None:
        """See `ports.Panel`."""
        self.homes += 1

    async def _done(self, act: Act) -> Presented:
        assert not self._waiting, "one thing is asked at a time"
        self._waiting, self._withdrawn = True, False
        try:
            return await act() if callable(act) else act
        finally:
            self._waiting = False


class AtTheTerminal:
    """A dialect's client whose payer stands at its terminal and holds out the order's own code or card."""

    def __init__(self, client: Client, panel: ScriptedPanel) -> None:
        self._client = client
        self.panel = panel

    async def pay(self, order: PayOrder) -> Payment:
        """See `ports.Till`."""
        self.panel.holds_out(order.pay_code)
        return await self._client.pay(order)

    async def query(self, ref: PaymentRef) -> Payment:
        """See `ports.Till`."""
        return await self._client.query(ref)

    async def cancel(self, ref: PaymentRef) -> Payment:
        """See `ports.Till`."""
        return await self._client.cancel(ref)

    async def refund(self, order: RefundOrder) -> Refund:
        """See `ports.Till`."""
        return await self._client.refund(order)

    async def query_refund(self, ref: RefundRef) -> Refund:
        """See `ports.Till`."""
        return await self._client.query_refund(ref)

    def hear(self, request: HttpRequest) -> tuple[Payment | Refund, HttpResponse]:
        """See `dialects.Client`."""
        return self._client.hear(request)
