"""Any bytes are a message or a WireError, and what is written is read again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytill.dialects.yst import codec, messages, notices
from anytill.dialects.yst.messages import NOTICE
from anytill.wire.errors import BadSignature, WireError
from anytill.wire.http import HttpResponse
from anytill.wire.times import format_time, parse_time
from tests.dialects.yst import desk as till
from tests.dialects.yst.desk import DSN, KEY

TEXT = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), min_size=1, max_size=12
)
NAMES = st.sampled_from(["req_seq", "total_fee", "reason", "code", "attach", "x"])
FIELDS = st.dictionaries(NAMES, TEXT, max_size=5)


@given(st.binary(max_size=200) | st.binary(max_size=80).map(lambda rest: b"<request>" + rest))
def test_any_bytes_are_an_envelope_or_an_error(body: bytes) -> None:
    try:
        codec.envelope_of(codec.decode_outer(body))
    except WireError:
        return
    pytest.fail("no such bytes were thought of")


@given(st.text(max_size=60) | st.text("ABCDabcd+/=", max_size=88))
def test_any_signed_text_is_a_request_or_an_error(data: str) -> None:
    envelope = codec.Envelope("unitive_pay_request", "a", DSN, data, "")
    try:
        fields = codec.decrypt_request(envelope, KEY)
    except WireError:
        return
    assert fields["dsn"] == DSN


@given(st.binary(max_size=120))
def test_any_plain_text_is_a_request_or_an_error(plain: bytes) -> None:
    envelope = codec.Envelope("unitive_pay_request", "a", DSN, till.encrypted(plain, KEY), "")
    with pytest.raises(WireError):
        codec.decrypt_request(envelope, KEY)


@given(st.binary(max_size=200))
def test_any_bytes_are_an_answer_or_an_error(body: bytes) -> None:
    with pytest.raises(WireError):
        codec.decode_answer(body, DSN)


@given(st.binary(max_size=120), st.integers(0, 10**13))
def test_any_signed_answer_is_read_or_refused(plain: bytes, timestamp: int) -> None:
    data = till.encrypted(plain, DSN[:16])
    fields = {"timestamp": str(timestamp), "data": data, "signature": till.md5(f"{DSN}{timestamp}{data}")}
    with pytest.raises(WireError):
        codec.decode_answer(f"<response>{till.elements(fields)}</response>".encode(), DSN)


@given(FIELDS)
def test_requests_are_read_as_they_were_written(fields: dict[str, str]) -> None:
    sent = {"request_type": "unitive_pay_request", **fields}
    body = codec.encode_request(sent, account=till.ACCOUNT, key=KEY, dsn=DSN)
    envelope = codec.envelope_of(codec.decode_outer(body))
    assert codec.is_signed_by(envelope, KEY, till.PASSWORD)
    assert codec.decrypt_request(envelope, KEY) == {**sent, "dsn": DSN}


@given(FIELDS, st.lists(TEXT, max_size=4))
def test_answers_are_read_as_they_were_written(fields: dict[str, str], lines: list[str]) -> None:
    body = codec.encode_answer(fields, lines, dsn=DSN, now_ms=1)
    assert codec.decode_answer(body, DSN) == codec.Answer(fields, lines)
    assert till.answer_of(body).lines == lines
    changed = body.replace(b"<timestamp>1<", b"<timestamp>2<")
    with pytest.raises(BadSignature):
        codec.decode_answer(changed, DSN)


def test_what_xml_cannot_hold_does_not_stop_an_answer() -> None:
    body = codec.encode_answer({"msg": "no\x00\x1b\ufffe", "x": "\ud800"}, ["a\x07"], dsn=DSN, now_ms=1)
    assert codec.decode_answer(body, DSN) == codec.Answer({"msg": "no\ufffd\ufffd\ufffd", "x": "\ufffd"}, ["a\ufffd"])


@given(st.dictionaries(st.sampled_from(NOTICE), TEXT.filter(lambda text: "&" not in text), max_size=8), st.booleans())
def test_any_signed_notice_is_a_payment_or_an_error(fields: dict[str, str], whole: bool) -> None:
    fields.pop("sign", None)
    if whole:
        fields |= {
            "req_seq": "1",
            "trans_seq": "2",
            "channel": "W",
            "total_fee": "1",
            "pay_time": "2017-11-03 17:26:10",
        }
    read = codec.decode_notice(codec.encode_notice(fields, KEY), KEY, NOTICE, signed=True)
    assert {name: value for name, value in read.items() if name != "sign"} == fields
    try:
        payment = notices.read(read, "a")
    except WireError:
        return
    assert payment.order_no == fields["req_seq"]


def test_a_notice_must_be_signed_unless_that_is_switched_off() -> None:
    plain = b"<data><request_type>native_order_notice</request_type><req_seq>1</req_seq></data>"
    with pytest.raises(BadSignature):
        codec.decode_notice(plain, KEY, NOTICE, signed=True)
    assert codec.decode_notice(plain, KEY, NOTICE, signed=False)["req_seq"] == "1"
    # A signature that is there is always looked at.
    with pytest.raises(BadSignature):
        codec.decode_notice(plain.replace(b"</data>", b"<sign>0</sign></data>"), KEY, NOTICE, signed=False)


def test_an_empty_element_takes_part_in_the_signature_by_name() -> None:
    fields = {"attach": "", "req_seq": "1"}
    sign = till.md5(f"attach=&req_seq=1&key={KEY}")
    body = f"<data>{till.elements({**fields, 'sign': sign})}</data>".encode()
    assert codec.decode_notice(body, KEY, NOTICE, signed=True) == {**fields, "sign": sign}


@pytest.mark.parametrize(
    ("body", "status", "heard"),
    [
        (codec.NOTICE_HEARD, 200, True),
        (b"<?xml version='1.0'?>\n<data>\n<result> Y </result></data>", 200, True),
        (codec.NOTICE_HEARD, 201, False),
        (b"<data><result>N</result><message>x</message></data>", 200, False),
        (b"<data><result>y</result></data>", 200, False),
        (b"<data><message>Y</message></data>", 200, False),
        (b"<data><result>Y</result><result>N</result></data>", 200, False),
        (b"Y", 200, False),
        (b"success", 200, False),
        (b"", 200, False),
    ],
)
def test_what_counts_as_heard(body: bytes, status: int, heard: bool) -> None:
    assert codec.is_heard(HttpResponse(status, body, "text/xml")) is heard


def test_times() -> None:
    assert codec.server_time(1_433_819_868_051) == "2015-06-09 11:17:48:051"
    assert format_time(1_433_819_868_999) == "2015-06-09 11:17:48"
    assert parse_time("2015-06-09 11:17:48", "pay_time") == 1_433_819_868_000
    for bad in (
        "",
        "2015-06-09",
        "2015-02-30 11:17:48",
        "20150609111748",
        "2015-06-09 11:17:48:051",
        "２015-06-09 11:17:48",
    ):
        with pytest.raises(WireError):
            parse_time(bad, "pay_time")


def test_every_request_has_an_answer_of_its_name() -> None:
    assert len({form.response_type for form in messages.FORMS}) == len(messages.FORMS) == 9
    for form in messages.FORMS:
        assert form.request_type.endswith("_request")
        assert form.response_type.endswith("_response")
