"""What can be tried against the envelope without the key, or with one captured request. Each attack is first shown to
work on paper (the digest fits, the cipher turns), so that its refusal means something."""

from __future__ import annotations

import base64
import hashlib
import struct
from math import sin

import pytest

from anytill.core.secret import Secret
from anytill.dialects.yst import codec
from anytill.dialects.yst.codec import Envelope
from anytill.wire.errors import WireError
from tests.dialects.yst import desk as till
from tests.dialects.yst.desk import ACCOUNT, DSN, KEY, PASSWORD, Desk, md5

pytestmark = pytest.mark.anyio

NAME = "unitive_pay_request"


async def refused(desk: Desk, body: bytes, dsn: str = DSN) -> str:
    """The code of the refusal; the gateway did nothing."""
    orders, notes = await desk.orders(), len(desk.world.watch.notes)
    answer = await desk.post(body, dsn)
    assert answer["result"] == "N"
    assert (await desk.orders(), len(desk.world.watch.notes)) == (orders, notes)
    return answer["code"]


# Length extension: MD5 of a longer text from the digest of a shorter one, without the key.

_SHIFTS = [7, 12, 17, 22] * 4 + [5, 9, 14, 20] * 4 + [4, 11, 16, 23] * 4 + [6, 10, 15, 21] * 4
_SINES = [int(abs(sin(step + 1)) * 2**32) for step in range(64)]


def _block(state: tuple[int, int, int, int], block: bytes) -> tuple[int, int, int, int]:
    words = struct.unpack("<16I", block)
    a, b, c, d = state
    for step in range(64):
        f, word = (
            ((b & c) | (~b & d), step),
            ((d & b) | (~d & c), (5 * step + 1) % 16),
            (b ^ c ^ d, (3 * step + 5) % 16),
            (c ^ (b | ~d), (7 * step) % 16),
        )[step // 16]
        total = (a + f + _SINES[step] + words[word]) & 0xFFFFFFFF
        shift = _SHIFTS[step]
        turned = ((total << shift) | (total >> (32 - shift))) & 0xFFFFFFFF
        a, d, c, b = d, c, b, (b + turned) & 0xFFFFFFFF
    return tuple((old + new) & 0xFFFFFFFF for old, new in zip(state, (a, b, c, d), strict=True))  # type: ignore[return-value]


def extended(digest: str, length: int, suffix: bytes) -> tuple[bytes, str]:
    """The glue that MD5 itself would add to a text of this length, and the digest of text + glue + suffix."""
    glue = b"\x80" + b"\0" * ((55 - length) % 64) + struct.pack("<Q", length * 8)
    state: tuple[int, int, int, int] = struct.unpack("<4I", bytes.fromhex(digest))
    done = length + len(glue)
    rest = suffix + b"\x80" + b"\0" * ((55 - done - len(suffix)) % 64) + struct.pack("<Q", (done + len(suffix)) * 8)
    for at in range(0, len(rest), 64):
        state = _block(state, rest[at : at + 64])
    return glue, struct.pack("<4I", *state).hex().upper()


async def test_a_longer_text_with_a_forged_signature(desk: Desk) -> None:
    data = till.encrypted(till.inner(NAME, desk.barcode()), KEY)
    signed = (KEY + DSN + data).encode()
    suffix = base64.b64encode(b"chosen by nobody who has the key"[:48].ljust(48)).replace(b"=", b"A")
    glue, forged = extended(md5(signed.decode()), len(signed), suffix)
    longer = data.encode() + glue + suffix
    # On paper it works: the key was not needed, and a lenient decoder reads more blocks than were sent.
    assert hashlib.md5((KEY + DSN).encode() + longer, usedforsecurity=False).hexdigest().upper() == forged
    if "=" not in data:
        assert len(base64.b64decode(longer)) > len(base64.b64decode(data))
    body = till.outer(till.inner(NAME, desk.barcode()), data="DATA", signature=forged)
    # An XML parser refuses the glue's bytes, so nobody sees the request at all.
    assert (await desk.post(body.replace(b"DATA", longer))).is_open
    # Carried as letters, which is another text for the digest, it is no base64.
    for text in (longer.decode("latin-1"), longer.replace(b"\0", b"").decode("latin-1")):
        envelope = Envelope(NAME, ACCOUNT, DSN, text, forged)
        with pytest.raises(WireError):
            codec.decrypt_request(envelope, KEY)


async def test_a_border_moved_between_dsn_and_data(desk: Desk) -> None:
    data = till.encrypted(till.inner(NAME, desk.barcode()), KEY)
    signature = md5(KEY + DSN + data)
    for by in (1, -1, 16, -16):
        both = DSN + data
        dsn, rest = both[: 32 + by], both[32 + by :]
        assert md5(KEY + dsn + rest) == signature
        body = till.outer(b"", dsn=dsn, data=rest, signature=signature)
        answer = await desk.post(body)
        # There is no dsn to answer under.
        assert (answer["code"], answer.is_open) == ("E10003", True)


async def test_the_key_is_not_told_by_an_echo(desk: Desk) -> None:
    """C, 0, C: with key and initial vector the same, the first and the third decrypted block differ by the key."""
    captured = base64.b64decode(till.encrypted(till.inner(NAME, desk.barcode()), KEY))
    crafted = captured[:16] + bytes(16) + captured[:16]
    plain = till.decrypted(base64.b64encode(crafted).decode(), KEY).ljust(48, b"\0")
    assert bytes(one ^ other for one, other in zip(plain[:16], plain[32:48], strict=True)) == KEY.encode()
    data = base64.b64encode(crafted).decode()
    # Unsigned it is not even decrypted; signed, by whatever way, no byte of it comes back.
    for signature in (md5("x" + data), md5(KEY + DSN + data)):
        answer = await desk.post(till.outer(b"", data=data, signature=signature))
        assert answer["code"] == "E10001"
        assert KEY not in str(answer.fields)
        assert not any(
            piece.decode("latin-1") in str(answer.fields) for piece in (plain[:8], plain[16:24], plain[32:40])
        )


async def test_the_sample_whose_signature_is_its_dsn(desk: Desk) -> None:
    body = till.outer(till.inner(NAME, desk.barcode()), signature=DSN)
    assert await refused(desk, body) == "E10001"


@pytest.mark.parametrize("at", [0, 7, -1])
async def test_a_dollar_in_the_base64(desk: Desk, at: int) -> None:
    letters = [*till.encrypted(till.inner(NAME, desk.barcode()), KEY)]
    letters[at] = "$"
    data = "".join(letters)
    assert await refused(desk, till.outer(b"", data=data, signature=md5(KEY + DSN + data))) == "E10001"


async def test_every_fault_of_the_cipher_reads_the_same(desk: Desk) -> None:
    """Well signed, so that each gets as far as it can."""
    good = till.inner(NAME, desk.barcode())
    cipher = till.encrypted(good, KEY)
    loose = cipher.rstrip("=")
    texts = [
        "A", "AAAA", cipher[:-4], cipher + "AAAA", loose + "=" * 3, "====", "AB==", cipher.replace("=", "-") + "-",
        till.encrypted(b"no document at all", KEY), till.encrypted(b"<data>", KEY), till.encrypted(b"<other/>", KEY),
        till.encrypted(good[:-1], KEY), till.encrypted(b"\xff" + good, KEY), till.encrypted(good, "another16letters"),
        # Trailing bytes: what is no filling is no accident.
        till.encrypted(good + b"x", KEY), till.encrypted(good + b"\0x", KEY), till.encrypted(good + good, KEY),
        till.encrypted(good + b"\0<x/>", KEY), till.encrypted(good + b"\x07" * 5, KEY),
    ]  # fmt: skip
    told = set()
    for data in texts:
        answer = await desk.post(till.outer(b"", data=data, signature=md5(KEY + DSN + data)))
        told.add((answer["code"], answer["msg"]))
    assert {code for code, _ in told} == {"E10001"}
    assert len(told) == 1
    assert await desk.orders() == 0


@pytest.mark.parametrize("how", ["zeros", "blanks", "pkcs7", "line end", "aligned"])
async def test_the_fillings_that_are_used(desk: Desk, how: str) -> None:
    fields = desk.barcode()
    good = till.inner(NAME, fields)
    missing = -len(good) % 16 or 16
    plain = {
        "zeros": good,
        "blanks": good + b" " * missing,
        "pkcs7": good + bytes([missing]) * missing,
        "line end": good + b"\r\n",
        "aligned": till.inner(NAME, {**fields, "pad": "x" * ((-len(good) - len("<pad></pad>")) % 16)}),
    }[how]
    answer = await desk.post(till.outer(plain))
    assert answer["code"] == "E11000"


@pytest.mark.parametrize("signed_bare", [False, True])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
async def test_base64_in_lines_of_76(desk: Desk, signed_bare: bool, end: str) -> None:
    """Old encoders wrap; some sign what they wrap, some what they had before. XML reads CR LF as LF."""
    bare = till.encrypted(till.inner(NAME, desk.barcode()), KEY)
    wrapped = end.join(bare[at : at + 76] for at in range(0, len(bare), 76)) + end
    text = bare if signed_bare else wrapped.replace("\r\n", "\n")
    body = till.outer(b"", data=wrapped, signature=md5(KEY + DSN + text))
    assert (await desk.post(body))["code"] == "E11000"


@pytest.mark.parametrize("white", ["\u3000", "\u00a0", "\u2028"])
async def test_other_white_space_is_no_white_space(desk: Desk, white: str) -> None:
    data = till.encrypted(till.inner(NAME, desk.barcode()), KEY) + white
    assert await refused(desk, till.outer(b"", data=data, signature=md5(KEY + DSN + data))) == "E10001"


async def test_inner_and_outer_must_agree(desk: Desk) -> None:
    fields = desk.barcode()
    other = "0" * 32
    plain = till.inner(NAME, fields, other)
    answer = await desk.post(till.outer(plain))
    assert (answer["code"], answer["msg"]) == ("E10003", "参数错误：dsn须为与外层报文相同的设备序列号")
    # The outer request type is not signed: a captured refund cannot be sent as anything else.
    answer = await desk.post(till.outer(till.inner(NAME, fields), "unitive_revoke_request"))
    assert (answer["code"], answer["msg"]) == ("E10003", "参数错误：request_type须为与外层报文相同的请求类型")
    assert await desk.orders() == 0


DOCTYPES = {
    "a document type": b"<!DOCTYPE data>",
    "an external entity": b'<!DOCTYPE data [<!ENTITY e SYSTEM "file:///etc/hostname">]>',
    "a parameter entity": b'<!DOCTYPE data [<!ENTITY % p SYSTEM "http://127.0.0.1:1/x"> %p;]>',
    "a billion laughs": b'<!DOCTYPE data [<!ENTITY a "ha">'
    + b"".join(b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(10))
    + b"]>",
}


@pytest.mark.parametrize("how", DOCTYPES)
async def test_document_types_are_refused_outside_and_inside(desk: Desk, how: str) -> None:
    fields = desk.barcode()
    good = till.request(NAME, fields)
    assert (await desk.post(DOCTYPES[how].replace(b"data", b"request", 1) + good)).is_open
    plain = DOCTYPES[how] + till.inner(NAME, fields).replace(b"</data>", b"<x>&e;&b;</x></data>")
    assert await refused(desk, till.outer(plain)) == "E10001"
    assert await desk.orders() == 0


async def test_requests_without_an_envelope(desk: Desk) -> None:
    good = till.request(NAME, desk.barcode())
    for body in (
        b"", b"garbage", b"<request/>", b"<other/>", good + b"x", good[:-1], good.replace(b"<dsn>", b"<dsn x='1'>"),
        b"<?xml version='1.0' encoding='GBK'?>" + good, good.decode().encode("utf-16"), b"x" * 70_000,
        good.replace(f"<dsn>{DSN}</dsn>".encode(), f"<dsn>{DSN.lower()}</dsn>".encode()),
    ):  # fmt: skip
        answer = await desk.post(body)
        assert (answer["code"], answer["result"], answer.is_open) == ("E10003", "N", True), body[:60]
    assert (await desk.post(good, method="PUT")).is_open
    assert await desk.orders() == 0


@pytest.mark.parametrize("name", ["request_type", "account", "data", "signature"])
async def test_an_incomplete_envelope_is_answered_under_its_dsn(desk: Desk, name: str) -> None:
    body = till.outer(till.inner(NAME, desk.barcode()), **{name: ""})
    answer = await desk.post(body)
    assert (answer["code"], answer["msg"], answer.is_open) == ("E10003", f"参数错误：{name}不能为空", False)
    doubled = till.request(NAME, desk.barcode()).replace(b"</request>", f"<{name}>x</{name}></request>".encode())
    answer = await desk.post(doubled)
    assert (answer["code"], answer["msg"], answer.is_open) == ("E10003", f"参数错误：节点{name}重复", True)


async def test_accounts_are_read_without_regard_to_case(desk: Desk) -> None:
    for account in (ACCOUNT.upper(), ACCOUNT.title()):
        assert (await desk.post(till.outer(till.inner(NAME, desk.barcode()), account=account)))["code"] == "E11000"
    for account in ("abc", "a" * 21):
        assert await refused(desk, till.outer(till.inner(NAME, desk.barcode()), account=account)) == "E10002"


async def test_a_stranger_and_a_wrong_key_hear_the_same(desk: Desk) -> None:
    plain = till.inner(NAME, desk.barcode())
    stranger = await desk.post(till.outer(plain, account="nobody01"))
    wrong = await desk.post(till.outer(plain, signature="F" * 32))
    differing = {"res_seq", "server_time"}
    assert {n: v for n, v in stranger.fields.items() if n not in differing} == {
        n: v for n, v in wrong.fields.items() if n not in differing
    }


async def test_a_signature_may_be_in_lower_case(desk: Desk) -> None:
    data = till.encrypted(till.inner(NAME, desk.barcode()), KEY)
    body = till.outer(b"", data=data, signature=md5(KEY + DSN + data).lower())
    assert (await desk.post(body))["code"] == "E11000"


async def test_a_replayed_request_moves_money_once(desk: Desk) -> None:
    fields = desk.barcode(total_fee="500")
    body = till.request(NAME, fields)
    first = await desk.post(body)
    again = await desk.post(body)
    assert again["trans_seq"] == first["trans_seq"]
    refund = till.request("unitive_refund_request", desk.refund(first["trans_seq"], 100))
    seqs = {(await desk.post(refund))["refund_seq"] for _ in range(3)}
    assert len(seqs) == 1
    stored = await desk.world.stored(fields["req_seq"])
    assert (stored.paid_fen, stored.refunded_fen) == (500, 100)
    await desk.world.pass_s(86_400 * 30)
    assert (await desk.post(body))["trans_seq"] == first["trans_seq"]
    await desk.world.check_books(fields["req_seq"])


@pytest.mark.parametrize("number", ["{}", "T{}", "{}-1"])
async def test_a_number_that_is_the_payers_code_is_not_kept(desk: Desk, number: str) -> None:
    fields = desk.barcode()
    fields["req_seq"] = number.format(fields["auth_code"])
    answer = await desk.call(NAME, fields)
    assert (answer["code"], answer["result"]) == ("E10003", "N")
    assert "req_seq不能含有顾客的付款码" in answer["msg"]
    assert await desk.orders() == 0
    # The payer's code is still good.
    assert (await desk.call(NAME, {**fields, "req_seq": "T1"}))["code"] == "E11000"


async def test_nothing_secret_is_ever_logged_or_shown(desk: Desk) -> None:
    fields = desk.barcode()
    await desk.call(NAME, fields)
    await desk.post(till.outer(till.inner(NAME, fields), signature="0" * 32))
    seen = repr(desk.world.watch.notes) + repr(desk.world.watch.alarms)
    for secret in (KEY, PASSWORD, fields["auth_code"], DSN):
        assert secret not in seen
    assert KEY not in repr(Secret(KEY))
