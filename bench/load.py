"""The tills: so many connections, each with one request under way, all requests made before the clock starts.

    python -m bench.load < order.json > result.json

A request differs from the next in the order's number and the payer's code; `orders` knows how one is made. This is a
process of its own, so that it takes no time from the server's event loop.

While the clock runs an answer is looked at only as far as must be: its status, its length, and whether the words that
mean "paid" are in it. Encrypted answers are opened when all is over. Answers that came while the servers were warming
up are counted for the books, not for the figures.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any, cast

import uvloop

from bench import orders
from bench.orders import Order

_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length: "


@dataclass(frozen=True, slots=True)
class Load:
    """What to do: whose requests, from which number on, to which servers, how long."""

    name: str  # a dialect's, or orders.ECHO
    ports: tuple[int, ...]
    connections: int
    warm_up_s: float
    seconds: float
    first: int
    most: int  # requests at most, made ready beforehand
    notice_url: str = orders.NOTICE_URL

    @property
    def order(self) -> Order:
        """What is sent."""
        return orders.order(self.name, self.notice_url)

    def requests(self) -> list[bytes]:
        """Whole HTTP requests for one order after the other."""
        form = self.order
        head = f"POST {form.path} HTTP/1.1\r\nhost: 127.0.0.1:{self.ports[0]}\r\ncontent-type: {form.media_type}\r\n"
        start = f"{head}content-length: ".encode()
        bodies = map(form.fill, range(self.first, self.first + self.most))
        return [b"%s%d\r\n\r\n%s" % (start, len(body), body) for body in bodies]


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
        self._requests = iter(load.requests())
        self._load = load
        self._order = load.order
        self._until = float("inf")
        self._answers: list[tuple[float, float]] = []
        self._sealed: list[bytes] = []
        self._refused: list[bytes] = []

    def next(self, now_s: float) -> bytes | None:
        """A request, or None at the end."""
        return next(self._requests, None) if now_s < self._until else None

    def heard(self, answer: bytes, sent_at_s: float) -> None:
        """Note an answer."""
        now_s = time.perf_counter()
        if not answer.startswith(b"HTTP/1.1 200 "):
            self._refused.append(answer)
        elif self._order.sealed:
            self._answers.append((sent_at_s, now_s))
            self._sealed.append(answer)
        elif self._order.is_paid(answer):
            self._answers.append((sent_at_s, now_s))
        else:
            self._refused.append(answer)

    async def run(self) -> Score:
        """Connect, work until the time is up, and wait for the last answers."""
        loop, ports = asyncio.get_running_loop(), self._load.ports
        tills: list[Till] = []
        for number in range(self._load.connections):
            port = ports[number % len(ports)]
            tills.append((await loop.create_connection(lambda: Till(self), "127.0.0.1", port))[1])
        began = time.perf_counter()
        for till in tills:
            till.send()
        # Set only now, so that each till makes a payment although this process was kept from running meanwhile.
        from_s = began + self._load.warm_up_s
        self._until = from_s + self._load.seconds
        await asyncio.gather(*(till.done for till in tills))
        return self._score(from_s, min(self._until, time.perf_counter()))

    def _score(self, from_s: float, until_s: float) -> Score:
        unpaid = [each for each in self._sealed if not self._order.is_paid(each.partition(_HEAD_END)[2])]
        refused = [*self._refused, *unpaid]
        refusal = refused[0].decode(errors="replace")[:2000] if refused else ""
        answered = len(self._answers) - len(unpaid)
        counted = [heard - sent for sent, heard in self._answers if from_s <= heard < until_s]
        if len(counted) < 2:
            counted = [heard - sent for sent, heard in self._answers]
        if len(counted) < 2:
            return Score(answered, len(refused), 0, 0, 0, refusal)
        cuts = statistics.quantiles(counted, n=100)
        return Score(
            answered=answered,
            refused=len(refused),
            per_s=len(counted) / (until_s - from_s) if until_s > from_s else 0.0,
            p50_ms=cuts[49] * 1e3,
            p99_ms=cuts[98] * 1e3,
            refusal=refusal,
        )


def written(load: Load) -> str:
    """The load as the text this program reads."""
    return json.dumps(asdict(load))


def read(text: str) -> Load:
    """The inverse of `written`."""
    members: dict[str, Any] = json.loads(text)
    return Load(**{**members, "ports": tuple(members["ports"])})


if __name__ == "__main__":
    print(json.dumps(asdict(uvloop.run(Tills(read(sys.stdin.read())).run()))))
