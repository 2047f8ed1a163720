"""Commands over a store, which a gateway may be using meanwhile: audit, parked."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from anytill.cli.sentences import refused_in_a_sentence, say, text_of

if TYPE_CHECKING:
    from anytill.config import Settings
    from anytill.core.notice import Notice
    from anytill.core.payment import Payment
    from anytill.ports import Store

MOST_SHOWN = 1_000

ConfigFile = Annotated[Path | None, typer.Option("--config", help="The settings file (TOML).")]
StoreUrl = Annotated[str, typer.Option("--store", help="sqlite:///path or postgresql://…")]
Result = TypeVar("Result")


def audit(config: ConfigFile = None, store: StoreUrl = "") -> None:
    """Compare the ledger with the payments; every disagreement is printed, and the exit code is 1 if there is one."""
    disagreements = seen_in_store(config, store, lambda opened: opened.audit())
    for line in disagreements:
        typer.echo(line)
    if disagreements:
        raise typer.Exit(1)
    typer.echo("the books are right")


def parked(config: ConfigFile = None, store: StoreUrl = "") -> None:
    """List what waits for a person: contradictory payments, and notices nobody heard. Exit code 1 if there is any."""

    async def look(opened: Store) -> tuple[Sequence[Payment], Sequence[Notice]]:
        return await opened.parked_payments(MOST_SHOWN), await opened.exhausted_notices(MOST_SHOWN)

    payments, notices = seen_in_store(config, store, look)
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


def seen_in_store(config: Path | None, store: str, look: Callable[[Store], Awaitable[Result]]) -> Result:
    """What `look` sees in the store that the settings name."""
    from anytill.bootstrap import looking
    from anytill.config import read_settings

    async def seen(settings: Settings) -> Result:
        async with looking(settings) as opened:
            return await look(opened)

    given: dict[str, object] = {"store.url": store} if store else {}
    with refused_in_a_sentence():
        text = text_of("--config", config) if config else ""
        return asyncio.run(seen(read_settings(text, os.environ, given)))


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
