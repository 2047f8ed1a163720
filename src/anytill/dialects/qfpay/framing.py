"""Messages on a serial line (section 9 of the source), without the line: bytes in, events out, time an argument.

    2F 6E | 01      | 10 request             | 01-7F  | u16: this     | u16: whole     | share of    | 2F 6E
    start | version | 20 answer, 30-35 error | number | frame's bytes | message's bytes| the message | end

A message that is too long for one frame goes out in several of one number; each tells the length of the whole. Numbers
are big-endian. What is received whole is acknowledged by an empty answer of its number. As the mark is also text that
messages hold (`/n`), frames are cut by their lengths, and the marks are only looked at where they must be.

Strategy: a frame begins where mark, version, kind and number are as they may be, and both lengths agree; anything else
is noise. Messages are text, so such a beginning inside a frame shows that the outer one was cut off: the inner one is
the frame. So a good frame is found however many broken ones lie before it. Nothing has a checksum; what was changed on
the way and looks like text is for the message's own digest to find.

What could not be read is complained of only when the line has been quiet for the time in which a message must come
together. By then its sender still waits, and if it came once more meanwhile, nobody who takes the first answer for the
last is told that it failed. Errors and acknowledgements are themselves never answered.

Nothing is sent twice: the other side may not see that it has it already. What comes twice (same number, same bytes,
within five seconds) is acknowledged twice and handed on once.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from anytill.wire.line import Acknowledged, Dropped, Event, Received, Refused, Repeated, Unheard, Write

MARK: Final = b"/n"
VERSION: Final = 1
REQUEST: Final = 0x10
ANSWER: Final = 0x20
UNKNOWN_ERROR: Final = 0x30
FORMAT_ERROR: Final = 0x31
CHECK_ERROR: Final = 0x32
# 0x33, "cannot be decrypted", is not ours to send: a line knows no key, and a wrong one is told in the answer.
DATA_ERROR: Final = 0x34
PACKETS_ERROR: Final = 0x35
#: In an error about bytes whose number nobody can know; no message has it.
NO_NUMBER: Final = 0

ANSWER_MS: Final = 1_000
TOGETHER_MS: Final = 500
REPEATED_MS: Final = 5_000
#: How long a packet that comes after its message was given up is told so.
LATE_MS: Final = 2_000
#: What the source advises for one frame, and what two bytes can say.
PACKET_BYTES: Final = 1_024
MOST_BYTES: Final = 65_535
BAUD: Final = 9_600

_LAST_NUMBER: Final = 127
_AROUND: Final = 11  # bytes of a frame that are no data
_HEAD: Final = struct.Struct(">2sBBBHH")
_BEGINNING: Final = re.compile(rb"/n\x01(?:[\x10\x20][\x01-\x7f]|[\x30-\x35][\x00-\x7f])")
_BEGINNING_BYTES: Final = 5
_BEGUN: Final = re.compile(rb"/(?:n(?:\x01[\x10\x20\x30-\x35]?)?)?\Z")
_BITS_A_BYTE: Final = 10  # with start and stop


@dataclass(frozen=True, slots=True)
class _Frame:
    kind: int
    number: int
    length: int  # of the whole message
    data: bytes


@dataclass(slots=True)
class _Part:
    """A message of which some packets are here."""

    number: int
    length: int
    until_ms: int
    data: bytearray = field(default_factory=bytearray)


def encode_frame(kind: int, number: int, data: bytes = b"", *, length: int | None = None) -> bytes:
    """One frame; `length` is that of the whole message where this is only a part of it."""
    head = _HEAD.pack(MARK, VERSION, kind, number, len(data) + _AROUND, len(data) if length is None else length)
    return head + data + MARK


def encode_message(number: int, message: bytes, *, kind: int = REQUEST, packet_bytes: int = PACKET_BYTES) -> bytes:
    """A message in as many frames as it needs. Raises ValueError when it cannot travel."""
    if not 0 < len(message) <= MOST_BYTES or not 0 < packet_bytes <= MOST_BYTES - _AROUND:
        raise ValueError(f"a message has 1 to {MOST_BYTES} bytes")
    if _BEGINNING.search(message):
        raise ValueError("a message is text")
    shares = [message[at : at + packet_bytes] for at in range(0, len(message), packet_bytes)]
    return b"".join(encode_frame(kind, number, share, length=len(message)) for share in shares)


def next_number(number: int) -> int:
    """The number after this one."""
    return number % _LAST_NUMBER + 1


class Frames:
    """One end of a serial line, register or terminal. Implements `wire.line.Line`."""

    def __init__(self, first: int = 1, *, packet_bytes: int = PACKET_BYTES, baud: int = BAUD) -> None:
        """`first` is the number of the first message sent. Who starts anew should not start at the same: what it says
        then may look like what it said before. `baud` tells how long the line needs for what is sent."""
        self.full = False
        self._next = first
        self._packet_bytes = packet_bytes
        self._baud = baud
        self._free_ms = 0  # when all that was written will have left
        self._buffer = bytearray()
        # The end of the last frame is left there: where one mark was lost between two frames, it is the next one's too.
        self._used = 0  # so many bytes at the front of the buffer belong to a frame already
        self._searched = len(MARK)  # up to here the buffer holds no second beginning
        self._quiet_ms: int | None = None  # when the line has been quiet long enough; None when nothing depends on it
        self._junk = 0
        self._complaint: tuple[int, int] | None = None  # an error and the number it is about
        self._parts: dict[int, _Part] = {}  # by kind
        self._late: tuple[int, int, int] | None = None  # number and length of a message given up, until when
        self._heard: dict[int, tuple[bytes, int]] = {}  # by number: what a message was, until when it may be repeated
        self._awaited: dict[int, int] = {}  # by number: until when its acknowledgement is due

    @property
    def next_wake_ms(self) -> int | None:
        """When `wake` is due."""
        due = [*self._awaited.values(), *(self._part_until_ms(part) for part in self._parts.values())]
        if self._quiet_ms is not None:
            due.append(self._quiet_ms)
        return min(due, default=None)

    def send(self, message: bytes, now_ms: int) -> tuple[int, list[Event]]:
        """Send a message. Acknowledged, Refused or Unheard will tell what became of it. Raises ValueError."""
        number = self._next
        data = encode_message(number, message, packet_bytes=self._packet_bytes)
        self._next = next_number(number)
        write = self._write(data, now_ms)
        # The other side's second begins when it has all of it, which a slow line only has after a while.
        self._awaited[number] = self._free_ms + ANSWER_MS
        return number, [write]

    def receive(self, data: bytes, now_ms: int) -> list[Event]:
        """What came of these bytes."""
        events: list[Event] = []
        self._buffer += data
        self._read(now_ms, events)
        unread = len(self._buffer) > self._used
        self._quiet_ms = now_ms + TOGETHER_MS if unread or self._junk or self._complaint else None
        return events

    def end(self, now_ms: int) -> list[Event]:
        """The line is gone: nothing that was begun will be whole, nothing that was sent will be acknowledged."""
        self._skip(len(self._buffer))
        events: list[Event] = [Dropped(self._junk)] if self._junk else []
        events += [Unheard(number) for number in self._awaited]
        self._parts.clear()
        self._awaited.clear()
        self._junk, self._complaint, self._quiet_ms = 0, None, None
        return events

    def wake(self, now_ms: int) -> list[Event]:
        """What time alone brings about."""
        events: list[Event] = []
        if self._quiet_ms is not None and now_ms >= self._quiet_ms:
            self._give_up(now_ms, events)
        for kind, part in list(self._parts.items()):
            if now_ms >= self._part_until_ms(part):
                self._lose(kind, part, now_ms)
        for number, due_ms in list(self._awaited.items()):
            if now_ms >= due_ms:
                del self._awaited[number]
                events.append(Unheard(number))
        return events

    # Bytes to frames

    def _read(self, now_ms: int, events: list[Event]) -> None:
        while frame := self._cut():
            if self._junk:
                events.append(Dropped(self._junk))
                self._junk = 0
            self._take(frame, now_ms, events)

    def _cut(self) -> _Frame | None:
        """The next whole frame, with what is none before it thrown away; None until more has come."""
        buffer = self._buffer
        while buffer:
            beginning = _BEGINNING.search(buffer)
            if beginning is None:
                begun = _BEGUN.search(buffer)
                self._skip(begun.start() if begun else len(buffer))
                return None
            self._skip(beginning.start())
            if len(buffer) < _HEAD.size:
                return None
            _, _, kind, number, size, length = _HEAD.unpack_from(buffer)
            share = size - _AROUND
            if not 0 <= share <= length or (length and not share):
                self._complain(CHECK_ERROR, kind, number)
                self._skip(len(MARK))
                continue
            inner = _BEGINNING.search(buffer, self._searched, size - len(MARK) + _BEGINNING_BYTES - 1)
            if inner is None and len(buffer) < size:
                self._searched = max(len(MARK), len(buffer) - _BEGINNING_BYTES + 1)
                return None
            if inner is not None or not buffer.startswith(MARK, size - len(MARK)):
                self._complain(FORMAT_ERROR, kind, number)
                self._skip(inner.start() if inner else len(MARK))
                continue
            frame = _Frame(kind, number, length, bytes(buffer[_HEAD.size : size - len(MARK)]))
            self._forget(size - len(MARK))
            self._used = len(MARK)
            return frame
        return None

    def _skip(self, count: int) -> None:
        if count:
            self._junk += max(count - self._used, 0)
            self._forget(count)

    def _forget(self, count: int) -> None:
        del self._buffer[:count]
        self._used = max(self._used - count, 0)
        self._searched = len(MARK)

    def _complain(self, code: int, kind: int, number: int) -> None:
        if kind == REQUEST:
            self._complaint = code, number

    def _give_up(self, now_ms: int, events: list[Event]) -> None:
        """Nothing more has come: what is not whole by now is noise, but whole frames may lie behind it."""
        while self._buffer:
            if _BEGINNING.match(self._buffer):
                self._complain(FORMAT_ERROR, self._buffer[3], self._buffer[4])
                self._skip(len(MARK))
                self._read(now_ms, events)
            else:
                self._skip(len(self._buffer))
        if self._junk or self._complaint:
            code, number = self._complaint or (FORMAT_ERROR, NO_NUMBER)
            events += [Dropped(self._junk)] if self._junk else []
            events.append(self._write(encode_frame(code, number), now_ms))
        self._junk, self._complaint, self._quiet_ms = 0, None, None

    # Frames to messages

    def _take(self, frame: _Frame, now_ms: int, events: list[Event]) -> None:
        if frame.kind == REQUEST:
            message = self._joined(frame, now_ms, events)
            if message is not None:
                self._accept(frame.number, message, now_ms, events)
            return
        acknowledged = self._awaited.pop(frame.number, None) is not None
        if frame.kind != ANSWER:
            if frame.number != NO_NUMBER:
                events.append(Refused(frame.number, frame.kind))
            return
        if acknowledged:
            events.append(Acknowledged(frame.number))
        if frame.length:  # some terminals answer in the acknowledgement
            message = self._joined(frame, now_ms, events)
            if message is not None:
                events.append(Received(frame.number, message, answers=frame.number))

    def _joined(self, frame: _Frame, now_ms: int, events: list[Event]) -> bytes | None:
        """The message that this frame completes."""
        if len(frame.data) == frame.length:
            return frame.data
        if self._is_late(frame, now_ms):
            self._tell(PACKETS_ERROR, frame, now_ms, events)
            return None
        part = self._parts.get(frame.kind)
        if part is None or (part.number, part.length) != (frame.number, frame.length):
            # One message at a time: what was begun before is lost.
            part = self._parts[frame.kind] = _Part(frame.number, frame.length, 0)
        part.data += frame.data
        part.until_ms = now_ms + TOGETHER_MS
        if len(part.data) < part.length:
            return None
        if len(part.data) > part.length:
            self._lose(frame.kind, part, now_ms)
            self._tell(PACKETS_ERROR, frame, now_ms, events)
            return None
        del self._parts[frame.kind]
        return bytes(part.data)

    def _part_until_ms(self, part: _Part) -> int:
        """Its next packet may be on its way: a slow line needs a second for one."""
        return max(part.until_ms, self._quiet_ms or 0)

    def _lose(self, kind: int, part: _Part, now_ms: int) -> None:
        del self._parts[kind]
        if kind == REQUEST:
            self._late = part.number, part.length, now_ms + LATE_MS

    def _is_late(self, frame: _Frame, now_ms: int) -> bool:
        if frame.kind != REQUEST or self._late is None:
            return False
        number, length, until_ms = self._late
        return now_ms < until_ms and (number, length) == (frame.number, frame.length)

    def _accept(self, number: int, message: bytes, now_ms: int, events: list[Event]) -> None:
        self._complaint = None
        if not message:
            events.append(self._write(encode_frame(DATA_ERROR, number), now_ms))
            return
        what = sha256(message).digest()
        before, until_ms = self._heard.get(number, (b"", 0))
        repeated = what == before and now_ms < until_ms
        if self.full and not repeated:
            events.append(self._write(encode_frame(UNKNOWN_ERROR, number), now_ms))
            return
        acknowledgement = self._write(encode_frame(ANSWER, number), now_ms, acknowledges=True)
        if repeated:
            events += [acknowledgement, Repeated(number)]
            return
        self._heard[number] = what, now_ms + REPEATED_MS
        events += [acknowledgement, Received(number, message)]

    def _tell(self, code: int, frame: _Frame, now_ms: int, events: list[Event]) -> None:
        if frame.kind == REQUEST:
            events.append(self._write(encode_frame(code, frame.number), now_ms))

    def _write(self, data: bytes, now_ms: int, *, acknowledges: bool = False) -> Write:
        self._free_ms = max(now_ms, self._free_ms) + -(-len(data) * _BITS_A_BYTE * 1_000 // self._baud)
        return Write(data, acknowledges)
