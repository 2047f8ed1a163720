"""Something of ours breaks behind the wallet's back: the money moved, and nobody is told that it did not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

import pytest

from anytill.dialects.yst import DIALECT
from anytill.ports import Unreachable
from anytill.transports.http_server import Application, Route
from anytill.wire.http import HttpRequest, HttpResponse
from tests.dialects.yst import desk as till
from tests.dialects.yst.desk import DSN, PATH, Answer, Desk, answer_of
from tests.transports.fakes import Remembered, Served

pytestmark = pytest.mark.anyio

OUR_FAULT = {"code": "E10008", "result": "Y", "status": "W"}


class Shop:
    """The real server, and a till that speaks to it over a socket."""

    def __init__(self, desk: Desk, server: Served) -> None:
        self.desk = desk
        self.server = server

    async def call(self, request_type: str, fields: Mapping[str, str]) -> Answer:
        body = till.request(request_type, fields)
        head = f"POST {PATH} HTTP/1.1\r\nhost: till\r\nconnection: close\r\ncontent-length: {len(body)}\r\n\r\n"
        answer = await self.server.exchange(head.encode() + body)
        assert answer.startswith(b"HTTP/1.1 200 ")
        return answer_of(answer.partition(b"\r\n\r\n")[2])


@pytest.fixture
async def shop(desk: Desk) -> AsyncIterator[Shop]:
    async def handle(request: HttpRequest) -> HttpResponse:
        assert DIALECT.handle is not None
        return await DIALECT.handle(request, desk.world.gateway)

    route = Route("POST", PATH, on_error=DIALECT.system_error)
    async with Served(Application([(route, handle)], watch=Remembered())) as server:
        yield Shop(desk, server)


async def broken(
    shop: Shop, patch: pytest.MonkeyPatch, write: str, request_type: str, fields: Mapping[str, str]
) -> None:
    """The request, while the store fails to write down what the wallet did."""

    async def fail(*_args: object) -> bool:
        raise OSError("the disk is full")

    with patch.context() as broken_store:
        broken_store.setattr(shop.desk.world.store, write, fail)
        answer = await shop.call(request_type, fields)
    assert {name: answer[name] for name in OUR_FAULT} == OUR_FAULT
    assert answer["response_type"] == request_type.replace("_request", "_response")
    assert "结果未知" in answer["msg"]
    assert not answer.lines


async def test_a_payment(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    fields = shop.desk.barcode(total_fee="500")
    await broken(shop, monkeypatch, "move_payment", "unitive_pay_request", fields)
    assert (await shop.desk.world.book(fields["req_seq"]))["net_fen"] == 500
    assert (await shop.call("unitive_pay_request", fields))["status"] == "W"
    await shop.desk.world.pass_s(60)
    for name, sent in (("pay", fields), ("query_pay", shop.desk.asking(fields["req_seq"]))):
        assert (await shop.call(f"unitive_{name}_request", sent))["code"] == "E11000"
    await shop.desk.world.check_books(fields["req_seq"])


async def test_a_question_about_it(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    fields = shop.desk.barcode("06")
    assert (await shop.call("unitive_pay_request", fields))["code"] == "E11103"
    asking = shop.desk.asking(fields["req_seq"])
    for name in ("unitive_query_pay_request", "unitive_native_query_pay_request"):
        await broken(shop, monkeypatch, "move_payment", name, asking)
    assert (await shop.call("unitive_query_pay_request", asking))["code"] == "E11000"


async def test_a_refund_and_a_question_about_it(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    paid = await shop.call("unitive_pay_request", shop.desk.barcode(total_fee="500"))
    fields = shop.desk.refund(paid["trans_seq"], 100)
    await broken(shop, monkeypatch, "move_refund", "unitive_refund_request", fields)
    await shop.desk.world.pass_s(30)
    asking = shop.desk.asking(fields["req_seq"], trans_seq=paid["trans_seq"])
    await broken(shop, monkeypatch, "refund", "unitive_query_refund_request", asking)
    assert (await shop.call("unitive_query_refund_request", asking))["code"] == "E13000"
    again = await shop.call("unitive_refund_request", fields)
    assert (again["code"], again["refund_fee"]) == ("E13000", "100")


async def test_a_revocation(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    fields = shop.desk.barcode()
    await shop.call("unitive_pay_request", fields)
    asking = shop.desk.asking(fields["req_seq"])
    await broken(shop, monkeypatch, "move_payment", "unitive_revoke_request", asking)
    assert (await shop.call("unitive_revoke_request", asking))["code"] == "E13000"
    assert (await shop.desk.world.book(fields["req_seq"]))["net_fen"] == 0


@pytest.mark.parametrize("body", [b"garbage", till.request("unitive_pay_request", {}).replace(DSN.encode(), b"x")])
def test_without_a_dsn_it_is_told_in_the_open(body: bytes) -> None:
    answer = answer_of(DIALECT.system_error(HttpRequest("POST", PATH, "", {}, body, "")).body)
    assert answer.is_open
    assert {name: answer[name] for name in OUR_FAULT} == OUR_FAULT


async def test_our_client_hears_no_answer_in_it(desk: Desk) -> None:
    async def send(request: HttpRequest) -> HttpResponse:
        return DIALECT.system_error(request)

    client = DIALECT.client(DIALECT.sandbox_settings("http://127.0.0.1:8000"), send)
    with pytest.raises(Unreachable):
        await client.pay(desk.world.order())
