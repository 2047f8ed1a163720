"""1001: take a payment; and 5001, which takes one back (sections 3.1 and 3.6 of the source).

                         known number: how that payment stands, nobody is asked
                         spent number: refused
    asking a person ---- red key, 5001, too late: nothing was stored, nothing was charged
          | presented
    the gateway pays --- refused: nothing was charged
          | open
    asking the gateway - red key, 5001, too late: take it back, and wait for what comes of that
          | an end, or none in time
    told

Nothing is stored before something is presented, or a code is to be shown. From then on the gateway has the order, and
would finish it without us: if this process dies, the gateway takes the order back at its deadline, and who asks by
`out_trade_no` is told the truth. A payment that turns out to be made while it was to be cancelled is told as made.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from anytill.core.card import parse_card
from anytill.core.errors import (
    AmountNotAllowed,
    InvalidPayCode,
    NotCancellable,
    NotSupported,
    OrderConflict,
    PaymentNotFound,
)
from anytill.core.lifecycle import PaymentState
from anytill.core.merchant import Merchant
from anytill.core.panel import Left, Sight, Stage, Way
from anytill.core.payment import Method, Payment, PayOrder, Verdict
from anytill.core.retry import SECOND
from anytill.core.secret import Secret
from anytill.core.wallet import Wallet, wallet_of
from anytill.dialects.qfpay import answers, words
from anytill.dialects.qfpay.answers import DETAIL_CHANNEL, DETAIL_TERMINAL
from anytill.dialects.qfpay.codec import Told
from anytill.dialects.qfpay.counter import ASK_AGAIN_MS, TRIES, Caller, Errand, carry_out
from anytill.dialects.qfpay.messages import DEFAULT_TIMEOUT_S, MAX_PAYME_TIMEOUT_S, Trade
from anytill.dialects.qfpay.words import CHANNELS, CallRefused, Code, ScanType, Word
from anytill.ports import StoreUnavailable

#: A card's payment above this asks for its PIN: HKD 1,000.00.
PIN_ABOVE_FEN: Final = 100_000
#: How long the terminal waits for the end of a payment that it takes back.
TAKING_BACK_MS: Final = 90 * SECOND
#: The credential's option: where the merchant hears of payments.
OPTION_NOTIFY_URL: Final = "notify_url"
_METHODS: Final = {ScanType.SCAN_PAY: Method.BARCODE, ScanType.QRCODE_PAY: Method.QR}


async def take(caller: Caller, trade: Trade) -> Told:
    """Carry a 1001 out. Raises CallRefused and Refusal when nothing was begun."""
    counter = caller.counter
    if counter.errand is not None:
        return await _meanwhile(caller, trade, counter.errand)
    with counter.on(Errand(trade.out_trade_no, trade.amount_fen)) as errand:
        before = await _known(caller, trade)
        if before is not None:
            return before
        errand.is_new = True
        return await carry_out(counter, errand, _Taking(caller, trade, errand), move_to_back=trade.move_to_back)


async def cancel_request(caller: Caller) -> Told:
    """Carry a 5001 out: take back what waits here. Told as done only when surely nothing is charged. Raises
    CallRefused."""
    caller.counter.spent.take_back()
    errand = caller.counter.errand
    if errand is None:
        raise CallRefused(words.NOTHING_TO_CANCEL)
    errand.withdraw()
    caller.counter.panel.withdraw()
    if errand.is_new and not errand.sent:
        caller.counter.spent.spend(errand.out_trade_no)
        return answers.told(words.CANCEL_DONE)
    if errand.refund is not None:
        raise CallRefused(words.REFUND_UNDER_WAY)
    if errand.ref is None:
        raise CallRefused(words.CANCEL_UNSURE)
    payment = await take_back(caller, await caller.till.find(errand.ref))
    if payment.verdict is Verdict.OPEN:
        raise CallRefused(words.CANCEL_UNSURE)
    return answers.told(words.TOO_LATE if payment.verdict is Verdict.PAID else words.CANCEL_DONE)


async def take_back(caller: Caller, payment: Payment) -> Payment:
    """Look once more, and take the payment back if it is still open."""
    payment = await _or_as_it_was(payment, caller.till.query(payment.ref))
    if payment.verdict is not Verdict.OPEN or payment.is_undoing:
        return payment
    try:
        return await _or_as_it_was(payment, caller.till.cancel(payment.ref))
    except NotCancellable:
        return await _or_as_it_was(payment, caller.till.query(payment.ref))


async def _meanwhile(caller: Caller, trade: Trade, errand: Errand) -> Told:
    """A 1001 that comes while the terminal is at something else, or at this very trade."""
    same = bool(trade.out_trade_no) and trade.out_trade_no == errand.out_trade_no
    before = await _known(caller, trade)
    if before is None:
        raise CallRefused(words.SAME_UNDER_WAY if same else words.BUSY)
    return before


async def _known(caller: Caller, trade: Trade) -> Told | None:
    """How the trade of this number stands; None when there is none. Raises OrderConflict for other contents."""
    if not trade.out_trade_no:
        return None
    try:
        payment = await caller.numbered(trade.out_trade_no)
    except PaymentNotFound:
        return None
    contents = (payment.amount_fen, payment.details.get(DETAIL_CHANNEL))
    if contents != (trade.amount_fen, str(trade.channel)) or payment.order_no == payment.payment_id:
        raise OrderConflict
    payment = await _or_as_it_was(payment, caller.till.query(payment.ref))
    return answers.trade(payment, await caller.shop())


async def _or_as_it_was(payment: Payment, asked: Awaitable[Payment]) -> Payment:
    """The payment, or what is known of it if the store does not answer now: it is asked again later."""
    try:
        return await asked
    except StoreUnavailable:
        return payment


class _Taking:
    """One trade from the first question to its end."""

    def __init__(self, caller: Caller, trade: Trade, errand: Errand) -> None:
        self._caller = caller
        self._counter = caller.counter
        self._trade = trade
        self._errand = errand
        self._kind = CHANNELS[trade.channel]
        self._currency = ""

    async def done(self) -> Told:
        """The end, told. Raises Refusal and CallRefused when nothing was charged."""
        if self._trade.out_trade_no in self._counter.spent:
            raise CallRefused(words.NUMBER_SPENT)
        merchant = await self._caller.gateway.merchant(self._caller.credential)
        self._check(merchant)
        self._currency = merchant.currency
        method = self._method()
        presented = None if method is Method.QR else await self._presented(method)
        if isinstance(presented, Left) or self._errand.is_withdrawn():
            return self.refused(words.TIMED_OUT if presented is Left.TIMED_OUT else words.CANCELLED)
        # There is no await since the look at the errand: who is told "cancelled" is not charged.
        self._errand.sent = True
        self._counter.last_methods[self._trade.channel] = method
        self._show(Stage.SENDING)
        try:
            payment = await self._caller.pay(self._order(method, presented))
        except StoreUnavailable:
            return self.uncertain()
        self._errand.ref = payment.ref
        payment, stopped = await self._confirmed(payment)
        if payment.verdict is Verdict.OPEN:
            payment = await self._undone(payment)
        return await self._told(payment, stopped=stopped)

    def refused(self, word: Word) -> Told:
        """Nothing was charged, and nothing is under this number any more."""
        self._counter.spent.spend(self._trade.out_trade_no)
        self._show(Stage.REFUSED, hint=word.text)
        return answers.told(word, {"out_trade_no": self._trade.out_trade_no})

    def uncertain(self) -> Told:
        """Nobody knows."""
        self._show(Stage.UNCERTAIN, hint=words.PAYMENT_WORDS[PaymentState.UNKNOWN].text)
        return answers.unknown(self._trade.out_trade_no)

    def _check(self, merchant: Merchant) -> None:
        """What would be refused anyway is refused before anybody takes out a card."""
        if self._trade.amount_fen > merchant.max_amount_fen:
            raise AmountNotAllowed
        if self._kind.wallet not in self._caller.gateway.wallets(merchant):
            raise NotSupported

    def _method(self) -> Method:
        """As the register says, else as last time, else the terminal scans; where there is only one way, that one."""
        if len(self._kind.pay_types) == 1:
            return next(iter(self._kind.pay_types))
        if self._trade.scan_type is not None:
            return _METHODS[self._trade.scan_type]
        return self._counter.last_methods.get(self._trade.channel, Method.BARCODE)

    async def _presented(self, method: Method) -> Secret | Left:
        """A code or a card that this channel takes, with its PIN if one is needed. Raises CallRefused."""
        until_ms = self._caller.gateway.now_ms() + self._waiting_s(method) * SECOND
        if method is Method.BARCODE:
            return await self._asked(Way.SCAN, until_ms, (self._kind.wallet,), self._code)
        card = await self._asked(Way.TAP, until_ms, self._kind.schemes, self._card)
        if isinstance(card, Left) or not self._needs_pin(card):
            return card
        number = card.reveal()
        return await self._asked(Way.PIN, until_ms, (), lambda pin: self._card(Secret(f"{number}={pin.reveal()}")))

    async def _asked(
        self, way: Way, until_ms: int, accepts: Sequence[str], checked: Callable[[Secret], Secret]
    ) -> Secret | Left:
        """What was presented, once it is something that can be used. Raises CallRefused when it never is."""
        hint = ""
        for _ in range(TRIES):
            sight = self._sight(Stage.ASKING, way=way, accepts=tuple(accepts), hint=hint, until_ms=until_ms)
            said = await self._counter.ask(self._errand, sight, way)
            if isinstance(said, Left):
                return said
            try:
                return checked(said)
            except InvalidPayCode:
                hint = "Not accepted: try again"
        raise CallRefused(words.NOT_ACCEPTED)

    def _code(self, code: Secret) -> Secret:
        if wallet_of(code) is not self._kind.wallet:
            raise InvalidPayCode
        return code

    def _card(self, card: Secret) -> Secret:
        if parse_card(card).scheme not in self._kind.schemes:
            raise InvalidPayCode
        return card

    def _needs_pin(self, card: Secret) -> bool:
        large = self._kind.wallet is Wallet.CARD and self._trade.amount_fen > PIN_ABOVE_FEN
        return large and not parse_card(card).pin

    def _waiting_s(self, method: Method) -> int:
        """How long a person may take to present something. Of cards both timeouts mean this."""
        of_cards = self._trade.payment_timeout_s if method is Method.CARD else None
        return min(filter(None, (self._trade.wait_card_timeout_s, of_cards)), default=DEFAULT_TIMEOUT_S)

    def _paying_s(self, method: Method) -> int:
        """How long the payment may take once it is with the gateway."""
        said = DEFAULT_TIMEOUT_S if method is Method.CARD else self._trade.payment_timeout_s or DEFAULT_TIMEOUT_S
        return min(said, MAX_PAYME_TIMEOUT_S) if self._kind.wallet is Wallet.PAYME else said

    def _order(self, method: Method, presented: Secret | None) -> PayOrder:
        return PayOrder(
            order_no=self._trade.out_trade_no,
            amount_fen=self._trade.amount_fen,
            method=method,
            currency=self._currency,
            pay_code=presented,
            wallet=self._kind.wallet,
            notice_url=self._caller.credential.options.get(OPTION_NOTIFY_URL, ""),
            expires_in_s=self._paying_s(method),
            # The terminal stands in it so that no other one's order is ever the same order.
            details={DETAIL_CHANNEL: str(self._trade.channel), DETAIL_TERMINAL: self._counter.number},
        )

    async def _confirmed(self, payment: Payment) -> tuple[Payment, bool]:
        """The payment once it waits no more, or as it stands when somebody stops it or its time is over; and whether
        somebody stopped it."""
        shown = None
        while payment.is_open and self._caller.gateway.now_ms() < payment.deadline_at_ms:
            if payment.state is not shown:
                shown = payment.state
                self._show_open(payment)
            stopped = await self._counter.stopped(self._errand)
            payment = await _or_as_it_was(payment, self._caller.till.query(payment.ref))
            if stopped:
                return payment, True
        return payment, self._errand.is_withdrawn()

    async def _undone(self, payment: Payment) -> Payment:
        """Take it back until its end is known, or for as long as a register can be kept waiting."""
        self._show(Stage.CONFIRMING, hint="Being cancelled")
        until_ms = self._caller.gateway.now_ms() + TAKING_BACK_MS
        payment = await take_back(self._caller, payment)
        while payment.verdict is Verdict.OPEN and self._caller.gateway.now_ms() < until_ms:
            await self._counter.panel.pause(ASK_AGAIN_MS)
            payment = await take_back(self._caller, payment)
        return payment

    async def _told(self, payment: Payment, *, stopped: bool) -> Told:
        word = words.PAYMENT_WORDS[payment.state]
        if stopped and payment.state in (PaymentState.CANCELLED, PaymentState.CLOSED):
            word = Word(Code.USER_CANCELLED, word.inner, word.text)
        ends = {Verdict.PAID: Stage.DONE, Verdict.OPEN: Stage.UNCERTAIN, Verdict.NOT_PAID: Stage.REFUSED}
        self._show(ends[payment.verdict], hint=payment.reason or word.text)
        return answers.trade(payment, await self._caller.shop(), word)

    def _show_open(self, payment: Payment) -> None:
        qr = payment.invitation.get("code_url", "")
        hint = "" if payment.state is PaymentState.WAITING else "No answer yet"
        stage = Stage.SHOWING if qr else Stage.CONFIRMING
        self._show(stage, qr=qr, hint=hint, until_ms=payment.deadline_at_ms)

    def _show(self, stage: Stage, *, qr: str = "", hint: str = "", until_ms: int | None = None) -> None:
        self._counter.panel.show(self._sight(stage, qr=qr, hint=hint, until_ms=until_ms))

    def _sight(
        self,
        stage: Stage,
        *,
        way: Way | None = None,
        accepts: tuple[str, ...] = (),
        qr: str = "",
        hint: str = "",
        until_ms: int | None = None,
    ) -> Sight:
        return Sight(
            stage=stage,
            title=self._kind.title,
            amount_fen=self._trade.amount_fen,
            currency=self._currency,
            number=self._trade.out_trade_no,
            way=way,
            accepts=accepts,
            front_camera=self._trade.front_camera,
            qr=qr,
            hint=hint,
            until_ms=until_ms,
        )
