"""Commands that ask a gateway, through any dialect's client: pay, query, cancel, refund.

They need a dialect's client settings: by default those that a demo wrote (`anytill-demo/sandbox.json`), else the
published sandbox ones at --url; or any JSON file of the same shape.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import typer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anytill.core.payment import Payment, PaymentRef, Refund
    from anytill.dialects import Client

DEMO_FILE = Path("anytill-demo/sandbox.json")
PATIENCE_S = 90

DialectName = Annotated[str, typer.Option("--dialect", "-d", help="teegon, chaoying …")]
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
    dialect: DialectName = "teegon",
    order_no: Annotated[str, typer.Option("--order-no", help="The merchant's number. Default: a new one.")] = "",
    subject: Annotated[str, typer.Option(help="What is sold.")] = "anytill",
    notify_url: Annotated[
        str, typer.Option("--notify-url", help="Where the notice goes. Default: the demo's own receiver.")
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
        order_no=order_no or f"T{time.strftime('%y%m%d%H%M%S')}{secrets.token_hex(3)}",
        amount_fen=_understood(lambda: parse_yuan(amount)),
        subject=subject,
        pay_code=Secret(code),
    )
    typer.echo(f"order {order.order_no}", err=True)

    async def run(client: Client, base_url: str) -> Payment:
        payment = await client.pay(replace(order, notice_url=notify_url or f"{base_url}/sandbox/notify"))
        return await _followed(client, payment) if wait else payment

    _show_payment(_asked(dialect, settings, url, run), as_json=as_json)


def query(
    order_no: Annotated[str, typer.Argument(help="The merchant's number.")] = "",
    dialect: DialectName = "chaoying",
    payment_id: PaymentId = "",
    settings: SettingsFile = None,
    url: BaseUrl = "http://127.0.0.1:8000",
    as_json: AsJson = False,
) -> None:
    """Ask how a payment stands."""
    ref = _ref(order_no, payment_id)
    _show_payment(_asked(dialect, settings, url, lambda client, _: client.query(ref)), as_json=as_json)


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
    _show_payment(_asked(dialect, settings, url, lambda client, _: client.cancel(ref)), as_json=as_json)


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
    from anytill.core.payment import PaymentRef, RefundOrder
    from anytill.wire.amounts import parse_yuan

    order = RefundOrder(
        payment=PaymentRef(order_no, payment_id),
        refund_no=refund_no or f"R{time.strftime('%y%m%d%H%M%S')}{secrets.token_hex(3)}",
        amount_fen=_understood(lambda: parse_yuan(amount)),
    )
    typer.echo(f"refund {order.refund_no}", err=True)
    _show_refund(_asked(dialect, settings, url, lambda client, _: client.refund(order)), as_json=as_json)


COMMANDS: list[Callable[..., Any]] = [pay, query, cancel, refund]


async def _followed(client: Client, payment: Payment) -> Payment:
    """The payment once it has ended, asked for every second with the elapsed time on the screen."""
    from rich.console import Console

    from anytill.core.payment import Verdict

    started = time.monotonic()
    with Console(stderr=True).status("") as status:
        while payment.verdict is Verdict.OPEN and time.monotonic() - started < PATIENCE_S:
            elapsed_s = int(time.monotonic() - started)
            status.update(f"{_word(payment)} — {elapsed_s} s; the payer may be typing the password")
            await asyncio.sleep(1)
            payment = await client.query(payment.ref)
    return payment


def _ref(order_no: str, payment_id: str) -> PaymentRef:
    from anytill.core.payment import PaymentRef

    if not (order_no or payment_id):
        raise typer.BadParameter("give the order number or --payment-id")
    return PaymentRef(order_no, payment_id)


def _asked(
    dialect: str, settings: Path | None, url: str, question: Callable[[Client, str], Awaitable[Result]]
) -> Result:
    """Put one question to a client. What went wrong is told in a sentence, with an exit code of its own."""
    from anytill.core.errors import Refusal
    from anytill.ports import Unreachable
    from anytill.wire.errors import WireError

    async def run() -> Result:
        async with _client(dialect, settings, url) as (client, base_url):
            return await question(client, base_url)

    try:
        return asyncio.run(run())
    except Refusal as refusal:
        _stop(2, f"refused: {refusal}")
    except Unreachable as fault:
        _stop(3, f"no answer ({fault}); it is not known whether anything happened: ask again with the same number")
    except WireError as fault:
        _stop(4, f"the answer cannot be trusted: {fault}")


@asynccontextmanager
async def _client(dialect: str, settings: Path | None, url: str) -> AsyncIterator[tuple[Client, str]]:
    from anytill.dialects import load_dialects
    from anytill.transports.http_client import open_send

    known = load_dialects()
    if dialect not in known:
        _stop(2, f"there is no dialect {dialect}; there are {', '.join(sorted(known))}")
    values = _settings(dialect, settings, url)
    send = open_send(values["base_url"], timeout_ms=30_000)
    try:
        yield known[dialect].client(values, send), values["base_url"]
    finally:
        await send.aclose()


def _settings(dialect: str, settings: Path | None, url: str) -> dict[str, str]:
    from anytill.dialects import load_dialects

    path = settings or (DEMO_FILE if DEMO_FILE.exists() else None)
    found = json.loads(path.read_text()) if path else dict(load_dialects()[dialect].sandbox_settings(url))
    values = found.get(dialect, found)
    missing = [name for name in load_dialects()[dialect].client_settings if name not in values]
    if missing:
        _stop(2, f"the settings lack {', '.join(missing)} for {dialect}")
    return {name: str(value) for name, value in values.items()}


def _understood(parse: Callable[[], int]) -> int:
    from anytill.wire.errors import WireError

    try:
        return parse()
    except WireError as fault:
        raise typer.BadParameter(str(fault)) from None


def _stop(code: int, text: str) -> NoReturn:
    typer.secho(text, err=True, fg=typer.colors.RED)
    raise typer.Exit(code)


def _word(payment: Payment) -> str:
    return payment.state.lower()


def _show_payment(payment: Payment, *, as_json: bool) -> None:
    from anytill.core.payment import Verdict
    from anytill.wire.amounts import format_yuan

    facts = {
        "order_no": payment.order_no,
        "payment_id": payment.payment_id,
        "state": payment.state.value,
        "verdict": payment.verdict.value,
        "amount": format_yuan(payment.amount_fen) if payment.amount_fen else "",
        "reason": payment.reason,
    }
    if as_json:
        typer.echo(json.dumps(facts, ensure_ascii=False))
    else:
        colour = {Verdict.PAID: typer.colors.GREEN, Verdict.NOT_PAID: typer.colors.RED}.get(payment.verdict)
        typer.secho("  ".join(f"{name}={value}" for name, value in facts.items() if value), fg=colour)
    if payment.verdict is not Verdict.PAID:
        raise typer.Exit(1)


def _show_refund(refund: Refund, *, as_json: bool) -> None:
    from anytill.core.lifecycle import RefundState
    from anytill.wire.amounts import format_yuan

    facts = {
        "refund_no": refund.refund_no,
        "refund_id": refund.refund_id,
        "order_no": refund.order_no,
        "state": refund.state.value,
        "amount": format_yuan(refund.amount_fen),
        "reason": refund.reason,
    }
    typer.echo(
        json.dumps(facts, ensure_ascii=False) if as_json else "  ".join(f"{k}={v}" for k, v in facts.items() if v)
    )
    if refund.state is not RefundState.DONE:
        raise typer.Exit(1)
