"""A serial line over pseudo-terminals: questions, acknowledgements, faults of the line, and a plug that is pulled."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Self

import pytest

from anytill.dialects.qfpay.framing import ANSWER, REQUEST, UNKNOWN_ERROR, Frames, encode_frame, encode_message
from anytill.ports import Clock, NeverSent, Unreachable
from anytill.transports.clock import StandingClock, SteadyClock
from anytill.transports.line_faults import LineFaults
from anytill.transports.serial_line import AT_ONCE, SerialSend, answer_serial, open_port
from anytill.wire.http import HttpRequest
from anytill.wire.line import Event
from tests.transports.cables import Cable, Port
from tests.transports.fakes import Remembered, turns
from tests.transports.test_tcp import Kitchen, echo

LONG = 10**9


class Answered:
    """A terminal's end of a port, for the length of an `async with`."""

    def __init__(
        self,
        path: str,
        answer: Callable[[bytes], Awaitable[bytes]] = echo,
        *,
        clock: Clock | None = None,
        faults: LineFaults | None = None,
        first: int | None = None,
        grace_s: float = 30,
    ) -> None:
        self.watch = Remembered()
        self.stop = asyncio.Event()
        self._ready = asyncio.Event()
        self._coroutine = answer_serial(
            path,
            lambda number: Frames(first or number),
            answer,
            watch=self.watch,
            started=self._ready.set,
            stop=self.stop,
            clock=clock or SteadyClock(),
            faults=faults,
            grace_s=grace_s,
        )

    async def __aenter__(self) -> Self:
        self.task = asyncio.ensure_future(self._coroutine)
        ready = asyncio.ensure_future(self._ready.wait())
        await asyncio.wait([self.task, ready], return_when=asyncio.FIRST_COMPLETED)
        if self.task.done():
            ready.cancel()
            await self.task
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stop.set()
        await asyncio.wait_for(self.task, timeout=60)


class Watched(StandingClock):
    """A clock that tells who waits for it."""

    def __init__(self) -> None:
        super().__init__()
        self.sleeps_ms: list[int] = []

    async def sleep_ms(self, ms: int) -> None:
        self.sleeps_ms.append(ms)
        await super().sleep_ms(ms)


def request(body: bytes) -> HttpRequest:
    return HttpRequest("POST", "/", "", {}, body, "")


def register(
    path: str, *, timeout_ms: int = LONG, clock: Clock | None = None, first: int | None = None, rest_ms: int = 0
) -> SerialSend:
    """A register that has all the time in the world, so that a busy machine fails no test."""
    used = clock or StandingClock()
    return SerialSend(path, lambda number: Frames(first or number), timeout_ms=timeout_ms, clock=used, rest_ms=rest_ms)


async def asked(send: SerialSend, body: bytes) -> bytes:
    return (await send(request(body))).body


@pytest.mark.anyio
async def test_a_register_asks_its_terminal() -> None:
    async with Cable() as cable, Answered(cable.left.path, clock=StandingClock()):
        send = register(cable.right.path)
        for question in (b"one", b"two", b"/n" * 2_000, b"x" * 65_000):
            assert await asked(send, question) == b"[" + question + b"]"
        await send.aclose()


@pytest.mark.anyio
async def test_a_later_question_is_begun_while_an_earlier_one_waits() -> None:
    kitchen = Kitchen()

    async def answer(message: bytes) -> bytes:
        if message == b"stop":
            kitchen.serve(b"wait")
        return await kitchen.answer(message)

    kitchen.serve(b"stop")
    async with Cable() as cable, Answered(cable.left.path, answer):
        send = register(cable.right.path)
        waiting = asyncio.ensure_future(asked(send, b"wait"))
        await kitchen.until_asked(1)
        assert await asked(send, b"stop") == b"[stop]"
        assert await waiting == b"[wait]"
        await send.aclose()


@pytest.mark.anyio
@pytest.mark.parametrize(
    "faults",
    [
        LineFaults(split_bytes=1, pause_ms=0),
        LineFaults(split_bytes=7, pause_ms=1),
        LineFaults(noise_every=1),
        LineFaults(noise_every=1, split_bytes=5, pause_ms=0, seed=2),
    ],
)
async def test_pieces_and_noise_do_no_harm(faults: LineFaults) -> None:
    async with Cable() as cable, Answered(cable.left.path, faults=faults):
        send = register(cable.right.path)
        for number in range(20):
            assert await asked(send, b"question %d" % number) == b"[question %d]" % number
        await send.aclose()


@pytest.mark.anyio
async def test_what_nobody_acknowledges_may_have_been_done() -> None:
    clock, kitchen = StandingClock(), Kitchen()
    async with Cable() as cable, Answered(cable.left.path, kitchen.answer, faults=LineFaults(mute_every=1)):
        send = register(cable.right.path, clock=clock)
        asking = asyncio.ensure_future(asked(send, b"pay"))
        await kitchen.until_asked(1)
        clock.advance(2_000)
        with pytest.raises(Unreachable, match="not acknowledged"):
            await asking
        kitchen.serve(b"pay")
        await send.aclose()


# A terminal by hand


async def until_waiting(send: SerialSend, port: Port, body: bytes, first: int) -> asyncio.Task[bytes]:
    """A question that has gone out."""
    asking = asyncio.ensure_future(asked(send, body))
    frame = encode_message(first, body)
    assert await port.hear(len(frame)) == frame
    return asking


async def acknowledge(send: SerialSend, port: Port, number: int) -> None:
    """Say that the question has arrived, and wait until that is heard."""
    port.speak(encode_frame(ANSWER, number))
    assert send._asking is not None
    while not send._asking._questions[number].acknowledged:
        await turns(1)


@pytest.mark.anyio
async def test_an_answer_of_the_terminals_own_number_is_acknowledged() -> None:
    port = Port()
    send = register(port.path, first=5)
    asking = await until_waiting(send, port, b"pay", 5)
    port.speak(encode_frame(ANSWER, 5) + encode_message(99, b"paid"))
    assert await asking == b"paid"
    assert await port.hear(11) == encode_frame(ANSWER, 99)
    await send.aclose()
    port.pull()


@pytest.mark.anyio
async def test_an_answer_may_come_in_the_acknowledgement() -> None:
    port = Port()
    send = register(port.path, first=5)
    first, second = await until_waiting(send, port, b"pay", 5), await until_waiting(send, port, b"ask", 6)
    port.speak(encode_frame(ANSWER, 5) + encode_frame(ANSWER, 6, b"state") + encode_frame(ANSWER, 5, b"paid"))
    assert await second == b"state"
    assert await first == b"paid"
    await send.aclose()
    port.pull()


@pytest.mark.anyio
async def test_a_late_answer_is_not_taken_for_the_next_one() -> None:
    clock, port = StandingClock(), Port()
    send = register(port.path, first=5, clock=clock, timeout_ms=10_000)
    late = await until_waiting(send, port, b"pay", 5)
    await acknowledge(send, port, 5)
    clock.advance(10_000)
    with pytest.raises(Unreachable, match="in time"):
        await late
    asking = await until_waiting(send, port, b"other", 6)
    port.speak(encode_message(98, b"late") + encode_frame(ANSWER, 6) + encode_message(99, b"right"))
    assert await asking == b"right"
    await send.aclose()
    port.pull()


@pytest.mark.anyio
async def test_what_an_earlier_register_was_to_hear_is_nobodys() -> None:
    clock, port = Watched(), Port()
    send = register(port.path, first=5, clock=clock, rest_ms=1_500)
    asking = asyncio.ensure_future(asked(send, b"pay"))
    while 1_500 not in clock.sleeps_ms:
        await turns(1)
    port.speak(encode_message(98, b"printed"))
    # It is acknowledged, and nothing was asked yet.
    assert await port.hear(11) == encode_frame(ANSWER, 98)
    clock.advance(1_500)
    assert await port.hear(14) == encode_message(5, b"pay")
    port.speak(encode_frame(ANSWER, 5) + encode_message(99, b"paid"))
    assert await asking == b"paid"
    await send.aclose()
    port.pull()


@pytest.mark.anyio
async def test_a_question_that_was_given_up_keeps_its_turn() -> None:
    clock, port = StandingClock(), Port()
    send = register(port.path, first=5, clock=clock, timeout_ms=10_000)
    late = await until_waiting(send, port, b"withdraw", 5)
    await acknowledge(send, port, 5)
    clock.advance(10_000)
    with pytest.raises(Unreachable, match="in time"):
        await late
    asking = await until_waiting(send, port, b"pay", 6)
    await acknowledge(send, port, 6)
    port.speak(encode_message(98, b"withdrawn") + encode_message(99, b"paid"))
    assert await asking == b"paid"
    await send.aclose()
    port.pull()


@pytest.mark.anyio
async def test_a_question_that_the_terminal_lost_costs_one_more_and_no_third() -> None:
    clock, port = StandingClock(), Port()
    send = register(port.path, first=5, clock=clock, timeout_ms=10_000)
    for number, body in ((5, b"lost"), (6, b"dropped")):
        asking = await until_waiting(send, port, body, number)
        await acknowledge(send, port, number)
        if body == b"dropped":
            port.speak(encode_message(98, b"[dropped]"))
            assert await port.hear(11) == encode_frame(ANSWER, 98)
        clock.advance(10_000)
        with pytest.raises(Unreachable, match="in time"):
            await asking
    asking = await until_waiting(send, port, b"pay", 7)
    await acknowledge(send, port, 7)
    port.speak(encode_message(99, b"[pay]"))
    assert await asking == b"[pay]"
    await send.aclose()
    port.pull()


@pytest.mark.anyio
async def test_a_refusal_is_no_word_about_what_was_done() -> None:
    port = Port()
    send = register(port.path, first=5)
    asking = await until_waiting(send, port, b"pay", 5)
    port.speak(encode_frame(0x33, 5))
    with pytest.raises(Unreachable, match="0x33"):
        await asking
    await send.aclose()
    port.pull()


# A register by hand


@pytest.mark.anyio
async def test_what_is_said_twice_is_done_once() -> None:
    kitchen, port = Kitchen(), Port()
    pay = encode_message(3, b"pay")
    acknowledgement, answer = encode_frame(ANSWER, 3), encode_message(1, b"[pay]")
    async with Answered(port.path, kitchen.answer, first=1, clock=StandingClock()):
        port.speak(pay)
        assert await port.hear(11) == acknowledgement
        port.speak(pay)
        assert await port.hear(11) == acknowledgement
        kitchen.serve(b"pay")
        assert await port.hear(len(answer)) == answer
        # Once answered it is answered again: who says it once more has not heard that either.
        port.speak(encode_frame(ANSWER, 1) + pay)
        assert await port.hear(11 + len(answer)) == acknowledgement + encode_message(2, b"[pay]")
        assert kitchen.asked == [b"pay"]
    port.pull()


@pytest.mark.anyio
async def test_one_question_too_many_is_refused_aloud() -> None:
    kitchen, port = Kitchen(), Port()
    bodies = [b"%02d" % number for number in range(1, AT_ONCE + 1)]
    async with Answered(port.path, kitchen.answer, first=1):
        for number, body in enumerate(bodies, 1):
            port.speak(encode_message(number, body))
            assert await port.hear(11) == encode_frame(ANSWER, number)
        port.speak(encode_message(100, b"too many"))
        assert await port.hear(11) == encode_frame(UNKNOWN_ERROR, 100)
        kitchen.serve(*bodies)
        await port.hear(AT_ONCE * 15)
        port.speak(encode_message(101, b"later"))
        assert await port.hear(11) == encode_frame(ANSWER, 101)
        kitchen.serve(b"later")
        assert await port.hear(18) == encode_message(AT_ONCE + 1, b"[later]")
    assert kitchen.asked == [*bodies, b"later"]
    port.pull()


@pytest.mark.anyio
async def test_a_trade_is_taken_back_however_often_it_was_asked_about() -> None:
    kitchen, port = Kitchen(), Port()
    async with Answered(port.path, kitchen.answer, first=1):
        for number, body in enumerate((b"pay", *[b"ask"] * 24, b"stop"), 1):
            port.speak(encode_message(number, body))
            assert await port.hear(11) == encode_frame(ANSWER, number)
        await kitchen.until_asked(26)
        assert kitchen.asked[-1] == b"stop"
        kitchen.serve(b"pay", b"ask", b"stop")
    port.pull()


@pytest.mark.anyio
async def test_rubbish_is_complained_of_and_nothing_else() -> None:
    clock, port = StandingClock(), Port()
    async with Answered(port.path, clock=clock) as answered:
        port.speak(b"\x00rubbish")
        while len(port.listen()) < 11:
            clock.advance(100)
            await turns()
        assert port.said == encode_frame(0x31, 0)
    assert answered.watch.notes == [("line noise", {})]
    port.pull()


# The plug


@pytest.mark.anyio
async def test_when_the_plug_is_pulled_the_register_does_not_know(tmp_path: Path) -> None:
    port = Port()
    path = tmp_path / "port"
    path.symlink_to(port.path)
    send = register(str(path), first=5)
    asking = await until_waiting(send, port, b"pay", 5)
    await acknowledge(send, port, 5)
    port.pull()
    with pytest.raises(Unreachable, match="closed"):
        await asking
    path.unlink()
    with pytest.raises(NeverSent, match="no serial port"):
        await asked(send, b"pay")
    again = Port()
    path.symlink_to(again.path)
    asking = await until_waiting(send, again, b"ask", 5)
    again.speak(encode_frame(ANSWER, 5, b"paid"))
    assert await asking == b"paid"
    await send.aclose()
    again.pull()


@pytest.mark.anyio
async def test_when_the_plug_is_back_the_terminal_goes_on(tmp_path: Path) -> None:
    port, clock = Port(), StandingClock()
    path = tmp_path / "port"
    path.symlink_to(port.path)
    async with Answered(str(path), clock=clock, first=1) as answered:
        path.unlink()
        port.pull()
        while not answered.watch.alarms:
            await turns(1)
        assert answered.watch.alarms == [("serial port lost", {})]
        again = Port()
        path.symlink_to(again.path)
        question = encode_message(1, b"ask")
        while not again.listen():
            clock.advance(1_000)
            again.speak(question)
            await asyncio.sleep(0.01)
        assert again.said.startswith(encode_frame(ANSWER, 1))
    again.pull()


@pytest.mark.anyio
async def test_a_port_that_is_not_there_is_told_at_once(tmp_path: Path) -> None:
    for path in (str(tmp_path / "none"), str(tmp_path), "carrier-pigeon://x"):
        with pytest.raises(OSError):  # noqa: PT011 - in the system's words
            await open_port(path)
    with pytest.raises(OSError):  # noqa: PT011 - the same
        await Answered(str(tmp_path / "none")).__aenter__()


@pytest.mark.anyio
async def test_a_stopped_terminal_lets_go_of_its_port() -> None:
    kitchen, port = Kitchen(), Port()
    answered = Answered(port.path, kitchen.answer, first=1)
    async with answered:
        port.speak(encode_frame(REQUEST, 3, b"pay"))
        await kitchen.until_asked(1)
        answered.stop.set()
        await turns(20)
        kitchen.serve(b"pay")
        assert (await port.hear(11 + 16))[11:] == encode_message(1, b"[pay]")
    _, writer = await open_port(port.path)
    writer.close()
    await writer.wait_closed()
    port.pull()


class Broken(Frames):
    """A line with a bug."""

    def receive(self, data: bytes, now_ms: int) -> list[Event]:
        if b"bug" in data:
            raise KeyError(data)
        return super().receive(data, now_ms)


@pytest.mark.anyio
async def test_a_bug_is_told_and_the_port_opened_anew() -> None:
    port, watch, stop, started = Port(), Remembered(), asyncio.Event(), asyncio.Event()
    serving = asyncio.ensure_future(answer_serial(port.path, Broken, echo, watch=watch, started=started.set, stop=stop))
    await started.wait()
    port.speak(b"bug")
    while len(watch.alarms) < 2:
        await turns(1)
    assert watch.alarms == [("serial", {"fault": "KeyError"}), ("serial port lost", {})]
    while not port.listen():
        port.speak(encode_message(1, b"ask"))
        await asyncio.sleep(0.01)
    assert port.said.startswith(encode_frame(ANSWER, 1))
    stop.set()
    await asyncio.wait_for(serving, timeout=60)
    port.pull()
