"""SIGTERM lets what is in flight finish: a till that waits for a silent wallet gets its answer, and nothing is lost."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor

from tests.acceptance.harness import Demo, until
from tests.acceptance.tills import Word


def test_a_payment_in_flight_is_answered_before_the_process_ends(own_demo: Demo) -> None:
    teegon, chaoying = own_demo.teegon(), own_demo.chaoying()
    # The wallet takes the money and keeps silent for three seconds.
    with ThreadPoolExecutor(2) as threads:
        silent = threads.submit(teegon.pay, "STOP0001", 250, "130000000000010006")
        other = threads.submit(chaoying.pay, "STOP0002", 260, "130000000000010106")
        for order_no in ("STOP0001", "STOP0002"):
            until(lambda order_no=order_no: bool(own_demo.book(order_no)), "the wallet has it")  # type: ignore[misc]
        assert not silent.done()
        assert not other.done()
        assert own_demo.process is not None
        own_demo.process.send_signal(signal.SIGTERM)
        until(lambda: teegon.pay("STOP0003", 1, "130000000000010200").word is Word.LOST, "it accepts nothing more")
        assert not silent.done()
        assert own_demo.terminate() == 0
        told, told_other = silent.result(1), other.result(1)
    # Nobody knows yet; to be told "no" would be a lie.
    assert (told.word, told_other.word) == (Word.OPEN, Word.OPEN)
    own_demo.start()
    own_demo.advance(6)
    until(lambda: teegon.query(told.fields["id"]).word is Word.YES, "the gateway asked the wallet")
    until(lambda: chaoying.query("STOP0002").word is Word.YES, "the gateway asked the wallet")
    assert [row["net_fen"] for order in ("STOP0001", "STOP0002") for row in own_demo.book(order)] == [250, 260]


def test_an_idle_gateway_stops_at_once_and_starts_again(own_demo: Demo) -> None:
    assert own_demo.chaoying().pay("IDLE0001", 5, "130000000000020000").word is Word.YES
    for _ in range(2):
        assert own_demo.terminate() == 0
        own_demo.start()
        assert own_demo.chaoying().query("IDLE0001").word is Word.YES
    assert "Traceback" not in own_demo.printed()
