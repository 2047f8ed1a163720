"""Two terminals of one merchant that count by themselves: each has its own numbers, on both stores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from anytill.bootstrap import DEMO_MERCHANT
from anytill.core.errors import (
    OrderConflict,
    PayCodeInUse,
    PaymentNotFound,
    RefundConflict,
    RefundNotFound,
)
from anytill.core.lifecycle import PaymentState
from anytill.core.merchant import Credential, Merchant, MerchantState
from anytill.core.payment import Method, Payment, PaymentRef, PayOrder, RefundOrder, RefundRef, Verdict
from anytill.core.secret import Secret
from anytill.core.wallet import Wallet
from anytill.dialects import Client
from anytill.gateway.directory import REMEMBERED_MS
from anytill.wire.http import HttpRequest
from tests.conftest import STORES
from tests.dialects.yst import desk as till
from tests.dialects.yst.desk import Answer, Desk
from tests.world import World

pytestmark = pytest.mark.anyio

ACCOUNT, KEY, PASSWORD = "till0002", "Zz1Yy2Xx3Ww4Vv5U", "secret2"
SECOND = {"account": ACCOUNT, "private_key": KEY, "password": PASSWORD}
DSN = till.dsn_of(ACCOUNT, KEY, PASSWORD)


@pytest.fixture(params=STORES)
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'world.db'}"
    return str(request.getfixturevalue("postgres_dsn"))


@pytest.fixture
async def two(world: World) -> tuple[Client, Client]:
    """The demo's terminal and another one of its merchant."""
    other = Credential("yst", ACCOUNT, Secret(KEY), {"": DEMO_MERCHANT.merchant_id}, password=Secret(PASSWORD))
    await world.store.put_credential(other)
    return world.client("yst"), world.client("yst", **SECOND)


def renamed(order: PayOrder, number: str = "S0007") -> PayOrder:
    return replace(order, order_no=number)


async def raw(desk: Desk, request_type: str, fields: Mapping[str, str]) -> Answer:
    """A request of the second terminal."""
    plain = till.inner(request_type, fields, DSN)
    answer = await desk.post(till.outer(plain, request_type, account=ACCOUNT, key=KEY, signed_dsn=DSN), DSN)
    assert answer["req_seq"] == fields["req_seq"]
    return answer


async def sum_of_charges(world: World) -> int:
    """What the wallet holds of the number at both terminals."""
    rows = [
        row
        for number in ("S0007", f"S0007@{ACCOUNT}", f"S0007@{till.ACCOUNT}")
        for row in await world.wallet.statement(merchant_order=number)
    ]
    return sum(int(str(row["net_fen"])) for row in rows if isinstance(row, dict))


async def test_both_may_use_a_number(world: World, two: tuple[Client, Client]) -> None:
    orders = [renamed(world.order(amount_fen=fen)) for fen in (100, 250)]
    paid = [await client.pay(order) for client, order in zip(two, orders, strict=True)]
    assert [payment.verdict for payment in paid] == [Verdict.PAID] * 2
    assert paid[0].payment_id != paid[1].payment_id
    # Each again is its own again, and each asks about its own.
    for client, order, payment in zip(two, orders, paid, strict=True):
        assert (await client.pay(order)).payment_id == payment.payment_id
        asked = await client.query(PaymentRef("S0007"))
        assert (asked.payment_id, asked.amount_fen, asked.order_no) == (payment.payment_id, order.amount_fen, "S0007")
        with pytest.raises(OrderConflict):
            await client.pay(replace(order, amount_fen=1))
    assert await sum_of_charges(world) == 350


async def test_copies_at_both_at_once_are_two_orders(world: World, two: tuple[Client, Client]) -> None:
    orders = [renamed(world.order(amount_fen=fen)) for fen in (100, 250)]
    told: list[tuple[int, str]] = []

    async def pay(nth: int) -> None:
        told.append((nth % 2, (await two[nth % 2].pay(orders[nth % 2])).payment_id))

    async with anyio.create_task_group() as group:
        for nth in range(10):
            group.start_soon(pay, nth)
    assert len(told) == 10
    assert len(set(told)) == 2
    assert await sum_of_charges(world) == 350


async def test_a_number_of_the_other_is_no_number(world: World, two: tuple[Client, Client]) -> None:
    first, second = two
    paid = await first.pay(renamed(world.order(amount_fen=500)))
    refund = await first.refund(RefundOrder(paid.ref, "R7", 100))
    with pytest.raises(PaymentNotFound):
        await second.query(PaymentRef("S0007"))
    with pytest.raises(PaymentNotFound):
        await second.cancel(PaymentRef("S0007"))
    with pytest.raises(RefundNotFound):
        await second.query_refund(RefundRef("R7", payment_id=paid.payment_id))
    stored = await world.stored("S0007")
    assert (stored.state, stored.refunded_fen) == (PaymentState.PAID, refund.refunded_fen)
    # Our own number says which order is meant, so whoever has the slip can give money back.
    assert (await second.refund(RefundOrder(PaymentRef(payment_id=paid.payment_id), "R8", 50))).refunded_fen == 50


async def test_each_takes_back_its_own(world: World, two: tuple[Client, Client]) -> None:
    for client in two:
        await client.pay(renamed(world.order()))
    assert (await two[1].cancel(PaymentRef("S0007"))).state is PaymentState.CANCELLED
    assert (await world.stored("S0007")).state is PaymentState.PAID
    assert await sum_of_charges(world) == 100
    assert (await two[0].cancel(PaymentRef("S0007"))).state is PaymentState.CANCELLED
    assert await sum_of_charges(world) == 0


@pytest.mark.parametrize("fen", [(100, 100), (100, 70), (300, 200)])
async def test_refunds_of_one_number_are_two(world: World, two: tuple[Client, Client], fen: tuple[int, int]) -> None:
    """Of one payment even, and of the same amount: the second terminal's is not told by the first one's."""
    paid = await two[0].pay(renamed(world.order(amount_fen=500)))
    ref = PaymentRef(payment_id=paid.payment_id)
    done = [await client.refund(RefundOrder(ref, "R7", amount)) for client, amount in zip(two, fen, strict=True)]
    assert done[0].refund_id != done[1].refund_id
    assert (await world.stored("S0007")).refunded_fen == sum(fen)
    for client, refund, amount in zip(two, done, fen, strict=True):
        assert (await client.refund(RefundOrder(ref, "R7", amount))).refund_id == refund.refund_id
        asked = await client.query_refund(RefundRef("R7", payment_id=paid.payment_id))
        assert (asked.refund_id, asked.refunded_fen) == (refund.refund_id, amount)
        with pytest.raises(RefundConflict):
            await client.refund(RefundOrder(ref, "R7", 1))
    assert (await world.stored("S0007")).refunded_fen == sum(fen)


async def test_what_was_taken_before_is_answered_whatever_changed_since(
    world: World, two: tuple[Client, Client]
) -> None:
    orders = [renamed(world.order()) for _ in two]
    paid = [await client.pay(order) for client, order in zip(two, orders, strict=True)]
    await world.store.put_merchant(Merchant(DEMO_MERCHANT.merchant_id, "店", state=MerchantState.OFF))
    await world.pass_s(REMEMBERED_MS // 1_000)
    for client, order, payment in zip(two, orders, paid, strict=True):
        assert (await client.pay(order)).payment_id == payment.payment_id


async def test_a_payers_code_is_one_at_both(world: World, two: tuple[Client, Client]) -> None:
    order = renamed(world.order())
    await two[0].pay(order)
    with pytest.raises(PayCodeInUse):
        await two[1].pay(order)
    assert await sum_of_charges(world) == 100


@pytest.mark.parametrize("kind", ["native", "js", "h5"])
async def test_pre_orders_and_their_notices_bear_the_tills_own_number(
    desk: Desk, two: tuple[Client, Client], kind: str
) -> None:
    world = desk.world
    fields = desk.preorder(kind, notify_url="http://127.0.0.1:9999/notify")
    name = f"unitive_{kind}_pay_request"
    first = await desk.call(name, fields)
    second = await raw(desk, name, fields)
    assert first["trans_seq"] != second["trans_seq"]
    assert (await raw(desk, name, fields))["trans_seq"] == second["trans_seq"]
    asked = await raw(desk, "unitive_native_query_pay_request", desk.asking(fields["req_seq"]))
    assert asked["trans_seq"] == second["trans_seq"]
    await world.wallet.payer_pays(merchant_order=f"{fields['req_seq']}@{ACCOUNT}")
    await world.pass_s(2)
    await raw(desk, "unitive_query_pay_request", desk.asking(fields["req_seq"]))
    await world.work()
    (posted,) = world.receiver.posted
    heard, _ = two[1].hear(HttpRequest("POST", "/", "", {}, posted.body, ""))
    assert (heard.order_no, heard.payment_id) == (fields["req_seq"], second["trans_seq"])
    assert (await desk.call("unitive_query_pay_request", desk.asking(fields["req_seq"])))["status"] == "W"


async def test_an_order_is_whose_login_the_store_has(world: World, two: tuple[Client, Client]) -> None:
    """Also one of before terminals left any mark of their own: nothing in its details says whose it is."""
    first = await world.credential("yst")
    code = world.order().pay_code
    paid = await world.gateway.till(first).pay(PayOrder("S0007", 500, pay_code=code))
    assert not (await world.stored("S0007")).details
    with pytest.raises(PaymentNotFound):
        await two[1].query(PaymentRef("S0007"))
    with pytest.raises(PaymentNotFound):
        await two[1].cancel(PaymentRef("S0007"))
    other = await two[1].pay(renamed(world.order(amount_fen=250)))
    assert (other.verdict, other.payment_id == paid.payment_id) == (Verdict.PAID, False)
    # What its own terminal sends again is the same order still.
    assert (await two[0].pay(PayOrder("S0007", 500, pay_code=code))).payment_id == paid.payment_id
    assert (await two[0].cancel(PaymentRef("S0007"))).state is PaymentState.CANCELLED
    assert await sum_of_charges(world) == 250


# Other protocols' orders and refunds


async def test_an_order_of_another_protocol_is_reached_by_its_number(world: World, two: tuple[Client, Client]) -> None:
    paid = await world.client("chaoying").pay(renamed(world.order()))
    for client in two:
        assert (await client.query(PaymentRef("S0007"))).payment_id == paid.payment_id
    with pytest.raises(OrderConflict):
        await two[0].pay(renamed(world.order()))


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("unitive_query_pay_request", {"auth_code": "139999999999999900"}),
        ("unitive_native_query_pay_request", {"channel": "A"}),
    ],
)
async def test_an_order_of_another_protocol_must_be_what_the_till_says_of_it(
    desk: Desk, name: str, changed: dict[str, str]
) -> None:
    """The till's own order never arrived, and its number is somebody else's: the code and the channel tell."""
    order = desk.world.order()
    await desk.world.client("teegon").pay(order)
    answer = await desk.call(name, desk.asking(order.order_no, **changed))
    assert (answer["code"], answer["result"]) == ("E11002", "N")
    assert order.pay_code is not None
    right = {"auth_code": order.pay_code.reveal()} if "auth_code" in changed else {"channel": "W"}
    assert (await desk.call(name, desk.asking(order.order_no, **right)))["result"] == "Y"


async def test_an_order_of_another_protocol_is_taken_back_by_its_payers_code_alone(desk: Desk) -> None:
    """Half of all orders are of one wallet, so its letter does not tell them apart."""
    world, name = desk.world, "unitive_revoke_request"
    order = world.order()
    assert order.pay_code is not None
    code = order.pay_code.reveal()
    await world.client("teegon").pay(order)
    for named in ({}, {"channel": "W"}, {"auth_code": "139999999999999900"}, {"auth_code": code, "channel": "A"}):
        answer = await desk.call(name, desk.asking(order.order_no, **named))
        assert (answer["code"], answer["result"]) == ("E11002", "N"), named
        assert (await world.stored(order.order_no)).state is PaymentState.PAID
    for _ in range(2):
        answer = await desk.call(name, desk.asking(order.order_no, auth_code=code))
        assert (answer["code"], answer["result"]) == ("E13000", "Y")
    assert (await world.book(order.order_no))["net_fen"] == 0


@pytest.mark.parametrize("makes", ["yst", "teegon"])
async def test_a_captured_revocation_reaches_no_later_order(desk: Desk, makes: str) -> None:
    """It found nothing when it was sent; the number is used after that."""
    world, name = desk.world, "unitive_revoke_request"
    order = renamed(world.order())
    assert order.pay_code is not None
    captured = till.request(name, desk.asking("S0007", auth_code=order.pay_code.reveal()))
    for _ in range(2):
        assert (await desk.post(captured))["code"] == "E11002"
        await world.pass_s(200)
    await world.pass_s(200)
    await world.client(makes).pay(order)
    for seconds in (0, 86_400):
        await world.pass_s(seconds)
        await world.restart()
        answer = await desk.post(captured)
        assert (answer["code"], answer["result"]) == ("E14004", "N")
        assert (await world.stored("S0007")).state is PaymentState.PAID
    fresh = desk.asking("S0007", auth_code=order.pay_code.reveal())
    assert (await desk.call(name, fresh))["code"] == "E13000"


async def test_a_revocation_sent_again_takes_back_what_was_on_its_way(desk: Desk) -> None:
    world, fields = desk.world, desk.asking("S0007")
    assert (await desk.call("unitive_revoke_request", fields))["code"] == "E11002"
    await world.pass_s(60)
    await world.client("yst").pay(renamed(world.order()))
    assert (await desk.call("unitive_revoke_request", fields))["code"] == "E13000"
    assert (await world.stored("S0007")).state is PaymentState.CANCELLED


async def test_an_order_that_no_code_paid_is_not_taken_back_by_one(desk: Desk) -> None:
    world = desk.world
    order = world.order(method=Method.QR, wallet=Wallet.WECHAT, pay_code=None, details={"product_id": "P1"})
    await world.client("chaoying").pay(order)
    for named in ({"channel": "W"}, {"auth_code": "1"}, {"auth_code": "135555550000000100"}):
        assert (await desk.call("unitive_revoke_request", desk.asking(order.order_no, **named)))["code"] == "E11002"
    assert (await world.stored(order.order_no)).state is PaymentState.WAITING


@pytest.mark.parametrize("same_payment", [True, False])
async def test_a_refund_under_another_protocols_number_is_one_more(
    world: World, two: tuple[Client, Client], same_payment: bool
) -> None:
    """Whoever is told "given back" has been given something back."""
    chaoying = world.client("chaoying")
    paid = [await chaoying.pay(world.order(amount_fen=1_000)) for _ in range(2)]
    earlier = await chaoying.refund(RefundOrder(paid[0].ref, "RF000007", 300))
    meant = PaymentRef(payment_id=paid[0 if same_payment else 1].payment_id)
    # While it has no such refund itself, a terminal may ask about the other protocol's.
    asked = RefundRef("RF000007", payment_id=paid[0].payment_id)
    assert (await two[0].query_refund(asked)).refund_id == earlier.refund_id
    await world.pass_s(3_600)
    own = [await client.refund(RefundOrder(meant, "RF000007", 300)) for client in two]
    assert len({earlier.refund_id, *(refund.refund_id for refund in own)}) == 3
    back = [(await world.stored(payment.order_no)).refunded_fen for payment in paid]
    assert back == ([900, 0] if same_payment else [300, 600])
    for client, refund in zip(two, own, strict=True):
        assert (await client.refund(RefundOrder(meant, "RF000007", 300))).refund_id == refund.refund_id
        asked = RefundRef("RF000007", payment_id=meant.payment_id)
        assert (await client.query_refund(asked)).refund_id == refund.refund_id
        with pytest.raises(RefundConflict):
            await client.refund(RefundOrder(meant, "RF000007", 1))
    assert sum([(await world.stored(payment.order_no)).refunded_fen for payment in paid]) == 900
    assert (await chaoying.query_refund(RefundRef("RF000007"))).refund_id == earlier.refund_id


async def test_nobody_takes_a_terminals_longer_number(world: World, two: tuple[Client, Client]) -> None:
    """Another protocol's till of the merchant may use any number, also one that looks like a terminal's."""
    squatter = await world.client("teegon").pay(renamed(world.order(), f"S0007@{ACCOUNT}"))
    await two[0].pay(renamed(world.order()))
    with pytest.raises(PaymentNotFound):
        await two[1].query(PaymentRef("S0007"))
    with pytest.raises(PaymentNotFound):
        await two[1].cancel(PaymentRef("S0007"))
    with pytest.raises(OrderConflict):
        await two[1].pay(renamed(world.order()))
    assert (await world.stored(squatter.order_no)).state is PaymentState.PAID


async def test_other_protocols_reach_both_by_our_number(world: World, two: tuple[Client, Client]) -> None:
    paid: list[Payment] = [
        await client.pay(renamed(world.order(amount_fen=fen))) for client, fen in zip(two, (100, 250), strict=True)
    ]
    chaoying = world.client("chaoying")
    for payment in paid:
        assert (await chaoying.query(PaymentRef(payment_id=payment.payment_id))).amount_fen == payment.amount_fen
    assert (await chaoying.query(PaymentRef("S0007"))).payment_id == paid[0].payment_id
    assert (await world.stored(f"S0007@{ACCOUNT}")).payment_id == paid[1].payment_id
