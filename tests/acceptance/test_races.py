"""A hundred tills at once, over real connections, on both stores: what may happen once happens once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from tests.acceptance.books import wallet_book
from tests.acceptance.harness import Demo, Gateway, Serve
from tests.acceptance.shop import Shop, payment_id
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


def shop(gateway: Gateway) -> Shop:
    assert isinstance(gateway, Demo | Serve)
    return gateway.shop()


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
    tills = shop(either)
    for till, order_no, code in (
        (tills.teegon, "RACE0100", "138888880000000300"),
        (tills.chaoying, "RACE0101", "138888880000000400"),
        (tills.yst, "RACE0102", "138888880000000600"),
        (tills.semoor_get, "RACE0103", "138888880000000700"),
    ):
        told = together(lambda _, till=till, order_no=order_no, code=code: till.pay(order_no, 100, code))  # type: ignore[misc]
        # A copy that comes while the first is under way is told to ask again, never "no".
        assert {each.word for each in told} <= {Word.YES, Word.OPEN}
        assert Word.YES in {each.word for each in told}
        assert till.pay(order_no, 100, code).word is Word.YES
        assert net_fen(either, order_no) == [100]


def test_a_hundred_copies_of_a_payment_without_a_number(either: Gateway) -> None:
    semoor, code = shop(either).semoor, "138888880000000800"
    told = together(lambda _: semoor.pay("", 100, code))
    assert {each.word for each in told} <= {Word.YES, Word.OPEN}
    numbers = {payment_id(each) for each in told}
    assert len(numbers) == 1, "all copies are told the same number"
    assert semoor.query_lost(code=code).word is Word.YES
    assert net_fen(either, numbers.pop()) == [100]


def test_one_number_at_every_vendors_till_at_once(either: Gateway) -> None:
    """A merchant's numbers are one set, whichever till takes them: one order of this number is charged."""
    tills = shop(either)
    pays = (tills.teegon.pay, tills.chaoying.pay, tills.semoor.pay, tills.yst.pay)
    told = together(lambda number: pays[number % 4]("RACE0104", 100, "138888880000000900"))
    words = {each.word for each in told}
    assert Word.NO not in words
    paid = {number % 4 for number, each in enumerate(told) if each.word in (Word.YES, Word.OPEN)}
    assert len(paid) == 1, (
        "the vendors' orders say different things, so one vendor's stands and the others' are refused"
    )
    assert net_fen(either, "RACE0104") == [100]


def test_a_hundred_refunds_at_every_vendors_till(either: Gateway) -> None:
    """Of fifty fen, a fen each: fifty are done, whoever asks."""
    tills = shop(either)
    paid = tills.yst.pay("RACE0052", 50, "138888880000001000")
    number = payment_id(paid)
    refunds: tuple[Callable[[str], Told], ...] = (
        lambda no: tills.chaoying.refund("RACE0052", no, 50, 1),
        lambda no: tills.semoor.refund(f"dm{number}", 1, no),
        lambda no: tills.yst.refund(number, no, 1),
    )
    told = together(lambda each: refunds[each % 3](f"RACE0052R{each:03d}"))
    assert Counter(each.word for each in told) == {Word.YES: 50, Word.REFUSED: 50}
    assert {each.code for each in told if each.word is Word.REFUSED} == {"20008", "0", "E13003"}
    assert net_fen(either, "RACE0052") == [0]


def test_a_hundred_copies_of_one_refund_at_each_till(either: Gateway) -> None:
    """A refund without a number, too: within a minute equal wishes are one wish."""
    tills = shop(either)
    number = payment_id(tills.semoor.pay("RACE0053", 500, "138888880000001100"))
    copies: tuple[Callable[[int], Told], ...] = (
        lambda _: tills.yst.refund(number, "RACE0053Y", 100),
        lambda _: tills.semoor.refund(f"dm{number}", 50, "RACE0053S"),
        lambda _: tills.semoor_get.refund(f"dm{number}", 20),
    )
    for copy in copies:
        told = together(copy)
        assert {each.word for each in told} <= {Word.YES, Word.OPEN}
        assert copy(0).word is Word.YES
    assert net_fen(either, "RACE0053") == [330]


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
