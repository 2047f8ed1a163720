"""The envelope: a signed form or query in, an XML element out (支付接口sign签名算法, 返回参数).

    GET /o2o-dm/op.php?action=read                  <dm ok="1" dm_id="dm2032972220" pay_type="…" pay_total="0.02"
      &device_id=57206&dm_id=dm2032972220             pay_time="2018-04-21 20:29:21" no="">
      &sign=<40 HEX>                                  <pay pay_type="4" pay_name="…" pay_total="0.02" …/></dm>

    sign = upper(sha1("a=1&b=2&…" + "&key=" + SECRETKEY))   over the decoded names and values, `sign` left out

Names are sorted by ASCII. The fields are in the address or in the body, never in both. The document does not say what
becomes of a field without a value: the digest with such fields and the digest without them are both accepted, and such
a field is an absent field from then on. The samples write digests in both cases; what we emit is upper case.

Answers are not signed. Nothing is escaped in the signed text, so a value can hide further fields: see
`refuse_second_meaning`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NewType
from xml.sax.saxutils import escape

from anytill.core.secret import Secret
from anytill.dialects.semoor.messages import ALWAYS_REQUIRED, FREE_TEXT, KNOWN_NAMES, XAML
from anytill.wire import flatxml
from anytill.wire.errors import BadSignature, Malformed, TooLarge
from anytill.wire.flatxml import Element
from anytill.wire.form import decode_form, decode_query, encode_form
from anytill.wire.http import FORM, HttpRequest
from anytill.wire.one_meaning import refuse_blurring, refuse_separators
from anytill.wire.signing import joined, same_digest, sha1_upper

MAX_BODY: Final = 64 * 1024
MAX_ANSWER: Final = 256 * 1024
ROOT: Final = "dm"
# What is markup, or a control character, or no character at all.
_SPECIAL: Final = re.compile("[^\n -!#-%'-;=?-\\x7e\u00a0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_QUOTES: Final = {'"': "&quot;", "\r": "&#13;", "\t": "&#9;"}
_HOST: Final = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252})|\[[0-9A-Fa-f:.]{2,45}\])(?::[1-9][0-9]{0,4})?")


@dataclass(frozen=True, slots=True)
class Signed:
    """What was signed: the key, and the fields as they stood in the signed text."""

    key: Secret
    fields: Mapping[str, str]


#: An answer's whole text. Most of what we write never changes, so it is filled in rather than built as a tree.
Answer = NewType("Answer", str)


def decode_request(request: HttpRequest) -> dict[str, str]:
    """The fields of a GET or POST, empty ones kept for the signature. Raises WireError."""
    if request.method not in ("GET", "POST"):
        raise Malformed("the request must be a GET or a POST")
    if request.body:
        if request.method == "GET" or request.query or request.media_type not in ("", FORM):
            raise Malformed("fields are in the address or in a form, not in both")
        return decode_fields(request.body)
    return decode_query(request.query)


def decode_fields(body: bytes) -> dict[str, str]:
    """The fields of a form, empty ones kept. Raises WireError."""
    if len(body) > MAX_BODY:
        raise TooLarge(f"more than {MAX_BODY} bytes")
    return decode_form(body)


def signed_text(fields: Mapping[str, str], *, keep_empty: bool = False) -> str:
    """What the key is appended to."""
    return joined(fields, keep_empty=keep_empty)


def signature(fields: Mapping[str, str], key: Secret, *, keep_empty: bool = False) -> str:
    """The digest of everything but `sign`, in upper-case hex."""
    return sha1_upper(f"{signed_text(fields, keep_empty=keep_empty)}&key={key.reveal()}")


def verify(fields: Mapping[str, str], keys: Sequence[Secret]) -> Signed:
    """Which key signed the fields. Raises BadSignature, also when there is no signature."""
    given = fields.get("sign", "")
    forms = (False, True) if "" in fields.values() else (False,)
    for keep_empty in forms:
        for key in keys:
            if same_digest(signature(fields, key, keep_empty=keep_empty), given):
                return Signed(key, fields if keep_empty else without_empty(fields))
    raise BadSignature


def without_empty(fields: Mapping[str, str]) -> dict[str, str]:
    """The fields that have a value."""
    return {name: value for name, value in fields.items() if value}


def refuse_second_meaning(signed: Signed) -> None:
    """Raises WireError when other fields would have the same signature.

    Readings with empty fields are looked at in any case, since such digests are accepted.
    """
    refuse_blurring(signed.fields)
    refuse_separators(signed.fields, FREE_TEXT, KNOWN_NAMES, required=ALWAYS_REQUIRED, keep_empty=True)


def encode_signed(fields: Mapping[str, str], key: Secret) -> bytes:
    """A form or query with its signature: names in the order in which they are signed, empty values left out."""
    kept = {name: fields[name] for name in sorted(fields) if fields[name]}
    return encode_form({**kept, "sign": signature(kept, key)})


def encode_fields(fields: Mapping[str, str]) -> bytes:
    """A form without a signature, as activation sends it."""
    return encode_form(fields)


def dm(attributes: Mapping[str, str], inside: str = "") -> Answer:
    """An answer of these attributes, with an inside that is XML already."""
    return Answer(element(ROOT, attributes, inside))


def element(name: str, attributes: Mapping[str, str], inside: str = "") -> str:
    """An element as text. Its names are ours, and its inside is XML already."""
    told = "".join([f' {key}="{quoted(value)}"' for key, value in attributes.items()])
    return f"<{name}{told}>{inside}</{name}>"


def quoted(text: str) -> str:
    """A text as it may stand in an attribute: a line feed would be read as a blank there."""
    return escaped(text).replace("\n", "&#10;")


def escaped(text: str) -> str:
    """A text as it may stand between tags, or between quotes if it is one line; what XML cannot hold is replaced."""
    if not _SPECIAL.search(text):
        return text  # nearly always
    return escape(flatxml.fit(text), _QUOTES)


def encode_answer(answer: Answer) -> bytes:
    """An answer's bytes."""
    return answer.encode()


def decode_answer(body: bytes) -> Element:
    """An answer as a client reads it: `dm` with attributes, and any of the documented children. Raises WireError."""
    return flatxml.parse_element(body, ROOT, max_bytes=MAX_ANSWER, namespaces=(XAML,))


def server_of(request: HttpRequest) -> str:
    """The address under which a device reaches us, from what it called us; empty when that is no plain host."""
    host = request.headers.get("host", "")
    return f"http://{host}" if _HOST.fullmatch(host) else ""
