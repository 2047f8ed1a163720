"""The back office: merchants, devices, keys and one-time codes, on both stores."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from anytill.core import retry
from anytill.core.device import Device, Sighting
from anytill.core.merchant import Credential, KeyShape, Merchant
from anytill.core.passwords import password_fits, password_hash
from anytill.core.secret import Secret
from anytill.gateway import Office
from anytill.gateway.codes import PASSCODE_AGAIN_MS, PASSCODE_LIFE_MS, PASSCODES_A_DAY, Passcodes
from anytill.gateway.office import (
    ACTIVATION_DIGITS,
    ACTIVATION_LIFE_MS,
    KEY_OVERLAP_MS,
    AlreadyThere,
    ChangedMeanwhile,
    NotThere,
)
from anytill.gateway.tries import MOST_KEYS, Tries, spend_all
from anytill.ports import StoreUnavailable, Unreachable
from tests.world import World

pytestmark = pytest.mark.anyio

SHOP = Merchant("m1", "老王面馆", mobile="13900000001", username="wang", agent_id="a1")
KEY = KeyShape(40)
TILL = Device("vendor", "70001", "m1", "front till")


class Phones:
    """Every short message that went out; None breaks the line."""

    def __init__(self) -> None:
        self.texts: list[tuple[str, str]] = []
        self.broken = False

    async def __call__(self, mobile: str, text: str) -> None:
        if self.broken:
            raise Unreachable("no line")
        self.texts.append((mobile, text))

    @property
    def last_code(self) -> str:
        return self.texts[-1][1].removeprefix("验证码")[:6]


class Bench:
    """An office over a world's store, with its phones."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.phones = Phones()
        chance, key = world.parts.chance, b"key"
        passcodes = Passcodes(world.store, world.clock, chance, key, self.phones, world.started.append, world.watch)
        self.office = Office(world.store, world.clock, chance, key, passcodes)

    async def agent(self) -> Credential:
        credential = Credential("vendor", "a1", Secret("k" * 32), {})
        await self.world.store.put_credential(credential)
        return credential

    async def send_passcode(self, mobile: str) -> bool:
        """What agent a1 is told, once the message went out or not."""
        told = self.office.send_passcode("a1", mobile)
        await self.world.work()
        return told

    async def whats(self) -> list[str]:
        """What was done, oldest first."""
        return [act.what for act in reversed(await self.world.store.acts(100))]


@pytest.fixture
async def bench(world: World) -> Bench:
    return Bench(world)


async def with_till(bench: Bench) -> Device:
    await bench.office.add_merchant(SHOP, "cli:me")
    issued = await bench.office.add_device(TILL, KEY, "cli:me")
    assert issued is not None
    return issued.device


# Merchants


async def test_a_merchant_is_added_once(bench: Bench) -> None:
    await bench.office.add_merchant(SHOP, "cli:me")
    with pytest.raises(AlreadyThere):
        await bench.office.add_merchant(SHOP, "cli:me")
    assert (await bench.office.merchant("m1")).name == "老王面馆"
    with pytest.raises(NotThere):
        await bench.office.merchant("m2")
    (act,) = [act for act in await bench.world.store.acts(10) if act.merchant_id == "m1"]
    assert (act.actor, act.what, act.subject) == ("cli:me", "merchant.add", "m1")


async def test_two_changes_of_one_merchant_do_not_both_happen(bench: Bench) -> None:
    await bench.office.add_merchant(SHOP, "cli:me")
    before = await bench.office.merchant("m1")
    changes = [
        bench.office.change_merchant(before, replace(before, details={"n": str(n)}), "cli:me", "merchant.set")
        for n in range(5)
    ]
    assert sorted(await asyncio.gather(*changes)) == [False] * 4 + [True]


async def test_an_agent_brings_merchants_in(bench: Bench) -> None:
    agent = await bench.agent()
    first = await bench.office.enrol(agent, replace(SHOP, merchant_id=""), "vendor:a1")
    second = await bench.office.enrol(agent, Merchant("", "b"), "vendor:a1")
    assert first
    assert second
    assert first != second
    known = await bench.world.store.credential("vendor", "a1")
    assert known is not None
    merchant = await bench.office.merchant(known.merchant_id(first))
    assert (merchant.name, merchant.agent_id, len(merchant.trade_code)) == ("老王面馆", "a1", 10)
    assert await bench.office.enrol(agent, Merchant("", "c", mobile=SHOP.mobile), "vendor:a1") is None
    assert await bench.office.enrol(agent, Merchant("", "c", username="wang"), "vendor:a1") is None
    assert (await bench.whats())[-2:] == ["merchant.enrol"] * 2


async def test_one_person_is_enrolled_once_at_one_moment(bench: Bench) -> None:
    agent = await bench.agent()
    numbers = await asyncio.gather(*(bench.office.enrol(agent, SHOP, "vendor:a1") for _ in range(5)))
    assert sorted(number is None for number in numbers) == [False] + [True] * 4
    assert (await bench.whats()).count("merchant.enrol") == 1


# People


async def test_a_password_lets_in_and_is_tried_five_times(bench: Bench) -> None:
    await bench.office.add_merchant(replace(SHOP, password_hash=bench.office.hashed("s3cret")), "cli:me")
    found = await bench.office.merchant_by_password("a1", "wang", "s3cret")
    assert found is not None
    assert found.merchant_id == "m1"
    assert await bench.office.merchant_by_password("a2", "wang", "s3cret") is None
    assert await bench.office.merchant_by_password("a1", "nobody", "s3cret") is None
    for _ in range(5):
        assert await bench.office.merchant_by_password("a1", "wang", "wrong") is None
    assert await bench.office.merchant_by_password("a1", "wang", "s3cret") is None
    bench.world.clock.advance(10 * retry.MINUTE)
    assert await bench.office.merchant_by_password("a1", "wang", "s3cret") is not None


async def test_many_guesses_at_one_moment_are_five(bench: Bench) -> None:
    await bench.office.add_merchant(replace(SHOP, password_hash=bench.office.hashed("s3cret")), "cli:me")
    tried = [bench.office.merchant_by_password("a1", "wang", f"guess{n}") for n in range(7)]
    assert await asyncio.gather(*tried) == [None] * 7
    # Not beside them: which of several that run at once is looked up first, no one knows.
    assert await bench.office.merchant_by_password("a1", "wang", "s3cret") is None


def test_a_merchant_without_a_password_cannot_log_in() -> None:
    assert not password_fits("", "")
    kept = password_hash("a", "salt")
    assert kept != password_hash("a", "other salt")
    assert password_fits("a", kept)
    assert not password_fits("b", kept)
    assert "a" not in kept.split("$")[2:]


async def test_a_passcode_proves_a_mobile_once(bench: Bench) -> None:
    await bench.office.add_merchant(SHOP, "cli:me")
    assert await bench.send_passcode(SHOP.mobile)
    assert [mobile for mobile, _ in bench.phones.texts] == [SHOP.mobile]
    code = bench.phones.last_code
    assert await bench.office.merchant_by_passcode("a2", SHOP.mobile, code) is None
    found = await bench.office.merchant_by_passcode("a1", SHOP.mobile, code)
    assert found is not None
    assert found.merchant_id == "m1"
    assert await bench.office.merchant_by_passcode("a1", SHOP.mobile, code) is None


async def test_a_passcode_ends_and_is_guessed_at_five_times(bench: Bench) -> None:
    await bench.office.add_merchant(SHOP, "cli:me")
    await bench.send_passcode(SHOP.mobile)
    bench.world.clock.advance(PASSCODE_LIFE_MS)
    assert await bench.office.merchant_by_passcode("a1", SHOP.mobile, bench.phones.last_code) is None
    await bench.send_passcode(SHOP.mobile)
    good = bench.phones.last_code
    guesses = [f"{(int(good) + n) % 10**6:06d}" for n in range(1, 6)]
    assert set(await asyncio.gather(*(bench.office.merchant_by_passcode("a1", SHOP.mobile, g) for g in guesses))) == {
        None
    }
    assert await bench.office.merchant_by_passcode("a1", SHOP.mobile, good) is None


async def test_messages_go_out_now_and_then_and_only_to_known_mobiles(bench: Bench) -> None:
    await bench.office.add_merchant(SHOP, "cli:me")
    assert await bench.send_passcode("13700000000")
    assert bench.phones.texts == []
    assert not await bench.send_passcode("13700000000")
    assert await bench.send_passcode(SHOP.mobile)
    assert not await bench.send_passcode(SHOP.mobile)
    bench.world.clock.advance(PASSCODE_AGAIN_MS)
    assert await bench.send_passcode(SHOP.mobile)
    assert len(bench.phones.texts) == 2
    bench.world.clock.advance(PASSCODE_AGAIN_MS)
    sent = [await bench.send_passcode(f"136{n:08d}") for n in range(30)]
    assert not all(sent)


async def test_one_request_for_a_message_repeated_shuts_out_that_mobile_alone(bench: Bench) -> None:
    await bench.office.add_merchant(SHOP, "cli:me")
    for _ in range(60):
        await bench.send_passcode("13700000000")
    assert await bench.send_passcode(SHOP.mobile)
    sent = 1
    for _ in range(2 * PASSCODES_A_DAY):
        bench.world.clock.advance(PASSCODE_AGAIN_MS)
        sent += await bench.send_passcode(SHOP.mobile)
    assert sent == len(bench.phones.texts) == PASSCODES_A_DAY
    bench.world.clock.advance(retry.DAY)
    assert await bench.send_passcode(SHOP.mobile)


async def test_a_message_that_cannot_be_sent_tells_a_person_and_not_who_asked(bench: Bench) -> None:
    await bench.office.add_merchant(SHOP, "cli:me")
    bench.phones.broken = True
    assert await bench.send_passcode(SHOP.mobile)
    assert await bench.send_passcode("13700000000")
    assert bench.world.watch.alarms == [("passcode_not_sent", {"agent": "a1"})]


async def test_invented_mobiles_do_not_push_out_what_was_counted(bench: Bench) -> None:
    """An agent that invents mobiles between its rounds sends a person no more messages for that."""
    await bench.office.add_merchant(SHOP, "cli:me")
    for number in range(5):
        for _ in range(25):
            bench.office.send_passcode("a1", SHOP.mobile)
            bench.world.clock.advance(PASSCODE_AGAIN_MS)
        for invented in range(10_001):
            bench.office.send_passcode("a1", f"136{number}{invented:07d}")
        bench.world.clock.advance(PASSCODE_AGAIN_MS)
    await bench.world.work()
    assert len(bench.phones.texts) <= PASSCODES_A_DAY


# Devices


async def test_a_device_fetches_its_key_with_a_code_once(bench: Bench) -> None:
    device = await with_till(bench)
    code = await bench.office.new_code(device, KEY, "cli:me")
    assert len(code) == ACTIVATION_DIGITS
    assert await bench.office.activate("other", code, "10.0.0.9") is None
    issued = await bench.office.activate("vendor", code, "10.0.0.1")
    assert issued is not None
    assert issued.device.activated_at_ms == bench.world.clock.now_ms()
    assert len(issued.credential.secret.reveal()) == KEY.length
    assert await bench.office.activate("vendor", code, "10.0.0.1") is None
    assert (await bench.whats())[-3:] == ["device.add", "device.code", "device.activate"]


async def test_a_code_at_one_moment_twice_gives_one_key(bench: Bench) -> None:
    device = await with_till(bench)
    code = await bench.office.new_code(device, KEY, "cli:me")
    issued = await asyncio.gather(*(bench.office.activate("vendor", code, f"10.0.0.{n}") for n in range(8)))
    assert sum(each is not None for each in issued) == 1


async def test_a_code_ends_and_a_new_one_voids_it(bench: Bench) -> None:
    device = await with_till(bench)
    old = await bench.office.new_code(device, KEY, "cli:me")
    new = await bench.office.new_code(device, KEY, "cli:me")
    assert await bench.office.activate("vendor", old, "10.0.0.1") is None
    bench.world.clock.advance(ACTIVATION_LIFE_MS)
    assert await bench.office.activate("vendor", new, "10.0.0.1") is None


async def test_codes_are_guessed_at_five_times_from_an_address(bench: Bench) -> None:
    device = await with_till(bench)
    code = await bench.office.new_code(device, KEY, "cli:me", life_ms=None)
    guesses = [bench.office.activate("vendor", f"9{n:013d}", "10.0.0.1") for n in range(20)]
    assert set(await asyncio.gather(*guesses)) == {None}
    assert await bench.office.activate("vendor", code, "10.0.0.1") is None
    assert await bench.office.activate("vendor", code, "10.0.0.2") is not None


async def test_activating_again_changes_the_key_with_an_overlap(bench: Bench) -> None:
    device = await with_till(bench)
    first = await bench.office.activate("vendor", await bench.office.new_code(device, KEY, "cli:me"), "10.0.0.1")
    assert first is not None
    second = await bench.office.activate("vendor", await bench.office.new_code(first.device, KEY, "cli:me"), "10.0.0.1")
    assert second is not None
    assert second.credential.secret != first.credential.secret
    assert second.credential.previous == first.credential.secret
    assert second.credential.previous_until_ms == bench.world.clock.now_ms() + KEY_OVERLAP_MS
    gone = second.credential.at(bench.world.clock.now_ms() + KEY_OVERLAP_MS)
    assert (gone.previous, gone.secret) == (None, second.credential.secret)


async def test_a_device_that_is_off_has_no_key(bench: Bench) -> None:
    device = await with_till(bench)
    code = await bench.office.new_code(device, KEY, "cli:me")
    await bench.office.switch_device(device, on=False, actor="cli:me")
    assert await bench.office.activate("vendor", code, "10.0.0.1") is None
    kept = await bench.world.store.credential("vendor", TILL.device_id)
    assert kept is not None
    assert not kept.active
    await bench.office.switch_device(device, on=True, actor="cli:me")
    assert (await bench.whats())[-2:] == ["device.off", "device.on"]


async def test_numbers_of_devices_are_unique_in_their_dialect(bench: Bench) -> None:
    await with_till(bench)
    with pytest.raises(AlreadyThere):
        await bench.office.add_device(TILL, KEY, "cli:me")
    with pytest.raises(NotThere):
        await bench.office.add_device(replace(TILL, device_id="70002", merchant_id="m9"), KEY, "cli:me")
    with pytest.raises(NotThere):
        await bench.office.device("vendor", "70002")
    with pytest.raises(NotThere):
        await bench.office.rotate("vendor", "70002", KEY, "cli:me")


@dataclass
class Elsewhere:
    """Another process: what it does comes between the look at the register and the write of whoever is at it here."""

    bench: Bench
    monkeypatch: pytest.MonkeyPatch

    def does(self, what: Callable[[], Awaitable[object]]) -> None:
        """Once, after the next look at a credential."""
        look = self.bench.world.store.credential

        async def looked(dialect: str, login: str) -> Credential | None:
            self.monkeypatch.undo()
            found = await look(dialect, login)
            await what()
            return found

        self.monkeypatch.setattr(self.bench.world.store, "credential", looked)


@pytest.fixture
def elsewhere(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Elsewhere:
    return Elsewhere(bench, monkeypatch)


CHANGES: dict[str, Callable[[Office, Device], Awaitable[object]]] = {
    "device off": lambda office, till: office.switch_device(till, on=False, actor="cli:me"),
    "device code": lambda office, till: office.new_code(till, KEY, "cli:me"),
    "key off": lambda office, till: office.switch_key("vendor", till.device_id, on=False, actor="cli:me"),
    "key end": lambda office, till: office.end_former_key("vendor", till.device_id, "cli:me"),
    "key rotate": lambda office, till: office.rotate("vendor", till.device_id, KEY, "cli:me"),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_a_key_that_is_changed_at_the_same_moment_stays_so(
    bench: Bench, elsewhere: Elsewhere, change: str
) -> None:
    """A stolen key is taken away just while something else is done to it: it does not come back."""
    till = await with_till(bench)
    await bench.office.activate("vendor", await bench.office.new_code(till, KEY, "cli:me"), "10.0.0.1")
    await bench.office.rotate("vendor", till.device_id, KEY, "cli:me")
    other = Office(bench.world.store, bench.world.clock, bench.world.parts.chance, b"key", None)
    new = Secret("the one key that counts")
    elsewhere.does(lambda: other.rotate("vendor", till.device_id, KEY, "cli:ann", 0, secret=new))
    before = await bench.world.store.acts(100)
    with pytest.raises(ChangedMeanwhile, match="was changed by somebody else at this moment: look, and try again"):
        await CHANGES[change](bench.office, till)
    known = await bench.world.store.credential("vendor", till.device_id)
    assert known is not None
    assert (known.secret, known.previous, known.active) == (new, None, True)
    device = await bench.office.device("vendor", till.device_id)
    assert (device.active, device.activated_at_ms) == (True, bench.world.clock.now_ms()), "both or neither"
    (act,) = [act for act in await bench.world.store.acts(100) if act not in before]
    assert (act.actor, act.what) == ("cli:ann", "key.rotate"), "what was not done is not told"


async def test_a_device_that_is_switched_off_while_it_is_activated_stays_off(
    bench: Bench, elsewhere: Elsewhere
) -> None:
    till = await with_till(bench)
    code = await bench.office.new_code(till, KEY, "cli:me")
    elsewhere.does(lambda: bench.office.switch_device(till, on=False, actor="cli:ann"))
    assert await bench.office.activate("vendor", code, "10.0.0.1") is None
    assert not (await bench.office.device("vendor", till.device_id)).active
    await bench.office.switch_device(till, on=True, actor="cli:ann")
    issued = await bench.office.activate("vendor", code, "10.0.0.1")
    assert issued is not None, "a code that brought nothing is not used up"
    assert issued.device.active


@pytest.mark.parametrize("was_activated", [False, True])
async def test_a_new_code_brings_no_key_that_the_code_before_it_brought(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, was_activated: bool
) -> None:
    """A leaked code is used just while a new one voids it."""
    till = await with_till(bench)
    if was_activated:
        await bench.office.activate("vendor", await bench.office.new_code(till, KEY, "cli:me"), "10.0.0.1")
    leaked = await bench.office.new_code(till, KEY, "cli:me")
    put, thief = bench.world.store.put_code, []

    async def put_late(*args: Any, **named: Any) -> bool:
        thief.append(await bench.office.activate("vendor", leaked, "6.6.6.6"))
        return await put(*args, **named)

    monkeypatch.setattr(bench.world.store, "put_code", put_late)
    with pytest.raises(ChangedMeanwhile):
        await bench.office.new_code(till, KEY, "cli:me")
    monkeypatch.undo()
    owner = await bench.office.activate("vendor", await bench.office.new_code(till, KEY, "cli:me"), "10.0.0.1")
    assert thief[0] is not None
    assert owner is not None
    assert owner.credential.secret != thief[0].credential.secret


async def test_a_device_and_its_key_are_on_or_off_together(bench: Bench) -> None:
    """Whichever of the two is switched: what is told to be off takes no money, and what takes none is told so."""
    till = await with_till(bench)

    async def both() -> tuple[bool, bool]:
        known = await bench.world.store.credential("vendor", till.device_id)
        assert known is not None
        return (await bench.office.device("vendor", till.device_id)).active, known.active

    for by_key, on in ((False, False), (True, True), (True, False), (False, True)):
        if by_key:
            await bench.office.switch_key("vendor", till.device_id, on=on, actor="cli:me")
        else:
            await bench.office.switch_device(till, on=on, actor="cli:me")
        assert await both() == (on, on)
    assert (await bench.whats())[-4:] == ["device.off", "device.on", "device.off", "device.on"]


async def test_a_pay_box_that_is_called_as_an_agent_is_not_switched_with_its_key(bench: Bench) -> None:
    """Boxes' numbers come over the wire; an agent's login is not theirs to take."""
    await bench.agent()
    await bench.office.add_merchant(SHOP, "cli:me")
    box = Device("vendor", "a1", "m1")
    assert await bench.office.put_device(box, "vendor:a2", "device.bind")
    await bench.office.switch_device(box, on=False, actor="cli:me")
    agent = await bench.world.store.credential("vendor", "a1")
    assert agent is not None
    assert agent.active
    await bench.office.switch_device(box, on=True, actor="cli:me")
    await bench.office.switch_key("vendor", "a1", on=False, actor="cli:me")
    assert (await bench.office.device("vendor", "a1")).active


async def test_an_activation_that_is_not_written_leaves_the_code_as_it_was(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process ends, or the database goes away, before the activation is on disk."""
    till = await with_till(bench)
    code = await bench.office.new_code(till, KEY, "cli:me")

    async def gone(*_: object) -> bool:
        raise StoreUnavailable

    for name in ("activate_device", "move_device", "put_device"):
        monkeypatch.setattr(bench.world.store, name, gone)
    with pytest.raises(StoreUnavailable):
        await bench.office.activate("vendor", code, "10.0.0.1")
    monkeypatch.undo()
    assert (await bench.office.device("vendor", till.device_id)).activated_at_ms is None
    assert await bench.office.activate("vendor", code, "10.0.0.1") is not None


async def test_a_second_code_never_pushes_out_the_key_that_the_device_has(bench: Bench) -> None:
    """However many codes nobody used, and even if one was broken off half way."""
    till = await with_till(bench)
    first = await bench.office.activate("vendor", await bench.office.new_code(till, KEY, "cli:me"), "10.0.0.1")
    assert first is not None
    for _ in range(3):
        await bench.office.new_code(till, KEY, "cli:me")
    known = await bench.world.store.credential("vendor", till.device_id)
    assert known is not None
    assert known.previous == first.credential.secret
    assert (await bench.whats()).count("key.rotate") == 1


async def test_who_adds_what_another_adds_at_this_moment_is_told_so(bench: Bench) -> None:
    merchants = [bench.office.add_merchant(replace(SHOP, name=str(n)), "cli:me") for n in range(4)]
    assert [type(each) for each in await asyncio.gather(*merchants, return_exceptions=True)].count(AlreadyThere) == 3
    devices = [bench.office.add_device(replace(TILL, name=str(n)), KEY, "cli:me") for n in range(4)]
    assert [type(each) for each in await asyncio.gather(*devices, return_exceptions=True)].count(AlreadyThere) == 3
    login = Credential("vendor", "till", Secret("k" * 32), {"": "m1"})
    keys = [bench.office.add_key(replace(login, secret=Secret(str(n))), "cli:me") for n in range(4)]
    assert [type(each) for each in await asyncio.gather(*keys, return_exceptions=True)].count(AlreadyThere) == 3
    assert sorted(await bench.whats()) == ["device.add", "key.add", "merchant.add"]


async def test_a_box_that_was_bound_meanwhile_is_not_bound_over_it(bench: Bench) -> None:
    box = Device("vendor", "box1", "m1")
    assert await bench.office.put_device(box, "vendor:a1", "device.bind")
    assert not await bench.office.put_device(replace(box, merchant_id="m2"), "vendor:a2", "device.bind"), "not new"
    known = await bench.office.device("vendor", "box1")
    assert await bench.office.put_device(replace(known, shop_id="s1"), "vendor:a1", "device.bind")
    assert not await bench.office.put_device(replace(known, merchant_id="m2"), "vendor:a2", "device.bind"), "changed"
    known = await bench.office.device("vendor", "box1")
    assert (known.merchant_id, known.shop_id) == ("m1", "s1")


async def test_an_address_asks_without_a_signature_twenty_times(bench: Bench) -> None:
    await with_till(bench)
    world, office = bench.world, bench.office
    for peer in ("10.0.0.1", "10.0.0.2"):
        await world.store.saw(Sighting("vendor", TILL.device_id, world.clock.now_ms(), peer))
        assert [each.login for each in await office.logins_seen_at("vendor", peer, 1_000, 9)] == [TILL.device_id]
        office.found_at("vendor", peer)
    for _ in range(30):
        assert await office.logins_seen_at("vendor", "10.0.0.2", 1_000, 9)
        office.found_at("vendor", "10.0.0.2")
    asked = await asyncio.gather(*(office.logins_seen_at("vendor", "10.0.0.2", 1_000, 9) for _ in range(30)))
    assert [bool(found) for found in asked] == [True] * 20 + [False] * 10
    await world.store.saw(Sighting("vendor", TILL.device_id, world.clock.now_ms(), "10.0.0.1"))
    assert await office.logins_seen_at("vendor", "10.0.0.1", 1_000, 9), "another address is asked as ever"
    world.clock.advance(10 * retry.MINUTE)
    await world.store.saw(Sighting("vendor", TILL.device_id, world.clock.now_ms(), "10.0.0.2"))
    assert await office.logins_seen_at("vendor", "10.0.0.2", 1_000, 9)


async def test_no_act_holds_a_secret(bench: Bench) -> None:
    device = await with_till(bench)
    code = await bench.office.new_code(device, KEY, "cli:me")
    issued = await bench.office.activate("vendor", code, "10.0.0.1")
    assert issued is not None
    rotated = await bench.office.rotate("vendor", TILL.device_id, KEY, "cli:me", overlap_ms=0)
    assert rotated.previous is None
    told = repr(await bench.world.store.acts(100))
    for secret in (code, issued.credential.secret.reveal(), rotated.secret.reveal()):
        assert secret not in told


def test_tries_slide_and_are_bounded() -> None:
    tries = Tries(2, 100)
    assert [tries.spend("a", 0), tries.spend("a", 50), tries.spend("a", 99), tries.spend("b", 99)] == [
        True,
        True,
        False,
        True,
    ]
    assert tries.spend("a", 100)
    assert not tries.spend("a", 149)
    tries.give_back("a")
    assert tries.spend("a", 149)
    for n in range(MOST_KEYS + 1):
        tries.spend(f"k{n}", 200)
    assert len(tries._at) == MOST_KEYS
    assert tries.spend("late", 300)
    assert list(tries._at) == ["late"], "what does not count any more is not kept"


def test_what_one_limit_refuses_is_not_taken_from_another() -> None:
    whole, each = Tries(3, 100), Tries(1, 100)
    told = [spend_all(0, (each, name), (whole, "all")) for name in "aabcdde"]
    assert told == [True, False, True, True, False, False, False]
    assert set(each._at) == {"a", "b", "c"}
    assert each.spend("d", 0)
