"""A terminal that says what a test tells it to: a `ports.Send` that records what it was asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from anytill.core.secret import Secret
from anytill.dialects.qfpay import codec
from anytill.dialects.qfpay.codec import Opened, PosKey, Reply, Told
from anytill.ports import Unreachable
from anytill.wire.http import HttpRequest, HttpResponse
from anytill.wire.jsontext import Json

POS_KEY = "f46b1f08bec1f39104792cc79ec9aacd"
KEY = PosKey(Secret(POS_KEY))
SYSSN = "12611211605300000001"

#: An answer, raw bytes, or None for a line that breaks; or what makes one of them.
Said = Told | bytes | None
Answers = Said | Callable[[Mapping[str, str]], Said]


def paid(**changes: Json) -> Told:
    """What a terminal says of the trade N1 of HKD 1.00, which was paid."""
    data: dict[str, Json] = {
        "respcd": "0000",
        "syssn": SYSSN,
        "out_trade_no": "N1",
        "busicd": "800208",
        "txamt": "100",
        "txcurrcd": "344",
        "chnlsn": "4200001",
        "paydtm": "2026-11-21 16:05:30",
        "cardNo": None,
    }
    return Told("6000", {**data, **changes}, "Transaction successful")


def no_such() -> Told:
    """What it says of a number that it does not know."""
    return Told("6002", {"respcd": "1136"}, "There is no such transaction", "There is no such transaction")


class Scripted:
    """Answers in the order of its script; when that is at its end, the last answer again."""

    def __init__(self, *script: Answers, reply: Reply | None = None, status: int = 200) -> None:
        self.asked: list[Mapping[str, str]] = []
        self.paths: list[str] = []
        self.forms: list[str] = []
        self._script = list(script)
        self._reply = reply
        self._status = status

    @property
    def functions(self) -> list[str]:
        """The functions that were asked for."""
        return [content["func_type"] for content in self.asked]

    async def __call__(self, request: HttpRequest) -> HttpResponse:
        """See `ports.Send`."""
        opened = codec.open_request(request.body, [KEY], plain=True)
        self.asked.append(opened.content)
        self.paths.append(request.path)
        self.forms.append(opened.form)
        said = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        return self._response(opened, said(opened.content) if callable(said) else said)

    def _response(self, opened: Opened, said: Said) -> HttpResponse:
        if said is None:
            raise Unreachable("the line broke")
        body = said if isinstance(said, bytes) else codec.seal_answer(said, KEY, self._reply or opened.reply)
        return HttpResponse(self._status, body, "text/plain")
