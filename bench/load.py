"""The tills: so many connections, each with one request under way, all requests signed before the clock starts.

    python -m bench.load < order.json > result.json

A request differs from the next in two places, the order's number and the payer's code. Both stand in the text that is
signed and in the body, so a `Template` keeps both texts with marks for them; the next request is then one format and
one MD5. This is a process of its own, so that it takes no time from the server's event loop.

An answer is looked at only as far as must be: its status, its length, and whether the words that mean "paid" are in it.
Answers that came while the servers were warming up are counted for the books, not for the figures.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any, Final, cast

import uvloop

_FORM = "application/x-www-form-urlencoded"
_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length: "
MOST_ORDERS: Final = 10**10


@dataclass(frozen=True, slots=True)
class Template:
    """A dialect's payment request with three places left open, and how to tell that it was paid."""

    path: str
    signed: str  # the text that is signed, with {order_no} and {pay_code}
    body: str  # the body, with {order_no}, {pay_code} and {sign}
    paid: str  # stands in the body of an answer that says "paid", and in no other

    def fill(self, number: int) -> bytes:
        """The body of the request with this number, below MOST_ORDERS. The payer's code leads to "paid at once"."""
        order_no, pay_code = f"B{number:010d}", f"13{number:014d}00"
        signed = self.signed.format(order_no=order_no, pay_code=pay_code).encode()
        sign = hashlib.md5(signed, usedforsecurity=False).hexdigest().upper()
        return self.body.format(order_no=order_no, pay_code=pay_code, sign=sign).encode()

    def requests(self, first: int, host: str) -> Iterator[bytes]:
        """Whole HTTP requests for one order after the other."""
        head = f"POST {self.path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: {_FORM}\r\ncontent-length: ".encode()
        for number in range(first, MOST_ORDERS):
            body = self.fill(number)
            yield b"%s%d\r\n\r\n%s" % (head, len(body), body)


@dataclass(frozen=True, slots=True)
class Load:
    """What to do: which requests, from which number on, to which servers, how long."""

    template: Template
    ports: tuple[int, ...]
    connections: int
    warm_up_s: float
    seconds: float
    first: int
    most: int  # requests at most, made ready beforehand


@dataclass(frozen=True, slots=True)
class Score:
    """What came of it. `answered` counts every payment told as paid, `per_s` only those of the measured time."""

    answered: int
    refused: int
    per_s: float
    p50_ms: float
    p99_ms: float
    refusal: str = ""  # the beginning of the first answer that did not say "paid"


class Till(asyncio.Protocol):
    """One connection: sends the next request when the answer to the last one is there."""

    def __init__(self, tills: Tills) -> None:
        self._tills = tills
        self._rest = b""
        self._sent_at = 0.0
        self._transport: asyncio.Transport
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by name

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionResetError("the server closed a connection"))

    def send(self) -> None:
        """The next request, unless the time is up or there is none left."""
        self._sent_at = time.perf_counter()
        request = self._tills.next(self._sent_at)
        if request is None:
            if not self.done.done():
                self.done.set_result(None)
            self._transport.close()
        else:
            self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        if self._rest:
            data = self._rest + data
        head = data.find(_HEAD_END)
        at = data.find(_LENGTH) + len(_LENGTH)
        if head < 0 or len(data) < head + len(_HEAD_END) + int(data[at : data.find(b"\r", at)]):
            self._rest = data
            return
        self._rest = b""
        self._tills.heard(data, self._sent_at)
        self.send()


class Tills:
    """All connections, and what they heard."""

    def __init__(self, load: Load) -> None:
        host = f"127.0.0.1:{load.ports[0]}"
        self._requests: Iterator[bytes] = iter(list(islice(load.template.requests(load.first, host), load.most)))
        self._load = load
        self._paid = load.template.paid.encode()
        self._until = float("inf")
        self._answers: list[tuple[float, float]] = []
        self._refused = 0
        self._refusal = b""

    def next(self, now_s: float) -> bytes | None:
        """A request, or None at the end."""
        return next(self._requests, None) if now_s < self._until else None

    def heard(self, answer: bytes, sent_at_s: float) -> None:
        """Note an answer."""
        if answer.startswith(b"HTTP/1.1 200 ") and self._paid in answer:
            self._answers.append((sent_at_s, time.perf_counter()))
        else:
            self._refused += 1
            self._refusal = self._refusal or answer

    async def run(self) -> Score:
        """Connect, work until the time is up, and wait for the last answers."""
        loop, ports = asyncio.get_running_loop(), self._load.ports
        tills: list[Till] = []
        for number in range(self._load.connections):
            port = ports[number % len(ports)]
            tills.append((await loop.create_connection(lambda: Till(self), "127.0.0.1", port))[1])
        began = time.perf_counter()
        from_s = began + self._load.warm_up_s
        self._until = from_s + self._load.seconds
        for till in tills:
            till.send()
        await asyncio.gather(*(till.done for till in tills))
        return self._score(from_s, min(self._until, time.perf_counter()))

    def _score(self, from_s: float, until_s: float) -> Score:
        counted = [heard - sent for sent, heard in self._answers if from_s <= heard < until_s]
        if len(counted) < 2:
            counted = [heard - sent for sent, heard in self._answers]
        if len(counted) < 2:
            return Score(len(self._answers), self._refused, 0, 0, 0, self._refusal.decode(errors="replace")[:2000])
        cuts = statistics.quantiles(counted, n=100)
        return Score(
            answered=len(self._answers),
            refused=self._refused,
            per_s=len(counted) / (until_s - from_s) if until_s > from_s else 0.0,
            p50_ms=cuts[49] * 1e3,
            p99_ms=cuts[98] * 1e3,
            refusal=self._refusal.decode(errors="replace")[:2000],
        )


def order(load: Load) -> str:
    """The load as the text this program reads."""
    return json.dumps(asdict(load))


def read(text: str) -> Load:
    """The inverse of `order`."""
    members: dict[str, Any] = json.loads(text)
    template = Template(**members.pop("template"))
    return Load(template=template, ports=tuple(members.pop("ports")), **members)


if __name__ == "__main__":
    print(json.dumps(asdict(uvloop.run(Tills(read(sys.stdin.read())).run()))))
