"""Who is who: credentials and merchants, read from the store and remembered for a few seconds.

Every request needs both before its first query, so they are cached; a credential that is switched off or changed is
therefore obeyed at most `REMEMBERED_MS` later in each process.
"""

from __future__ import annotations

from typing import Final

from anytill.core.errors import MerchantInactive, UnknownCredential
from anytill.core.merchant import Credential, Merchant, MerchantState
from anytill.ports import Clock, Store

REMEMBERED_MS: Final = 5_000
#: Logins are the caller's to invent: what is remembered of them is bounded.
_MOST: Final = 10_000


class Directory:
    """Credentials and merchants by their names."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._credentials: dict[tuple[str, str], tuple[int, Credential]] = {}
        self._merchants: dict[str, tuple[int, Merchant]] = {}
        self._forgotten = 0

    def forget(self, dialect: str, login: str) -> None:
        """This process changed the credential: it is read anew, by whoever is at it just now as well."""
        self._forgotten += 1
        self._credentials.pop((dialect, login), None)

    async def credential(self, dialect: str, login: str) -> Credential:
        """A credential that is on. Raises UnknownCredential; unknown logins are not remembered."""
        now = self._clock.now_ms()
        found = self._credentials.get((dialect, login))
        if found is not None and now - found[0] < REMEMBERED_MS:
            return found[1]
        forgotten = self._forgotten
        credential = await self._store.credential(dialect, login)
        if credential is not None:
            credential = credential.at(now)
        if credential is None or not credential.active:
            self._credentials.pop((dialect, login), None)
            raise UnknownCredential
        if len(self._credentials) >= _MOST:
            self._credentials.clear()
        # What was read while somebody changed it may be what it was before.
        if forgotten == self._forgotten:
            self._credentials[dialect, login] = (now, credential)
        return credential

    async def merchant(self, merchant_id: str) -> Merchant:
        """A merchant that may take money. Raises MerchantInactive."""
        now = self._clock.now_ms()
        found = self._merchants.get(merchant_id)
        if found is not None and now - found[0] < REMEMBERED_MS:
            return found[1]
        merchant = await self._store.merchant(merchant_id)
        if merchant is None or merchant.state is not MerchantState.ON:
            self._merchants.pop(merchant_id, None)
            raise MerchantInactive
        if len(self._merchants) >= _MOST:
            self._merchants.clear()
        self._merchants[merchant_id] = (now, merchant)
        return merchant
