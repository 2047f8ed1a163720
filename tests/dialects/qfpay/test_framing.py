"""Messages on a serial line: cut anyhow, among noise, in packets, late, twice, and never acknowledged."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytill.dialects.qfpay import framing
from anytill.dialects.qfpay.framing import (
    ANSWER,
    CHECK_ERROR,
    DATA_ERROR,
    FORMAT_ERROR,
    PACKETS_ERROR,
    REQUEST,
    Frames,
    encode_frame,
    encode_message,
    next_number,
)
from anytill.wire.line import Acknowledged, Dropped, Event, Received, Refused, Repeated, Unheard, Write

BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
numbers = st.integers(1, 127)
#: Much of the mark, so that frames are cut by their lengths or not at all.
messages = st.text(st.sampled_from(BASE64 + "/n/n/n/n\n{}\"'"), min_size=1, max_size=60).map(str.encode)
noise = st.one_of(
    st.binary(max_size=40),
    st.lists(st.sampled_from([b"/", b"/n", b"\x01", b"\x10", b"/n\x01\x10", b"\x00\x10", b"/n\x01\x10\x05"])).map(
        b"".join
    ),
    st.builds(
        lambda data, keep: encode_frame(REQUEST, 9, data)[:keep], st.binary(min_size=3, max_size=20), st.integers(1, 30)
    ),
)


def ack(number: int) -> Write:
    return Write(encode_frame(ANSWER, number), acknowledges=True)


def error(code: int, number: int) -> Write:
    return Write(encode_frame(code, number))


def fed(data: bytes, *, frames: Frames | None = None, at_ms: int = 0) -> list[Event]:
    return (frames or Frames()).receive(data, at_ms)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[a:b] for a, b in itertools.pairwise(places)]


def settled(frames: Frames, now_ms: int = 0) -> list[Event]:
    """Everything that time brings about."""
    events: list[Event] = []
    while (due_ms := frames.next_wake_ms) is not None:
        now_ms = max(now_ms, due_ms)
        events += frames.wake(now_ms)
    return events


def received(events: list[Event]) -> list[tuple[int, bytes]]:
    return [(event.number, event.message) for event in events if isinstance(event, Received)]


def test_a_frame_byte_by_byte() -> None:
    assert encode_frame(REQUEST, 1, b"ab").hex(" ") == "2f 6e 01 10 01 00 0d 00 02 61 62 2f 6e"
    assert encode_frame(ANSWER, 0x7F).hex(" ") == "2f 6e 01 20 7f 00 0b 00 00 2f 6e"
    # A frame of 127 bytes, as published: both lengths big-endian, the message 11 shorter.
    assert encode_frame(REQUEST, 1, b"x" * 116)[5:9].hex(" ") == "00 7f 00 74"


def test_a_request_is_acknowledged_at_once_and_handed_on() -> None:
    frames = Frames()
    assert frames.receive(encode_message(5, b"hello"), 0) == [ack(5), Received(5, b"hello")]
    assert frames.next_wake_ms is None


@given(
    st.lists(st.one_of(st.builds(encode_message, numbers, messages, packet_bytes=st.integers(1, 70)), noise)), st.data()
)
def test_however_a_stream_is_cut_it_means_the_same(parts: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(parts)
    whole = Frames()
    expected = whole.receive(stream, 0)
    expected += settled(whole)
    frames, events = Frames(), list[Event]()
    for piece in pieces(stream, data.draw(st.lists(st.integers(0, 2_000)))):
        events += frames.receive(piece, 0)
    assert events + settled(frames) == expected
    assert frames.next_wake_ms is None


@given(st.binary(max_size=200))
def test_any_bytes_are_messages_or_dropped(data: bytes) -> None:
    frames = Frames()
    frames.receive(data, 0)
    settled(frames)
    assert received(frames.receive(encode_message(3, b"good"), 10_000)) == [(3, b"good")]


@given(noise, numbers, messages, noise)
def test_noise_hides_no_message(before: bytes, number: int, message: bytes, after: bytes) -> None:
    frames = Frames()
    events = frames.receive(before + encode_message(number, message) + after, 0)
    events += settled(frames)
    assert (number, message) in received(events)


@given(messages, st.integers(1, 10), messages)
def test_a_frame_cut_short_hides_not_the_next(lost: bytes, missing: int, message: bytes) -> None:
    cut = encode_message(4, lost)[:-missing]
    # Where only its end was lost, the next one's beginning stands for both.
    assert received(fed(cut + encode_message(5, message))) == [(4, lost)] * (missing == 2) + [(5, message)]
    frames = Frames()
    frames.receive(cut, 0)
    assert received(frames.wake(500)) == []
    assert received(frames.receive(encode_message(5, message), 501)) == [(5, message)]


def test_what_follows_a_broken_length_is_found_at_once() -> None:
    broken = bytearray(encode_message(4, b"x" * 20))
    broken[5:9] = b"\xff\xff\xff\xff"
    assert received(fed(bytes(broken) + encode_message(5, b"good"))) == [(5, b"good")]


def test_the_mark_inside_a_message_ends_nothing() -> None:
    message = b"/n/n" + b"a" * 10 + b"/n"
    assert received(fed(encode_message(1, message) + encode_message(2, b"b"))) == [(1, message), (2, b"b")]


@pytest.mark.parametrize(("whole", "length"), [(15, 5), (17, 5), (16, 4), (10, 0), (11, 5), (0, 0), (60_000, 5)])
def test_both_lengths_must_agree(whole: int, length: int) -> None:
    frame = bytearray(encode_frame(REQUEST, 7, b"hello"))
    frame[5:9] = whole.to_bytes(2, "big") + length.to_bytes(2, "big")
    frames = Frames()
    assert received(frames.receive(bytes(frame), 0)) == []
    told = settled(frames)
    assert received(told) == []
    assert error(CHECK_ERROR if whole < 11 or whole - 11 > length or whole == 11 else FORMAT_ERROR, 7) in told


def test_a_wrong_end_is_a_wrong_format() -> None:
    frames = Frames()
    assert frames.receive(encode_frame(REQUEST, 7, b"hello")[:-2] + b"/m", 0) == []
    assert frames.wake(499) == []
    assert frames.wake(500) == [Dropped(16), error(FORMAT_ERROR, 7)]
    assert frames.next_wake_ms is None


def test_noise_is_complained_of_once_it_is_quiet_and_under_no_number() -> None:
    frames = Frames()
    assert frames.receive(b"\x00\xff/n", 0) == []
    assert frames.receive(b"/", 400) == []
    assert frames.wake(899) == []
    assert frames.wake(900) == [Dropped(5), error(FORMAT_ERROR, 0)]


def test_nothing_is_complained_of_when_a_message_comes_after_all() -> None:
    frames = Frames()
    frames.receive(encode_frame(REQUEST, 7, b"hello")[:-3], 0)
    assert frames.receive(encode_frame(REQUEST, 7, b"hello"), 100) == [Dropped(13), ack(7), Received(7, b"hello")]
    assert settled(frames) == []


def test_an_acknowledgement_does_not_quell_a_complaint() -> None:
    frames = Frames()
    frames.receive(encode_frame(REQUEST, 7, b"hello")[:-3], 0)
    assert frames.receive(encode_frame(ANSWER, 1), 100) == [Dropped(13)]
    assert settled(frames) == [error(FORMAT_ERROR, 7)]


@pytest.mark.parametrize("kind", [ANSWER, *range(0x30, 0x36)])
def test_errors_and_acknowledgements_are_never_answered(kind: int) -> None:
    frames = Frames()
    for data in (b"", b"text"):
        assert not any(isinstance(event, Write) for event in frames.receive(encode_frame(kind, 9, data), 0))
    damaged = bytearray(encode_frame(kind, 9))
    damaged[8] = 1
    frames.receive(bytes(damaged), 0)
    assert [event for event in settled(frames) if isinstance(event, Write)] == [error(FORMAT_ERROR, 0)]


def test_an_empty_request_is_wrong() -> None:
    assert fed(encode_frame(REQUEST, 9)) == [error(DATA_ERROR, 9)]


# Packets


@given(messages, st.integers(1, 20), numbers)
def test_packets_are_joined(message: bytes, packet_bytes: int, number: int) -> None:
    assert fed(encode_message(number, message, packet_bytes=packet_bytes)) == [ack(number), Received(number, message)]


def test_large_messages_are_split_as_advised() -> None:
    frames = Frames()
    number, (write,) = frames.send(b"x" * 2_500, 0)
    assert isinstance(write, Write)
    assert write.data == b"".join(encode_frame(REQUEST, number, b"x" * n, length=2_500) for n in (1_024, 1_024, 452))


def test_a_packet_that_does_not_come_in_time_comes_too_late() -> None:
    frames = Frames()
    first, second = encode_frame(REQUEST, 6, b"aaa", length=6), encode_frame(REQUEST, 6, b"bbb", length=6)
    assert frames.receive(first, 0) == []
    assert frames.next_wake_ms == 500
    assert settled(frames) == []
    assert frames.receive(second, 501) == [error(PACKETS_ERROR, 6)]
    assert frames.receive(second, 2_499) == [error(PACKETS_ERROR, 6)]
    # Another message of that number is another message: one of another length, a whole one, or one much later.
    assert received(frames.receive(encode_message(6, b"whole"), 2_499)) == [(6, b"whole")]
    assert received(frames.receive(first + second, 2_500)) == [(6, b"aaabbb")]


def test_what_lay_there_while_nobody_could_look_came_in_time() -> None:
    frames = Frames()
    number, _ = frames.send(b"question", 0)
    first, second = encode_frame(REQUEST, 6, b"aaa", length=6), encode_frame(REQUEST, 6, b"bbb", length=6)
    assert frames.receive(first[:4], 0) == []
    assert frames.receive(first[4:] + encode_frame(ANSWER, number), 60_000) == [Acknowledged(number)]
    assert received(frames.receive(second, 120_000)) == [(6, b"aaabbb")]


def test_packets_may_take_as_long_as_the_line_needs() -> None:
    frames = Frames()
    data = encode_message(6, b"x" * 3_000)
    for at, byte in enumerate(data[:-1]):
        assert frames.receive(bytes([byte]), at) == []
    assert received(frames.receive(data[-1:], len(data))) == [(6, b"x" * 3_000)]


def test_too_many_packets_are_told() -> None:
    frames = Frames()
    assert frames.receive(encode_frame(REQUEST, 6, b"aaaa", length=6) * 2, 0) == [error(PACKETS_ERROR, 6)]
    assert frames.next_wake_ms is None


def test_one_split_message_at_a_time() -> None:
    first, second = encode_frame(REQUEST, 6, b"aaa", length=6), encode_frame(REQUEST, 6, b"bbb", length=6)
    other = encode_message(7, b"whole")
    assert received(fed(first + other + second)) == [(7, b"whole"), (6, b"aaabbb")]
    assert received(fed(first + encode_message(7, b"split", packet_bytes=3) + second)) == [(7, b"split")]
    assert received(fed(first + encode_message(6, b"split", packet_bytes=3))) == [(6, b"split")]


# Acknowledgement


def test_what_is_sent_is_acknowledged() -> None:
    frames = Frames(first=126)
    sent = [frames.send(b"x", 0)[0] for _ in range(3)]
    assert sent == [126, 127, 1]
    assert frames.receive(b"".join(encode_frame(ANSWER, number) for number in (126, 1, 126, 5)), 10) == [
        Acknowledged(126),
        Acknowledged(1),
    ]
    assert settled(frames) == [Unheard(127)]


def test_numbers_are_one_to_127_and_again() -> None:
    assert [next_number(number) for number in (1, 2, 126, 127)] == [2, 3, 127, 1]


def test_nobody_acknowledges_in_time() -> None:
    frames = Frames()
    number, _ = frames.send(b"x", 0)
    due_ms = frames.next_wake_ms
    assert due_ms == 1_000 + 13  # its twelve bytes take 12.5 ms
    assert frames.wake(due_ms - 1) == []
    assert frames.wake(due_ms) == [Unheard(number)]
    assert frames.receive(encode_frame(ANSWER, number), due_ms) == []


def test_the_second_begins_when_the_line_has_carried_it_all() -> None:
    frames = Frames()
    frames.send(b"x" * 9_589, 0)  # with ten packets' marks and lengths 9,699 bytes
    frames.send(b"y" * 85, 0)
    assert frames.wake(10_000) == []
    assert settled(frames, 10_000) == [Unheard(1), Unheard(2)]


def test_an_answer_may_come_in_the_acknowledgement_or_after_it() -> None:
    frames = Frames()
    number, _ = frames.send(b"x", 0)
    answer = encode_message(number, b"paid", kind=ANSWER, packet_bytes=3)
    assert frames.receive(answer, 10) == [Acknowledged(number), Received(number, b"paid", answers=number)]
    assert frames.receive(answer, 20) == [Received(number, b"paid", answers=number)]


@pytest.mark.parametrize("code", range(0x30, 0x36))
def test_the_other_side_refuses(code: int) -> None:
    frames = Frames()
    number, _ = frames.send(b"x", 0)
    assert frames.receive(encode_frame(code, number), 10) == [Refused(number, code)]
    assert frames.next_wake_ms is None
    assert frames.receive(encode_frame(code, 0), 20) == []


def test_what_comes_twice_is_acknowledged_twice_and_handed_on_once() -> None:
    frames = Frames()
    request = encode_message(8, b"pay", packet_bytes=2)
    assert frames.receive(request, 0) == [ack(8), Received(8, b"pay")]
    assert frames.receive(request, 1_000) == [ack(8), Repeated(8)]
    assert frames.receive(encode_message(8, b"pay"), 4_999) == [ack(8), Repeated(8)]
    assert frames.receive(request, 5_000) == [ack(8), Received(8, b"pay")]


def test_another_number_or_another_text_is_another_message() -> None:
    frames = Frames()
    frames.receive(encode_message(8, b"pay"), 0)
    assert received(frames.receive(encode_message(9, b"pay"), 0)) == [(9, b"pay")]
    assert received(frames.receive(encode_message(8, b"ask"), 0)) == [(8, b"ask")]


def test_a_full_house_refuses_and_forgets() -> None:
    frames = Frames()
    frames.receive(encode_message(1, b"taken"), 0)
    frames.full = True
    assert frames.receive(encode_message(2, b"x"), 0) == [error(framing.UNKNOWN_ERROR, 2)]
    assert frames.receive(encode_message(1, b"taken"), 0) == [ack(1), Repeated(1)]
    frames.full = False
    assert received(frames.receive(encode_message(2, b"x"), 0)) == [(2, b"x")]


def test_when_the_line_is_gone_nothing_is_awaited() -> None:
    frames = Frames()
    frames.send(b"x", 0)
    frames.receive(b"/n\x01" + encode_frame(REQUEST, 1, b"aaa", length=6) + encode_frame(REQUEST, 2, b"bbb")[:5], 0)
    assert frames.end(1) == [Dropped(5), Unheard(1)]
    assert frames.next_wake_ms is None
    assert frames.end(2) == []


@pytest.mark.parametrize("message", [b"", b"x" * 65_536, encode_frame(REQUEST, 1, b"a")])
def test_what_cannot_travel_is_a_mistake_of_ours(message: bytes) -> None:
    with pytest.raises(ValueError, match="message"):
        Frames().send(message, 0)


@given(messages, messages, st.integers(1, 70))
def test_two_ends_understand_each_other(question: bytes, answer: bytes, packet_bytes: int) -> None:
    register, terminal = Frames(packet_bytes=packet_bytes), Frames(40, packet_bytes=packet_bytes)
    number, (asked,) = register.send(question, 0)
    assert isinstance(asked, Write)
    acknowledgement, got = terminal.receive(asked.data, 0)
    assert isinstance(acknowledgement, Write)
    assert got == Received(number, question)
    _, (said,) = terminal.send(answer, 0)
    assert isinstance(said, Write)
    assert register.receive(acknowledgement.data + said.data, 0) == [
        Acknowledged(number),
        ack(40),
        Received(40, answer),
    ]
    assert terminal.receive(encode_frame(ANSWER, 40), 0) == [Acknowledged(40)]
    assert register.next_wake_ms is None is terminal.next_wake_ms
