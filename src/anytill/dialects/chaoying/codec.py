"""The envelope: a signed form in, signed JSON out, and the notices (sections 协议规则, 签名验证, 请求格式, 响应格式).

    POST /UnifiedPay/Gateway                       {"state":"SUCCESS","code":"10000",
    method=pay&agent_id=…&pid=…&version=…           "trade_state":"SUCCESS","msg":"SUCCESS",
      &mch_id=…&…&sign=<32 hex>                     "mch_id":"…", …, "sign":"<32 HEX>"}

    sign = upper(md5("a=1&b=2&…" + "&key=" + KEY))   over the decoded names and values, `sign` and empty values left out

The calls of pay boxes are a GET instead, with the same fields and signature in the address.

Names are sorted by ASCII. Later versions of the document sort without regard to case, and the vendor's own tool sends
the digest in lower case, so both are accepted when verifying; what we emit is the order of v2.9.0 in upper case.

As empty values are outside the signature anybody can add or strip them: an empty field is an absent field from the
first line on. Fields that no table names are carried in the signature and never read. Since nothing is escaped in the
signed text, a value can hide further fields; `refuse_second_meaning` looks for them in requests, and its two sisters in
notices and answers. We sign no answer that could be read in a second way.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from anytill.core.ids import beijing_text
from anytill.core.secret import Secret
from anytill.dialects.chaoying.messages import ALWAYS_REQUIRED, FREE_TEXT, KNOWN_NAMES
from anytill.dialects.chaoying.rows import ANSWER_NAMES, ANSWER_TEXT, ANSWERS_ALWAYS, NOTICE_NAMES
from anytill.wire import jsontext, times
from anytill.wire.errors import BadField, BadSignature, Malformed, TooLarge, WireError
from anytill.wire.form import decode_form, decode_query, encode_form
from anytill.wire.http import FORM, HttpRequest
from anytill.wire.one_meaning import refuse_blurring, refuse_separators
from anytill.wire.signing import joined, md5_upper, same_digest

MAX_BODY: Final = 256 * 1024
MAX_QUERY: Final = 8 * 1024
NOTICE_HEARD: Final = "success"
_GOODS_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")
_COUNT = re.compile(r"[1-9][0-9]{0,9}")
_PRICE = re.compile(r"0|[1-9][0-9]{0,9}")
_VERSION_ZERO = re.compile(r"0+(?:\..*)?")


@dataclass(frozen=True, slots=True)
class Signed:
    """How a message was found to be signed: answers use the same key, and the guard needs the same order."""

    key: Secret
    fold_case: bool = False


def decode_request(request: HttpRequest) -> dict[str, str]:
    """The fields of a POST form, empty ones left out. Raises WireError."""
    if request.method != "POST" or request.media_type not in ("", FORM):
        raise Malformed("the request must be a POST of form fields")
    if request.query:
        # It would be outside the form that is signed, or a second place for its fields.
        raise Malformed("fields must be in the body, not in the address")
    return decode_fields(request.body)


def decode_link(request: HttpRequest) -> dict[str, str]:
    """The fields of a GET's address, empty ones left out. Raises WireError."""
    if request.method != "GET" or request.body:
        raise Malformed("the request must be a GET with its fields in the address")
    if len(request.query) > MAX_QUERY:
        raise TooLarge(f"more than {MAX_QUERY} characters")
    return {name: value for name, value in decode_query(request.query).items() if value}


def decode_fields(body: bytes) -> dict[str, str]:
    """The fields of a form, empty ones left out. Raises WireError."""
    if len(body) > MAX_BODY:
        raise TooLarge(f"more than {MAX_BODY} bytes")
    return {name: value for name, value in decode_form(body).items() if value}


def signature(fields: Mapping[str, str], key: Secret, *, fold_case: bool = False) -> str:
    """The digest of everything but `sign` and what is empty, in upper-case hex."""
    return md5_upper(f"{joined(fields, keep_empty=False, fold_case=fold_case)}&key={key.reveal()}")


def verify(fields: Mapping[str, str], keys: Sequence[Secret]) -> Signed:
    """Which key signed the fields, in which order. Raises BadSignature, also when there is no signature."""
    given = fields.get("sign", "")
    # The two orders can differ only where names of both cases meet.
    orders = (False,) if "".join(fields).islower() else (False, True)
    for fold_case in orders:
        for key in keys:
            if same_digest(signature(fields, key, fold_case=fold_case), given):
                return Signed(key, fold_case)
    raise BadSignature


def refuse_second_meaning(fields: Mapping[str, str], signed: Signed) -> None:
    """Raises WireError when other fields would have the same signature."""
    refuse_blurring(fields)
    refuse_separators(fields, FREE_TEXT, KNOWN_NAMES, required=ALWAYS_REQUIRED, fold_case=signed.fold_case)


def refuse_second_notice(fields: Mapping[str, str], signed: Signed) -> None:
    """The same for a notice. Raises Ambiguous."""
    refuse_separators(fields, None, NOTICE_NAMES, fold_case=signed.fold_case)


def refuse_second_answer(fields: Mapping[str, str], signed: Signed) -> None:
    """The same for an answer. Raises WireError."""
    refuse_blurring(fields)
    refuse_separators(fields, ANSWER_TEXT, ANSWER_NAMES, required=ANSWERS_ALWAYS, fold_case=signed.fold_case)


def encode_signed_form(fields: Mapping[str, str], key: Secret) -> bytes:
    """A form body with its signature: names in the order in which they are signed, empty values left out."""
    kept = {name: fields[name] for name in sorted(fields) if fields[name]}
    return encode_form({**kept, "sign": signature(kept, key)})


def encode_answer(fields: Mapping[str, str], key: Secret | None) -> bytes:
    """An answer's JSON, signed unless there is no key; every value is a string, or a `Number` where one is meant.

    A text of somebody else's (`attach`, a merchant's name) that could be read as fields of ours loses its ampersands to
    full-width ones: such an answer could be told in another way under the same signature.
    """
    if key is None:
        return jsontext.encode({**fields})
    try:
        refuse_second_answer(fields, Signed(key))
    except WireError:
        fields = {name: value.replace("&", "＆") if "&" in value else value for name, value in fields.items()}
    return jsontext.encode({**fields, "sign": signature(fields, key)})


def decode_answer(body: bytes) -> dict[str, str]:
    """An answer's members as texts, null and empty ones left out. Raises WireError."""
    answer: dict[str, str] = {}
    for name, value in jsontext.decode(body).items():
        if isinstance(value, str):
            if value:
                answer[name] = str(value)
        elif value is not None:
            raise Malformed("a member is neither a text nor a number", field=name)
    return answer


def decode_list(text: str, name: str) -> list[dict[str, str]]:
    """A list of flat objects that travels as JSON text in the field `name`. Raises WireError."""
    rows = _array(text, name)
    found: list[dict[str, str]] = []
    for row in rows:
        if not isinstance(row, dict):
            raise BadField(name, "a list of objects")
        found.append({key: str(value) for key, value in row.items() if isinstance(value, str)})
    return found


def encode_list(rows: Sequence[Mapping[str, str]]) -> str:
    """Flat objects as JSON text."""
    whole = jsontext.encode({"": [dict(row) for row in rows]}).decode()
    return whole[len('{"":') : -1]


def check_goods(text: str) -> None:
    """Raises WireError unless the text is a `goods_detail`: an array of goods with id, quantity and price in fen."""
    for goods in _array(text, "goods_detail"):
        if not isinstance(goods, dict):
            raise BadField("goods_detail", "a list of objects")
        good = (
            _matches(goods.get("goods_id"), _GOODS_ID)
            and _matches(goods.get("quantity"), _COUNT)
            and _matches(goods.get("price"), _PRICE)
        )
        if not good:
            raise BadField("goods_detail", "goods with goods_id, quantity and price")


def too_old(version: str) -> bool:
    """Whether a well-formed version is below 1.0."""
    return _VERSION_ZERO.fullmatch(version) is not None


def format_time(at_ms: int) -> str:
    """yyyyMMddHHmmss in Beijing."""
    return beijing_text(at_ms)


def parse_time(text: str, name: str) -> int:
    """Milliseconds since 1970 from yyyyMMddHHmmss, or from the dashed form of one sample. Raises BadField."""
    return times.parse_time(text, name, (times.BARE, times.DASHED))


def _array(text: str, name: str) -> list[jsontext.Json]:
    if not text.startswith("["):
        raise BadField(name, "a JSON array")
    wrapped = jsontext.decode(f'{{"":{text}}}'.encode())
    value = wrapped[""]
    # A second member would have closed the array and written on.
    if not isinstance(value, list) or len(wrapped) != 1:
        raise BadField(name, "a JSON array")
    return value


def _matches(value: jsontext.Json, pattern: re.Pattern[str]) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None
