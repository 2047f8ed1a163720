"""The envelope, its digest and its cipher (sections 1 to 3, 5 and 7 of the source).

    body     base64(AES(message))          RAW: as the document says; answered alike
           | "base64(AES(message))"        QUOTED: a JSON string, as registers in shops send it; answered in plain JSON
           | message                       PLAIN: encryption is switched off; answered in plain JSON

    message  {"content": {"amt":100,"channel":"wx","func_type":1001}, "digest": "F00D…"}      or, looser: `objecttext`
             content may also be a text that holds the object, or base64(AES(object))

    digest   MD5( {amt=100,channel='wx',func_type=1001} POS-KEY )     names rising; texts in single quotes, nothing
                                                                      escaped; numbers as sent; null is an empty text

    answer   {"respcd":"6000","data":"{\\"syssn\\":…}","respmsg":"","resperr":""}      data is JSON inside a text

    AES-CBC, filled by PKCS7, initial vector fixed; key = the POS-KEY's characters (or, by a switch, the bytes that its
    hex digits stand for), so 16, 24 or 32 bytes

What can be kept safe in this is kept so. No text may hold a single quote, so a digest fits one content only; null and
the empty text, which share a digest, are the same content. All that a wrong key can cause is one and the same error
after the same work, as nothing but the digest inside says that a ciphertext is genuine: bad filling, no UTF-8, no
object, another digest. What is wrong with a content is told only to those whose digest was right.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

from anytill.core.secret import Secret
from anytill.dialects.qfpay import objecttext
from anytill.wire import jsontext
from anytill.wire.ciphers import (
    BLOCK,
    decode_base64,
    decrypt_cbc,
    encode_base64,
    encrypt_cbc,
    pkcs7_filled,
    without_pkcs7,
)
from anytill.wire.errors import BadField, BadSignature, Malformed, TooLarge, WireError
from anytill.wire.jsontext import Json, Number
from anytill.wire.signing import same_digest

MAX_BODY: Final = 65_535
IV: Final = b"qfpay202306_hjsh"
_KEY: Final = re.compile(r"(?:[!-~]{16}|[!-~]{24}|[!-~]{32})")
_HEX_KEY: Final = re.compile(r"(?:[0-9A-Fa-f]{32}|[0-9A-Fa-f]{48}|[0-9A-Fa-f]{64})")
_BLANKS: Final = " \t\r\n"
_LINE_ENDS: Final = dict.fromkeys(map(ord, "\r\n"))
#: A number with a fraction that ends in zeros, which some programs print without them.
_LONG_FRACTION: Final = re.compile(r"(-?[0-9]+)(?:\.0+|(\.[0-9]*[1-9])0+)")
# Nothing escapes a single quote in the signed text; no field of this protocol has room for control characters.
_NOT_SIGNABLE: Final = re.compile(r"['\x00-\x1f\x7f-\x9f]")

#: What a content holds: each value is text or a number's digits. Ask for `Number` first; it is a `str` too.
Content: TypeAlias = "Mapping[str, str | Number]"


class RequestForm(StrEnum):
    """How a request travels."""

    RAW = "raw"
    QUOTED = "quoted"
    PLAIN = "plain"


class Reply(StrEnum):
    """How an answer travels."""

    PLAIN = "plain"
    AES = "aes"


class KeyBytes(StrEnum):
    """How a POS-KEY becomes the cipher's key."""

    ASCII = "ascii"
    HEX = "hex"


@dataclass(frozen=True, slots=True)
class PosKey:
    """A POS-KEY: the text that ends what is digested, and the bytes that encrypt."""

    secret: Secret
    key_bytes: KeyBytes = KeyBytes.ASCII

    def __post_init__(self) -> None:
        """Raises ValueError for a key that no cipher takes."""
        shape = _HEX_KEY if self.key_bytes is KeyBytes.HEX else _KEY
        if not shape.fullmatch(self.text):
            raise ValueError("a POS-KEY has 16, 24 or 32 characters, or hex digits for as many bytes")

    @property
    def text(self) -> str:
        """As it ends the digested text."""
        return self.secret.reveal()

    @property
    def cipher(self) -> bytes:
        """As AES takes it."""
        return bytes.fromhex(self.text) if self.key_bytes is KeyBytes.HEX else self.text.encode()


@dataclass(frozen=True, slots=True)
class Opened:
    """A request whose digest was right."""

    content: Content
    form: RequestForm
    key: PosKey  # which of the keys it was made with

    @property
    def reply(self) -> Reply:
        """How it is answered where the terminal is not told otherwise."""
        return Reply.AES if self.form is RequestForm.RAW else Reply.PLAIN


@dataclass(frozen=True, slots=True)
class Told:
    """An answer: the outcome of the call, and what it is about."""

    respcd: str
    data: Mapping[str, Json] | None = None
    respmsg: str = ""
    resperr: str = ""


# Digests


def signed_text(content: Mapping[str, Json]) -> str:
    """What is digested, without the key. Raises ValueError for a value that has no form there."""
    return "{" + ",".join([f"{name}={_signed_value(value)}" for name, value in sorted(content.items())]) + "}"


def digest(content: Mapping[str, Json], key: PosKey) -> str:
    """MD5 in upper-case hex over the content's signed text and the key."""
    return _md5(signed_text(content), key)


# Requests


def open_request(body: bytes, keys: Sequence[PosKey], *, plain: bool) -> Opened:
    """The content of a request made with one of the keys; unencrypted ones only where `plain` is set.

    Raises Malformed or TooLarge for what cannot be a request whatever the key; BadSignature, always the same, for all
    that a key decides; BadField for a content that its sender must not send.
    """
    form, text = _form_of(body)
    if form is RequestForm.PLAIN:
        if not plain:
            raise BadSignature
        message = objecttext.read(text)
        opened = _first_right([_verified(message, key) for key in keys], form, keys)
    else:
        blocks = _blocks(text)
        opened = _first_right([_decrypted_and_verified(blocks, key) for key in keys], form, keys)
    _check_values(opened.content)
    return opened


def seal_request(content: Mapping[str, Json], key: PosKey, *, form: RequestForm) -> bytes:
    """A request that is strict JSON in every form. Raises ValueError for a content that cannot be signed safely."""
    for value in content.values():
        if isinstance(value, str) and _NOT_SIGNABLE.search(value):
            raise ValueError("a text holds a single quote or a control character")
    message = jsontext.encode({"content": dict(content), "digest": digest(content, key)})
    if form is RequestForm.PLAIN:
        return message
    text = _encrypted(message, key).encode()
    return b'"%b"' % text if form is RequestForm.QUOTED else text


# Answers


def seal_answer(told: Told, key: PosKey, reply: Reply) -> bytes:
    """An answer in plain JSON or as base64."""
    message = plain_answer(told)
    return message if reply is Reply.PLAIN else _encrypted(message, key).encode()


def plain_answer(told: Told) -> bytes:
    """An answer in plain JSON, for those who have no key."""
    data = "" if told.data is None else jsontext.encode(dict(told.data)).decode()
    fields: dict[str, Json] = {
        "respcd": str(told.respcd),
        "data": data,
        "respmsg": told.respmsg,
        "resperr": told.resperr,
    }
    return jsontext.encode(fields)


def open_answer(body: bytes, key: PosKey) -> Told:
    """An answer in whichever of the three forms. Raises WireError.

    Nothing signs it: in plain JSON anybody may have written it. Data that is no object is none, and in an answer that
    says success an error.
    """
    form, text = _form_of(body)
    if form is not RequestForm.PLAIN:
        text = _decrypted(_blocks(text), key)
    fields = jsontext.decode(text.encode())
    respcd, respmsg, resperr = (_line(fields, name) for name in ("respcd", "respmsg", "resperr"))
    if not respcd:
        raise BadField("respcd", "a code")
    try:
        data = _data(fields.get("data"))
    except WireError:
        if respcd == "6000":
            raise
        data = None
    return Told(respcd, data, respmsg, resperr)


def is_whole(body: bytes, keys: Sequence[PosKey]) -> bool:
    """Whether bytes from a line without ends are a whole request or answer made with one of the keys: a part of one
    does not decrypt, or lacks its closing brace. Says nothing of its digest."""
    try:
        form, text = _form_of(body)
        if form is RequestForm.PLAIN:
            return text.endswith("}") and _is_object(text)
        blocks = _blocks(text)
    except WireError:
        return False
    return any(_is_object(_text_or_none(blocks, key)) for key in keys)


def _is_object(text: str) -> bool:
    for read in (objecttext.read, lambda text: jsontext.decode(text.encode())):
        try:
            read(text)
        except WireError:
            continue
        return True
    return False


def _text_or_none(blocks: bytes, key: PosKey) -> str:
    try:
        return _decrypted(blocks, key)
    except WireError:
        return ""


def _form_of(body: bytes) -> tuple[RequestForm, str]:
    """How a body travels, and its text: a message, or base64 without line ends."""
    if len(body) > MAX_BODY:
        raise TooLarge(f"more than {MAX_BODY} bytes")
    text, form = _utf8(body).strip(_BLANKS), RequestForm.RAW
    if text.startswith('"'):
        text, form = _unquoted(text).strip(_BLANKS), RequestForm.QUOTED
    if text.startswith("{"):
        return RequestForm.PLAIN, text
    return form, text.translate(_LINE_ENDS)


def _unquoted(text: str) -> str:
    try:
        inside = json.loads(text)
        inside.encode()  # half a character has no bytes
    except ValueError:
        raise Malformed("not a JSON text") from None
    return str(inside)


def _first_right(found: Sequence[Content | None], form: RequestForm, keys: Sequence[PosKey]) -> Opened:
    for content, key in zip(found, keys, strict=True):
        if content is not None:
            return Opened(content, form, key)
    raise BadSignature


def _decrypted_and_verified(blocks: bytes, key: PosKey) -> Content | None:
    """The content if this key is right. Whatever is wrong, the same is done."""
    try:
        message = objecttext.read(_decrypted(blocks, key))
    except WireError:
        message = {}
    return _verified(message, key)


def _verified(message: Mapping[str, Json], key: PosKey) -> Content | None:
    """The content if its digest is right. One that is no flat object has a digest that nobody can make."""
    inside, claimed = message.get("content"), message.get("digest")
    sealed = isinstance(inside, str) and not inside.lstrip().startswith("{")
    content = _content(inside, key, sealed=sealed)
    claim = claimed if isinstance(claimed, str) and content is not None else ""
    good = False
    for text in _signed_texts(content or {}, inside if sealed else None):
        good |= same_digest(_md5(text, key), claim)
    return content if good else None


def _content(inside: Json, key: PosKey, *, sealed: bool) -> Content | None:
    if isinstance(inside, str):
        try:
            if sealed:
                inside = _decrypted(_blocks(inside), key)
            inside = objecttext.read(inside)
        except WireError:
            return None
    if not isinstance(inside, dict):
        return None
    content: dict[str, str | Number] = {}
    for name, value in inside.items():
        if value is not None and not isinstance(value, str):
            return None
        content[name] = "" if value is None else value
    return content


def _signed_texts(content: Content, sealed: Json) -> list[str]:
    """The texts that a right digest may be of: the content, its numbers in short, its ciphertext as it was sent."""
    texts = [signed_text(content)]
    short = {name: _short(value) if isinstance(value, Number) else value for name, value in content.items()}
    if short != content:
        texts.append(signed_text(short))
    if isinstance(sealed, str):
        texts.append(sealed)
    return texts


def _short(number: Number) -> Number:
    """A number without the zeros at the end of its fraction."""
    match = _LONG_FRACTION.fullmatch(number)
    return Number(match[1] + (match[2] or "")) if match else number


def _check_values(content: Content) -> None:
    for name, value in content.items():
        if _NOT_SIGNABLE.search(value):
            raise BadField(name, "without single quotes and control characters")


def _signed_value(value: Json) -> str:
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, str):
        return f"'{value}'"
    if value is None:
        return "''"
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise ValueError("a content holds texts and numbers only")


def _md5(text: str, key: PosKey) -> str:
    return hashlib.md5((text + key.text).encode(), usedforsecurity=False).hexdigest().upper()


def _encrypted(message: bytes, key: PosKey) -> str:
    return encode_base64(encrypt_cbc(pkcs7_filled(message), key=key.cipher, iv=IV))


def _decrypted(blocks: bytes, key: PosKey) -> str:
    """The text in a ciphertext. One that is not filled as it should be is read all the same, up to a character behind
    it that nobody reads: failing here would be failing sooner than where another wrong text fails."""
    filled = decrypt_cbc(blocks, key=key.cipher, iv=IV)
    plain = without_pkcs7(filled)
    return _utf8(filled + b"\0" if plain is None else plain)


def _blocks(text: str) -> bytes:
    """What base64 holds. Raises Malformed for anything but whole blocks, which needs no key to be seen."""
    blocks = decode_base64(text)
    if not blocks or len(blocks) % BLOCK:
        raise Malformed("not whole blocks")
    return blocks


def _utf8(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise Malformed("not UTF-8") from None


def _line(fields: Mapping[str, Json], name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def _data(value: Json) -> Mapping[str, Json] | None:
    if isinstance(value, dict):
        return value
    if value is None or value in ("", "null"):
        return None
    if not isinstance(value, str):
        raise BadField("data", "an object, or a text that holds one")
    return jsontext.decode(value.encode())
