"""Who is who in a demo, at its first start and at every other."""

from __future__ import annotations

from dataclasses import replace

import pytest

from anytill.bootstrap.demo import (
    DEMO_MERCHANT,
    DEMO_MERCHANT_HK,
    DEMO_MERCHANTS,
    DEMO_MOBILE,
    DEMO_PASSWORD,
    DEMO_USERNAME,
)
from anytill.core.merchant import Merchant, MerchantState
from anytill.core.secret import Secret
from anytill.dialects import Dialect, Login, load_dialects
from tests.world import World

pytestmark = pytest.mark.anyio

DIALECTS = load_dialects().values()
FETCHED = [dialect for dialect in DIALECTS if dialect.sandbox.activation_code]


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: str(dialect.name))
async def test_the_published_credential_is_there_with_all_that_belongs_to_it(world: World, dialect: Dialect) -> None:
    access = dialect.sandbox
    credential = await world.store.credential(dialect.name, access.login)
    assert credential is not None
    assert credential.secret == Secret(access.secret)
    assert credential.password == (Secret(access.password) if access.password else None)
    assert credential.options == access.options
    merchant = DEMO_MERCHANTS[access.currency]
    assert credential.merchants == {access.number: merchant.merchant_id}
    known = await world.store.merchant(merchant.merchant_id)
    assert known is not None
    assert known.currency == access.currency
    device = await world.store.device(dialect.name, access.login)
    assert (device is not None) == (dialect.signs is Login.DEVICE)
    agents = [agent.agent_id for agent in await world.store.agents()]
    assert (access.login in agents) == (dialect.signs is Login.AGENT)


@pytest.mark.parametrize("dialect", FETCHED, ids=lambda dialect: str(dialect.name))
async def test_a_published_code_works_once_at_each_start(world: World, dialect: Dialect) -> None:
    access = dialect.sandbox
    for _ in range(2):
        issued = await world.gateway.devices.activate(dialect.name, access.activation_code, "127.0.0.1")
        assert issued is not None
        assert (issued.device.device_id, issued.credential.secret) == (access.login, Secret(access.secret))
        assert await world.gateway.devices.activate(dialect.name, access.activation_code, "127.0.0.1") is None
        await world.restart()


async def test_the_merchant_can_be_found_by_its_person(world: World) -> None:
    agent = load_dialects()["chaoying"].sandbox.login
    office = world.gateway.office
    found = await office.merchant_by_password(agent, DEMO_USERNAME, DEMO_PASSWORD)
    assert found is not None
    assert found.merchant_id == DEMO_MERCHANT.merchant_id
    assert await office.merchant_by_password(agent, DEMO_USERNAME, f"{DEMO_PASSWORD}x") is None
    assert office.send_passcode(agent, DEMO_MOBILE)
    await world.work()
    (message,) = world.outbox.to(DEMO_MOBILE)
    code = message.text.removeprefix("验证码")[:6]
    assert await office.merchant_by_passcode(agent, DEMO_MOBILE, code) == found


async def test_what_is_published_holds_again_after_a_restart_and_what_people_did_stays(world: World) -> None:
    agent = await world.credential("chaoying")
    number = await world.gateway.office.enrol(agent, Merchant("", "二号店"), "chaoying:demo")
    assert number is not None
    before = await world.gateway.office.merchant(DEMO_MERCHANT.merchant_id)
    after = replace(before, state=MerchantState.OFF, name="x", username="", details={"a": "b"})
    assert await world.store.move_merchant(before, after)
    device = await world.gateway.devices.device("yst", load_dialects()["yst"].sandbox.login)
    await world.store.put_device(replace(device, activated_at_ms=7))
    await world.gateway.devices.switch_device(device, on=False, actor="cli:ann")
    await world.restart()
    now = await world.gateway.office.merchant(DEMO_MERCHANT.merchant_id)
    assert now == replace(before, details={"a": "b"}, version=now.version)
    assert set((await world.credential("chaoying")).merchants) == {*agent.merchants, number}
    device = await world.gateway.devices.device("yst", device.device_id)
    assert (device.active, device.activated_at_ms) == (True, 7)
    assert (await world.credential("yst")).active
    await world.restart()
    assert await world.gateway.office.merchant(DEMO_MERCHANT.merchant_id) == now, "nothing changed, nothing written"


async def test_the_merchant_of_hong_kong_keeps_its_own_currency_and_belongs_to_nobody(world: World) -> None:
    known = await world.store.merchant(DEMO_MERCHANT_HK.merchant_id)
    assert known == DEMO_MERCHANT_HK
    assert (known.currency, known.agent_id, known.mobile, known.password_hash) == ("HKD", "", "", "")
