"""What one terminal has at hand: the gateway, the panel, the merchant it stands at, and the one errand it is on.

One trade or refund at a time. An errand is begun without an await between the look and the deed, so of two that come
together one is begun and the other is told that the terminal is busy. The register's wish to take an errand back is a
mark on it: what a person presents at the same moment is then not used, so that until something is sent "cancelled" is
certain; but not before it is known that the same was not asked for earlier.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Protocol

from anytill.core.errors import MerchantInactive, OrderConflict, PaymentNotFound, Refusal
from anytill.core.merchant import Credential
from anytill.core.panel import Left, Sight, Stage, Way
from anytill.core.payment import Method, Payment, PaymentRef, PayOrder
from anytill.core.records import changed
from anytill.core.secret import Secret
from anytill.dialects.qfpay import answers, words
from anytill.dialects.qfpay.answers import Shop
from anytill.dialects.qfpay.codec import Told
from anytill.dialects.qfpay.messages import RefundRequest
from anytill.dialects.qfpay.spent import SpentNumbers
from anytill.dialects.qfpay.words import CallRefused, Channel, Word
from anytill.gateway import Gateway, GatewayTill
from anytill.ports import Panel

#: How often a person may present what is not taken before the errand ends.
TRIES: Final = 3
#: How long the terminal waits between two questions to the gateway.
ASK_AGAIN_MS: Final = 1_000


@dataclass(slots=True, eq=False)
class Errand:
    """A trade or a refund that is under way."""

    out_trade_no: str = ""
    amount_fen: int = 0
    refund: RefundRequest | None = None  # what is to be given back; None: it is a trade
    is_new: bool = False  # it was looked up: nothing was begun for the same request before
    sent: bool = False  # the gateway was asked: from here on money may move
    ref: PaymentRef | None = None  # the payment, once money may have moved for it
    _withdrawn: bool = False

    def withdraw(self) -> None:
        """The register takes it back."""
        self._withdrawn = True

    def is_withdrawn(self) -> bool:
        """Whether it did; any await may change that."""
        return self._withdrawn


@dataclass(slots=True)
class Counter:
    """One terminal, for as long as it runs."""

    gateway: Gateway
    number: str
    panel: Panel
    errand: Errand | None = None
    last_methods: dict[Channel, Method] = field(default_factory=dict)  # how each channel was paid last
    spent: SpentNumbers = field(default_factory=SpentNumbers)

    @contextmanager
    def on(self, errand: Errand) -> Iterator[Errand]:
        """The terminal is on this errand. Raises CallRefused when it is on another."""
        if self.errand is not None:
            raise CallRefused(words.BUSY)
        self.errand = errand
        try:
            yield errand
        except BaseException:
            # Whatever it is, a person in front of the terminal must not go on waiting for something.
            self.panel.show(Sight(Stage.UNCERTAIN if errand.sent else Stage.IDLE, number=errand.out_trade_no))
            raise
        finally:
            self.errand = None

    async def ask(self, errand: Errand, sight: Sight, way: Way) -> Secret | Left:
        """Ask a person for something until the moment that the sight says. Nothing is used that was presented while
        the register took its request back."""
        if errand.is_withdrawn():
            return Left.WITHDRAWN
        self.panel.show(sight)
        now_ms = self.gateway.now_ms()
        said = await self.panel.present(way, max((sight.until_ms or now_ms) - now_ms, 0))
        return Left.WITHDRAWN if errand.is_withdrawn() else said

    async def stopped(self, errand: Errand) -> bool:
        """Wait a moment; True when somebody wants the errand to stop."""
        if errand.is_withdrawn():
            return True
        return await self.panel.pause(ASK_AGAIN_MS) is not None or errand.is_withdrawn()


class Work(Protocol):
    """What an errand consists of, and the words for it."""

    async def done(self) -> Told:
        """Its end, told. Raises CallRefused and Refusal; before the errand has a payment, nothing has moved then."""

    def refused(self, word: Word) -> Told:
        """Nothing was done."""

    def uncertain(self) -> Told:
        """Nobody knows."""


async def carry_out(counter: Counter, errand: Errand, work: Work, *, move_to_back: bool) -> Told:
    """The work's end, told, whatever was refused on the way."""
    try:
        return await work.done()
    except CallRefused as refusal:
        return work.refused(refusal.word)
    except Refusal as refusal:
        # What is refused once there is a payment says nothing about the money.
        return work.refused(words.REFUSALS[type(refusal)]) if errand.ref is None else work.uncertain()
    finally:
        if move_to_back:
            counter.panel.go_home()


@dataclass(frozen=True, slots=True)
class Caller:
    """A register whose digest was right, at its terminal."""

    counter: Counter
    credential: Credential

    @property
    def gateway(self) -> Gateway:
        """The gateway behind the terminal."""
        return self.counter.gateway

    @property
    def till(self) -> GatewayTill:
        """The till of the terminal's merchant. Raises ForeignMerchant when it has none."""
        return self.gateway.till(self.credential)

    async def shop(self) -> Shop:
        """Where the terminal stands. Of a merchant that is switched off nothing but its id is told."""
        merchant_id = self.credential.merchant_id()
        try:
            merchant = await self.gateway.merchant(self.credential)
        except MerchantInactive:
            return Shop(merchant_id, "", self.counter.number)
        return Shop(merchant_id, merchant.name, self.counter.number)

    async def find(self, order_id: str) -> Payment:
        """The payment that `orderId` means: the register's number of it, or ours, by which every terminal of the
        merchant may ask. Raises PaymentNotFound, and OrderConflict for a number that means two payments."""
        try:
            numbered = await self.numbered(order_id)
        except PaymentNotFound:
            return await self.till.find(PaymentRef(payment_id=order_id))
        if numbered.payment_id != order_id and await self._is_ours(order_id):
            raise OrderConflict
        return numbered

    async def numbered(self, out_trade_no: str) -> Payment:
        """The payment of this number, as this terminal's register means it: a register counts by itself, so what
        another terminal or another protocol's till made under the same number is not meant. Raises PaymentNotFound."""
        for number in (out_trade_no, self._longer(out_trade_no)):
            payment = await self.till.find(PaymentRef(order_no=number))
            if self._is_own(payment):
                return payment
        raise PaymentNotFound

    async def pay(self, order: PayOrder) -> Payment:
        """See `ports.Till`. A number that somebody else has is stored with this terminal's behind it, which no
        register's number contains; numbers are never given back, so it is always the same one that is found."""
        try:
            return await self.till.pay(order)
        except Refusal:
            # Whatever the reason is: under the longer number it may be ours to take.
            if not order.order_no or not await self._is_taken(order.order_no):
                raise
        return await self.till.pay(changed(order, order_no=self._longer(order.order_no)))

    def _is_own(self, payment: Payment) -> bool:
        return (payment.dialect, payment.login) == (words.NAME, self.counter.number)

    def _longer(self, number: str) -> str:
        return f"{number}{answers.NUMBER_MARK}{self.counter.number}"

    async def _is_taken(self, number: str) -> bool:
        try:
            return not self._is_own(await self.till.find(PaymentRef(order_no=number)))
        except PaymentNotFound:
            return False

    async def _is_ours(self, number: str) -> bool:
        try:
            await self.till.find(PaymentRef(payment_id=number))
        except PaymentNotFound:
            return False
        return True
