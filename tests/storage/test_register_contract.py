"""What ports.Register promises, on both databases, with writes grouped and one by one."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anytill.core.device import Act, Device, OneTimeCode, Operator, Shop, Sighting
from anytill.core.merchant import Agent, Credential, CredentialSummary, Merchant, MerchantState
from anytill.core.money import MAX_AMOUNT_FEN
from anytill.core.secret import Secret
from anytill.core.wallet import Wallet
from anytill.ports import Register
from anytill.storage import SqlStore
from anytill.storage.writes import Rejected, Taken
from tests.storage.conftest import Database
from tests.storage.samples import NOW, a_payment, column_texts, counts, mappings, maybe_moments, moments, texts

pytestmark = pytest.mark.anyio

MERCHANT = Merchant("m1", "咖啡店", agent_id="agent", mobile="13800000000", username="cafe")
AGENT_KEY = Credential("chaoying", "agent", Secret("key"), {"10000001": "m1"})
DEVICE = Device("semoor", "16850000000000017", "m1", "till 7", "s1", details={"model": "S1"})
DEVICE_KEY = Credential("semoor", DEVICE.device_id, Secret("device key"), {"": "m1"})
CODE = OneTimeCode("activation", "semoor/7", "digest 1", NOW, NOW + 1_000, tries_left=3)
_numbers = itertools.count(1)


def an_act(number: int = 1, merchant_id: str = "m1", **changes: Any) -> Act:
    act = Act(f"1{number:019d}", NOW, "cli:root", "merchant.add", "m1", merchant_id, {"name": "咖啡店"})
    return replace(act, **changes)


async def use_up(store: SqlStore, purpose: str, digest: str, now_ms: int) -> str | None:
    """Use up a code whose holder is not known: its holder, None when that does not go."""
    holder = await store.code_holder(purpose, digest, now_ms)
    used = holder is not None and await store.use_code(purpose, digest, now_ms, holder)
    return holder if used else None


async def test_the_store_has_the_shape_of_the_port(store: SqlStore) -> None:
    port: Register = store
    assert port is store


# Merchants


async def test_a_merchant_is_replaced_whatever_version_is_there(store: SqlStore) -> None:
    assert await store.merchant("m1") is None
    await store.put_merchant(replace(MERCHANT, version=7))
    assert await store.merchant("m1") == MERCHANT, "a new merchant starts at version 0"
    for version in (1, 2, 3):
        changed = replace(MERCHANT, name=f"name {version}", state=MerchantState.OFF, mobile="", agent_id="")
        await store.put_merchant(changed)
        assert await store.merchant("m1") == replace(changed, version=version)


async def test_a_merchant_moves_once_from_each_version(store: SqlStore) -> None:
    await store.put_merchant(MERCHANT)
    after = replace(MERCHANT, name="renamed", mobile="139", username="x", details={"a": "b"}, state=MerchantState.OFF)
    assert await store.move_merchant(MERCHANT, after, an_act(1))
    assert await store.merchant("m1") == replace(after, version=1)
    assert not await store.move_merchant(MERCHANT, replace(MERCHANT, name="late"), an_act(2))
    assert await store.merchant("m1") == replace(after, version=1)
    assert await store.acts(10) == [an_act(1)], "what was not done is not told"


async def test_a_merchant_with_payments_keeps_its_currency(store: SqlStore) -> None:
    await store.put_merchant(MERCHANT)
    assert not await store.has_payments("m1")
    in_hkd = replace(MERCHANT, currency="HKD", version=1)
    assert await store.move_merchant(MERCHANT, in_hkd)
    assert await store.merchant("m1") == in_hkd
    assert await store.add_payment(a_payment(merchant_id="m1", currency="HKD"))
    assert await store.has_payments("m1")
    assert not await store.has_payments("m2")
    assert not await store.move_merchant(in_hkd, replace(in_hkd, currency="CNY"), an_act())
    assert await store.acts(10) == []
    assert await store.move_merchant(in_hkd, replace(in_hkd, name="renamed"))
    assert await store.audit() == []
    await store.put_merchant(replace(in_hkd, currency="CNY"))
    (told,) = await store.audit()
    assert told.endswith("is in HKD, its merchant keeps CNY")
    await store.put_merchant(in_hkd)


async def test_a_merchant_that_is_not_there_does_not_move(store: SqlStore) -> None:
    assert not await store.move_merchant(MERCHANT, MERCHANT, an_act())
    assert await store.merchant("m1") is None
    assert await store.acts(10) == []
    with pytest.raises(ValueError, match="cannot change merchant_id"):
        await store.move_merchant(MERCHANT, replace(MERCHANT, merchant_id="m2"))


@pytest.mark.parametrize("taken", [{"mobile": "13800000000"}, {"username": "cafe"}])
async def test_an_agent_knows_a_mobile_and_a_username_of_one_merchant(store: SqlStore, taken: dict[str, Any]) -> None:
    await store.put_merchant(MERCHANT)
    other = Merchant("m2", "other", agent_id="agent", mobile="137", username="tea")
    await store.put_merchant(other)
    assert not await store.move_merchant(other, replace(other, name="x", **taken), an_act())
    assert await store.merchant("m2") == other
    assert await store.acts(10) == []
    with pytest.raises(Taken):
        await store.put_merchant(replace(other, **taken), an_act())
    assert await store.merchant("m2") == other
    assert await store.acts(10) == []
    # Another agent may know somebody by the same; and who is known by none collides with nobody.
    assert await store.move_merchant(other, replace(other, agent_id="another", **taken))
    for number in (3, 4):
        await store.put_merchant(Merchant(f"m{number}", "nobody", agent_id="agent"))
    # What was given up is free.
    assert await store.move_merchant(MERCHANT, replace(MERCHANT, mobile="", username=""))
    await store.put_merchant(Merchant("m5", "five", agent_id="agent", **taken))


async def test_a_merchant_is_found_by_what_its_agent_knows(store: SqlStore) -> None:
    await store.put_merchant(MERCHANT)
    same = Merchant("m2", "other", agent_id="another", mobile=MERCHANT.mobile, username=MERCHANT.username)
    await store.put_merchant(same)
    await store.put_merchant(Merchant("m3", "nobody", agent_id="agent"))
    assert await store.merchant_by_mobile("agent", "13800000000") == MERCHANT
    assert await store.merchant_by_mobile("another", "13800000000") == same
    assert await store.merchant_by_username("agent", "cafe") == MERCHANT
    assert await store.merchant_by_username("another", "cafe") == same
    for agent_id, text in (("agent", ""), ("agent", "x"), ("", "13800000000"), ("", "cafe"), ("", "")):
        assert await store.merchant_by_mobile(agent_id, text) is None
        assert await store.merchant_by_username(agent_id, text) is None
    assert await store.merchant_by_mobile("agent", "cafe") is None


async def test_merchants_come_by_id(store: SqlStore) -> None:
    assert await store.merchants(10) == []
    some = [Merchant(f"m{number}", f"name {number}") for number in (3, 1, 2)]
    for merchant in some:
        await store.put_merchant(merchant)
    assert [merchant.merchant_id for merchant in await store.merchants(10)] == ["m1", "m2", "m3"]
    assert await store.merchants(2) == [some[1], some[2]]


async def test_an_enrolled_merchant_is_spoken_for_at_once(store: SqlStore) -> None:
    await store.put_credential(replace(AGENT_KEY, merchants={"1": "old"}))
    assert await store.enrol_merchant(MERCHANT, "chaoying", "agent", "10000001", an_act())
    assert await store.merchant("m1") == MERCHANT
    found = await store.credential("chaoying", "agent")
    assert found
    assert found.merchants == {"1": "old", "10000001": "m1"}
    assert await store.acts(10) == [an_act()]


@pytest.mark.parametrize(
    ("changes", "number"),
    [
        ({"merchant_id": "m1"}, "10000002"),
        ({"mobile": "13800000000"}, "10000002"),
        ({"username": "cafe"}, "10000002"),
        ({}, "10000001"),
    ],
)
async def test_an_enrolment_is_whole_or_not_at_all(store: SqlStore, changes: dict[str, Any], number: str) -> None:
    await store.put_merchant(MERCHANT)
    await store.put_credential(AGENT_KEY)
    new = replace(Merchant("m2", "new", agent_id="agent", mobile="137", username="tea"), **changes)
    assert not await store.enrol_merchant(new, "chaoying", "agent", number, an_act())
    assert await store.merchants(10) == [MERCHANT]
    assert await store.credential("chaoying", "agent") == AGENT_KEY
    assert await store.acts(10) == []


async def test_nobody_is_enrolled_for_a_credential_that_is_not_there(store: SqlStore) -> None:
    with pytest.raises(Rejected):
        await store.enrol_merchant(MERCHANT, "chaoying", "nobody", "10000001", an_act())
    assert await store.merchants(10) == []
    assert await store.acts(10) == []


# Credentials


async def test_a_credential_keeps_its_password_and_the_end_of_its_former_key(store: SqlStore) -> None:
    full = replace(
        AGENT_KEY, previous=Secret("old"), previous_until_ms=NOW, password=Secret("pass"), options={"a": "b"}
    )
    await store.put_credential(full, an_act(1))
    assert await store.credential("chaoying", "agent") == full
    await store.put_credential(AGENT_KEY, an_act(2))
    assert await store.credential("chaoying", "agent") == AGENT_KEY
    await store.put_credential(replace(AGENT_KEY, merchants={"2": "m2"}))
    known = await store.credential("chaoying", "agent")
    assert known
    assert known.merchants == {**AGENT_KEY.merchants, "2": "m2"}, "none is taken out with it"
    assert await store.acts(10) == [an_act(2), an_act(1)]


@pytest.mark.parametrize(
    "swap",
    [
        "SET secret = password WHERE login = 'agent'",
        "SET password = secret WHERE login = 'agent'",
        "SET previous = password WHERE login = 'agent'",
        "SET password = (SELECT password FROM credential AS other WHERE other.login = 'x') WHERE login = 'agent'",
        "SET secret = (SELECT secret FROM credential AS other WHERE other.login = 'x') WHERE login = 'agent'",
    ],
)
async def test_a_key_and_a_password_cannot_change_places(store: SqlStore, database: Database, swap: str) -> None:
    for login in ("agent", "x"):
        await store.put_credential(replace(AGENT_KEY, login=login, merchants={}, password=Secret("key")))
    assert await store.credential("chaoying", "agent")
    await database.meddle(f"UPDATE credential {swap}")
    with pytest.raises(Exception, match="of another credential"):
        await store.credential("chaoying", "agent")


async def test_credentials_are_listed_without_their_secrets(store: SqlStore, database: Database) -> None:
    assert await store.credentials() == []
    until = replace(DEVICE_KEY, previous=Secret("old"), previous_until_ms=NOW, active=False)
    agent = replace(AGENT_KEY, merchants={"1": "m1", "2": "m2"})
    nobody = Credential("chaoying", "nobody", Secret("s"), {})
    for credential in (until, nobody, agent):
        await store.put_credential(credential)
    agents = CredentialSummary("chaoying", "agent", True, {"1": "m1", "2": "m2"}, False, None)
    devices = CredentialSummary("semoor", DEVICE.device_id, False, {"": "m1"}, True, NOW)
    nobodys = CredentialSummary("chaoying", "nobody", True, {}, False, None)
    # What cannot be opened can be listed.
    await database.meddle("UPDATE credential SET secret = 'x'")
    assert await store.credentials() == [agents, nobodys, devices]
    assert await store.credentials("m1") == [agents, devices]
    assert await store.credentials("m2") == [agents]
    assert await store.credentials("m3") == []


# Agents, shops, operators, devices


async def test_agents_shops_and_operators_are_written(store: SqlStore) -> None:
    assert await store.agents() == []
    assert await store.shops_of("m1") == []
    assert await store.operators_of("m1") == []
    for name in ("first", "then"):
        await store.put_agent(Agent("a2", name), an_act(1, "", subject=name, act_id=f"1{name}"))
    first = Operator("m1", "o2", "first", "shop", active=True)
    assert await store.add_shop(Shop("m1", "s2", "first"), an_act(act_id="2first"))
    assert await store.add_operator(first, an_act(act_id="3first"))
    then = Operator("m1", "o2", "then", "another shop", active=False)
    assert await store.move_operator(first, then, an_act(act_id="3then"))
    assert await store.agents() == [Agent("a2", "then")]
    assert await store.shops_of("m1") == [Shop("m1", "s2", "first")]
    assert await store.operators_of("m1") == [then]
    await store.put_agent(Agent("a1", ""))
    for number, shop in enumerate([Shop("m1", "s1", ""), Shop("m2", "s1", "another's")]):
        assert await store.add_shop(shop, an_act(act_id=f"4{number}"))
    for number, operator in enumerate([Operator("m1", "o1", ""), Operator("m2", "o1", "another's")]):
        assert await store.add_operator(operator, an_act(act_id=f"5{number}"))
    assert [agent.agent_id for agent in await store.agents()] == ["a1", "a2"]
    assert [shop.shop_id for shop in await store.shops_of("m1")] == ["s1", "s2"]
    assert [operator.operator_id for operator in await store.operators_of("m1")] == ["o1", "o2"]
    assert await store.shops_of("m2") == [Shop("m2", "s1", "another's")]
    assert await store.operators_of("m2") == [Operator("m2", "o1", "another's")]
    told = [act.act_id for act in await store.acts(10)]
    assert told == ["51", "50", "41", "40", "3then", "3first", "2first", "1then", "1first"]


async def test_a_device_is_written_with_its_key(store: SqlStore) -> None:
    assert await store.device("semoor", DEVICE.device_id) is None
    await store.put_device(DEVICE, DEVICE_KEY, an_act(1))
    assert await store.device("semoor", DEVICE.device_id) == DEVICE
    assert await store.credential("semoor", DEVICE.device_id) == DEVICE_KEY
    moved = replace(DEVICE, merchant_id="m2", shop_id="", active=False, activated_at_ms=NOW)
    await store.put_device(moved, None, an_act(2))
    assert await store.device("semoor", DEVICE.device_id) == moved
    assert await store.credential("semoor", DEVICE.device_id) == DEVICE_KEY, "left as it was"
    assert await store.device("yst", DEVICE.device_id) is None
    assert await store.acts(10) == [an_act(2), an_act(1)]


async def test_devices_come_by_dialect_and_number(store: SqlStore) -> None:
    named = [("yst", "1", "m1"), ("semoor", "2", "m2"), ("semoor", "1", "m1")]
    devices = [Device(dialect, number, merchant_id) for dialect, number, merchant_id in named]
    for device in devices:
        await store.put_device(device)
    assert await store.devices() == devices[::-1]
    assert await store.devices("m1") == [devices[2], devices[0]]
    assert await store.devices("m3") == []


# Sightings and acts


async def test_the_latest_sighting_counts(store: SqlStore) -> None:
    assert await store.sightings() == []
    await store.saw(Sighting("yst", "x", NOW, "192.0.2.1"))
    await store.saw(Sighting("yst", "x", NOW + 5, "192.0.2.2"))
    await store.saw(Sighting("yst", "x", NOW + 1, "192.0.2.3"))
    await store.saw(Sighting("semoor", "x", NOW, "192.0.2.2"))
    await store.saw(Sighting("semoor", "w", NOW + 9, "192.0.2.2"))
    w, x, yst = (
        Sighting(d, n, NOW + at, "192.0.2.2") for d, n, at in (("semoor", "w", 9), ("semoor", "x", 0), ("yst", "x", 5))
    )
    assert await store.sightings() == [w, x, yst]
    assert await store.seen_at("192.0.2.2", 0) == [w, yst, x]
    assert await store.seen_at("192.0.2.2", NOW + 5) == [w, yst]
    assert await store.seen_at("192.0.2.2", NOW + 10) == []
    assert await store.seen_at("192.0.2.1", 0) == []
    await store.saw(Sighting("yst", "x", NOW + 5, "192.0.2.9"))
    assert [seen.login for seen in await store.seen_at("192.0.2.9", 0)] == ["x"], "of one moment the last told counts"


async def test_acts_come_newest_first(store: SqlStore) -> None:
    acts = [
        an_act(1, at_ms=NOW + 1),
        an_act(2, "m2", at_ms=NOW),
        an_act(3, "", at_ms=NOW + 2),
        an_act(4, at_ms=NOW + 1),
    ]
    for number, act in enumerate(acts):
        await store.put_agent(Agent(f"a{number}", ""), act)
    assert await store.acts(10) == [acts[2], acts[3], acts[0], acts[1]]
    assert await store.acts(2) == [acts[2], acts[3]]
    assert await store.acts(10, "m1") == [acts[3], acts[0]]
    assert await store.acts(1, "m1") == [acts[3]]
    assert await store.acts(10, "m3") == []


async def test_a_write_whose_act_cannot_be_told_is_not_made(store: SqlStore) -> None:
    await store.put_merchant(MERCHANT)
    await store.put_credential(AGENT_KEY, an_act())
    for changed in (an_act(actor="another"), an_act(at_ms=NOW + 1), an_act()):
        for write in (
            store.put_merchant(replace(MERCHANT, name="x"), changed),
            store.add_merchant(Merchant("m2", ""), changed),
            store.move_merchant(MERCHANT, replace(MERCHANT, name="x"), changed),
            store.enrol_merchant(Merchant("m2", ""), "chaoying", "agent", "2", changed),
            store.put_credential(replace(AGENT_KEY, active=False), changed),
            store.add_credential(replace(AGENT_KEY, login="x"), changed),
            store.move_credential(replace(AGENT_KEY, active=False, version=1), changed),
            store.put_agent(Agent("a", ""), changed),
            store.add_agent(Agent("a", ""), None, changed),
            store.add_shop(Shop("m1", "s", ""), changed),
            store.add_operator(Operator("m1", "o", ""), changed),
            store.put_device(DEVICE, DEVICE_KEY, changed),
            store.add_device(DEVICE, DEVICE_KEY, changed),
            store.put_code(CODE, changed),
        ):
            with pytest.raises(Rejected, match="act"):
                await write
    assert await store.merchants(10) == [MERCHANT]
    assert await store.credential("chaoying", "agent") == AGENT_KEY
    assert await store.credential("chaoying", "x") is None
    assert [await store.agents(), await store.shops_of("m1"), await store.operators_of("m1")] == [[], [], []]
    assert await store.devices() == []
    assert await store.credential("semoor", DEVICE.device_id) is None
    assert await use_up(store, "activation", "digest 1", NOW) is None
    assert await store.acts(10) == [an_act()]


@pytest.mark.parametrize("statement", ["UPDATE act SET about = '{}'", "DELETE FROM act"])
async def test_acts_cannot_be_changed_by_anybody(store: SqlStore, database: Database, statement: str) -> None:
    await store.put_agent(Agent("a", ""), an_act())
    with pytest.raises(Exception, match="acts are only ever added"):
        await database.meddle(statement)
    assert await store.acts(10) == [an_act()]


async def test_what_cannot_be_stored_is_rejected(store: SqlStore) -> None:
    for write in (
        store.put_agent(Agent("\ud800", "")),
        store.put_agent(Agent("a", "\ud800")),
        store.put_merchant(replace(MERCHANT, mobile="\ud800")),
        store.move_merchant(MERCHANT, replace(MERCHANT, trade_code="\ud800")),
        store.put_device(DEVICE, replace(DEVICE_KEY, merchants={"": "\ud800"})),
    ):
        with pytest.raises(Rejected):
            await write
    assert await store.devices() == []
    await store.put_agent(Agent("a", "name"))
    assert await store.agents() == [Agent("a", "name")]


# The register's own life


async def test_who_is_who_is_there_after_a_restart(database: Database) -> None:
    store = await database.open()
    await store.put_merchant(MERCHANT, an_act())
    await store.put_device(DEVICE, replace(DEVICE_KEY, password=Secret("pass")))
    assert await store.put_code(CODE)
    await store.saw(Sighting("yst", "x", NOW, "192.0.2.1"))
    await store.close()

    store = await database.open()
    assert await store.merchant("m1") == MERCHANT
    assert await store.devices() == [DEVICE]
    assert await store.credential("semoor", DEVICE.device_id) == replace(DEVICE_KEY, password=Secret("pass"))
    assert await use_up(store, "activation", "digest 1", NOW) == "semoor/7"
    assert await store.sightings() == [Sighting("yst", "x", NOW, "192.0.2.1")]
    assert await store.acts(10) == [an_act()]
    await store.close()


merchants = st.builds(
    Merchant,
    merchant_id=column_texts,
    name=texts,
    short_name=texts,
    state=st.sampled_from(MerchantState),
    max_amount_fen=st.integers(1, MAX_AMOUNT_FEN),
    channels=st.dictionaries(st.sampled_from(["", *Wallet]), texts),
    agent_id=column_texts,
    trade_code=texts,
    mobile=column_texts,
    username=column_texts,
    password_hash=texts,
    details=mappings,
)
secret_texts = st.builds(Secret, texts)
credentials = st.builds(
    Credential,
    dialect=column_texts,
    login=column_texts,
    secret=secret_texts,
    merchants=st.dictionaries(st.just("") | column_texts, column_texts, max_size=3),
    previous=st.none() | secret_texts,
    active=st.booleans(),
    options=mappings,
    password=st.none() | secret_texts,
    previous_until_ms=maybe_moments,
)
acts = st.builds(
    Act,
    act_id=column_texts,
    at_ms=moments,
    actor=texts,
    what=texts,
    subject=texts,
    merchant_id=column_texts,
    about=mappings,
)
devices = st.builds(
    Device,
    dialect=column_texts,
    device_id=column_texts,
    merchant_id=column_texts,
    name=texts,
    shop_id=texts,
    active=st.booleans(),
    enrolled_at_ms=moments,
    activated_at_ms=maybe_moments,
    details=mappings,
)
codes = st.builds(
    OneTimeCode,
    purpose=column_texts,
    holder=column_texts,
    digest=column_texts,
    made_at_ms=moments,
    expires_at_ms=maybe_moments,
    tries_left=counts,
)


# Hypothesis gives the same store one record after another; a made-up agent and purpose keep them apart.
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(merchant=merchants, moved=merchants, credential=credentials, act=acts, device=devices, code=codes, name=texts)
async def test_every_record_comes_back_as_it_went_in(
    store: SqlStore,
    merchant: Merchant,
    moved: Merchant,
    credential: Credential,
    act: Act,
    device: Device,
    code: OneTimeCode,
    name: str,
) -> None:
    own = f"own {next(_numbers)} "
    merchant = replace(merchant, merchant_id=own + merchant.merchant_id, agent_id=own)
    act = replace(act, merchant_id=merchant.merchant_id)
    await store.put_merchant(merchant, act)
    assert await store.merchant(merchant.merchant_id) == merchant
    assert await store.acts(2, merchant.merchant_id) == [act]
    moved = replace(moved, merchant_id=merchant.merchant_id, agent_id=own)
    assert await store.move_merchant(merchant, moved)
    assert await store.merchant_by_mobile(own, moved.mobile) == replace(moved, version=1)
    assert await store.merchant_by_username(own, moved.username) == replace(moved, version=1)

    credential = replace(credential, login=own + credential.login)
    await store.put_credential(credential)
    assert await store.credential(credential.dialect, credential.login) == credential
    device = replace(device, merchant_id=own)
    await store.put_device(device)
    assert await store.devices(own) == [device]
    operator = Operator(own, device.device_id, name, device.shop_id, device.active)
    assert await store.add_operator(operator, replace(act, act_id=f"{act.act_id}o"))
    assert await store.operators_of(own) == [operator]
    sighting = Sighting(own, credential.login, act.at_ms, own)
    await store.saw(sighting)
    assert await store.seen_at(own, act.at_ms) == [sighting]

    code = replace(code, purpose=own)
    assert await store.put_code(code)
    in_time = code.tries_left > 0 and (code.expires_at_ms is None or code.expires_at_ms > act.at_ms)
    assert await use_up(store, own, code.digest, act.at_ms) == (code.holder if in_time else None)
