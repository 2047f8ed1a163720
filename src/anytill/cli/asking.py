"""Commands that ask a gateway, through any dialect's client: pay, query, cancel, refund.

They need a dialect's client settings: by default those that a demo wrote (`anytill-demo/sandbox.json`), else the
published sandbox ones at --url; or any JSON file of the same shape.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from anytill.cli.arguments import new_number
from anytill.cli.sentences import say, stop
from anytill.cli.showing import show_cancelled, show_payment, show_refund

if TYPE_CHECKING:
    from anytill.cli.line import Line
    from anytill.core.payment import Payment, PaymentRef, PayOrder

PATIENCE_S = 90

DialectName = Annotated[str, typer.Option("--dialect", "-d", help="chaoying, teegon …")]
SettingsFile = Annotated[
    Path | None,
    typer.Option("--settings", help="JSON file as `anytill sandbox --json` prints it. Default: the demo's."),
]
BaseUrl = Annotated[str, typer.Option("--url", help="The gateway, when no settings file is given.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of words.")]
PaymentId = Annotated[str, typer.Option("--payment-id", help="The gateway's number, for dialects that ask by it.")]
Result = TypeVar("Result")


def pay(
    amount: Annotated[str, typer.Argument(help="Yuan, such as 0.01.")],
    code: Annotated[str, typer.Argument(help="The payer's code: 16 to 24 digits.")],
    dialect: DialectName = "chaoying",
    order_no: Annotated[str, typer.Option("--order-no", help="The merchant's number. Default: a new one.")] = "",
    subject: Annotated[str, typer.Option(help="What is sold.")] = "anytill",
    notify_url: Annotated[
        str, typer.Option("--notify-url", help="Where the notice goes. Default, at a demo: its own receiver.")
    ] = "",
    settings: SettingsFile = None,
    url: BaseUrl = "http://127.0.0.1:8000",
    wait: Annotated[bool, typer.Option(help="Wait while the payer confirms.")] = True,
    as_json: AsJson = False,
) -> None:
    """Pay by the payer's code, and wait until it is paid or not."""
    from anytill.core.payment import PayOrder
    from anytill.core.secret import Secret
    from anytill.wire.amounts import parse_yuan

    order = PayOrder(
        order_no=order_no or new_number("T"),
        amount_fen=_understood(lambda: parse_yuan(amount)),
        subject=subject,
        pay_code=Secret(code),
        notice_url=notify_url,
    )

    async def run(line: Line) -> Payment:
        say(f"order {order.order_no}")
        payment = await _paid(line, order)
        return await _followed(line, payment) if wait else payment

    show_payment(_asked(dialect, settings, url, run), as_json=as_json)


def query(
    order_no: Annotated[str, typer.Argument(help="The merchant's number.")] = "",
    dialect: DialectName = "chaoying",
    payment_id: PaymentId = "",
    settings: SettingsFile = None,
    url: BaseUrl = "http://127.0.0.1:8000",
    as_json: AsJson = False,
) -> None:
    """Ask how a payment stands."""
    from anytill.core.errors import NotSupported

    ref = _ref(order_no, payment_id)

    async def run(line: Line) -> Payment:
        try:
            return await line.client.query(ref)
        except NotSupported as refusal:
            if payment_id:
                raise
            raise NotSupported(f"{refusal}: give --payment-id") from None

    show_payment(_asked(dialect, settings, url, run), as_json=as_json)


def cancel(
    order_no: Annotated[str, typer.Argument(help="The merchant's number.")] = "",
    dialect: DialectName = "chaoying",
    payment_id: PaymentId = "",
    settings: SettingsFile = None,
    url: BaseUrl = "http://127.0.0.1:8000",
    as_json: AsJson = False,
) -> None:
    """Take an order back: closed if unpaid, reversed if paid."""
    ref = _ref(order_no, payment_id)
    show_cancelled(_asked(dialect, settings, url, lambda line: line.client.cancel(ref)), as_json=as_json)


def refund(
    order_no: Annotated[str, typer.Argument(help="The merchant's number of the payment.")],
    amount: Annotated[str, typer.Argument(help="Yuan to give back, such as 0.01.")],
    dialect: DialectName = "chaoying",
    refund_no: Annotated[str, typer.Option("--refund-no", help="The merchant's number. Default: a new one.")] = "",
    payment_id: PaymentId = "",
    settings: SettingsFile = None,
    url: BaseUrl = "http://127.0.0.1:8000",
    as_json: AsJson = False,
) -> None:
    """Give part or all of a paid payment back."""
    from anytill.core.payment import PaymentRef, Refund, RefundOrder
    from anytill.wire.amounts import parse_yuan

    order = RefundOrder(
        payment=PaymentRef(order_no, payment_id),
        refund_no=refund_no or new_number("R"),
        amount_fen=_understood(lambda: parse_yuan(amount)),
    )

    async def run(line: Line) -> Refund:
        say(f"refund {order.refund_no}")
        return await line.client.refund(order)

    show_refund(_asked(dialect, settings, url, run), as_json=as_json)


COMMANDS: list[Callable[..., Any]] = [pay, query, cancel, refund]


async def _paid(line: Line, order: PayOrder) -> Payment:
    """The payment; a demo hears the notices of orders that name no address."""
    from anytill.core.errors import NotSupported

    order = replace(order, notice_url=order.notice_url or line.demo_notices)
    try:
        return await line.client.pay(order)
    except NotSupported as refusal:
        # The client itself refuses what its vendor cannot say, and of an order made here only the address may lack.
        if order.notice_url or line.reached:
            raise
        raise NotSupported(f"{refusal}: give --notify-url") from None


async def _followed(line: Line, payment: Payment) -> Payment:
    """The payment once it has ended, asked for every second with the elapsed time on the screen."""
    from rich.console import Console

    from anytill.core.payment import Verdict

    started = time.monotonic()
    with Console(stderr=True).status("") as status:
        while payment.verdict is Verdict.OPEN and time.monotonic() - started < PATIENCE_S:
            elapsed_s = int(time.monotonic() - started)
            status.update(f"{payment.state.lower()} — {elapsed_s} s; the payer may be typing the password")
            await asyncio.sleep(1)
            payment = await line.client.query(payment.ref)
    if payment.verdict is Verdict.OPEN:
        by_id = f" --payment-id {payment.payment_id}" if payment.payment_id else ""
        again = f"anytill query {payment.order_no} --dialect {line.dialect}{by_id}"
        say(f"still open after {PATIENCE_S} s: `{again}`; do not sell again")
    return payment


def _ref(order_no: str, payment_id: str) -> PaymentRef:
    from anytill.core.payment import PaymentRef

    if not (order_no or payment_id):
        raise typer.BadParameter("give the order number or --payment-id")
    return PaymentRef(order_no, payment_id)


def _asked(dialect: str, settings: Path | None, url: str, question: Callable[[Line], Awaitable[Result]]) -> Result:
    """Put one question to a client. What went wrong is told in a sentence, with an exit code of its own."""
    from anytill.cli.line import Line
    from anytill.core.errors import Refusal
    from anytill.ports import Unreachable
    from anytill.wire.errors import WireError

    line = Line.of(dialect, settings, url)

    async def run() -> Result:
        try:
            return await question(line)
        finally:
            await line.close()

    try:
        return asyncio.run(run())
    except Refusal as refusal:
        stop(2, f"refused: {refusal}")
    except Unreachable as fault:
        if not line.reached:
            stop(3, f"cannot connect to {line.base_url}: is the gateway running? Nothing was sent.")
        stop(3, f"no answer ({fault}); it is not known whether anything happened: ask again with the same number")
    except WireError as fault:
        stop(4, f"the answer cannot be trusted: {fault}")


def _understood(parse: Callable[[], int]) -> int:
    from anytill.wire.errors import WireError

    try:
        return parse()
    except WireError as fault:
        raise typer.BadParameter(str(fault)) from None
