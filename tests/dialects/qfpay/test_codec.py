"""Any bytes are a message or a WireError, what is written is read again, and a digest fits one content only."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7
from hypothesis import given
from hypothesis import strategies as st

from anytill.core.secret import Secret
from anytill.dialects.qfpay import codec
from anytill.dialects.qfpay.codec import KeyBytes, PosKey, Reply, RequestForm, Told
from anytill.wire.errors import BadField, BadSignature, Malformed, TooLarge, WireError
from anytill.wire.jsontext import Json, Number

TEXT_KEY = "f46b1f08bec1f39104792cc79ec9aacd"
KEY = PosKey(Secret(TEXT_KEY))
OTHER = PosKey(Secret("0123456789abcdef0123456789abcdef"))
SHORT = PosKey(Secret("0123456789abcdef"))
HEX = PosKey(Secret(TEXT_KEY), KeyBytes.HEX)
KEYS = [KEY, OTHER, SHORT, HEX]

NAMES = st.from_regex(r"[A-Za-z0-9_.]{1,12}", fullmatch=True)
NUMBERS = st.from_regex(r"-?(0|[1-9][0-9]{0,8})(\.[0-9]{1,4})?", fullmatch=True).map(Number)
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="'"), max_size=20)
CONTENTS = st.dictionaries(NAMES, NUMBERS | TEXTS, max_size=8)
QUERY = {"func_type": Number("4001"), "orderId": "12345678"}


def encrypted(message: str | bytes, key: bytes = TEXT_KEY.encode(), *, filled: bool = True) -> bytes:
    """As a register would, with nothing of ours."""
    data = message.encode() if isinstance(message, str) else message
    if filled:
        padder = PKCS7(128).padder()
        data = padder.update(data) + padder.finalize()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(b"qfpay202306_hjsh")).encryptor()
    return base64.b64encode(encryptor.update(data) + encryptor.finalize())


def md5(text: str) -> str:
    return hashlib.md5((text + TEXT_KEY).encode(), usedforsecurity=False).hexdigest()


def opened(body: bytes) -> Mapping[str, str]:
    return codec.open_request(body, [KEY], plain=True).content


# One message and one error for whatever comes


@given(st.binary(max_size=120) | st.binary(max_size=80).map(base64.b64encode) | st.text(max_size=80).map(str.encode))
def test_any_bytes_are_a_request_or_an_error(body: bytes) -> None:
    with pytest.raises(WireError):
        codec.open_request(body, KEYS, plain=True)
    with pytest.raises(WireError):
        codec.open_request(json.dumps(body.decode("latin-1")).encode(), KEYS, plain=True)


@given(st.binary(max_size=96), st.booleans())
def test_whatever_was_encrypted_is_a_request_or_the_one_error(message: bytes, filled: bool) -> None:
    with pytest.raises(BadSignature) as caught:
        codec.open_request(encrypted(message if filled else message + bytes(-len(message) % 16 or 16), filled=filled),
                           [KEY], plain=False)  # fmt: skip
    assert str(caught.value) == str(BadSignature())
    assert caught.value.__cause__ is None


@given(st.dictionaries(st.sampled_from(["content", "digest", "x"]), st.none() | st.booleans() | TEXTS | CONTENTS))
def test_any_object_is_a_request_or_an_error(message: dict[str, object]) -> None:
    body = json.dumps(message).encode()
    for sent in (body, encrypted(body)):
        with pytest.raises(BadSignature):
            codec.open_request(sent, [KEY], plain=True)


@given(st.binary(max_size=120) | st.binary(max_size=96).map(encrypted) | st.binary().map(base64.b64encode))
def test_any_bytes_are_an_answer_or_an_error(body: bytes) -> None:
    with pytest.raises(WireError):
        codec.open_answer(body, KEY)


@given(st.dictionaries(st.sampled_from(["respcd", "data", "respmsg", "resperr"]), st.none() | st.booleans() | TEXTS))
def test_any_object_is_an_answer_or_an_error(fields: dict[str, object]) -> None:
    try:
        told = codec.open_answer(json.dumps(fields).encode(), KEY)
    except WireError:
        return
    assert told.respcd == fields["respcd"]
    assert told.data is None


# There and back


@given(CONTENTS, st.sampled_from(RequestForm), st.sampled_from(KEYS))
def test_requests_are_read_as_they_were_written(content: dict[str, Json], form: RequestForm, key: PosKey) -> None:
    body = codec.seal_request(content, key, form=form)
    request = codec.open_request(body, KEYS, plain=True)
    assert (request.content, request.form) == (content, form)
    # The same characters digest alike however they encrypt.
    assert request.key == (KEY if form is RequestForm.PLAIN and key == HEX else key)
    assert request.reply is (Reply.AES if form is RequestForm.RAW else Reply.PLAIN)
    with pytest.raises(BadSignature):
        codec.open_request(body, [each for each in KEYS if each.text != key.text], plain=True)


@given(
    st.builds(Told, TEXTS.filter(bool), st.none() | st.dictionaries(TEXTS, TEXTS | NUMBERS | st.none()), TEXTS, TEXTS),
    st.sampled_from(Reply),
)
def test_answers_are_read_as_they_were_written(told: Told, reply: Reply) -> None:
    body = codec.seal_answer(told, KEY, reply)
    assert codec.open_answer(body, KEY) == told
    assert codec.open_answer(json.dumps(body.decode()).encode(), KEY) == told


def test_an_answer_is_json_with_json_inside() -> None:
    told = Told("6000", {"txamt": "1010", "n": Number("1.10"), "none": None}, "ok")
    body = codec.seal_answer(told, KEY, Reply.PLAIN)
    fields = json.loads(body)
    assert fields == {"respcd": "6000", "data": '{"txamt":"1010","n":1.10,"none":null}', "respmsg": "ok", "resperr": ""}
    assert codec.seal_answer(told, KEY, Reply.AES) == encrypted(body)


# What registers send


def lenient(content: str, digest: str) -> str:
    return "{content:" + content + ", digest:'" + digest + "'}"


TRADE = "{amt=100,channel='card_payment',func_type=1001,out_trade_no='456799999999'}"
TRADE_CONTENT = {"amt": "100", "channel": "card_payment", "func_type": "1001", "out_trade_no": "456799999999"}


@pytest.mark.parametrize(
    "message",
    [
        lenient(TRADE, md5(TRADE).upper()),
        lenient(TRADE, md5(TRADE)),
        lenient("'" + TRADE.replace("'", '"') + "'", md5(TRADE)),
        json.dumps({"content": TRADE_CONTENT | {"amt": 100, "func_type": 1001}, "digest": md5(TRADE)}, indent=2),
        json.dumps({"digest": md5(TRADE), "content": TRADE}),
        json.dumps({"content": json.dumps(TRADE_CONTENT | {"amt": 100, "func_type": 1001}), "digest": md5(TRADE)}),
    ],
)
@pytest.mark.parametrize(
    ("wrap", "form"),
    [
        (str.encode, RequestForm.PLAIN),
        (lambda text: b"\r\n" + text.encode() + b"\n", RequestForm.PLAIN),
        (lambda text: json.dumps(text).encode(), RequestForm.PLAIN),
        (encrypted, RequestForm.RAW),
        (lambda text: base64.encodebytes(base64.b64decode(encrypted(text))), RequestForm.RAW),
        (lambda text: b'"' + encrypted(text) + b'"', RequestForm.QUOTED),
        (lambda text: json.dumps(base64.encodebytes(base64.b64decode(encrypted(text))).decode()).encode(),
         RequestForm.QUOTED),
    ],
)  # fmt: skip
def test_each_way_to_write_a_request(message: str, wrap: Callable[[str], bytes], form: RequestForm) -> None:
    request = codec.open_request(wrap(message), [OTHER, KEY], plain=True)
    assert (request.content, request.form, request.key) == (TRADE_CONTENT, form, KEY)
    assert {name for name, value in request.content.items() if isinstance(value, Number)} == {"amt", "func_type"}


def test_a_key_may_stand_for_16_raw_bytes() -> None:
    body = encrypted(lenient(TRADE, md5(TRADE)), bytes.fromhex(TEXT_KEY))
    assert codec.open_request(body, [HEX], plain=False).content == TRADE_CONTENT
    with pytest.raises(BadSignature):
        codec.open_request(body, [KEY], plain=False)


@pytest.mark.parametrize("bad", ["", "x" * 15, "x" * 17, "x" * 31, "x" * 33, "x" * 48, "é" * 16, "x" * 31 + "\n"])
def test_other_keys_are_refused(bad: str) -> None:
    with pytest.raises(ValueError, match="POS-KEY"):
        PosKey(Secret(bad))


@pytest.mark.parametrize("bad", ["z" * 32, "0" * 16, "0" * 31, "00 " * 16, "０" * 32])
def test_hex_keys_have_hex_digits_for_16_bytes_or_more(bad: str) -> None:
    with pytest.raises(ValueError, match="POS-KEY"):
        PosKey(Secret(bad), KeyBytes.HEX)


def test_a_key_is_not_shown() -> None:
    assert TEXT_KEY not in repr(KEY)


@pytest.mark.parametrize(
    ("sent", "digested"),
    [("100.0", "100"), ("100.00", "100"), ("10.10", "10.1"), ("12.5", "12.5"), ("0.0", "0"), ("100", "100")],
)
def test_a_number_is_digested_as_sent_or_in_short(sent: str, digested: str) -> None:
    for signed in (sent, digested):
        text = lenient(f"{{amt={sent}}}", md5(f"{{amt={signed}}}"))
        assert opened(text.encode()) == {"amt": sent}
    for other in ("100.000", "1e2", "0100", "10.100", "'100'"):
        with pytest.raises(BadSignature):
            opened(lenient(f"{{amt={sent}}}", md5(f"{{amt={other}}}")).encode())


def test_null_and_the_empty_text_are_one_content() -> None:
    for written in ("{a='',b=1}", "{a=null,b=1}", '{"b":1,"a":""}'):
        assert opened(lenient(written, md5("{a='',b=1}")).encode()) == {"a": "", "b": "1"}
    assert codec.digest({"a": None, "b": 1}, KEY) == codec.digest({"a": "", "b": Number("1")}, KEY)


def test_a_content_may_be_a_ciphertext_with_a_digest_of_its_own() -> None:
    for inside in ("{func_type: 3002}", '{"func_type":3002}'):
        sealed = encrypted(inside).decode()
        for digest in (md5(sealed), md5("{func_type=3002}")):
            text = json.dumps({"content": sealed, "digest": digest})
            assert opened(text.encode()) == opened(encrypted(text)) == {"func_type": "3002"}
        with pytest.raises(BadSignature):
            opened(json.dumps({"content": sealed, "digest": md5(inside + " ")}).encode())


# What must not be accepted


def test_a_quote_in_a_text_hides_no_field() -> None:
    """Both texts have one digest."""
    honest = {"func_type": Number("1002"), "orderId": "A", "refund_amount": "9.99"}
    sneaky = {"func_type": Number("1002"), "orderId": "A',refund_amount='9.99"}
    assert codec.digest(honest, KEY) == codec.digest(sneaky, KEY)
    text = json.dumps({"content": {**sneaky, "func_type": 1002}, "digest": codec.digest(honest, KEY)})
    for body in (text.encode(), encrypted(text)):
        with pytest.raises(BadField) as caught:
            opened(body)
        assert caught.value.field == "orderId"
    with pytest.raises(ValueError, match="quote"):
        codec.seal_request(sneaky, KEY, form=RequestForm.RAW)


@given(CONTENTS, CONTENTS)
def test_two_contents_have_two_digests(one: dict[str, Json], other: dict[str, Json]) -> None:
    same = one == other and all(isinstance(one[name], Number) is isinstance(other[name], Number) for name in one)
    assert (codec.signed_text(one) == codec.signed_text(other)) is same


def test_a_stranger_is_not_told_what_is_wrong_with_a_content() -> None:
    text = json.dumps({"content": {"orderId": "A'"}, "digest": "0" * 32})
    for body in (text.encode(), encrypted(text)):
        with pytest.raises(BadSignature):
            opened(body)


@pytest.mark.parametrize(
    "content",
    ["{amt=100,amt=100}", "{amt=100,'amt'=1}", "{amt=true}", "{amt={}}", "{amt=[1]}", "", "null", "[]", "1", "true"],
)
def test_a_content_is_flat_and_has_each_name_once(content: str) -> None:
    for signed in (content, "{amt=100}", "{amt=100,amt=100}", "{}"):
        with pytest.raises(WireError):
            opened(lenient(content, md5(signed)).encode())
        with pytest.raises(BadSignature):
            opened(encrypted(lenient(content, md5(signed))))


@pytest.mark.parametrize("digest", ["", "0" * 32, md5(TRADE)[:31], md5(TRADE) + "0", "茶", "\u212a" * 32])
def test_a_digest_is_demanded(digest: str) -> None:
    for text in (lenient(TRADE, digest), "{content:" + TRADE + "}", "{content:" + TRADE + ",digest=1}"):
        for body in (text.encode(), encrypted(text)):
            with pytest.raises(BadSignature):
                opened(body)


def test_all_that_a_key_decides_is_one_error() -> None:
    good = base64.b64decode(encrypted(lenient(TRADE, md5(TRADE))))
    assert opened(base64.b64encode(good))
    for at in range(len(good)):
        changed = good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :]
        with pytest.raises(BadSignature) as caught:
            opened(base64.b64encode(changed))
        assert str(caught.value) == str(BadSignature())
    for cut in range(16, len(good), 16):
        with pytest.raises(BadSignature):
            opened(base64.b64encode(good[:cut]))


@pytest.mark.parametrize(
    "body",
    [b"", b" ", b"AAAA", b"=", b'"', b'""', b'"{', b"1", b"null", b"[]", b"\xff", b'"\\ud800"', b'"{\\ud800}"', b"GET",
     base64.b64encode(bytes(15)), base64.b64encode(bytes(17)), b"{", b"{}x", b"{content={},content={}}"],
)  # fmt: skip
def test_what_is_no_request_whatever_the_key(body: bytes) -> None:
    with pytest.raises(Malformed) as caught:
        opened(body)
    assert not isinstance(caught.value, BadSignature)


def test_unencrypted_requests_only_where_they_are_wanted() -> None:
    body = codec.seal_request(QUERY, KEY, form=RequestForm.PLAIN)
    assert codec.open_request(body, [KEY], plain=True).content == QUERY
    with pytest.raises(BadSignature):
        codec.open_request(body, [KEY], plain=False)


def test_size_is_bounded() -> None:
    for body in (b"{" + b" " * 65_535, b"A" * 65_536):
        with pytest.raises(TooLarge):
            opened(body)
        with pytest.raises(TooLarge):
            codec.open_answer(body, KEY)


@pytest.mark.parametrize(
    ("data", "read"),
    [("", None), (None, None), ("null", None), ({"syssn": "1"}, {"syssn": "1"}), ('{"syssn":"1"}', {"syssn": "1"}),
     ("{}", {})],
)  # fmt: skip
def test_data_of_an_answer(data: object, read: object) -> None:
    assert codec.open_answer(json.dumps({"respcd": "6000", "data": data}).encode(), KEY).data == read


@pytest.mark.parametrize("data", ["paid", '{"aaaaaa"}', "[]", [], 1, True, '{"a":1,"a":2}'])
def test_an_answer_that_says_success_has_readable_data(data: object) -> None:
    with pytest.raises(WireError):
        codec.open_answer(json.dumps({"respcd": "6000", "data": data}).encode(), KEY)
    assert codec.open_answer(json.dumps({"respcd": "4005", "data": data}).encode(), KEY) == Told("4005")


@given(CONTENTS, st.sampled_from(RequestForm), st.sampled_from([SHORT, KEY]))
def test_no_part_of_a_message_is_whole(content: dict[str, Json], form: RequestForm, key: PosKey) -> None:
    body = codec.seal_request(content, key, form=form)
    assert codec.is_whole(body, KEYS)
    for cut in range(1, len(body)):
        assert not codec.is_whole(body[:cut], KEYS)
    assert not codec.is_whole(body, [OTHER]) or form is RequestForm.PLAIN


@pytest.mark.parametrize("reply", Reply)
def test_answers_are_whole_too(reply: Reply) -> None:
    body = codec.seal_answer(Told("6000", {"list": ["1"], "x": None}, "a b"), KEY, reply)
    assert codec.is_whole(body, [KEY])
    assert codec.is_whole(body + b"\r\n", [KEY])
    assert not any(codec.is_whole(body[:cut], [KEY]) for cut in range(len(body)))
