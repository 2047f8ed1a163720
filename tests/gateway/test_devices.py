"""Devices, their keys and the codes that bring them, on both stores."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from anytill.core import retry
from anytill.core.device import Device, Sighting
from anytill.core.merchant import Credential, KeyShape, Merchant
from anytill.core.secret import Secret
from anytill.gateway import Devices, Office
from anytill.gateway.changes import AlreadyThere, ChangedMeanwhile, NotThere
from anytill.gateway.devices import ACTIVATION_DIGITS, ACTIVATION_LIFE_MS, KEY_OVERLAP_MS
from anytill.ports import StoreUnavailable
from tests.world import World

pytestmark = pytest.mark.anyio

SHOP = Merchant("m1", "老王面馆")
KEY = KeyShape(40)
TILL = Device("vendor", "70001", "m1", "front till")


class Bench:
    """The devices of a world's store, and the office beside them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.office = Office(world.store, world.clock, world.parts.chance, b"key", None)
        self.devices = Devices(world.store, world.clock, world.parts.chance, b"key")

    async def whats(self) -> list[str]:
        """What was done, oldest first."""
        return [act.what for act in reversed(await self.world.store.acts(100))]


@pytest.fixture
async def bench(world: World) -> Bench:
    return Bench(world)


async def with_till(bench: Bench) -> Device:
    await bench.office.add_merchant(SHOP, "cli:me")
    issued = await bench.devices.add_device(TILL, KEY, "cli:me")
    assert issued is not None
    return issued.device


async def test_a_device_fetches_its_key_with_a_code_once(bench: Bench) -> None:
    device = await with_till(bench)
    code = await bench.devices.new_code(device, KEY, "cli:me")
    assert len(code) == ACTIVATION_DIGITS
    assert await bench.devices.activate("other", code, "10.0.0.9") is None
    issued = await bench.devices.activate("vendor", code, "10.0.0.1")
    assert issued is not None
    assert issued.device.activated_at_ms == bench.world.clock.now_ms()
    assert len(issued.credential.secret.reveal()) == KEY.length
    assert await bench.devices.activate("vendor", code, "10.0.0.1") is None
    assert (await bench.whats())[-3:] == ["device.add", "device.code", "device.activate"]


async def test_a_code_at_one_moment_twice_gives_one_key(bench: Bench) -> None:
    device = await with_till(bench)
    code = await bench.devices.new_code(device, KEY, "cli:me")
    issued = await asyncio.gather(*(bench.devices.activate("vendor", code, f"10.0.0.{n}") for n in range(8)))
    assert sum(each is not None for each in issued) == 1


async def test_a_code_ends_and_a_new_one_voids_it(bench: Bench) -> None:
    device = await with_till(bench)
    old = await bench.devices.new_code(device, KEY, "cli:me")
    new = await bench.devices.new_code(device, KEY, "cli:me")
    assert await bench.devices.activate("vendor", old, "10.0.0.1") is None
    bench.world.clock.advance(ACTIVATION_LIFE_MS)
    assert await bench.devices.activate("vendor", new, "10.0.0.1") is None


async def test_codes_are_guessed_at_five_times_from_an_address(bench: Bench) -> None:
    device = await with_till(bench)
    code = await bench.devices.new_code(device, KEY, "cli:me", life_ms=None)
    guesses = [bench.devices.activate("vendor", f"9{n:013d}", "10.0.0.1") for n in range(20)]
    assert set(await asyncio.gather(*guesses)) == {None}
    assert await bench.devices.activate("vendor", code, "10.0.0.1") is None
    assert await bench.devices.activate("vendor", code, "10.0.0.2") is not None


async def test_activating_again_changes_the_key_with_an_overlap(bench: Bench) -> None:
    device = await with_till(bench)
    first = await bench.devices.activate("vendor", await bench.devices.new_code(device, KEY, "cli:me"), "10.0.0.1")
    assert first is not None
    second = await bench.devices.activate(
        "vendor", await bench.devices.new_code(first.device, KEY, "cli:me"), "10.0.0.1"
    )
    assert second is not None
    assert second.credential.secret != first.credential.secret
    assert second.credential.previous == first.credential.secret
    assert second.credential.previous_until_ms == bench.world.clock.now_ms() + KEY_OVERLAP_MS
    gone = second.credential.at(bench.world.clock.now_ms() + KEY_OVERLAP_MS)
    assert (gone.previous, gone.secret) == (None, second.credential.secret)


async def test_a_device_that_is_off_has_no_key(bench: Bench) -> None:
    device = await with_till(bench)
    code = await bench.devices.new_code(device, KEY, "cli:me")
    await bench.devices.switch_device(device, on=False, actor="cli:me")
    assert await bench.devices.activate("vendor", code, "10.0.0.1") is None
    kept = await bench.world.store.credential("vendor", TILL.device_id)
    assert kept is not None
    assert not kept.active
    await bench.devices.switch_device(device, on=True, actor="cli:me")
    assert (await bench.whats())[-2:] == ["device.off", "device.on"]


async def test_numbers_of_devices_are_unique_in_their_dialect(bench: Bench) -> None:
    await with_till(bench)
    with pytest.raises(AlreadyThere):
        await bench.devices.add_device(TILL, KEY, "cli:me")
    with pytest.raises(NotThere):
        await bench.devices.add_device(replace(TILL, device_id="70002", merchant_id="m9"), KEY, "cli:me")
    with pytest.raises(NotThere):
        await bench.devices.device("vendor", "70002")
    with pytest.raises(NotThere):
        await bench.devices.rotate("vendor", "70002", KEY, "cli:me")


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


CHANGES: dict[str, Callable[[Devices, Device], Awaitable[object]]] = {
    "device off": lambda devices, till: devices.switch_device(till, on=False, actor="cli:me"),
    "device code": lambda devices, till: devices.new_code(till, KEY, "cli:me"),
    "key off": lambda devices, till: devices.switch_key("vendor", till.device_id, on=False, actor="cli:me"),
    "key end": lambda devices, till: devices.end_former_key("vendor", till.device_id, "cli:me"),
    "key rotate": lambda devices, till: devices.rotate("vendor", till.device_id, KEY, "cli:me"),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_a_key_that_is_changed_at_the_same_moment_stays_so(
    bench: Bench, elsewhere: Elsewhere, change: str
) -> None:
    """A stolen key is taken away just while something else is done to it: it does not come back."""
    till = await with_till(bench)
    await bench.devices.activate("vendor", await bench.devices.new_code(till, KEY, "cli:me"), "10.0.0.1")
    await bench.devices.rotate("vendor", till.device_id, KEY, "cli:me")
    other = Devices(bench.world.store, bench.world.clock, bench.world.parts.chance, b"key")
    new = Secret("the one key that counts")
    elsewhere.does(lambda: other.rotate("vendor", till.device_id, KEY, "cli:ann", 0, secret=new))
    before = await bench.world.store.acts(100)
    with pytest.raises(ChangedMeanwhile, match="was changed by somebody else at this moment: look, and try again"):
        await CHANGES[change](bench.devices, till)
    known = await bench.world.store.credential("vendor", till.device_id)
    assert known is not None
    assert (known.secret, known.previous, known.active) == (new, None, True)
    device = await bench.devices.device("vendor", till.device_id)
    assert (device.active, device.activated_at_ms) == (True, bench.world.clock.now_ms()), "both or neither"
    (act,) = [act for act in await bench.world.store.acts(100) if act not in before]
    assert (act.actor, act.what) == ("cli:ann", "key.rotate"), "what was not done is not told"


async def test_a_device_that_is_switched_off_while_it_is_activated_stays_off(
    bench: Bench, elsewhere: Elsewhere
) -> None:
    till = await with_till(bench)
    code = await bench.devices.new_code(till, KEY, "cli:me")
    elsewhere.does(lambda: bench.devices.switch_device(till, on=False, actor="cli:ann"))
    assert await bench.devices.activate("vendor", code, "10.0.0.1") is None
    assert not (await bench.devices.device("vendor", till.device_id)).active
    await bench.devices.switch_device(till, on=True, actor="cli:ann")
    issued = await bench.devices.activate("vendor", code, "10.0.0.1")
    assert issued is not None, "a code that brought nothing is not used up"
    assert issued.device.active


@pytest.mark.parametrize("was_activated", [False, True])
async def test_a_new_code_brings_no_key_that_the_code_before_it_brought(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, was_activated: bool
) -> None:
    """A leaked code is used just while a new one voids it."""
    till = await with_till(bench)
    if was_activated:
        await bench.devices.activate("vendor", await bench.devices.new_code(till, KEY, "cli:me"), "10.0.0.1")
    leaked = await bench.devices.new_code(till, KEY, "cli:me")
    put, thief = bench.world.store.put_code, []

    async def put_late(*args: Any, **named: Any) -> bool:
        thief.append(await bench.devices.activate("vendor", leaked, "6.6.6.6"))
        return await put(*args, **named)

    monkeypatch.setattr(bench.world.store, "put_code", put_late)
    with pytest.raises(ChangedMeanwhile):
        await bench.devices.new_code(till, KEY, "cli:me")
    monkeypatch.undo()
    owner = await bench.devices.activate("vendor", await bench.devices.new_code(till, KEY, "cli:me"), "10.0.0.1")
    assert thief[0] is not None
    assert owner is not None
    assert owner.credential.secret != thief[0].credential.secret


async def test_a_device_and_its_key_are_on_or_off_together(bench: Bench) -> None:
    """Whichever of the two is switched: what is told to be off takes no money, and what takes none is told so."""
    till = await with_till(bench)

    async def both() -> tuple[bool, bool]:
        known = await bench.world.store.credential("vendor", till.device_id)
        assert known is not None
        return (await bench.devices.device("vendor", till.device_id)).active, known.active

    for by_key, on in ((False, False), (True, True), (True, False), (False, True)):
        if by_key:
            await bench.devices.switch_key("vendor", till.device_id, on=on, actor="cli:me")
        else:
            await bench.devices.switch_device(till, on=on, actor="cli:me")
        assert await both() == (on, on)
    assert (await bench.whats())[-4:] == ["device.off", "device.on", "device.off", "device.on"]


async def test_a_pay_box_that_is_called_as_an_agent_is_not_switched_with_its_key(bench: Bench) -> None:
    """Boxes' numbers come over the wire; an agent's login is not theirs to take."""
    await bench.world.store.put_credential(Credential("vendor", "a1", Secret("k" * 32), {}))
    await bench.office.add_merchant(SHOP, "cli:me")
    box = Device("vendor", "a1", "m1")
    assert await bench.devices.put_device(box, "vendor:a2", "device.bind")
    await bench.devices.switch_device(box, on=False, actor="cli:me")
    agent = await bench.world.store.credential("vendor", "a1")
    assert agent is not None
    assert agent.active
    await bench.devices.switch_device(box, on=True, actor="cli:me")
    await bench.devices.switch_key("vendor", "a1", on=False, actor="cli:me")
    assert (await bench.devices.device("vendor", "a1")).active


async def test_an_activation_that_is_not_written_leaves_the_code_as_it_was(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process ends, or the database goes away, before the activation is on disk."""
    till = await with_till(bench)
    code = await bench.devices.new_code(till, KEY, "cli:me")

    async def gone(*_: object) -> bool:
        raise StoreUnavailable

    for name in ("activate_device", "move_device", "put_device"):
        monkeypatch.setattr(bench.world.store, name, gone)
    with pytest.raises(StoreUnavailable):
        await bench.devices.activate("vendor", code, "10.0.0.1")
    monkeypatch.undo()
    assert (await bench.devices.device("vendor", till.device_id)).activated_at_ms is None
    assert await bench.devices.activate("vendor", code, "10.0.0.1") is not None


async def test_a_second_code_never_pushes_out_the_key_that_the_device_has(bench: Bench) -> None:
    """However many codes nobody used, and even if one was broken off half way."""
    till = await with_till(bench)
    first = await bench.devices.activate("vendor", await bench.devices.new_code(till, KEY, "cli:me"), "10.0.0.1")
    assert first is not None
    for _ in range(3):
        await bench.devices.new_code(till, KEY, "cli:me")
    known = await bench.world.store.credential("vendor", till.device_id)
    assert known is not None
    assert known.previous == first.credential.secret
    assert (await bench.whats()).count("key.rotate") == 1


async def test_who_adds_what_another_adds_at_this_moment_is_told_so(bench: Bench) -> None:
    await bench.office.add_merchant(SHOP, "cli:me")
    devices = [bench.devices.add_device(replace(TILL, name=str(n)), KEY, "cli:me") for n in range(4)]
    assert [type(each) for each in await asyncio.gather(*devices, return_exceptions=True)].count(AlreadyThere) == 3
    login = Credential("vendor", "till", Secret("k" * 32), {"": "m1"})
    keys = [bench.devices.add_key(replace(login, secret=Secret(str(n))), "cli:me") for n in range(4)]
    assert [type(each) for each in await asyncio.gather(*keys, return_exceptions=True)].count(AlreadyThere) == 3
    assert sorted(await bench.whats()) == ["device.add", "key.add", "merchant.add"]


async def test_a_box_that_was_bound_meanwhile_is_not_bound_over_it(bench: Bench) -> None:
    box = Device("vendor", "box1", "m1")
    assert await bench.devices.put_device(box, "vendor:a1", "device.bind")
    assert not await bench.devices.put_device(replace(box, merchant_id="m2"), "vendor:a2", "device.bind"), "not new"
    known = await bench.devices.device("vendor", "box1")
    assert await bench.devices.put_device(replace(known, shop_id="s1"), "vendor:a1", "device.bind")
    assert not await bench.devices.put_device(replace(known, merchant_id="m2"), "vendor:a2", "device.bind"), "changed"
    known = await bench.devices.device("vendor", "box1")
    assert (known.merchant_id, known.shop_id) == ("m1", "s1")


async def test_an_address_asks_without_a_signature_twenty_times(bench: Bench) -> None:
    await with_till(bench)
    world, devices = bench.world, bench.devices
    for peer in ("10.0.0.1", "10.0.0.2"):
        await world.store.saw(Sighting("vendor", TILL.device_id, world.clock.now_ms(), peer))
        assert [each.login for each in await devices.logins_seen_at("vendor", peer, 1_000, 9)] == [TILL.device_id]
        devices.found_at("vendor", peer)
    for _ in range(30):
        assert await devices.logins_seen_at("vendor", "10.0.0.2", 1_000, 9)
        devices.found_at("vendor", "10.0.0.2")
    asked = await asyncio.gather(*(devices.logins_seen_at("vendor", "10.0.0.2", 1_000, 9) for _ in range(30)))
    assert [bool(found) for found in asked] == [True] * 20 + [False] * 10
    await world.store.saw(Sighting("vendor", TILL.device_id, world.clock.now_ms(), "10.0.0.1"))
    assert await devices.logins_seen_at("vendor", "10.0.0.1", 1_000, 9), "another address is asked as ever"
    world.clock.advance(10 * retry.MINUTE)
    await world.store.saw(Sighting("vendor", TILL.device_id, world.clock.now_ms(), "10.0.0.2"))
    assert await devices.logins_seen_at("vendor", "10.0.0.2", 1_000, 9)


async def test_no_act_holds_a_secret(bench: Bench) -> None:
    device = await with_till(bench)
    code = await bench.devices.new_code(device, KEY, "cli:me")
    issued = await bench.devices.activate("vendor", code, "10.0.0.1")
    assert issued is not None
    rotated = await bench.devices.rotate("vendor", TILL.device_id, KEY, "cli:me", overlap_ms=0)
    assert rotated.previous is None
    told = repr(await bench.world.store.acts(100))
    for secret in (code, issued.credential.secret.reveal(), rotated.secret.reveal()):
        assert secret not in told


async def test_a_new_login_is_nobodys(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    await with_till(bench)
    await bench.devices.put_device(Device("vendor", "70002", "m1"), "cli:me", "device.bind")
    drawn = iter(("70001", "70002", "70003"))
    monkeypatch.setattr(bench.world.parts.chance, "token", lambda *_: next(drawn))
    assert await bench.devices.new_login("vendor", KeyShape(5, "0123456789")) == "70003"
