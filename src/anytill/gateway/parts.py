"""What a gateway is made of. `bootstrap` puts real parts together, tests put others."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from anytill.core.answer import Answer, RefundAnswer
from anytill.core.errors import NotSupported, Overloaded
from anytill.core.ids import IdMaker, NoNode
from anytill.core.merchant import Merchant
from anytill.core.money import HKD
from anytill.core.wallet import HKD_ONLY, TAPPED, Wallet
from anytill.gateway.passwords import at_once
from anytill.ports import Aside, Chance, Channel, Clock, DueKind, NoticeForm, Post, Sms, Store, Watch

Word = TypeVar("Word", Answer, RefundAnswer)


def _nobody_waits(_kind: DueKind) -> None:
    """No worker sleeps that would have to be woken."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The gateway's surroundings."""

    store: Store
    channels: Mapping[str, Channel]
    clock: Clock
    chance: Chance
    ids: IdMaker
    watch: Watch
    post: Post
    start: Callable[[Coroutine[Any, Any, None]], None]  # runs it on its own; it is finished before the gateway closes
    forms: Mapping[str, NoticeForm] = field(default_factory=dict)  # by dialect
    code_key: bytes = field(default=b"", repr=False)  # payers' codes are remembered only under it
    default_channel: str = ""
    most_at_channel: int = 1_000  # pay calls under way at most; more orders are refused before they are accepted
    loopback_notices: bool = False  # demo mode: notices may go to this machine
    wake: Callable[[DueKind], None] = _nobody_waits  # something of this kind is due at once
    sms: Sms | None = None  # None: nobody can be reached
    aside: Aside = at_once  # how passwords are checked

    def new_id(self) -> str:
        """A number of ours. Raises Overloaded while none can be made: nothing was accepted yet."""
        try:
            return self.ids.make(self.clock.now_ms())
        except NoNode:
            raise Overloaded from None

    def channel_for(self, merchant: Merchant, wallet: Wallet) -> Channel:
        """The channel that moves this merchant's money from this wallet. Raises NotSupported when there is none."""
        channel = self._channel(merchant, wallet)
        if channel is None:
            raise NotSupported
        return channel

    def has_channel(self, merchant: Merchant, wallet: Wallet) -> bool:
        """Whether there is one."""
        return self._channel(merchant, wallet) is not None

    def _channel(self, merchant: Merchant, wallet: Wallet) -> Channel | None:
        name = merchant.channels.get(wallet) or merchant.channels.get("") or self.default_channel
        channel = self.channels.get(name)
        if channel is None or (wallet in TAPPED and not channel.takes_cards):
            return None
        return channel if merchant.currency == HKD or wallet not in HKD_ONLY else None

    async def heard(self, word: Awaitable[Word], silence: Word, where: str = "channel", **numbers: str) -> Word:
        """A channel's word; a fault in its adapter is silence, never a "no"."""
        try:
            return await word
        except Exception as fault:  # noqa: BLE001 - no fault of ours may become a "no"
            self.watch.fault(where, fault, **numbers)
            return silence
