"""What ESC/POS bytes put on the paper: which text, how large, where. The other half of `receipts.escpos`.

It understands what we emit and the codes of Semoor's `printinfo` (V4.0, as bytes, not as the backslash text on the
wire); any other command is refused, since a reader that does not know a command cannot know where it ends.

    ESC @          start afresh; what stands in the unfinished line is lost, as in the printer
    ESC a n        left, middle, right (0 to 2, also as figures); only at the start of a line
    ESC M n        fonts 0 to 2, drawn alike: their looks differ from printer to printer
    ESC t n        code page of the bytes that are not Chinese; of these only ASCII is understood
    ESC d n        end the line and feed n lines
    ESC i, GS V    cut
    FS &, FS .     Chinese on, off; on at the start, as printers sold for GB 18030 are
    GS ! n         one to eight times as wide, as tall
    GS ( k         QR code: model, size, level, store, print
    CR, LF         CR is ignored, LF ends the line

Distances are dots: a Latin character has 12 x 24, a Chinese one 24 x 24, a line is 6 dots higher than its characters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from unicodedata import category

import segno

from anytill.core.columns import width
from anytill.receipts.layout import PAPERS
from anytill.wire.errors import Malformed, TooLarge

MAX_BYTES: Final = 65_536
MAX_HEIGHT: Final = 20_000
MAX_CODES: Final = 8
COLUMN_DOTS: Final = 12
CHARACTER_DOTS: Final = 24
_GAP_DOTS: Final = 6
_LINE_DOTS: Final = CHARACTER_DOTS + _GAP_DOTS
_MAX_CODE_CHARACTERS: Final = 200
#: Four bytes of GB 18030 can name these; no printer has anything to print for them.
_NOT_PRINTED: Final = frozenset({"Cc", "Cf", "Zl", "Zp"})
_LEVELS: Final[Mapping[int, str]] = {48: "l", 49: "m", 50: "q", 51: "h"}


@dataclass(frozen=True, slots=True)
class Run:
    """Characters of one size beside each other; x and y are the upper left corner."""

    x: int
    y: int
    text: str
    wide: int = 1
    tall: int = 1


@dataclass(frozen=True, slots=True)
class Code:
    """A QR code: one row of modules for each `bytes`, 1 is dark, each module `size` dots wide and tall."""

    x: int
    y: int
    text: str
    size: int
    modules: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Cut:
    """The paper is cut here."""

    y: int


Mark = Run | Code | Cut


@dataclass(frozen=True, slots=True)
class Paper:
    """A printed strip; all lengths are dots."""

    width: int
    height: int
    marks: tuple[Mark, ...]


def read_escpos(data: bytes, columns: int = 32) -> Paper:
    """What a printer with `columns` Latin columns makes of the bytes. Raises WireError for what it does not know.

    Raises ValueError for paper not in PAPERS.
    """
    if columns not in PAPERS:
        raise ValueError(f"paper has {', '.join(map(str, PAPERS))} columns")
    if len(data) > MAX_BYTES:
        raise TooLarge(f"a receipt has at most {MAX_BYTES} bytes")
    return _Reader(data, columns * COLUMN_DOTS).read()


class _Reader:
    """One pass over the bytes. A line is held until it ends, because only then its place is known."""

    def __init__(self, data: bytes, dots: int) -> None:
        self._data = data
        self._at = 0
        self._dots = dots
        self._y = 0
        self._marks: list[Mark] = []
        self.reset()
        self._modules: dict[tuple[str, str], tuple[bytes, ...]] = {}

    def reset(self) -> None:
        self._runs: list[Run] = []
        self._used = 0
        self._align = 0
        self._wide = self._tall = 1
        self._chinese = True
        self._code, self._code_size, self._code_level = "", 3, "l"

    def read(self) -> Paper:
        while self._at < len(self._data):
            byte = self._data[self._at]
            if byte in (0x1B, 0x1C, 0x1D):
                self._command(self._take(2))
            elif byte in (0x0A, 0x0D):
                self._at += 1
                if byte == 0x0A:
                    self._end_line()
            else:
                self._put(self._character(byte))
        if self._runs:
            self._end_line()
        return Paper(self._dots, max(self._y, _LINE_DOTS), tuple(self._marks))

    def _take(self, count: int) -> bytes:
        taken = self._data[self._at : self._at + count]
        if len(taken) < count:
            raise Malformed("a printer command is not complete")
        self._at += count
        return taken

    def _number(self, most: int) -> int:
        """The command's one argument, 0 to `most`, which some write as an ASCII figure."""
        number = self._take(1)[0]
        number -= 48 if 48 <= number <= 57 else 0
        if number > most:
            raise Malformed("a printer command has an argument that it does not take")
        return number

    # Text

    def _character(self, byte: int) -> str:
        if 0x20 <= byte <= 0x7E:
            return chr(self._take(1)[0])
        if not self._chinese or not 0x81 <= byte <= 0xFE:
            raise Malformed("a byte that is neither text nor a printer command")
        second = self._data[self._at + 1 : self._at + 2]
        code = self._take(4 if second.isdigit() else 2)
        try:
            character = code.decode("gb18030")
        except UnicodeDecodeError:
            raise Malformed("bytes that are not GB 18030") from None
        if len(character) != 1 or category(character) in _NOT_PRINTED:
            raise Malformed("a character that cannot be printed")
        return character

    def _put(self, character: str) -> None:
        dots = width(character) * COLUMN_DOTS * self._wide
        if self._used + dots > self._dots:
            self._end_line()
        last = self._runs[-1] if self._runs else None
        if last and (last.wide, last.tall) == (self._wide, self._tall):
            self._runs[-1] = Run(last.x, 0, last.text + character, last.wide, last.tall)
        else:
            self._runs.append(Run(self._used, 0, character, self._wide, self._tall))
        self._used += dots

    def _end_line(self) -> None:
        left = self._left(self._used)
        tallest = max((run.tall for run in self._runs), default=1)
        for run in self._runs:
            y = self._y + (tallest - run.tall) * CHARACTER_DOTS
            self._marks.append(Run(left + run.x, y, run.text, run.wide, run.tall))
        self._runs, self._used = [], 0
        self._feed(tallest * CHARACTER_DOTS + _GAP_DOTS)

    def _left(self, dots: int) -> int:
        return (self._dots - dots) * self._align // 2

    def _feed(self, dots: int) -> None:
        self._y += dots
        if self._y > MAX_HEIGHT:
            raise TooLarge(f"a receipt is at most {MAX_HEIGHT} dots long")

    # Commands

    def _command(self, name: bytes) -> None:
        try:
            act = _COMMANDS[name]
        except KeyError:
            raise Malformed("a printer command that is not known") from None
        act(self)

    def justify(self) -> None:
        align = self._number(2)
        if not self._runs:
            self._align = align

    def choose_font(self) -> None:
        self._number(2)

    def choose_code_page(self) -> None:
        self._take(1)

    def feed_lines(self) -> None:
        count = self._take(1)[0]
        if self._runs:
            self._end_line()
        self._feed(count * _LINE_DOTS)

    def cut(self) -> None:
        if self._runs:
            self._end_line()
        self._marks.append(Cut(self._y))

    def feed_and_cut(self) -> None:
        way = self._take(1)[0]
        if way in (0x41, 0x42):
            dots = self._take(1)[0]
            if self._runs:
                self._end_line()
            self._feed(dots)
        elif way not in (0, 1, 0x30, 0x31):
            raise Malformed("a printer command has an argument that it does not take")
        self.cut()

    def chinese_on(self) -> None:
        self._chinese = True

    def chinese_off(self) -> None:
        self._chinese = False

    def resize(self) -> None:
        size = self._take(1)[0]
        if size & 0x88:
            raise Malformed("a character is at most eight times as large")
        self._wide, self._tall = (size >> 4) + 1, (size & 0x07) + 1

    def qr(self) -> None:
        if self._take(1) != b"k":
            raise Malformed("a printer command that is not known")
        body = self._take(int.from_bytes(self._take(2), "little"))
        function, argument = body[:2], body[2:]
        if function == b"\x31\x41" and argument in (b"1\x00", b"2\x00"):
            return
        if function == b"\x31\x43" and len(argument) == 1 and 1 <= argument[0] <= 16:
            self._code_size = argument[0]
        elif function == b"\x31\x45" and len(argument) == 1 and argument[0] in _LEVELS:
            self._code_level = _LEVELS[argument[0]]
        elif function == b"\x31\x50" and argument[:1] == b"0":
            self._code = _code_text(argument[1:])
        elif function == b"\x31\x51" and argument == b"0" and self._code:
            self._put_code()
        else:
            raise Malformed("a QR code that cannot be understood")

    def _put_code(self) -> None:
        if self._runs:
            self._end_line()
        key = (self._code, self._code_level)
        if key not in self._modules:
            if len(self._modules) == MAX_CODES:
                raise TooLarge(f"a receipt has at most {MAX_CODES} different QR codes")
            self._modules[key] = _modules(*key)
        modules = self._modules[key]
        dots = len(modules) * self._code_size
        if dots > self._dots:
            raise TooLarge("a QR code that is wider than the paper")
        self._marks.append(Code(self._left(dots), self._y, self._code, self._code_size, modules))
        self._feed(dots + _GAP_DOTS)


_COMMANDS: Final[Mapping[bytes, Callable[[_Reader], None]]] = {
    b"\x1b@": _Reader.reset,
    b"\x1ba": _Reader.justify,
    b"\x1bM": _Reader.choose_font,
    b"\x1bt": _Reader.choose_code_page,
    b"\x1bd": _Reader.feed_lines,
    b"\x1bi": _Reader.cut,
    b"\x1dV": _Reader.feed_and_cut,
    b"\x1c&": _Reader.chinese_on,
    b"\x1c.": _Reader.chinese_off,
    b"\x1d!": _Reader.resize,
    b"\x1d(": _Reader.qr,
}


def _code_text(data: bytes) -> str:
    """What a code says: 1 to 200 characters of printable ASCII, as in `core.receipt.QrCode`."""
    text = data.decode("latin-1")
    if not (0 < len(text) <= _MAX_CODE_CHARACTERS and text.isascii() and text.isprintable()):
        raise Malformed("a QR code that cannot be understood")
    return text


def _modules(text: str, level: str) -> tuple[bytes, ...]:
    # Never a Micro QR code, which phones do not read.
    return tuple(map(bytes, segno.make_qr(text, error=level, boost_error=False).matrix))
