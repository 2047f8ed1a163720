"""The customer who acts by himself: what he holds out for which sum, and whose hand scans what the screen shows."""

from __future__ import annotations

import asyncio

import pytest

from anytill.bootstrap.customer import CARDS, CODES, PIN, Customer, Payer, card_text, code_text, ending_of
from anytill.core.card import parse_card
from anytill.core.panel import Left, Sight, Stage, Way
from anytill.core.payment import Method, PayOrder
from anytill.core.receipt import Receipt
from anytill.core.secret import Secret
from anytill.core.wallet import Wallet, wallet_of
from anytill.transports.clock import StandingClock, SystemChance
from anytill.transports.panel import Front
from tests.transports.fakes import turns
from tests.world import World

pytestmark = pytest.mark.anyio

CHANCE = SystemChance()


class Hand(Payer):
    """A payer's hand that only notes what it did."""

    def __init__(self) -> None:
        self.moves: list[tuple[str, str]] = []

    async def pay(self, qr: str) -> None:
        self.moves.append(("pay", qr))

    async def decline(self, qr: str) -> None:
        self.moves.append(("decline", qr))


class Stand:
    """A customer, his front and his hand."""

    def __init__(self) -> None:
        self.hand = Hand()
        self.customer = Customer(CHANCE, self.hand)
        self.front = Front(StandingClock(), self.customer)
        self.customer.front = self.front

    async def gives(self, sight: Sight) -> Secret | Left:
        """What he presents for this sight; he never thinks for long."""
        assert sight.way is not None
        self.front.show(sight)
        async with asyncio.timeout(10):
            return await self.front.present(sight.way, 60_000)


def asking(way: Way, accepts: tuple[str, ...] = (), cents: int = 1_200) -> Sight:
    return Sight(Stage.ASKING, "title", cents, "HKD", "N1", way, accepts)


@pytest.mark.parametrize("scheme", CARDS)
async def test_he_taps_a_card_of_a_scheme_that_is_taken(scheme: str) -> None:
    stand = Stand()
    cards = [await stand.gives(asking(Way.TAP, ("NOBODY", scheme))) for _ in range(2)]
    assert cards[0] != cards[1], "no two readings are alike"
    for card in cards:
        assert isinstance(card, Secret)
        read = parse_card(card)
        assert (read.scheme, read.pin) == (scheme, "")


@pytest.mark.parametrize("wallet", CODES)
async def test_he_holds_out_a_code_of_a_wallet_that_is_taken(wallet: str) -> None:
    stand = Stand()
    for cents, ending in ((1_200, "00"), (1_205, "05"), (1_210, "10"), (1_277, "00")):
        code = await stand.gives(asking(Way.SCAN, (wallet,), cents))
        assert isinstance(code, Secret)
        assert wallet_of(code) == wallet
        assert code.reveal().endswith(ending)


async def test_he_knows_his_pin_and_leaves_a_refunds_sum_as_it_is() -> None:
    stand = Stand()
    assert await stand.gives(asking(Way.PIN)) == Secret(PIN)
    assert await stand.gives(asking(Way.AMOUNT, cents=345)) == Secret("345")


@pytest.mark.parametrize("way", [Way.TAP, Way.SCAN])
async def test_he_has_nothing_of_what_nobody_knows(way: Way) -> None:
    stand = Stand()
    stand.front.show(asking(way, ("NOBODY",)))
    waiting = asyncio.ensure_future(stand.front.present(way, 60_000))
    await turns(5)
    assert not waiting.done()
    stand.front.withdraw()
    assert await waiting is Left.WITHDRAWN


@pytest.mark.parametrize(
    ("cents", "moves"), [(1_200, ["pay"]), (1_204, ["pay"]), (1_202, ["decline"]), (1_203, []), (1_277, ["pay"])]
)
async def test_he_scans_what_the_screen_shows_once(cents: int, moves: list[str]) -> None:
    stand = Stand()
    for hint in ("", "still"):
        stand.front.show(Sight(Stage.SHOWING, "FPS", cents, "HKD", "N1", qr="https://wallet.example/q/77", hint=hint))
        await turns(5)
    assert stand.hand.moves == [(move, "https://wallet.example/q/77") for move in moves]
    stand.front.show(Sight(Stage.DONE))
    stand.front.show(Sight(Stage.SHOWING, "FPS", cents, "HKD", "N2", qr="https://wallet.example/q/78"))
    await turns(5)
    assert len(stand.hand.moves) == 2 * len(moves)


async def test_without_a_wallet_nobody_scans() -> None:
    before = asyncio.all_tasks()
    customer = Customer(CHANCE, None)
    customer.shown(Sight(Stage.SHOWING, "FPS", 100, "HKD", "N1", qr="https://wallet.example/q/77"))
    customer.printed(Receipt(()))
    customer.went_home()
    assert asyncio.all_tasks() == before


def test_the_last_two_digits_are_an_ending_only_where_they_mean_something() -> None:
    assert [ending_of(cents) for cents in (1_200, 1_201, 110, 111, 99, 5)] == ["00", "01", "10", "00", "00", "05"]


def test_texts_are_what_readers_and_cameras_give() -> None:
    assert parse_card(card_text("OCTOPUS", CHANCE)).scheme == "OCTOPUS"
    assert wallet_of(code_text("PAYME", "04", CHANCE)) is Wallet.PAYME


@pytest.mark.parametrize(("declines", "charged"), [(False, 500), (True, 0)])
async def test_his_hand_pays_and_declines_at_the_sandboxs_wallet(world: World, declines: bool, charged: int) -> None:
    payment = await (await world.till()).pay(PayOrder("Q1", 500, Method.QR, wallet=Wallet.WECHAT))
    payer = Payer(world.wallet)
    for _ in range(2):  # who comes too late changes nothing
        await (payer.decline if declines else payer.pay)(payment.invitation["code_url"])
    (row,) = await world.wallet.statement(merchant_order="Q1")
    assert isinstance(row, dict)
    assert row["charged_fen"] == charged
    await payer.pay("https://wallet.example/q/nobody")
