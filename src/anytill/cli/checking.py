"""Commands that check a store, which a gateway may be using meanwhile: audit, parked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import typer

from anytill.cli.sentences import say
from anytill.cli.stores import ConfigFile, StoreUrl, looked

if TYPE_CHECKING:
    from anytill.core.notice import Notice
    from anytill.core.payment import Payment
    from anytill.ports import Store

MOST_SHOWN = 1_000


def audit(config: ConfigFile = None, store: StoreUrl = "") -> None:
    """Compare the ledger with the payments; every disagreement is printed, and the exit code is 1 if there is one."""
    disagreements = looked(config, store, lambda opened: opened.audit())
    for line in disagreements:
        typer.echo(line)
    if disagreements:
        raise typer.Exit(1)
    typer.echo("the books are right")


def parked(config: ConfigFile = None, store: StoreUrl = "") -> None:
    """List what waits for a person: contradictory payments, and notices nobody heard. Exit code 1 if there is any."""

    async def look(opened: Store) -> tuple[Sequence[Payment], Sequence[Notice]]:
        return await opened.parked_payments(MOST_SHOWN), await opened.exhausted_notices(MOST_SHOWN)

    payments, notices = looked(config, store, look)
    for payment in payments:
        typer.echo(_about_payment(payment))
    for notice in notices:
        typer.echo(_about_notice(notice))
    if MOST_SHOWN in (len(payments), len(notices)):
        say(f"there may be more: at most {MOST_SHOWN:,} payments and {MOST_SHOWN:,} notices are listed, oldest first")
    if payments or notices:
        raise typer.Exit(1)
    typer.echo("nothing waits for a person")


COMMANDS: list[Callable[..., Any]] = [audit, parked]


def _about_payment(payment: Payment) -> str:
    from anytill.core.ids import beijing
    from anytill.wire.amounts import format_yuan

    taken = f", the channel took {format_yuan(payment.parked_fen)}" if payment.parked_fen else ""
    return (
        f"payment {payment.payment_id} of {payment.merchant_id}, order {payment.order_no}, "
        f"{beijing(payment.created_at_ms):%Y-%m-%d %H:%M:%S}, channel {payment.channel}: "
        f"asked {payment.currency} {format_yuan(payment.amount_fen)}, paid {format_yuan(payment.paid_fen)}{taken}"
    )


def _about_notice(notice: Notice) -> str:
    refund = f"refund {notice.refund_id} of " if notice.refund_id else ""
    return (
        f"notice {notice.notice_id} of {notice.merchant_id} about {refund}payment {notice.payment_id}: "
        f"{notice.receiver} did not acknowledge {notice.tries} tries, last: {notice.last_result}"
    )
