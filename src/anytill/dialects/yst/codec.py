"""The envelopes (sections 2.5 and 2.6) and the signature of notices.

    POST …/unitive.api
    <request>                                             <response>
      <request_type>unitive_pay_request</request_type>      <timestamp>1426497738440</timestamp>
      <account>d0001</account>                              <data>base64(AES(answer))</data>
      <dsn>32 HEX</dsn>                                     <signature>MD5(dsn + timestamp + data)</signature>
      <data>base64(AES(<data>…</data>))</data>            </response>
      <signature>MD5(key + dsn + data)</signature>
    </request>

    dsn = MD5(lower(account) + key + MD5(password))         all MD5 in upper-case hex, nothing between the parts
    AES-128-CBC, filled with zero bytes; key = initial vector = the 16 characters of the key in requests,
                                                               the first 16 characters of the dsn in answers

Three things keep the weak construction from being worse than it must be. A request is decrypted only after its
signature was verified. Whatever has to do with keys is one error: an unknown account, another dsn, another signature,
text that is no base64, blocks that are none, a decrypted text that is no XML. And MD5(key + dsn + data) has one reading
only: dsn has exactly 32 hex digits, and data is canonical base64 of whole blocks, which a text that was made longer
without the key never is.

Who once saw a request has its dsn, and can read and forge each answer to it. Nothing but TLS helps against that.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from anytill.core.secret import Secret
from anytill.dialects.yst.messages import OLDER_NAMES
from anytill.wire import flatxml, times
from anytill.wire.ciphers import (
    BLOCK,
    decode_base64,
    decrypt_cbc,
    encode_base64,
    encrypt_cbc,
    unreadable,
    zero_filled,
)
from anytill.wire.errors import BadField, BadSignature, Malformed, MissingField, WireError
from anytill.wire.http import HttpResponse
from anytill.wire.one_meaning import refuse_separators
from anytill.wire.signing import joined, md5_upper, same_digest

MAX_BODY: Final = 64 * 1024
KEY_LENGTH: Final = 16
XML_UTF8: Final = "text/xml; charset=utf-8"
NOTICE_HEARD: Final = flatxml.encode("data", {"result": "Y", "message": "成功"})
_DSN: Final = re.compile(r"[0-9A-F]{32}")
_ENVELOPE: Final = ("request_type", "account", "dsn", "data", "signature")
_ANSWER: Final = ("timestamp", "data", "signature")
_TIMESTAMP: Final = re.compile(r"[0-9]{1,20}")
#: The vendor's SDK is given the key as base64 of a number and the key behind it.
_WRAPPED_KEY: Final = re.compile(r"[A-Za-z0-9+/]{22,62}={0,2}")
_WHITE_SPACE: Final = b"\t\r\n "
_BLANKS: Final = b"\0 \t\r\n"


@dataclass(frozen=True, slots=True)
class Envelope:
    """A request's outer document. `data` is base64 as it was received, white space included."""

    request_type: str
    account: str
    dsn: str
    data: str
    signature: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A decrypted answer: its fields, and the lines to print."""

    fields: Mapping[str, str]
    receipts: Sequence[str] = ()


def private_key(secret: Secret) -> str:
    """The 16 characters of a key, given as they are or as the vendor's SDK takes them. Raises ValueError."""
    text = secret.reveal()
    if len(text) != KEY_LENGTH and _WRAPPED_KEY.fullmatch(text) and len(text) % 4 == 0:
        text = b64decode(text).decode("latin-1")[-KEY_LENGTH:]
    if len(text) != KEY_LENGTH or not (text.isascii() and text.isprintable()):
        raise ValueError("a private key has 16 printable ASCII characters")
    return text


def dsn_of(account: str, key: str, password: str) -> str:
    """What stands for a terminal: account, key and password in one digest."""
    return md5_upper(account.lower() + key + md5_upper(password))


# Requests


def decode_outer(body: bytes) -> dict[str, str]:
    """The elements of a request's outer document, whichever they are. Raises WireError."""
    return flatxml.parse(body, "request", max_bytes=MAX_BODY)


def usable_dsn(fields: Mapping[str, str]) -> str:
    """The dsn that an answer can be encrypted under; empty if the one that was sent is none."""
    dsn = fields.get("dsn", "")
    return dsn if _DSN.fullmatch(dsn) else ""


def envelope_of(fields: Mapping[str, str]) -> Envelope:
    """Raises MissingField, or BadField for a dsn that is none."""
    for name in _ENVELOPE:
        if not fields.get(name):
            raise MissingField(name)
    if not usable_dsn(fields):
        raise BadField("dsn", "32位大写十六进制数字")
    return Envelope(*[fields[name] for name in _ENVELOPE])


def is_signed_by(envelope: Envelope, key: str, password: str) -> bool:
    """Whether dsn and signature are this terminal's. The text may be signed with its line breaks or without them."""
    good_dsn = same_digest(dsn_of(envelope.account, key, password), envelope.dsn)
    good = False
    for text in _readings(envelope.data):
        good |= same_digest(md5_upper(key + envelope.dsn + text), envelope.signature)
    return good_dsn and good


def decrypt_request(envelope: Envelope, key: str) -> dict[str, str]:
    """The inner fields of a request whose signature was verified. Raises WireError."""
    fields = _inner(_plain(envelope.data, key))
    for name in ("request_type", "dsn"):
        if not fields.get(name):
            raise MissingField(name)
    if request_name(fields["request_type"]) != request_name(envelope.request_type):
        raise BadField("request_type", "与外层报文一致的请求类型")
    if fields["dsn"] != envelope.dsn:
        raise BadField("dsn", "与外层报文一致的设备序列号")
    return fields


def request_name(request_type: str) -> str:
    """The name under which the tables know a request."""
    return OLDER_NAMES.get(request_type, request_type)


def encode_request(fields: Mapping[str, str], *, account: str, key: str, dsn: str) -> bytes:
    """A request whose inner fields, `request_type` among them, are given without the dsn; empty ones are left out."""
    request_type = fields["request_type"]
    kept = {"request_type": request_type, "dsn": dsn} | {name: value for name, value in fields.items() if value}
    data = _encrypted(flatxml.encode("data", kept), key)
    outer = (request_type, account, dsn, data, md5_upper(key + dsn + data))
    return flatxml.encode("request", dict(zip(_ENVELOPE, outer, strict=True)))


# Answers


def encode_answer(fields: Mapping[str, str], receipts: Sequence[str], *, dsn: str, now_ms: int) -> bytes:
    """An answer, encrypted under the request's dsn and signed with it."""
    timestamp = str(now_ms)
    data = _encrypted(_inner_answer(fields, receipts), dsn[:KEY_LENGTH])
    signature = md5_upper(dsn + timestamp + data)
    # Digits, base64 and hex: there is nothing that XML would want escaped.
    text = f"<timestamp>{timestamp}</timestamp><data>{data}</data><signature>{signature}</signature>"
    return f"<response>{text}</response>".encode()


def encode_open_answer(fields: Mapping[str, str], now_ms: int) -> bytes:
    """An answer to a request without a usable dsn: there is nothing to encrypt or to sign with."""
    rows = [(name, flatxml.fit(value)) for name, value in fields.items() if value]
    return flatxml.encode("response", {"timestamp": str(now_ms), "data": rows})


def decode_answer(body: bytes, dsn: str) -> Answer:
    """An answer to a request with this dsn, its signature verified. Raises WireError."""
    outer = flatxml.parse(body, "response", max_bytes=MAX_BODY)
    timestamp, data, signature = (outer.get(name, "") for name in _ANSWER)
    if not _TIMESTAMP.fullmatch(timestamp):
        raise BadField("timestamp", "milliseconds")
    if not any(same_digest(md5_upper(dsn + timestamp + text), signature) for text in _readings(data)):
        raise BadSignature
    element = flatxml.parse_element(_plain(data, dsn[:KEY_LENGTH]), "data", max_bytes=MAX_BODY, max_depth=4)
    fields = {name: text for name, text in flatxml.flat(element, besides=("receipts",)).items() if text}
    if fields.get("dsn", dsn) != dsn:
        raise BadField("dsn", "that of the request")
    receipts = element.one("receipts")
    lines = [line.text for line in receipts.all("line")] if receipts else []
    return Answer(fields, lines)


# Notices


def encode_notice(fields: Mapping[str, str], key: str) -> bytes:
    """A notice in plain XML with its `sign`; empty values are left out, so that both ways of signing them agree."""
    kept = {name: flatxml.fit(value) for name, value in fields.items() if value}
    return flatxml.encode("data", {**kept, "sign": notice_sign(kept, key)}, declaration=True)


def notice_sign(fields: Mapping[str, str], key: str) -> str:
    """MD5 over `a=1&b=2&…&key=KEY`, everything but `sign` sorted by name."""
    return md5_upper(f"{joined(fields, keep_empty=True)}&key={key}")


def decode_notice(body: bytes, key: str, names: Sequence[str], *, signed: bool) -> dict[str, str]:
    """A notice's fields; its signature is demanded unless `signed` is off. Raises WireError."""
    fields = flatxml.parse(body, "data", max_bytes=MAX_BODY)
    if signed or "sign" in fields:
        if not same_digest(notice_sign(fields, key), fields.get("sign", "")):
            raise BadSignature
        refuse_separators(fields, None, names, keep_empty=True)
    return fields


def is_heard(response: HttpResponse) -> bool:
    """Whether a receiver acknowledges a notice: status 200 and `<result>Y</result>`."""
    if response.status != 200:
        return False
    try:
        answer = flatxml.parse(response.body, "data")
    except WireError:
        return False
    return answer.get("result", "").strip() == "Y"


# Times


def server_time(at_ms: int) -> str:
    """`2015-06-09 11:17:48:751` in Beijing: a colon before the milliseconds."""
    return f"{times.format_time(at_ms)}:{at_ms % 1_000:03d}"


def _inner_answer(fields: Mapping[str, str], receipts: Sequence[str]) -> bytes:
    kept: dict[str, str | flatxml.Rows] = {name: value for name, value in fields.items() if value}
    if receipts:
        kept["receipts"] = [("line", line) for line in receipts]
    try:
        return flatxml.encode("data", kept)
    except ValueError:
        # A channel's words, or a shop's name, may hold anything.
        fit = flatxml.fit
        return _inner_answer({name: fit(value) for name, value in fields.items()}, [fit(line) for line in receipts])


def _readings(data: str) -> tuple[str, ...]:
    """The texts that may have been signed: as received, and without white space (old encoders wrap their lines)."""
    bare = _bare(data)
    return (data,) if bare == data else (data, bare)


def _bare(data: str) -> str:
    """Without line breaks and blanks. Bytes have a table for that, which text has not."""
    return data.encode().translate(None, _WHITE_SPACE).decode()


def _encrypted(plain: bytes, key: str) -> str:
    raw = key.encode()
    return encode_base64(encrypt_cbc(zero_filled(plain), key=raw, iv=raw))


def _plain(data: str, key: str) -> bytes:
    """The document without its filling. Raises Malformed, the same for whatever is wrong."""
    raw = key.encode()
    plain = decrypt_cbc(decode_base64(_bare(data)), key=raw, iv=raw)
    end = plain.rfind(b">") + 1
    if not end or not _is_filling(plain[end:]):
        raise unreadable()
    return plain[:end]


def _is_filling(tail: bytes) -> bool:
    """Zeros, blanks, or the PKCS7 filling that some libraries add by themselves; anything else is a second document."""
    return not tail.strip(_BLANKS) or (len(tail) == tail[-1] <= BLOCK and set(tail) == {tail[-1]})


def _inner(document: bytes) -> dict[str, str]:
    try:
        return flatxml.parse(document, "data", max_bytes=MAX_BODY)
    except Malformed as fault:
        # A sender who knows the key may be told which element he sent twice; all else may be what a wrong key gives.
        if fault.field:
            raise
        raise unreadable() from None
