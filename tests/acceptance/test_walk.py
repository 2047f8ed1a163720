"""A newcomer's walk through the demo: every protocol, a password, half of the money back, and the wallet's own book."""

from __future__ import annotations

from tests.acceptance.harness import Demo, until
from tests.acceptance.semoor_till import SemoorTill, activate
from tests.acceptance.shop import payment_id
from tests.acceptance.tills import Word

SUMS = ("charged_fen", "refunded_fen", "net_fen")


def test_one_fen_through_each_protocol(demo: Demo) -> None:
    paid = demo.teegon().pay("WALK0001", 1, "134567890123456700")
    assert paid.word is Word.YES
    assert (paid.fields["orderno"], paid.fields["amount"], paid.fields["real_amount"]) == ("WALK0001", 0.01, 0.01)
    assert demo.teegon().query(paid.fields["id"]).fields["trade_status"] == "SUCCESS"
    paid = demo.chaoying().pay("WALK0002", 1, "284567890123456700")
    assert paid.word is Word.YES
    assert (paid.fields["out_trade_no"], paid.fields["total_fee"], paid.fields["paytype"]) == (
        "WALK0002",
        "1",
        "ALIPAY",
    )
    paid = demo.semoor("GET").pay("WALK0009", 1, "134567890123456900")
    assert (paid.word, paid.fields["no"], paid.fields["total"]) == (Word.YES, "WALK0009", "0.01")
    paid = demo.yst().pay("WALK0010", 1, "284567890123456900")
    assert (paid.word, paid.fields["channel"], paid.fields["cash_fee"]) == (Word.YES, "A", "1")
    for order_no in ("WALK0001", "WALK0002", "WALK0009", "WALK0010"):
        (row,) = demo.book(order_no)
        assert (row["state"], row["charged_fen"], row["net_fen"]) == ("PAID", 1, 1)


def test_a_password_and_half_of_the_money_back_at_the_other_till(demo: Demo) -> None:
    teegon, chaoying = demo.teegon(), demo.chaoying()
    waiting = teegon.pay("WALK0003", 100, "134567890123456803")
    assert waiting.word is Word.OPEN
    assert teegon.query(waiting.fields["id"]).fields["trade_status"] == "USERPAYING"
    assert chaoying.query("WALK0003").code == "10001"
    assert demo.book("WALK0003")[0]["net_fen"] == 0
    demo.control("pay", merchant_order="WALK0003")
    until(lambda: teegon.query(waiting.fields["id"]).fields["trade_status"] == "SUCCESS", "the payer typed it")
    # Both tills belong to one merchant, so the second knows what the first did.
    assert chaoying.refund("WALK0003", "BACK0003", 100, 50).word is Word.YES
    assert chaoying.query_refund("BACK0003").fields["refund_fee"] == "50"
    assert chaoying.query("WALK0003").fields["trade_state"] == "REFUND"
    assert teegon.query(waiting.fields["id"]).fields["trade_status"] == "REFUND"
    (row,) = demo.book("WALK0003")
    sums = {name: row[name] for name in ("charged_fen", "refunded_fen", "reversed_fen", "net_fen")}
    assert sums == {"charged_fen": 100, "refunded_fen": 50, "reversed_fen": 0, "net_fen": 50}


def test_paid_at_one_vendors_till_seen_at_all(demo: Demo) -> None:
    """Semoor takes the money, Chaoying asks, YST gives half back, Semoor reads the bill; the wallet's book says so."""
    semoor, chaoying, yst, teegon = demo.semoor(), demo.chaoying(), demo.yst(), demo.teegon()
    paid = semoor.pay("WALKX001", 1_000, "134567890123458010")
    assert (paid.word, paid.fields["total"], paid.fields["coupon"]) == (Word.YES, "10.00", "1.00")
    number = payment_id(paid)
    asked = chaoying.query("WALKX001")
    assert (asked.word, asked.fields["transaction_id"]) == (Word.YES, number)
    assert [asked.fields[name] for name in ("base_fee", "total_fee", "coupon_fee")] == ["1000", "900", "100"]
    assert teegon.query(number).fields["trade_status"] == "SUCCESS"
    (row,) = demo.book("WALKX001")
    assert {name: row[name] for name in SUMS} == {"charged_fen": 900, "refunded_fen": 0, "net_fen": 900}
    assert row["channel_trade_no"] == paid.fields["pay_id"] == asked.fields["out_transaction_id"]
    back = yst.refund(number, "WALKX001R", 450)
    assert (back.word, back.fields["refund_fee"]) == (Word.YES, "450")
    bill = semoor.read(f"dm{number}")
    assert (bill.word, bill.fields["pay_total"], bill.fields["refund_total"]) == (Word.YES, "10.00", "-4.50")
    assert chaoying.query("WALKX001").fields["trade_state"] == "REFUND"
    assert chaoying.query_refund("WALKX001R").fields["refund_fee"] == "450"
    assert teegon.query(number).fields["trade_status"] == "REFUND"
    assert yst.query("WALKX001").word is Word.YES
    assert yst.query_refund(number, "WALKX001R").fields["refund_fee"] == "450"
    (row,) = demo.book("WALKX001")
    assert {name: row[name] for name in SUMS} == {"charged_fen": 900, "refunded_fen": 450, "net_fen": 450}
    (refund,) = row["refunds"]
    assert (refund["merchant_refund"], refund["amount_fen"], refund["state"]) == ("WALKX001R", 450, "DONE")


def test_a_device_is_activated_with_the_published_code_and_takes_money(own_demo: Demo) -> None:
    """Semoor's first steps: a code gives number and key, the configuration says where, and then the till may sell."""
    code = own_demo.access["semoor"]["activation_code"]
    device = activate(own_demo.line(), code)
    assert (device["ok"], device["device_id"]) == ("1", own_demo.access["semoor"]["device_id"])
    till = SemoorTill(own_demo.line(), device["device_id"], device["secretkey"])
    config = till.config()
    assert (config.word, config.fields["server"], device["server"]) == (Word.YES, own_demo.url, own_demo.url)
    before_ms, told, after_ms = own_demo.now_ms(), till.time(), own_demo.now_ms()
    assert before_ms // 1_000 <= int(told.fields["timestamp"]) <= after_ms // 1_000
    paid = till.pay("", 100, "134567890123458100")
    assert (paid.word, paid.fields["no"]) == (Word.YES, "")
    slip = till.reprint(paid.fields["dm_id"])
    assert slip is not None
    assert payment_id(paid) in slip[1].decode()
    again = activate(own_demo.line(), code)
    assert (again["ok"], "secretkey" in again) == ("0", False), "a code works once"
    own_demo.terminate()
    own_demo.start()
    assert activate(own_demo.line(), code)["ok"] == "1", "a demo arms its published code at each start"


def test_a_payer_who_cannot_pay_is_a_clear_no(demo: Demo) -> None:
    for ending, order_no in (("04", "WALK0004"), ("05", "WALK0005")):
        assert demo.teegon().pay(f"{order_no}T", 100, f"1345678901234570{ending}").word is Word.NO
        assert demo.chaoying().pay(f"{order_no}C", 100, f"1345678901234571{ending}").word is Word.NO
        assert demo.semoor().pay(f"{order_no}S", 100, f"1345678901234572{ending}").word is Word.NO
        assert demo.yst().pay(f"{order_no}Y", 100, f"1345678901234573{ending}").word is Word.NO
        assert [row["charged_fen"] for side in "TCSY" for row in demo.book(order_no + side)] == [0] * 4


def test_an_order_that_is_taken_back_is_the_payers_again(demo: Demo) -> None:
    chaoying = demo.chaoying()
    assert demo.teegon().pay("WALK0006", 777, "134567890123457200").word is Word.YES
    assert chaoying.cancel("WALK0006").word is Word.YES
    assert (chaoying.query("WALK0006").word, chaoying.query("WALK0006").code) == (Word.NO, "10005")
    (row,) = demo.book("WALK0006")
    assert (row["state"], row["charged_fen"], row["reversed_fen"], row["net_fen"]) == ("REVERSED", 777, 777, 0)


def test_a_qr_order_is_paid_by_the_payers_own_hand(demo: Demo) -> None:
    chaoying = demo.chaoying()
    offered = chaoying.preorder("WALKQR07", 42, demo.url + "/sandbox/notify")
    assert offered.fields["code_url"]
    assert chaoying.query("WALKQR07").code == "10003"
    demo.control("pay", merchant_order="WALKQR07")
    demo.advance(2)
    until(lambda: chaoying.query("WALKQR07").word is Word.YES, "the gateway hears of it")
    assert demo.book("WALKQR07")[0]["net_fen"] == 42


def test_operators_paths(demo: Demo) -> None:
    assert demo.get("/healthz") == (200, b"ok\n")
    assert demo.get("/readyz") == (200, b"ready\n")
    before = counted(demo, "teegon")
    demo.teegon().pay("WALK0008", 1, "134567890123457300")
    assert counted(demo, "teegon") == before + 1
    assert demo.get("/nowhere")[0] == 404


def counted(demo: Demo, dialect: str) -> int:
    """How many requests of this dialect were answered with 200, by the metrics."""
    status, body = demo.get("/metrics")
    assert status == 200
    name = f'anytill_requests_total{{dialect="{dialect}",status="200"}} '
    lines = [line for line in body.decode().splitlines() if line.startswith(name)]
    return int(float(lines[0].removeprefix(name))) if lines else 0
