"""SIGTERM lets what is in flight finish: a till that waits for a silent wallet gets its answer, and nothing is lost."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.acceptance.harness import Demo, until
from tests.acceptance.tills import Word

pytestmark = pytest.mark.timeout(1200)

#: The wallet is silent for three seconds; on a busy machine these may be over before the gateway was told to stop.
ROUNDS = 20


def test_a_payment_in_flight_is_answered_before_the_process_ends(own_demo: Demo) -> None:
    assert any(stopped_in_flight(own_demo, nth) for nth in range(1, ROUNDS + 1)), "never in flight"


def stopped_in_flight(demo: Demo, nth: int) -> bool:
    """Stop the gateway while two tills wait for it, and look after them when it is back; False when they may have had
    their answers before it accepted nothing more."""
    teegon, chaoying = demo.teegon(), demo.chaoying()
    orders = (f"STOPT{nth:03d}", f"STOPC{nth:03d}")
    # The wallet takes the money and keeps silent.
    with ThreadPoolExecutor(2) as threads:
        silent = threads.submit(teegon.pay, orders[0], 250, f"13000000000{nth:03d}0006")
        other = threads.submit(chaoying.pay, orders[1], 260, f"13000000000{nth:03d}0106")
        for order_no in orders:
            until(lambda order_no=order_no: bool(demo.book(order_no)), "the wallet has it")  # type: ignore[misc]
        in_flight = not silent.done() and not other.done()
        demo.begin_to_stop()
        late = (f"STOPN{nth:03d}", 1, f"13000000000{nth:03d}0200")
        until(lambda: teegon.pay(*late).word is Word.LOST, "it accepts nothing more")
        in_flight = in_flight and not silent.done()
        assert demo.ended() == 0
        told, told_other = silent.result(60), other.result(60)
    # Nobody knows yet; to be told "no" would be a lie.
    assert (told.word, told_other.word) == (Word.OPEN, Word.OPEN)
    demo.start()
    demo.advance(6)
    until(lambda: teegon.query(told.fields["id"]).word is Word.YES, "the gateway asked the wallet")
    until(lambda: chaoying.query(orders[1]).word is Word.YES, "the gateway asked the wallet")
    assert [row["net_fen"] for order_no in orders for row in demo.book(order_no)] == [250, 260]
    return in_flight


def test_an_idle_gateway_stops_at_once_and_starts_again(own_demo: Demo) -> None:
    assert own_demo.chaoying().pay("IDLE0001", 5, "130000000000020000").word is Word.YES
    for _ in range(2):
        assert own_demo.terminate() == 0
        own_demo.start()
        assert own_demo.chaoying().query("IDLE0001").word is Word.YES
    assert "Traceback" not in own_demo.printed()
