"""The few interfaces between what we do (gateway), whom we ask (channels), where it is kept (storage) and how it
travels (transports). Each is owned by its user: `Store` says what the gateway needs of a database, not what SQLite can
do. Who implements it is known to `bootstrap` alone.

`Till` is the shape of both ends: the gateway hands one to each authenticated terminal, and every dialect's client is
one. So the law of a dialect is tested without knowing its format: a client wired to its own server behaves as the
gateway's own till. Whoever pays the same order twice, for instance, gets one payment, in process or over any wire.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, TypeAlias, TypeVar

from anytill.core.answer import Answer, RefundAnswer
from anytill.core.device import Act, Device, OneTimeCode, Operator, Shop, Sighting
from anytill.core.ledger import Posting
from anytill.core.merchant import Agent, Credential, CredentialSummary, Merchant
from anytill.core.notice import Notice
from anytill.core.panel import Left, Sight, Way
from anytill.core.payment import Payment, PaymentRef, PayOrder, Refund, RefundOrder, RefundRef
from anytill.core.receipt import Receipt
from anytill.core.secret import Secret
from anytill.core.settle import RefundChange
from anytill.core.takings import Takings
from anytill.core.wallet import Wallet
from anytill.wire.http import HttpRequest, HttpResponse

T = TypeVar("T")
Work: TypeAlias = Callable[[], T]


class Till(Protocol):
    """What a cash desk can ask for. Raises `core.errors.Refusal` when the answer is "I will not"; what a vendor's
    protocol lacks raises NotSupported. A declined, waiting or unknown payment is a value."""

    async def pay(self, order: PayOrder) -> Payment:
        """Take a payment. The same order again gives the same payment; another order under its number is refused."""

    async def query(self, ref: PaymentRef) -> Payment:
        """The payment as it stands, asked of the channel if its end is not known yet."""

    async def cancel(self, ref: PaymentRef) -> Payment:
        """Take an order back: closed if unpaid, reversed if paid."""

    async def refund(self, order: RefundOrder) -> Refund:
        """Give part or all of a paid payment back."""

    async def query_refund(self, ref: RefundRef) -> Refund:
        """The refund as it stands."""


@dataclass(frozen=True, slots=True)
class Payer:
    """Who is behind a payer's code."""

    wallet: Wallet
    payer_id: str


@dataclass(frozen=True, slots=True)
class WalletSession:
    """Who opened a mini-program in the wallet, and the key that the wallet gave the visit."""

    payer_id: str
    session_key: Secret
    expires_in_s: int
    union_id: str = ""


@dataclass(frozen=True, slots=True)
class FaceTicket:
    """What a wallet's face-scanning device needs to start."""

    ticket: str
    expires_in_s: int


class Channel(Protocol):
    """Whom we ask for money. No method raises for what the other side did: whatever happened is an answer."""

    @property
    def name(self) -> str:
        """As it stands in the settings and in the ledger."""

    @property
    def takes_cards(self) -> bool:
        """Whether it may be given what a card's reader read. Others never see a card."""

    async def pay(self, payment: Payment, pay_code: Secret | None) -> Answer:
        """Ask for the payment; payment.payment_id is our number there. Called once in a payment's life."""

    async def query(self, payment: Payment) -> Answer:
        """Ask what became of it."""

    async def cancel(self, payment: Payment) -> Answer:
        """Close it if unpaid, reverse it if paid. May be asked again and again."""

    async def refund(self, payment: Payment, refund: Refund) -> RefundAnswer:
        """Give money back; refund.refund_id is our number there. Asking again under one number moves money once."""

    async def query_refund(self, payment: Payment, refund: Refund) -> RefundAnswer:
        """Ask what became of it."""

    async def identify(self, merchant_id: str, pay_code: Secret) -> Payer:
        """Who shows this code; from then on only this merchant can charge it. Raises InvalidPayCode, NotSupported."""

    async def face_ticket(self, merchant_id: str, device: str, raw: str) -> FaceTicket:
        """A ticket for the wallet's face device. Raises NotSupported."""

    async def session(self, app_id: str, code: Secret) -> WalletSession:
        """Who is behind the code that a mini-program got at log-in. Raises InvalidPayCode, NotSupported."""


class RefundPlaced(StrEnum):
    """What became of the wish to write a new refund."""

    STORED = "STORED"
    NUMBER_TAKEN = "NUMBER_TAKEN"
    NO_ROOM = "NO_ROOM"  # not paid, being undone, or more than is left


class DueKind(StrEnum):
    """What can be due."""

    PAYMENT = "payment"
    REFUND = "refund"
    NOTICE = "notice"


class StoreUnavailable(Exception):
    """The database does not answer. What was asked for may or may not have been written."""


class Register(Protocol):
    """Who is who: merchants, their devices and people, keys, and what was done to them. Every write is one transaction,
    its act with it, and when it returns it is on disk.

    Several processes write at one time. So what is new is added, and what is there is moved: False means that somebody
    else was first, and that nothing was written. What is put is written whatever is there, and that is for records in
    which nobody's change can be lost: a demo's, which are published, and those that are written in one place only."""

    async def merchant(self, merchant_id: str) -> Merchant | None:
        """One merchant."""

    async def credential(self, dialect: str, login: str) -> Credential | None:
        """One credential with the merchants it speaks for."""

    async def put_merchant(self, merchant: Merchant, act: Act | None = None) -> None:
        """Write or replace a merchant, whatever version is there, with the act that says who did so."""

    async def add_merchant(self, merchant: Merchant, act: Act) -> bool:
        """Write a new merchant; False if its id is taken, or if its agent has its mobile or username elsewhere."""

    async def move_merchant(self, before: Merchant, after: Merchant, act: Act | None = None) -> bool:
        """Replace a merchant; False if it is no longer so, if its agent has its mobile or username elsewhere, or if it
        has payments and would change its currency."""

    async def enrol_merchant(self, merchant: Merchant, dialect: str, login: str, number: str, act: Act) -> bool:
        """Write a new merchant and let a credential speak for it under this number; False if anything of it is
        taken."""

    async def merchant_by_mobile(self, agent_id: str, mobile: str) -> Merchant | None:
        """The merchant that an agent knows by this mobile."""

    async def merchant_by_username(self, agent_id: str, username: str) -> Merchant | None:
        """The merchant that an agent knows by this user name."""

    async def merchants(self, limit: int) -> Sequence[Merchant]:
        """All merchants, by id."""

    async def credentials(self, merchant_id: str = "") -> Sequence[CredentialSummary]:
        """The credentials that speak for a merchant, or all, by dialect and login; without their secrets."""

    async def put_credential(self, credential: Credential, act: Act | None = None) -> None:
        """Write or replace a credential, whatever version is there. It speaks for its merchants from then on, and still
        for those that others brought in."""

    async def add_credential(self, credential: Credential, act: Act) -> bool:
        """Write a new credential and its merchants; False if its login is taken."""

    async def move_credential(self, credential: Credential, act: Act | None = None) -> bool:
        """Replace a credential, all but the merchants it speaks for; False if it is not of this version any more."""

    async def add_mandate(self, dialect: str, login: str, number: str, merchant_id: str, act: Act) -> bool:
        """Let a credential speak for one merchant more; False if it calls somebody by this number already."""

    async def drop_mandate(self, dialect: str, login: str, number: str, act: Act) -> bool:
        """A credential speaks for the merchant of this number no more; False if it did not."""

    async def put_agent(self, agent: Agent, act: Act | None = None) -> None:
        """Write or replace an agent."""

    async def add_agent(self, agent: Agent, credential: Credential | None, act: Act) -> bool:
        """Write a new agent, its first credential with it if one is given; False if its id or the login is taken."""

    async def agents(self) -> Sequence[Agent]:
        """All agents, by id."""

    async def add_shop(self, shop: Shop, act: Act) -> bool:
        """Write a new shop; False if its id is taken."""

    async def shops_of(self, merchant_id: str) -> Sequence[Shop]:
        """A merchant's shops, by id."""

    async def add_operator(self, operator: Operator, act: Act) -> bool:
        """Write a new operator; False if the id is taken."""

    async def move_operator(self, before: Operator, after: Operator, act: Act) -> bool:
        """Replace an operator; False if it is no longer so."""

    async def operators_of(self, merchant_id: str) -> Sequence[Operator]:
        """A merchant's operators, by id."""

    async def put_device(self, device: Device, credential: Credential | None = None, act: Act | None = None) -> None:
        """Write or replace a device, its credential with it if it has one, whatever version is there."""

    async def add_device(self, device: Device, credential: Credential | None, act: Act | None) -> bool:
        """Write a new device, its new credential with it if it has one; False if its number or login is taken."""

    async def move_device(self, device: Device, credential: Credential | None, act: Act) -> bool:
        """Replace a device, and its credential with it if one is given (see move_credential); False if either is not of
        this version any more."""

    async def device(self, dialect: str, device_id: str) -> Device | None:
        """One device."""

    async def devices(self, merchant_id: str = "") -> Sequence[Device]:
        """A merchant's devices, or all, by dialect and number."""

    async def put_code(
        self,
        code: OneTimeCode,
        act: Act | None = None,
        *,
        not_since_ms: int | None = None,
        device: Device | None = None,
    ) -> bool:
        """Keep a one-time code in place of the holder's former one; False if that one was made after `not_since_ms`, or
        if `device`, which is written with it, is not of this version any more."""

    async def use_code(self, purpose: str, digest: str, now_ms: int, holder: str) -> bool:
        """Use the holder's code up; False when it is another, used, too old or out of tries. Each call costs one try,
        whatever comes of it."""

    async def code_holder(self, purpose: str, digest: str, now_ms: int) -> str | None:
        """Whose code this is; None when there is no such code, or it is used, too old or out of tries."""

    async def activate_device(self, device: Device, purpose: str, digest: str, act: Act) -> bool:
        """Replace a device and use up the code that it came with, at the time of the act; False if the device is not of
        this version any more, or the code cannot be used."""

    async def saw(self, sighting: Sighting) -> None:
        """Remember when and from where a credential was last used."""

    async def sightings(self) -> Sequence[Sighting]:
        """When each credential was last used."""

    async def seen_at(self, peer: str, since_ms: int) -> Sequence[Sighting]:
        """The credentials last used from this address, not longer ago."""

    async def acts(self, limit: int, merchant_id: str = "") -> Sequence[Act]:
        """What was done, newest first; of one merchant, or of all."""


class Store(Register, Protocol):
    """Where facts are durable. Every write is one transaction that touches one merchant, and when it returns it is on
    disk. Safety is in the rows: unique (merchant, order number), unique live (merchant, payer's code), unique
    (merchant, refund number), versions in the WHERE, and CHECK constraints."""

    async def add_payment(self, payment: Payment) -> bool:
        """Write a new payment; False when its order number, or the payer's code, is held by another."""

    async def move_payment(
        self, before: Payment, after: Payment, postings: Sequence[Posting] = (), notice: Notice | None = None
    ) -> bool:
        """Replace `before` by `after` (one version up) with its postings and notice; False if it is no longer so."""

    async def payment(self, merchant_id: str, ref: PaymentRef) -> Payment | None:
        """One payment, by the merchant's number if given, else by ours."""

    async def payment_of_code(self, merchant_id: str, code_digest: str) -> Payment | None:
        """The payment that holds a payer's code."""

    async def has_payments(self, merchant_id: str) -> bool:
        """Whether the merchant has had any payment: from then on its currency is fixed."""

    async def takings(
        self, merchant_id: str, dialect: str, login: str, since_ms: int, until_ms: int, detail: str = ""
    ) -> Sequence[Takings]:
        """What one login took and gave back from one moment to just before another, by method, wallet and, if one is
        named, a detail of the orders; in that order."""

    async def parked_payments(self, limit: int) -> Sequence[Payment]:
        """Payments of all merchants that wait for a person, oldest first."""

    async def claim_payments(
        self, now_ms: int, lease_ms: int, limit: int, busy: Collection[str] = ()
    ) -> Sequence[Payment]:
        """Payments that are due, each moved one version up and due again only when the lease is over; those at the
        channels that are `busy` are left out."""

    async def add_refund(self, refund: Refund) -> RefundPlaced:
        """Write a new refund and reserve its amount on its payment, both or neither."""

    async def move_refund(self, before: Refund, change: RefundChange) -> bool:
        """Replace a refund and change its payment's sums with it; False if `before` is no longer so."""

    async def refund(self, merchant_id: str, ref: RefundRef) -> Refund | None:
        """One refund, by the merchant's number if given, else by ours."""

    async def refunds_of(self, merchant_id: str, payment_id: str) -> Sequence[Refund]:
        """All refunds of a payment, oldest first."""

    async def claim_refunds(
        self, now_ms: int, lease_ms: int, limit: int, busy: Collection[str] = ()
    ) -> Sequence[Refund]:
        """As claim_payments."""

    async def notices_of(self, merchant_id: str, payment_id: str) -> Sequence[Notice]:
        """All notices of a payment, oldest first."""

    async def exhausted_notices(self, limit: int) -> Sequence[Notice]:
        """Notices of all merchants that nobody heard, oldest first."""

    async def move_notice(self, before: Notice, after: Notice) -> bool:
        """Replace a notice; False if it is no longer so."""

    async def claim_notices(
        self, now_ms: int, lease_ms: int, limit: int, busy: Collection[str] = ()
    ) -> Sequence[Notice]:
        """As claim_payments, leaving out notices for the receivers that are `busy`."""

    async def next_due_ms(self, kind: DueKind, busy: Collection[str] = ()) -> int | None:
        """When the earliest row of this kind is due, those at `busy` places left out; None when nothing is."""

    async def take_node(self, now_ms: int, until_ms: int) -> int:
        """A node number that no other process holds; it is ours until then."""

    async def keep_node(self, node: int, held_until_ms: int, until_ms: int) -> bool:
        """Hold the number for longer; False if it is ours no more."""

    async def postings_of(self, merchant_id: str, payment_id: str) -> Sequence[Posting]:
        """A payment's postings, oldest first."""

    async def audit(self) -> Sequence[str]:
        """Every disagreement between the ledger and the payments, in words; empty when the books are right."""

    async def close(self) -> None:
        """Finish what is in hand and let go."""


class Clock(Protocol):
    """Time. In demo mode it can be moved on; in tests it stands still until told."""

    def now_ms(self) -> int:
        """Milliseconds since 1970."""

    async def sleep_ms(self, ms: int) -> None:
        """Wait that long on this clock."""


#: Lower case, so that nobody has to tell them apart when they are read out.
LETTERS_AND_DIGITS = "abcdefghijklmnopqrstuvwxyz0123456789"


class Chance(Protocol):
    """Randomness, for nonces, keys, codes and tickets."""

    def token(self, length: int, alphabet: str = LETTERS_AND_DIGITS) -> str:
        """`length` characters of the alphabet that nobody can guess."""


class Aside(Protocol):
    """How what computes for long is done: beside the loop that serves everybody."""

    async def __call__(self, work: Work[T]) -> T:
        """What the work returns, or raises."""


class Unreachable(Exception):
    """No answer came: it could not be sent, or nothing readable came back. It may have arrived all the same."""


class NeverSent(Unreachable):
    """No connection could be made, so nothing has gone out."""


class Send(Protocol):
    """How a client reaches its server: one origin, known to whoever made this."""

    async def __call__(self, request: HttpRequest) -> HttpResponse:
        """The answer. Raises Unreachable."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A notice as it goes out."""

    body: bytes
    content_type: str
    headers: Mapping[str, str] = field(default_factory=dict)  # the vendor's own, such as a signature over the body


class Post(Protocol):
    """How notices go out, to addresses that merchants name. The address is checked again when it is connected."""

    async def __call__(self, url: str, letter: Letter, timeout_ms: int) -> HttpResponse:
        """The answer, its body cut at 4 KiB; redirects are not followed. Raises Unreachable."""


class Sms(Protocol):
    """How a short message reaches a person."""

    async def __call__(self, mobile: str, text: str) -> None:
        """Hand it over. Raises Unreachable when it may not have been taken."""


class NoticeForm(Protocol):
    """How a dialect tells a merchant that an order was paid."""

    @property
    def delays_ms(self) -> Sequence[int]:
        """How long to wait before each try; as many tries as there are delays."""

    @property
    def timeout_ms(self) -> int:
        """How long the merchant may take to acknowledge."""

    def facts(self, payment: Payment) -> Mapping[str, str]:
        """What the notice will say, frozen when it is written."""

    def encode(self, notice: Notice, credential: Credential, now_ms: int, nonce: str) -> Letter:
        """The notice as it goes out now, signed with the credential's key of the moment, or with the one that the
        vendor keeps for notices alone: then it is the credential's password."""

    def acknowledged(self, response: HttpResponse) -> bool:
        """True when the merchant says it heard."""


class Panel(Protocol):
    """The front of a payment terminal: screen, card reader, camera, keys and printer, with the people who use them. One
    thing is asked at a time."""

    def show(self, sight: Sight) -> None:
        """Put this on the screen."""

    async def present(self, way: Way, timeout_ms: int) -> Secret | Left:
        """What a person presents, or why nobody did."""

    async def pause(self, ms: int) -> Left | None:
        """Wait that long; sooner when the red key is pressed or the register takes its request back."""

    def withdraw(self) -> None:
        """The register takes its request back: `present` or `pause`, if one is under way, ends as WITHDRAWN."""

    async def print(self, receipt: Receipt) -> None:
        """Put it on paper. Raises OSError when there is none."""

    def go_home(self) -> None:
        """Leave the payment's page, as some registers ask for when it is done."""


class Terminal(Protocol):
    """A machine on the counter that a register drives, and that takes payments on the gateway."""

    async def handle(self, request: HttpRequest) -> HttpResponse:
        """Answer a request that came by HTTP. Any number may be under way at once."""

    async def answer(self, message: bytes) -> bytes:
        """Answer a message that came over another line, without that line's framing; likewise."""

    def is_whole(self, message: bytes) -> bool:
        """Whether bytes from a line that marks no ends are a whole message. False when that cannot be told at once."""

    def stop(self) -> None:
        """It is being switched off: what waits for a person is taken back, as if the register had asked for that, and
        told."""


class Journal(Protocol):
    """An append-only file of lines, for the sandbox wallet's own book."""

    def lines(self) -> Sequence[bytes]:
        """What was written before, oldest first; an unfinished last line is left out."""

    async def append(self, line: bytes) -> None:
        """Write a line (without its end); returns when it is durable. Lines stand in the order of the calls. Raises
        OSError when it cannot be written; whether it was is then unknown, as it is when the caller is cancelled."""

    async def close(self) -> None:
        """Finish what is in hand and let go."""


class Watch(Protocol):
    """Who is told what happens: logs and metrics. Fields never hold a key, a full pay code or a signature."""

    def note(self, event: str, **fields: str | int) -> None:
        """Something happened."""

    def alarm(self, event: str, **fields: str | int) -> None:
        """A person must look."""

    def fault(self, where: str, fault: Exception, **fields: str | int) -> None:
        """A bug of ours, caught: an alarm that tells where it was; what an exception says may hold secrets."""
