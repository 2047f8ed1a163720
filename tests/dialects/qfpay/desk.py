"""A register of its own few lines and the person in front of the terminal. Requests are made with hashlib and joined
strings; nothing of the dialect's codec is used, so that a mistake there is not shared here."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest

from anytill.core.card import mask_pan
from anytill.core.merchant import Credential, Merchant
from anytill.core.money import HKD
from anytill.core.payment import Payment, PaymentRef
from anytill.core.secret import Secret
from anytill.dialects.qfpay.terminal import Terminal
from anytill.wire.http import HttpRequest
from tests.conftest import STORES
from tests.panels import ScriptedPanel
from tests.world import World

KEY = "0123456789abcdef0123456789abcdef"
NOTIFY_KEY = "a notify key of the tests"
NUMBER = "80000077"
MERCHANT = Merchant("shop-hk", "Harbour Shop", currency=HKD)
PATHS = {
    1001: "/api/pos/trade",
    1002: "/api/pos/cancel",
    3001: "/api/pos/print_receipt",
    3002: "/api/pos/transaction_info",
    4001: "/api/pos/query_transaction",
    5001: "/api/pos/cancel_request",
}
VISA, MASTERCARD, UNIONPAY, AMEX = "4111111111111111", "5200000000001096", "6200000000000005", "378282246310005"
OCTOPUS = "12345678"
MASKED = mask_pan(MASTERCARD)
_CARDS = count(1)
# What a trade is told as.
PAID = ("6000", "0000")
UNKNOWN = ("4005", "1145")
USER_CANCELLED = ("6001", "1142")
CANCELLED = ("6002", "1142")
TIMED_OUT = ("6002", "1181")
PRESENTED = {
    "wx": Secret("130000000000990100"),
    "alipay": Secret("280000000000990100"),
    "payme": Secret("950000000000990100"),
    "union": Secret("620000000000990100"),
    "card_payment": Secret(f"{MASTERCARD}=900001"),
    "octopus": Secret(f"{OCTOPUS}=900001"),
    "unionpay_card": Secret(f"{UNIONPAY}=900001"),
    "amex_card": Secret(f"{AMEX}=900001"),
}
#: For tests of what is durable when.
on_both_stores = pytest.mark.parametrize("store_url", STORES, indirect=True)


def card(pan: str = MASTERCARD, pin: str = "") -> Secret:
    """A new presentation of a card."""
    return Secret(f"{pan}={next(_CARDS)}{f'={pin}' if pin else ''}")


def signed(content: Mapping[str, Any], key: str = KEY) -> str:
    """The digest over the content's fields."""
    values = [f"{name}='{value}'" if isinstance(value, str) else f"{name}={value}" for name, value in content.items()]
    return hashlib.md5(f"{{{','.join(sorted(values))}}}{key}".encode(), usedforsecurity=False).hexdigest()


def message(content: Mapping[str, Any], key: str = KEY) -> bytes:
    """An unencrypted request."""
    return json.dumps({"content": dict(content), "digest": signed(content, key)}).encode()


@dataclass(frozen=True)
class Said:
    """An answer, its data read."""

    respcd: str
    data: dict[str, Any]
    respmsg: str
    resperr: str

    @property
    def inner(self) -> str:
        """The inner code."""
        return str(self.data.get("respcd", ""))

    @property
    def codes(self) -> tuple[str, str]:
        """Both codes."""
        return self.respcd, self.inner


def said(body: bytes) -> Said:
    """Read a plain answer."""
    fields = json.loads(body)
    assert set(fields) == {"respcd", "data", "respmsg", "resperr"}
    return Said(fields["respcd"], json.loads(fields["data"] or "{}"), fields["respmsg"], fields["resperr"])


class Desk:
    """A terminal of a merchant in Hong Kong, its panel, and the register beside it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.panel = ScriptedPanel(world.pass_ms)
        self._numbers = count(1)

    async def opened(self, number: str = NUMBER, **options: str) -> Desk:
        """The desk, once its terminal is in the store. Options are the credential's."""
        self.number = number
        await self.world.store.put_merchant(MERCHANT)
        await self.world.store.put_credential(
            Credential(
                "qfpay",
                number,
                Secret(KEY),
                {"": MERCHANT.merchant_id},
                options={"plain": "on", **options},
                password=Secret(NOTIFY_KEY),
            )
        )
        self.start()
        return self

    def start(self) -> None:
        """Switch the terminal on; what it was at is forgotten."""
        self.terminal = Terminal(self.world.gateway, self.number, self.panel)

    async def restart(self) -> None:
        """The whole machine anew: what a new process finds."""
        await self.world.restart()
        self.start()

    def trade(self, channel: str = "wx", amt: Any = 1.5, **changes: Any) -> dict[str, Any]:
        """The content of a new 1001; a change to None leaves the field out."""
        fields = {
            "func_type": 1001,
            "channel": channel,
            "amt": amt,
            "out_trade_no": f"N{next(self._numbers):05d}",
            **changes,
        }
        return {name: value for name, value in fields.items() if value is not None}

    def code(self, ending: str = "00", prefix: str = "13") -> Secret:
        """A payer's code that nobody showed before, and which is held out from now on."""
        code = Secret(f"{prefix}{next(self._numbers):014d}{ending}")
        self.panel.holds_out(code)
        return code

    async def call(self, content: Mapping[str, Any]) -> Said:
        """Send a request to its path, unencrypted."""
        response = await self.terminal.handle(
            HttpRequest("POST", PATHS[int(content["func_type"])], "", {}, message(content), "10.0.0.7")
        )
        assert response.status == 200
        return said(response.body)

    async def pay(self, ending: str = "00", **changes: Any) -> Said:
        """A new trade whose payer shows a code of this ending."""
        self.code(ending)
        return await self.call(self.trade(**changes))

    async def refund(self, order_id: str, **changes: Any) -> Said:
        return await self.call({"func_type": 1002, "orderId": order_id, **changes})

    async def inquire(self, order_id: str) -> Said:
        return await self.call({"func_type": 4001, "orderId": order_id})

    async def cancel(self) -> Said:
        return await self.call({"func_type": 5001})

    async def stored(self, out_trade_no: str) -> Payment:
        """The record of a trade."""
        payment = await self.world.store.payment(MERCHANT.merchant_id, PaymentRef(order_no=out_trade_no))
        assert payment is not None
        return payment

    async def net_fen(self, out_trade_no: str) -> int:
        """What the wallet's own book says the payer is poorer by."""
        rows = await self.world.wallet.statement(merchant_order=out_trade_no)
        return sum(int(str(row["net_fen"])) for row in rows if isinstance(row, dict))

    async def orders(self) -> int:
        """How many orders ever reached the wallet."""
        return int(str((await self.world.wallet.totals())["orders"]))
