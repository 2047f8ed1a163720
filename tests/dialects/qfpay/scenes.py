"""Scenes of a register on a line with late answers, and what the wallet's book says of what was told.

A scene is a trade or a refund whose truth is known beforehand. It is played again and again in one world, each time by
an order of its own and a register with a new journal, with late answers in front of one of the register's questions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pytest

from anytill.core.errors import Refusal
from anytill.core.lifecycle import RefundState
from anytill.core.panel import Left, Way
from anytill.core.payment import Payment, PaymentRef, PayOrder, Refund, RefundOrder, RefundRef, Verdict
from anytill.core.wallet import Wallet
from anytill.dialects.qfpay.register import Register
from anytill.ports import Unreachable
from anytill.wire.errors import WireError
from tests.dialects.qfpay.desk import MERCHANT, Desk
from tests.dialects.qfpay.late import Crash, LateShop, Manner, raw, raw_trade, syssn_of

PAID_FEN, EARLIER_FEN = 500, 70
#: The sum that the sandbox gives back to the merchant instead of to the payer.
_RETURNED_FEN: Final = 93
#: Within a minute an equal refund would be the same, asked for again.
_A_MINUTE_S, _LONG_AFTER_S = 61, 900
#: What the terminal has said about a scene's own order before.
OF_THE_SALE: Final = ("1001 of the sale", "4001 before")
_OF_THE_FIRST: Final = ("1002 of the first", "4001 of the first", "4001 after the first", "1002 too much of it")


@dataclass(frozen=True)
class Trade:
    """A scene: how the payer's code ends, or how he leaves; a register that was `killed` at the 1001, and resumes."""

    ending: str = "00"
    left: Left | None = None
    killed: bool = False
    sent: bool = True  # before it was killed


@dataclass(frozen=True)
class GivingBack:
    """A scene: the sum decides what the wallet does. The `second` refund comes after an earlier one of the same
    payment."""

    amount_fen: int = 40
    second: bool = False
    killed: bool = False  # at the 1002
    sent: bool = True


Scene = Trade | GivingBack

SCENES: Final[dict[str, Scene]] = {
    "paid": Trade(),
    "declined": Trade("02"),
    "red key": Trade(left=Left.CANCELLED),
    "paid after doubts": Trade("06"),
    "paid with a PIN": Trade("01"),
    "done": GivingBack(),
    "refused": GivingBack(92),
    "returned to cash": GivingBack(_RETURNED_FEN),
    "done slowly": GivingBack(91),
    "second done": GivingBack(second=True),
    "second refused": GivingBack(92, second=True),
    "second done slowly": GivingBack(91, second=True),
    "killed, paid": Trade(killed=True),
    "killed, declined": Trade("02", killed=True),
    "killed, never sent": Trade(killed=True, sent=False),
    "killed, done": GivingBack(killed=True),
    "killed, refused": GivingBack(92, killed=True),
    "killed, never refunded": GivingBack(killed=True, sent=False),
    "killed, second done": GivingBack(second=True, killed=True),
    "killed, second refused": GivingBack(92, second=True, killed=True),
    "killed, never refunded twice": GivingBack(second=True, killed=True, sent=False),
}


@dataclass(frozen=True)
class Play:
    """What a register told in a scene, and what the wallet's book says."""

    scene: Scene
    end: Payment | Refund | None  # None: what was asked for was refused
    said: str
    asked: tuple[str, ...]
    is_open: bool  # the register knows of no end
    net_fen: int  # what the payer is poorer by, long after
    names_it: bool = True  # the refund's number is that of this refund

    @property
    def lies(self) -> list[str]:
        """What was told, and is not so."""
        lies = self._trade_lies() if isinstance(self.scene, Trade) else self._refund_lies(self.scene)
        return [f"{lie}, and the payer is poorer by {self.net_fen}" for lie in lies]

    def _trade_lies(self) -> list[str]:
        end, paid_fen = self.end, self.net_fen
        if not isinstance(end, Payment):
            return ["refused"] if paid_fen and not self.is_open else []
        told_paid = end.verdict is Verdict.PAID
        false = (
            (told_paid and paid_fen != PAID_FEN, "PAID"),
            (told_paid and end.paid_fen != paid_fen, f"paid {end.paid_fen}"),
            (end.verdict is Verdict.NOT_PAID and paid_fen, "NOT PAID"),
        )
        return [lie for is_false, lie in false if is_false]

    def _refund_lies(self, scene: GivingBack) -> list[str]:
        end, gone_fen = self.end, PAID_FEN - EARLIER_FEN * scene.second - self.net_fen
        if not isinstance(end, Refund):
            return ["refused"] if gone_fen and not self.is_open else []
        returned = end.state is RefundState.RETURNED_TO_CASH
        false = (
            (end.state is RefundState.DONE and gone_fen != scene.amount_fen, "DONE"),
            (end.state is RefundState.DONE and end.refunded_fen != gone_fen, f"gave back {end.refunded_fen}"),
            (end.state is RefundState.FAILED and gone_fen, "FAILED"),
            (returned and scene.amount_fen != _RETURNED_FEN, "RETURNED TO CASH"),
            (end.amount_fen != scene.amount_fen, f"a refund of {end.amount_fen}"),
            (not self.names_it, f"its number {end.refund_id}"),
        )
        return [lie for is_false, lie in false if is_false]


class Stage:
    """Where one scene is played again and again, each time by an order of its own."""

    def __init__(self, desk: Desk, scene: Scene, late: Mapping[str, bytes]) -> None:
        self._desk = desk
        self.scene = scene
        self._late = late
        self._plays = 0

    async def play(self, names: Sequence[str] = (), nth: int = 0, manner: Manner = Manner.DROPPED) -> Play:
        """Once, with these late answers in front of the question of that place."""
        self._plays += 1
        number, shop, scene = f"A{self._plays}", LateShop(self._desk), self.scene
        late = {**self._late, **(await self._sold(scene, number) if isinstance(scene, GivingBack) else {})}
        bodies = [late[name] for name in names]
        if scene.killed:
            await self._begun(shop, number)
        shop.line.put(bodies, nth, manner)
        end, said = await self._told(shop, number)
        is_open, asked = bool(shop.register().without_end), tuple(shop.line.asked)
        await self._desk.world.pass_s(_LONG_AFTER_S)
        net_fen = await self._desk.net_fen(number)
        return Play(scene, end, said, asked, is_open, net_fen, await self._is_named(end, number))

    async def _sold(self, scene: GivingBack, number: str) -> dict[str, bytes]:
        """What the terminal says of this order's own sale, and of its first refund."""
        self._desk.code()
        said = {"1001 of the sale": await raw_trade(self._desk, number, PAID_FEN / 100)}
        said["4001 before"] = await raw(self._desk, 4001, out_trade_no=number)
        if scene.second:
            first = await raw(self._desk, 1002, orderId=number, refund_amount=EARLIER_FEN / 100)
            said["1002 of the first"] = first
            said["4001 of the first"] = await raw(self._desk, 4001, orderId=syssn_of(first))
            said["4001 after the first"] = await raw(self._desk, 4001, out_trade_no=number)
            await self._desk.world.pass_s(_A_MINUTE_S)
            said["1002 too much of it"] = await raw(self._desk, 1002, orderId=number, refund_amount=50)
        return said

    async def _begun(self, shop: LateShop, number: str) -> None:
        """A register was killed at it, and another one comes."""
        shop.is_killed_at("1001" if isinstance(self.scene, Trade) else "1002", sent=self.scene.sent)
        with pytest.raises(Crash):
            await self._asked_for(shop.register(), number)

    async def _told(self, shop: LateShop, number: str) -> tuple[Payment | Refund | None, str]:
        register = shop.register()
        try:
            end = (await register.resume())[0] if self.scene.killed else await self._asked_for(register, number)
        except (Refusal, Unreachable, WireError) as fault:
            return None, type(fault).__name__
        back_fen = end.paid_fen if isinstance(end, Payment) else end.refunded_fen
        return end, f"{end.state} {back_fen}"

    async def _asked_for(self, register: Register, number: str) -> Payment | Refund:
        scene = self.scene
        if isinstance(scene, GivingBack):
            return await register.refund(RefundOrder(PaymentRef(number), f"R of {number}", scene.amount_fen))
        self._desk.code(scene.ending)
        if scene.left is not None:
            self._desk.panel.will(Way.SCAN, scene.left)
        return await register.pay(PayOrder(number, PAID_FEN, currency="HKD", wallet=Wallet.WECHAT))

    async def _is_named(self, end: Payment | Refund | None, number: str) -> bool:
        """Whether the number that a refund was told with, if any, is this refund's."""
        if not isinstance(end, Refund) or not end.refund_id:
            return True
        found = await self._desk.world.store.refund(MERCHANT.merchant_id, RefundRef(refund_id=end.refund_id))
        assert isinstance(self.scene, GivingBack)
        return found is not None and (found.order_no, found.amount_fen) == (number, self.scene.amount_fen)


def own_answers(scene: Scene) -> tuple[str, ...]:
    """The names of what the terminal has said about a scene's own order before."""
    if isinstance(scene, Trade):
        return ()
    return OF_THE_SALE + (_OF_THE_FIRST if scene.second else ())
