"""The client half: a till that asks a Chaoying gateway, and the merchant's ear for its notices.

Queries, refunds and cancels must name the wallet (`paytype`), which a `PaymentRef` does not. The client remembers the
payments it has seen, in bounded number; for others it tries the wallets in turn as long as the server says that the
parameter is wrong. That is safe: such an answer means that nothing was done. A refund must also name the whole amount,
and a cancel the merchant's own number, so a payment that is not remembered is asked about first.

What an answer does not say is taken from what is remembered; what nobody said stays empty. An answer without a clear
end is an open payment. A `pay` is sent once: the caller decides whether to send it again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from anytill.core.errors import NotCancellable, NotRefundable, NotSupported
from anytill.core.lifecycle import PaymentState, RefundState
from anytill.core.money import CNY
from anytill.core.payment import Method, Payment, PaymentRef, PayOrder, Refund, RefundOrder, RefundRef
from anytill.core.secret import Secret
from anytill.core.wallet import Wallet, wallet_of
from anytill.dialects.chaoying import codec, messages, notices, words
from anytill.dialects.chaoying.agency import Agency
from anytill.dialects.chaoying.fields import details
from anytill.dialects.chaoying.line import REFUSALS_OF_TEXT, Line, done, required
from anytill.dialects.chaoying.words import Code, State, TradeState
from anytill.ports import FaceTicket, Payer, Send
from anytill.wire import http
from anytill.wire.amounts import parse_fen
from anytill.wire.errors import BadField
from anytill.wire.fields import Form
from anytill.wire.http import HttpRequest, HttpResponse

REMEMBERED: Final = 10_000
_PREORDERS: Final = {
    Wallet.WECHAT: (messages.WECHAT_PREORDER_PATH, messages.WECHAT_PREORDER),
    Wallet.ALIPAY: (messages.ALIPAY_PREORDER_PATH, messages.ALIPAY_PREORDER),
}


class Client(Agency):
    """Implements `dialects.Client`, and makes the management calls of its agent. Settings: base_url, agent_id, key,
    mch_id; sub_appid for JSAPI and APP orders."""

    def __init__(self, settings: Mapping[str, str], send: Send) -> None:
        self._key = Secret(settings["key"])
        self._mch_id = settings["mch_id"]
        self._sub_appid = settings.get("sub_appid", "")
        super().__init__(Line(settings["agent_id"], self._key, send), self._mch_id)
        self._seen: OrderedDict[str, Payment] = OrderedDict()

    async def pay(self, order: PayOrder) -> Payment:
        """See `ports.Till`. Barcode and face payments have no notices in this protocol, so they name no address."""
        # Times are moments in this protocol, and a client has no clock to turn a lifetime into one.
        if order.method not in words.TRADE_KINDS or order.currency != CNY or order.expires_in_s is not None:
            raise NotSupported
        if order.method is Method.BARCODE:
            return await self._pay_at_the_till(order, wallet_of(order.pay_code or Secret("")), "pay", messages.PAY)
        if order.wallet is None:
            raise NotSupported
        if order.method is Method.FACE:
            return await self._pay_at_the_till(order, order.wallet, "facepay", messages.FACEPAY)
        return await self._preorder(order, order.wallet)

    async def query(self, ref: PaymentRef) -> Payment:
        """See `ports.Till`."""
        seen = self._recall(ref)
        asked = {"out_trade_no": ref.order_no} if ref.order_no else {"transaction_id": ref.payment_id}
        answer = await self._of_wallet(seen.wallet if seen else None, "orderquery", asked)
        order_no = answer.get("out_trade_no", ref.order_no)
        if (ref.order_no and order_no != ref.order_no) or not order_no:
            raise BadField("out_trade_no", "that of the order that was asked about")
        return self._remember(_payment(answer, seen or self._blank(order_no, _wallet(answer))))

    async def cancel(self, ref: PaymentRef) -> Payment:
        """See `ports.Till`."""
        payment = self._recall(ref) or await self.query(ref)
        fields = {"out_trade_no": payment.order_no, "op_user_id": self._mch_id}
        answer = await self._of_wallet(payment.wallet, "cancel", fields)
        trade_state = answer.get("trade_state")
        if trade_state == TradeState.FAIL:
            raise NotCancellable
        done = trade_state == TradeState.SUCCESS
        state = PaymentState.CANCELLED if done else PaymentState.CANCELLING
        return self._remember(replace(payment, state=state, reversed_fen=payment.paid_fen if done else 0))

    async def refund(self, order: RefundOrder) -> Refund:
        """See `ports.Till`."""
        payment = self._recall(order.payment) or await self.query(order.payment)
        if not payment.amount_fen:
            raise NotRefundable
        fields = {
            "out_trade_no": payment.order_no,
            "out_refund_no": order.refund_no,
            "total_fee": str(payment.amount_fen),
            "refund_fee": str(order.amount_fen),
            "op_user_id": order.details.get("op_user_id", self._mch_id),
        }
        answer = await self._of_wallet(payment.wallet, "refund", fields)
        if answer.get("trade_state") == TradeState.FAIL:
            # Failed, or come back to the merchant: only the query tells the two apart.
            return await self._query_refund(RefundRef(order.refund_no), payment.wallet)
        if answer.get("out_refund_no") != order.refund_no:
            raise BadField("out_refund_no", "that of the refund that was asked for")
        done = answer.get("trade_state") == TradeState.SUCCESS
        return Refund(
            merchant_id=self._mch_id,
            refund_id=answer.get("refund_id", ""),
            refund_no=order.refund_no,
            payment_id=answer.get("transaction_id", payment.payment_id),
            order_no=payment.order_no,
            state=RefundState.DONE if done else RefundState.PROCESSING,
            amount_fen=_fen(answer, "base_refund_fee") if done else order.amount_fen,
            refunded_fen=_fen(answer, "refund_fee") if done else 0,
            channel_refund_no=answer.get("out_transaction_id", ""),
        )

    async def query_refund(self, ref: RefundRef) -> Refund:
        """See `ports.Till`."""
        return await self._query_refund(ref, None)

    async def identify(self, pay_code: Secret) -> Payer:
        """Who shows this code (authcodetoopenid)."""
        fields = {"auth_code": pay_code.reveal(), "sub_appid": self._sub_appid}
        answer = done(await self._exchange(messages.GATEWAY_PATH, {"method": "authcodetoopenid", **fields}))
        return Payer(_wallet(answer), required(answer, "sub_openid"))

    async def face_ticket(self, wallet: Wallet, device: str, raw: str) -> FaceTicket:
        """What the wallet's face device needs to start (getfaceauth)."""
        fields = {"store_id": self._mch_id, "store_name": self._mch_id, "device_id": device, "rawdata": raw}
        named = {"method": "getfaceauth", "paytype": wallet.value, **fields}
        answer = done(await self._exchange(messages.GATEWAY_PATH, named))
        return FaceTicket(required(answer, "authinfo"), _fen(answer, "expires_in"))

    def hear(self, request: HttpRequest) -> tuple[Payment, HttpResponse]:
        """See `dialects.Client`."""
        fields = codec.decode_fields(request.body)
        codec.refuse_second_notice(fields, codec.verify(fields, (self._key,)))
        if fields.get("mch_id") != self._mch_id:
            raise BadField("mch_id", "ours")
        return notices.read(fields), http.text(codec.NOTICE_HEARD)

    async def _pay_at_the_till(self, order: PayOrder, wallet: Wallet, method: str, form: Form) -> Payment:
        code = order.pay_code.reveal() if order.pay_code else ""
        fields = self._order_fields(order, form)
        fields |= {"method": method, "auth_code" if method == "pay" else "face_code": code}
        if method == "facepay":
            fields |= {"paytype": wallet.value, "openid": order.payer_id}
        if wallet is Wallet.QQ:
            # This wallet insists on a terminal.
            fields.setdefault("device_info", self._mch_id)
        answer = done(await self._exchange(messages.GATEWAY_PATH, fields))
        return self._remember(_payment(answer, self._asked(order, wallet)))

    async def _preorder(self, order: PayOrder, wallet: Wallet) -> Payment:
        if wallet not in _PREORDERS:
            raise NotSupported
        path, form = _PREORDERS[wallet]
        fields = self._order_fields(order, form)
        fields |= {
            "trade_type": order.details.get("trade_type") or words.TRADE_TYPES[order.method],
            "product_id": order.details.get("product_id") or order.order_no,
            "buyer_id": order.payer_id,
            "notify_url": order.notice_url,
        }
        if wallet is Wallet.WECHAT:
            fields.setdefault("sub_appid", self._sub_appid)
        answer = done(await self._exchange(path, fields))
        asked = self._asked(order, wallet)
        if answer.get("trade_state") == TradeState.NEED_QUERY:
            self._remember(asked)
            return await self.query(PaymentRef(order.order_no))
        if answer.get("trade_state") == TradeState.SUCCESS:
            invitation = {"token": answer.get("token_id", "")}
            invitation |= {name: answer.get(name, "") for name in ("code_url", "pay_info", "pay_url", "code_img_url")}
            kept = {name: value for name, value in invitation.items() if value}
            return self._remember(replace(asked, state=PaymentState.WAITING, invitation=kept))
        return self._remember(_payment(answer, asked))

    async def _query_refund(self, ref: RefundRef, wallet: Wallet | None) -> Refund:
        asked = {"out_refund_no": ref.refund_no} if ref.refund_no else {"refund_id": ref.refund_id}
        answer = await self._of_wallet(wallet, "refundquery", asked)
        for row in codec.decode_list(required(answer, "refund_list"), "refund_list"):
            if ref.refund_no in ("", row.get("out_refund_no")) and ref.refund_id in ("", row.get("refund_id", "")):
                return self._refund(answer, row)
            if ref.refund_no and row.get("out_refund_no") == ref.refund_no:
                return self._refund(answer, row)
        raise BadField("refund_list", "a list with the refund that was asked about")

    def _refund(self, answer: Mapping[str, str], row: Mapping[str, str]) -> Refund:
        # A word that is not in the table is no "no".
        state = words.REFUND_STATES.get(row.get("refund_status", ""), RefundState.UNKNOWN)
        time = row.get("refund_time")
        return Refund(
            merchant_id=self._mch_id,
            refund_id=row.get("refund_id", ""),
            refund_no=required(row, "out_refund_no"),
            payment_id=answer.get("transaction_id", ""),
            order_no=answer.get("out_trade_no", ""),
            state=state,
            amount_fen=_fen(row, "base_refund_fee"),
            refunded_fen=_fen(row, "refund_fee") if state is RefundState.DONE else 0,
            channel_refund_no=row.get("out_refund_id", ""),
            ended_at_ms=codec.parse_time(time, "refund_time") if time else None,
        )

    def _order_fields(self, order: PayOrder, form: Form) -> dict[str, str]:
        return details(form, order.details) | {
            "out_trade_no": order.order_no,
            "body": order.subject or f"订单{order.order_no}",
            "attach": order.attach,
            "total_fee": str(order.amount_fen),
        }

    async def _of_wallet(self, wallet: Wallet | None, method: str, fields: Mapping[str, str]) -> dict[str, str]:
        """The answer to a call that must name the order's wallet, with the wallet it was answered for."""
        answer: dict[str, str] = {}
        for guess in _guesses(wallet):
            named = {"method": method, "paytype": guess.value, **fields}
            answer = await self._exchange(messages.GATEWAY_PATH, named)
            wrong_parameter = answer["state"] == State.FAIL and answer.get("code") == Code.PARAMETER
            if not wrong_parameter or answer.get("msg") in REFUSALS_OF_TEXT:
                return {"paytype": guess.value, **done(answer)}
        return done(answer)

    async def _exchange(self, path: str, fields: Mapping[str, str]) -> dict[str, str]:
        """One request for our merchant and its answer, its signature checked. Raises WireError, Unreachable."""
        # Failures and pre-orders come without a signature; what claims a success elsewhere has to prove it.
        own = {"mch_id": self._mch_id}
        answer = await self._line.post(path, {**fields, **own}, must_be_signed=path == messages.GATEWAY_PATH)
        if answer.get("mch_id", self._mch_id) != self._mch_id:
            raise BadField("mch_id", "ours")
        return answer

    def _asked(self, order: PayOrder, wallet: Wallet) -> Payment:
        """What is known of an order that is being sent."""
        return replace(
            self._blank(order.order_no, wallet),
            method=order.method,
            amount_fen=order.amount_fen,
            subject=order.subject,
            attach=order.attach,
            notice_url=order.notice_url if order.method not in (Method.BARCODE, Method.FACE) else "",
        )

    def _blank(self, order_no: str, wallet: Wallet) -> Payment:
        return Payment(self._mch_id, "", order_no, Method.BARCODE, wallet, PaymentState.UNKNOWN, amount_fen=0)

    def _recall(self, ref: PaymentRef) -> Payment | None:
        return self._seen.get(f"no {ref.order_no}" if ref.order_no else f"id {ref.payment_id}")

    def _remember(self, payment: Payment) -> Payment:
        for name in (f"no {payment.order_no}", f"id {payment.payment_id}" if payment.payment_id else ""):
            if name:
                self._seen[name] = payment
                self._seen.move_to_end(name)
        while len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return payment


def _guesses(wallet: Wallet | None) -> Iterator[Wallet]:
    if wallet is not None:
        yield wallet
    yield from (each for each in Wallet if each is not wallet)


def _payment(answer: Mapping[str, str], known: Payment) -> Payment:
    """What an answer makes of what was known. Raises WireError."""
    if answer.get("out_trade_no", known.order_no) != known.order_no:
        raise BadField("out_trade_no", "that of the order that was asked about")
    told = answer.get("code", ""), answer.get("trade_state", "")
    state = words.PAYMENT_STATES.get(told, PaymentState.UNKNOWN)
    kind = answer.get("trade_type", "").rpartition(".")[2]
    payment = replace(
        known,
        payment_id=answer.get("transaction_id", known.payment_id),
        method=words.METHODS_OF_KIND.get(kind, known.method),
        wallet=_wallet(answer) if "paytype" in answer else known.wallet,
        state=state,
        amount_fen=_fen(answer, "base_fee") if "base_fee" in answer else known.amount_fen,
        reason=answer.get("msg", "") if state is PaymentState.FAILED else "",
    )
    if state is not PaymentState.PAID:
        return payment
    amount_fen, paid_fen = _fen(answer, "base_fee"), _fen(answer, "total_fee")
    if paid_fen > amount_fen:
        raise BadField("total_fee", "no more than base_fee")
    return replace(
        payment,
        paid_fen=paid_fen,
        coupon_fen=amount_fen - paid_fen,
        currency=answer.get("fee_type", CNY),
        attach=answer.get("attach", known.attach),
        payer_id=answer.get("buyer_user_id") or answer.get("openid") or answer.get("sub_openid", ""),
        channel_trade_no=answer.get("out_transaction_id", ""),
        paid_at_ms=codec.parse_time(answer["time_end"], "time_end") if "time_end" in answer else None,
    )


def _wallet(answer: Mapping[str, str]) -> Wallet:
    try:
        return Wallet(required(answer, "paytype"))
    except ValueError:
        raise BadField("paytype", "a wallet") from None


def _fen(answer: Mapping[str, str], name: str) -> int:
    return parse_fen(required(answer, name), field=name)
