"""The law of every dialect: a client wired to its own server behaves as the gateway's own till.

Each story is played twice in one world, under two order numbers: once through the dialect's client, once through the
gateway's till. After each step both must show the same. What a vendor's protocol lacks must be refused as NotSupported
by the client, and is then left out of the story. Nothing here knows any dialect's format.

Where the server is a terminal with people before it, the payer holds out the order's own code there (`world.client`),
and an answer comes when the end is known: the other side is then looked at when it knows its end too.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytill.core.errors import (
    NoticeAddressRefused,
    NotRefundable,
    NotSupported,
    OrderConflict,
    PaymentNotFound,
    RefundConflict,
    RefundExceedsPaid,
    RefundNotFound,
    Refusal,
    UnknownCredential,
    refusal_classes,
)
from anytill.core.lifecycle import PaymentState, RefundState
from anytill.core.panel import Stage
from anytill.core.payment import (
    AT_THE_TILL,
    Method,
    Payment,
    PaymentRef,
    PayOrder,
    Refund,
    RefundOrder,
    RefundRef,
    Verdict,
)
from anytill.core.secret import Secret
from anytill.core.wallet import Wallet
from anytill.dialects import Client, Dialect, Setting, load_dialects
from anytill.gateway.directory import REMEMBERED_MS
from anytill.ports import Till
from anytill.wire.errors import WireError
from anytill.wire.http import FORM, HttpRequest
from tests.dialects.law import (
    DETAILS,
    handler_of,
    listening,
    new_secret,
    notice_request,
    notified_order,
    order_of,
    own_settings,
    pair_of,
    refund_order_of,
    refund_ref_of,
    renamed,
    second_client,
)
from tests.panels import AtTheTerminal
from tests.world import NOTICE_URL, Posted, World

pytestmark = pytest.mark.anyio

DIALECTS = sorted(load_dialects())
OPERATIONS = {"pay", "query", "cancel", "refund", "query_refund"}
ENDINGS = [f"{n:02d}" for n in range(1, 11)] + ["00", "55"]


@pytest.fixture(params=DIALECTS)
def dialect(request: pytest.FixtureRequest) -> Dialect:
    return load_dialects()[request.param]


def having(operation: str) -> pytest.MarkDecorator:
    """Only dialects whose vendor has the operation; what the others answer stands in a test of its own."""
    names = [name for name in DIALECTS if operation in load_dialects()[name].operations]
    return pytest.mark.parametrize("dialect", names, indirect=True)


with_notices = pytest.mark.parametrize(
    "dialect", [name for name in DIALECTS if load_dialects()[name].form is not None], indirect=True
)


def ref_of(payment: Payment) -> PaymentRef:
    return payment.ref


@pytest.mark.parametrize("ending", ENDINGS)
async def test_a_payment_looks_the_same_at_every_moment(world: World, dialect: Dialect, ending: str) -> None:
    pair = await pair_of(world, dialect)
    order = order_of(world, dialect, ending)
    refs: dict[str, PaymentRef] = {}

    async def pay(till: Till, side: str) -> Payment:
        # The number is noted before: a payment that ended in a refusal-like answer is asked about all the same.
        payment = await till.pay(renamed(order, side))
        refs[side] = ref_of(payment)
        return payment

    wired, direct = await pair.both(pay)
    assert wired == direct
    for seconds in (2, 10, 20, 60, 120):
        await world.pass_s(seconds)
        if pair.can("query") and len(refs) == 2 and refs["W"].payment_id:
            wired, direct = await pair.both(lambda till, side: till.query(refs[side]))
            assert wired == direct, f"after {seconds} s"
    expected = Verdict.PAID if ending in {"01", "06", "09", "10", "00", "55"} else Verdict.NOT_PAID
    for side in ("W", "D"):
        assert (await world.stored(f"{order.order_no}{side}")).verdict is expected
    await world.check_books(f"{order.order_no}W", f"{order.order_no}D")


async def test_the_same_order_again_is_the_same_payment(world: World, dialect: Dialect) -> None:
    pair = await pair_of(world, dialect)
    order = order_of(world, dialect)
    for _ in range(3):
        wired, direct = await pair.both(lambda till, side: till.pay(renamed(order, side)))
        assert wired == direct == "payment PAID 100"
    rows = await world.wallet.statement(merchant_order=f"{order.order_no}W")
    assert len(rows) == 1


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"amount_fen": 101}, OrderConflict),
        ({"subject": "other"}, OrderConflict),
        ({"pay_code": Secret("130000000000009900")}, OrderConflict),
    ],
)
async def test_other_contents_under_a_number_are_refused(
    world: World, dialect: Dialect, change: dict[str, object], refusal: type[Refusal]
) -> None:
    for till in (world.client(dialect.name), await world.till(dialect.name)):
        first = order_of(world, dialect)
        await till.pay(first)
        before = await world.stored(first.order_no)
        again = replace(first, **change)  # type: ignore[arg-type]
        if isinstance(till, AtTheTerminal) and change.keys() <= dialect.not_carried:
            # Nothing of it was sent, so it is the same order; and nobody is asked for a code that could be another.
            assert (await till.pay(again)).verdict is Verdict.PAID
        else:
            with pytest.raises(refusal):
                await till.pay(again)
        assert await world.stored(first.order_no) == before
        assert len(await world.wallet.statement(merchant_order=first.order_no)) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"pay_code": Secret("160000000000000000")},  # no wallet's
        {"notice_url": "http://10.0.0.1/notify"},
        {"notice_url": "http://localhost:99999/"},
    ],
)
async def test_what_the_gateway_refuses_the_dialect_refuses(
    world: World, dialect: Dialect, change: dict[str, Any]
) -> None:
    if "notice_url" in change and Method.QR not in dialect.methods and NoticeAddressRefused not in dialect.refusals:
        pytest.fail("the table is incomplete")
    order = order_of(world, dialect, **change)
    try:
        told = await world.client(dialect.name).pay(order)
    except Refusal:
        with pytest.raises(Refusal):
            await (await world.till(dialect.name)).pay(order)
        return
    # A vendor without a notice address on this call sends none, so there is nothing to refuse.
    assert "notice_url" in change
    assert told.verdict is Verdict.PAID
    assert (await world.stored(order.order_no)).notice_url == ""


async def test_a_used_code_pays_no_second_order(world: World, dialect: Dialect) -> None:
    pair = await pair_of(world, dialect)
    order = order_of(world, dialect)

    async def twice(till: Till, side: str) -> Payment:
        first = renamed(order, side)
        await till.pay(first)
        return await till.pay(replace(first, order_no=f"{first.order_no}2"))

    wired, direct = await pair.both(twice)
    assert wired == direct == "PayCodeInUse"


async def test_unknown_numbers(world: World, dialect: Dialect) -> None:
    client = world.client(dialect.name)
    if "query" in dialect.operations:
        with pytest.raises(PaymentNotFound):
            await client.query(PaymentRef("NOSUCH01", "12611181234560000000"))
    if "cancel" in dialect.operations:
        with pytest.raises(PaymentNotFound):
            await client.cancel(PaymentRef("NOSUCH01", "12611181234560000000"))
    if "query_refund" in dialect.operations:
        ref = RefundRef("NOSUCH01", "12611181234560000000")
        with pytest.raises(RefundNotFound):
            await client.query_refund(replace(ref, refund_no="") if "refund_no" in dialect.not_carried else ref)


async def test_a_wrong_secret_is_an_unknown_credential(world: World, dialect: Dialect) -> None:
    access = dialect.sandbox
    client = world.client(dialect.name, **{dialect.name_of(Setting.SECRET): access.secret[::-1]})
    order = order_of(world, dialect)
    with pytest.raises(UnknownCredential):
        await client.pay(order)
    assert await world.wallet.statement(merchant_order=order.order_no) == []


async def test_what_the_vendor_lacks_is_not_supported(world: World, dialect: Dialect) -> None:
    client = world.client(dialect.name)
    order = order_of(world, dialect)
    payment = await client.pay(order)
    calls: dict[str, Callable[[], Awaitable[object]]] = {
        "query": lambda: client.query(payment.ref),
        "cancel": lambda: client.cancel(payment.ref),
        "refund": lambda: client.refund(RefundOrder(payment.ref, "R1000", 10)),
        "query_refund": lambda: client.query_refund(RefundRef("R1000")),
    }
    for name in OPERATIONS - dialect.operations:
        with pytest.raises(NotSupported):
            await calls[name]()
    for method in set(Method) - dialect.methods:
        with pytest.raises(NotSupported):
            await client.pay(order_of(world, dialect, method=method, wallet=Wallet.WECHAT))


REFUNDS = [10, 91, 92, 93, 94]


@having("refund")
@pytest.mark.parametrize("amount_fen", REFUNDS)
async def test_a_refund_looks_the_same_at_every_moment(world: World, dialect: Dialect, amount_fen: int) -> None:
    pair = await pair_of(world, dialect)
    order = order_of(world, dialect, amount_fen=500)

    made: dict[str, Refund] = {}

    async def refund(till: Till, side: str) -> Refund:
        payment = await till.pay(renamed(order, side))
        made[side] = await till.refund(pair.refund_order(payment.ref, f"R{order.order_no}{side}", amount_fen))
        return made[side]

    async def how_it_stands(till: Till, side: str) -> Refund:
        if pair.can("query_refund"):
            return await till.query_refund(refund_ref_of(dialect, made[side]))
        # Who cannot ask sends the same refund again: its number is used, so it tells what became of it.
        payment = await world.stored(f"{order.order_no}{side}")
        return await till.refund(pair.refund_order(payment.ref, f"R{order.order_no}{side}", amount_fen))

    wired, direct = await pair.both(refund)
    assert wired == direct
    for seconds in (2, 10, 60):
        await world.pass_s(seconds)
        wired, direct = await pair.both(how_it_stands)
        assert wired == direct
    await world.check_books(f"{order.order_no}W", f"{order.order_no}D")


@having("refund")
async def test_refund_rules(world: World, dialect: Dialect) -> None:
    pair = await pair_of(world, dialect)
    order, waiting = order_of(world, dialect, amount_fen=500), order_of(world, dialect, "03", amount_fen=500)
    refs: dict[str, PaymentRef] = {}

    async def pay(till: Till, side: str) -> Payment:
        payment = await till.pay(renamed(order, side))
        refs[side] = payment.ref
        return payment

    def refund(number: str, fen: int) -> Callable[[Till, str], Awaitable[Refund]]:
        return lambda till, side: till.refund(pair.refund_order(refs[side], f"{number}{side}", fen))

    await pair.both(pay)
    steps: list[tuple[Callable[[Till, str], Awaitable[Refund]], str]] = [
        (refund("R1000", 300), "refund done 300"),
        (refund("R1000", 300), "refund done 300"),
        *([(refund("R1000", 200), RefundConflict.__name__)] if pair.carries("refund_no") else []),
        (refund("R2000", 201), RefundExceedsPaid.__name__),
        (refund("R3000", 200), "refund done 200"),
        (refund("R4000", 1), RefundExceedsPaid.__name__),
    ]
    for step, expected in steps:
        assert await pair.both(step) == (expected, expected)

    async def refund_waiting(till: Till, side: str) -> Refund:
        payment = await till.pay(renamed(waiting, side))
        return await till.refund(pair.refund_order(payment.ref, f"R9000{side}", 1))

    assert await pair.both(refund_waiting) == (NotRefundable.__name__, NotRefundable.__name__)
    await world.check_books(f"{order.order_no}W", f"{waiting.order_no}D")


@having("cancel")
@pytest.mark.parametrize("ending", ["00", "03", "04"])
async def test_cancel(world: World, dialect: Dialect, ending: str) -> None:
    pair = await pair_of(world, dialect)
    order = order_of(world, dialect, ending)

    async def pay(till: Till, side: str) -> Payment:
        return await till.pay(renamed(order, side))

    async def cancel(till: Till, side: str) -> Payment:
        return await till.cancel(PaymentRef(f"{order.order_no}{side}"))

    wired, direct = await pair.both(pay)
    assert wired == direct
    for _ in range(2):
        for side, till in (("W", pair.wired), ("D", pair.direct)):
            assert (await cancel(till, side)).verdict is Verdict.NOT_PAID
    for side in ("W", "D"):
        expected = PaymentState.FAILED if ending == "04" else PaymentState.CANCELLED
        assert (await world.stored(f"{order.order_no}{side}")).state is expected
    await world.check_books(f"{order.order_no}W", f"{order.order_no}D")


@pytest.mark.parametrize(
    ("dialect", "method"),
    [
        (name, method)
        for name in DIALECTS
        for method in Method
        if method not in AT_THE_TILL and method in load_dialects()[name].methods and not load_dialects()[name].terminal
    ],
    indirect=["dialect"],
)
@pytest.mark.parametrize("wallet", [Wallet.WECHAT, Wallet.ALIPAY])
async def test_orders_that_wait_for_the_payer(world: World, dialect: Dialect, method: Method, wallet: Wallet) -> None:
    client = world.client(dialect.name)
    listening(world, client)
    paid, left = (
        order_of(world, dialect, method=method, wallet=wallet, pay_code=None, payer_id="payer-1", details=dict(DETAILS))
        for _ in range(2)
    )
    for order in (paid, left):
        told = await client.pay(order)
        assert told.verdict is Verdict.OPEN
        assert told.invitation
    await world.wallet.payer_pays(merchant_order=paid.order_no)
    await world.pass_s(2)
    assert (await client.query(PaymentRef(paid.order_no))).verdict is Verdict.PAID
    await world.pass_s(3600)
    assert (await client.query(PaymentRef(left.order_no))).verdict is Verdict.NOT_PAID
    if dialect.form is not None:
        (posted,) = world.receiver.posted
        heard, answer = client.hear(notice_request(posted))
        assert isinstance(heard, Payment)
        assert (heard.order_no, heard.verdict, heard.amount_fen) == (paid.order_no, Verdict.PAID, 100)
        assert dialect.form.acknowledged(answer)


@pytest.mark.parametrize("dialect", [name for name in DIALECTS if load_dialects()[name].terminal], indirect=True)
@pytest.mark.parametrize("wallet", [Wallet.WECHAT, Wallet.ALIPAY])
async def test_a_code_on_the_terminals_screen(world: World, dialect: Dialect, wallet: Wallet) -> None:
    client = world.client(dialect.name)
    assert isinstance(client, AtTheTerminal)
    paid, left = (order_of(world, dialect, method=Method.QR, wallet=wallet, pay_code=None) for _ in range(2))

    async def payer() -> None:
        assert [sight.qr for sight in client.panel.sights if sight.stage is Stage.SHOWING]
        await world.wallet.payer_pays(merchant_order=paid.order_no)

    client.panel.pausing(None, payer)
    assert (await client.pay(paid)).verdict is Verdict.PAID
    assert (await client.pay(left)).verdict is Verdict.NOT_PAID
    assert (await client.query(PaymentRef(paid.order_no))).verdict is Verdict.PAID
    assert (await client.query(PaymentRef(left.order_no))).verdict is Verdict.NOT_PAID
    await world.check_books(paid.order_no, left.order_no)


async def told_of_one(world: World, dialect: Dialect) -> tuple[Client, PayOrder]:
    """A client that listens, and an order whose payment it was told."""
    client = world.client(dialect.name)
    listening(world, client)
    order = await notified_order(world, dialect)
    await client.pay(order)
    if order.method is Method.QR:
        await world.wallet.payer_pays(merchant_order=order.order_no)
    await world.pass_s(10)
    return client, order


@with_notices
async def test_a_notice_is_heard_only_if_it_is_authentic(world: World, dialect: Dialect) -> None:
    assert dialect.form is not None
    client, order = await told_of_one(world, dialect)
    (posted,) = world.receiver.posted
    assert posted.url == NOTICE_URL
    heard, _ = client.hear(notice_request(posted))
    assert isinstance(heard, Payment)
    assert (heard.order_no, heard.verdict) == (order.order_no, Verdict.PAID)
    only_as_it_was_sent(client, posted)


@with_notices
async def test_a_refund_is_told_where_the_vendor_tells_refunds_and_only_there(world: World, dialect: Dialect) -> None:
    assert dialect.form is not None
    client, order = await told_of_one(world, dialect)
    # Whoever asks for it: here the gateway's own till, since not every vendor has refunds.
    payment = await world.stored(order.order_no)
    refund = await (await world.till(dialect.name)).refund(RefundOrder(payment.ref, "R1", 40))
    await world.pass_s(24 * 3600)
    told = world.receiver.posted[1:]
    if dialect.form.refund_facts is None:
        assert told == []
        return
    (posted,) = told
    assert posted.url == NOTICE_URL
    heard, answer = client.hear(notice_request(posted))
    assert isinstance(heard, Refund)
    assert (heard.refund_id, heard.payment_id, heard.order_no) == (refund.refund_id, payment.payment_id, order.order_no)
    assert (heard.state, heard.refunded_fen, heard.currency) == (RefundState.DONE, 40, payment.currency)
    assert dialect.form.acknowledged(answer)
    only_as_it_was_sent(client, posted)


def only_as_it_was_sent(client: Client, posted: Posted) -> None:
    """A notice that was changed anywhere is not believed."""
    heard, _ = client.hear(notice_request(posted))
    for place in range(0, len(posted.body), 7):
        flipped = bytearray(posted.body)
        flipped[place] ^= 1
        try:
            again, _ = client.hear(notice_request(replace(posted, body=bytes(flipped))))
        except WireError:
            continue
        assert again == heard, "a changed notice was believed"


@with_notices
async def test_a_notice_follows_the_published_schedule_and_stops_when_heard(world: World, dialect: Dialect) -> None:
    assert dialect.form is not None
    client = world.client(dialect.name)
    order = await notified_order(world, dialect)
    await client.pay(order)
    if order.method is Method.QR:
        await world.wallet.payer_pays(merchant_order=order.order_no)
        await world.pass_s(2)
        await client.query(PaymentRef(order.order_no))
    paid_at_ms = world.clock.now_ms()
    listening(world, client)
    heard = world.receiver.answer
    world.receiver.answer = lambda nth: heard(nth) if nth > 5 else None
    await world.pass_s(sum(dialect.form.delays_ms[:3]) // 1_000 + 1)
    await world.restart()
    await world.pass_s(24 * 3600)
    waits = dialect.form.delays_ms[:6]
    expected = [paid_at_ms + sum(waits[: n + 1]) for n in range(6)]
    assert [posted.at_ms for posted in world.receiver.posted] == expected


def test_every_refusal_has_its_words(dialect: Dialect) -> None:
    assert set(dialect.refusals) == refusal_classes()
    assert dialect.operations <= OPERATIONS
    assert dialect.name
    assert dialect.title


async def test_our_fault_is_told_in_the_vendors_words(dialect: Dialect) -> None:
    request = HttpRequest("POST", dialect.routes[0].path, "", {}, b"", "127.0.0.1")
    assert dialect.system_error(request).body


async def test_garbage_is_answered_and_changes_nothing(world: World, dialect: Dialect) -> None:
    bodies: list[bytes] = []

    @given(st.binary(max_size=300))
    def collect(body: bytes) -> None:
        bodies.append(body)

    collect()
    answer = handler_of(world, dialect)
    for body in bodies:
        for route in dialect.routes:
            for method in route.methods:
                query, content = ("", body) if method == "POST" else (body.decode("latin-1"), b"")
                request = HttpRequest(method, route.path, query, {"content-type": FORM}, content, "127.0.0.1")
                response = await answer(request)
                assert response.status < 500
                assert response.body or method == "OPTIONS"
    assert not world.watch.notes


# Who may ask


async def test_what_is_another_merchants_is_not_there(world: World, dialect: Dialect) -> None:
    mine, other = world.client(dialect.name), await second_client(world, dialect)
    order = order_of(world, dialect, amount_fen=500)
    payment = await mine.pay(order)
    with pytest.raises(PaymentNotFound):
        await other.query(payment.ref)
    if "refund" in dialect.operations:
        with pytest.raises(PaymentNotFound):
            await other.refund(refund_order_of(dialect, payment.ref, "R1000", 10))
        refund = await mine.refund(refund_order_of(dialect, payment.ref, "R2000", 10))
        if "query_refund" in dialect.operations:
            with pytest.raises(RefundNotFound):
                await other.query_refund(refund_ref_of(dialect, refund))
    if "cancel" in dialect.operations:
        with pytest.raises(PaymentNotFound):
            await other.cancel(payment.ref)
    # The same number at another merchant is another order, and the payer's code another payment's.
    again = await other.pay(replace(order, pay_code=order_of(world, dialect).pay_code))
    assert again.verdict is Verdict.PAID
    assert (await world.stored(order.order_no)).amount_fen == 500
    await world.check_books()


async def test_a_key_is_changed_with_an_overlap(world: World, dialect: Dialect) -> None:
    access = dialect.sandbox
    credential = await world.credential(dialect.name)
    new = new_secret(dialect, 2)
    end_ms = world.clock.now_ms() + 3_600_000
    await world.store.put_credential(
        replace(credential, secret=Secret(new), previous=credential.secret, previous_until_ms=end_ms)
    )
    await world.pass_s(REMEMBERED_MS // 1_000)
    renewed = world.client(dialect.name, **own_settings(dialect, access.login, new, access.number))
    former = world.client(dialect.name)
    for client in (former, renewed):
        assert (await client.pay(order_of(world, dialect))).verdict is Verdict.PAID
    await world.pass_s(3_600)
    assert (await renewed.pay(order_of(world, dialect))).verdict is Verdict.PAID
    with pytest.raises(UnknownCredential):
        await former.pay(order_of(world, dialect))


async def test_a_credential_that_is_off_is_unknown(world: World, dialect: Dialect) -> None:
    await world.store.put_credential(replace(await world.credential(dialect.name), active=False))
    await world.pass_s(REMEMBERED_MS // 1_000)
    with pytest.raises(UnknownCredential):
        await world.client(dialect.name).pay(order_of(world, dialect))


async def test_it_is_noted_who_was_there(world: World, dialect: Dialect) -> None:
    client = world.client(dialect.name)
    await client.pay(order_of(world, dialect))
    await world.work()
    (sighting,) = await world.store.sightings()
    assert (sighting.dialect, sighting.login) == (dialect.name, dialect.sandbox.login)
    first_ms = sighting.at_ms
    stranger = world.client(dialect.name, **{dialect.name_of(Setting.SECRET): new_secret(dialect, 3)})
    await world.pass_s(120)
    with pytest.raises(UnknownCredential):
        await stranger.pay(order_of(world, dialect))
    await world.work()
    assert [each.at_ms for each in await world.store.sightings()] == [first_ms]
    await client.pay(order_of(world, dialect))
    await world.work()
    (sighting,) = await world.store.sightings()
    assert sighting.at_ms > first_ms
