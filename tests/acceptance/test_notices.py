"""A notice comes on the published schedule until it is heard, even through a kill -9, and anybody can check it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import pytest

from tests.acceptance.books import select
from tests.acceptance.harness import Demo, until
from tests.acceptance.receiver import HEARD, Notice, Receiver, listening
from tests.acceptance.shop import payment_id
from tests.acceptance.tills import Word, chaoying_sign, teegon_sign
from tests.acceptance.yst_till import children, notice_sign

#: Seconds before each of the first six tries, as published.
TEEGON_DELAYS_S = (0, 15, 15, 30, 180, 600)
CHAOYING_DELAYS_S = (0, 15, 15, 15, 30, 180)
YST_DELAYS_S = (0, 30, 30, 60, 300, 900)
#: For so long a try may be on its way on a busy machine: the gateway counts from when it began, we hear it when it
#: arrives. Less than the vendors' schedules differ by.
SLACK_S = 10
#: So long before its time a try is given the chance to come too early; that is not the busy machine's doing.
LOOKED_BEFORE_S = 14
#: Five ways of not saying "I heard".
DEAF = ((500, b"success"), (200, b"fail"), (302, b""), (404, b"SUCCESS"), (200, b"<html>success</html>"))
#: And what YST's merchants answer: XML, and five things that are not this.
YST_HEARD = (200, "<data><result>Y</result><message>成功</message></data>".encode())
YST_DEAF = (
    (500, YST_HEARD[1]),
    (200, b"<data><result>N</result><message>no</message></data>"),
    (302, b""),
    (200, b"success"),
    (200, b"<data><result>Y</result>"),
)


def refusing_five(nth: int) -> tuple[int, bytes]:
    return HEARD if nth > len(DEAF) else DEAF[nth - 1]


def refusing_five_in_xml(nth: int) -> tuple[int, bytes]:
    return YST_HEARD if nth > len(YST_DEAF) else YST_DEAF[nth - 1]


class Turn(NamedTuple):
    version: int
    due_at_ms: int


def about_notice(demo: Demo) -> dict[str, Any]:
    """The one notice as it is stored."""
    (row,) = select(demo.store_url, "SELECT state, about FROM notice")
    return {**json.loads(row["about"]), "state": row["state"]}


def advance_to(demo: Demo, at_ms: int) -> None:
    """Move the clock to less than a second before a moment; a busy machine may have let it pass already."""
    away_s = (at_ms - demo.now_ms()) // 1_000
    if away_s > 0:
        demo.advance(away_s)


def turn(demo: Demo) -> Turn:
    """When the one notice is due; whoever takes it up makes its version another."""
    (row,) = select(demo.store_url, "SELECT version, due_at_ms FROM notice")
    return Turn(row["version"], row["due_at_ms"])


def wait_for(demo: Demo, receiver: Receiver, nth: int, delay_s: int) -> None:
    """Let a try happen, so long after the one before. It may come late by as much as nobody moved the clock on."""
    due_ms = receiver.heard[nth - 2].at_ms + delay_s * 1_000
    before = turn(demo)
    for stop_ms in (due_ms - LOOKED_BEFORE_S * 1_000, due_ms - 1_000, due_ms + 1_000):
        if turn(demo).version == before.version:  # else it is under way: the clock is left alone
            advance_to(demo, stop_ms)
            until(lambda: turn(demo) != before or before.due_at_ms > demo.now_ms(), "it is taken up when it is due")
    reached_ms = max(due_ms, demo.now_ms())
    until(lambda: len(receiver.heard) >= nth, f"try {nth}")
    at_ms = receiver.heard[nth - 1].at_ms
    assert due_ms - SLACK_S * 1_000 <= at_ms <= reached_ms + SLACK_S * 1_000, (nth, due_ms, reached_ms, at_ms)


def six_tries(demo: Demo, receiver: Receiver, delays_s: Sequence[int]) -> Sequence[Notice]:
    """Let all tries happen, each at its time, with a kill -9 after the third; nothing comes after the last."""
    until(lambda: bool(receiver.heard), "the first try")
    for nth, delay_s in enumerate(delays_s, 1):
        if nth > 1:
            wait_for(demo, receiver, nth, delay_s)
        until(lambda nth=nth: about_notice(demo)["tries"] >= nth, "it is noted")  # type: ignore[misc]
        if nth == 3:
            demo.kill()
            demo.start()
    until(lambda: is_delivered(demo), "it is known as heard", poll_s=1)
    for _ in range(5):
        demo.advance(3_600)
    assert demo.get("/readyz")[0] == 200
    assert demo.chaoying().pay("AFTER001", 1, "137777770000000900").word is Word.YES
    assert len(receiver.heard) == about_notice(demo)["tries"]
    return receiver.heard


def is_delivered(demo: Demo) -> bool:
    """Whether the sixth try was heard. On a busy machine its answer may come too late, and then a later one is."""
    about = about_notice(demo)
    if about["state"] == "DELIVERED":
        return True
    assert not about["last_result"].startswith("HTTP"), about
    demo.advance(3_600)
    return False


def check_signatures(heard: Sequence[Notice], signed: Callable[[Notice], str], fresh: set[str]) -> None:
    """Every try is signed anew; beside what belongs to the try they all say the same."""
    for notice in heard:
        assert notice.fields["sign"] == signed(notice)
    contents = [{name: text for name, text in notice.fields.items() if name not in fresh} for notice in heard]
    assert all(content == contents[0] for content in contents)


def test_teegon_tells_that_a_charge_was_paid(own_demo: Demo) -> None:
    with listening(Receiver(own_demo.now_ms, refusing_five)) as receiver:
        till = own_demo.teegon()
        paid = till.charge(till.pay_fields("TOLD0001", "1.23", "137777770000000110") | {"notify_url": receiver.url})
        assert paid.word is Word.YES
        heard = six_tries(own_demo, receiver, TEEGON_DELAYS_S)
    check_signatures(heard, lambda notice: teegon_sign(notice.fields, till.secret), {"sign", "timestamp"})
    expected = {
        "order_no": "TOLD0001",
        "charge_id": paid.fields["id"],
        "amount": "1.23",
        "real_amount": "1.11",
        "is_success": "true",
        "metadata": "desk 7",
        "channel": "wxpay",
    }
    assert {name: heard[0].fields[name] for name in expected} == expected
    # The receiver is to refuse old captures: each try says when it was made. So none was made too early, not at all.
    made_s = [int(notice.fields["timestamp"]) for notice in heard]
    assert all(0 <= notice.at_ms // 1_000 - at_s <= SLACK_S for notice, at_s in zip(heard, made_s, strict=True))
    waited_s = [later - earlier for earlier, later in pairwise(made_s[:6])]
    assert all(waited >= delay for waited, delay in zip(waited_s, TEEGON_DELAYS_S[1:], strict=True)), waited_s


def test_chaoying_tells_that_a_preorder_was_paid(own_demo: Demo) -> None:
    with listening(Receiver(own_demo.now_ms, refusing_five)) as receiver:
        till = own_demo.chaoying()
        assert till.preorder("TOLDQR02", 4200, receiver.url).fields["code_url"]
        own_demo.control("pay", merchant_order="TOLDQR02")
        own_demo.advance(2)
        until(lambda: till.query("TOLDQR02").word is Word.YES, "the gateway hears of it")
        heard = six_tries(own_demo, receiver, CHAOYING_DELAYS_S)
    check_signatures(heard, lambda notice: chaoying_sign(notice.fields, till.key), {"sign", "nonce_str"})
    expected = {"out_trade_no": "TOLDQR02", "total_fee": "4200", "pay_result": "0", "mch_id": till.mch_id}
    assert {name: heard[0].fields[name] for name in expected} == expected


def test_yst_tells_that_a_native_order_was_paid(own_demo: Demo) -> None:
    with listening(Receiver(own_demo.now_ms, refusing_five_in_xml, lambda body: children(body, "data"))) as receiver:
        till = own_demo.yst()
        offered = till.native("TOLDQR03", 4200, receiver.url, "desk 7，茶 <8>")
        assert (offered.word, bool(offered.fields["pay_url"])) == (Word.OPEN, True)
        own_demo.control("pay", merchant_order="TOLDQR03")
        own_demo.advance(2)
        until(lambda: till.query_native("TOLDQR03").word is Word.YES, "the gateway hears of it")
        heard = six_tries(own_demo, receiver, YST_DELAYS_S)
    check_signatures(heard, lambda notice: notice_sign(notice.fields, till.private_key), {"sign", "server_time"})
    expected = {
        "request_type": "native_order_notice",
        "req_seq": "TOLDQR03",
        "trans_seq": offered.fields["trans_seq"],
        "channel": "W",
        "total_fee": "4200",
        "status": "S",
        "attach": "desk 7，茶 <8>",
    }
    assert {name: heard[0].fields[name] for name in expected} == expected


def test_semoor_has_no_notices(demo: Demo) -> None:
    """Its tills ask; nothing is kept to be sent."""
    numbers = [payment_id(demo.semoor().pay(no, 100, f"13777777000000{4 + len(no)}900")) for no in ("SILENT01", "")]
    told = select(demo.store_url, f"SELECT state FROM notice WHERE payment_id IN ('{numbers[0]}', '{numbers[1]}')")  # noqa: S608
    assert all(numbers)
    assert told == []


@pytest.mark.parametrize("ending", ["04", "05", "07", "08"])
def test_nobody_is_told_of_what_was_not_paid(demo: Demo, ending: str) -> None:
    with listening(Receiver()) as receiver:
        till = demo.teegon()
        order_no = f"UNTOLD{ending}"
        fields = till.pay_fields(order_no, "1.00", f"1377777700000002{ending}") | {"notify_url": receiver.url}
        assert till.charge(fields).word in (Word.NO, Word.OPEN)
        demo.advance(70)
        until(lambda: demo.chaoying().query(order_no).word is Word.NO, "it ends")
        demo.advance(60)
        fields = till.pay_fields(f"TOLD{ending}", "1.00", f"1377777700{ending}000300") | {"notify_url": receiver.url}
        assert till.charge(fields).word is Word.YES
        until(lambda: bool(receiver.heard), "the next order's notice")
        assert [notice.fields["order_no"] for notice in receiver.heard] == [f"TOLD{ending}"]
