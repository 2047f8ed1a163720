"""Who is who in a demo: one agent, a merchant for each currency, and the published credential of every dialect.

Written at each start over whatever was done to them, so that what is published always holds; what the demo's people
brought in themselves (merchants, devices, details) stays.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from anytill.core.device import Device, OneTimeCode
from anytill.core.merchant import Agent, Credential, Merchant, MerchantState
from anytill.core.money import HKD
from anytill.core.passwords import password_hash
from anytill.core.records import changed
from anytill.core.secret import Secret
from anytill.dialects import Dialect, Login, load_dialects
from anytill.gateway.codes import code_digest
from anytill.gateway.devices import ACTIVATION, device_holder
from anytill.ports import Store

DEMO_MERCHANT: Final = Merchant("demo", "演示商户 Demo Shop", "演示 Demo")
#: For the dialects of Hong Kong; it has no agent, and nobody logs in for it.
DEMO_MERCHANT_HK: Final = Merchant("demo-hk", "演示商户（香港）Demo Shop HK", "演示 Demo HK", currency=HKD)
DEMO_MERCHANTS: Final = {each.currency: each for each in (DEMO_MERCHANT, DEMO_MERCHANT_HK)}
DEMO_AGENT_NAME: Final = "演示代理商 Demo Agent"
DEMO_DEVICE_NAME: Final = "演示设备 Demo Device"
#: The person who answers for the demo's merchant. No message ever goes to this mobile: see `GET /sandbox/sms`.
DEMO_MOBILE: Final = "13800000000"
DEMO_USERNAME: Final = "demo"
DEMO_PASSWORD: Final = "demo0password"  # noqa: S105 - published on purpose


async def write_demo_directory(store: Store, code_key: bytes | None = None, now_ms: int = 0) -> None:
    """The demo's merchant and the published credential of every dialect. With the `code_key` of the gateway each
    published activation code is armed anew: it fetches its device's key once more."""
    dialects = load_dialects().values()
    agents = [dialect.sandbox.login for dialect in dialects if dialect.signs is Login.AGENT]
    await _write_merchants(store, agents)
    for dialect in dialects:
        await _write_credential(store, dialect)
        if code_key is not None and dialect.sandbox.activation_code:
            await store.put_code(_published_code(dialect, code_key, now_ms))
    for agent_id in agents:
        await store.put_agent(Agent(agent_id, DEMO_AGENT_NAME))


async def _write_merchants(store: Store, agents: list[str]) -> None:
    of_agent = changed(
        DEMO_MERCHANT,
        agent_id=agents[0] if agents else "",
        mobile=DEMO_MOBILE,
        username=DEMO_USERNAME,
        password_hash=_demo_password_hash(),
    )
    for told in (of_agent, DEMO_MERCHANT_HK):
        known = await store.merchant(told.merchant_id)
        merchant = changed(
            known or told,
            name=told.name,
            short_name=told.short_name,
            state=MerchantState.ON,
            agent_id=told.agent_id,
            mobile=told.mobile,
            username=told.username,
            password_hash=told.password_hash,
        )
        if merchant != known:
            await store.put_merchant(merchant)


async def _write_credential(store: Store, dialect: Dialect) -> None:
    access = dialect.sandbox
    merchant_id = DEMO_MERCHANTS[access.currency].merchant_id
    credential = Credential(
        dialect=dialect.name,
        login=access.login,
        secret=Secret(access.secret),
        merchants={access.number: merchant_id},
        options=access.options,
        password=Secret(access.password) if access.password else None,
    )
    if dialect.signs is not Login.DEVICE:
        await store.put_credential(credential)
        return
    device = await store.device(dialect.name, access.login)
    new = Device(dialect.name, access.login, merchant_id, DEMO_DEVICE_NAME)
    await store.put_device(changed(device or new, active=True), credential)


def _published_code(dialect: Dialect, code_key: bytes, now_ms: int) -> OneTimeCode:
    access = dialect.sandbox
    digest = code_digest(code_key, ACTIVATION, dialect.name, access.activation_code)
    return OneTimeCode(ACTIVATION, device_holder(dialect.name, access.login), digest, now_ms, None)


@cache
def _demo_password_hash() -> str:
    """Slow by design, so done once. Its salt is as public as the password."""
    return password_hash(DEMO_PASSWORD, DEMO_MERCHANT.merchant_id)
