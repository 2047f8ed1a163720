"""The terminal's window: what stands on it, and that a person's keys reach the front."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from anytill.bootstrap.customer import Payer
from anytill.cli.window import Window, qr_text
from anytill.core.panel import Left, Sight, Stage, Way
from anytill.core.receipt import Receipt, Title
from anytill.core.secret import Secret
from anytill.transports.clock import StandingClock, SystemChance
from anytill.transports.panel import Front

pytestmark = pytest.mark.anyio

CARD = Sight(Stage.ASKING, "card_payment", 1_234, "HKD", "A-1", Way.TAP, ("VISA", "MASTERCARD"))
CODE = Sight(Stage.ASKING, "wx", 1_205, "HKD", "A-2", Way.SCAN, ("WECHAT",))


class _Payer(Payer):
    """Remembers what was scanned."""

    def __init__(self, scanned: list[str]) -> None:
        self._scanned = scanned

    async def pay(self, qr: str) -> None:
        self._scanned.append(qr)


class Stand:
    """A window with its front, and what was scanned."""

    def __init__(self) -> None:
        self.scanned: list[str] = []
        self.window = Window("terminal 90000001", SystemChance())
        self.front = Front(StandingClock(), self.window)
        self.window.front = self.front
        self.window.places = ["tcp 127.0.0.1:9002"]
        self.window.payer = _Payer(self.scanned)
        self.pilot: Pilot[None]

    def text(self) -> str:
        """What can be read in the window."""
        strips = self.window.screen._compositor.render_strips()
        return "\n".join("".join(segment.text for segment in strip) for strip in strips)

    async def asks(self, sight: Sight) -> asyncio.Task[Secret | Left]:
        """The protocol asks for what the sight says."""
        assert sight.way is not None
        self.front.show(sight)
        task = asyncio.ensure_future(self.front.present(sight.way, 60_000))
        await self.pilot.pause()
        return task


@asynccontextmanager
async def opened() -> AsyncIterator[Stand]:
    stand = Stand()
    async with stand.window.run_test(size=(110, 42)) as pilot:
        stand.pilot = pilot
        yield stand


async def test_it_shows_where_it_listens_the_sum_and_what_to_do() -> None:
    async with opened() as stand:
        assert "tcp 127.0.0.1:9002" in stand.text()
        asked = await stand.asks(CARD)
        for word in ("HKD 12.34", "A-1", "card_payment", "Tap the card"):
            assert word in stand.text()
        asked.cancel()


@pytest.mark.parametrize(
    ("sight", "keys", "begins"),
    [
        (CARD, ["enter"], "4111111111111111="),
        (CARD, ["f2", "enter"], "5555555555554444="),
        (CARD, ["f2", "f2", "enter"], "4111111111111111="),
        (CODE, ["enter"], "13"),
    ],
)
async def test_enter_presents_what_is_in_the_hand(sight: Sight, keys: list[str], begins: str) -> None:
    async with opened() as stand:
        asked = await stand.asks(sight)
        await stand.pilot.press(*keys)
        told = await asked
        assert isinstance(told, Secret)
        assert told.reveal().startswith(begins)


async def test_no_card_number_stands_in_the_window() -> None:
    async with opened() as stand:
        asked = await stand.asks(CARD)
        assert "VISA 411111******1111" in stand.text()
        assert "4111111111111111" not in stand.text()
        asked.cancel()


async def test_another_card_can_be_written_in_its_place() -> None:
    async with opened() as stand:
        asked = await stand.asks(CARD)
        stand.window.query_one("#held", Input).value = "4000000000000002=7"
        await stand.pilot.press("enter")
        assert await asked == Secret("4000000000000002=7")


@pytest.mark.parametrize("sight", [CARD, CODE])
async def test_with_real_money_the_hand_is_empty_and_shows_nothing(sight: Sight) -> None:
    async with opened() as stand:
        stand.window.payer = None
        asked = await stand.asks(sight)
        await stand.pilot.press("enter")
        assert not asked.done()
        await stand.pilot.press(*"1399", "enter")
        assert "1399" not in stand.text()
        assert await asked == Secret("1399")


async def test_the_amount_chooses_the_ending_of_the_code() -> None:
    async with opened() as stand:
        asked = await stand.asks(CODE)
        await stand.pilot.press("enter")
        told = await asked
        assert isinstance(told, Secret)
        assert told.reveal().endswith("05")


async def test_a_pin_is_not_shown() -> None:
    async with opened() as stand:
        asked = await stand.asks(Sight(Stage.ASKING, "PIN", 200_000, "HKD", way=Way.PIN))
        assert "1234" not in stand.text()
        await stand.pilot.press("enter")
        assert await asked == Secret("1234")


async def test_escape_is_the_red_key() -> None:
    async with opened() as stand:
        asked = await stand.asks(CARD)
        await stand.pilot.press("escape")
        assert await asked is Left.CANCELLED


async def test_the_code_on_the_screen_can_be_scanned() -> None:
    async with opened() as stand:
        stand.front.show(Sight(Stage.SHOWING, "fps", 100, "HKD", "A-3", qr="anytill-sandbox://pay/1"))
        await stand.pilot.pause()
        assert qr_text("anytill-sandbox://pay/1").splitlines()[3] in stand.text()
        await stand.pilot.press("f4")
        assert stand.scanned == ["anytill-sandbox://pay/1"]


async def test_receipts_come_out_and_the_page_is_left() -> None:
    async with opened() as stand:
        stand.front.show(Sight(Stage.DONE, "card_payment", 1_234, "HKD", "A-1"))
        await stand.front.print(Receipt((Title("SLIP"),)))
        await stand.pilot.pause()
        assert "SLIP" in stand.text()
        assert "A-1" in stand.text()
        stand.front.go_home()
        await stand.pilot.pause()
        assert "SLIP" in stand.text()
        assert "A-1" not in stand.text()


async def test_what_a_register_sends_does_not_colour_the_screen() -> None:
    async with opened() as stand:
        stand.front.show(Sight(Stage.REFUSED, "card_payment", 1, "HKD", "[red]A[/red]", hint="[bold]no[/bold]"))
        await stand.pilot.pause()
        assert "[red]A[/red]" in stand.text()
        assert "[bold]no[/bold]" in stand.text()
