"""TCP: what may be asked at once, in which order it is answered, and whom a slow, silent or endless peer holds up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Self

import pytest

from anytill.dialects.qfpay.lines import MOST_BYTES, Lines
from anytill.ports import Clock, NeverSent, Unreachable
from anytill.transports.clock import StandingClock, SteadyClock
from anytill.transports.line_faults import LineFaults
from anytill.transports.tcp import TcpSend, TcpService, listen_tcp
from anytill.wire.http import HttpRequest
from tests.transports.fakes import Remembered, hang_up, kept_port, turns

Answer = Callable[[bytes], Awaitable[bytes]]

FOREVER_MS = 10**12


async def echo(message: bytes) -> bytes:
    return b"[" + message + b"]"


def never(_message: bytes) -> bool:
    return False


class Kitchen:
    """Answers when told to."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self.ready: dict[bytes, asyncio.Event] = {}

    async def answer(self, message: bytes) -> bytes:
        self.asked.append(message)
        await self.ready.setdefault(message, asyncio.Event()).wait()
        return b"[" + message + b"]"

    def serve(self, *messages: bytes) -> None:
        for message in messages:
            self.ready.setdefault(message, asyncio.Event()).set()

    async def until_asked(self, count: int) -> None:
        while len(self.asked) < count:
            await asyncio.sleep(0)


class Listening:
    """A listener on a free port, or on that of its own, for the length of an `async with`."""

    def __init__(
        self,
        answer: Answer = echo,
        *,
        clock: Clock | None = None,
        faults: LineFaults | None = None,
        places: int = 16,
        grace_s: float = 30,
        is_whole: Callable[[bytes], bool] = never,
        port: int = 0,
    ) -> None:
        self.watch = Remembered()
        self.stop = asyncio.Event()
        self.port = port
        self._opened = False
        line, used = (lambda: Lines(is_whole)), clock or SteadyClock()
        self._service = TcpService(line, answer, self.watch, used, faults or LineFaults(), places, grace_s)

    async def __aenter__(self) -> Self:
        self.task = asyncio.ensure_future(
            listen_tcp("127.0.0.1", self.port, self._service, started=self._started, stop=self.stop)
        )
        while not self._opened:
            await asyncio.sleep(0)
            if self.task.done():
                await self.task
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stop.set()
        await asyncio.wait_for(self.task, timeout=60)

    def _started(self, port: int) -> None:
        self.port, self._opened = port, True

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    def send(self, clock: Clock | None = None) -> TcpSend:
        """A register that has all the time in the world, so that a busy machine fails no test: only a line end ends
        what it hears, unless it is given a clock that goes."""
        used = clock or StandingClock()
        return TcpSend("127.0.0.1", self.port, lambda: Lines(never), timeout_ms=FOREVER_MS, clock=used)


def request(body: bytes) -> HttpRequest:
    return HttpRequest("POST", "/", "", {}, body, "")


async def all_of(reader: asyncio.StreamReader) -> bytes:
    try:
        return await asyncio.wait_for(reader.read(), timeout=60)
    except ConnectionResetError:
        return b"reset"


@pytest.mark.anyio
async def test_several_questions_on_a_connection_are_answered_in_their_order() -> None:
    kitchen = Kitchen()
    async with Listening(kitchen.answer) as listening:
        reader, writer = await listening.connect()
        writer.write(b"one\ntwo\r\nthree")
        writer.write_eof()
        await kitchen.until_asked(3)
        kitchen.serve(b"three", b"two")
        await turns()
        kitchen.serve(b"one")
        assert await all_of(reader) == b"[one]\n[two]\r\n[three]"
        await hang_up(writer)


@pytest.mark.anyio
async def test_a_later_question_is_begun_while_an_earlier_one_waits() -> None:
    kitchen = Kitchen()

    async def answer(message: bytes) -> bytes:
        if message == b"stop":
            kitchen.serve(b"wait")
        return await kitchen.answer(message)

    kitchen.serve(b"stop")
    async with Listening(answer) as listening:
        reader, writer = await listening.connect()
        writer.write(b"wait\n")
        await kitchen.until_asked(1)
        writer.write(b"stop\n")
        assert await reader.readline() == b"[wait]\n"
        assert await reader.readline() == b"[stop]\n"
        await hang_up(writer)


@pytest.mark.anyio
async def test_at_most_four_are_under_way_and_the_rest_is_not_even_read() -> None:
    kitchen = Kitchen()
    async with Listening(kitchen.answer) as listening:
        reader, writer = await listening.connect()
        for number in range(6):
            writer.write(b"%d\n" % number)
            await turns()
        await kitchen.until_asked(4)
        await turns(50)
        assert kitchen.asked == [b"0", b"1", b"2", b"3"]
        kitchen.serve(*(b"%d" % number for number in range(6)))
        assert [await reader.readline() for _ in range(6)] == [b"[%d]\n" % number for number in range(6)]
        await hang_up(writer)


@pytest.mark.anyio
async def test_a_message_without_an_end_is_tried_after_half_a_second() -> None:
    clock = StandingClock()
    kitchen = Kitchen()
    kitchen.serve(b"half")
    async with Listening(kitchen.answer, clock=clock) as listening:
        reader, writer = await listening.connect()
        writer.write(b"half")
        while not kitchen.asked:
            clock.advance(100)
            await turns()
        assert await reader.readexactly(6) == b"[half]"
        await hang_up(writer)


@pytest.mark.anyio
async def test_a_message_that_is_seen_to_be_whole_does_not_wait() -> None:
    async with Listening(clock=StandingClock(), is_whole=lambda message: message == b"whole") as listening:
        reader, writer = await listening.connect()
        writer.write(b"whole")
        assert await reader.readexactly(7) == b"[whole]"
        await hang_up(writer)


@pytest.mark.anyio
async def test_a_message_without_end_closes_its_connection_and_no_other() -> None:
    async with Listening(clock=StandingClock()) as listening:
        reader, writer = await listening.connect()
        writer.write(b"x" * (MOST_BYTES + 1))
        assert await all_of(reader) in {b"", b"reset"}
        await hang_up(writer)
        assert (await listening.send()(request(b"after\n"))).body == b"[after]"


@pytest.mark.anyio
async def test_who_is_silent_makes_room_and_who_waits_for_an_answer_does_not() -> None:
    kitchen = Kitchen()
    kitchen.serve(b"hello")
    async with Listening(kitchen.answer, places=2) as listening:
        waiting_reader, waiting = await listening.connect()
        waiting.write(b"wait\n")
        await kitchen.until_asked(1)
        silent_reader, silent = await listening.connect()
        silent.write(b"hello\n")
        await silent_reader.readline()
        newcomer_reader, newcomer = await listening.connect()
        newcomer.write(b"second\n")
        assert await all_of(silent_reader) in {b"", b"reset"}
        await turns(50)  # then it has left its place, too
        await kitchen.until_asked(3)
        refused_reader, refused = await listening.connect()
        assert await all_of(refused_reader) in {b"", b"reset"}
        kitchen.serve(b"wait", b"second")
        assert await waiting_reader.readline() == b"[wait]\n"
        assert await newcomer_reader.readline() == b"[second]\n"
        for writer in (waiting, silent, newcomer, refused):
            await hang_up(writer)
    assert [event for event, _ in listening.watch.notes] == ["tcp silent", "tcp busy"]


@pytest.mark.anyio
async def test_who_does_not_listen_holds_nobody_up() -> None:
    async def much(message: bytes) -> bytes:
        return message * 60_000

    async with Listening(much, grace_s=0.01) as listening:
        _, deaf = await listening.connect()
        deaf.transport.pause_reading()  # type: ignore[attr-defined]
        for _ in range(500):
            deaf.write(b"x\n")
            await turns(1)
        assert len((await listening.send()(request(b"y\n"))).body) == 60_000
        deaf.transport.abort()


@pytest.mark.anyio
async def test_who_does_not_listen_is_not_listened_to() -> None:
    """What he asks for and does not fetch would have to be kept."""
    asked: list[bytes] = []

    async def much(message: bytes) -> bytes:
        asked.append(message)
        return b"x" * 60_000

    async with Listening(much, grace_s=0.01) as listening:
        _, deaf = await listening.connect()
        deaf.transport.pause_reading()  # type: ignore[attr-defined]
        for _ in range(2_000):
            deaf.write(b"y" * 1_000 + b"\n")
            await turns(1)
        await turns(200)
        # The network's own buffers hold some of the answers.
        assert 0 < len(asked) < 500
        deaf.transport.abort()


@pytest.mark.anyio
async def test_whoever_goes_away_does_not_stop_what_was_asked() -> None:
    ended = asyncio.Event()
    kitchen = Kitchen()

    async def pay(message: bytes) -> bytes:
        answer = await kitchen.answer(message)
        ended.set()
        return answer

    async with Listening(pay) as listening:
        _, writer = await listening.connect()
        writer.write(b"pay\n")
        await kitchen.until_asked(1)
        writer.transport.abort()
        await turns(50)
        kitchen.serve(b"pay")
        await asyncio.wait_for(ended.wait(), timeout=60)


@pytest.mark.anyio
async def test_what_was_asked_is_answered_before_it_stops() -> None:
    kitchen = Kitchen()
    with kept_port() as port:
        async with Listening(kitchen.answer, port=port) as listening:
            reader, writer = await listening.connect()
            writer.write(b"pay\n")
            await kitchen.until_asked(1)
            listening.stop.set()
            await turns(50)
            with pytest.raises(OSError):  # noqa: PT011 - refused, in whatever words
                await listening.connect()
            kitchen.serve(b"pay")
            assert await all_of(reader) == b"[pay]\n"
            await hang_up(writer)


@pytest.mark.anyio
async def test_the_grace_has_an_end() -> None:
    kitchen = Kitchen()
    async with Listening(kitchen.answer, grace_s=0.01) as listening:
        reader, writer = await listening.connect()
        writer.write(b"pay\n")
        await kitchen.until_asked(1)
        listening.stop.set()
        assert await all_of(reader) in {b"", b"reset"}
        await hang_up(writer)


@pytest.mark.anyio
async def test_a_bug_is_told_and_nothing_takes_the_missing_answers_place() -> None:
    async def answer(message: bytes) -> bytes:
        if message == b"bug":
            raise KeyError(message)
        return await echo(message)

    async with Listening(answer) as listening:
        reader, writer = await listening.connect()
        writer.write(b"bug\nnext\n")
        assert await all_of(reader) in {b"", b"reset"}
        await hang_up(writer)
        assert (await listening.send()(request(b"after\n"))).body == b"[after]"
    assert listening.watch.alarms == [("line", {"fault": "KeyError"})]


@pytest.mark.anyio
async def test_a_register_asks_and_hears() -> None:
    async with Listening() as listening:
        answer = await listening.send()(request(b"question\n"))
        assert (answer.status, answer.body) == (200, b"[question]")


@pytest.mark.anyio
async def test_an_answer_without_an_end_is_whole_when_nothing_follows() -> None:
    clock = StandingClock()
    async with Listening(clock=clock) as listening:
        asking = asyncio.ensure_future(listening.send(clock)(request(b"question")))
        while not asking.done():
            clock.advance(100)
            await turns()
        assert (await asking).body == b"[question]"


@pytest.mark.anyio
@pytest.mark.parametrize("faults", [LineFaults(split_bytes=1, pause_ms=0), LineFaults(split_bytes=3, pause_ms=1)])
async def test_an_answer_in_pieces_is_an_answer(faults: LineFaults) -> None:
    async with Listening(faults=faults) as listening:
        assert (await listening.send()(request(b"question\n"))).body == b"[question]"


@pytest.mark.anyio
async def test_noise_in_front_of_an_answer_is_part_of_it() -> None:
    async with Listening(faults=LineFaults(noise_every=2)) as listening:
        reader, writer = await listening.connect()
        writer.write(b"one\ntwo\n")
        assert await reader.readline() == b"[one]\n"
        noisy = await reader.readuntil(b"[two]\n")
        assert len(noisy) > len(b"[two]\n")
        await hang_up(writer)


@pytest.mark.anyio
async def test_what_does_not_come_is_unreachable() -> None:
    with kept_port() as port:
        send = TcpSend("127.0.0.1", port, lambda: Lines(never), timeout_ms=60_000)
        with pytest.raises(NeverSent, match="no connection"):
            await send(request(b"x"))
    kitchen, clock = Kitchen(), StandingClock()
    async with Listening(kitchen.answer, grace_s=0.01) as listening:
        send = TcpSend("127.0.0.1", listening.port, lambda: Lines(never), timeout_ms=60_000, clock=clock)
        asking = asyncio.ensure_future(send(request(b"late\n")))
        await kitchen.until_asked(1)
        clock.advance(60_000)
        with pytest.raises(Unreachable, match="in time"):
            await asking
        asking = asyncio.ensure_future(send(request(b"cut\n")))
        await kitchen.until_asked(2)
        listening.stop.set()
        with pytest.raises(Unreachable, match="closed"):
            await asking
