"""What a dialect costs by itself: read a request, check its signature, make the order, then build and write the answer.

The dialect's own server runs against a gateway that has the answer ready, so nothing waits and the whole handler runs
to its end in one go, without an event loop. What is measured is what every payment pays before and after the core.
"""

from __future__ import annotations

import statistics
import time
from typing import Final, cast

from anytill.core.lifecycle import PaymentState
from anytill.core.merchant import Credential, Merchant
from anytill.core.payment import Payment, PayOrder
from anytill.core.secret import Secret
from anytill.core.wallet import Wallet
from anytill.dialects import Dialect, load_dialects
from anytill.gateway import Gateway
from anytill.wire.http import HttpRequest, HttpResponse
from bench import orders
from bench.processes import Failed

_NOW_MS: Final = 1_795_000_000_000
_REPEATS: Final = 15


class ReadyGateway:
    """Looks like a gateway to a dialect's server, and answers every order with the same paid payment."""

    def __init__(self, dialect: Dialect) -> None:
        access = dialect.sandbox
        self._merchant = Merchant("demo", "街角咖啡")
        self._credential = Credential(
            dialect.name,
            access.login,
            Secret(access.secret),
            {access.number: "demo"},
            options=access.options,
            password=Secret(access.password) if access.password else None,
        )
        self.payment = Payment(
            merchant_id="demo",
            payment_id="12611180000000000001",
            order_no="B0000000001",
            method=PayOrder("", 1).method,
            wallet=Wallet.WECHAT,
            state=PaymentState.PAID,
            amount_fen=orders.AMOUNT_FEN,
            paid_fen=orders.AMOUNT_FEN,
            subject="拿铁咖啡 大杯 x2",
            attach="counter=3;shift=morning",
            payer_id="oWx0123456789abcdefghijklmno",
            channel="sandbox",
            channel_trade_no="4200000000202611181234567890",
            created_at_ms=_NOW_MS,
            paid_at_ms=_NOW_MS,
            deadline_at_ms=_NOW_MS + 60_000,
            dialect=dialect.name,
            login=access.login,
        )

    async def credential(self, dialect: str, login: str) -> Credential:
        """See `gateway.Gateway`."""
        return self._credential

    async def merchant(self, credential: Credential) -> Merchant:
        """See `gateway.Gateway`."""
        return self._merchant

    def seen(self, credential: Credential, peer: str) -> None:
        """See `gateway.Gateway`."""

    def till(self, credential: Credential, number: str = "") -> ReadyGateway:
        """See `gateway.Gateway`."""
        credential.merchant_id(number)
        return self

    async def pay(self, order: PayOrder) -> Payment:
        """See `ports.Till`."""
        return self.payment

    def now_ms(self) -> int:
        """See `gateway.Gateway`."""
        return _NOW_MS

    def nonce(self, length: int = 32) -> str:
        """See `gateway.Gateway`."""
        return "n" * length


def codec_us(name: str, *, requests: int = 200) -> float:
    """Microseconds for one payment in this dialect: the median of some repeats. Raises Failed."""
    dialect, form = load_dialects()[name], orders.order(name)
    gateway = cast("Gateway", ReadyGateway(dialect))
    ready = [orders.request(form, number) for number in range(requests)]
    answer = _answer(dialect, ready[0], gateway)
    if answer.status != 200 or not form.is_paid(answer.body):
        raise Failed(f"{name} does not take the request: {answer.body.decode()[:500]}")
    return statistics.median(_repeat(dialect, ready, gateway) for _ in range(_REPEATS)) * 1e6


def _repeat(dialect: Dialect, requests: list[HttpRequest], gateway: Gateway) -> float:
    began = time.thread_time()  # not the clock on the wall: somebody else may get the core meanwhile
    for request in requests:
        _answer(dialect, request, gateway)
    return (time.thread_time() - began) / len(requests)


def _answer(dialect: Dialect, request: HttpRequest, gateway: Gateway) -> HttpResponse:
    """Run the handler, which has nothing to wait for."""
    if dialect.handle is None:
        raise Failed(f"{dialect.name} is answered by terminals, not by the gateway")
    running = dialect.handle(request, gateway)
    try:
        running.__await__().send(None)
    except StopIteration as end:
        return cast("HttpResponse", end.value)
    raise Failed(f"{dialect.name} waits for something")
