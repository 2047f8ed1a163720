"""Telling merchants: a notice is written with the fact it reports and is sent until it is acknowledged.

A refund is told like its payment, whoever asked for it: in the words of the till that took the payment, to the address
of that order, signed with the key of that login. It becomes DONE once and stays so, so there is one notice of it.

At least once, never exactly once: a crash between sending and marking sends again, with the same business content.
Each try is signed with the key in force at that moment and waits as long as the vendor's schedule says. Nothing is
promised about the order: what tells of a refund may be heard before what tells of its payment.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from anytill.core.errors import UnknownCredential
from anytill.core.lifecycle import PaymentState
from anytill.core.notice import Notice, NoticeState
from anytill.core.payment import Payment, PaymentRef, Refund
from anytill.core.records import changed
from anytill.core.retry import SECOND
from anytill.gateway.directory import Directory
from anytill.gateway.parts import Parts
from anytill.ports import NoticeForm, Unreachable


def payment_notice(forms: Mapping[str, NoticeForm], payment: Payment, now_ms: int) -> Notice | None:
    """The notice of a payment that has just become PAID; None when nobody is to be told."""
    form = forms.get(payment.dialect)
    if form is None or not payment.notice_url:
        return None
    # A payment becomes PAID once, so no number has to be had for its notice.
    return _notice(form, payment, f"{payment.payment_id}P", form.facts(payment), now_ms)


def refund_notice(forms: Mapping[str, NoticeForm], payment: Payment, refund: Refund, now_ms: int) -> Notice | None:
    """The notice of a refund of this payment that has just become DONE; None when nobody is to be told."""
    form = forms.get(payment.dialect)
    if form is None or form.refund_facts is None or not payment.notice_url:
        return None
    facts = form.refund_facts(payment, refund)
    return _notice(form, payment, f"{refund.refund_id}R", facts, now_ms, refund.refund_id)


def _notice(
    form: NoticeForm, payment: Payment, notice_id: str, facts: Mapping[str, str], now_ms: int, refund_id: str = ""
) -> Notice:
    return Notice(
        merchant_id=payment.merchant_id,
        notice_id=notice_id,
        payment_id=payment.payment_id,
        dialect=payment.dialect,
        login=payment.login,
        url=payment.notice_url,
        receiver=urlsplit(payment.notice_url).hostname or "",
        refund_id=refund_id,
        facts=facts,
        created_at_ms=now_ms,
        due_at_ms=now_ms + form.delays_ms[0],
    )


class Notices:
    """Delivers notices that are due."""

    def __init__(self, parts: Parts, directory: Directory) -> None:
        self._parts = parts
        self._directory = directory

    async def put_back(self, notice: Notice) -> None:
        """Others of one claim were for the same receiver: this one waits without having been tried."""
        due_at_ms = self._parts.clock.now_ms() + SECOND
        await self._parts.store.move_notice(notice, changed(notice, due_at_ms=due_at_ms))

    async def attend(self, notice: Notice) -> None:
        """Send it once, and commit what came of it."""
        form = self._parts.forms[notice.dialect]
        started_ms = self._parts.clock.now_ms()
        if await self._taken_back(notice):
            after = changed(notice, state=NoticeState.WITHDRAWN, last_result="payment taken back", due_at_ms=None)
        else:
            heard, result = await self._send(form, notice, started_ms)
            after = _after(form, notice, heard, result, started_ms)
        if await self._parts.store.move_notice(notice, after):
            self._parts.watch.note(f"notice_{after.state.lower()}", notice_id=notice.notice_id)
            if after.state is NoticeState.EXHAUSTED:
                about = {"payment_id": notice.payment_id}
                if notice.refund_id:
                    about["refund_id"] = notice.refund_id
                self._parts.watch.alarm("notice_exhausted", notice_id=notice.notice_id, **about, tries=after.tries)

    async def _taken_back(self, notice: Notice) -> bool:
        """True when "paid" would no longer be the truth. What was paid and refunded in part or whole was paid; and what
        was given back stays given back, whatever a channel says of it afterwards (`core.lifecycle`)."""
        if notice.refund_id:
            return False
        payment = await self._parts.store.payment(notice.merchant_id, PaymentRef(payment_id=notice.payment_id))
        return payment is None or payment.state is not PaymentState.PAID

    async def _send(self, form: NoticeForm, notice: Notice, now_ms: int) -> tuple[bool, str]:
        try:
            credential = await self._directory.credential(notice.dialect, notice.login)
            letter = form.encode(notice, credential, now_ms, self._parts.chance.token(32))
            response = await self._parts.post(notice.url, letter, form.timeout_ms)
        except UnknownCredential:
            return False, "credential switched off"
        except Unreachable as fault:
            return False, str(fault)[:100] or "no answer"
        if form.acknowledged(response):
            return True, f"HTTP {response.status}"
        return False, f"HTTP {response.status}, not acknowledged"


def _after(form: NoticeForm, notice: Notice, heard: bool, result: str, started_ms: int) -> Notice:
    """The notice after a try: heard, due again when the vendor's schedule says, or out of tries."""
    tries = notice.tries + 1
    after = changed(notice, tries=tries, last_result=result, due_at_ms=None)
    if heard:
        return changed(after, state=NoticeState.DELIVERED)
    if tries >= len(form.delays_ms):
        return changed(after, state=NoticeState.EXHAUSTED)
    return changed(after, due_at_ms=started_ms + form.delays_ms[tries])
