"""The command line: where people start.

running     commands that run a gateway
asking      commands that ask one, over a `line`, and show what comes back (`showing`)
keeping     commands over a store
printing    receipts out of a store
sentences   what people can put right

Heavy imports wait until a command needs them, so that `anytill --help` answers at once.
"""

from __future__ import annotations

import sys

import typer

from anytill import __version__
from anytill.cli import asking, keeping, printing, running

app = typer.Typer(
    help="anytill: any till, any wallet, one core. A self-hosted aggregated-payment gateway (聚合支付网关).",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,  # locals may hold secrets
)
for module in (running, asking, keeping, printing):
    for command in module.COMMANDS:
        app.command()(command)


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


def main() -> None:
    """The console script's entry point."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)
