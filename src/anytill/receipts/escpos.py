"""A receipt as plain ESC/POS, for the Chinese printers that tills use: GB 18030, 58 or 80 mm, QR codes drawn by the
printer.

    ESC @                                     start afresh
    ESC a n   GS ! n   text   GS ! 0   LF     a line: n left 0, middle 1; size (width - 1) << 4 | (height - 1)
    FS & … FS .                               round Chinese within a text
    GS ( k                                    QR: model 2, dots of 6, level M, store, print
    ESC d 4   GS V 66 0                       feed and cut

Only commands that nearly every printer knows are used; how these bytes look is drawn by `receipts.picture`. GB 18030
has bytes for each character that an element of a receipt can hold (`core.receipt.printable`), so nothing can fail here;
whether a printer has a glyph for it is another matter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from anytill.core.receipt import Receipt
from anytill.receipts.layout import Code, Line, lines

_ESC, _FS, _GS, _LF = b"\x1b", b"\x1c", b"\x1d", b"\n"
_START: Final = _ESC + b"@"
_LEFT, _MIDDLE = _ESC + b"a\x00", _ESC + b"a\x01"
_CHINESE, _LATIN = _FS + b"&", _FS + b"."
_FEED_AND_CUT: Final = _ESC + b"d\x04" + _GS + b"V\x42\x00"
_WIDE, _TALL = 0x10, 0x01
_RUNS: Final = re.compile(r"([ -~]+)|([^ -~]+)")

#: Six dots a module: a payment's number is 16 mm wide, and the longest text still fits on 58 mm.
_MODULE_DOTS: Final = 6
_QR_MODEL_2: Final = b"\x31\x41\x32\x00"
_QR_SIZE: Final = b"\x31\x43" + bytes([_MODULE_DOTS])
_QR_LEVEL_M: Final = b"\x31\x45\x31"
_QR_STORE: Final = b"\x31\x50\x30"
_QR_PRINT: Final = b"\x31\x51\x30"


def escpos(receipt: Receipt, columns: int = 32) -> bytes:
    """The receipt for a printer with `columns` Latin columns. Raises ValueError for paper not in PAPERS."""
    return b"".join((_START, *(_encoded(line) for line in lines(receipt, columns)), _FEED_AND_CUT))


def _encoded(line: Line | Code) -> bytes:
    if isinstance(line, Code):
        # A scanner wants white on all sides of a code.
        return _LF + _MIDDLE + b"".join(_qr(line.text)) + _LEFT + _LF
    text = b"".join(_text(line.text))
    size = (_WIDE if line.wide else 0) | (_TALL if line.tall else 0)
    sized = b"%b!%c%b%b!\x00" % (_GS, size, text, _GS) if size else text
    return _MIDDLE + sized + _LF + _LEFT if line.centred else sized + _LF


def _text(text: str) -> Iterator[bytes]:
    for latin, chinese in _RUNS.findall(text):
        yield latin.encode("ascii") if latin else _CHINESE + chinese.encode("gb18030") + _LATIN


def _qr(text: str) -> Iterator[bytes]:
    store = _QR_STORE + text.encode("ascii")
    for body in (_QR_MODEL_2, _QR_SIZE, _QR_LEVEL_M, store, _QR_PRINT):
        yield _GS + b"(k" + len(body).to_bytes(2, "little") + body
