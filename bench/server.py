"""What is measured, as a process of its own: a whole gateway, or the same HTTP server answering without doing anything.

    python -m bench.server echo
    python -m bench.server gateway STORE_URL [--no-group-commit] [--deliver]
    python -m bench.server terminal STORE_URL [--no-group-commit]

The port stands on the first line of standard output; the process ends when its standard input closes. The gateway is
the one that `bootstrap` puts together for a demo, with two differences. The sandbox wallet keeps its journal in memory,
because the gateway is measured and not a wallet. And notices are written with their payments but sent only with
`--deliver`. The echo is also the merchant's ear: at RECEIVER it acknowledges every notice.

The terminal is that of `anytill terminal --auto`: a gateway with a terminal beside it that answers over HTTP, and in
front of it a customer who holds out his code the moment he is asked.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from anytill import bootstrap
from anytill.bootstrap.terminals import Listens
from anytill.cli.machine import customer_in_front
from anytill.cli.process import TERMINAL_DIALECT
from anytill.config import Settings, read_settings
from anytill.dialects import load_dialects
from anytill.storage import Vault
from anytill.transports.http_server import Application, Handler, Route, new_event_loop, serve
from anytill.transports.journal import MemoryJournal
from anytill.transports.watch import JsonWatch
from anytill.wire.http import HttpRequest, HttpResponse, text

HOST = "127.0.0.1"
RECEIVER = "/notify"
#: Whatever the store seals during a measurement is thrown away with it.
_MASTER_KEY = bytes(32)
VAULT = Vault(_MASTER_KEY)


def _memory_book(_path: Path) -> MemoryJournal:
    return MemoryJournal()


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until standard input closes."""
    parser = argparse.ArgumentParser(prog="python -m bench.server")
    kinds = parser.add_subparsers(dest="kind", required=True)
    kinds.add_parser("echo")
    for kind in ("gateway", "terminal"):
        whole = kinds.add_parser(kind)
        whole.add_argument("store")
        whole.add_argument("--no-group-commit", action="store_true")
    kinds.choices["gateway"].add_argument("--deliver", action="store_true")
    options = parser.parse_args(arguments)
    work = {"echo": _echo, "gateway": _gateway, "terminal": _terminal}[options.kind]
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(work(options))


async def _gateway(options: argparse.Namespace) -> None:
    settings, demo = _settings(options), Path("/nowhere")  # a demo, but nothing of it is written to a folder
    # Only what the wallet writes on is another; all else is put together as always.
    if options.deliver:
        stop = _end_of_input()
        await bootstrap.run(settings, sys.stderr, demo=demo, started=_announce, stop=stop, open_journal=_memory_book)
    else:
        async with bootstrap.assembled(settings, sys.stderr, demo=demo, open_journal=_memory_book) as assembly:
            with bootstrap.seldom_collected():
                await _serve(assembly.application)


async def _terminal(options: argparse.Namespace) -> None:
    dialect = load_dialects()[TERMINAL_DIALECT]
    stand = bootstrap.Stand(
        dialect=TERMINAL_DIALECT,
        number=dialect.sandbox.login,
        listens=Listens(HOST, http_port=0),
        in_front=customer_in_front,
        started=lambda listens: _announce(listens.http_port or 0),
    )
    await bootstrap.run(
        _settings(options), sys.stderr, demo=Path("/nowhere"), started=None, stop=_end_of_input(), stands=[stand],
        open_journal=_memory_book,
    )  # fmt: skip


async def _echo(_options: argparse.Namespace) -> None:
    async def echo(request: HttpRequest) -> HttpResponse:
        return HttpResponse(200, request.body, "application/json")

    async def hear(_request: HttpRequest) -> HttpResponse:
        return text("success")

    paths = {route.path for dialect in load_dialects().values() for route in dialect.routes}
    routes: list[tuple[Route, Handler]] = [(Route("POST", path), echo) for path in sorted(paths)]
    await _serve(Application([*routes, (Route("POST", RECEIVER), hear)], watch=JsonWatch(sys.stderr)))


async def _serve(application: Application) -> None:
    await serve(application, HOST, 0, started=_announce, stop=_end_of_input())


def _settings(options: argparse.Namespace) -> Settings:
    return read_settings(
        '[channel.sandbox]\nkind = "sandbox"\nbook = "memory"\n',
        {},
        {
            "server.host": HOST,
            "server.port": 0,
            "store.url": options.store,
            "store.group_commit": not options.no_group_commit,
            "keys.master": _MASTER_KEY.hex(),
            "notices.loopback": True,
        },
    )


def _announce(port: int) -> None:
    print(port, flush=True)


def _end_of_input() -> asyncio.Event:
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), ended.set)
    return ended


if __name__ == "__main__":
    main()
