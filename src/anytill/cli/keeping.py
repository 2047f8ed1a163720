"""Commands over a store: audit."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer


def audit(
    config: Annotated[Path | None, typer.Option(help="The settings file (TOML).")] = None,
    store: Annotated[str, typer.Option(help="sqlite:///path or postgresql://…")] = "",
) -> None:
    """Compare the ledger with the payments; every disagreement is printed, and the exit code is 1 if there is one."""
    from anytill.bootstrap import audited
    from anytill.config import SettingsError, read_settings

    try:
        settings = read_settings(
            config.read_text() if config else "", os.environ, {"store.url": store} if store else {}
        )
        disagreements: Sequence[str] = asyncio.run(audited(settings))
    except (SettingsError, OSError) as fault:
        typer.secho(f"anytill: {fault}", err=True, fg=typer.colors.RED)
        raise typer.Exit(2) from None
    for line in disagreements:
        typer.echo(line)
    if disagreements:
        raise typer.Exit(1)
    typer.echo("the books are right")


COMMANDS: list[Callable[..., Any]] = [audit]
