"""A gateway in this process: its settings where it needs none from people, its run until a signal, and what it tells
others on this machine.
"""

from __future__ import annotations

import asyncio
import errno
import json
import re
import secrets
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from anytill.bootstrap import Stand
    from anytill.config import Settings

#: Where a demo, or a terminal with a gateway of its own, tells registers on this machine how to reach it.
SANDBOX_FILE: Final = "sandbox.json"
#: Whose terminals stand on counters.
TERMINAL_DIALECT: Final = "qfpay"
#: As a port: none.
NOT_THERE: Final = -1
#: How the system says which address it cannot give.
_BOUND: Final = re.compile(r"address \('[^']*', ([0-9]+)")


def embedded_settings(data: Path, given: Mapping[str, object] | None = None) -> Settings:
    """Of a gateway that needs nothing but a folder: embedded storage, the sandbox's wallet, published credentials."""
    from anytill.config import read_settings

    book = json.dumps(str(data / "wallet.journal"))
    embedded = {
        "store.url": f"sqlite:///{data / 'anytill.db'}",
        "keys.master": _kept_key(data / "master.key"),
        "notices.loopback": True,
    }
    return read_settings(f'[channel.sandbox]\nkind = "sandbox"\nbook = {book}\n', {}, {**embedded, **(given or {})})


def write_access(document: Path, access: Mapping[str, Mapping[str, str]]) -> None:
    """Tell others on this machine where things are, in one step."""
    partial = document.with_name(f"{document.name}.part")
    partial.write_text(json.dumps(access, indent=2, ensure_ascii=False) + "\n")
    partial.replace(document)


def run_gateway(
    settings: Settings,
    *,
    demo: Path | None,
    opened: Callable[[], None] = lambda: None,
    started: Callable[[int], None] | None,
    stands: Sequence[Stand] = (),
    options: Mapping[int | None, str] | None = None,
) -> None:
    """Until a signal; see `bootstrap.run`. `options` name the ports of the stands' terminals. Raises SettingsError."""
    from anytill.bootstrap import run
    from anytill.transports.http_server import new_event_loop

    async def serve_until_told() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await run(settings, sys.stderr, demo=demo, opened=opened, started=started, stop=stop, stands=stands)

    with port_is_taken(settings, options), asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(serve_until_told())


@contextmanager
def port_is_taken(settings: Settings, options: Mapping[int | None, str] | None = None) -> Iterator[None]:
    """Says which port cannot be had, and what to do: the option that chose it is --port if it is not among `options`.
    Raises SettingsError for that."""
    from anytill.config import SettingsError

    try:
        yield
    except OSError as fault:
        if fault.errno != errno.EADDRINUSE:
            raise
        named = _BOUND.search(str(fault))
        port = int(named[1]) if named else settings.number("server.port")
        option = (options or {}).get(port, "--port")
        raise SettingsError(f"port {port} is taken: {option} 0 takes a free one") from None


def _kept_key(path: Path) -> str:
    """The demo's own master key, made at its first start. Readable by nobody else."""
    if not path.exists():
        partial = path.with_suffix(".part")
        partial.touch(mode=0o600)
        partial.write_text(secrets.token_hex(32))
        partial.replace(path)
    return path.read_text().strip()
