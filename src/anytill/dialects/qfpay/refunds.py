"""1002: give money back (section 3.2 of the source).

A refund has no number here. So what looks like a retry is one, as the gateway rules for all refunds without a number:
the same again from the same terminal, while the first is not done or within a minute of its end, is told what became of
it.
A request that leaves the sum to the terminal or to its cashier is the same again if it is left alike; nobody is asked
twice then, and "all that is left" means what it meant at first.

Once it is sent a refund cannot be stopped: the terminal waits for its end and tells it, or that it is not known.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Final

from anytill.core.errors import RefundExceedsPaid
from anytill.core.ids import beijing
from anytill.core.lifecycle import OPEN_REFUND_STATES, RefundState
from anytill.core.panel import Left, Sight, Stage, Way
from anytill.core.payment import Method, Payment, Refund, RefundOrder, RefundRef, Verdict, fingerprint
from anytill.core.retry import SECOND, is_same_refund
from anytill.core.secret import Secret
from anytill.core.wallet import Wallet
from anytill.dialects.qfpay import answers, words
from anytill.dialects.qfpay.answers import DETAIL_TERMINAL
from anytill.dialects.qfpay.codec import Told
from anytill.dialects.qfpay.counter import ASK_AGAIN_MS, TRIES, Caller, Errand, carry_out
from anytill.dialects.qfpay.messages import DEFAULT_TIMEOUT_S, RefundRequest
from anytill.dialects.qfpay.words import CallRefused, Word
from anytill.ports import StoreUnavailable
from anytill.wire.amounts import parse_fen
from anytill.wire.errors import BadField
from anytill.wire.jsontext import Json

#: How long the terminal waits for a refund's end.
WAITING_MS: Final = 120 * SECOND
#: What a refund keeps of its request.
_DETAIL_ASKED: Final = "asked"
_TITLE: Final = "Refund"


async def give_back(caller: Caller, request: RefundRequest) -> Told:
    """Carry a 1002 out. Raises CallRefused and Refusal when nothing was begun."""
    counter = caller.counter
    if counter.errand is not None and counter.errand.refund == request:
        raise CallRefused(words.SAME_REFUND_UNDER_WAY)
    with counter.on(Errand(refund=request)) as errand:
        return await carry_out(counter, errand, _Refunding(caller, request, errand), move_to_back=request.move_to_back)


class _Refunding:
    """One refund from its request to its end."""

    def __init__(self, caller: Caller, request: RefundRequest, errand: Errand) -> None:
        self._caller = caller
        self._counter = caller.counter
        self._request = request
        self._errand = errand
        self._amount_fen = request.amount_fen or 0  # 0: all that is left, which is not known yet
        self._currency = ""
        self._order_no = request.order_id
        self._payment_id = ""  # once it is found
        asked = f"{request.amount_fen or 'all'}{'?' if request.allow_modify else ''}"
        self._details = {_DETAIL_ASKED: asked, DETAIL_TERMINAL: caller.counter.number}

    async def done(self) -> Told:
        """The end, told. Raises Refusal and CallRefused when nothing was given back."""
        payment = await self._caller.find(self._request.order_id)
        payment = await self._caller.till.query(payment.ref)
        self._currency, self._payment_id = payment.currency, payment.payment_id
        earlier = await self._earlier(payment)
        if earlier is not None:
            self._errand.sent, self._amount_fen = True, earlier.amount_fen
            return await self._told(payment, self._caller.till.query_refund(RefundRef(refund_id=earlier.refund_id)))
        self._errand.is_new = True
        amount_fen = await self._amount(payment)
        if isinstance(amount_fen, Left):
            return self.refused(words.REFUND_TIMED_OUT if amount_fen is Left.TIMED_OUT else words.REFUND_CANCELLED)
        if self._errand.is_withdrawn():
            return self.refused(words.REFUND_CANCELLED)
        # There is no await since the look at the errand: who is told "cancelled" gets nothing back.
        self._errand.sent, self._amount_fen = True, amount_fen
        self._show(Stage.SENDING)
        return await self._told(payment, self._caller.till.refund(self._order(payment, amount_fen)))

    def refused(self, word: Word) -> Told:
        """Nothing was given back."""
        self._show(Stage.REFUSED, hint=word.text)
        return answers.told(word, self._named())

    def uncertain(self) -> Told:
        """Nobody knows."""
        word = words.REFUND_WORDS[RefundState.UNKNOWN]
        self._show(Stage.UNCERTAIN, hint=word.text)
        return answers.told(word, self._named())

    def _named(self) -> dict[str, Json]:
        """What it was about, if that was found: on a line nothing else says which question an answer belongs to."""
        return {"orig_syssn": self._payment_id} if self._payment_id else {}

    async def _told(self, payment: Payment, asked: Awaitable[Refund]) -> Told:
        """What became of the refund, once the gateway has answered."""
        try:
            refund = await asked
        except StoreUnavailable:
            return self.uncertain()
        self._errand.ref = payment.ref
        self._amount_fen = refund.amount_fen
        refund = await self._ended(refund)
        payment = await self._caller.till.find(payment.ref)
        word = words.REFUND_WORDS[refund.state]
        self._show(_END_STAGES.get(refund.state, Stage.UNCERTAIN), hint=refund.reason or word.text)
        return answers.refund(payment, refund, await self._caller.shop())

    async def _earlier(self, payment: Payment) -> Refund | None:
        """The refund that this very request began before, by the gateway's rule for refunds without a number."""
        same = [refund for refund in await self._caller.till.refunds_of(payment) if refund.details == self._details]
        return same[-1] if same and is_same_refund(same[-1], self._caller.gateway.now_ms()) else None

    async def _amount(self, payment: Payment) -> int | Left:
        """What goes back: as the register says, else all that is left; as the cashier changes it, if he may."""
        left_fen = answers.left_to_refund(payment)
        amount_fen = self._request.amount_fen or left_fen
        if payment.verdict is Verdict.PAID and not left_fen:
            raise RefundExceedsPaid
        if self._request.allow_modify and left_fen:
            changed_to = await self._confirmed(min(amount_fen, left_fen), left_fen)
            if isinstance(changed_to, Left):
                return changed_to
            amount_fen = changed_to
        if self._only_whole(payment) and amount_fen != payment.paid_fen:
            raise CallRefused(words.WHOLE_ONLY)
        # Of a payment that is not paid there is nothing to give: the gateway says so.
        return amount_fen or payment.amount_fen

    async def _confirmed(self, amount_fen: int, most_fen: int) -> int | Left:
        """The sum as the cashier wants it. Raises CallRefused when he never says one that can be."""
        until_ms = self._caller.gateway.now_ms() + DEFAULT_TIMEOUT_S * SECOND
        hint = ""
        for _ in range(TRIES):
            sight = self._sight(Stage.ASKING, amount_fen, hint, Way.AMOUNT, until_ms)
            said = await self._counter.ask(self._errand, sight, Way.AMOUNT)
            if isinstance(said, Left):
                return said
            changed_to = _cents(said)
            if 0 < changed_to <= most_fen:
                return changed_to
            hint = "Not accepted: try again"
        raise CallRefused(words.REFUND_CANCELLED)

    def _only_whole(self, payment: Payment) -> bool:
        """Card schemes take a payment of the same day back whole or not at all; days are Hong Kong's."""
        if payment.method is not Method.CARD or payment.wallet is not Wallet.CARD or payment.paid_at_ms is None:
            return False
        return beijing(payment.paid_at_ms).date() == beijing(self._caller.gateway.now_ms()).date()

    def _order(self, payment: Payment, amount_fen: int) -> RefundOrder:
        return RefundOrder(
            payment=payment.ref,
            refund_no="",
            amount_fen=amount_fen,
            details=self._details,
            repeat_key=fingerprint(words.NAME, *self._details.values()),
        )

    async def _ended(self, refund: Refund) -> Refund:
        """The refund once its end is known, or as it stands when a register cannot be kept waiting longer."""
        until_ms = self._caller.gateway.now_ms() + WAITING_MS
        while refund.state in OPEN_REFUND_STATES and self._caller.gateway.now_ms() < until_ms:
            self._show(Stage.CONFIRMING, hint="Being processed")
            await self._counter.panel.pause(ASK_AGAIN_MS)
            try:
                refund = await self._caller.till.query_refund(RefundRef(refund_id=refund.refund_id))
            except StoreUnavailable:
                continue
        return refund

    def _show(self, stage: Stage, hint: str = "") -> None:
        self._counter.panel.show(self._sight(stage, self._amount_fen, hint))

    def _sight(
        self, stage: Stage, amount_fen: int, hint: str, way: Way | None = None, until_ms: int | None = None
    ) -> Sight:
        return Sight(
            stage=stage,
            title=_TITLE,
            amount_fen=amount_fen,
            currency=self._currency,
            number=self._order_no,
            way=way,
            hint=hint,
            until_ms=until_ms,
        )


_END_STAGES: Final = {
    RefundState.DONE: Stage.DONE,
    RefundState.FAILED: Stage.REFUSED,
    RefundState.RETURNED_TO_CASH: Stage.REFUSED,
}


def _cents(said: Secret) -> int:
    """The sum that was keyed in; 0 for anything that is none."""
    try:
        return parse_fen(said.reveal())
    except BadField:
        return 0
