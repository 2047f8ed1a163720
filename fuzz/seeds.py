"""Genuine messages of a dialect: what its own client sends, gets and hears, wired to its own server over a desk.

Three parties send: one whose key is right, a neighbour with a credential of its own, and a stranger with a wrong key
under the first one's name. What each message made the gateway do is noted with it. Since nothing is known of the
vendor's fields, the optional ones are found by trying the words that stand in the dialect's own source; and because
attacks hide fields in free text, there are genuine messages with names of fields in their texts.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any, Final

from anytill import dialects
from anytill.bootstrap.demo import DEMO_MOBILE, DEMO_PASSWORD, DEMO_USERNAME
from anytill.core.device import Device
from anytill.core.errors import Refusal
from anytill.core.lifecycle import PaymentState
from anytill.core.merchant import Credential, Merchant
from anytill.core.notice import Notice
from anytill.core.payment import AT_THE_TILL, Method, PaymentRef, PayOrder, RefundOrder, RefundRef
from anytill.core.secret import Secret
from anytill.core.wallet import Wallet
from anytill.dialects import Client, Dialect
from anytill.ports import Send, Unreachable
from anytill.wire.errors import WireError
from anytill.wire.http import HttpRequest, HttpResponse
from fuzz import known
from fuzz.desk import NOW_MS, Asked, Desk
from fuzz.fieldwise import without_digests
from fuzz.messages import Message, of_request, of_response
from fuzz.running import run
from fuzz.words import Words, words_of

BASE_URL: Final = "http://127.0.0.1:8000"
NOTICE_URL: Final = "http://127.0.0.1:9999/notify"
EVIL_URL: Final = "http://127.0.0.1:6666/evil"
#: What some vendors demand of orders that wait for the payer; a dialect that needs none ignores them.
DETAILS: Final = {
    "sub_appid": "wx4da448cd29920000",
    "product_id": "P1",
    "ip": "125.71.132.197",
    "redirect_url": "https://shop.example/paid",
}
#: Tried for fields of which nothing is known but the name.
_TRIED: Final = ("1", "Y", "A1", "text & more", "127.0.0.1", "http://127.0.0.1:9999/x", "20261118120000", "[]")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{1,31}")
_PREFIXES: Final = {
    Wallet.WECHAT: "13",
    Wallet.ALIPAY: "28",
    Wallet.UNIONPAY: "62",
    Wallet.QQ: "91",
    Wallet.JDPAY: "18",
    Wallet.BESTPAY: "51",
}
_TILL: Final = frozenset({"pay", "query", "cancel", "refund", "query_refund"})

Call = Callable[[Client], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Seed:
    """A genuine message and what it meant: digests of what was asked, or of the payment that was heard of."""

    what: str
    message: Message
    meant: frozenset[str]
    trusted: bool = True  # signed by somebody whom the other side knows
    weight: int = 10
    hiding: bool = False  # fields stand hidden in its texts
    asked: tuple[Asked, ...] = ()
    answers: int = -1  # for an answer: which talk it belongs to …
    turn: int = 0  # … and which answer of it


@dataclass(frozen=True, slots=True)
class Talk:
    """A client's call: what was sent and answered, and what the client made of it."""

    what: str
    call: Call
    answers: tuple[Message, ...]
    value: object
    signed: bool  # answers of this call are believed only from whoever holds the key


@dataclass(frozen=True, slots=True)
class Genuine:
    """All that a dialect gives to start from."""

    dialect: Dialect
    requests: Sequence[Seed]
    notices: Sequence[Seed]
    answers: Sequence[Seed]
    talks: Sequence[Talk]
    words: Words
    desk: Desk
    open_calls: frozenset[tuple[str, str]]  # what a stranger got: (path, operation)
    unsigned: frozenset[str]  # the sorts of calls whose answers were believed without a signature
    faults: Sequence[str] = ()  # calls of the client that went wrong by themselves

    def client(self, send: Send) -> Client:
        """The client of the demo's merchant."""
        return self.dialect.client(self.dialect.sandbox_settings(BASE_URL), send)


@dataclass
class _Exchange:
    request: Message
    answer: Message
    asked: tuple[Asked, ...]


@dataclass
class _Party:
    """Somebody who sends, with settings and a credential."""

    name: str
    settings: Mapping[str, str]
    credential: Credential
    trusted: bool = True


@dataclass
class _Writing:
    """Genuine messages as they are being written."""

    dialect: Dialect
    desk: Desk
    seeds: list[Seed] = field(default_factory=list)
    talks: list[Talk] = field(default_factory=list)
    answers: list[Seed] = field(default_factory=list)
    open_calls: set[tuple[str, str]] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)
    orders: int = 0

    def order(self, method: Method, wallet: Wallet, **changes: Any) -> PayOrder:
        """A new order."""
        self.orders += 1
        number = self.orders
        at_the_till = method in AT_THE_TILL
        order = PayOrder(
            order_no=f"T{number:08d}",
            amount_fen=100 + number,
            method=method,
            subject="测试 goods",
            pay_code=Secret(f"{_PREFIXES[wallet]}{number:014d}00") if at_the_till else None,
            wallet=wallet,
            payer_id="" if method is Method.BARCODE else "payer0001",
            notice_url=NOTICE_URL,
            details=DETAILS,
        )
        return replace(order, **changes)

    def exchanges(self, party: _Party, call: Call) -> tuple[list[_Exchange], object]:
        """What a call makes a fresh client send, and what comes of it; None when that is a refusal."""
        done: list[_Exchange] = []
        handle = self.dialect.handle
        assert handle is not None, f"{self.dialect.name} is served by terminals"

        async def send(request: HttpRequest) -> HttpResponse:
            self.desk.fresh()
            message = of_request(request)
            response = await handle(message.request(), self.desk)  # type: ignore[arg-type]
            done.append(_Exchange(message, of_response(response), tuple(self.desk.asked)))
            return response

        try:
            value = run(call(self.dialect.client(party.settings, send)))
        except (Refusal, WireError, Unreachable):
            return done, None
        return done, value

    def act(self, party: _Party, what: str, call: Call, weight: int = 10, *, hiding: bool = False) -> object:
        """One call, its requests and answers kept; what came of it."""
        done, value = self.exchanges(party, call)
        for each in done:
            if party.trusted:
                meant, meaning = frozenset(asked.digest for asked in each.asked), each.asked
            else:
                meant, meaning = frozenset(), ()
                self.open_calls |= {(each.request.path, asked.name) for asked in each.asked}
            self.seeds.append(
                Seed(f"{party.name}: {what}", each.request, meant, party.trusted, weight, hiding, meaning)
            )
        if party.name == "own" and weight >= 10 and done:
            answers = tuple(each.answer for each in done)
            self.talks.append(Talk(what, call, answers, value, signed=False))
            for turn, answer in enumerate(answers):
                self.answers.append(Seed(what, answer, frozenset(), answers=len(self.talks) - 1, turn=turn))
        return value


def genuine(dialect: Dialect) -> Genuine:
    """Everything genuine of a dialect."""
    own, neighbour, stranger = parties = _parties(dialect)
    merchant = Merchant(
        "demo", "演示商户 Demo Shop", "演示 Demo", mobile=DEMO_MOBILE, username=DEMO_USERNAME, trade_code="a1b2c3d4e5"
    )
    device = Device(dialect.name, dialect.sandbox.login, "demo")
    desk = Desk([own.credential, neighbour.credential], merchant, device)
    writing = _Writing(dialect, desk)
    names = _source_names(dialect)
    for party in parties:
        _till_calls(writing, party)
        _other_calls(writing, party)
    details = _optional_fields(writing, own, names)
    _hidden_borders(writing, own, details)
    notices = _notices(writing, parties)
    desk.freeze()
    messages = [seed.message for seed in (*writing.seeds, *notices, *writing.answers)]
    words = words_of(messages, names, dialect.routes)
    believed = {_sort(talk) for talk in writing.talks if talk.value is not None}
    unsigned = believed - {_sort(talk) for talk in writing.talks if _is_signed(dialect, stranger, talk)}
    talks = [replace(talk, signed=_sort(talk) not in known.unsigned(dialect.name)) for talk in writing.talks]
    return Genuine(
        dialect=dialect,
        requests=writing.seeds,
        notices=notices,
        answers=writing.answers,
        talks=talks,
        words=words,
        desk=desk,
        open_calls=frozenset(writing.open_calls),
        unsigned=frozenset(unsigned),
        faults=writing.faults,
    )


# Who sends


def _parties(dialect: Dialect) -> tuple[_Party, _Party, _Party]:
    access = dialect.sandbox
    settings = dict(dialect.sandbox_settings(BASE_URL))
    own = Credential(
        dialect=dialect.name,
        login=access.login,
        secret=Secret(access.secret),
        merchants={access.number: "demo"},
        options=access.options,
        password=Secret(access.password) if access.password else None,
    )
    wrong = _turned(access.secret)
    login = _turned(access.login)
    theirs = replace(own, login=login, secret=Secret(wrong), merchants={access.number: "neighbour"})
    with_wrong_key = {name: wrong if value == access.secret else value for name, value in settings.items()}
    with_other_login = {name: login if value == access.login else value for name, value in with_wrong_key.items()}
    return (
        _Party("own", settings, own),
        _Party("neighbour", with_other_login, theirs),
        _Party("stranger", with_wrong_key, replace(own, secret=Secret(wrong)), trusted=False),
    )


def _turned(text: str) -> str:
    """Another text of the same letters."""
    turned = text[::-1]
    return turned if turned != text else text[1:] + text[:1]


# What is asked


def _till_calls(writing: _Writing, party: _Party) -> None:
    """Everything that a till can ask for, on several kinds of order."""
    for method, wallet in product(Method, _PREFIXES):
        if method not in writing.dialect.methods or (method is not Method.BARCODE and wallet not in _AT_THE_PHONE):
            continue
        order = writing.order(method, wallet)
        writing.act(party, f"pay {method} {wallet}", _pay(order))
        if wallet is Wallet.WECHAT:
            _ways_to_pay(writing, party, method)
            _after_paying(writing, party, order)


_AT_THE_PHONE: Final = (Wallet.WECHAT, Wallet.ALIPAY)


def _ways_to_pay(writing: _Writing, party: _Party, method: Method) -> None:
    changes: tuple[dict[str, Any], ...] = (
        {"attach": "table=7", "subject": "coffee"},
        {"attach": "红茶 100% & 2+2=4", "subject": "茶"},
        {"amount_fen": 1},
        {"amount_fen": 12_345_600, "details": {}},
        {"order_no": ""},
        {"notice_url": ""},
        {"expires_in_s": 300},
    )
    for change in changes:
        writing.act(party, f"pay {method} {sorted(change)}", _pay(writing.order(method, Wallet.WECHAT, **change)))


def _after_paying(writing: _Writing, party: _Party, order: PayOrder) -> None:
    """What is asked about an order that is there, each by a client that has never seen it."""
    stored = run(writing.desk.till(party.credential, next(iter(party.credential.merchants))).pay(order))
    whole = stored.ref
    for ref in (whole, PaymentRef(order_no=whole.order_no), PaymentRef(payment_id=whole.payment_id)):
        writing.act(party, "query", _later("query", ref))
        writing.act(party, "cancel", _later("cancel", ref))
    for number, (amount_fen, beginning) in enumerate(((1, "R1"), (50, "R2"), (order.amount_fen, "R3"), (7, ""))):
        refund_no = beginning and f"{beginning}{order.order_no}"
        refund = RefundOrder(whole, refund_no, amount_fen, reason="tea", repeat_key="" if refund_no else f"k{number}")
        writing.act(party, f"refund {amount_fen}", _later("refund", refund))
        if refund_no:
            writing.act(party, "query_refund", _later("query_refund", RefundRef(refund_no=refund_no)))


def _pay(order: PayOrder) -> Call:
    return lambda client: client.pay(order)


def _later(name: str, argument: object) -> Call:
    def call(client: Client) -> Awaitable[object]:
        method: Callable[[object], Awaitable[object]] = getattr(client, name)
        return method(argument)

    return call


def _other_calls(writing: _Writing, party: _Party) -> None:
    """Whatever else the client can ask for: every public coroutine of its class, with made-up arguments."""
    kind = type(writing.dialect.client(party.settings, _nowhere))
    for name, member in inspect.getmembers(kind, inspect.iscoroutinefunction):
        if name.startswith("_") or name in _TILL:
            continue
        for arguments in _made_up(member, writing.dialect):
            try:
                writing.act(party, name, _with_arguments(name, arguments))
            except Exception as fault:  # noqa: BLE001 - it may be the arguments, which nobody meant
                writing.faults.append(f"{name}: {type(fault).__name__} {fault}")


async def _nowhere(request: HttpRequest) -> HttpResponse:
    raise Unreachable


def _with_arguments(name: str, arguments: Mapping[str, object]) -> Call:
    def call(client: Client) -> Awaitable[object]:
        method: Callable[..., Awaitable[object]] = getattr(client, name)
        return method(**arguments)

    return call


def _made_up(member: Callable[..., object], dialect: Dialect) -> Iterator[dict[str, object]]:
    """Arguments by their types and names: those that must be given, and then all."""
    parameters = [*inspect.signature(member, eval_str=True).parameters.values()][1:]
    named = [each for each in parameters if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)]
    needed = {each.name: _argument(each, dialect) for each in named if each.default is each.empty}
    yield needed
    whole = {each.name: _argument(each, dialect) for each in named}
    if whole != needed:
        yield whole


def _argument(parameter: inspect.Parameter, dialect: Dialect) -> object:
    hint = parameter.annotation
    texts = {
        "mobile": DEMO_MOBILE,
        "user": DEMO_USERNAME,
        "pass": DEMO_PASSWORD,
        "activation": dialect.sandbox.activation_code,
        "url": "http://127.0.0.1:9999/x",
        "path": "/pages/index",
        "appid": "wx4da448cd29920000",
        "app_id": "wx4da448cd29920000",
        "code": dialect.sandbox.activation_code or "130000000000000100",
        "device": "DEV0001",
        "link": BASE_URL + next((route.path for route in dialect.routes if route.prefix), "/") + "A1",
        "name": "演示 Demo",
    }
    text = next((value for word, value in texts.items() if word in parameter.name.lower()), "A1")
    if hint is Secret:
        return Secret(text)
    if hint is int:
        return 1
    if hint is bool:
        return True
    if hint is Wallet:
        return Wallet.WECHAT
    if "Sequence" in str(hint) or "list" in str(hint):
        return [text]
    if "Mapping" in str(hint) or "dict" in str(hint):
        return {"FullName": "演示商户", "ShortName": "演示", "Mobile": DEMO_MOBILE, "UserName": DEMO_USERNAME}
    return text


# Optional fields and hidden borders


def _source_names(dialect: Dialect) -> list[str]:
    """Every text in the dialect's own source that could be a field's name."""
    folder = Path(str(dialects.__file__)).parent / dialect.name
    found: dict[str, None] = {}
    for path in sorted(folder.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and _NAME.fullmatch(node.value):
                found[node.value] = None
    return [*found]


def _optional_fields(writing: _Writing, party: _Party, names: Iterable[str]) -> dict[str, str]:
    """The details that orders can carry, with a value that the server takes."""
    details: dict[str, str] = {}
    for method in sorted(writing.dialect.methods):
        order = writing.order(method, Wallet.WECHAT)
        bare, _ = writing.exchanges(party, _pay(order))
        taken: dict[str, str] = {}
        for name, value in product(names, _TRIED):
            if name in taken or name in order.details:
                continue
            done, _ = writing.exchanges(party, _pay(replace(order, details={**order.details, name: value})))
            if done and done[0].asked and bare and done[0].request != bare[0].request:
                taken[name] = value
        for name, value in taken.items():
            order = writing.order(method, Wallet.WECHAT, details={**DETAILS, name: value})
            writing.act(party, f"pay {method} with {name}", _pay(order), weight=3)
        if taken:
            order = writing.order(method, Wallet.WECHAT, details={**DETAILS, **taken}, attach="x")
            writing.act(party, f"pay {method} with all", _pay(order))
        details |= taken
    return details


def _hidden_borders(writing: _Writing, party: _Party, details: Mapping[str, str]) -> None:
    """Orders whose texts look like further fields. A careful server refuses most of them."""
    shown = words_of([seed.message for seed in writing.seeds], details, ())
    names = [name.decode() for name in shown.names if 1 < len(name) < 24]
    values = {**details}
    # One method whose payer is at the till and one whose payer is not: the others are built from the same fields.
    methods = sorted(writing.dialect.methods)
    first = (next((each for each in methods if (each in AT_THE_TILL) is here), methods[0]) for here in (True, False))
    for method in dict.fromkeys(first):
        for slot in ("attach", "subject", *(name for name, value in details.items() if " " in value)):
            for name in names:
                value = EVIL_URL if "url" in name else values.get(name, "1")
                for text in (f"tea&{name}={value}", f"X{name}{value}", f"X{name}"):
                    plain = slot in ("attach", "subject")
                    change = {slot: text} if plain else {"details": {**DETAILS, slot: text}}
                    order = writing.order(method, Wallet.WECHAT, **change)
                    writing.act(party, f"pay {method} with {text!r} as {slot}", _pay(order), weight=4, hiding=True)


# Notices and answers


def _notices(writing: _Writing, parties: Sequence[_Party]) -> list[Seed]:
    form = writing.dialect.form
    if form is None:
        return []
    ear = writing.dialect.client(writing.dialect.sandbox_settings(BASE_URL), _nowhere)
    seeds: list[Seed] = []
    payments = {payment.payment_id: payment for payment in writing.desk.payments.values()}
    chosen = [(payment, each) for payment in payments.values() for each in parties]
    for number, (payment, party) in enumerate(chosen):
        if party.name != "own" and number % 10:
            continue
        paid = replace(payment, state=PaymentState.PAID, paid_fen=payment.amount_fen, paid_at_ms=NOW_MS)
        notice = Notice(
            payment.merchant_id,
            payment.payment_id,
            payment.payment_id,
            writing.dialect.name,
            party.credential.login,
            NOTICE_URL,
            facts=form.facts(paid),
        )
        letter = form.encode(notice, party.credential, NOW_MS, "n" * 32)
        headers = {name.lower(): value for name, value in letter.headers.items()}
        message = Message(letter.body, letter.content_type, path="/notify", headers=headers)
        try:
            heard = frozenset({Asked("heard", (), (ear.hear(message.request())[0],)).digest})
        except (WireError, Refusal):
            heard = frozenset()
        own = party.name == "own"
        seeds.append(Seed(f"{party.name}: notice", message, heard if own else frozenset(), trusted=own))
    return seeds


def _sort(talk: Talk) -> str:
    """Talks of one sort have answers of one sort: the operation, and for payments the method."""
    words = talk.what.split()
    return " ".join(words[:2]) if words[0] == "pay" else words[0]


def _is_signed(dialect: Dialect, stranger: _Party, talk: Talk) -> bool:
    """Whether the answers are believed only with their signature: not by somebody with another key, and not without
    what looks like a signature."""
    if talk.value is None:
        return False
    own = dialect.sandbox_settings(BASE_URL)
    bare = [replace(answer, body=without_digests(answer.body)) for answer in talk.answers]
    others = ((stranger.settings, talk.answers), (own, bare))
    return not any(_believes(dialect, settings, talk, answers) for settings, answers in others)


def _believes(dialect: Dialect, settings: Mapping[str, str], talk: Talk, answers: Sequence[Message]) -> bool:
    try:
        return run(talk.call(dialect.client(settings, replay(answers)))) == talk.value
    except (Refusal, WireError, Unreachable):
        return False


def replay(answers: Sequence[Message]) -> Send:
    """A line on which these answers come, whatever is sent, and then none."""
    waiting = iter(answers)

    async def send(request: HttpRequest) -> HttpResponse:
        answer = next(waiting, None)
        if answer is None:
            raise Unreachable
        return answer.response()

    return send
