"""A stand-in for the gateway, whose till and back office remember what they are asked for.

What a message means is what it makes the gateway do: the operation, for whom, and every argument. So a dialect's
server runs against this desk as it would against a real gateway, and two messages mean the same when the same was
asked. The till keeps the payments of the seeds and nothing later (`freeze`): a message's fate then depends on the
message alone, and nothing waits, so that a handler runs to its end without an event loop.

Whatever the real classes offer is offered here. Where it is not written out, the answer is made up from the type that
the real method promises; so what is added to them is recorded by itself.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cache
from hashlib import sha256
from typing import Any, Final, Union, get_args, get_origin, get_type_hints
from zlib import crc32

from anytill.core.device import Act, Device
from anytill.core.errors import PaymentNotFound, RefundNotFound, UnknownCredential
from anytill.core.lifecycle import PaymentState, RefundState
from anytill.core.merchant import Credential, Merchant
from anytill.core.payment import AT_THE_TILL, Payment, PaymentRef, PayOrder, Refund, RefundOrder, RefundRef
from anytill.core.secret import Secret
from anytill.core.wallet import Wallet, wallet_of
from anytill.gateway import Devices, Gateway, GatewayTill, Office
from anytill.gateway.devices import Issued
from anytill.ports import FaceTicket, Payer, WalletSession

NOW_MS: Final = 1_795_000_000_000  # 2026-11-18 in Beijing
INVITATION: Final = {
    "code_url": "weixin://wxpay/bizpayurl?pr=seed",
    "pay_url": "http://127.0.0.1:8000/sandbox/pay/1",
    "pay_info": '{"package":"prepay_id=1"}',
    "token": "1234567890",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """One thing that was asked of the gateway: the operation, who asked (login and merchant), the arguments."""

    name: str
    who: tuple[str, ...]
    arguments: tuple[object, ...]

    @property
    def digest(self) -> str:
        """A fingerprint that secrets take part in without being shown. Raises UnicodeEncodeError for what is no text:
        no store could keep it either."""
        return sha256(plain(self).encode()).hexdigest()[:16]


def plain(value: object) -> str:
    """A value as text, secrets revealed: for telling meanings apart, never for showing real ones."""
    if isinstance(value, Secret):
        return f"Secret({value.reveal()!r})"
    if isinstance(value, Mapping):
        return f"{{{', '.join(sorted(f'{key!r}: {plain(each)}' for key, each in value.items()))}}}"
    if isinstance(value, str | bytes | int | None):
        return repr(value)
    if isinstance(value, Iterable):
        return f"({', '.join(map(plain, value))})"
    names = [each.name for each in fields(value)] if hasattr(value, "__dataclass_fields__") else []  # type: ignore[arg-type]
    return f"{type(value).__name__}({', '.join(f'{name}={plain(getattr(value, name))}' for name in names)})"


def leaves(value: object) -> list[object]:
    """The plain values that a value is made of, secrets revealed, each where it always stands."""
    if isinstance(value, Secret):
        return [value.reveal()]
    if isinstance(value, Mapping):
        return [leaf for name in sorted(value) for leaf in (name, *leaves(value[name]))]
    if isinstance(value, str | bytes | int | None):
        return [value]
    if isinstance(value, Iterable):
        return [leaf for each in value for leaf in leaves(each)]
    names = [each.name for each in fields(value)] if hasattr(value, "__dataclass_fields__") else []  # type: ignore[arg-type]
    return [type(value), *(leaf for name in names for leaf in leaves(getattr(value, name)))]


class Desk:
    """Looks like a `Gateway` to a dialect's server."""

    def __init__(self, credentials: Iterable[Credential], merchant: Merchant, device: Device) -> None:
        self._credentials = {credential.login: credential for credential in credentials}
        self._known = _Known(merchant, device, next(iter(self._credentials.values())))
        self.payments: dict[str, Payment] = {}
        self.refunds: dict[str, Refund] = {}
        self.frozen = False
        self.asked: list[Asked] = []
        self.looked_up = False  # somebody's credential: the message could be read that far
        self.seen_at: tuple[str, str] | None = None  # the signature was good
        self.office = _Recorded(Office, self, (), {})
        self.devices = _Recorded(Devices, self, (), {})

    def fresh(self) -> None:
        """Forget what was asked."""
        self.asked = []
        self.looked_up = False
        self.seen_at = None

    def freeze(self) -> None:
        """Keep what there is, and nothing that is asked from now on."""
        self.frozen = True

    async def credential(self, _dialect: str, login: str) -> Credential:
        """See `Gateway`."""
        self.looked_up = True
        try:
            return self._credentials[login]
        except KeyError:
            raise UnknownCredential from None

    def till(self, credential: Credential, number: str = "") -> _Recorded:
        """See `Gateway`."""
        self.seen_at = (credential.login, number)
        who = (credential.login, credential.merchant_id(number))
        till = _Till(self, credential, who[1])
        written_out = {name: getattr(till, name) for name in _TILL}
        return _Recorded(GatewayTill, self, who, written_out, merchant_id=who[1])

    def seen(self, credential: Credential, _peer: str) -> None:
        """See `Gateway`."""
        self.seen_at = (credential.login, "")

    def now_ms(self) -> int:
        """See `Gateway`."""
        return NOW_MS

    def nonce(self, length: int = 32) -> str:
        """See `Gateway`."""
        return "n" * length

    def __getattr__(self, name: str) -> Any:
        return getattr(_Recorded(Gateway, self, (), {}), name)

    def made_up(self, hint: object) -> Any:
        """A value of the type that a method promises."""
        return _made_up(hint, self._known)


class _Recorded:
    """An object whose methods note that they were called, and answer as written out or as their types say."""

    def __init__(
        self,
        kind: type,
        desk: Desk,
        who: tuple[str, ...],
        written_out: Mapping[str, Callable[..., Any]],
        **attributes: object,
    ) -> None:
        self._kind, self._desk, self._who, self._written_out = kind, desk, who, written_out
        self.__dict__.update(attributes)

    def __getattr__(self, name: str) -> Any:
        promised = _promise(self._kind, name)
        answer = self._written_out.get(name)
        if promised is None:
            raise AttributeError(name)
        if promised.is_value:
            return self._desk.made_up(promised.hint)

        def note(arguments: tuple[object, ...], named: Mapping[str, object]) -> None:
            given = (*arguments, *sorted(named.items()))
            self._desk.asked.append(Asked(name, self._who, given))

        def call(*arguments: object, **named: object) -> Any:
            if name not in _NO_DEED:
                note(arguments, named)
            return self._desk.made_up(promised.hint)

        async def wait(*arguments: object, **named: object) -> Any:
            note(arguments, named)
            return await answer(*arguments, **named) if answer else self._desk.made_up(promised.hint)

        return wait if promised.waits else call


#: These make something up and change nothing: what comes of them is seen where it is used.
_NO_DEED: Final = frozenset({"act", "hashed"})
_TILL: Final = (
    "pay", "query", "cancel", "refund", "query_refund", "find", "find_refund", "find_by_code", "refunds_of", "identify",
    "remember_in_vain", "is_over",
)  # fmt: skip


class _Till:
    """A merchant's till with just enough memory for its answers to make sense."""

    def __init__(self, desk: Desk, credential: Credential, merchant_id: str) -> None:
        self._desk = desk
        self._credential = credential
        self._merchant_id = merchant_id

    async def pay(self, order: PayOrder) -> Payment:
        wallet = order.wallet or wallet_of(order.pay_code or Secret(""))
        payment = self._payment(order, wallet)
        if not self._desk.frozen:
            self._desk.payments |= {f"no {payment.order_no}": payment, f"id {payment.payment_id}": payment}
            if order.pay_code:
                self._desk.payments[f"code {order.pay_code.reveal()}"] = payment
        return payment

    async def query(self, ref: PaymentRef) -> Payment:
        return await self.find(ref)

    async def find(self, ref: PaymentRef) -> Payment:
        return self._found(f"no {ref.order_no}" if ref.order_no else f"id {ref.payment_id}")

    async def find_by_code(self, pay_code: Secret) -> Payment:
        return self._found(f"code {pay_code.reveal()}")

    async def cancel(self, ref: PaymentRef, *, within_ms: int | None = None) -> Payment:
        payment = await self.find(ref)
        return replace(payment, state=PaymentState.CANCELLED, reversed_fen=payment.paid_fen, ended_at_ms=NOW_MS)

    async def refund(self, order: RefundOrder) -> Refund:
        payment = await self.find(order.payment)
        refund = Refund(
            merchant_id=self._merchant_id,
            refund_id=_number(order.refund_no or order.repeat_key),
            refund_no=order.refund_no or _number(order.repeat_key),
            payment_id=payment.payment_id,
            order_no=payment.order_no,
            state=RefundState.DONE,
            amount_fen=order.amount_fen,
            refunded_fen=order.amount_fen,
            channel_refund_no="500000001",
            details=order.details,
            created_at_ms=NOW_MS,
            ended_at_ms=NOW_MS,
        )
        if not self._desk.frozen:
            self._desk.refunds |= {f"no {refund.refund_no}": refund, f"id {refund.refund_id}": refund}
        return refund

    async def query_refund(self, ref: RefundRef) -> Refund:
        refund = self._desk.refunds.get(f"no {ref.refund_no}" if ref.refund_no else f"id {ref.refund_id}")
        if refund is None or refund.merchant_id != self._merchant_id:
            raise RefundNotFound
        return refund

    async def find_refund(self, ref: RefundRef) -> Refund:
        return await self.query_refund(ref)

    async def remember_in_vain(self, request: str) -> None:
        pass

    async def is_over(self, request: str, payment: Payment) -> bool:
        return False

    async def refunds_of(self, payment: Payment) -> Sequence[Refund]:
        found = {each.refund_id: each for each in self._desk.refunds.values() if each.payment_id == payment.payment_id}
        return tuple(found.values())

    async def identify(self, pay_code: Secret) -> Payer:
        return Payer(wallet_of(pay_code), "payer0001")

    def _found(self, name: str) -> Payment:
        payment = self._desk.payments.get(name)
        if payment is None or payment.merchant_id != self._merchant_id:
            raise PaymentNotFound
        return payment

    def _payment(self, order: PayOrder, wallet: Wallet) -> Payment:
        paid = order.method in AT_THE_TILL
        payment_id = _number(order.order_no or (order.pay_code.reveal() if order.pay_code else ""))
        return Payment(
            merchant_id=self._merchant_id,
            payment_id=payment_id,
            order_no=order.order_no or payment_id,
            method=order.method,
            wallet=wallet,
            state=PaymentState.PAID if paid else PaymentState.WAITING,
            amount_fen=order.amount_fen,
            paid_fen=order.amount_fen if paid else 0,
            subject=order.subject,
            attach=order.attach,
            payer_id=order.payer_id or "payer0001",
            channel="sandbox",
            channel_trade_no="4200000001",
            invitation={} if paid else INVITATION,
            created_at_ms=NOW_MS,
            paid_at_ms=NOW_MS if paid else None,
            deadline_at_ms=NOW_MS + 60_000,
            dialect=self._credential.dialect,
            login=self._credential.login,
            notice_url=order.notice_url,
            details=order.details,
            code_hint="1300********0000",
        )


def _number(seed: str) -> str:
    """Twenty digits that follow from the text."""
    return f"1261118{crc32(seed.encode('utf-8', 'surrogatepass')):013d}"


@dataclass(frozen=True, slots=True)
class _Known:
    """What answers are made up from."""

    merchant: Merchant
    device: Device
    credential: Credential
    plain: Mapping[object, object] = field(default_factory=lambda: {str: "68500018", int: 1, bool: True, bytes: b"1"})

    def of(self, kind: object) -> object:
        """A value of this very type. Raises TypeError for types that nobody has met yet."""
        values: dict[object, object] = {
            Merchant: self.merchant,
            Device: self.device,
            Credential: self.credential,
            Issued: Issued(self.device, self.credential),
            Act: Act("1", NOW_MS, "", "", ""),
            FaceTicket: FaceTicket("ticket", 60),
            WalletSession: WalletSession("payer0001", Secret("session"), 7200),
            Payer: Payer(Wallet.WECHAT, "payer0001"),
            Secret: Secret("made up"),
            Wallet: Wallet.WECHAT,
            **self.plain,
        }
        if kind not in values:
            raise TypeError(f"the desk does not know how to make up a {kind}")
        return values[kind]


def _made_up(hint: object, known: _Known) -> Any:
    origin = get_origin(hint)
    if hint is None or hint is type(None):
        return None
    if origin in (Union, types.UnionType):
        return _made_up(next(each for each in get_args(hint) if each is not type(None)), known)
    if origin is tuple:
        return tuple(_made_up(each, known) for each in get_args(hint) if each is not Ellipsis)
    if origin is not None and issubclass(origin, Mapping):
        return {}
    if origin is not None and issubclass(origin, Iterable):
        return (_made_up(get_args(hint)[0], known),)
    return known.of(hint)


@dataclass(frozen=True, slots=True)
class _Promise:
    """What a member of a real class gives."""

    hint: object
    waits: bool
    is_value: bool


@cache
def _promise(kind: type, name: str) -> _Promise | None:
    member = inspect.getattr_static(kind, name, None)
    if isinstance(member, property):
        return _Promise(get_type_hints(member.fget).get("return"), waits=False, is_value=True)
    if not inspect.isfunction(member):
        return None
    return _Promise(get_type_hints(member).get("return"), inspect.iscoroutinefunction(member), is_value=False)
