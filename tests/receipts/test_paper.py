"""What bytes put on the paper: Semoor's codes, limits, and any bytes at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytill.receipts.paper import MAX_BYTES, MAX_CODES, MAX_HEIGHT, Code, Cut, Paper, Run, read_escpos
from anytill.wire.errors import WireError


def gb(text: str) -> bytes:
    return text.encode("gb18030")


def runs(data: bytes) -> list[Run]:
    return [mark for mark in read_escpos(data).marks if isinstance(mark, Run)]


def qr(body: bytes) -> bytes:
    return b"\x1d(k" + len(body).to_bytes(2, "little") + body


def test_a_semoor_payment() -> None:
    """The codes of the document's payment sample, in its order."""
    data = b"".join(
        (
            b"\x1b\x40\x1d\x21\x11\x1b\x4d\x00" + gb("微信支付凭证") + b"\r\n\x1d\x21\x00\r\n",
            b"\x1b\x40\x1b\x4d\x02" + b"-" * 16 + b"\r\n",
            b"\x1b\x40\x1b\x4d\x02" + gb("支付单号: 2032288236") + b"\r\n\x1b\x40\r\n",
            b"\x1b\x40\x1b\x4d\x02" + gb("支付金额: ") + b"\x1d\x21\x11" + gb("￥0.01") + b"\r\n",
            b"\x1b\x69",
        )
    )
    assert read_escpos(data).marks == (
        Run(0, 0, "微信支付凭证", 2, 2),
        Run(0, 84, "-" * 16),
        Run(0, 114, "支付单号: 2032288236"),
        Run(0, 198, "支付金额: "),
        Run(120, 174, "￥0.01", 2, 2),
        Cut(228),
    )


def test_a_semoor_refund() -> None:
    """The codes of the document's refund sample: code page, Chinese mode, alignment, half sizes."""
    data = (
        b"\x1b\x74\x00\x1b\x40\x1c\x26\x1b\x61\x01\x1d\x21\x10" + gb("退款凭证") + b"\r\n\x1b\x40"
        b"\x1b\x61\x02" + gb("右") + b"\n\x1b\x61\x30" + gb("退款金额: ") + b"\x1d\x21\x01 -0.01\r\n\x1b\x69"
    )
    assert read_escpos(data).marks == (
        Run(96, 0, "退款凭证", 2, 1),
        Run(360, 30, "右"),
        Run(0, 84, "退款金额: "),
        Run(120, 60, " -0.01", 1, 2),
        Cut(114),
    )


def test_a_line_that_is_full_goes_on_below() -> None:
    assert [(run.y, run.text) for run in runs(b"a" * 31 + gb("金b"))] == [(0, "a" * 31), (30, "金b")]


def test_starting_afresh_loses_the_unfinished_line() -> None:
    assert [run.text for run in runs(b"one\ntwo\x1b@three\n")] == ["one", "three"]


def test_alignment_counts_only_at_the_start_of_a_line() -> None:
    assert [run.x for run in runs(b"ab\x1ba\x02\ncd\n")] == [0, 0]


def test_chinese_is_understood_only_while_it_is_on() -> None:
    assert [run.text for run in runs(b"\x1c.a\x1c&" + gb("金"))] == ["a金"]
    with pytest.raises(WireError):
        read_escpos(b"\x1c." + gb("金"))


def test_characters_of_four_bytes() -> None:
    assert runs(gb("𠀀ß"))[0].text == "𠀀ß"


def test_feeding_and_cutting_end_the_line() -> None:
    assert read_escpos(b"a\x1bd\x02b\x1dVA\x0ac\x1dV\x00") == Paper(
        384, 160, (Run(0, 0, "a"), Run(0, 90, "b"), Cut(130), Run(0, 130, "c"), Cut(160))
    )


def test_a_code_has_its_own_line_and_never_is_a_micro_code() -> None:
    data = b"x" + qr(b"1C\x04") + qr(b"1E0") + qr(b"1P01") + qr(b"1Q0") + b"y"
    (left, code, right) = read_escpos(data).marks
    assert isinstance(code, Code)
    assert (code.x, code.y, code.size, len(code.modules), code.text) == (0, 30, 4, 21, "1")
    assert (left, right) == (Run(0, 0, "x"), Run(0, 120, "y"))


@pytest.mark.parametrize(
    "data",
    [
        b"\x1b",  # not complete
        b"\x1b!\x00",  # a command we do not know
        b"\x1bp\x00\x19\xfa",  # a drawer's kick
        b"\x1dv0",
        b"\x1ba\x03",
        b"\x1bM\x05",
        b"\x1d!\x08",
        b"\x1d!\x80",
        b"\x1dV\x05",
        b"\x00",
        b"\x07",
        b"\x7f",
        b"\x80",
        b"\xff\xff",
        b"\xbd",
        b"\xbd\n",
        b"\x81\x30\x81",
        b"\x81\x30\x81\x30",  # U+0080, a control character
        gb("\u202e"),
        gb("\u2028"),
        qr(b"1C\x00"),
        qr(b"1C\x11"),
        qr(b"1E9"),
        qr(b"1P0"),
        qr(b"1P0" + b"a" * 201),
        qr(b"1P0\xbd\xf0"),
        qr(b"1P0a\n"),
        qr(b"1Q0"),
        qr(b""),
        b"\x1d(k\xff\xff1P0abc",
        b"\x1d(L\x00\x00",
        qr(b"1C\x10") + qr(b"1P0" + b"a" * 200) + qr(b"1Q0"),  # wider than the paper
        b"".join(qr(b"1P0%d" % number) + qr(b"1Q0") for number in range(MAX_CODES + 1)),
        b"\n" * (MAX_HEIGHT // 30 + 1),
        b"\x1bd\xff" * 3,
        b" " * (MAX_BYTES + 1),
    ],
    ids=lambda data: data[:8].hex(),
)
def test_what_cannot_be_understood_is_refused(data: bytes) -> None:
    with pytest.raises(WireError):
        read_escpos(data)


COMMANDS = st.sampled_from(
    [
        *(
            b"\x1b@",
            b"\x1ba",
            b"\x1bM",
            b"\x1bt",
            b"\x1bd",
            b"\x1bi",
            b"\x1c&",
            b"\x1c.",
            b"\x1d!",
            b"\x1dV",
            b"\x1d(k",
        ),
        *(b"\r\n", b"abc", gb("金额"), gb("𠀀"), qr(b"1P0abc"), qr(b"1Q0"), qr(b"1C\x05"), qr(b"1E3")),
    ]
)


@given(st.lists(st.one_of(COMMANDS, st.binary(max_size=4)), max_size=30).map(b"".join), st.sampled_from([32, 42, 48]))
def test_any_bytes_are_a_paper_or_one_kind_of_error(data: bytes, columns: int) -> None:
    try:
        paper = read_escpos(data, columns)
    except WireError:
        return
    assert paper.width == columns * 12
    assert 0 < paper.height <= MAX_HEIGHT
    for mark in paper.marks:
        assert 0 <= mark.y <= paper.height
        assert isinstance(mark, Cut) or 0 <= mark.x < paper.width
