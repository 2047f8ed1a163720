"""A merchant's tills, one of each vendor's, and what they can do about one sale or one refund between them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.acceptance.books import GivenBack, Sale
from tests.acceptance.semoor_till import SemoorTill
from tests.acceptance.tills import ChaoyingTill, TeegonTill, Told, Word
from tests.acceptance.yst_till import YstTill

Ask = Callable[[], Told]
#: Where each vendor's answer has the gateway's own number of the payment.
NUMBERS = ("id", "charge_id", "transaction_id", "trans_seq", "dm_id")
#: How the vendors say that there is no such order.
UNKNOWN_CODES = {"20007", "E11002"}
UNKNOWN_TEXT = "账单不存在"


def payment_id(told: Told) -> str:
    """The gateway's own number of the payment, where an answer tells it."""
    numbers = [str(told.fields[name]).removeprefix("dm") for name in NUMBERS if told.fields.get(name)]
    return numbers[0] if numbers else ""


def is_unknown(told: Told) -> bool:
    """There is no such order, as this vendor says it."""
    return told.word is Word.REFUSED and (told.code in UNKNOWN_CODES or told.text.startswith(UNKNOWN_TEXT))


@dataclass(frozen=True, slots=True)
class Shop:
    """One till of each vendor; `semoor` posts, `semoor_get` puts everything into the address."""

    teegon: TeegonTill
    chaoying: ChaoyingTill
    semoor: SemoorTill
    semoor_get: SemoorTill
    yst: YstTill

    def pay(self, sale: Sale) -> Told:
        """Charge the payer, as the sale's till does it."""
        order = (sale.order_no, sale.amount_fen, sale.code)
        match sale.dialect:
            case "teegon":
                return self.teegon.pay(*order)
            case "chaoying":
                return self.chaoying.pay(*order)
            case "yst":
                return self.yst.pay(*order)
        if sale.numbered:
            return self.semoor.pay(*order)
        return self.semoor_get.pay("", sale.amount_fen, sale.code, sale.order_no)

    def asks(self, sale: Sale) -> list[Ask]:
        """Every way in which some till can ask how the sale stands, by what is known of it."""
        number = sale.number
        if not number:
            return [lambda: self.semoor.query_lost(code=sale.code)]
        ways: list[Ask] = [lambda: self.chaoying.query(number), lambda: self.yst.query(number)]
        if sale.dialect == "semoor":  # by numbers that are not the gateway's, a device hears of its own orders alone
            ways.append(lambda: self.semoor.query_lost(order_no=number))
        if sale.payment_id:
            ways.append(lambda: self.teegon.query(sale.payment_id))
            ways.append(lambda: self.semoor_get.query(f"dm{sale.payment_id}"))
        return ways

    def cancels(self, sale: Sale) -> list[Ask]:
        """Every way of taking the sale back."""
        return [lambda: self.chaoying.cancel(sale.number), lambda: self.yst.revoke(sale.number, code=sale.code)]

    def refund(self, sale: Sale, refund: GivenBack) -> Told:
        """Give money back, as the refund's till does it; again is the very same request."""
        match refund.dialect:
            case "chaoying":
                return self.chaoying.refund(sale.number, refund.refund_no, sale.amount_fen, refund.amount_fen)
            case "yst":
                return self.yst.refund(sale.payment_id, refund.refund_no, refund.amount_fen)
        return self.semoor.refund(f"dm{sale.payment_id}", refund.amount_fen, refund.refund_no)

    def asks_about_refund(self, sale: Sale, refund: GivenBack) -> list[Ask]:
        """Every way of asking about a refund that has a number."""
        ways: list[Ask] = [lambda: self.chaoying.query_refund(refund.refund_no)]
        if sale.payment_id:
            ways.append(lambda: self.yst.query_refund(sale.payment_id, refund.refund_no))
        return ways
