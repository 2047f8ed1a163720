"""How tills speak to us: one folder for each vendor's protocol, found by looking.

A dialect is a record of functions between bytes and values. Its server half answers requests over a `Gateway`; its
client half is a `Till` over a `Send`. What binds the two is a law that one shared test suite checks for every folder:
a client wired to its own server behaves as the gateway's own till.

To add one, copy a folder (scripts/new-dialect does) and touch nothing else.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum, auto
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Protocol, TypeAlias

from anytill.core.errors import Refusal
from anytill.core.merchant import KeyShape
from anytill.core.money import CNY
from anytill.core.payment import Method, Payment, Refund
from anytill.gateway import Gateway
from anytill.ports import NoticeForm, Panel, Send, Terminal, Till
from anytill.wire.http import HttpRequest, HttpResponse
from anytill.wire.line import Line

#: None begins with a zero that a spreadsheet would drop.
_EIGHT_DIGITS = KeyShape(8, "123456789")

Handle: TypeAlias = Callable[[HttpRequest, Gateway], Awaitable[HttpResponse]]


class Client(Till, Protocol):
    """A dialect's client: a till, and the merchant's ear for notices."""

    def hear(self, request: HttpRequest) -> tuple[Payment | Refund, HttpResponse]:
        """Read a notice, of a payment or of a refund, and the acknowledgement to send back. Raises WireError when it is
        not authentic or not readable, NotSupported when the vendor has no notices."""


@dataclass(frozen=True, slots=True)
class Route:
    """A path that the vendor publishes; with `prefix`, all paths that add one name to it."""

    path: str
    methods: frozenset[str] = frozenset({"POST"})
    ignore_case: bool = False
    prefix: bool = False


@dataclass(frozen=True, slots=True)
class SandboxAccess:
    """The published credential of the demo. Refused everywhere else, because everybody knows it."""

    login: str
    secret: str
    currency: str = CNY  # which of the demo's merchants it is for
    number: str = ""  # the demo merchant's number, for vendors that have one
    password: str = ""  # for vendors whose tills have one beside the key
    activation_code: str = ""  # for vendors whose devices fetch their key with one
    options: Mapping[str, str] = field(default_factory=dict)


class Login(StrEnum):
    """Who signs."""

    MERCHANT = "merchant"  # a merchant's tills share its key
    AGENT = "agent"  # an agent, for many merchants
    DEVICE = "device"  # each device with a key of its own


class Setting(Enum):
    """What a client is told by one of its settings, whatever the vendor calls it."""

    ADDRESS = auto()  # the gateway's, or one on it
    LOGIN = auto()
    SECRET = auto()
    PASSWORD = auto()  # for vendors whose tills have one beside the key
    ACTIVATION_CODE = auto()  # for vendors whose devices fetch their key with one
    NUMBER = auto()  # by which an agent calls the merchant
    OTHER = auto()


@dataclass(frozen=True, slots=True)
class Spelling:
    """How numbers of one kind are written, by the dialect's own codec. Who had a number that it does not take could
    never be heard."""

    takes: Callable[[str], bool]
    words: str  # the same for people: "1 to 32 digits"


@dataclass(frozen=True, slots=True)
class TerminalKind:
    """How a terminal of this vendor is set up. It listens for itself, on ports of its own; its routes are there."""

    open: Callable[[Gateway, str, Panel], Terminal]  # the terminal's number is its credential's login
    http_port: int
    tcp_port: int
    settings: Callable[[str, int, int], Mapping[str, str]]  # host and ports -> client_settings for the demo
    #: Either end of a connection over TCP. The argument tells a whole message from a part of one; a line that is never
    #: told waits a little instead.
    tcp_line: Callable[[Callable[[bytes], bool]], Line]
    serial_line: Callable[[int], Line]  # either end of a serial line; the number of the first message it sends


@dataclass(frozen=True, slots=True)
class Dialect:
    """All that the rest of anytill knows of a vendor's protocol."""

    name: str  # the folder's name
    title: str
    routes: tuple[Route, ...]
    handle: Handle | None  # None: only its terminals answer
    system_error: Callable[[HttpRequest], HttpResponse]  # the vendor's own way to say "our fault"
    refusals: Mapping[type[Refusal], object]  # what the vendor says for each; complete, a test sees to it
    operations: frozenset[str]  # of Till: which the vendor's protocol has
    methods: frozenset[Method]  # of payment: which it has
    form: NoticeForm | None
    client: Callable[[Mapping[str, str], Send], Client]
    client_settings: Mapping[str, Setting]  # what the client needs to be told, named as the vendor names it
    key: KeyShape
    signs: Login
    login: Spelling
    sandbox: SandboxAccess
    sandbox_settings: Callable[[str], Mapping[str, str]]  # base address -> client_settings for the demo
    new_login: KeyShape = _EIGHT_DIGITS  # what logins look like that we make
    box: Spelling | None = None  # the numbers of devices that have no login, for vendors who have such
    merchant_number: Spelling | None = None  # for vendors whose agents call their merchants by numbers
    terminal: TerminalKind | None = None  # for vendors whose registers speak to a machine on the counter
    #: Fields of orders and refunds that the vendor's messages have no room for, though the vendor has what they say: a
    #: code that is shown to the terminal and not to the till, an address that is registered once.
    not_carried: frozenset[str] = frozenset()
    #: The switches that a credential may have, and what each can be (None: any text). A name that ends in a dot stands
    #: for all that add something behind it.
    options: Mapping[str, frozenset[str] | None] = field(default_factory=dict)

    def name_of(self, setting: Setting) -> str:
        """What the vendor calls this setting; empty when its clients have none such."""
        return next((name for name, each in self.client_settings.items() if each is setting), "")


@cache
def load_dialects() -> Mapping[str, Dialect]:
    """Every dialect in this folder, by name."""
    found: dict[str, Dialect] = {}
    for module in iter_modules(__path__):
        dialect: Dialect = import_module(f"{__name__}.{module.name}").DIALECT
        if dialect.name != module.name:
            raise ValueError(f"the dialect in folder {module.name} calls itself {dialect.name}")
        found[dialect.name] = dialect
    return found
