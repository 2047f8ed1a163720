"""Each interface, called once as it should be and once with each kind of fault, by hashlib, urllib and xml.etree alone.

A fault is answered with the vendor's `ok="0"` and a text that names the field and never its value, and changes nothing:
neither the wallet's book nor the store's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

import pytest

from tests.dialects.semoor.desk import (
    CONFIG,
    DEVICE,
    DEVICE_ERROR,
    OP,
    OTHER_DEVICE,
    OTHER_KEY,
    TIME,
    Desk,
    signed,
)

pytestmark = pytest.mark.anyio

#: Filled in when a test runs: a new code, and the dm_id of a payment of 1.00 that was paid before.
NEW_CODE, PAID = "<code>", "<paid>"


@dataclass(frozen=True)
class Interface:
    """One signed interface: a right request, and the values that its fields must not have."""

    name: str
    path: str
    fields: Mapping[str, str]
    optional: frozenset[str] = frozenset()
    bad: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


AMOUNTS = ("0", "0.00", "-1", "-0.01", "1e3", "0.001", "1.", ".5", "01", "１", " 1", "1_0", "+1", "100000000", "NaN")
DM_IDS = ("12611181906400000001", "dm", "dm1x", "DM1", "dm-1", "dm１", "dm" + "1" * 21)
INTERFACES = (
    Interface("config", CONFIG, {}),
    Interface("time", TIME, {}),
    Interface(
        "micropay",
        OP,
        {
            "action": "micropay",
            "authcode": NEW_CODE,
            "paytype": "wxpay",
            "total": "1.00",
            "dic_amount": "0.50",
            "info": "茶",
            "infoaddo": "桌 5\r\n",
            "operator_id": "小王",
            "no": "T-1",
        },
        frozenset({"dic_amount", "info", "infoaddo", "operator_id", "no"}),
        {
            "authcode": ("1" * 65, "13&x=1"),
            "paytype": ("wechat", "WXPAY", "wxpay "),
            "total": AMOUNTS,
            "dic_amount": tuple(each for each in AMOUNTS if each not in ("0", "0.00")),
            "info": ("茶" * 129, "two\r\nlines"),
            "infoaddo": ("x" * 1025,),
            "operator_id": ("x" * 33, "a&b", "a\nb"),
            "no": ("x" * 33, "号", "a b", "a&b"),
        },
    ),
    Interface(
        "querytimeout",
        OP,
        {"action": "querytimeout", "authcode": NEW_CODE, "no": "PAID-1"},
        frozenset({"authcode", "no"}),
        {"authcode": ("1" * 65,), "no": ("x" * 33, "号")},
    ),
    Interface("query", OP, {"action": "query", "dm_id": PAID}, bad={"dm_id": DM_IDS}),
    Interface(
        "refund",
        OP,
        {"action": "refund", "dm_id": PAID, "refund": "0.10", "no": "R-1", "operator_id": "小王"},
        frozenset({"no", "operator_id"}),
        {"dm_id": DM_IDS, "refund": AMOUNTS, "no": ("x" * 33, "号"), "operator_id": ("x" * 33,)},
    ),
    Interface("read", OP, {"action": "read", "dm_id": PAID}, bad={"dm_id": DM_IDS}),
)
every_interface = pytest.mark.parametrize("interface", INTERFACES, ids=lambda each: str(each.name))


class Scene:
    """A desk with one payment behind it."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.paid = ""

    async def ready(self, interface: Interface) -> dict[str, str]:
        """A right request of this interface, not yet signed."""
        self.paid = await self.desk.paid("1.00", no="PAID-1")
        code = self.desk.code()
        known = {NEW_CODE: code, PAID: self.paid}
        return {"device_id": DEVICE, **{name: known.get(value, value) for name, value in interface.fields.items()}}

    async def refused(self, fields: Mapping[str, str], interface: Interface, key: str | None = None) -> str:
        """The text of a refusal that changed nothing."""
        return await self.refused_bytes(urlencode(signed(fields, *([key] if key else []))).encode(), interface)

    async def refused_bytes(self, body: bytes, interface: Interface) -> str:
        before = await self.desk.book(), await self.bill()
        answer = await self.desk.post(body, interface.path)
        assert (await self.desk.book(), await self.bill()) == before
        assert answer.get("ok") == "0"
        assert set(answer.attrib) == {"ok", "info"}
        assert list(answer) == []
        text = answer.get("info")
        assert text
        return text

    async def bill(self) -> list[dict[str, str]]:
        answer = await self.desk.call({"action": "read", "dm_id": self.paid})
        return [dict(each.attrib) for each in answer.iter()]


@pytest.fixture
def scene(desk: Desk) -> Scene:
    return Scene(desk)


@every_interface
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_right_request(scene: Scene, interface: Interface, method: str) -> None:
    fields = await scene.ready(interface)
    sent = urlencode(signed(fields))
    answer = await (
        scene.desk.get(sent, interface.path) if method == "GET" else scene.desk.post(sent.encode(), interface.path)
    )
    assert answer.get("ok") == "1"
    # Other escapes, another order, the digest in lower case: the same request.
    other = dict(reversed(signed(fields).items()))
    other["sign"] = other["sign"].lower()
    again = await scene.desk.get(
        "&".join(f"{name}={quote(text, safe='')}" for name, text in other.items()), interface.path
    )
    assert (again.attrib, len(again)) == (answer.attrib, len(answer))


@every_interface
async def test_only_what_is_required_is_required(scene: Scene, interface: Interface) -> None:
    fields = await scene.ready(interface)
    for name in fields:
        for broken in ({**fields, name: ""}, {each: text for each, text in fields.items() if each != name}):
            if name not in interface.optional:
                assert await scene.refused(broken, interface) == f"参数错误：缺少{name}"
    least = {name: text for name, text in fields.items() if name not in interface.optional}
    if interface.name == "querytimeout":
        least["no"] = fields["no"]
    assert (await scene.desk.send(least, interface.path)).get("ok") == "1"


@every_interface
async def test_a_bad_value_is_named_and_not_repeated(scene: Scene, interface: Interface) -> None:
    fields = await scene.ready(interface)
    for name, values in {**interface.bad, "device_id": ("x" * 33, "机", "a b", "1&2")}.items():
        for value in values:
            text = await scene.refused({**fields, name: value}, interface)
            assert text.startswith(f"参数错误：{name}"), (name, value, text)
            assert len(value) < 4 or value not in text


@every_interface
async def test_a_signature_that_is_not_right(scene: Scene, interface: Interface) -> None:
    fields = await scene.ready(interface)
    right = signed(fields)
    unsigned = {name: text for name, text in right.items() if name != "sign"}
    wrong = [
        {**right, "sign": "0" * 40},
        {**right, "sign": ""},
        {**right, "sign": right["sign"][:-1]},
        {**right, "sign": "０" * 40},
        unsigned,
        {**right, "unknown": "x"},
        signed(fields, "0" * 40),
        signed(fields, OTHER_KEY),
        signed({**fields, "device_id": "99999"}),
        signed({**fields, "device_id": "99999"}, "0" * 40),
        {**signed({**fields, "device_id": "99999"}), "device_id": DEVICE},
    ]
    for each in wrong:
        assert await scene.refused_bytes(urlencode(each).encode(), interface) == DEVICE_ERROR
    for name in fields:
        changed = {**right, name: f"{right[name]}1"}
        assert await scene.refused_bytes(urlencode(changed).encode(), interface) == DEVICE_ERROR


@every_interface
async def test_a_field_twice_in_two_places_or_of_another_charset(scene: Scene, interface: Interface) -> None:
    fields = await scene.ready(interface)
    body = urlencode(signed(fields))
    for name in signed(fields):
        assert name in await scene.refused_bytes(f"{body}&{name}=1".encode(), interface)
    broken = [
        f"{body}&x=%D6%D0".encode(),
        f"{body}&x=".encode() + "中".encode("gbk"),
        f"{body}&x=%".encode(),
        f"{body}&x=%00".encode(),
        f"{body}&{'x' * 65}=1".encode(),
        b"{}",
        b"<dm/>",
    ]
    for each in broken:
        assert (await scene.refused_bytes(each, interface)).startswith("参数错误：")
    assert "过长" in await scene.refused_bytes(f"{body}&x={'1' * 70_000}".encode(), interface)
    for changes in ({"content_type": "application/json"}, {"content_type": "text/xml"}):
        answer = await scene.desk.post(body.encode(), interface.path, **changes)
        assert (answer.get("ok"), str(answer.get("info"))[:5]) == ("0", "参数错误：")
    in_both = await scene.desk.ask("POST", interface.path, "device_id=1", body.encode())
    for method, query, sent in (("HEAD", body, b""), ("PUT", "", body.encode()), ("GET", "", body.encode())):
        assert (await scene.desk.ask(method, interface.path, query, sent)).body == in_both.body
    assert scene.desk.read(in_both).get("ok") == "0"


@every_interface
async def test_another_merchant_finds_nothing_of_it(scene: Scene, interface: Interface) -> None:
    fields = await scene.ready(interface)
    await scene.desk.other_merchant()
    fields["device_id"] = OTHER_DEVICE
    if "dm_id" in fields or interface.name == "querytimeout":
        text = await scene.refused(fields, interface, OTHER_KEY)
        assert text == "账单不存在或未发起收款，请核对编号；确认顾客未付款后可重新收款"
    else:
        answer = await scene.desk.send(fields, interface.path, OTHER_KEY)
        assert answer.get("ok") == "1"
        assert answer.findtext("paylist/pay/company") in (None, "另一家商户")


async def test_an_unknown_bill_and_an_unknown_action(scene: Scene) -> None:
    fields = await scene.ready(INTERFACES[4])
    unknown = {**fields, "dm_id": "dm12611181906409999001"}
    assert (await scene.refused(unknown, INTERFACES[4])).startswith("账单不存在")
    for action in ("cancel", "QUERY", "query;read"):
        text = await scene.refused({**fields, "action": action}, INTERFACES[4])
        assert text.startswith("参数错误：action须为")


async def test_codes_of_no_wallet(scene: Scene) -> None:
    fields = await scene.ready(INTERFACES[2])
    for code in ("160000000000000000", "13", "１３0000000000000000", "13000000000000000a"):
        text = await scene.refused({**fields, "authcode": code}, INTERFACES[2])
        assert text == "付款码无效，请让顾客刷新付款码后重新扫码"


async def test_refunds_that_cannot_be(scene: Scene) -> None:
    fields = await scene.ready(INTERFACES[5])
    too_much = "累计退款超过实付金额，请核对退款金额"
    assert await scene.refused({**fields, "refund": "1.01"}, INTERFACES[5]) == too_much
    waiting = await scene.desk.call(scene.desk.order("03"))
    text = await scene.refused({**fields, "dm_id": str(waiting.get("dm_id"))}, INTERFACES[5])
    assert text == "账单未支付或正在撤销，不能退款，请先查询"


async def test_activation_without_a_code(desk: Desk) -> None:
    for body, text in [
        (b"", "参数错误：缺少code"),
        (b"code=", "参数错误：缺少code"),
        (b"code=abc", "参数错误：code须为8到32位数字的激活码"),
        (b"code=1&code=2", "参数错误：code重复、不能使用或格式不正确"),
    ]:
        answer = await desk.post(body, "/o2o_dmprinter/active.php")
        assert (answer.get("ok"), answer.get("info")) == ("0", text)
