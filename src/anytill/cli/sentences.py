"""What people can put right, told in one sentence on standard error with an exit code of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import typer


def stop(code: int, sentence: str) -> NoReturn:
    """End the command."""
    typer.secho(sentence, err=True, fg=typer.colors.RED)
    raise typer.Exit(code)


def say(sentence: str) -> None:
    """Tell people something that is no part of the command's output."""
    typer.echo(sentence, err=True)


@contextmanager
def refused_in_a_sentence() -> Iterator[None]:
    """Settings that cannot work, and a machine that will not have it, end the command with exit code 2."""
    from anytill.config import SettingsError

    try:
        yield
    except (SettingsError, OSError) as fault:
        stop(2, f"anytill: {fault}")


def text_of(option: str, path: Path) -> str:
    """The text of a file that `option` names; the command ends with exit code 2 when it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        stop(2, f"{option} {path}: no such file")
    except OSError as fault:
        stop(2, f"{option} {path}: {fault.strerror}")
    except UnicodeDecodeError:
        stop(2, f"{option} {path}: not a text in UTF-8")
