"""What a payment or a refund looks like on the screen, and the exit code it ends a command with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

import typer

from anytill.cli.sentences import say

if TYPE_CHECKING:
    from anytill.core.payment import Payment, Refund

#: As docs/en/lifecycle.md tells the cashier.
_REFUND_ADVICE: Mapping[str, str] = {
    "FAILED": "the channel said no; the reservation is free again: try again under a new number",
    "RETURNED_TO_CASH": "it could not reach the payer and lies in the merchant's cash account: pay the payer by hand",
}


def show_payment(payment: Payment, *, as_json: bool) -> None:
    """Exit code 0 when it is paid, else 1."""
    from anytill.core.payment import Verdict

    colour = {Verdict.PAID: typer.colors.GREEN, Verdict.NOT_PAID: typer.colors.RED}.get(payment.verdict)
    _show(_facts(payment), colour, as_json=as_json)
    if payment.verdict is not Verdict.PAID:
        raise typer.Exit(1)


def show_cancelled(payment: Payment, *, as_json: bool) -> None:
    """Exit code 0 when the order is taken back: nothing of it is with the merchant. Else 1."""
    from anytill.core.payment import Verdict

    taken_back = payment.verdict is Verdict.NOT_PAID
    _show(_facts(payment), typer.colors.GREEN if taken_back else None, as_json=as_json)
    if not taken_back:
        say(f"not taken back yet: `anytill query {payment.order_no}`")
        raise typer.Exit(1)
    typer.secho("taken back", err=True, fg=typer.colors.GREEN)


def show_refund(refund: Refund, *, as_json: bool) -> None:
    """Exit code 0 when the payer has the money, else 1."""
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
    done = refund.state is RefundState.DONE
    _show(facts, typer.colors.GREEN if done else None, as_json=as_json)
    if advice := _REFUND_ADVICE.get(refund.state):
        say(advice)
    if not done:
        raise typer.Exit(1)


def _facts(payment: Payment) -> Mapping[str, str]:
    from anytill.wire.amounts import format_yuan

    return {
        "order_no": payment.order_no,
        "payment_id": payment.payment_id,
        "state": payment.state.value,
        "verdict": payment.verdict.value,
        "amount": format_yuan(payment.amount_fen) if payment.amount_fen else "",
        "reason": payment.reason,
    }


def _show(facts: Mapping[str, str], colour: str | None, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(facts, ensure_ascii=False))
    else:
        typer.secho("  ".join(f"{name}={value}" for name, value in facts.items() if value), fg=colour)
