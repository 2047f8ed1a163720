"""What we do: take payments, give money back, tell merchants, and finish what was begun.

No I/O of its own: everything outside comes through `ports`, gathered in `Parts`. A dialect's server authenticates a
request with `Gateway.credential`, asks for that credential's till with `Gateway.till`, and speaks to the till.
"""

from __future__ import annotations

from anytill.core.errors import NotSupported
from anytill.core.merchant import Credential, Merchant
from anytill.core.payment import Payment
from anytill.core.secret import Secret
from anytill.core.wallet import Wallet
from anytill.gateway.attendance import Attendance
from anytill.gateway.codes import Passcodes
from anytill.gateway.devices import Devices
from anytill.gateway.directory import Directory
from anytill.gateway.notices import Notices
from anytill.gateway.office import Office
from anytill.gateway.parts import Parts
from anytill.gateway.payments import Payments
from anytill.gateway.recovery import Recovery
from anytill.gateway.refunds import Refunds
from anytill.gateway.till import GatewayTill
from anytill.ports import WalletSession

__all__ = ["Devices", "Gateway", "GatewayTill", "Office", "Parts", "Payment"]


class Gateway:
    """One payment core over a store and some channels."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._directory = Directory(parts.store, parts.clock)
        self._payments = Payments(parts, self._directory)
        self._refunds = Refunds(parts, self._payments)
        passcodes = None
        if parts.sms is not None:
            passcodes = Passcodes(
                parts.store, parts.clock, parts.chance, parts.code_key, parts.sms, parts.start, parts.watch
            )
        self.office = Office(parts.store, parts.clock, parts.chance, parts.code_key, passcodes, parts.aside)
        self.devices = Devices(parts.store, parts.clock, parts.chance, parts.code_key)
        self._attendance = Attendance(parts)
        self.recovery = Recovery(parts, self._payments, self._refunds, Notices(parts, self._directory))

    async def credential(self, dialect: str, login: str) -> Credential:
        """The credential to check a request's signature with. Raises UnknownCredential."""
        return await self._directory.credential(dialect, login)

    def forget(self, credential: Credential) -> None:
        """The credential was changed here, or speaks for one more merchant: it counts from now on. Other processes hear
        of it within seconds."""
        self._directory.forget(credential.dialect, credential.login)

    def till(self, credential: Credential, number: str = "") -> GatewayTill:
        """The till of the merchant that this credential calls `number`. Raises ForeignMerchant."""
        merchant_id = credential.merchant_id(number)
        return GatewayTill(merchant_id, credential, self._payments, self._refunds)

    async def merchant(self, credential: Credential, number: str = "") -> Merchant:
        """The merchant that this credential calls `number`, as remembered for a few seconds. Raises ForeignMerchant,
        and MerchantInactive when it may not take money."""
        return await self._directory.merchant(credential.merchant_id(number))

    def wallets(self, merchant: Merchant) -> tuple[Wallet, ...]:
        """The wallets that this merchant has a channel for."""
        return tuple(wallet for wallet in Wallet if self._parts.has_channel(merchant, wallet))

    def seen(self, credential: Credential, peer: str) -> None:
        """This credential was just used from this address, with a good signature. Noted now and then, not awaited."""
        self._attendance.mark(credential, peer)

    async def wallet_session(self, app_id: str, code: Secret) -> WalletSession:
        """Who opened a mini-program in WeChat. Raises InvalidPayCode, NotSupported."""
        channel = self._parts.channels.get(self._parts.default_channel)
        if channel is None:
            raise NotSupported
        return await channel.session(app_id, code)

    def fault(self, where: str, fault: Exception) -> None:
        """A bug of ours, caught by whoever listens for itself: a person is alarmed."""
        self._parts.watch.fault(where, fault)

    def now_ms(self) -> int:
        """The gateway's time, in milliseconds since 1970."""
        return self._parts.clock.now_ms()

    def nonce(self, length: int = 32) -> str:
        """Letters and digits that nobody can guess."""
        return self._parts.chance.token(length)
