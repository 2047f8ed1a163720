"""Messages over TCP (section 8 of the source), without the socket: bytes in, events out, time an argument.

The source says no more than that the encrypted text goes over a socket. Nothing marks its end, so whatever may be one
is: a line end; the sender closing its half; a text that the caller knows to be whole, because it decrypts; half a
second without another byte; and ten seconds after the first, for those who never stop. Answers are said in the order
of the requests, and end as these did: with the same line end, or with none.

Two messages that come glued together without a line end between them cannot be told apart, and are tried as one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from anytill.wire.line import Acknowledged, Event, Overlong, Received, Write

MOST_BYTES: Final = 65_535
IDLE_MS: Final = 500
LONGEST_MS: Final = 10_000
#: To try a text costs a decryption, and whoever sends it a byte at a time would have it tried at each.
_MOST_TRIES: Final = 64
_LINE_END: Final = b"\n"
_BLANKS: Final = b" \t\r\n"


class Lines:
    """One end of a connection. A register uses one for each question, so that no late answer is taken for another's.
    Implements `wire.line.Line`."""

    def __init__(self, is_whole: Callable[[bytes], bool]) -> None:
        """`is_whole` tells a whole message from a part of one; it may be wrong about a part only by saying so."""
        self.full = False  # whoever answers stops reading instead
        self._is_whole = is_whole
        self._buffer = bytearray()
        self._searched = 0  # up to here the buffer holds no line end
        self._tries = 0
        self._first_ms = 0
        self._last_ms = 0
        self._received = 0
        self._sent = 0
        self._endings: deque[bytes] = deque()  # how the messages ended that are not answered yet
        self._may_end = False  # the last message was whole without a line end, and nothing has come since

    @property
    def next_wake_ms(self) -> int | None:
        """When `wake` is due."""
        return min(self._last_ms + IDLE_MS, self._first_ms + LONGEST_MS) if self._buffer else None

    def send(self, message: bytes, now_ms: int) -> tuple[int, list[Event]]:
        """Say something: the answer to the oldest request that has none, or a question. Only the network acknowledges
        it."""
        ending = self._endings.popleft() if self._endings else b""
        self._sent += 1
        return self._sent, [Write(message + ending), Acknowledged(self._sent)]

    def receive(self, data: bytes, now_ms: int) -> list[Event]:
        """What came of these bytes."""
        events: list[Event] = []
        if data:
            self._add(data, now_ms)
            while (at := self._buffer.find(_LINE_END, self._searched)) >= 0:
                if at > MOST_BYTES:
                    break
                self._end_line(at, events)
                self._first_ms = now_ms
            self._searched = len(self._buffer)
            if len(self._buffer) > MOST_BYTES:
                self._clear()
                return [*events, Overlong()]
            self._try(events)
        return events

    def end(self, now_ms: int) -> list[Event]:
        """The other side has closed its half; what is here is all."""
        return self._take_all([])

    def wake(self, now_ms: int) -> list[Event]:
        """Whoever has been quiet for so long has said it all."""
        due_ms = self.next_wake_ms
        return self._take_all([]) if due_ms is not None and now_ms >= due_ms else []

    def _add(self, data: bytes, now_ms: int) -> None:
        if not self._buffer:
            data = self._without_late_ending(data)
            self._first_ms = now_ms
        self._last_ms = now_ms
        self._buffer += data

    def _without_late_ending(self, data: bytes) -> bytes:
        """The line end of a message that was seen to be whole before it came."""
        if self._may_end:
            for ending in (b"\r\n", b"\n"):
                if data.startswith(ending) and self._endings:
                    self._endings[-1] = ending
        self._may_end = False
        return data.lstrip(_BLANKS)

    def _end_line(self, at: int, events: list[Event]) -> None:
        line = bytes(self._buffer[:at])
        del self._buffer[: at + 1]
        self._searched = self._tries = 0
        self._take(line, b"\r\n" if line.endswith(b"\r") else b"\n", events)

    def _try(self, events: list[Event]) -> None:
        if self._buffer and self._tries < _MOST_TRIES:
            self._tries += 1
            if self._is_whole(bytes(self._buffer)):
                self._take_all(events)
                self._may_end = True

    def _take_all(self, events: list[Event]) -> list[Event]:
        message = bytes(self._buffer)
        self._clear()
        self._take(message, b"", events)
        return events

    def _take(self, message: bytes, ending: bytes, events: list[Event]) -> None:
        message = message.strip(_BLANKS)
        if message:
            self._received += 1
            self._endings.append(ending)
            events.append(Received(self._received, message))

    def _clear(self) -> None:
        self._buffer.clear()
        self._searched = self._tries = 0
