"""Messages over TCP: whatever may be the end of one is, however the bytes are cut."""

from __future__ import annotations

import itertools
from base64 import b64encode

from hypothesis import given
from hypothesis import strategies as st

from anytill.dialects.qfpay.lines import MOST_BYTES, Lines
from anytill.wire.line import Acknowledged, Event, Overlong, Received, Write

texts = st.binary(min_size=1, max_size=60).map(b64encode)


def never(_message: bytes) -> bool:
    return False


def lines() -> Lines:
    return Lines(never)


def received(events: list[Event]) -> list[bytes]:
    return [event.message for event in events if isinstance(event, Received)]


def said(line: Lines, answer: bytes) -> bytes:
    _, (write, acknowledged) = line.send(answer, 0)
    assert isinstance(write, Write)
    assert isinstance(acknowledged, Acknowledged)
    return write.data


@given(
    st.lists(st.tuples(texts, st.sampled_from([b"\n", b"\r\n", b"\n\n", b" \r\n\n"]))), texts | st.just(b""), st.data()
)
def test_however_a_stream_is_cut_it_means_the_same(
    ended: list[tuple[bytes, bytes]], last: bytes, data: st.DataObject
) -> None:
    stream = b"".join(text + ending for text, ending in ended) + last
    cuts = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in data.draw(st.lists(st.integers(0, 5_000))))})
    line, events = lines(), list[Event]()
    for a, b in itertools.pairwise(cuts):
        events += line.receive(stream[a:b], 0)
    assert received(events) == [text for text, _ in ended]
    events += line.end(0) if data.draw(st.booleans()) else line.wake(500)
    assert received(events) == [text for text, _ in ended] + [last] * bool(last)
    assert line.next_wake_ms is None
    endings = [b"\r\n" if b"\r\n" in ending else b"\n" for _, ending in ended]
    assert [said(line, b"a") for _ in ended] == [b"a" + ending for ending in endings]


@given(st.binary(max_size=300), st.lists(st.integers(1, 50)))
def test_any_bytes_come_to_an_end(data: bytes, sizes: list[int]) -> None:
    line = lines()
    for size in sizes:
        line.receive(data[:size], 0)
        data = data[size:]
    line.wake(500)
    assert line.next_wake_ms is None
    assert received(line.receive(b"good\n", 501)) == [b"good"]


def test_half_a_second_without_a_byte_is_an_end() -> None:
    line = lines()
    assert line.receive(b"ab", 0) == []
    assert line.receive(b"cd", 400) == []
    assert line.next_wake_ms == 900
    assert line.wake(899) == []
    assert line.wake(900) == [Received(1, b"abcd")]
    assert line.next_wake_ms is None


def test_what_lay_there_while_nobody_could_look_came_in_time() -> None:
    line = lines()
    assert line.receive(b"ab", 0) == []
    assert line.receive(b"cd\n", 60_000) == [Received(1, b"abcd")]


def test_whoever_never_stops_is_stopped() -> None:
    line, events = lines(), list[Event]()
    for now_ms in range(0, 10_000, 400):
        events += line.receive(b"a", now_ms)
    assert events == []
    assert line.next_wake_ms == 10_000
    assert received(line.wake(10_000)) == [b"a" * 25]
    line.receive(b"a\nb", 20_000)
    assert line.next_wake_ms == 20_500


def test_what_is_seen_to_be_whole_is() -> None:
    line = Lines(lambda message: message in {b"one", b"two"})
    assert received(line.receive(b"on", 0)) == []
    assert received(line.receive(b"e", 0)) == [b"one"]
    assert received(line.receive(b"two", 0)) == [b"two"]
    assert received(line.receive(b"onetwo", 0)) == []
    assert line.next_wake_ms == 500


def test_a_line_end_that_comes_a_little_later_belongs_to_what_was_whole() -> None:
    line = Lines(lambda message: message == b"one")
    for ending in (b"\n", b"\r\n"):
        assert received(line.receive(b"one", 0)) == [b"one"]
        assert line.receive(ending, 1) == []
        assert said(line, b"answer") == b"answer" + ending
    assert line.next_wake_ms is None


def test_an_answer_ends_as_its_request_did() -> None:
    line = lines()
    line.receive(b"a\nb\r\nc", 0)
    line.end(0)
    assert [said(line, b"x") for _ in range(4)] == [b"x\n", b"x\r\n", b"x", b"x"]


def test_a_text_is_tried_only_so_often() -> None:
    tried: list[bytes] = []

    def is_whole(message: bytes) -> bool:
        tried.append(message)
        return False

    line = Lines(is_whole)
    for _ in range(1_000):
        line.receive(b"a", 0)
    assert len(tried) == 64
    line.receive(b"\nb", 0)
    assert tried[-1] == b"b"


def test_a_message_has_a_largest_size() -> None:
    line = lines()
    assert received(line.receive(b"a" * MOST_BYTES + b"\n", 0)) == [b"a" * MOST_BYTES]
    assert line.receive(b"b" * MOST_BYTES, 0) == []
    assert line.receive(b"b", 0) == [Overlong()]
    assert lines().receive(b"one\n" + b"b" * (MOST_BYTES + 1) + b"\n", 0) == [Received(1, b"one"), Overlong()]
    assert len(lines().receive(b"one\n" * 100_000, 0)) == 100_000
