"""The settings file at a start: it wins in what it says, what it does not say stays, and a key that was changed by
command is not put back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

import pytest

from anytill.bootstrap.directory import write_directory
from anytill.bootstrap.keys import sms_key
from anytill.config import SettingsError, read_settings
from anytill.core.device import Device
from anytill.core.lifecycle import PaymentState
from anytill.core.merchant import Agent, Credential, KeyShape, Merchant, MerchantState
from anytill.core.payment import Method, Payment
from anytill.core.retry import DAY, HOUR
from anytill.core.secret import Secret
from anytill.core.wallet import Wallet
from anytill.gateway import Devices, Office
from anytill.storage import SqlStore, Vault, open_store
from anytill.transports.clock import StandingClock
from tests.world import START_MS, CountingChance, RecordingWatch

pytestmark = pytest.mark.anyio

TOML = """
[channel.wallet]
kind = "sandbox"
book = "b"
[[merchant]]
id = "m1"
name = "一号店"
max_amount_fen = 500
[[credential]]
dialect = "chaoying"
login = "77000001"
secret_env = "AGENT"
merchants = { "1" = "m1" }
[[credential]]
dialect = "yst"
login = "desk1"
secret_env = "DESK"
password_env = "PASSWORD"
merchants = { "" = "m1" }
"""
OLD, NEW, NEWER = (Secret(f"a key of the tests {number:02d}") for number in range(3))


@dataclass
class Start:
    """A store, and gateways that start on it."""

    store: SqlStore
    monkeypatch: pytest.MonkeyPatch
    clock: StandingClock = field(default_factory=lambda: StandingClock(START_MS))
    watch: RecordingWatch = field(default_factory=RecordingWatch)

    def __post_init__(self) -> None:
        chance = CountingChance()
        self.office = Office(self.store, self.clock, chance, b"key", None)
        self.devices = Devices(self.store, self.clock, chance, b"key")
        for name, text in (("AGENT", OLD.reveal()), ("DESK", OLD.reveal()), ("PASSWORD", "desk")):
            self.monkeypatch.setenv(name, text)

    async def __call__(self, toml: str = TOML) -> None:
        settings = read_settings(toml, {})
        await write_directory(settings, self.store, self.office, self.watch, self.clock.now_ms())

    async def agent(self) -> Credential:
        found = await self.store.credential("chaoying", "77000001")
        assert found is not None
        return found

    async def merchant(self, merchant_id: str = "m1") -> Merchant:
        return await self.office.merchant(merchant_id)

    async def acts(self) -> list[tuple[str, str]]:
        return [(act.what, act.subject) for act in reversed(await self.store.acts(100))]


@pytest.fixture
async def start(store_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Start]:
    store = await open_store(store_url, vault=Vault(b"k" * 32))
    try:
        yield Start(store, monkeypatch)
    finally:
        await store.close()


async def test_a_first_start_writes_all_and_a_second_changes_nothing(start: Start) -> None:
    await start()
    written = await start.acts()
    assert written == [
        ("merchant.add", "m1"),
        ("agent.add", "77000001"),
        ("key.add", "77000001"),
        ("key.add", "desk1"),
        ("device.add", "desk1"),
    ]
    assert await start.merchant() == Merchant("m1", "一号店", max_amount_fen=500)
    assert await start.agent() == Credential("chaoying", "77000001", OLD, {"1": "m1"})
    desk = await start.store.credential("yst", "desk1")
    assert desk == Credential("yst", "desk1", OLD, {"": "m1"}, password=Secret("desk"))
    assert await start.store.device("yst", "desk1") == Device("yst", "desk1", "m1", enrolled_at_ms=START_MS)
    assert await start.store.agents() == [Agent("77000001", "77000001")]
    start.clock.advance(DAY)
    await start()
    assert await start.acts() == written
    assert (await start.merchant()).version == 0
    device = await start.devices.device("yst", "desk1")
    assert device.enrolled_at_ms == START_MS
    assert start.watch.alarms == []


async def test_what_was_changed_since_stays_unless_the_file_says_otherwise(start: Start) -> None:
    await start()
    changed = replace(
        await start.merchant(),
        name="renamed",
        short_name="short",
        state=MerchantState.OFF,
        max_amount_fen=100,
        mobile="13900000000",
        username="tea",
        password_hash="hash",
        details={"subscribe_appid": "wx1"},
    )
    await start.store.put_merchant(changed)
    known = await start.agent()
    await start.store.put_credential(replace(known, active=False, options={"appid": "wx2"}))
    await start()
    after = await start.merchant()
    assert after == replace(changed, name="一号店", max_amount_fen=500, version=after.version)
    assert await start.agent() == replace(known, active=False, options={"appid": "wx2"})
    await start(TOML.replace('login = "77000001"', 'login = "77000001"\nactive = true\noptions = {}'))
    assert await start.agent() == known
    assert (await start.acts())[5:] == [("merchant.set", "m1"), ("key.set", "77000001")]


async def test_merchants_that_an_agent_brought_in_are_still_its_own(start: Start) -> None:
    await start()
    number = await start.office.enrol(await start.agent(), Merchant("", "二号店"), "chaoying:77000001")
    assert number is not None
    await start()
    assert set((await start.agent()).merchants) == {"1", number}
    assert (await start.acts())[-1][0] == "merchant.enrol", "the start changed nothing, and tells of nothing"
    await start(TOML.replace("[[credential]]", '[[merchant]]\nid = "m2"\nname = "n"\n[[credential]]', 1))
    await start(TOML.replace('{ "1" = "m1" }', '{ "1" = "m2", "2" = "m1" }'))
    merchants = dict((await start.agent()).merchants)
    assert merchants.pop(number).startswith("chaoying.77000001.")
    assert merchants == {"1": "m2", "2": "m1"}
    assert (await start.acts())[-3:] == [("merchant.leave", "m1"), ("merchant.join", "m2"), ("merchant.join", "m1")]


async def test_the_file_brings_a_new_key_and_ends_the_old_one(start: Start) -> None:
    await start()
    start.monkeypatch.setenv("AGENT", NEW.reveal())
    start.monkeypatch.setenv("BEFORE", OLD.reveal())
    await start(TOML.replace('"AGENT"', '"AGENT"\nprevious_env = "BEFORE"', 1))
    assert ((await start.agent()).secret, (await start.agent()).previous) == (NEW, OLD)
    await start()
    assert ((await start.agent()).secret, (await start.agent()).previous) == (NEW, None)
    assert start.watch.alarms == []


@pytest.mark.parametrize("overlap_ms", [0, DAY])
async def test_a_key_that_was_changed_by_command_is_not_put_back(start: Start, overlap_ms: int) -> None:
    await start()
    await start.devices.rotate("chaoying", "77000001", KeyShape(32), "cli:ann", overlap_ms, secret=NEW)
    rotated = await start.agent()
    for passed in (HOUR, DAY, 100 * DAY):
        start.watch.alarms.clear()
        await start()
        assert await start.agent() == rotated
        assert start.watch.alarms == [("settings_key_ignored", {"dialect": "chaoying", "login": "77000001"})]
        start.clock.advance(passed)
    assert rotated.at(start.clock.now_ms()).previous is None


async def test_a_file_that_has_the_new_key_too_is_in_charge_again_after_the_overlap(start: Start) -> None:
    await start()
    await start.devices.rotate("chaoying", "77000001", KeyShape(32), "cli:ann", DAY, secret=NEW)
    start.monkeypatch.setenv("AGENT", NEW.reveal())
    await start()
    assert (await start.agent()).previous == OLD, "the overlap is not cut short"
    start.clock.advance(DAY)
    await start()
    start.monkeypatch.setenv("AGENT", NEWER.reveal())
    await start()
    assert await start.agent() == Credential("chaoying", "77000001", NEWER, {"1": "m1"})
    assert start.watch.alarms == []


async def test_a_key_that_is_changed_while_a_gateway_starts_is_not_put_back(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The start has read the credential; then somebody takes the stolen key away, and switches the other one off."""
    await start()
    look = start.store.credential
    changed: list[str] = []

    async def looked(dialect: str, login: str) -> Credential | None:
        found = await look(dialect, login)
        if login in ("77000001", "desk1") and login not in changed:
            changed.append(login)
            if login == "desk1":
                await start.devices.switch_device(Device("yst", "desk1", "m1"), on=False, actor="cli:ann")
            else:
                await start.devices.rotate("chaoying", login, KeyShape(32), "cli:ann", 0, secret=NEW)
        return found

    monkeypatch.setattr(start.store, "credential", looked)
    await start(TOML.replace('login = "77000001"', 'login = "77000001"\noptions = { appid = "wx1" }'))
    assert changed == ["77000001", "desk1"]
    agent = await start.agent()
    assert (agent.secret, agent.previous, agent.options) == (NEW, None, {"appid": "wx1"})
    desk = await start.store.credential("yst", "desk1")
    assert desk is not None
    assert not desk.active
    assert start.watch.alarms == [("settings_key_ignored", {"dialect": "chaoying", "login": "77000001"})]


async def test_a_merchant_that_is_changed_while_a_gateway_starts_keeps_the_change(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    await start()
    look = start.store.merchant
    changed: list[Merchant] = []

    async def looked(merchant_id: str) -> Merchant | None:
        found = await look(merchant_id)
        if found and not changed:
            changed.append(found)
            after = replace(found, state=MerchantState.OFF)
            assert await start.office.change_merchant(found, after, "cli:ann", "merchant.off")
        return found

    monkeypatch.setattr(start.store, "merchant", looked)
    await start(TOML.replace("一号店", "renamed"))
    merchant = await start.merchant()
    assert (merchant.name, merchant.state) == ("renamed", MerchantState.OFF)


async def test_what_never_keeps_still_does_not_start(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    await start()

    async def always_late(*_: object) -> bool:
        return False

    monkeypatch.setattr(start.store, "move_merchant", always_late)
    with pytest.raises(SettingsError, match=r"\[\[merchant\]\] m1: it is being changed by others all the time"):
        await start(TOML.replace("一号店", "renamed"))
    monkeypatch.setattr(start.store, "move_credential", always_late)
    with pytest.raises(SettingsError, match=r"\[\[credential\]\] chaoying 77000001: it is being changed by others"):
        await start()


async def test_gateways_that_start_together_write_what_one_would(start: Start) -> None:
    await asyncio.gather(*(start() for _ in range(4)))
    acts = await start.acts()
    assert sorted(set(acts)) == sorted(acts), "each thing was done once"
    assert {what for what, _ in acts} == {"merchant.add", "agent.add", "key.add", "device.add"}
    assert await start.agent() == Credential("chaoying", "77000001", OLD, {"1": "m1"})


@pytest.mark.parametrize("name", ["mobile", "username"])
async def test_one_mobile_for_two_merchants_of_an_agent_does_not_start(start: Start, name: str) -> None:
    row = '[[merchant]]\nid = "{id}"\nname = "n"\nagent_id = "a"\n{name} = "139"\n'
    with pytest.raises(SettingsError) as refused:
        await start("".join(row.format(id=each, name=name) for each in ("m1", "m2")))
    assert str(refused.value) == f"[[merchant]] m2: {name}: m1 has it already"


async def test_the_key_of_short_messages_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sms_key(read_settings("", {"ANYTILL_SMS__KEY": NEW.reveal()})) == NEW
    for environ, said in (
        ({}, "sms.key or sms.key_file must give a key of at least 16 characters"),
        ({"ANYTILL_SMS__KEY": "short"}, "sms.key or sms.key_file must give"),
        ({"ANYTILL_SMS__KEY_FILE": "/nothing/there"}, "sms.key_file: /nothing/there: No such file or directory"),
    ):
        with pytest.raises(SettingsError) as refused:
            sms_key(read_settings("", environ))
        assert str(refused.value).startswith(said)


async def test_a_currency_stays_once_there_is_a_payment(start: Start) -> None:
    in_hkd = TOML.replace("max_amount_fen = 500", 'max_amount_fen = 500\ncurrency = "HKD"')
    await start()
    await start(in_hkd)
    assert (await start.merchant()).currency == "HKD"
    await start()
    assert (await start.merchant()).currency == "HKD", "what the file does not say stays"
    paid = Payment(
        "m1", "1" * 20, "A-1", Method.BARCODE, Wallet.WECHAT, PaymentState.SUBMITTED, 100, "HKD", created_at_ms=START_MS
    )
    assert await start.store.add_payment(paid)
    await start(in_hkd)
    with pytest.raises(SettingsError, match="it has payments in HKD, which stays"):
        await start(in_hkd.replace("HKD", "CNY"))
    assert (await start.merchant()).currency == "HKD"


async def test_a_device_is_on_or_off_with_its_key(start: Start) -> None:
    desk = 'login = "desk1"'
    off = TOML.replace(desk, f"{desk}\nactive = false")
    for toml, on in ((off, False), (TOML, False), (TOML.replace(desk, f"{desk}\nactive = true"), True), (off, False)):
        await start(toml)
        known = await start.store.credential("yst", "desk1")
        assert known is not None
        assert (known.active, (await start.devices.device("yst", "desk1")).active) == (on, on)
    await start.devices.switch_key("yst", "desk1", on=True, actor="cli:me")
    await start()
    assert (await start.devices.device("yst", "desk1")).active, "what the file does not say stays"
    assert [what for what, _ in await start.acts()][-4:] == ["device.add", "device.on", "device.off", "device.on"]


@pytest.mark.parametrize(
    ("login", "options", "why"),
    [
        ("desk1", 'notfy_url = "https://shop.example/"', "yst has no option notfy_url; it has notify_url"),
        ("77000001", 'box_sign = "numbered"', "option box_sign is NUMBERED or '', not 'numbered'"),
        ("77000001", '"partner.1" = "[]"', "chaoying has no option partner.1; it has appid, .*partner_list.…"),
    ],
)
async def test_an_option_that_would_switch_nothing_is_refused(start: Start, login: str, options: str, why: str) -> None:
    line = f'login = "{login}"'
    with pytest.raises(SettingsError, match=why):
        await start(TOML.replace(line, f"{line}\noptions = {{ {options} }}"))


async def test_options_that_the_dialects_have(start: Start) -> None:
    options = {"box_sign": "NUMBERED", "partner_list.1": "[]", "appid": "wx1"}
    told = ", ".join(f'"{name}" = "{value}"' for name, value in options.items())
    await start(TOML.replace('login = "77000001"', f'login = "77000001"\noptions = {{ {told} }}'))
    assert (await start.agent()).options == options


@pytest.mark.parametrize(
    ("known", "login", "why"),
    [
        ("desk1", "abc", "yst abc: 'abc' cannot be a login of yst: it has 4 to 20 characters, letters in lower case"),
        ("desk1", "DESK1", "'DESK1' cannot be a login of yst"),
        ("77000001", "agent7", "'agent7' cannot be a login of chaoying: it has 1 to 32 digits"),
    ],
)
async def test_a_login_that_nobody_could_be_heard_with_is_refused(
    start: Start, known: str, login: str, why: str
) -> None:
    with pytest.raises(SettingsError, match=why):
        await start(TOML.replace(f'login = "{known}"', f'login = "{login}"'))
    assert login not in {key.login for key in await start.store.credentials()}
