"""Every sample answer of the document, beside the answer to a real request: the same fields, types, units and shape."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping

import pytest

from tests.dialects.semoor.desk import CANVAS, VECTORS, Desk, tree

pytestmark = pytest.mark.anyio

#: What a value of each name looks like, in the samples and in our answers.
LOOKS: Mapping[str, str] = {
    "ok": r"1|0|-1",
    "total": r"-?\d+\.\d\d",
    "pay_total": r"-?\d+\.\d\d",
    "refund_total": r"-\d+\.\d\d",
    "pay_type": r"\d|微信",
    "pay_name": "微信",
    "pay_time": r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d",
    "dm_id": r"dm\d{10,20}",
    "remark": r"42\d{26}",
    "pay_id": r"42\d{26}|dm\d{20,30}",
    "openid": r"\S+",
    "no": "",
    "type_id": "2",
    "info": r"支付成功 \[支付金额:\d+\.\d\d元\]|退款成功",
    "id": r"\d{10,20}",
    "device_id": r"\d+",
    "tabno": "",
    "company": ".+",
    "opentime": r"|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d",
    "paymode": "微信",
    "user": "",
    "total_fee": r"\d+",
    "time": r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d",
}
#: In a slip: the codes and labels stay, what they frame may be anything.
CODE = re.compile(r"(?:\\x[0-9A-Fa-f]{2})+")


def sample(name: str) -> ET.Element:
    (found,) = [vector for vector in VECTORS["source_answers"] if vector["name"] == name]
    return tree(found["xml"])


def shape(element: ET.Element) -> tuple[object, ...]:
    """Names of attributes and elements, in their order; whether there is text."""
    inner = tuple(shape(child) for child in element)
    names = tuple(element.attrib) if element.tag in ("dm", "pay") else tuple(sorted(element.attrib))
    return element.tag, names, inner


def check_looks(element: ET.Element) -> None:
    texts = dict(element.attrib) | {child.tag: child.text or "" for child in element.iter() if child.tag in LOOKS}
    for name, text in texts.items():
        if name in LOOKS:
            assert re.fullmatch(LOOKS[name], text), (name, text)
    for child in element:
        if child.tag in ("paylist", "pay"):
            check_looks(child)


def skeleton(slip: str) -> list[tuple[str, ...]]:
    """A slip line by line: its codes, and the label before a colon."""
    return [(*(code.lower() for code in CODE.findall(line)), label_of(line)) for line in slip.strip().splitlines()]


def label_of(line: str) -> str:
    text = CODE.sub("", line).strip()
    if set(text) == {"-"}:
        return "rule"
    return text.partition(":")[0] if ":" in text else ""


def same(real: ET.Element, name: str) -> None:
    expected = sample(name)
    assert shape(real) == shape(expected)
    check_looks(expected)
    check_looks(real)


async def test_micropay_long_form(desk: Desk) -> None:
    real = await desk.call(desk.order(total="0.01"))
    same(real, "micropay, long form")
    printed = real.findtext("paylist/pay/printinfo") or ""
    assert skeleton(printed) == skeleton(VECTORS["source_slips"]["payment"])
    assert real.findtext("paylist/pay/total_fee") == "1"
    popup, expected = real.find(CANVAS), sample("micropay, long form").find(CANVAS)
    assert popup is not None
    assert expected is not None
    check_popup(popup, expected)


async def test_micropay_short_form(desk: Desk) -> None:
    await desk.options(receipt="off")
    same(await desk.call(desk.order(total="0.01")), "micropay, short form")


async def test_both_queries_answer_as_micropay(desk: Desk) -> None:
    order = desk.order(total="0.01")
    paid = await desk.call(order)
    by_id = await desk.call({"action": "query", "dm_id": str(paid.get("dm_id"))})
    by_code = await desk.call({"action": "querytimeout", "authcode": order["authcode"]})
    assert ET.tostring(by_id) == ET.tostring(by_code) == ET.tostring(paid)


async def test_refund(desk: Desk) -> None:
    dm_id = await desk.paid("0.01")
    desk.world.clock.advance(60_000)
    real = await desk.call({"action": "refund", "dm_id": dm_id, "refund": "0.01", "operator_id": "某"})
    same(real, "refund")
    printed = real.findtext("paylist/pay/printinfo") or ""
    assert skeleton(printed) == skeleton(VECTORS["source_slips"]["refund"])
    assert "(57206)" in printed
    popup, sample_popup = real.find(CANVAS), sample("refund").find(CANVAS)
    assert popup is not None
    assert sample_popup is not None
    check_popup(popup, sample_popup)
    paid_at, back_at = real.findtext("paylist/pay/time"), real.get("pay_time")
    assert (paid_at, back_at) == ("2026-11-18 19:06:40", "2026-11-18 19:07:40")


async def test_a_bill_without_with_one_and_with_two_refunds(desk: Desk) -> None:
    dm_id = await desk.paid("0.02")
    read = {"action": "read", "dm_id": dm_id}
    real = await desk.call(read)
    same(real, "read, no refund")
    for name in ("read, one refund", "read, two refunds"):
        # Seven minutes apart, as in the document: with equal signatures they are two refunds.
        desk.world.clock.advance(426_000)
        await desk.call({"action": "refund", "dm_id": dm_id, "refund": "0.01"})
        real = await desk.call(read)
        same(real, name)
    assert [pay.get("pay_total") for pay in real] == ["0.02", "-0.01", "-0.01"]
    assert (real.get("pay_total"), real.get("refund_total")) == ("0.02", "-0.02")
    seconds = [str(pay.get("pay_id")).removeprefix(dm_id) for pay in list(real)[1:]]
    assert seconds == [str(1_795_000_000 + 426), str(1_795_000_000 + 852)]


async def test_reprint(desk: Desk) -> None:
    dm_id = await desk.paid("0.01")
    await desk.world.work()
    printed = await desk.slip(f"reprint&dm_id={dm_id.removeprefix('dm')}&custom_series")
    real = skeleton(printed)
    assert "（重打印）" in printed
    # Our mark of a reprint is the one line that the document's sample does not have; the sample ends before the cut.
    expected = skeleton(VECTORS["source_slips"]["reprint"])
    assert [*real[:2], *real[3:]][: len(expected)] == expected
    assert printed.endswith("\\x1B\\x69")


def check_popup(real: ET.Element, expected: ET.Element) -> None:
    """The same places, sizes and colours; the same label before each text."""
    assert real.attrib == expected.attrib
    assert len(real) == len(expected)
    for ours, theirs in zip(real, expected, strict=True):
        without = ({k: v for k, v in each.attrib.items() if k != "Text"} for each in (ours, theirs))
        assert next(without) == next(without)
        labels = (str(each.get("Text", "")).partition(":")[0] for each in (ours, theirs))
        assert next(labels) == next(labels)
