"""A customer who acts by himself, for `anytill terminal --auto` and the demo: holds out the card or the code that is
asked for, enters the PIN, and scans the code on the screen with the sandbox's wallet.

The register chooses what happens by the amount: its last two digits are the ending of the code that is held out (and,
for cards, what the sandbox's card scheme looks at), so that 12.05 meets an expired code and 12.00 is paid at once. Of a
code on the screen, 02 is declined by the payer and 03 is left alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Final

from anytill.channels.sandbox.channel import NoSuchOrder, SandboxChannel
from anytill.channels.sandbox.outcomes import PAY_OUTCOMES
from anytill.channels.sandbox.wallet import NotWaiting
from anytill.core.panel import Sight, Stage, Way
from anytill.core.receipt import Receipt
from anytill.core.secret import Secret
from anytill.ports import Chance
from anytill.transports.panel import Front

#: Cards that schemes publish for tests; an Octopus has a number of its own kind.
CARDS: Final[Mapping[str, str]] = {
    "VISA": "4111111111111111",
    "MASTERCARD": "5555555555554444",
    "UNIONPAY": "6200000000000005",
    "AMEX": "378282246310005",
    "OCTOPUS": "80000002",
}
#: How the codes of a wallet begin (`core.wallet`).
CODES: Final[Mapping[str, str]] = {"WECHAT": "13", "ALIPAY": "28", "UNIONPAY": "62", "PAYME": "95"}
PIN: Final = "1234"
_DECLINED, _LEFT_ALONE = "02", "03"
_DIGITS: Final = "0123456789"


def card_text(scheme: str, chance: Chance) -> Secret:
    """A card of this scheme, as a reader gives it: its number, and a sequence that no two readings share."""
    return Secret(f"{CARDS[scheme]}={chance.token(8, _DIGITS)}")


def code_text(wallet: str, ending: str, chance: Chance) -> Secret:
    """A payer's code of this wallet with this ending."""
    return Secret(f"{CODES[wallet]}{chance.token(14, _DIGITS)}{ending}")


def ending_of(amount_fen: int) -> str:
    """The two digits that an amount gives to a code; 00 unless they mean something."""
    ending = f"{amount_fen % 100:02d}"
    return ending if ending in PAY_OUTCOMES else "00"


class Payer:
    """The sandbox wallet's hand: pays what a code on a screen asks for."""

    def __init__(self, sandbox: SandboxChannel) -> None:
        self._sandbox = sandbox

    async def pay(self, qr: str) -> None:
        """Scan this code and pay. Nothing happens when the order waits no more."""
        await self._moved(self._sandbox.payer_pays, qr)

    async def decline(self, qr: str) -> None:
        """Scan this code and turn away."""
        await self._moved(self._sandbox.payer_declines, qr)

    async def _moved(self, move: Callable[..., Awaitable[object]], qr: str) -> None:
        with suppress(NoSuchOrder, NotWaiting, OSError):
            await move(channel_order=qr.rpartition("/")[2])


class Customer:
    """A `transports.panel.Display` that looks at nothing twice and acts at once."""

    def __init__(self, chance: Chance, payer: Payer | None) -> None:
        self._chance = chance
        self._payer = payer
        self._sight = Sight(Stage.IDLE)
        self._scans: set[asyncio.Task[None]] = set()
        self.front: Front | None = None  # whose customer this is; set when both are there

    def shown(self, sight: Sight) -> None:
        """See `Display`."""
        scanned_before = self._sight.qr
        self._sight = sight
        if sight.qr and sight.qr != scanned_before and self._payer is not None:
            self._scan(self._payer, sight.qr, ending_of(sight.amount_fen))

    def asked(self, way: Way) -> None:
        """See `Display`."""
        assert self.front is not None
        what = self._presented(way)
        if what is not None:
            # Not within the asking itself: nobody is that quick.
            asyncio.get_running_loop().call_soon(self.front.offer, way, what)

    def printed(self, receipt: Receipt) -> None:
        """See `Display`."""

    def went_home(self) -> None:
        """See `Display`."""

    def _presented(self, way: Way) -> Secret | None:
        accepts = self._sight.accepts
        match way:
            case Way.TAP:
                return next((card_text(scheme, self._chance) for scheme in accepts if scheme in CARDS), None)
            case Way.SCAN:
                ending = ending_of(self._sight.amount_fen)
                return next((code_text(wallet, ending, self._chance) for wallet in accepts if wallet in CODES), None)
            case Way.PIN:
                return Secret(PIN)
            case Way.AMOUNT:
                return Secret(str(self._sight.amount_fen))

    def _scan(self, payer: Payer, qr: str, ending: str) -> None:
        if ending == _LEFT_ALONE:
            return
        scan = payer.decline(qr) if ending == _DECLINED else payer.pay(qr)
        task = asyncio.get_running_loop().create_task(scan)
        self._scans.add(task)
        task.add_done_callback(self._scans.discard)
