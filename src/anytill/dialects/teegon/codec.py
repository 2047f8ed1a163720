"""Teegon's envelope: bytes to signed fields to messages, and back.

Source: 接口调用说明 of both calls and 附录：签名与验签.

    request, notice    amount=0.01&auth_code=...&sign=FF9F93DB...        a form in UTF-8

    sign               MD5( secret  amount0.01auth_code...  secret )     upper-case hex
                                    |
                                    '-- names and values run together, by name in ASCII order, without sign;
                                        values as decoded, an empty one leaves its bare name

    answer             {"result": {...}}                                 a charge
                       {"result": {...}, "error": null}                  a status
                       {"error": "text", "result": ""}                   the failure form, with HTTP 200 too

Answers carry no signature: none of the vendor's samples has one, and the till reads them over its own TLS connection.

Strategy: a request is first decoded into fields, then proved authentic, and only then looked at field by field.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

from anytill.core.errors import UnknownCredential
from anytill.core.secret import Secret
from anytill.dialects.teegon.messages import (
    BARCODE_PAY,
    CHARGE_FIELDS,
    CHARGE_RESULT_KEYS,
    ECHOED,
    NOTICE_FIELDS,
    ON,
    OPTION_DROP_EMPTY,
    OPTION_SECRET_INSTEAD_OF_SIGN,
    STATUS_FIELDS,
    TITLES,
    Charge,
    ChargeResult,
    Failure,
    Field,
    StatusQuery,
    StatusResult,
)
from anytill.dialects.teegon.words import (
    AMBIGUOUS_TEXT,
    BAD_FIELD_TEXT,
    FIELD_REFUSALS,
    MISSING_TEXT,
    REFUSALS,
    TOO_LONG_TEXT,
    UNKNOWN_FIELD_TEXT,
    UNREADABLE_TEXT,
)
from anytill.wire import http, jsontext
from anytill.wire.amounts import fen_from_number_text, format_yuan, parse_yuan, yuan_number
from anytill.wire.concatenation import Concatenation
from anytill.wire.errors import Ambiguous, BadField, BadSignature, Malformed, MissingField, TooLarge, WireError
from anytill.wire.form import decode_form, encode_form
from anytill.wire.http import HttpRequest, HttpResponse
from anytill.wire.jsontext import Json, Number
from anytill.wire.signing import concatenated, md5_upper, same_digest

MAX_BODY_BYTES: Final = 64 * 1024
_SECONDS = re.compile(r"0|[1-9][0-9]{0,10}")


@dataclass(frozen=True, slots=True)
class _Table:
    """A message's rows, ready for checking."""

    lengths: Mapping[str, int]
    grammars: Mapping[str, re.Pattern[str]]
    required: tuple[str, ...]
    concatenation: Concatenation

    @classmethod
    def of(cls, rows: Sequence[Field]) -> Self:
        grammars = {row.name: re.compile(row.pattern) for row in rows}
        required = tuple(row.name for row in rows if row.required)
        concatenation = Concatenation(grammars, grammars=grammars, required=required)
        return cls({row.name: row.length for row in rows}, grammars, required, concatenation)

    def check(self, fields: Mapping[str, str]) -> None:
        """Refuses fields that are not in the table, too long, missing, of the wrong form, or readable otherwise."""
        for name, value in fields.items():
            if len(value) > self.lengths.get(name, len(value)):
                raise TooLarge("a value is too long", field=name)
        for name in self.required:
            if not fields.get(name):
                raise MissingField(name)
        self.concatenation.check(fields)


_CHARGE = _Table.of(CHARGE_FIELDS)
_STATUS = _Table.of(STATUS_FIELDS)
_NOTICE = _Table.of(NOTICE_FIELDS)
_NOTICE_ORDER = tuple(row.name for row in NOTICE_FIELDS)


# Signatures


def sign(fields: Mapping[str, str], secret: Secret) -> str:
    """The signature over all fields but `sign`."""
    key = secret.reveal()
    return md5_upper(f"{key}{concatenated(fields, keep_empty=True)}{key}")


def authenticate(fields: dict[str, str], secrets: Sequence[Secret], options: Mapping[str, str]) -> dict[str, str]:
    """The fields that are proved to come from a holder of one of the secrets. Raises BadSignature.

    Without empty fields when they were signed without (a client that drops them, if `options` allow it). A bare
    `client_secret` in place of a signature proves the same, if `options` allow that.
    """
    given = fields.get("sign", "")
    if not given:
        shown = Secret(fields.get("client_secret", ""))
        if options.get(OPTION_SECRET_INSTEAD_OF_SIGN) == ON and shown in secrets:
            return fields
        raise BadSignature
    if any(same_digest(sign(fields, secret), given) for secret in secrets):
        return fields
    if options.get(OPTION_DROP_EMPTY) == ON:
        filled = {name: value for name, value in fields.items() if value}
        if any(same_digest(sign(filled, secret), given) for secret in secrets):
            return filled
    raise BadSignature


# Requests


def takes_client_id(text: str) -> bool:
    """Whether this can be a `client_id`."""
    return 0 < len(text) <= _CHARGE.lengths["client_id"] and _CHARGE.grammars["client_id"].fullmatch(text) is not None


def decode_request(request: HttpRequest) -> dict[str, str]:
    """The fields of a request, all of them, not yet authentic. `client_id` is there and has its form."""
    if len(request.body) > MAX_BODY_BYTES:
        raise TooLarge(f"more than {MAX_BODY_BYTES} bytes")
    if request.query or request.media_type not in ("", http.FORM):
        raise Malformed("not a form in the body alone")
    fields = decode_form(request.body)
    client_id = fields.get("client_id")
    if not client_id:
        raise MissingField("client_id")
    if not takes_client_id(client_id):
        raise BadField("client_id", "letters and digits")
    if not fields.get("sign") and not fields.get("client_secret"):
        raise MissingField("sign")
    return fields


def encode_request(fields: Mapping[str, str], secret: Secret) -> bytes:
    """The signed form."""
    return encode_form({**fields, "sign": sign(fields, secret)})


def read_charge(fields: Mapping[str, str]) -> Charge:
    """A charge from authentic fields."""
    _CHARGE.check(fields)
    return Charge(
        client_id=fields["client_id"],
        notify_url=fields["notify_url"],
        order_no=fields["order_no"],
        amount_fen=parse_yuan(fields["amount"]),
        subject=fields["subject"],
        metadata=fields.get("metadata", ""),
        auth_code=Secret(fields["auth_code"]),
        echoed={name: fields[name] for name in ECHOED if fields.get(name)},
    )


def charge_fields(charge: Charge) -> dict[str, str]:
    """The fields of a charge, unsigned."""
    return {
        "order_no": charge.order_no,
        "channel": BARCODE_PAY,
        "amount": format_yuan(charge.amount_fen),
        "subject": charge.subject,
        "metadata": charge.metadata,
        "auth_code": charge.auth_code.reveal(),
        "notify_url": charge.notify_url,
        "client_id": charge.client_id,
        **charge.echoed,
    }


def read_status_query(fields: Mapping[str, str]) -> StatusQuery:
    """A status query from authentic fields."""
    _STATUS.check(fields)
    return StatusQuery(fields["client_id"], fields["charge_id"].strip(" "))


def status_fields(query: StatusQuery) -> dict[str, str]:
    """The fields of a status query, unsigned."""
    return {"charge_id": query.charge_id, "client_id": query.client_id}


def fault_text(fault: WireError) -> str:
    """What the vendor's `error` says about bytes that cannot be accepted: the field's name, never its value."""
    name = fault.field
    if isinstance(fault, BadSignature):
        return REFUSALS[UnknownCredential]
    if isinstance(fault, Ambiguous):
        return AMBIGUOUS_TEXT
    if name is None or isinstance(fault, Malformed):
        return UNREADABLE_TEXT
    if name not in TITLES:
        return UNKNOWN_FIELD_TEXT.format(name)
    if isinstance(fault, MissingField):
        return MISSING_TEXT.format(name, TITLES[name])
    if isinstance(fault, TooLarge):
        return TOO_LONG_TEXT.format(name, TITLES[name])
    if name in FIELD_REFUSALS:
        return REFUSALS[FIELD_REFUSALS[name]]
    return BAD_FIELD_TEXT.format(name, TITLES[name])


# Answers


def charge_answer(result: ChargeResult) -> HttpResponse:
    """The answer to a charge: every key of the vendor's sample, in its order."""
    keys: dict[str, Json] = {
        **CHARGE_RESULT_KEYS,
        "id": result.charge_id,
        "domain_id": result.domain_id,
        "orderno": result.order_no,
        "channel": result.channel,
        "amount": Number(yuan_number(result.amount_fen)),
        "real_amount": Number(yuan_number(result.real_amount_fen)),
        "subject": result.subject,
        "time_expire": result.time_expire_s,
        "notify_url": result.notify_url,
        "auth_code": result.auth_code,
        "buyer_account": result.buyer_account,
        "description": result.channel,
        "paid": result.paid,
        "refunded": result.amount_refunded_fen > 0,
        "time_paid": result.time_paid_s,
        "created": result.created_s,
        "transaction_no": result.transaction_no,
        "amount_refunded": Number(yuan_number(result.amount_refunded_fen)),
        "metadata": result.metadata,
        "wx_openid": result.buyer_openid,
        "buyer_openid": result.buyer_openid,
        **result.echoed,
    }
    return http.json(jsontext.encode({"result": keys}))


def status_answer(result: StatusResult) -> HttpResponse:
    """The answer to a status query."""
    keys: dict[str, Json] = {
        "charge_id": result.charge_id,
        "order_no": result.order_no,
        "pay_channel": result.pay_channel,
        "trade_status": result.trade_status,
    }
    return http.json(jsontext.encode({"result": keys, "error": None}))


def failure_answer(error: str, *, status: int = 200) -> HttpResponse:
    """The failure form."""
    return http.json(jsontext.encode({"error": error, "result": ""}), status=status)


def decode_answer(response: HttpResponse) -> dict[str, Json] | Failure:
    """`result` as an object, or the failure. Raises WireError."""
    answer = jsontext.decode(response.body)
    error = answer.get("error")
    if error is None:
        result = answer.get("result")
        if not isinstance(result, dict):
            raise BadField("result", "an object")
        return result
    return Failure(_text(answer, "error"))


def read_charge_result(result: Mapping[str, Json]) -> ChargeResult:
    """The keys of a charge's `result` that say something; others are not looked at."""
    return ChargeResult(
        charge_id=_text(result, "id"),
        domain_id=_text(result, "domain_id"),
        order_no=_text(result, "orderno"),
        channel=_text(result, "channel"),
        amount_fen=_fen(result, "amount"),
        real_amount_fen=_fen(result, "real_amount"),
        subject=_text(result, "subject"),
        notify_url=_text(result, "notify_url"),
        auth_code=_text(result, "auth_code"),
        metadata=_text(result, "metadata"),
        created_s=_seconds(result, "created"),
        time_expire_s=_seconds(result, "time_expire"),
        time_paid_s=_seconds(result, "time_paid"),
        paid=_flag(result, "paid"),
        amount_refunded_fen=_fen(result, "amount_refunded"),
        transaction_no=_text(result, "transaction_no"),
        buyer_account=_text(result, "buyer_account"),
        buyer_openid=_text(result, "buyer_openid"),
        echoed={name: value for name in ECHOED if (value := _text(result, name))},
    )


def read_status_result(result: Mapping[str, Json]) -> StatusResult:
    """A status query's `result`."""
    names = ("charge_id", "order_no", "pay_channel", "trade_status")
    return StatusResult(*(_text(result, name) for name in names))


def _text(members: Mapping[str, Json], name: str) -> str:
    value = members.get(name)
    if not isinstance(value, str) or isinstance(value, Number):
        raise BadField(name, "a text")
    return value


def _flag(members: Mapping[str, Json], name: str) -> bool:
    value = members.get(name)
    if not isinstance(value, bool):
        raise BadField(name, "true or false")
    return value


def _fen(members: Mapping[str, Json], name: str) -> int:
    value = members.get(name)
    if not isinstance(value, Number):
        raise BadField(name, "a number")
    return fen_from_number_text(value, field=name)


def _seconds(members: Mapping[str, Json], name: str) -> int:
    value = members.get(name)
    if not isinstance(value, Number) or not _SECONDS.fullmatch(value):
        raise BadField(name, "a time in seconds")
    return int(value)


# Notices


def encode_notice(facts: Mapping[str, str], now_s: int, secret: Secret) -> bytes:
    """The signed form of a notice that is sent now."""
    known = {**facts, "timestamp": str(now_s)}
    fields = {name: known[name] for name in _NOTICE_ORDER if name in known}
    return encode_form({**fields, "sign": sign(fields, secret)})


def decode_notice(request: HttpRequest, secret: Secret) -> dict[str, str]:
    """The fields of a notice that the secret's holder sent. Raises WireError."""
    if len(request.body) > MAX_BODY_BYTES:
        raise TooLarge(f"more than {MAX_BODY_BYTES} bytes")
    fields = authenticate(decode_form(request.body), (secret,), {})
    _NOTICE.check(fields)
    return fields
