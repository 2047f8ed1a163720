"""Every Chaoying interface by one who knows the document alone: hashlib, urllib, json, none of the dialect's code.

Each call is made with every kind of fault first, and then once as it should be: a fault that had done anything would
show, because the faulty requests carry the numbers of the good one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from anytill.dialects import load_dialects
from anytill.wire.http import HttpRequest
from tests.conftest import STORES
from tests.world import World

pytestmark = pytest.mark.anyio

AGENT, KEY, NUMBER = "16850000000000017", "5c1f0a94e2d84b37a6e93d7b08c2f416", "68500017"
FORM = "application/x-www-form-urlencoded"
GATEWAY = "/UnifiedPay/Gateway"
#: Not one of them is a number of whole fen between 1 and 9999999999.
NO_FEN = ("1e3", "0", "-1", "0.01", "１", "abc", "10000000000")
NO_NUMBER = ("a-b!", "x" * 33)


@dataclass(frozen=True)
class Interface:
    """One interface: `bad` has values that a field must not have."""

    path: str
    fields: Mapping[str, str]
    need: tuple[str, ...]
    bad: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    get: bool = False
    foreign: bool = True  # names a merchant, which may be somebody else's


def gateway(method: str, need: str, bad: Mapping[str, tuple[str, ...]], **fields: str) -> Interface:
    own = {"method": method, "mch_id": NUMBER, **fields}
    return Interface(GATEWAY, own, ("method", "mch_id", *need.split()), bad)


ORDER = {"out_trade_no": "IND00002", "body": "超赢支付", "total_fee": "100"}
BAD_ORDER = {"out_trade_no": ("abcd", *NO_NUMBER), "body": ("x" * 129,), "total_fee": NO_FEN}
OLD = {"paytype": "WECHAT", "out_trade_no": "IND00001"}
WALLETS = {"paytype": ("WEIXIN", "wechat")}
BOX = {"device_info": "CySoftPayBox", "op_device_id": "000063066004189990000194"}
BAD_BOX = {"op_device_id": ("a b", "x" * 65), "device_info": ("x" * 65, "a&b")}
INTERFACES = {
    "pay": gateway("pay", "out_trade_no body total_fee auth_code", BAD_ORDER, **ORDER, auth_code="130000000000000200"),
    "facepay": gateway(
        "facepay",
        "paytype openid out_trade_no body total_fee face_code",
        {**BAD_ORDER, **WALLETS},
        **ORDER,
        paytype="WECHAT",
        openid="o1",
        face_code="face00000000000000000000000",
    ),
    "orderquery": gateway("orderquery", "paytype", {**WALLETS, "out_trade_no": NO_NUMBER}, **OLD),
    "cancel": gateway(
        "cancel", "paytype out_trade_no op_user_id", {**WALLETS, "out_trade_no": NO_NUMBER}, **OLD, op_user_id="1"
    ),
    "refund": gateway(
        "refund",
        "paytype out_refund_no total_fee refund_fee op_user_id",
        {**WALLETS, "out_refund_no": NO_NUMBER, "total_fee": NO_FEN, "refund_fee": NO_FEN},
        **OLD,
        out_refund_no="R2",
        total_fee="100",
        refund_fee="10",
        op_user_id="1",
    ),
    "refundquery": gateway(
        "refundquery", "paytype", {**WALLETS, "out_refund_no": NO_NUMBER}, paytype="WECHAT", out_refund_no="R1"
    ),
    "authcodetoopenid": gateway(
        "authcodetoopenid", "auth_code", {"auth_code": ("x" * 65, "a&b")}, auth_code="130000000000000300"
    ),
    "getfaceauth": gateway(
        "getfaceauth",
        "paytype store_id store_name device_id rawdata",
        {**WALLETS, "rawdata": ("中", "a&b"), "store_id": ("x" * 65,)},
        paytype="WECHAT",
        store_id="1",
        store_name="测试",
        device_id="1",
        rawdata="eNPJ",
    ),
    **{
        f"{wallet}_PreOrder": Interface(
            f"/Open/{wallet}_PreOrder",
            {**ORDER, "mch_id": NUMBER, "trade_type": "NATIVE", "product_id": "1"},
            ("mch_id", "out_trade_no", "body", "total_fee", "trade_type"),
            {**BAD_ORDER, "trade_type": ("native", "MWEB"), "notify_url": ("ftp://a/", "中")},
        )
        for wallet in ("WECHAT", "ALIPAY")
    },
    "Mch_Reg": Interface(
        "/UnifiedPay/Mch_Reg",
        {"FullName": "面馆", "Mobile": "13900000001"},
        (),
        {"Mobile": ("1390000000", "139000000011", "１３９００００００００"), "FullName": ("x" * 129,)},
        foreign=False,
    ),
    "GetMchSMSValid": Interface(
        "/Mch/GetMchSMSValid",
        {"mobile": "13800000000"},
        ("mobile",),
        {"mobile": ("1380000000", "138000000000", "abc")},
        foreign=False,
    ),
    "GetMchId": Interface(
        "/Mch/GetMchId",
        {"username": "demo", "password": "demo0password"},
        ("username", "password"),
        {"username": ("x" * 65, "a&b"), "password": ("x" * 65,)},
        foreign=False,
    ),
    "GetPartnerId": Interface("/Open/GetPartnerId", {"mch_id": NUMBER}, ("mch_id",), {"mch_id": NO_NUMBER}),
    "GetMchInfo": Interface("/Open/GetMchInfo", {"mch_id": NUMBER}, ("mch_id",), {"mch_id": NO_NUMBER}),
    "WXA_Code2Session": Interface(
        "/Open/WXA_Code2Session",
        {"appid": "wx4da448cd29920000", "js_code": "023jh17A0Tlixd1ql75A0aLc7A0jabcd"},
        ("appid", "js_code"),
        {"appid": ("a b", "x" * 33), "js_code": ("中", "x" * 129)},
        foreign=False,
    ),
    "wx_addsubdevconfig": Interface(
        "/open/wx_addsubdevconfig",
        {"mch_id": NUMBER, "appid": "wx4da448cd29920000", "jsapi_path": "http://a.com/pay/;http://b.com/pay/"},
        ("mch_id",),
        {"appid": ("a;b", "x" * 33), "jsapi_path": ("ftp://a.com/", "http://a.com/;;", "http://a.com/?b=c")},
    ),
    "PayBoxConfGet": Interface("/Mch/PayBoxConfGet", BOX, tuple(BOX), BAD_BOX, get=True, foreign=False),
    "qrpay": Interface(f"/qrpay/{NUMBER}", BOX, tuple(BOX), BAD_BOX, get=True),
}


@pytest.fixture(params=STORES)
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'world.db'}"
    dsn: str = request.getfixturevalue("postgres_dsn")
    return dsn


def signed(fields: Mapping[str, str], key: str = KEY) -> dict[str, str]:
    told = {"agent_id": AGENT, "pid": "yunpos", "version": "1.0", **fields}
    kept = {name: value for name, value in told.items() if value}
    text = "&".join(f"{name}={kept[name]}" for name in sorted(kept)) + f"&key={key}"
    return {**kept, "sign": hashlib.md5(text.encode(), usedforsecurity=False).hexdigest().upper()}


async def asked(world: World, interface: Interface, body: str, path: str = "") -> dict[str, Any]:
    method, query, content = ("GET", body, b"") if interface.get else ("POST", "", body.encode())
    headers = {"content-type": FORM, "user-agent": "CySoftPayBox"}
    request = HttpRequest(method, path or interface.path, query, headers, content, "127.0.0.1")
    handle = load_dialects()["chaoying"].handle
    assert handle is not None
    response = await handle(request, world.gateway)
    answer: dict[str, Any] = json.loads(response.body)
    assert response.status == 200
    if "sign" in answer:
        told = {name: str(value) for name, value in answer.items() if name != "sign"}
        text = "&".join(f"{name}={told[name]}" for name in sorted(told)) + f"&key={KEY}"
        assert answer["sign"] == hashlib.md5(text.encode(), usedforsecurity=False).hexdigest().upper()
    return answer


async def prepared(world: World) -> None:
    """An order that was paid, and a refund of a part of it where that is asked about."""
    paid = {**INTERFACES["pay"].fields, "out_trade_no": "IND00001", "auth_code": "130000000000000100"}
    assert (await asked(world, INTERFACES["pay"], urlencode(signed(paid))))["code"] == "10000"


async def refused(world: World, name: str, body: str, codes: set[str], path: str = "") -> str:
    answer = await asked(world, INTERFACES[name], body, path)
    assert answer["state"] == "FAIL", (name, body)
    assert answer["code"] in codes, (name, body, answer)
    text: str = answer["msg"]
    return text


@pytest.mark.parametrize("name", INTERFACES)
async def test_an_interface(world: World, name: str) -> None:
    interface = INTERFACES[name]
    await prepared(world)
    if name == "refundquery":
        first = {**INTERFACES["refund"].fields, "out_refund_no": "R1"}
        assert (await asked(world, INTERFACES["refund"], urlencode(signed(first))))["state"] == "SUCCESS"
    acts = await world.store.acts(1_000)
    good = signed(interface.fields)
    # The signature: wrong, of another key, for other values, none, of an agent who does not exist.
    for unproved in (
        {**good, "sign": "0" * 32},
        signed(interface.fields, "another key"),
        {**good, "pid": "other"},
        {each: value for each, value in good.items() if each != "sign"},
        signed({**interface.fields, "agent_id": "1"}),
    ):
        assert "签名错误" in await refused(world, name, urlencode(unproved), {"20002"})
    for missing in ("agent_id", "pid", "version", *interface.need):
        left = signed({**interface.fields, missing: ""})
        told = await refused(world, name, urlencode(left), {"20004"})
        assert missing in told or name == "GetMchId"
    for bad, values in interface.bad.items():
        for value in values:
            told = await refused(world, name, urlencode(signed({**interface.fields, bad: value})), {"20004"})
            assert bad in told
    for doubled in good:
        again = f"{urlencode(good)}&{doubled}={quote(good[doubled])}"
        await refused(world, name, again, {"20004"})
    await refused(world, name, urlencode({**good, "pid": "云"}, encoding="gbk"), {"20004"})
    await refused(world, name, urlencode(signed({**interface.fields, "extra": "x" * 9_000})), {"20004"})
    if interface.foreign:
        foreign = signed(
            {**interface.fields, "mch_id": "00000001"} if "mch_id" in interface.fields else interface.fields
        )
        path = "" if "mch_id" in interface.fields else "/qrpay/00000001"
        await refused(world, name, urlencode(foreign), {"20005"}, path)
    # Nothing of all this was done.
    assert await world.store.acts(1_000) == acts
    assert all(device.dialect != "chaoying" for device in await world.store.devices())
    if interface.fields.get("out_trade_no") == "IND00002":
        asking = signed({**INTERFACES["orderquery"].fields, "out_trade_no": "IND00002"})
        await refused(world, "orderquery", urlencode(asking), {"20007"})
    if name == "refund":
        await refused(
            world,
            "refundquery",
            urlencode(signed({**INTERFACES["refundquery"].fields, "out_refund_no": "R2"})),
            {"20010"},
        )
    if name == "cancel":
        standing = await asked(world, INTERFACES["orderquery"], urlencode(signed(INTERFACES["orderquery"].fields)))
        assert standing["trade_state"] == "SUCCESS"
    answer = await asked(world, interface, urlencode(good))
    assert answer["state"] == "SUCCESS", answer
    assert ("sign" in answer) is not name.endswith("_PreOrder")
    assert answer.get("trade_state", "SUCCESS") == "SUCCESS"


@pytest.mark.parametrize("name", ["orderquery", "cancel", "refund"])
async def test_an_order_that_does_not_exist(world: World, name: str) -> None:
    unknown = signed({**INTERFACES[name].fields, "out_trade_no": "NOBODYS1"})
    await refused(world, name, urlencode(unknown), {"20007"})
