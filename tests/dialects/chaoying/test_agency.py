"""The client's management calls against the own server, and what it does not believe."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from urllib.parse import parse_qsl

import pytest

from anytill.bootstrap.demo import DEMO_MOBILE, DEMO_PASSWORD, DEMO_USERNAME
from anytill.core.device import Device
from anytill.core.errors import ForeignMerchant, InvalidPayCode, NotSupported, Refusal
from anytill.core.merchant import MerchantState
from anytill.core.secret import Secret
from anytill.dialects.chaoying.agency import Partner
from anytill.dialects.chaoying.client import Client
from anytill.dialects.chaoying.sandbox import SANDBOX, sandbox_settings
from anytill.dialects.chaoying.server import handle
from anytill.dialects.chaoying.words import Management
from anytill.gateway import Gateway
from anytill.ports import Unreachable
from anytill.wire.errors import BadSignature, WireError
from anytill.wire.http import HttpRequest, HttpResponse
from tests.dialects.chaoying.desk import signed
from tests.world import BASE_URL, World

pytestmark = pytest.mark.anyio


class Wire:
    """Between client and server: keeps what was asked, and may put something else for the answer."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.asked: list[HttpRequest] = []
        self.instead: Callable[[HttpResponse], HttpResponse] = lambda response: response

    async def __call__(self, request: HttpRequest) -> HttpResponse:
        self.asked.append(request)
        return self.instead(await handle(request, self._world.gateway))


@pytest.fixture
def wire(world: World) -> Wire:
    return Wire(world)


@pytest.fixture
def client(wire: Wire) -> Client:
    return Client(sandbox_settings(BASE_URL), wire)


def saying(answer: object, status: int = 200) -> Callable[[HttpResponse], HttpResponse]:
    return lambda _: HttpResponse(status, json.dumps(answer).encode(), "application/json")


async def test_a_merchant_is_brought_in_and_found_again(world: World, client: Client) -> None:
    number = await client.register(
        {"FullName": "老王面馆（总店）", "ShortName": "老王面馆", "Mobile": "13900000001", "Password": "noodles"}
    )
    assert await client.mch_info(number) == ("老王面馆（总店）", "老王面馆")
    by_password = await client.mch_id_by_password("13900000001", Secret("noodles"))
    assert (by_password.mch_id, by_password.full_name, by_password.state) == (
        number,
        "老王面馆（总店）",
        MerchantState.ON,
    )
    assert await client.send_sms("13900000001") == 20
    await world.work()
    code = Secret(world.outbox.to("13900000001")[0].text.removeprefix("验证码")[:6])
    assert await client.mch_id_by_code("13900000001", code) == by_password
    with pytest.raises(Refusal, match="已注册"):
        await client.register({"FullName": "b", "Mobile": "13900000001"})


async def test_the_demos_own_merchant(client: Client) -> None:
    assert await client.mch_info() == ("演示商户 Demo Shop", "演示 Demo")
    assert await client.partner_list() == [Partner("WECHAT", "1685000017", "wx6850a17e00000001")]
    found = await client.mch_id_by_password(DEMO_USERNAME, Secret(DEMO_PASSWORD))
    assert (found.mch_id, len(found.trade_code)) == (SANDBOX.number, 10)


async def test_who_opened_a_mini_program(client: Client, wire: Wire) -> None:
    session = await client.code2session("wx1", Secret("023jh"))
    assert (session.expires_in_s, bool(session.payer_id), bool(session.union_id)) == (7200, True, True)
    with pytest.raises(InvalidPayCode):
        await client.code2session("wx1", Secret("02305"))
    # The document's own sample has no signature.
    wire.instead = saying({"state": "SUCCESS", "openid": "o", "session_key": "k==", "expires_in": 7200})
    assert (await client.code2session("wx1", Secret("023jh"))).payer_id == "o"
    wire.instead = saying({"state": "SUCCESS", "openid": "o", "session_key": "k==", "expires_in": 72.5})
    with pytest.raises(WireError):
        await client.code2session("wx1", Secret("023jh"))


async def test_settings_at_wechat(world: World, client: Client) -> None:
    await client.add_wx_config(appid="wxa", jsapi_paths=["http://a.com/", "http://b.com/"], subscribe_appid="wxa")
    await client.add_wx_config(appid="wxb", receipt_appid="wxa")
    kept = json.loads((await world.gateway.office.merchant("demo")).details["wx:config"])
    assert (kept["paths"], sorted(kept["appids"])) == (["http://a.com/", "http://b.com/"], ["wxa", "wxb"])
    with pytest.raises(Refusal, match="2个支付目录"):
        await client.add_wx_config(jsapi_paths=["http://c.com/"])
    with pytest.raises(Refusal, match="二选一"):
        await client.add_wx_config(appid="wxa", subscribe_appid="wxa", receipt_appid="wxa")
    with pytest.raises(ForeignMerchant):
        await client.add_wx_config("00000001", appid="wxa")


async def test_a_pay_box(world: World, client: Client, wire: Wire) -> None:
    assert await client.paybox_config("BOX-1") is None
    link = f"https://qrpay.shop.example/qrpay/{SANDBOX.number}?op_shop_id=id_shop&op_user_id=%E7%8E%8B"
    bound = await client.scan_sign(link, "BOX-1")
    assert bound is not None
    assert (bound.mch_id, bound.state) == (SANDBOX.number, MerchantState.ON)
    assert await client.paybox_config("BOX-1") == bound
    found = await world.gateway.devices.device("chaoying", "BOX-1")
    assert (found.shop_id, found.details["op_user_id"]) == ("id_shop", "王")
    asked = [(request.method, request.path, request.headers["user-agent"]) for request in wire.asked]
    assert asked[1] == ("GET", f"/qrpay/{SANDBOX.number}", "CySoftPayBox")
    sent = dict(parse_qsl(wire.asked[1].query))
    assert (sent["pid"], sent["code_number"]) == ("CySoftPayBox", SANDBOX.number)
    with pytest.raises(Refusal, match="不一致"):
        await client.scan_sign(f"{link}&code_number=1", "BOX-1")
    await world.gateway.devices.switch_device(found, on=False, actor="cli:me")
    with pytest.raises(Refusal, match="停止轮询"):
        await client.paybox_config("BOX-1")
    await world.gateway.devices.add_device(Device("chaoying", "BOX-2", "demo"), None, "cli:me")
    assert await client.paybox_config("BOX-2") == bound


async def test_without_short_messages(world: World, client: Client) -> None:
    world.gateway = Gateway(replace(world.parts, sms=None))
    with pytest.raises(NotSupported):
        await client.send_sms(DEMO_MOBILE)


CALLS: dict[str, Callable[[Client], Awaitable[object]]] = {
    "register": lambda client: client.register({"FullName": "x"}),
    "send_sms": lambda client: client.send_sms(DEMO_MOBILE),
    "mch_id_by_code": lambda client: client.mch_id_by_code(DEMO_MOBILE, Secret("123456")),
    "mch_id_by_password": lambda client: client.mch_id_by_password("demo", Secret("p")),
    "partner_list": lambda client: client.partner_list(),
    "mch_info": lambda client: client.mch_info(),
    "add_wx_config": lambda client: client.add_wx_config(appid="wxa"),
    "paybox_config": lambda client: client.paybox_config("1"),
    "scan_sign": lambda client: client.scan_sign(f"https://a/qrpay/{SANDBOX.number}", "1"),
    "code2session": lambda client: client.code2session("wx1", Secret("c")),
}
TOLD = {
    "state": "SUCCESS",
    "code": "10000",
    "mch_id": SANDBOX.number,
    "mch_full_name": "x",
    "mch_short_name": "x",
    "mch_state": "20",
    "FullName": "x",
    "ShortName": "x",
    "partner_list": '[{"pay_channel":"CEB"}]',
}


@pytest.mark.parametrize("name", CALLS)
async def test_what_is_believed(client: Client, wire: Wire, name: str) -> None:
    call = CALLS[name]
    if name != "code2session":
        wire.instead = saying(signed(TOLD))
        await call(client)
        wire.instead = saying(dict(TOLD))
        with pytest.raises(BadSignature):
            await call(client)
    wire.instead = saying({**signed(TOLD), "sign": "0" * 32})
    with pytest.raises(BadSignature, match="20003"):
        await call(client)
    wrong: object
    nonsense: tuple[object, ...] = ({}, {"state": "OK"}, [], "x")
    for wrong in nonsense:
        wire.instead = saying(wrong)
        with pytest.raises(WireError):
            await call(client)
    for told in (saying({}, 502), saying({"state": "FAIL", "code": "20006", "msg": "?"}), saying({"state": "VER"})):
        wire.instead = told
        with pytest.raises((Unreachable, Refusal)):
            await call(client)
    wire.instead = saying(
        {"state": "FAIL", "code": Management.NOBODY.refused.code, "msg": Management.NOBODY.refused.msg}
    )
    with pytest.raises(Refusal, match="不正确"):
        await call(client)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("partner_list", {"mch_id": "68500018"}),
        ("partner_list", {"partner_list": "[1]"}),
        ("partner_list", {"partner_list": '[{"appid":"x"}]'}),
        ("partner_list", {"partner_list": ""}),
        ("mch_info", {"mch_id": "68500018"}),
        ("mch_info", {"FullName": ""}),
        ("send_sms", {"code": "soon"}),
        ("mch_id_by_code", {"mch_state": "21"}),
        ("paybox_config", {"op_device_id": "2"}),
        ("register", {"mch_id": ""}),
    ],
)
async def test_an_answer_that_cannot_be_true(client: Client, wire: Wire, name: str, change: dict[str, str]) -> None:
    wire.instead = saying(signed({name: value for name, value in {**TOLD, **change}.items() if value}))
    with pytest.raises(WireError):
        await CALLS[name](client)
