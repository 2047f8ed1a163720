"""A bad serial line: `make fuzz KIND=frames` sends a million messages through one and looks at what comes out.

The line loses frames, tails, heads and packets, changes bytes, keeps packets too long, repeats what was said, adds
noise of every kind, and glues and cuts as it likes. Time passes only here. What must hold all the same:

* **No wrong message.** What is handed on was sent; if the line changed it, the message's own digest says so (`codec`).
* **Once.** What was said twice within the time for that is handed on once.
* **Resynchronised within one good frame.** A good message is heard, and with its last byte, if the one before it was
  good, or if the line was quiet before it; so at most one is lost or late after each disturbance.
* **Never stuck.** Once the line is quiet nothing is awaited, and the next message is heard.
* **What is acknowledged has arrived**, and of every message one learns within its time whether it was acknowledged.

A part of the million (`Block`) follows from the seed and its number.
"""

from __future__ import annotations

import multiprocessing
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Final

from anytill.core.secret import Secret
from anytill.dialects.qfpay.codec import PosKey, RequestForm, open_request, seal_request
from anytill.dialects.qfpay.framing import (
    ANSWER,
    ANSWER_MS,
    BAUD,
    PACKETS_ERROR,
    REQUEST,
    TOGETHER_MS,
    Frames,
    encode_frame,
    next_number,
)
from anytill.wire.errors import WireError
from anytill.wire.line import Acknowledged, Event, Received, Refused, Unheard, Write

FRAMES: Final = "frames"
BLOCK: Final = 500
_KEY: Final = PosKey(Secret("0f1e2d3c4b5a69788796a5b4c3d2e1f0"))
_MARKS: Final = (b"/", b"/n", b"n", b"\x01", b"\x10", b"\x20", b"/n\x01", b"/n\x01\x10", b"/n\x01\x10\x07", b"\x00\x40")
_BASE64: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_LONG_MS: Final = 700
_SHORT_MS: Final = 40


class Broken(Exception):
    """What must not happen."""


@dataclass(slots=True)
class Fates:
    """What became of the messages of some blocks."""

    counted: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)
    cpu_s: float = 0.0

    def add(self, other: Fates) -> None:
        """Take in another part."""
        self.counted += other.counted
        self.findings += other.findings
        self.cpu_s += other.cpu_s


@dataclass(slots=True)
class Sent:
    """A message on its way."""

    message: bytes
    number: int
    must_arrive: bool
    changed: bool = False  # a copy of it was damaged
    never_left: bool = False
    arrived: int = 0
    refused: bool = False  # aloud


def message_of(block: int, place: int, chance: Random) -> bytes:
    """A genuine request, like no other."""
    content: dict[str, str | int] = {"func_type": 1001, "amt": chance.randrange(1, 10**6), "channel": "wx"}
    content["out_trade_no"] = f"B{block}-{place}"
    if chance.random() < 0.3:
        content["subject"] = "s" * chance.randrange(1, 1_500)
    return seal_request(content, _KEY, form=RequestForm.RAW)


class BadLine:
    """What a line does to bytes."""

    def __init__(self, chance: Random) -> None:
        self._chance = chance

    def noise(self, *, whole: bool = True) -> bytes:
        """What nobody said; with `whole` also whole frames, among them acknowledgements."""
        chance = self._chance
        kind = chance.randrange(5 if whole else 4)
        if kind == 0:
            return chance.randbytes(chance.randrange(1, 60))
        if kind == 1:
            return b"".join(chance.choices(_MARKS, k=chance.randrange(1, 12)))
        text = bytes(chance.choices(_BASE64, k=chance.randrange(1, 80)))
        number = chance.randrange(1, 128)
        if kind == 2:  # a long message that has just begun
            frame = encode_frame(REQUEST, number, text + b"=" * chance.randrange(60_000))
            return frame[: chance.randrange(1, 90)]
        if kind == 3:  # a part of a message whose rest never comes
            return encode_frame(REQUEST, number, text, length=len(text) + chance.randrange(1, 5_000))
        return encode_frame(
            chance.choice((ANSWER, 0x31, 0x35, REQUEST)), number, text if chance.random() < 0.5 else b""
        )

    def damaged(self, data: bytes) -> bytes:
        """The same bytes, less some, or with some changed."""
        chance = self._chance
        kind, at = chance.randrange(4), chance.randrange(len(data))
        if kind == 0:
            return data[:at]
        if kind == 1:
            return data[at + 1 :]
        if kind == 2:
            return data[:at] + data[at + chance.randrange(1, 30) :]
        changed = bytearray(data)
        for _ in range(chance.randrange(1, 4)):
            changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
        return bytes(changed)


class Stream:
    """Many messages one after the other, cut and glued; nobody waits for anybody."""

    def __init__(self, seed: int, block: int, make: Callable[[], Frames] = Frames) -> None:
        self._chance = Random(f"{seed} {block}")
        self._line = BadLine(self._chance)
        self._block = block
        self._receiver = make()
        self._now_ms = 0
        self._glued = bytearray()
        self._put_bytes = self._arrived_bytes = 0
        self._awaited: deque[tuple[int, Sent]] = deque()  # what must have been heard when so many bytes have arrived
        self._sent: dict[bytes, Sent] = {}
        self._good_before = True
        self.counted: Counter[str] = Counter()

    def run(self, count: int) -> Counter[str]:
        """What became of so many messages. Raises Broken."""
        number = self._chance.randrange(1, 128)
        for place in range(count):
            number = next_number(number)
            self._pause_maybe()
            if self._chance.random() < 0.08:
                self._put(self._line.noise())
                self._good_before = False
                self.counted["noises"] += 1
            self._transmit(Sent(message_of(self._block, place, self._chance), number, self._good_before))
        self._settle()
        for sent in self._sent.values():
            self._judge(sent)
        return self.counted

    def _transmit(self, sent: Sent) -> None:
        self._sent[sent.message] = sent
        chance, message = self._chance, sent.message
        size = chance.choice((1_024, 1_024, chance.randrange(40, 300)))
        packets = [
            encode_frame(REQUEST, sent.number, message[at : at + size], length=len(message))
            for at in range(0, len(message), size)
        ]
        fate = chance.random()
        if fate < 0.70:
            self._good(sent, packets)
        elif fate < 0.73:
            sent.must_arrive, sent.never_left = False, True
            self.counted["lost"] += 1
        elif fate < 0.80:
            self._good(sent, packets)
            self._pass(chance.randrange(1_500))
            self._good(sent, packets)
            self.counted["said twice"] += 1
        else:
            self._bad(sent, packets)

    def _good(self, sent: Sent, packets: list[bytes]) -> None:
        for packet in packets:
            self._put(packet)
            if self._chance.random() < 0.05:
                self._pass(self._chance.randrange(_SHORT_MS))
        if sent.must_arrive:
            self._awaited.append((self._put_bytes, sent))
        self._good_before = True
        self.counted["good"] += 1

    def _bad(self, sent: Sent, packets: list[bytes]) -> None:
        chance = self._chance
        sent.must_arrive, sent.changed = False, True
        kind, at = chance.randrange(3), chance.randrange(len(packets))
        if kind == 0 and len(packets) > 1:
            del packets[at]
            self.counted["packet lost"] += 1
        elif kind == 1 and len(packets) > 1:
            self._put(b"".join(packets[: at or 1]))
            self._pass(chance.randrange(TOGETHER_MS, 3_000))
            packets = packets[at or 1 :]
            self.counted["packet late"] += 1
        else:
            packets[at] = self._line.damaged(packets[at])
            self.counted["damaged"] += 1
        self._put(b"".join(packets))
        self._good_before = False

    def _put(self, data: bytes) -> None:
        """What is on the line arrives in any pieces, sometimes with what comes next."""
        self._glued += data
        self._put_bytes += len(data)
        while self._glued and self._chance.random() < 0.6:
            self._arrive(self._chance.randrange(1, len(self._glued) + 1))

    def _arrive(self, count: int) -> None:
        data = bytes(self._glued[:count])
        del self._glued[:count]
        self._hear(self._receiver.receive(data, self._now_ms))
        self._arrived_bytes += count
        while self._awaited and self._awaited[0][0] <= self._arrived_bytes:
            sent = self._awaited.popleft()[1]
            if not (sent.arrived or sent.refused):
                raise Broken(f"number {sent.number}, good and after a good one, was not heard")

    def _pause_maybe(self) -> None:
        kind = self._chance.random()
        if kind < 0.06:
            self._pass(_LONG_MS)
            self._good_before = True
        elif kind < 0.2:
            self._pass(self._chance.randrange(_SHORT_MS))

    def _pass(self, ms: int) -> None:
        if self._glued:
            self._arrive(len(self._glued))
        until_ms = self._now_ms + ms
        while (due_ms := self._receiver.next_wake_ms) is not None and due_ms <= until_ms:
            self._now_ms = max(self._now_ms, due_ms)
            self._hear(self._receiver.wake(self._now_ms))
            if self._receiver.next_wake_ms == due_ms:
                raise Broken("it wakes for nothing, without end")
        self._now_ms = until_ms

    def _hear(self, events: Iterable[Event]) -> None:
        for event in events:
            if isinstance(event, Received):
                self._received(event.message)
            elif isinstance(event, Write) and event.data[3] == PACKETS_ERROR:
                for sent in self._sent.values():
                    sent.refused |= sent.number == event.data[4] and not sent.arrived

    def _received(self, message: bytes) -> None:
        sent = self._sent.get(message)
        if sent is not None:
            sent.arrived += 1
            return
        try:
            opened = open_request(message, [_KEY], plain=False)
        except WireError:
            self.counted["refused by the digest"] += 1
            return
        raise Broken(f"a message that nobody sent: {dict(opened.content)}")

    def _settle(self) -> None:
        self._pass(10_000)
        if self._receiver.next_wake_ms is not None:
            raise Broken("something is still awaited when the line has long been quiet")
        sent = Sent(message_of(self._block, -1, self._chance), 77, must_arrive=True)
        self._sent[sent.message] = sent
        self._good(sent, [encode_frame(REQUEST, sent.number, sent.message)])
        self._pass(0)

    def _judge(self, sent: Sent) -> None:
        if sent.arrived > 1 and not sent.changed:
            raise Broken(f"number {sent.number} was handed on {sent.arrived} times")
        if sent.arrived:
            self.counted["arrived"] += 1
        elif sent.must_arrive:
            self.counted["refused aloud"] += 1
        elif not (sent.changed or sent.never_left):
            self.counted["lost after a disturbance"] += 1


class Talk:
    """One message at a time, which waits for its acknowledgement; both ways are bad."""

    def __init__(self, seed: int, block: int, make: Callable[[], Frames] = Frames) -> None:
        self._chance = Random(f"{seed} {block} talk")
        self._line = BadLine(self._chance)
        self._block = block
        self._sender, self._receiver = make(), make()
        self._now_ms = 0
        self._heard: list[bytes] = []
        self._told: list[Event] = []
        self.counted: Counter[str] = Counter()

    def run(self, count: int) -> Counter[str]:
        """What became of so many messages. Raises Broken."""
        for place in range(count):
            self._one(message_of(self._block, place, self._chance))
        return self.counted

    def _one(self, message: bytes) -> None:
        self._heard.clear()
        self._told.clear()
        number, (write,) = self._sender.send(message, self._now_ms)
        assert isinstance(write, Write)
        good = self._carry(write.data, self._to_receiver)
        # A second from when a line at this pace has carried it, and perhaps a short complaint before it.
        self._until(self._now_ms + ANSWER_MS + (len(write.data) + 30) * 10_000 // BAUD)
        fates = [type(event) for event in self._told if isinstance(event, Acknowledged | Unheard | Refused)]
        if not fates:
            raise Broken(f"nobody knows what became of number {number}")
        if good and self._heard != [message]:
            raise Broken(f"number {number}, good and alone, was heard as {len(self._heard)} messages")
        if good and not self._back_bad and fates != [Acknowledged]:
            raise Broken(f"number {number} and its acknowledgement were good, and it is {fates[0].__name__}")
        if Acknowledged in fates and not self._heard:
            raise Broken(f"number {number} was acknowledged and never heard")
        self.counted[f"talk: {fates[0].__name__.lower()}"] += 1
        if good and self._chance.random() < 0.3:
            self._hear(self._receiver.receive(write.data, self._now_ms))
            if len(self._heard) > 1:
                raise Broken(f"number {number} was said twice and handed on twice")
        self._until(self._now_ms + self._chance.choice((0, 0, _LONG_MS)) + TOGETHER_MS)

    _back_bad = False

    def _carry(self, data: bytes, to: Callable[[bytes], None]) -> bool:
        """Whether it came through."""
        fate = self._chance.random()
        if fate < 0.1:
            return False
        if fate < 0.2:
            to(self._line.damaged(data))
            return False
        if fate < 0.3:
            to(self._line.noise(whole=False))
            to(data)
            return False
        to(data)
        return True

    def _to_receiver(self, data: bytes) -> None:
        self._back_bad = False
        self._hear(self._receiver.receive(data, self._now_ms))

    def _hear(self, events: Iterable[Event]) -> None:
        for event in events:
            if isinstance(event, Received):
                self._heard.append(event.message)
            elif isinstance(event, Write):
                self._back_bad |= not self._carry(event.data, self._to_sender)

    def _to_sender(self, data: bytes) -> None:
        self._tell(self._sender.receive(data, self._now_ms))

    def _tell(self, events: Iterable[Event]) -> None:
        self._told += events

    def _until(self, until_ms: int) -> None:
        """Time passes at both ends."""
        for _ in range(1_000):
            due = [end.next_wake_ms for end in (self._sender, self._receiver)]
            soonest_ms = min((ms for ms in due if ms is not None), default=until_ms + 1)
            if soonest_ms > until_ms:
                self._now_ms = until_ms
                return
            self._now_ms = max(self._now_ms, soonest_ms)
            self._tell(self._sender.wake(self._now_ms))
            self._hear(self._receiver.wake(self._now_ms))
        raise Broken("both ends wake each other without end")


def run_block(seed: int, block: int, count: int = BLOCK, make: Callable[[], Frames] = Frames) -> Fates:
    """One block: every fourth is a talk, the others are streams."""
    fates = Fates()
    way = (Talk if block % 4 == 3 else Stream)(seed, block, make)
    try:
        fates.counted += way.run(count)
    except Exception as fault:  # noqa: BLE001 - whatever gets out is what is looked for
        why = str(fault) if isinstance(fault, Broken) else f"{type(fault).__name__} got out: {fault}"
        fates.findings.append(f"{why} -- again: .venv/bin/python -m fuzz --kind {FRAMES} --seed {seed} --only {block}")
    fates.counted["messages"] += count
    return fates


def run_frames(seed: int, messages: int, jobs: int) -> Fates:
    """So many messages, in as many processes."""
    blocks = range(-(-messages // BLOCK))
    total = Fates()
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        for fates in pool.imap_unordered(_timed, ((seed, block) for block in blocks), chunksize=8):
            total.add(fates)
    return total


def rows(fates: Fates) -> Iterator[tuple[str, str]]:
    """What to print."""
    yield "a second and core", f"{fates.counted['messages'] / fates.cpu_s:,.0f}" if fates.cpu_s else ""
    for what, count in sorted(fates.counted.items()):
        yield what, f"{count:,}"
    yield "wrong", f"{len(fates.findings):,}"


def _timed(which: tuple[int, int]) -> Fates:
    before = time.process_time()
    fates = run_block(*which)
    fates.cpu_s = time.process_time() - before
    return fates
