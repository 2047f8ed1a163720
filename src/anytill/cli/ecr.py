"""Commands of a cash register at a payment terminal (QFPay ECR): pay, refund, receipt, summary, query, cancel, resume.

    anytill ecr --tcp 192.168.1.20 pay 12.50 --channel card_payment

What moves money is written to a journal before it is sent, with the terminal that it is sent to. A register that starts
first asks what became of everything that has no end there, and begins nothing new before that is known. The key is best
given in a file or in ANYTILL_POS_KEY: what stands on the command line can be read by everybody on the machine.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anytill.cli.arguments import new_number
from anytill.cli.ecr_desk import Desk, interruptible, with_line, with_register
from anytill.cli.sentences import say, stop
from anytill.cli.showing import show_payment, show_refund

if TYPE_CHECKING:
    from anytill.core.payment import Payment, PaymentRef, PayOrder, Refund
    from anytill.dialects.qfpay.register import Register

#: What a terminal, or a demo that has one, leaves in the folder where it was started.
LEFT_FILES = (Path("anytill-terminal/sandbox.json"), Path("anytill-demo/sandbox.json"))
#: What a trade may take beside its own waiting: a second wait for the payer's phone, and taking it back.
_AROUND_S = 220
_USUAL_S = 120

ecr = typer.Typer(help="A cash register at a payment terminal (QFPay ECR).", no_args_is_help=True)
Number = Annotated[str, typer.Argument(help="The register's number of the trade (out_trade_no).")]
IsSyssn = Annotated[bool, typer.Option("--syssn", help="NUMBER is the terminal's own (syssn).")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of words.")]


@ecr.callback()
def terminal(
    ctx: typer.Context,
    http: Annotated[str, typer.Option(help="HOST, HOST:9001 or https://HOST:9001. The default way.")] = "",
    tcp: Annotated[str, typer.Option(help="HOST or HOST:9002.")] = "",
    serial: Annotated[str, typer.Option(help="The serial port, such as /dev/ttyUSB0.")] = "",
    settings: Annotated[
        Path | None, typer.Option(help="JSON file as `anytill terminal` leaves it. Default: that, else the demo's.")
    ] = None,
    pos_key: Annotated[
        str, typer.Option("--pos-key", envvar="ANYTILL_POS_KEY", help="The terminal's POS-KEY. Better: in a file.")
    ] = "",
    pos_key_file: Annotated[Path | None, typer.Option("--pos-key-file", help="The file that holds it.")] = None,
    key_bytes: Annotated[str, typer.Option("--key-bytes", help="ascii, or hex for 16 raw bytes.")] = "",
    form: Annotated[str, typer.Option(help="How requests travel: raw, quoted or plain.")] = "",
    currency: Annotated[str, typer.Option(help="The merchant's. Default: HKD.")] = "",
    ca: Annotated[Path | None, typer.Option("--ca", help="https: the certificate to trust.")] = None,
    fingerprint: Annotated[str, typer.Option(help="https: the SHA-256 of the terminal's certificate.")] = "",
    journal: Annotated[
        Path | None, typer.Option(help="The register's, for all its terminals. Default: anytill-ecr/register.journal.")
    ] = None,
) -> None:
    """A cash register at a payment terminal (QFPay ECR)."""
    from anytill.cli.ecr_line import Wanted

    source = ctx.get_parameter_source("pos_key")
    if pos_key and source is not None and source.name == "COMMANDLINE":
        say("everybody on this machine can read a key on the command line: use --pos-key-file or ANYTILL_POS_KEY")
    if settings is None and not (pos_key or pos_key_file):
        settings = next((path for path in LEFT_FILES if path.exists()), None)
    wanted = Wanted(http, tcp, serial, settings, pos_key, pos_key_file, key_bytes, form, currency, ca, fingerprint)
    ctx.obj = Desk(wanted, journal)


@ecr.command()
def pay(
    ctx: typer.Context,
    amount: Annotated[str, typer.Argument(help="Dollars, such as 12.50.")],
    channel: Annotated[str, typer.Option("--channel", "-c", help="wx, alipay, card_payment, octopus …")] = "wx",
    scan: Annotated[
        bool, typer.Option("--scan/--qr", help="The terminal scans the payer's code, or shows one to be scanned.")
    ] = True,
    order_no: Annotated[str, typer.Option("--order-no", help="out_trade_no. Default: a new one.")] = "",
    timeout: Annotated[int, typer.Option("--timeout", min=0, max=3600, help="Seconds for the payer. 0: usual.")] = 0,
    front_camera: Annotated[
        bool, typer.Option("--front-camera", help="Scan with the camera on the screen's side.")
    ] = False,
    move_to_back: Annotated[bool, typer.Option("--move-to-back", help="Leave the payment's page when done.")] = False,
    as_json: AsJson = False,
) -> None:
    """Let the terminal take a payment, and stay with it until its end is known. Ctrl-C takes it back."""
    order = _order(amount, channel, order_no, scan=scan, timeout_s=timeout, currency=_currency(ctx))
    extras = {"channel": channel, "front_camera": "1" * front_camera, "move_to_back": "1" * move_to_back}
    order = _with_details(order, extras)

    async def run(register: Register) -> Payment:
        say(f"order {order.order_no}: {amount} {order.currency}, {channel}; the terminal asks the payer")
        return await interruptible(register, register.pay(order))

    show_payment(with_register(ctx, run, patience_s=2 * (timeout or _USUAL_S) + _AROUND_S), as_json=as_json)


@ecr.command()
def refund(
    ctx: typer.Context,
    number: Number,
    amount: Annotated[str, typer.Argument(help="Dollars to give back. Default: all that is left.")] = "",
    refund_no: Annotated[str, typer.Option("--refund-no", help="The register's own number. Default: a new one.")] = "",
    syssn: IsSyssn = False,
    as_json: AsJson = False,
) -> None:
    """Give part or all of a paid payment back."""
    from anytill.core.payment import RefundOrder

    order = RefundOrder(_ref(number, syssn=syssn), refund_no or new_number("R"), _cents(amount) if amount else 0)

    async def run(register: Register) -> Refund:
        say(f"refund {order.refund_no}")
        return await register.refund(order)

    show_refund(with_register(ctx, run, patience_s=_USUAL_S + _AROUND_S), as_json=as_json)


@ecr.command()
def resume(
    ctx: typer.Context,
    formerly: Annotated[
        str | None, typer.Option(help="An address that this terminal had before, as the journal has it.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Find out what became of everything that was sent to this terminal and has no end."""

    async def run(register: Register) -> list[Payment | Refund]:
        return await register.resume()

    ends = with_register(ctx, run, patience_s=_USUAL_S + _AROUND_S, resumed=False, formerly=formerly)
    desk: Desk = ctx.obj
    if not ends and not desk.elsewhere and not as_json:
        say("everything has its end")
    codes = [_shown(end, as_json=as_json) for end in ends]
    if any(codes) or desk.elsewhere:
        raise typer.Exit(1)


@ecr.command()
def query(ctx: typer.Context, number: Number, syssn: IsSyssn = False, as_json: AsJson = False) -> None:
    """Ask how a payment stands."""
    ref = _ref(number, syssn=syssn)
    show_payment(with_line(ctx, lambda line: line.client.query(ref)), as_json=as_json)


@ecr.command()
def cancel(ctx: typer.Context) -> None:
    """Take back what waits at the terminal: nobody has to be paid for it then. A done payment is refunded instead."""
    from anytill.dialects.qfpay.client import Withdrawn

    told = with_line(ctx, lambda line: line.client.withdraw())
    sentences = {
        Withdrawn.DONE: (0, "taken back, nothing was charged"),
        Withdrawn.NOTHING: (1, "nothing waits at the terminal"),
        Withdrawn.TOO_LATE: (1, "too late, the payment is done: refund it instead"),
        Withdrawn.UNSURE: (1, "too late to be sure: ask how the payment stands"),
    }
    code, sentence = sentences[told]
    if code:
        stop(code, sentence)
    say(sentence)


@ecr.command()
def receipt(ctx: typer.Context, number: Number, syssn: IsSyssn = False) -> None:
    """Print a payment's receipt at the terminal."""
    ref = _ref(number, syssn=syssn)
    with_line(ctx, lambda line: line.client.receipt(ref))
    say("printed")


@ecr.command()
def summary(ctx: typer.Context) -> None:
    """Print the day's takings at the terminal."""
    with_line(ctx, lambda line: line.client.summary())
    say("printed")


def _order(amount: str, channel: str, order_no: str, *, scan: bool, timeout_s: int, currency: str) -> PayOrder:
    from anytill.core.payment import Method, PayOrder
    from anytill.dialects.qfpay.words import CHANNELS, Channel

    if channel not in set(Channel):
        raise typer.BadParameter(f"--channel must be one of {', '.join(Channel)}")
    kind = CHANNELS[Channel(channel)]
    wanted = Method.BARCODE if scan else Method.QR
    method = wanted if wanted in kind.pay_types else next(iter(kind.pay_types))
    return PayOrder(
        order_no=order_no or new_number("E"),
        amount_fen=_cents(amount),
        method=method,
        wallet=kind.wallet,
        currency=currency,
        expires_in_s=timeout_s or None,
    )


def _with_details(order: PayOrder, details: dict[str, str]) -> PayOrder:
    from dataclasses import replace

    return replace(order, details={name: value for name, value in details.items() if value})


def _currency(ctx: typer.Context) -> str:
    from anytill.core.money import HKD

    desk: Desk = ctx.obj
    return desk.wanted.currency or HKD


def _shown(end: Payment | Refund, *, as_json: bool) -> int:
    from anytill.core.payment import Refund

    try:
        if isinstance(end, Refund):
            show_refund(end, as_json=as_json)
        else:
            show_payment(end, as_json=as_json)
    except typer.Exit as code:
        return code.exit_code
    return 0


def _ref(number: str, *, syssn: bool) -> PaymentRef:
    from anytill.core.payment import PaymentRef

    return PaymentRef(payment_id=number) if syssn else PaymentRef(order_no=number)


def _cents(amount: str) -> int:
    from anytill.wire.amounts import parse_yuan
    from anytill.wire.errors import WireError

    try:
        return parse_yuan(amount)
    except WireError:
        raise typer.BadParameter("an amount has at most two decimals and is above zero") from None
