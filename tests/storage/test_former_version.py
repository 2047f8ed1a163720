"""A database of the former version, made by the first migration alone, is brought up to date with all it holds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from anytill.core.device import Device, OneTimeCode, Sighting
from anytill.core.merchant import Agent, Credential, Merchant, MerchantState
from anytill.core.secret import Secret
from anytill.core.wallet import Wallet
from anytill.ports import DueKind
from anytill.storage import WrongSchema, open_to_keep, schema
from anytill.storage.queries import EngineName
from tests.storage.conftest import VAULT, Database
from tests.storage.samples import NOW, SHOP, a_notice, a_payment, a_refund, fetched, paid
from tests.storage.test_register_contract import an_act, use_up

pytestmark = pytest.mark.anyio

#: What was released is never edited, not even a comment: databases remember the text they were made by.
CHECKSUMS = {
    1: {
        "sqlite": "d81320e5e35f8d86118625d49a8a44408bf96d73aa1f36d99baaf3b94a56d8f1",
        "postgres": "95c2ebd23740bf435ead022e7929c17580b45d3049024975b0f7256098fdd17f",
    },
    2: {
        "sqlite": "e9483c9ef2196e9d834eee142fe7310eff51f1f66e24cd6f476daceb7606d5be",
        "postgres": "1063ce4e75f6a2dae6ff25a97a54ac72207a408fcf45b4b4826bd6445142ef3c",
    },
}

ROWS = Path(__file__).with_name("former_version.sql")


@pytest.fixture(params=["sqlite", "postgres"])
async def former(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    """A database of the former version, in use."""
    if request.param == "sqlite":
        database = Database(f"sqlite:///{tmp_path}/store.db", group_commit=True)
    else:
        database = Database(request.getfixturevalue("shared_postgres"), group_commit=True)
        await database.meddle("DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    first = schema.migrations(request.param)[0]
    record = "INSERT INTO migration VALUES (1, 'initial', 'checksum')".replace("checksum", CHECKSUMS[1][request.param])
    await database.meddle(schema.register(), first.sql, record, ROWS.read_text(encoding="utf-8"))
    return database


@pytest.fixture(params=["sqlite", "postgres"])
async def second(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    """A database of the second version, with keys and devices."""
    database = Database(f"sqlite:///{tmp_path}/store.db", group_commit=True)
    if request.param == "postgres":
        database = Database(request.getfixturevalue("shared_postgres"), group_commit=True)
        await database.meddle("DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    first, then = schema.migrations(request.param)[:2]
    record = "INSERT INTO migration VALUES (number, 'name', 'checksum')"
    await database.meddle(
        schema.register(),
        first.sql,
        ROWS.read_text(encoding="utf-8"),
        then.sql,
        *(record.replace("number", str(n)).replace("checksum", CHECKSUMS[n][request.param]) for n in (1, 2)),
        "INSERT INTO device VALUES ('yst', 'desk1', 'm1', '{\"name\": \"desk 1\", \"active\": true}')",
    )
    return database


async def test_keys_and_devices_of_the_second_version_have_versions_afterwards(second: Database) -> None:
    store = await second.open()
    key, device = await store.credential("chaoying", "agent"), await store.device("yst", "desk1")
    assert key
    assert device == Device("yst", "desk1", "m1", "desk 1")
    assert (key.version, device.version) == (1, 1)
    assert await store.move_credential(replace(key, active=False), an_act(1))
    assert await store.move_device(replace(device, active=False), None, an_act(2))
    assert not await store.move_device(device, None, an_act(3))
    await store.close()


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
@pytest.mark.parametrize("number", [1, 2])
def test_a_migration_is_as_it_was_released(engine: EngineName, number: int) -> None:
    assert schema.migrations(engine)[number - 1].checksum == CHECKSUMS[number][engine]


async def test_all_rows_are_there_after_the_migration(former: Database) -> None:
    store = await former.open()
    channels = {"": "sandbox", Wallet.ALIPAY: "other"}
    shop = Merchant(SHOP, "咖啡店", "咖", MerchantState.WAITING, 5_000, channels)
    assert await store.merchants(10) == [shop, Merchant("1002", "x", max_amount_fen=1)]
    agent = Credential("chaoying", "agent", Secret("key"), {"7": SHOP}, Secret("old"), True, {"a": "b"})
    assert await store.credential("chaoying", "agent") == agent

    payment, sale = paid(a_payment())
    payment = replace(payment, reserved_fen=100, version=2)
    assert await fetched(store, payment) == payment
    assert await store.payment_of_code(SHOP, "code 1") == payment
    assert await store.postings_of(SHOP, payment.payment_id) == [sale]
    assert await store.refunds_of(SHOP, payment.payment_id) == [a_refund(payment)]
    assert await store.notices_of(SHOP, payment.payment_id) == [a_notice(payment, receiver="shop.example")]
    assert await store.next_due_ms(DueKind.REFUND) == NOW + 5_000
    assert await store.take_node(98, 1_000) == 1, "another process still holds node 0"
    assert await store.audit() == []
    await store.close()


async def test_older_rows_can_be_changed_as_any(former: Database) -> None:
    store = await former.open()
    shop = await store.merchant(SHOP)
    assert shop
    known = replace(shop, agent_id="agent", mobile="138", username="cafe", details={"a": "b"}, trade_code="t")
    assert await store.move_merchant(shop, known, an_act())
    assert await store.merchant_by_mobile("agent", "138") == replace(known, version=1)
    agent = await store.credential("chaoying", "agent")
    assert agent
    await store.put_credential(replace(agent, password=Secret("pass"), previous_until_ms=NOW))
    assert await store.credential("chaoying", "agent") == replace(agent, password=Secret("pass"), previous_until_ms=NOW)
    assert await store.agents() == []
    await store.put_agent(Agent("agent", "name"))
    await store.saw(Sighting("chaoying", "agent", NOW, "192.0.2.1"))
    assert await store.put_code(OneTimeCode("p", "h", "d", NOW, None))
    await store.close()
    store = await former.open()
    assert await store.merchant(SHOP) == replace(known, version=1)
    assert await use_up(store, "p", "d", NOW) == "h"
    await store.close()


async def test_a_former_version_is_not_kept_before_its_gateway_has_migrated_it(former: Database) -> None:
    with pytest.raises(WrongSchema, match="of an older version"):
        await open_to_keep(former.url, VAULT)
    await (await former.open()).close()
    keeper = await open_to_keep(former.url, VAULT)
    assert len(await keeper.merchants(10)) == 2
    await keeper.close()
