"""The bytes that go to a printer, and what they put on its paper."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytill.core.columns import width
from anytill.core.receipt import Amount, QrCode, Receipt, Row, Rule, Space, Text, Title, printable
from anytill.core.receipt_text import PAYMENT_TITLES, REFUND_TITLES
from anytill.receipts.escpos import escpos
from anytill.receipts.layout import PAPERS, Line, lines
from anytill.receipts.paper import COLUMN_DOTS, Code, Cut, Run, read_escpos
from anytill.receipts.plain import plain_text

SLIP = Receipt(
    (
        Title("交易小票"),
        Text("【商户联】", centred=True),
        Rule(),
        Row("门店", "Café 1"),
        Amount("金额", 105, big=True),
        Amount("小费", 5, "HKD"),
        Space(),
        QrCode("12611181906400000007"),
    )
)

#: Byte for byte, so that a change of what printers get is seen.
GOLDEN = (
    b"\x1b@"
    b"\x1ba\x01\x1d!\x11\x1c&\xbd\xbb\xd2\xd7\xd0\xa1\xc6\xb1\x1c.\x1d!\x00\n\x1ba\x00"
    b"\x1ba\x01\x1c&\xa1\xbe\xc9\xcc\xbb\xa7\xc1\xaa\xa1\xbf\x1c.\n\x1ba\x00"
    b"--------------------------------\n"
    b"\x1c&\xc3\xc5\xb5\xea\x1c.                     Caf\x1c&\xa8\xa6\x1c. 1\n"
    b"\x1d!\x01\x1c&\xbd\xf0\xb6\xee\x1c.                      1.05\x1c&\xd4\xaa\x1c.\x1d!\x00\n"
    b"\x1c&\xd0\xa1\xb7\xd1\x1c.                    0.05 HKD\n"
    b"\n"
    b"\n\x1ba\x01"
    b"\x1d(k\x04\x001A2\x00\x1d(k\x03\x001C\x06\x1d(k\x03\x001E1"
    b"\x1d(k\x17\x001P012611181906400000007\x1d(k\x03\x001Q0"
    b"\x1ba\x00\n"
    b"\x1bd\x04\x1dVB\x00"
)

TEXTS = st.text(
    st.one_of(st.sampled_from("a 门\x1b\n\x1d¥￥é€𠀀\u0301"), st.characters(exclude_categories=())), max_size=90
)
RECEIPTS = st.lists(
    st.one_of(
        st.builds(Title, TEXTS),
        st.builds(Row, TEXTS, TEXTS, st.booleans()),
        st.builds(Amount, TEXTS, st.integers(-(10**10), 10**10), st.sampled_from(["CNY", "HKD"]), st.booleans()),
        st.builds(Text, TEXTS, st.booleans()),
        st.just(Rule()),
        st.just(Space()),
        st.builds(QrCode, st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=200)),
    ),
    max_size=6,
).map(lambda elements: Receipt(tuple(elements)))
PAPER = st.sampled_from(PAPERS)


def test_the_bytes_of_a_slip() -> None:
    assert escpos(SLIP) == GOLDEN


def test_the_same_slip_as_text() -> None:
    assert plain_text(SLIP).splitlines() == [
        "            交易小票",
        "           【商户联】",
        "-" * 32,
        "门店                     Café 1",
        "金额                      1.05元",
        "小费                    0.05 HKD",
        "",
        "      12611181906400000007",
    ]


@pytest.mark.parametrize(
    ("text", "columns", "shown"),
    [
        ("微信支付交易小票", 32, [("微信支付交易小票", 2)]),
        ("支付失败（未支付）", 32, [("支付失败（未支付）", 1)]),
        ("支付失败（未支付）", 42, [("支付失败（未支付）", 2)]),
        ("金" * 17, 32, [("金" * 16, 1), ("金", 1)]),
    ],
)
def test_a_title_is_as_wide_as_fits_on_one_line(text: str, columns: int, shown: list[tuple[str, int]]) -> None:
    marks = read_escpos(escpos(Receipt((Title(text),)), columns), columns).marks
    assert [(mark.text, mark.wide) for mark in marks if isinstance(mark, Run)] == shown


@pytest.mark.parametrize("title", [*PAYMENT_TITLES.values(), *REFUND_TITLES.values()])
def test_no_title_of_ours_is_broken(title: str) -> None:
    assert len(list(lines(Receipt((Title(title),)), 32))) == 1


def test_what_the_slip_looks_like() -> None:
    paper = read_escpos(escpos(SLIP))
    runs = [mark for mark in paper.marks if isinstance(mark, Run)]
    assert [(run.x, run.y, run.text, run.wide, run.tall) for run in runs[:5]] == [
        (96, 0, "交易小票", 2, 2),
        (132, 54, "【商户联】", 1, 1),
        (0, 84, "-" * 32, 1, 1),
        (0, 114, "门店                     Café 1", 1, 1),
        (0, 144, "金额                      1.05元", 1, 2),
    ]
    (code,) = [mark for mark in paper.marks if isinstance(mark, Code)]
    assert (code.text, code.size, len(code.modules)) == ("12611181906400000007", 6, 21)
    assert code.x == (384 - 21 * 6) // 2
    assert paper.marks[-1] == Cut(paper.height)


@given(RECEIPTS, PAPER)
def test_a_printer_shows_every_line_where_it_was_laid_out(receipt: Receipt, columns: int) -> None:
    paper = read_escpos(escpos(receipt, columns), columns)
    shown = [mark for mark in paper.marks if isinstance(mark, Run)]
    meant = [line for line in lines(receipt, columns) if isinstance(line, Line) and line.text]
    assert [run.text for run in shown] == [line.text for line in meant]
    assert [(run.wide, run.tall) for run in shown] == [(1 + line.wide, 1 + line.tall) for line in meant]
    codes = [element.text for element in receipt.elements if isinstance(element, QrCode)]
    assert [mark.text for mark in paper.marks if isinstance(mark, Code)] == codes
    for run, line in zip(shown, meant, strict=True):
        dots = width(run.text) * COLUMN_DOTS * run.wide
        assert run.x + dots <= paper.width == columns * COLUMN_DOTS
        assert run.x == ((paper.width - dots) // 2 if line.centred else 0)


@given(RECEIPTS, PAPER)
def test_text_is_never_wider_than_its_paper(receipt: Receipt, columns: int) -> None:
    assert all(width(line) <= columns for line in plain_text(receipt, columns).splitlines())


@given(st.text(st.characters(exclude_categories=()), max_size=60))
def test_no_text_becomes_a_command(text: str) -> None:
    """Only our own commands are in the bytes: the same as those of a harmless text, taken out of the way."""
    sent = escpos(Receipt((Text(text),)))
    body = sent.removeprefix(b"\x1b@").removesuffix(b"\x1bd\x04\x1dVB\x00")
    assert set(range(0x20)) & set(body) <= {0x0A, 0x1C}
    assert b"\x81\x30\x84\x36" not in body  # what GB 18030 makes of U+00A5
    rest = body.replace(b"\x1c&", b"").replace(b"\x1c.", b"")
    assert rest.decode("gb18030").replace("\n", "").replace(" ", "") == printable(text).replace(" ", "")


@pytest.mark.parametrize("columns", [0, 31, 64])
def test_paper_that_nobody_sells(columns: int) -> None:
    for make in (escpos, plain_text):
        with pytest.raises(ValueError, match="32, 42, 48"):
            make(SLIP, columns)
    with pytest.raises(ValueError, match="32, 42, 48"):
        read_escpos(b"", columns)
