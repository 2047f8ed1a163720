"""What the law of all dialects is told with: the same till twice, orders and refunds as each dialect can be asked for
them, whoever answers a dialect's requests, and the client of another merchant. Nothing here knows any dialect's format.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from anytill.core.errors import Refusal
from anytill.core.lifecycle import RefundState
from anytill.core.merchant import Credential, Merchant
from anytill.core.payment import Method, Payment, PaymentRef, PayOrder, Refund, RefundOrder, RefundRef
from anytill.core.secret import Secret
from anytill.core.wallet import Wallet
from anytill.dialects import Client, Dialect, Setting
from anytill.ports import Till
from anytill.wire.http import HttpRequest, HttpResponse
from tests.panels import ScriptedPanel
from tests.world import BASE_URL, NOTICE_URL, Posted, World

SECOND = Merchant("second", "另一家商户")


@dataclass
class Pair:
    """The same till twice: over the wire and without."""

    world: World
    dialect: Dialect
    wired: Till
    direct: Till

    def can(self, operation: str) -> bool:
        return operation in self.dialect.operations

    def carries(self, name: str) -> bool:
        return name not in self.dialect.not_carried

    def order(self, ending: str = "00", **changes: Any) -> PayOrder:
        return order_of(self.world, self.dialect, ending, **changes)

    def refund_order(self, payment: PaymentRef, number: str, fen: int) -> RefundOrder:
        return refund_order_of(self.dialect, payment, number, fen)

    async def both(self, call: Callable[[Till, str], Awaitable[Payment | Refund]]) -> tuple[str, str]:
        """What each side shows, or the name of its refusal; the suffix keeps the numbers of the two apart."""
        if self.dialect.terminal is None:
            return _shown(await _told(call(self.wired, "W"))), _shown(await _told(call(self.direct, "D")))
        direct = await _told(call(self.direct, "D"))
        wired = await _told(call(self.wired, "W"))
        return _shown(wired), _shown(await self._ended(direct))

    async def _ended(self, told: Payment | Refund | Refusal) -> Payment | Refund | Refusal:
        """What the gateway's till tells once it knows the end."""
        for _ in range(12):
            if isinstance(told, Refusal) or not _shown(told).startswith(("payment OPEN", "refund open")):
                break
            told = await (
                self.direct.query(told.ref) if isinstance(told, Payment) else self.direct.query_refund(told.ref)
            )
            await self.world.pass_s(10)
        return told


def order_of(world: World, dialect: Dialect, ending: str = "00", **changes: Any) -> PayOrder:
    """A new order in the currency of the dialect's demo merchant."""
    return world.order(ending, **{"currency": dialect.sandbox.currency, **changes})


def refund_order_of(dialect: Dialect, payment: PaymentRef, number: str, fen: int) -> RefundOrder:
    """A refund under this number; where the vendor's refunds have none, equal requests are those of one number."""
    if "refund_no" in dialect.not_carried:
        return RefundOrder(payment, "", fen, repeat_key=number)
    return RefundOrder(payment, number, fen)


def refund_ref_of(dialect: Dialect, refund: Refund) -> RefundRef:
    return RefundRef(refund_id=refund.refund_id) if "refund_no" in dialect.not_carried else RefundRef(refund.refund_no)


async def _told(result: Awaitable[Payment | Refund]) -> Payment | Refund | Refusal:
    try:
        return await result
    except Refusal as refusal:
        return refusal


def _shown(told: Payment | Refund | Refusal) -> str:
    if isinstance(told, Refusal):
        return type(told).__name__
    if isinstance(told, Refund):
        final = told.state in (RefundState.DONE, RefundState.FAILED, RefundState.RETURNED_TO_CASH)
        # A vendor may have no word for "came back to cash", but it must not be told as done.
        outcome = {RefundState.DONE: "done"}.get(told.state, "not done") if final else "open"
        return f"refund {outcome} {told.amount_fen}"
    return f"payment {told.verdict} {told.amount_fen}"


async def pair_of(world: World, dialect: Dialect) -> Pair:
    return Pair(world, dialect, world.client(dialect.name), await world.till(dialect.name))


def renamed(order: PayOrder, side: str) -> PayOrder:
    """The order under a number and with a payer's code of its own for each side."""
    assert order.pay_code is not None
    code = order.pay_code.reveal()
    mark = {"W": "1", "D": "2"}[side]
    return replace(order, order_no=f"{order.order_no}{side}", pay_code=Secret(code[:4] + mark + code[5:]))


#: What some vendors demand of such orders beside the order itself; a dialect that needs none ignores them.
DETAILS = {
    "sub_appid": "wx4da448cd29920000",
    "product_id": "P1",
    "ip": "125.71.132.197",
    "redirect_url": "https://shop.example/paid",
}


def listening(world: World, client: Client) -> None:
    """From now on the merchant's end answers each notice as this client says it must be answered."""

    def answer(_nth: int) -> HttpResponse:
        posted = world.receiver.posted[-1]
        return client.hear(notice_request(posted))[1]

    world.receiver.answer = answer


async def notified_order(world: World, dialect: Dialect) -> PayOrder:
    """An order whose payment is notified: one that waits for its payer, where the till does not wait with it. Where the
    address is not told with each order it is an option of the credential, named alike everywhere."""
    if "notice_url" in dialect.not_carried:
        credential = await world.credential(dialect.name)
        options = {**credential.options, "notify_url": NOTICE_URL}
        await world.store.put_credential(replace(credential, options=options))
        world.gateway.forget(credential)
    order = order_of(world, dialect)
    if Method.QR not in dialect.methods or dialect.terminal is not None:
        return order
    return replace(order, method=Method.QR, wallet=Wallet.WECHAT, pay_code=None, details=dict(DETAILS))


def notice_request(posted: Posted) -> HttpRequest:
    headers = {**posted.headers, "content-type": posted.content_type}
    return HttpRequest("POST", "/notify", "", headers, posted.body, "127.0.0.1")


def handler_of(world: World, dialect: Dialect) -> Callable[[HttpRequest], Awaitable[HttpResponse]]:
    """Who answers the dialect's requests: its server, or the terminal of its demo."""
    if dialect.terminal is not None:
        return dialect.terminal.open(world.gateway, dialect.sandbox.login, ScriptedPanel(world.pass_ms)).handle
    handle = dialect.handle
    assert handle is not None
    return lambda request: handle(request, world.gateway)


def own_settings(dialect: Dialect, login: str, secret: str, number: str) -> dict[str, str]:
    """The demo's client settings with another credential in them, whatever the vendor calls its parts."""
    mine = {Setting.LOGIN: login, Setting.SECRET: secret, Setting.NUMBER: number}
    told = dialect.sandbox_settings(BASE_URL)
    return {name: mine.get(setting, told[name]) for name, setting in dialect.client_settings.items()}


def new_secret(dialect: Dialect, seed: int) -> str:
    """A key of the vendor's shape."""
    return "".join(random.Random(seed).choices(dialect.key.alphabet, k=dialect.key.length))


async def second_client(world: World, dialect: Dialect) -> Client:
    """The client of another merchant, with a credential of its own."""
    access = dialect.sandbox
    login, number = access.login[:-2] + "99", access.number[:-2] + "99" if access.number else ""
    secret = new_secret(dialect, 1)
    await world.store.put_merchant(replace(SECOND, currency=access.currency))
    password = Secret(access.password) if access.password else None
    await world.store.put_credential(
        Credential(
            dialect.name, login, Secret(secret), {number: SECOND.merchant_id}, None, True, access.options, password
        )
    )
    return world.client(dialect.name, **own_settings(dialect, login, secret, number))
