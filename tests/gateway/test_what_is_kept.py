"""What is written down, in rows and in logs, helps nobody to a payer's code."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest

from anytill.core.payment import Method, Payment, fingerprint
from anytill.core.secret import Secret
from anytill.core.wallet import Wallet
from anytill.gateway import Gateway
from anytill.transports.watch import JsonWatch
from tests.gateway.meddler import meddled
from tests.world import World

pytestmark = pytest.mark.anyio


async def test_digests_of_a_code_cannot_be_found_by_trying_codes(world: World) -> None:
    """A code has some ten unknown digits: a digest that anybody can work out is the code itself."""
    order = world.order("04")
    assert order.pay_code is not None
    kept: list[Payment] = []
    for key in (b"one key", b"another key"):
        till = Gateway(replace(world.parts, code_key=key)).till(await world.credential())
        kept.append(await till.pay(replace(order, order_no=f"{order.order_no}{key[:3].decode()}")))
        again = await world.stored(kept[-1].order_no)
        plain = {order.pay_code.reveal(), fingerprint("demo", order.pay_code.reveal()), order.digest("teegon")}
        assert plain.isdisjoint(str(getattr(again, name)) for name in Payment.__dataclass_fields__)
    one, other = kept
    assert one.order_digest != other.order_digest


async def test_the_same_code_has_another_digest_under_another_key(world: World) -> None:
    waiting = world.order("03")
    assert waiting.pay_code is not None
    digests: set[str | None] = set()
    for key in (b"one key", b"another key"):
        till = Gateway(replace(world.parts, code_key=key)).till(await world.credential())
        payment = await till.pay(replace(waiting, order_no=f"K{len(digests)}"))
        digests.add((await world.stored(payment.order_no)).code_digest)
    assert len(digests) == 2
    assert fingerprint("demo", waiting.pay_code.reveal()) not in digests


async def test_what_a_fault_says_is_not_logged(world: World) -> None:
    channel = await meddled(world)
    log = io.StringIO()
    gateway = Gateway(replace(world.parts, watch=JsonWatch(log, debug=True)))
    ticket = Secret("9f8e7d6c5b4a39281706faceface")

    async def stumbles(payment: Payment, code: Secret | None) -> None:
        assert code is not None
        raise ValueError(f"cannot encode {code.reveal()}")

    channel.pay = stumbles  # type: ignore[method-assign,assignment]
    till = gateway.till(await world.credential())
    await till.pay(world.order(pay_code=ticket, method=Method.FACE, wallet=Wallet.WECHAT))
    assert "ValueError" in log.getvalue()
    assert "channel" in log.getvalue()
    assert ticket.reveal() not in log.getvalue()
    assert "cannot encode" not in log.getvalue()
