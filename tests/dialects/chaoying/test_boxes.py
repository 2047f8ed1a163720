"""Pay boxes on both stores: whose a box is, who may say so, and when it is told to stop."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlencode

import pytest

from anytill.core.device import Device
from anytill.core.errors import Overloaded
from anytill.core.merchant import MerchantState
from anytill.core.records import changed
from anytill.dialects.chaoying import words
from anytill.dialects.chaoying.sandbox import SANDBOX
from anytill.dialects.chaoying.words import Management
from tests.conftest import STORES
from tests.dialects.chaoying.agents import OTHER, OTHER_KEY, OTHER_NUMBER, OTHER_SHOP, other_agent
from tests.dialects.chaoying.desk import AGENT, Desk, signed

pytestmark = pytest.mark.anyio

CONF = "/Mch/PayBoxConfGet"
SIGN = f"/qrpay/{SANDBOX.number}"
NUMBER = "000063066004189990000194"
BOX = {"device_info": "CySoftPayBox", "op_device_id": NUMBER}


@pytest.fixture(params=STORES)
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'world.db'}"
    dsn: str = request.getfixturevalue("postgres_dsn")
    return dsn


async def device(desk: Desk, number: str = NUMBER) -> Device:
    return await desk.world.gateway.devices.device("chaoying", number)


async def boxes(desk: Desk) -> list[Device]:
    return [each for each in await desk.world.store.devices() if each.dialect == "chaoying"]


async def binds(desk: Desk) -> list[str]:
    return [act.actor for act in await desk.world.store.acts(100) if act.what == "device.bind"]


async def test_a_box_asks_until_it_is_bound(desk: Desk) -> None:
    for _ in range(2):
        answer = await desk.link(CONF, BOX)
        assert answer["state"] == "SUCCESS"
        assert set(answer) == {"state", "msg", "sign"}
    assert await boxes(desk) == []
    bound = await desk.link(SIGN, BOX)
    asked = await desk.link(CONF, BOX)
    assert asked == bound
    told = {name: asked[name] for name in asked if name not in ("mch_trade_code", "sign")}
    assert told == {
        "state": "SUCCESS",
        "code": "10000",
        "msg": "SUCCESS",
        "mch_id": SANDBOX.number,
        "mch_full_name": "演示商户 Demo Shop",
        "mch_short_name": "演示 Demo",
        "mch_state": "20",
        **BOX,
    }
    assert await binds(desk) == [f"chaoying:{SANDBOX.login}"]
    found = await device(desk)
    assert (found.merchant_id, found.shop_id, found.active) == ("demo", "", True)
    assert found.enrolled_at_ms == desk.world.clock.now_ms()


async def test_the_signs_own_fields_are_signed_and_kept(desk: Desk) -> None:
    own = {"op_shop_id": "门店 1", "op_user_id": "id_user", "campaign": "a b&c"}
    assert (await desk.link(SIGN, {**own, **BOX}))["code"] == "10000"
    found = await device(desk)
    assert (found.shop_id, found.details["op_user_id"]) == ("门店 1", "id_user")
    query = urlencode({**signed({**AGENT, **own, **BOX}), "op_shop_id": "2"})
    forged = await desk.post(SIGN, b"", http_method="GET", query=query, user_agent="CySoftPayBox")
    assert forged["code"] == "20002"
    assert await device(desk) == found


async def test_the_same_scan_again_writes_nothing(desk: Desk) -> None:
    for _ in range(3):
        await desk.link(SIGN, BOX)
        desk.world.clock.advance(1_000)
    assert len(await binds(desk)) == 1


async def test_a_box_moves_between_merchants_of_one_agent(desk: Desk) -> None:
    await desk.link(SIGN, BOX)
    number = (await desk.manage("/UnifiedPay/Mch_Reg", {"FullName": "分店"}))["mch_id"]
    own = {"op_shop_id": "1", "op_user_id": "2"}
    await desk.link(SIGN, {**BOX, **own})
    moved = await desk.link(f"/qrpay/{number}", {**BOX, "code_number": number})
    assert (moved["mch_id"], moved["mch_full_name"], moved["mch_short_name"]) == (number, "分店", "分店")
    assert (await desk.link(CONF, BOX))["mch_id"] == number
    assert len(await binds(desk)) == 3
    # Where it stood before is nothing of the new merchant's.
    found = await device(desk)
    assert (found.shop_id, found.details["device_info"]) == ("", "CySoftPayBox")
    assert "op_user_id" not in found.details


async def branch(desk: Desk) -> str:
    return str((await desk.manage("/UnifiedPay/Mch_Reg", {"FullName": "分店"}))["mch_id"])


@pytest.mark.parametrize("own", [{}, {"op_shop_id": "1"}, {"op_user_id": "2", "campaign": "x"}])
async def test_what_a_bound_box_asked_elsewhere_does_not_move_it(desk: Desk, own: dict[str, str]) -> None:
    """A poll, or the scan of a sign that does not say whose it is, fits every merchant's address."""
    number = await branch(desk)
    await desk.link(SIGN, {**BOX, "op_shop_id": "1"})
    before = await device(desk)
    answer = await desk.link(f"/qrpay/{number}", {**BOX, **own})
    assert (answer["state"], answer["msg"]) == ("FAIL", Management.SIGN_WITHOUT_NUMBER.refused.msg)
    assert not {"mch_id", "mch_trade_code", "mch_full_name"} & answer.keys()
    assert await device(desk) == before
    # At its own merchant's it is told what a poll tells, and changes nothing.
    assert (await desk.link(SIGN, BOX))["mch_id"] == SANDBOX.number
    assert await device(desk) == before


async def test_what_was_captured_brings_no_box_back(desk: Desk) -> None:
    """Addresses with their signatures are kept by proxies; a box that has left stays away."""
    number = await branch(desk)
    there, here = {**BOX, "code_number": number}, {**BOX, "code_number": SANDBOX.number}
    captured = [here, {**here, "op_user_id": "1"}]
    for fields in captured:
        assert (await desk.link(SIGN, fields))["mch_id"] == SANDBOX.number
    for _ in range(2):
        assert (await desk.link(f"/qrpay/{number}", there))["mch_id"] == number
    await desk.world.pass_s(30 * 86_400)
    for fields in captured:
        assert (await desk.link(SIGN, fields))["msg"] == Management.SIGN_USED.refused.msg
    assert (await desk.link(CONF, BOX))["mch_id"] == number
    # A new sign brings it back, and what moved it away before does not do so again.
    assert (await desk.link(SIGN, {**here, "op_user_id": "2"}))["mch_id"] == SANDBOX.number
    assert (await desk.link(f"/qrpay/{number}", there))["msg"] == Management.SIGN_USED.refused.msg
    assert (await desk.link(CONF, BOX))["mch_id"] == SANDBOX.number


async def test_a_box_that_others_write_all_the_time(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_: object, **__: object) -> bool:
        return False

    monkeypatch.setattr(desk.world.gateway.devices, "put_device", never)
    answer = await desk.link(SIGN, BOX)
    assert (answer["state"], answer["msg"]) == ("FAIL", words.REFUSALS[Overloaded].msg)


@pytest.mark.parametrize("bound", [False, True])
async def test_a_sign_that_says_whose_it_is_counts_there_alone(desk: Desk, bound: bool) -> None:
    number = await branch(desk)
    if bound:
        await desk.link(SIGN, BOX)
    before = await boxes(desk)
    for said in (SANDBOX.number, number.lower() + "0"):
        answer = await desk.link(f"/qrpay/{number}", {**BOX, "code_number": said})
        assert (answer["state"], answer["msg"]) == ("FAIL", Management.SIGN_OF_ANOTHER.refused.msg)
    assert await boxes(desk) == before
    assert (await desk.link(SIGN, {**BOX, "code_number": SANDBOX.number}))["mch_id"] == SANDBOX.number


async def test_an_agent_may_want_numbers_on_all_its_signs(desk: Desk) -> None:
    await other_agent(desk.world, box_sign="NUMBERED")
    path = f"/qrpay/{OTHER_NUMBER}"
    refused = await desk.link(path, {**BOX, **OTHER, "op_shop_id": "1"}, OTHER_KEY)
    assert refused["msg"] == Management.SIGN_WITHOUT_NUMBER.refused.msg
    assert await boxes(desk) == []
    bound = await desk.link(path, {**BOX, **OTHER, "code_number": OTHER_NUMBER}, OTHER_KEY)
    assert bound["mch_id"] == OTHER_NUMBER


async def test_a_box_of_another_agent_is_neither_told_nor_taken(desk: Desk) -> None:
    await other_agent(desk.world)
    await desk.link(SIGN, BOX)
    before = await device(desk)
    asked = await desk.link(CONF, {**BOX, **OTHER}, OTHER_KEY)
    assert set(asked) == {"state", "msg", "sign"}
    taken = await desk.link(f"/qrpay/{OTHER_NUMBER}", {**BOX, **OTHER}, OTHER_KEY)
    assert (taken["state"], taken["code"], taken["msg"]) == ("FAIL", "20005", Management.BOX_ELSEWHERE.refused.msg)
    assert await device(desk) == before


@pytest.mark.parametrize("number", [OTHER_NUMBER, "00000001", OTHER_SHOP.merchant_id, "", "a%20b", "x" * 33])
async def test_a_box_is_bound_to_the_agents_own_merchants_alone(desk: Desk, number: str) -> None:
    await other_agent(desk.world)
    answer = await desk.link(f"/qrpay/{number}", BOX)
    assert (answer["state"], answer["code"]) == ("FAIL", "20005")
    assert await boxes(desk) == []


async def test_a_box_that_is_switched_off_is_told_to_stop(desk: Desk) -> None:
    await desk.link(SIGN, BOX)
    await desk.world.gateway.devices.switch_device(await device(desk), on=False, actor="cli:me")
    for path in (CONF, SIGN):
        answer = await desk.link(path, BOX)
        assert (answer["state"], answer["msg"]) == ("FAIL", Management.BOX_OFF.refused.msg)
    assert not (await device(desk)).active
    await desk.world.gateway.devices.switch_device(await device(desk), on=True, actor="cli:me")
    assert (await desk.link(CONF, BOX))["mch_id"] == SANDBOX.number


async def test_a_box_that_the_operator_bound_needs_no_sign(desk: Desk) -> None:
    await desk.world.gateway.devices.add_device(Device("chaoying", NUMBER, "demo"), None, "cli:me")
    assert (await desk.link(CONF, BOX))["mch_id"] == SANDBOX.number


@pytest.mark.parametrize(("state", "told"), [("WAITING", "0"), ("OFF", "30")])
async def test_a_box_is_told_of_its_merchants_state(desk: Desk, state: str, told: str) -> None:
    await desk.link(SIGN, BOX)
    merchant = await desk.world.gateway.office.merchant("demo")
    await desk.world.store.put_merchant(changed(merchant, state=MerchantState(state)))
    assert (await desk.link(CONF, BOX))["mch_state"] == told


@pytest.mark.parametrize("agent", ["", "curl/8", "CySoftPayBox/2", "cysoftpaybox"])
@pytest.mark.parametrize("path", [CONF, SIGN])
async def test_a_box_says_that_it_is_one(desk: Desk, path: str, agent: str) -> None:
    answer = await desk.link(path, BOX, agent=agent)
    assert (answer["code"], answer["msg"]) == ("20004", Management.NOT_A_BOX.refused.msg)
    assert await boxes(desk) == []


@pytest.mark.parametrize("path", [CONF, SIGN])
@pytest.mark.parametrize(
    ("method", "in_body"), [("POST", False), ("POST", True), ("GET", True), ("HEAD", False), ("PUT", False)]
)
async def test_a_box_asks_with_a_get_and_nothing_else(desk: Desk, path: str, method: str, in_body: bool) -> None:
    text = urlencode(signed({**AGENT, **BOX}))
    query, body = ("", text.encode()) if in_body else (text, b"")
    answer = await desk.post(path, body, http_method=method, query=query, user_agent="CySoftPayBox")
    assert (answer["state"], answer["code"]) == ("FAIL", "20004")
    assert await boxes(desk) == []


async def test_paths_are_compared_without_case_but_not_numbers(desk: Desk) -> None:
    assert (await desk.link(SIGN.upper(), BOX))["mch_id"] == SANDBOX.number
    assert (await desk.link(CONF.lower(), BOX))["mch_id"] == SANDBOX.number
    assert (await desk.link("/mch/payboxconfget", BOX))["mch_id"] == SANDBOX.number
