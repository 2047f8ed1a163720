"""Where facts are durable: `Register`, who is who; and `Store`, which keeps the money's rows beside it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from enum import StrEnum
from typing import Protocol

from anytill.core.device import Act, Device, OneTimeCode, Operator, Shop, Sighting
from anytill.core.ledger import Posting
from anytill.core.merchant import Agent, Credential, CredentialSummary, Merchant
from anytill.core.notice import Notice
from anytill.core.payment import Payment, PaymentRef, Refund, RefundRef
from anytill.core.settle import RefundChange
from anytill.core.takings import Takings


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

    async def join_merchant(
        self, before: Merchant, after: Merchant, dialect: str, login: str, number: str, act: Act
    ) -> bool:
        """Replace a merchant (see move_merchant) and let a credential speak for it under this number, both or neither;
        False if either cannot be."""

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

    async def move_refund(self, before: Refund, change: RefundChange, notice: Notice | None = None) -> bool:
        """Replace a refund and change its payment's sums with it, and write the notice of it, all or nothing; False if
        `before` is no longer so."""

    async def refund(self, merchant_id: str, ref: RefundRef) -> Refund | None:
        """One refund, by the merchant's number if given, else by ours."""

    async def refunds_of(self, merchant_id: str, payment_id: str) -> Sequence[Refund]:
        """All refunds of a payment, oldest first."""

    async def claim_refunds(
        self, now_ms: int, lease_ms: int, limit: int, busy: Collection[str] = ()
    ) -> Sequence[Refund]:
        """As claim_payments."""

    async def notices_of(self, merchant_id: str, payment_id: str) -> Sequence[Notice]:
        """All notices of a payment and of its refunds, oldest first."""

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
