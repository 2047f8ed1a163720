"""One payment, every vendor's words for it: paid through one dialect, asked, given back and read through others.

A merchant's tills may speak different protocols. Whatever one of them did, the others must tell the same of it: the
same end, the same sums, and never more than the gateway knows. Each answer is compared with the gateway's own record as
it stands right after, and that with the wallet's book. Every dialect is asked through a fresh client, so that what it
tells is what was on the wire and nothing it remembered. Nothing here knows any dialect's format, but for one call that
no client has: Semoor's bill is read with the tests' own till.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import cycle, islice
from urllib.parse import urlencode

import pytest

from anytill.bootstrap.demo import DEMO_MERCHANTS
from anytill.core import ledger
from anytill.core.errors import NotRefundable, PaymentNotFound, RefundExceedsPaid
from anytill.core.lifecycle import OPEN_REFUND_STATES, PaymentState, RefundState
from anytill.core.money import CNY
from anytill.core.payment import (
    Method,
    Payment,
    PaymentRef,
    PayOrder,
    Refund,
    RefundOrder,
    Verdict,
)
from anytill.core.secret import Secret
from anytill.core.wallet import Wallet
from anytill.dialects import load_dialects
from anytill.gateway.directory import REMEMBERED_MS
from anytill.wire.http import FORM, HttpRequest
from tests.acceptance import semoor_till
from tests.acceptance.tills import Told, Word
from tests.gateway.meddler import meddled
from tests.world import BASE_URL, World

pytestmark = pytest.mark.anyio

#: Those of the demo's merchant in yuan; what is taken by a terminal in another currency is told of below.
DIALECTS = sorted(name for name, dialect in load_dialects().items() if dialect.sandbox.currency == CNY)
TERMINALS = sorted(name for name, dialect in load_dialects().items() if dialect.terminal is not None)
ASKING = [name for name in DIALECTS if "query" in load_dialects()[name].operations]
REFUNDING = [name for name in DIALECTS if "refund" in load_dialects()[name].operations]
CANCELLING = [name for name in DIALECTS if "cancel" in load_dialects()[name].operations]
ASKING_REFUNDS = [name for name in DIALECTS if "query_refund" in load_dialects()[name].operations]
INVITING = [name for name in DIALECTS if Method.QR in load_dialects()[name].methods]
#: The vendor's answer to a query names no amount; a client that has not charged the order itself cannot know it.
TELLS_NO_AMOUNT = {"teegon"}
#: Takes another protocol's order back only by its payer's code, which only who made the order knows.
NEEDS_THE_CODE = {"yst"}
#: How much a verdict promises the cashier.
PROMISE = {Verdict.NOT_PAID: 0, Verdict.OPEN: 1, Verdict.PAID: 2}
#: Seconds between looks at an order; together long enough for every payer and every deadline of the till.
LOOKS_S = (0, 2, 9, 25, 30, 60)
#: What ends paid, and what must not.
PAID_ENDINGS = {"00", "01", "06", "09", "10"}
ENDINGS = sorted(PAID_ENDINGS | {"02", "03", "04", "05", "07", "08"})
#: What a vendor may demand of an order that its payer scans.
DETAILS = {"product_id": "P1", "ip": "125.71.132.197", "redirect_url": "https://shop.example/paid"}

by_each = pytest.mark.parametrize("payer", DIALECTS)


def cancelling(payer: str) -> list[str]:
    """Who takes back an order of this dialect, by its numbers alone."""
    return [name for name in CANCELLING if name == payer or name not in NEEDS_THE_CODE]


async def ref_of(world: World, order_no: str) -> PaymentRef:
    """Both numbers, as the merchant's back office has them; the gateway's record is the source."""
    return (await world.stored(order_no)).ref


async def ask(world: World, dialect: str, order_no: str) -> Payment:
    """What this dialect tells of the order; no more and no less than the gateway knows at that moment."""
    told = await world.client(dialect).query(await ref_of(world, order_no))
    known = await world.stored(order_no)
    assert told.verdict is known.verdict, f"{dialect} tells {told.verdict} of {known.state}"
    assert told.order_no in ("", known.order_no)
    assert told.payment_id in ("", known.payment_id)
    assert told.wallet is known.wallet
    assert (told.amount_fen, known.amount_fen)[dialect in TELLS_NO_AMOUNT] == known.amount_fen
    if told.verdict is Verdict.PAID and dialect not in TELLS_NO_AMOUNT:
        assert (told.paid_fen, told.coupon_fen) == (known.paid_fen, known.coupon_fen), dialect
    else:
        assert told.paid_fen == 0, f"{dialect} tells of money in a {known.state} order"
    return told


async def all_ask(world: World, order_no: str, first: int = 0) -> Verdict:
    """Every dialect in turn, beginning with a different one each time: all tell the same, and later ones, who may be
    the first to hear better news, never less."""
    turn = islice(cycle(ASKING), first % len(ASKING), first % len(ASKING) + len(ASKING))
    verdicts = [(await ask(world, dialect, order_no)).verdict for dialect in turn]
    before = verdicts[0]
    for verdict in verdicts[1:]:
        assert verdict is before or before is Verdict.OPEN, verdicts
        before = verdict
    again = [(await ask(world, dialect, order_no)).verdict for dialect in ASKING]
    assert set(again) == {before}, "nothing happened in between, so nobody is told anything else"
    return before


async def wallet_agrees(world: World, order_no: str, **sums: int) -> None:
    """The wallet's own book has these sums for the order, and the gateway's agrees with it."""
    row = await world.book(order_no)
    assert {name: row[name] for name in sums} == sums
    await world.check_books(order_no)


async def given_back(world: World, dialect: str, order_no: str, refund_no: str, amount_fen: int) -> Refund:
    """What this dialect tells of a refund that it was asked for, which must be what the gateway has."""
    told = await world.client(dialect).refund(RefundOrder(await ref_of(world, order_no), refund_no, amount_fen))
    known = await stored_refund(world, order_no, refund_no)
    same_refund(dialect, told, known)
    return told


async def stored_refund(world: World, order_no: str, refund_no: str) -> Refund:
    refunds = await (await world.till()).refunds_of(await world.stored(order_no))
    (known,) = [refund for refund in refunds if refund.refund_no == refund_no]
    return known


OUTCOMES: Mapping[RefundState, str] = {
    RefundState.DONE: "done",
    # A vendor may have no word for "came back to the till's own account", but it is never told as done.
    RefundState.FAILED: "not done",
    RefundState.RETURNED_TO_CASH: "not done",
}


def same_refund(dialect: str, told: Refund, known: Refund) -> None:
    outcomes = [OUTCOMES.get(refund.state, "open") for refund in (told, known)]
    assert outcomes[0] == outcomes[1], f"{dialect} tells {told.state} of a refund that is {known.state}"
    # A vendor may name only what went back, so what has not gone back yet may have no amount.
    assert told.amount_fen == known.amount_fen or (told.amount_fen == 0 and outcomes[0] != "done"), dialect
    assert told.refunded_fen == known.refunded_fen, dialect
    assert told.refund_no in ("", known.refund_no)


async def all_ask_about_refund(world: World, order_no: str, refund_no: str, refunder: str) -> None:
    """Every dialect that can ask about refunds, and who made it, if that one can only send it again."""
    for dialect in ASKING_REFUNDS:
        known = await stored_refund(world, order_no, refund_no)
        told = await world.client(dialect).query_refund(replace(known.ref, payment_id=known.payment_id))
        same_refund(dialect, told, await stored_refund(world, order_no, refund_no))
    if refunder not in ASKING_REFUNDS:
        known = await stored_refund(world, order_no, refund_no)
        await given_back(world, refunder, order_no, refund_no, known.amount_fen)


async def paid(world: World, dialect: str, order: PayOrder) -> Payment:
    """An order charged through this dialect; what it is told there is what the gateway knows."""
    told = await world.client(dialect).pay(order)
    known = await world.stored(order.order_no)
    assert told.verdict is known.verdict
    assert told.amount_fen == known.amount_fen == order.amount_fen
    assert (told.paid_fen, told.coupon_fen) == (known.paid_fen, known.coupon_fen)
    return told


async def bill(world: World, order_no: str) -> Told:
    """Semoor's list of what came in and what went back, which must be the gateway's."""
    semoor = load_dialects()["semoor"]
    access = semoor.sandbox_settings(BASE_URL)
    known = await world.stored(order_no)
    fields = {"action": "read", "device_id": access["device_id"], "dm_id": f"dm{known.payment_id}"}
    body = urlencode({**fields, "sign": semoor_till.semoor_sign(fields, access["key"])}).encode()
    request = HttpRequest("POST", semoor_till.OP, "", {"content-type": FORM}, body, "127.0.0.1")
    assert semoor.handle is not None
    response = await semoor.handle(request, world.gateway)
    told = semoor_till.told((response.status, response.body))
    assert PROMISE_OF_WORD[told.word] == PROMISE[known.verdict]
    if told.word is Word.YES:
        refunded_fen = -round(float(told.fields.get("refund_total", "0")) * 100)
        assert (told.fields["pay_total"], refunded_fen) == (semoor_till.yuan(known.amount_fen), known.refunded_fen)
    return told


PROMISE_OF_WORD = {Word.NO: 0, Word.OPEN: 1, Word.YES: 2}


@by_each
async def test_pay_here_ask_there_refund_elsewhere_read_anywhere(world: World, payer: str) -> None:
    stories = [(asker, refunder) for asker in ASKING for refunder in REFUNDING]
    for asker, refunder in stories:
        order = world.order(amount_fen=501)
        refund_no = f"B{order.order_no}"
        assert (await paid(world, payer, order)).verdict is Verdict.PAID
        assert (await ask(world, asker, order.order_no)).verdict is Verdict.PAID
        await wallet_agrees(world, order.order_no, charged_fen=501, refunded_fen=0, net_fen=501)
        assert (await given_back(world, refunder, order.order_no, refund_no, 250)).state is RefundState.DONE
        # Reading changes nothing of what has ended, so one story serves all readers.
        for reader in ASKING:
            assert (await ask(world, reader, order.order_no)).verdict is Verdict.PAID
        assert (await bill(world, order.order_no)).fields["refund_total"] == "-2.50"
        await wallet_agrees(world, order.order_no, charged_fen=501, refunded_fen=250, net_fen=251)
        known = await world.stored(order.order_no)
        assert (known.paid_fen, known.refunded_fen, known.reserved_fen) == (501, 250, 250)
    assert len(stories) == len(ASKING) * len(REFUNDING) > 0


@by_each
async def test_no_dialect_tells_more_than_another(world: World, payer: str) -> None:
    """Open, failed, timed out, contradicted and paid orders, looked at by everybody at every moment."""
    orders = [world.order(ending, amount_fen=1_005) for ending in ENDINGS]
    promises = [[PROMISE[(await paid(world, payer, order)).verdict]] for order in orders]
    for number, seconds in enumerate(LOOKS_S):
        await world.pass_s(seconds)
        for order, heard in zip(orders, promises, strict=True):
            heard.append(PROMISE[await all_ask(world, order.order_no, number)])
            await bill(world, order.order_no)
    for ending, order, heard in zip(ENDINGS, orders, promises, strict=True):
        expected = Verdict.PAID if ending in PAID_ENDINGS else Verdict.NOT_PAID
        assert (await world.stored(order.order_no)).verdict is expected, ending
        # First open, for however long, then the end, and nothing else ever after.
        opened = heard.count(PROMISE[Verdict.OPEN])
        assert heard == [PROMISE[Verdict.OPEN]] * opened + [PROMISE[expected]] * (len(heard) - opened), ending
        await world.check_books(order.order_no)


@by_each
async def test_what_one_takes_back_is_taken_back_for_all(world: World, payer: str) -> None:
    """Paid, waiting, failed, silent and contradicted orders."""
    orders: dict[str, str] = {}
    for canceller in cancelling(payer):
        for ending in ("00", "03", "04", "06", "07", "08"):
            order = world.order(ending, amount_fen=777)
            orders[order.order_no] = ending
            await paid(world, payer, order)
            told = await world.client(canceller).cancel(await ref_of(world, order.order_no))
            known = await world.stored(order.order_no)
            # The answer to a cancel is about the cancel: open while the money may still be on its way back.
            assert PROMISE[told.verdict] <= PROMISE[Verdict.OPEN]
            assert (told.verdict is Verdict.NOT_PAID) is (known.verdict is Verdict.NOT_PAID)
    for number, seconds in enumerate((0, 5, 60)):
        await world.pass_s(seconds)
        for order_no in orders:
            await all_ask(world, order_no, number)
    for order_no, ending in orders.items():
        expected = PaymentState.FAILED if ending == "04" else PaymentState.CANCELLED
        assert (await world.stored(order_no)).state is expected, ending
        await world.check_books(order_no)
        rows = await world.wallet.statement(merchant_order=order_no)
        assert [row["net_fen"] for row in rows if isinstance(row, dict)] == [0] * len(rows), ending


@by_each
async def test_who_needs_the_payers_code_takes_back_nothing_without_it(world: World, payer: str) -> None:
    order = world.order(amount_fen=777)
    await paid(world, payer, order)
    for canceller in sorted(NEEDS_THE_CODE - {payer}):
        with pytest.raises(PaymentNotFound):
            await world.client(canceller).cancel(await ref_of(world, order.order_no))
    assert await all_ask(world, order.order_no) is Verdict.PAID
    await wallet_agrees(world, order.order_no, net_fen=777)


@by_each
async def test_while_the_wallet_is_silent_nobody_is_told_an_end(world: World, payer: str) -> None:
    """Orders on their way back and refunds whose end nobody knows stay open in every vendor's words, until they end."""
    meddler = await meddled(world)
    undone: dict[str, PaymentState] = {}
    for canceller in cancelling(payer):
        for ending, state in (("00", PaymentState.REVERSING), ("03", PaymentState.CANCELLING)):
            order = world.order(ending, amount_fen=777)
            await paid(world, payer, order)
            meddler.is_silent = True
            told = await world.client(canceller).cancel(await ref_of(world, order.order_no))
            meddler.is_silent = False
            assert told.verdict is Verdict.OPEN, f"{canceller} tells of a cancel that nobody has confirmed"
            undone[order.order_no] = state
    given: dict[str, str] = {}
    for refunder in REFUNDING:
        order = world.order(amount_fen=500)
        await paid(world, payer, order)
        meddler.is_silent = True
        told_refund = await given_back(world, refunder, order.order_no, f"B{order.order_no}", 100)
        meddler.is_silent = False
        assert told_refund.state not in OUTCOMES
        given[order.order_no] = refunder
    meddler.is_silent = True
    for number, (order_no, state) in enumerate(undone.items()):
        assert await all_ask(world, order_no, number) is Verdict.OPEN
        await bill(world, order_no)
        for refunder in REFUNDING:
            with pytest.raises(NotRefundable):
                await world.client(refunder).refund(RefundOrder(await ref_of(world, order_no), f"N{refunder}", 1))
        assert (await world.stored(order_no)).state is state
    for order_no, refunder in given.items():
        await all_ask_about_refund(world, order_no, f"B{order_no}", refunder)
        assert (await stored_refund(world, order_no, f"B{order_no}")).state in OPEN_REFUND_STATES
        assert "refund_total" not in (await bill(world, order_no)).fields
    meddler.is_silent = False
    await world.pass_s(300)
    for order_no in undone:
        assert await all_ask(world, order_no) is Verdict.NOT_PAID
        await wallet_agrees(world, order_no, net_fen=0)
    for order_no, refunder in given.items():
        await all_ask_about_refund(world, order_no, f"B{order_no}", refunder)
        await wallet_agrees(world, order_no, charged_fen=500, refunded_fen=100, net_fen=400)


@by_each
async def test_a_refund_is_told_alike(world: World, payer: str) -> None:
    """Done at once, done later, refused, landed in the cash account, unanswered."""
    ends = {10: RefundState.DONE, 91: RefundState.DONE, 92: RefundState.FAILED, 93: RefundState.RETURNED_TO_CASH}
    ends[94] = RefundState.DONE
    refunds: dict[str, tuple[str, int]] = {}
    for refunder in REFUNDING:
        for amount_fen in ends:
            order = world.order(amount_fen=500)
            await paid(world, payer, order)
            await given_back(world, refunder, order.order_no, f"B{order.order_no}", amount_fen)
            refunds[order.order_no] = (refunder, amount_fen)
    for number, seconds in enumerate((0, 2, 10, 60)):
        await world.pass_s(seconds)
        for order_no, (refunder, _) in refunds.items():
            await all_ask_about_refund(world, order_no, f"B{order_no}", refunder)
            assert await all_ask(world, order_no, number) is Verdict.PAID
            await bill(world, order_no)
    for order_no, (_, amount_fen) in refunds.items():
        assert (await stored_refund(world, order_no, f"B{order_no}")).state is ends[amount_fen]
        await world.check_books(order_no)


@by_each
async def test_one_order_given_back_by_all(world: World, payer: str) -> None:
    """Everybody's refunds add up, whoever made them, and nobody gives back more than what the others left."""
    order = world.order("10", amount_fen=100)
    assert (await paid(world, payer, order)).paid_fen == 90
    each_fen = 90 // (len(REFUNDING) + 1)
    for number, refunder in enumerate(REFUNDING):
        await given_back(world, refunder, order.order_no, f"R{number}{order.order_no}", each_fen)
        await all_ask(world, order.order_no, number)
    back_fen = each_fen * len(REFUNDING)
    await wallet_agrees(world, order.order_no, charged_fen=90, refunded_fen=back_fen, net_fen=90 - back_fen)
    for refunder in REFUNDING:
        refused = RefundOrder(await ref_of(world, order.order_no), f"X{order.order_no}{refunder}", 91 - back_fen)
        with pytest.raises(RefundExceedsPaid):
            await world.client(refunder).refund(refused)
    await given_back(world, REFUNDING[0], order.order_no, f"L{order.order_no}", 90 - back_fen)
    await wallet_agrees(world, order.order_no, charged_fen=90, refunded_fen=90, net_fen=0)
    assert await all_ask(world, order.order_no) is Verdict.PAID


@pytest.mark.parametrize("inviter", INVITING)
@pytest.mark.parametrize("wallet", [Wallet.WECHAT, Wallet.ALIPAY])
async def test_an_order_that_waits_for_its_payer(world: World, inviter: str, wallet: Wallet) -> None:
    """Made by whoever can, seen by everybody, also by vendors that have no such orders themselves."""
    taken, left = (
        world.order(method=Method.QR, wallet=wallet, pay_code=None, details=dict(DETAILS), amount_fen=4_200)
        for _ in range(2)
    )
    for order in (taken, left):
        assert (await world.client(inviter).pay(order)).verdict is Verdict.OPEN
        assert await all_ask(world, order.order_no) is Verdict.OPEN
    await world.wallet.payer_pays(merchant_order=taken.order_no)
    await world.pass_s(2)
    assert await all_ask(world, taken.order_no) is Verdict.PAID
    for number, refunder in enumerate(REFUNDING):
        await given_back(world, refunder, taken.order_no, f"R{number}{taken.order_no}", 1_000)
    back_fen = 1_000 * len(REFUNDING)
    await wallet_agrees(world, taken.order_no, charged_fen=4_200, refunded_fen=back_fen, net_fen=4_200 - back_fen)
    await world.pass_s(3_600)
    assert await all_ask(world, left.order_no) is Verdict.NOT_PAID
    await wallet_agrees(world, left.order_no, charged_fen=0, net_fen=0)


@pytest.mark.parametrize("ending", ["00", "01", "04", "06", "07", "08"])
async def test_an_order_without_a_number(world: World, ending: str) -> None:
    """Semoor's tills may have no numbers: the others ask by ours, and give back by it."""
    order = world.order(ending, amount_fen=600, order_no="")
    number = (await world.client("semoor").pay(order)).payment_id
    known = await world.stored(number)
    assert known.order_no == known.payment_id == number
    for turn, seconds in enumerate(LOOKS_S):
        await world.pass_s(seconds)
        await all_ask(world, number, turn)
        await bill(world, number)
    if ending not in PAID_ENDINGS:
        assert await all_ask(world, number) is Verdict.NOT_PAID
        for row in await world.wallet.statement(merchant_order=number):
            assert isinstance(row, dict)
            assert row["net_fen"] == 0
        return
    for turn, refunder in enumerate(REFUNDING):
        await given_back(world, refunder, number, f"R{turn}{number}", 100)
        await all_ask(world, number, turn)
        await bill(world, number)
    back_fen = 100 * len(REFUNDING)
    await wallet_agrees(world, number, charged_fen=600, refunded_fen=back_fen, net_fen=600 - back_fen)


#: What only a terminal's protocol takes, as another one of the same merchant meets it.
ELSEWHERE = [
    (Wallet.CARD, Method.CARD),
    (Wallet.OCTOPUS, Method.CARD),
    (Wallet.PAYME, Method.BARCODE),
    (Wallet.FPS, Method.QR),
]


@pytest.mark.parametrize(("wallet", "method"), ELSEWHERE)
@pytest.mark.parametrize("state", [PaymentState.WAITING, PaymentState.PAID])
async def test_what_a_terminal_took_is_told_by_every_dialect(
    world: World, wallet: Wallet, method: Method, state: PaymentState
) -> None:
    order = world.order("03", prefix="13")
    await (await world.till()).pay(order)
    # The record as the terminal's protocol would have left it: only its wallet and its method are of another kind.
    known = await world.stored(order.order_no)
    taken = replace(known, wallet=wallet, method=method, state=state, version=known.version + 1)
    is_paid = state is PaymentState.PAID
    if is_paid:
        taken = replace(taken, paid_fen=known.amount_fen, paid_at_ms=world.clock.now_ms())
    sale = (ledger.sale(taken, world.clock.now_ms()),) if is_paid else ()
    assert await world.store.move_payment(known, taken, sale)
    for dialect in ASKING:
        told = await ask(world, dialect, order.order_no)
        assert told.verdict is taken.verdict
    if is_paid:
        assert (await bill(world, order.order_no)).word is Word.YES


@pytest.mark.parametrize("refunder", REFUNDING)
async def test_a_card_is_given_back_by_any_dialect(world: World, refunder: str) -> None:
    presented = Secret("5200000000001096=1")
    order = world.order(amount_fen=500, method=Method.CARD, wallet=Wallet.CARD, pay_code=presented)
    await (await world.till()).pay(order)
    await all_ask(world, order.order_no)
    told = await given_back(world, refunder, order.order_no, "R0001", 500)
    assert told.state is RefundState.DONE
    await world.check_books(order.order_no)


@pytest.mark.parametrize("terminal", TERMINALS)
@pytest.mark.parametrize(("amount_fen", "verdict"), [(500, Verdict.PAID), (504, Verdict.NOT_PAID)])
async def test_what_a_terminal_took_is_told_and_given_back_elsewhere(
    world: World, terminal: str, amount_fen: int, verdict: Verdict
) -> None:
    access = load_dialects()[terminal].sandbox
    for dialect in DIALECTS:
        # The same merchant, whose other tills speak these; they can take no order in its currency, but know of each.
        credential = await world.credential(dialect)
        numbers = dict.fromkeys(credential.merchants, DEMO_MERCHANTS[access.currency].merchant_id)
        await world.store.put_credential(replace(credential, merchants=numbers))
    await world.pass_s(REMEMBERED_MS // 1_000)
    presented = Secret("5200000000001096=1")
    order = world.order(
        amount_fen=amount_fen, currency=access.currency, method=Method.CARD, wallet=Wallet.CARD, pay_code=presented
    )
    told = await world.client(terminal).pay(order)
    assert told.verdict is verdict
    assert await all_ask(world, order.order_no) is verdict
    if verdict is not Verdict.PAID:
        return
    for number, dialect in enumerate(REFUNDING):
        assert (await given_back(world, dialect, order.order_no, f"R000{number}", 100)).state is RefundState.DONE
    told = await world.client(terminal).query(await ref_of(world, order.order_no))
    assert told.verdict is Verdict.PAID
    await world.check_books(order.order_no)
