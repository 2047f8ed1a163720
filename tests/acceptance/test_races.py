"""A hundred tills at once, over real connections, on both stores: what may happen once happens once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from tests.acceptance.books import wallet_book
from tests.acceptance.harness import Demo, Gateway, Serve
from tests.acceptance.tills import ChaoyingTill, TeegonTill, Told, Word

AT_ONCE = 100


def together(call: Callable[[int], Told]) -> Sequence[Told]:
    """All calls, let go at one moment."""
    start = Barrier(AT_ONCE)

    def one(number: int) -> Told:
        start.wait(30)
        return call(number)

    with ThreadPoolExecutor(AT_ONCE) as threads:
        return list(threads.map(one, range(AT_ONCE)))


def tills(gateway: Gateway) -> tuple[TeegonTill, ChaoyingTill]:
    assert isinstance(gateway, Demo | Serve)
    return gateway.teegon(), gateway.chaoying()


def net_fen(gateway: Gateway, order_no: str) -> list[int]:
    """What the wallet holds of each order of this number."""
    book = wallet_book(gateway.journal)
    return [int(book.amounts(order)["net_fen"]) for order in book.orders_called(merchant_order=order_no)]


def test_a_hundred_refunds_of_a_fen_on_fifty(either: Gateway) -> None:
    teegon, chaoying = tills(either)
    assert teegon.pay("RACE0050", 50, "138888880000000100").word is Word.YES
    told = together(lambda number: chaoying.refund("RACE0050", f"RACE0050R{number:03d}", 50, 1))
    words = Counter((each.word, each.code) for each in told)
    assert words == {(Word.YES, "10000"): 50, (Word.REFUSED, "20008"): 50}
    assert net_fen(either, "RACE0050") == [0]


def test_a_hundred_copies_of_one_refund(either: Gateway) -> None:
    teegon, chaoying = tills(either)
    assert teegon.pay("RACE0051", 50, "138888880000000200").word is Word.YES
    told = together(lambda _: chaoying.refund("RACE0051", "RACE0051R", 50, 20))
    assert {each.word for each in told} <= {Word.YES, Word.OPEN}
    assert chaoying.query_refund("RACE0051R").word is Word.YES
    assert net_fen(either, "RACE0051") == [30]


def test_a_hundred_copies_of_one_payment(either: Gateway) -> None:
    teegon, chaoying = tills(either)
    for till, order_no, code in (
        (teegon, "RACE0100", "138888880000000300"),
        (chaoying, "RACE0101", "138888880000000400"),
    ):
        told = together(lambda _, till=till, order_no=order_no, code=code: till.pay(order_no, 100, code))  # type: ignore[misc]
        # A copy that comes while the first is under way is told to ask again, never "no".
        assert {each.word for each in told} <= {Word.YES, Word.OPEN}
        assert Word.YES in {each.word for each in told}
        assert till.pay(order_no, 100, code).word is Word.YES
        assert net_fen(either, order_no) == [100]


def test_a_hundred_orders_for_one_code(either: Gateway) -> None:
    teegon, _ = tills(either)
    told = together(lambda number: teegon.pay(f"RACE1{number:03d}", 100, "138888880000000500"))
    assert Counter(each.word for each in told) == {Word.YES: 1, Word.REFUSED: 99}
    charged = [sum(net_fen(either, f"RACE1{number:03d}")) for number in range(AT_ONCE)]
    assert sum(charged) == 100


def test_refunds_against_a_cancel(either: Gateway) -> None:
    teegon, chaoying = tills(either)
    for round_no in range(3):
        order_no = f"RACE2{round_no:03d}"
        assert teegon.pay(order_no, 100, f"1388888800001{round_no:03d}00").word is Word.YES
        told = together(
            lambda number, order_no=order_no: (  # type: ignore[misc]
                chaoying.cancel(order_no) if number % 2 else chaoying.refund(order_no, f"{order_no}R{number}", 100, 10)
            )
        )
        refunded = sum(1 for number, each in enumerate(told) if number % 2 == 0 and each.word is Word.YES)
        cancelled = any(each.word is Word.YES for each in told[1::2])
        # Whoever came first, the money went one way only.
        assert cancelled is not bool(refunded)
        assert net_fen(either, order_no) == [0 if cancelled else 100 - 10 * refunded]
