"""The envelope: bytes to messages and back.

Source: the vendor's document, chapters on transport and signature.

    request, notice    app=...&content={"order_no":"A-1",...}&sign=9f86d0...      a form in UTF-8
    answer             {"content": "{\\"state\\":\\"PAID\\",...}", "sign": "9f86d0..."}
    failure            content is {"error": "ORDER_CONFLICT", "text": "..."}; signed too, unless nobody was proved

    sign               HMAC-SHA256(key, what LF app LF content) in hex; `what` is the call, or `notice`

The signed text has one reading: neither `what` nor `app` can hold a line feed, and `content` is taken as it was sent.
Inside it a key that occurs twice is refused, and so is a field that no table names.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from anytill.core.secret import Secret
from anytill.dialects.dialect_template.messages import (
    PAYMENT_FIELDS,
    REFUND_FIELDS,
    REQUESTS,
    Failure,
    Field,
    GiveBack,
    Pay,
    PaymentTold,
    RefundTold,
)
from anytill.wire import jsontext
from anytill.wire.errors import BadField, BadSignature, Malformed, MissingField, TooLarge
from anytill.wire.form import decode_form, encode_form
from anytill.wire.http import FORM, HttpRequest
from anytill.wire.jsontext import Json, Number
from anytill.wire.signing import same_digest

MAX_BODY: Final = 64 * 1024
APP: Final = re.compile(r"[!-~]{1,64}")
_ENVELOPE: Final = frozenset({"app", "content", "sign"})


@dataclass(frozen=True, slots=True)
class Envelope:
    """A signed message whose signature has not been looked at."""

    app: str
    content: str
    sign: str


def sign(what: str, app: str, content: str, key: Secret) -> str:
    """The signature of a content that is sent as `what`, in lower-case hex."""
    text = f"{what}\n{app}\n{content}"
    return hmac.new(key.reveal().encode(), text.encode(), hashlib.sha256).hexdigest()


def open_form(request: HttpRequest) -> Envelope:
    """The envelope of a request or a notice. Raises WireError."""
    if len(request.body) > MAX_BODY:
        raise TooLarge(f"more than {MAX_BODY} bytes")
    if request.query or request.media_type not in ("", FORM):
        raise Malformed("not a form in the body alone")
    fields = decode_form(request.body)
    for name in sorted(fields.keys() ^ _ENVELOPE):
        if name in _ENVELOPE:
            raise MissingField(name)
        raise BadField(name, "left out")
    if not APP.fullmatch(fields["app"]):
        raise BadField("app", "1 to 64 visible characters")
    return Envelope(fields["app"], fields["content"], fields["sign"])


def signing_key(what: str, envelope: Envelope, keys: Sequence[Secret]) -> Secret:
    """The key, of those given, that signed the envelope as `what`. Raises BadSignature when none did."""
    for key in keys:
        if same_digest(sign(what, envelope.app, envelope.content, key), envelope.sign):
            return key
    raise BadSignature


def seal_form(what: str, app: str, content: Mapping[str, Json], key: Secret) -> bytes:
    """A signed request or notice."""
    text = jsontext.encode({**content}).decode()
    return encode_form({"app": app, "content": text, "sign": sign(what, app, text, key)})


def seal_answer(what: str, app: str, content: Mapping[str, Json], key: Secret | None) -> bytes:
    """A signed answer; without a key the signature is empty."""
    text = jsontext.encode({**content}).decode()
    return jsontext.encode({"content": text, "sign": sign(what, app, text, key) if key else ""})


def open_answer(body: bytes, app: str) -> Envelope:
    """The envelope of an answer that `app` was given. Raises WireError."""
    answer = jsontext.decode(body)
    return Envelope(app, _text(answer, "content"), _text(answer, "sign"))


def read_request(what: str, content: str) -> dict[str, str]:
    """The fields of a request, each as its table wants it. Raises WireError."""
    return _read(content, REQUESTS[what])


def read_pay(content: Mapping[str, str]) -> Pay:
    """A request to pay, from its fields."""
    return Pay(
        order_no=content["order_no"],
        amount_fen=int(content["amount"]),
        subject=content["subject"],
        auth_code=Secret(content["auth_code"]),
        notify_url=content.get("notify_url", ""),
        attach=content.get("attach", ""),
    )


def pay_content(pay: Pay) -> dict[str, Json]:
    """The fields of a request to pay."""
    content: dict[str, Json] = {
        "order_no": pay.order_no,
        "amount": pay.amount_fen,
        "subject": pay.subject,
        "auth_code": pay.auth_code.reveal(),
    }
    optional = {"notify_url": pay.notify_url, "attach": pay.attach}
    return content | {name: value for name, value in optional.items() if value}


def read_give_back(content: Mapping[str, str]) -> GiveBack:
    """A request to refund, from its fields."""
    return GiveBack(content["order_no"], content["refund_no"], int(content["amount"]))


def give_back_content(order: GiveBack) -> dict[str, Json]:
    """The fields of a request to refund."""
    return {"order_no": order.order_no, "refund_no": order.refund_no, "amount": order.amount_fen}


def payment_content(told: PaymentTold) -> dict[str, Json]:
    """The fields of an answer or notice about a payment."""
    return {
        "payment_id": told.payment_id,
        "order_no": told.order_no,
        "state": told.state,
        "amount": told.amount_fen,
        "paid": told.paid_fen,
        "wallet": told.wallet,
        "reason": told.reason,
    }


def read_payment(content: str) -> PaymentTold:
    """The inverse of payment_content. Raises WireError."""
    found = _read(content, PAYMENT_FIELDS)
    return PaymentTold(
        payment_id=found["payment_id"],
        order_no=found["order_no"],
        state=found["state"],
        amount_fen=int(found["amount"]),
        paid_fen=int(found["paid"]),
        wallet=found["wallet"],
        reason=found.get("reason", ""),
    )


def refund_content(told: RefundTold) -> dict[str, Json]:
    """The fields of an answer about a refund."""
    return {
        "refund_id": told.refund_id,
        "refund_no": told.refund_no,
        "order_no": told.order_no,
        "state": told.state,
        "amount": told.amount_fen,
        "refunded": told.refunded_fen,
        "reason": told.reason,
    }


def read_refund(content: str) -> RefundTold:
    """The inverse of refund_content. Raises WireError."""
    found = _read(content, REFUND_FIELDS)
    names = found["refund_id"], found["refund_no"], found["order_no"]
    numbers = int(found["amount"]), int(found["refunded"])
    return RefundTold(*names, found["state"], *numbers, found.get("reason", ""))


def failure_content(failure: Failure) -> dict[str, Json]:
    """The fields of a failure."""
    return {"error": failure.error, "text": failure.text}


def read_failure(content: str) -> Failure | None:
    """The failure that a content tells of, if it is one. Raises WireError."""
    members = jsontext.decode(content.encode("utf-8", "surrogatepass"))
    return Failure(_text(members, "error"), _text(members, "text")) if "error" in members else None


def _read(content: str, table: Sequence[Field]) -> dict[str, str]:
    """The members of a JSON content as texts, numbers as their digits. Raises WireError."""
    members = jsontext.decode(content.encode("utf-8", "surrogatepass"))
    found: dict[str, str] = {}
    for row in table:
        value = members.pop(row.name, None)
        if value is None:
            if row.required:
                raise MissingField(row.name)
            continue
        if not isinstance(value, str) or isinstance(value, Number) is not row.number:
            raise BadField(row.name, "a number" if row.number else "a text")
        if not row.pattern.fullmatch(value):
            raise BadField(row.name, "in the form that is laid down for it")
        found[row.name] = str(value)
    for name in members:
        raise BadField(name, "left out, as it is no field of this message")
    return found


def _text(members: Mapping[str, Json], name: str) -> str:
    value = members.get(name)
    if not isinstance(value, str) or isinstance(value, Number):
        raise BadField(name, "a text")
    return value
