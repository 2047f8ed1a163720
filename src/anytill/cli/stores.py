"""The store that --config and --store name, which a gateway may be using meanwhile: to look at, or to change who is who
in it.

Every command over the register is made by `over_store`: a function that reads its arguments and hands back what is to
be done. So all of them take the same options, refuse what is written wrong before the store is opened, and end alike.

Exit codes: 0 done, 2 refused or a wrong argument, 3 the store did not answer, so that it is not known what was written.
"""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import Awaitable, Callable
from inspect import Parameter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias, TypeVar

import typer

from anytill.cli.records import Shown
from anytill.cli.sentences import refused_in_a_sentence, stop, text_of

if TYPE_CHECKING:
    from anytill.bootstrap import Keeper
    from anytill.config import Settings
    from anytill.ports import Store

ConfigFile = Annotated[Path | None, typer.Option("--config", help="The settings file (TOML).")]
StoreUrl = Annotated[str, typer.Option("--store", help="sqlite:///path or postgresql://…")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of words.")]
Task: TypeAlias = Callable[["Keeper"], Awaitable[Shown]]
Result = TypeVar("Result")

_OPTIONS: Final = (
    Parameter("config", Parameter.KEYWORD_ONLY, default=None, annotation=ConfigFile),
    Parameter("store", Parameter.KEYWORD_ONLY, default="", annotation=StoreUrl),
    Parameter("as_json", Parameter.KEYWORD_ONLY, default=False, annotation=AsJson),
)


def over_store(*, create: bool = False) -> Callable[[Callable[..., Task]], Callable[..., None]]:
    """Makes a command of a function from its arguments to a task: the command takes --config, --store and --json too,
    does the task over that store and shows what comes of it. With `create` a store that is not there yet is made."""

    def made(prepare: Callable[..., Task]) -> Callable[..., None]:
        def command(config: Path | None, store: str, as_json: bool, **arguments: object) -> None:
            _kept(config, store, prepare(**arguments), create=create).show(as_json=as_json)

        own = inspect.signature(prepare, eval_str=True).parameters.values()
        parameters = [*(each.replace(kind=Parameter.KEYWORD_ONLY) for each in own), *_OPTIONS]
        command.__name__, command.__doc__ = prepare.__name__, prepare.__doc__
        command.__annotations__ = {each.name: each.annotation for each in parameters}
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what typer reads
        return command

    return made


def looked(config: Path | None, store: str, look: Callable[[Store], Awaitable[Result]]) -> Result:
    """What `look` sees in the store."""
    from anytill.bootstrap import looking

    async def run() -> Result:
        async with looking(_settings(config, store)) as opened:
            return await look(opened)

    with refused_in_a_sentence():
        return asyncio.run(run())


def _kept(config: Path | None, store: str, task: Task, *, create: bool) -> Shown:
    """What comes of a task over the store. Whatever people can put right ends the command with a sentence."""
    from anytill.bootstrap import keeping
    from anytill.gateway.changes import AlreadyThere, ChangedMeanwhile, NotThere
    from anytill.ports import StoreUnavailable

    async def run() -> Shown:
        async with keeping(_settings(config, store), create=create) as keeper:
            return await task(keeper)

    with refused_in_a_sentence():
        try:
            return asyncio.run(run())
        except (AlreadyThere, ChangedMeanwhile, NotThere) as refusal:
            stop(2, f"refused: {refusal}")
        except StoreUnavailable as fault:
            stop(3, f"the store does not answer ({fault}); it is not known whether anything was written: look first")


def _settings(config: Path | None, store: str) -> Settings:
    """Raises SettingsError."""
    from anytill.config import read_settings

    return read_settings(
        text_of("--config", config) if config else "", os.environ, {"store.url": store} if store else {}
    )


def actor() -> str:
    """Who is at the keyboard, as the operating system knows it."""
    try:
        import pwd

        return f"cli:{pwd.getpwuid(os.getuid()).pw_name}"
    except (ImportError, KeyError):
        return f"cli:{os.getuid()}"
