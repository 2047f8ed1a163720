"""The sandbox as a channel: decide, keep, answer.

Every call has the same three steps. The wallet decides and its book changes in memory, without an await; then the
call waits until the journal is as far as the book (`Diary.kept`); then it answers, or keeps silent if its story says
so. A journal that cannot be written makes the wallet silent, never a liar: the caller asks again later.
"""

from __future__ import annotations

from collections.abc import Sequence

from anytill.channels.sandbox import numbers
from anytill.channels.sandbox.answers import (
    NOT_FOUND,
    REFUND_NOT_FOUND,
    cancel_answer,
    order_answer,
    pay_answer,
    refund_answer,
)
from anytill.channels.sandbox.diary import Diary, replay
from anytill.channels.sandbox.outcomes import Voice
from anytill.channels.sandbox.records import Order, OrderState
from anytill.channels.sandbox.wallet import NotWaiting, SandboxWallet
from anytill.core.answer import REFUND_SILENCE, SILENCE, Answer, RefundAnswer
from anytill.core.errors import InvalidPayCode
from anytill.core.payment import AT_THE_TILL, Payment, Refund
from anytill.core.secret import Secret
from anytill.core.wallet import Wallet
from anytill.ports import Chance, Clock, FaceTicket, Journal, Payer, WalletSession
from anytill.wire.jsontext import Json

_NONCE_LENGTH = 32
_FACE_TICKET_S = 7_200
_SESSION_S = 7_200


class NoSuchOrder(Exception):
    """The book has no order of this number."""


class SandboxChannel:
    """Implements ports.Channel; the methods below the port's own are the payer's and the auditor's."""

    def __init__(self, name: str, journal: Journal, clock: Clock, chance: Chance, silence_ms: int = 3_000) -> None:
        """Reads the book back from the journal. `silence_ms` is how long a caller waits for an answer that never comes.
        Raises diary.DamagedBook.
        """
        self._name = name
        self._clock = clock
        self._chance = chance
        self._silence_ms = silence_ms
        self._book, last = replay(journal.lines())
        self._restored_offset_ms = self._book.offset_ms
        self._diary = Diary(journal, last)
        self._wallet = SandboxWallet(self._book, self._diary.note)

    @property
    def name(self) -> str:
        """As it stands in the settings and in the ledger."""
        return self._name

    @property
    def takes_cards(self) -> bool:
        """See `ports.Channel`."""
        return True

    async def pay(self, payment: Payment, pay_code: Secret | None) -> Answer:
        """Ask the payer for the money; the code's last two digits say what comes of it."""
        nonce = "" if payment.method in AT_THE_TILL else self._chance.token(_NONCE_LENGTH)
        order, voice = self._wallet.pay(payment, pay_code, nonce, self._clock.now_ms())
        speaks = await self._kept() and await self._speaks(voice)
        return pay_answer(order) if speaks and order else SILENCE

    async def query(self, payment: Payment) -> Answer:
        """How the order stands."""
        order = self._wallet.order(payment, self._clock.now_ms())
        if not await self._kept():
            return SILENCE
        return order_answer(order) if order else NOT_FOUND

    async def cancel(self, payment: Payment) -> Answer:
        """Close an unpaid order, reverse a paid one; an unknown one is cancelled too, and stays dead."""
        order, granted = self._wallet.cancel(payment, self._clock.now_ms())
        return cancel_answer(order, granted=granted) if await self._kept() else SILENCE

    async def refund(self, payment: Payment, refund: Refund) -> RefundAnswer:
        """Give money back; the amount's last two digits say what comes of it."""
        entry, voice = self._wallet.refund(payment, refund, self._clock.now_ms())
        speaks = await self._kept() and await self._speaks(voice)
        return refund_answer(entry) if speaks else REFUND_SILENCE

    async def query_refund(self, payment: Payment, refund: Refund) -> RefundAnswer:
        """How the refund stands."""
        entry = self._wallet.known_refund(refund, self._clock.now_ms())
        if not await self._kept():
            return REFUND_SILENCE
        return refund_answer(entry) if entry and entry.channel_order == payment.payment_id else REFUND_NOT_FOUND

    async def identify(self, merchant_id: str, pay_code: Secret) -> Payer:
        """Who shows this code; it is bound to the merchant. Raises InvalidPayCode, and what the journal raises."""
        try:
            return self._wallet.identify(merchant_id, pay_code, self._clock.now_ms())
        finally:
            await self._diary.kept()  # a refusal tells something too

    async def face_ticket(self, merchant_id: str, device: str, raw: str) -> FaceTicket:
        """A ticket that starts a face device. Any device and any raw data will do."""
        # It ends in letters, so that a payment with it is paid and meets no story by chance.
        return FaceTicket(f"{self._chance.token(_NONCE_LENGTH)}face", _FACE_TICKET_S)

    async def session(self, app_id: str, code: Secret) -> WalletSession:
        """Any code is somebody's, always the same person's in one app; one that ends in 05 is out of date."""
        if code.reveal().endswith("05"):
            raise InvalidPayCode
        digest = numbers.code_digest(code)
        return WalletSession(
            payer_id=numbers.payer_id(Wallet.WECHAT, app_id, digest),
            session_key=numbers.session_key(app_id, code),
            expires_in_s=_SESSION_S,
            union_id=numbers.payer_id(Wallet.WECHAT, "", digest),
        )

    @property
    def restored_offset_ms(self) -> int:
        """How far the clock had been moved on when the journal was read back: the clock must start from there."""
        return self._restored_offset_ms

    @property
    def offset_ms(self) -> int:
        """How far the clock has been moved on in all."""
        return self._book.offset_ms

    async def move_clock(self, by_ms: int) -> None:
        """Remember that the clock is about to be moved on. Raises what the journal raises."""
        self._wallet.move_clock(by_ms)
        await self._diary.kept()

    async def payer_pays(self, *, merchant_order: str = "", channel_order: str = "") -> Json:
        """The payer confirms the order that waits under this number: its row. Raises NoSuchOrder or NotWaiting."""
        try:
            order = self._waiting(merchant_order, channel_order)
            return self._book.row(self._wallet.payer_pays(order, self._clock.now_ms()))
        finally:
            await self._diary.kept()

    async def payer_declines(self, *, merchant_order: str = "", channel_order: str = "") -> Json:
        """The payer turns away from the order that waits under this number; as payer_pays."""
        try:
            order = self._waiting(merchant_order, channel_order)
            return self._book.row(self._wallet.payer_declines(order, self._clock.now_ms()))
        finally:
            await self._diary.kept()

    async def statement(self, *, merchant_order: str = "", channel_order: str = "") -> Sequence[Json]:
        """What the book says of every order of this number; empty when there is none."""
        named = self._book.orders_called(merchant_order=merchant_order, channel_order=channel_order)
        orders = self._wallet.bring_up_to_date(named, self._clock.now_ms())
        rows = [self._book.row(order) for order in orders]
        await self._diary.kept()
        return rows

    async def totals(self) -> dict[str, Json]:
        """The whole book in a few numbers, as of now."""
        self._wallet.bring_up_to_date(list(self._book.orders.values()), self._clock.now_ms())
        totals = self._book.totals()
        await self._diary.kept()
        return totals

    def _waiting(self, merchant_order: str, channel_order: str) -> Order:
        """The order of this number that waits, or else any of them. Raises NoSuchOrder, NotWaiting if several wait."""
        named = self._book.orders_called(merchant_order=merchant_order, channel_order=channel_order)
        orders = self._wallet.bring_up_to_date(named, self._clock.now_ms())
        waiting = [order for order in orders if order.state is OrderState.WAITING]
        if not orders:
            raise NoSuchOrder("there is no order of this number")
        if len(waiting) > 1:
            raise NotWaiting("several merchants' orders of this number wait: name the channel_order")
        return (waiting or list(orders))[0]

    async def _kept(self) -> bool:
        """True when everything decided so far is durable; False when the journal cannot be written."""
        try:
            await self._diary.kept()
        except OSError:
            return False
        return True

    async def _speaks(self, voice: Voice) -> bool:
        """True when the call is answered; the caller of one that never is waits until its patience ends."""
        if voice is Voice.NEVER_ANSWERS:
            await self._clock.sleep_ms(self._silence_ms)
        return voice is Voice.SPEAKS
