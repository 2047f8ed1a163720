"""The command line: where people start.

running     commands that run a gateway
terminal    the command that is a payment terminal, run by `machine`, seen through `window`
process     a gateway in this process, which `running` and `machine` stand on
asking      commands that ask one, over a `line`, and show what comes back (`showing`)
ecr         commands of a register at a payment terminal, over an `ecr_line`
checking    commands that check a store
printing    receipts out of a store
agents      commands over the register of who is who, one module for each kind of record. Each is a function from its
merchants   `arguments` to a task, made a command over one of the `stores`; what it has to show are `records`, or a key
places      that is told once (`issuing`)
devices
keys
history     what was done, and by whom
sentences   what people can put right

Heavy imports wait until a command needs them, so that `anytill --help` answers at once.
"""

from __future__ import annotations

import sys

import typer

from anytill import __version__
from anytill.cli import (
    agents,
    asking,
    checking,
    devices,
    ecr,
    history,
    keys,
    merchants,
    places,
    printing,
    running,
    terminal,
)

app = typer.Typer(
    help="anytill: any till, any wallet, one core. A self-hosted aggregated-payment gateway (聚合支付网关).",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,  # locals may hold secrets
)
for module in (running, terminal, asking, checking, printing, history):
    for command in module.COMMANDS:
        app.command()(command)


merchants.merchant.add_typer(keys.merchant_key, name="key")
for name, group in {
    "agent": agents.agent,
    "merchant": merchants.merchant,
    "shop": places.shop,
    "operator": places.operator,
    "device": devices.device,
    "key": keys.key,
    "ecr": ecr.ecr,
}.items():
    app.add_typer(group, name=name)


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
