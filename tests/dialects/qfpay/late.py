"""A serial line on which answers come late, and everything that can be late on it.

Nothing on such a line says which question an answer belongs to, and what a killed command has asked for is still on its
way when the next one asks. The terminal is the real one, so what is late is what it really said before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from anytill.core.lifecycle import RefundState
from anytill.core.panel import Left, Way
from anytill.dialects.qfpay import answers, codec, words
from anytill.dialects.qfpay.client import Client
from anytill.dialects.qfpay.register import News, Register
from anytill.ports import Send
from anytill.transports.journal import MemoryJournal
from anytill.wire.http import HttpRequest, HttpResponse
from tests.dialects.qfpay import desk as till
from tests.dialects.qfpay.desk import Desk

_FUNCTIONS: Final = {path: str(number) for number, path in till.PATHS.items()}


class Crash(BaseException):
    """The register loses its power."""


class Manner(StrEnum):
    """What becomes of the true answer while a late one is read in its place."""

    DROPPED = "dropped"  # it comes when nobody waits any more
    KEPT = "kept"  # it is the next question's answer, if that is asked at once; a rest drops what is unread
    SHIFTED = "shifted"  # each question is told the answer to the one before it, for ever


@dataclass
class LateLine:
    """A `ports.Send` to the terminal, with late answers in front of the question number `nth`."""

    send: Send
    late: list[bytes] = field(default_factory=list)
    nth: int = 0
    manner: Manner = Manner.DROPPED
    asked: list[str] = field(default_factory=list)  # the functions
    _unread: list[bytes] = field(default_factory=list)

    async def __call__(self, request: HttpRequest) -> HttpResponse:
        here = len(self.asked)
        self.asked.append(_FUNCTIONS[request.path])
        response = await self.send(request)
        if here == self.nth:
            self._unread = list(self.late)
        if not self._unread:
            return response
        self._unread.append(response.body)
        read = self._unread.pop(0)
        if self.manner is Manner.DROPPED and here == self.nth + len(self.late) - 1:
            self._unread.clear()
        return HttpResponse(200, read, "text/plain")

    def put(self, late: Sequence[bytes], nth: int = 0, manner: Manner = Manner.DROPPED) -> None:
        """From now on, as if nothing had been asked: these stand in front of the question of that place."""
        self.late, self.nth, self.manner = list(late), nth, manner
        self.asked.clear()
        self._unread.clear()

    def rested(self) -> None:
        """Nobody asked for a while."""
        if self.manner is not Manner.SHIFTED:
            self._unread.clear()


@dataclass
class _DeskClock:
    """Time at the desk: what is due meanwhile is done, and what is late on the line arrives."""

    desk: Desk
    line: LateLine

    def now_ms(self) -> int:
        return self.desk.world.clock.now_ms()

    async def sleep_ms(self, ms: int) -> None:
        await self.desk.world.pass_ms(ms)
        self.line.rested()


class LateShop:
    """A register at the desk's own terminal, over a line on which answers come late."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.journal = MemoryJournal()
        self.line = LateLine(self._arrived)
        self.clock = _DeskClock(desk, self.line)
        self.news: list[News] = []

    def register(self) -> Register:
        """A register that has just been started."""
        client = Client({"pos_key": till.KEY}, self.line)
        return Register(client, self.journal, self.clock, lambda news, _number, _detail: self.news.append(news))

    def is_killed_at(self, function: str = "", *, sent: bool = True) -> None:
        """The register loses its power at its first question of this function (any, if none is named): before it is
        `sent`, or with its answer in the buffer."""

        async def send(request: HttpRequest) -> HttpResponse:
            if function not in ("", _FUNCTIONS[request.path]):
                return await self._arrived(request)
            if sent:
                await self._arrived(request)
            self.line.send = self._arrived
            raise Crash

        self.line.send = send

    async def _arrived(self, request: HttpRequest) -> HttpResponse:
        return await self.desk.terminal.handle(request)


async def raw(desk: Desk, func_type: int, **content: Any) -> bytes:
    """What the terminal really says."""
    request = till.message({"func_type": func_type, **content})
    return (await desk.terminal.handle(HttpRequest("POST", till.PATHS[func_type], "", {}, request, "10.0.0.7"))).body


async def raw_trade(desk: Desk, number: str, amt: Any = 5, channel: str = "wx") -> bytes:
    """The same to a trade."""
    return await raw(desk, 1001, channel=channel, amt=amt, out_trade_no=number)


def sort_of(body: bytes) -> str:
    """Both codes of an answer, and whether it names what it speaks of: what a client can tell apart."""
    said = till.said(body)
    named = any(said.data.get(name) for name in ("out_trade_no", "syssn", "orig_syssn"))
    return f"{said.respcd}/{said.inner}{'' if named else ' bare'}"


async def late_answers(desk: Desk) -> dict[str, bytes]:
    """What the terminal says to everything that can be asked, about other orders than a scene's."""
    said = {**await _of_trades(desk), **await _meanwhile(desk), **await _of_refunds(desk)}
    said["3001 printed"] = await raw(desk, 3001, orderId="B1")
    said["3001 none"] = await raw(desk, 3001, orderId="NONE")
    said["3002 printed"] = await raw(desk, 3002)
    desk.panel.has_paper = False
    said["3002 no paper"] = await raw(desk, 3002)
    desk.panel.has_paper = True
    for number, name in (("B1", "paid"), ("B2", "declined"), ("B7", "none")):
        said[f"4001 {name}"] = await raw(desk, 4001, out_trade_no=number)
    said["4001 of a refund"] = await raw(desk, 4001, orderId=syssn_of(said["1002 done"]))
    said["5001 nothing"] = await raw(desk, 5001)
    # What takes a race at the terminal to be said.
    for name, word in (
        ("5001 unsure", words.CANCEL_UNSURE),
        ("5001 refund under way", words.REFUND_UNDER_WAY),
        ("1002 same under way", words.SAME_REFUND_UNDER_WAY),
        ("1002 whole only", words.WHOLE_ONLY),
        ("1002 uncertain", words.REFUND_WORDS[RefundState.UNKNOWN]),
        ("any fault", words.SYSTEM_ERROR),
    ):
        said[name] = codec.plain_answer(answers.told(word))
    return said


async def _of_trades(desk: Desk) -> dict[str, bytes]:
    said: dict[str, bytes] = {}
    desk.code("00")
    said["1001 paid"] = await raw_trade(desk, "B1")
    desk.code("02")
    said["1001 declined"] = await raw_trade(desk, "B2")
    for number, left in (("B3", Left.CANCELLED), ("B4", Left.TIMED_OUT)):
        desk.panel.will(Way.SCAN, left)
        said[f"1001 {left.name.lower()}"] = await raw_trade(desk, number)
    said["1001 conflict"] = await raw_trade(desk, "B1", 5.01)
    said["1001 spent"] = await raw_trade(desk, "B3")
    said["1001 too much"] = await raw_trade(desk, "B9", 99_999_999)
    said["1001 bad field"] = await raw_trade(desk, "B9", channel="cash")
    return said


async def _meanwhile(desk: Desk) -> dict[str, bytes]:
    """While the terminal waits for a payer; and while his payment goes through."""
    said: dict[str, bytes] = {}

    async def waits() -> None:
        said["1001 busy"] = await raw_trade(desk, "B6")
        said["1001 same under way"] = await raw_trade(desk, "B5")
        said["4001 awaited"] = await raw(desk, 4001, out_trade_no="B5")
        said["1002 busy"] = await raw(desk, 1002, orderId="B1", refund_amount=1)
        said["5001 done"] = await raw(desk, 5001)

    desk.panel.will(Way.SCAN, waits)
    said["1001 withdrawn"] = await raw_trade(desk, "B5")

    async def goes_through() -> None:
        await desk.world.pass_s(10)
        said["5001 too late"] = await raw(desk, 5001)

    desk.code("01")
    desk.panel.pausing(goes_through)
    said["1001 paid with a PIN"] = await raw_trade(desk, "B8")
    return said


async def _of_refunds(desk: Desk) -> dict[str, bytes]:
    said = {
        f"1002 {name}": await raw(desk, 1002, orderId=number, refund_amount=amount)
        for name, number, amount in (
            ("done", "B1", 1),
            ("too much", "B1", 50),
            ("none", "NONE", 1),
            ("unpaid", "B2", 1),
            ("refused", "B1", 0.92),
            ("returned to cash", "B1", 0.93),
        )
    }
    for left in (Left.CANCELLED, Left.TIMED_OUT):
        desk.panel.will(Way.AMOUNT, left)
        name = f"1002 {left.name.lower()}"
        said[name] = await raw(desk, 1002, orderId="B1", refund_amount=1.2, allow_modify_flag=1)
    return said


def syssn_of(answer: bytes) -> str:
    return str(till.said(answer).data["syssn"])
