"""What is measured, as a process of its own: a whole gateway, or the same HTTP server answering without doing anything.

    python -m bench.server echo
    python -m bench.server gateway STORE_URL [--no-group-commit] [--node N] [--deliver]

The port stands on the first line of standard output; the process ends when its standard input closes. The gateway is
put together from the same parts as in production, with two differences. The sandbox wallet keeps its journal in memory,
because the gateway is measured and not a wallet. And notices are written with their payments but sent only with
`--deliver`; they then go to a receiver in this process that acknowledges at once.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager

from anytill.bootstrap import dialect_routes, write_demo_directory
from anytill.channels.sandbox import SandboxChannel
from anytill.core.ids import IdMaker
from anytill.dialects import load_dialects
from anytill.gateway import Gateway, Parts
from anytill.storage import Vault, open_store
from anytill.transports.clock import SystemChance, SystemClock
from anytill.transports.http_server import Application, Handler, Route, new_event_loop, serve
from anytill.transports.journal import MemoryJournal
from anytill.transports.watch import JsonWatch
from anytill.transports.worker import Wake, gather_limited, work
from anytill.wire.http import HttpRequest, HttpResponse, text

#: Whatever the store seals during a measurement is thrown away with it.
VAULT = Vault(bytes(32))
HOST = "127.0.0.1"
_AT_ONCE = 64


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until standard input closes."""
    parser = argparse.ArgumentParser(prog="python -m bench.server")
    kinds = parser.add_subparsers(dest="kind", required=True)
    kinds.add_parser("echo")
    gateway = kinds.add_parser("gateway")
    gateway.add_argument("store")
    gateway.add_argument("--no-group-commit", action="store_true")
    gateway.add_argument("--node", type=int, default=0)
    gateway.add_argument("--deliver", action="store_true")
    options = parser.parse_args(arguments)
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        if options.kind == "echo":
            runner.run(_serve(_echo_application(_watch())))
        else:
            runner.run(_serve_gateway(options))


async def _serve_gateway(options: argparse.Namespace) -> None:
    async with _opened_gateway(options) as application:
        await _serve(application)


async def _serve(application: Application) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), stop.set)
    await serve(application, HOST, 0, started=lambda port: print(port, flush=True), stop=stop)


@asynccontextmanager
async def _opened_gateway(options: argparse.Namespace) -> AsyncIterator[Application]:
    watch, clock, wake = _watch(), SystemClock(), Wake()
    store = await open_store(options.store, vault=VAULT, group_commit=not options.no_group_commit, watch=watch)
    ended = asyncio.Event()
    workers: list[asyncio.Task[None]] = []
    try:
        await write_demo_directory(store)
        parts = Parts(
            store=store,
            channels={"sandbox": SandboxChannel("sandbox", MemoryJournal(), clock, SystemChance())},
            clock=clock,
            chance=SystemChance(),
            ids=IdMaker(options.node),
            watch=watch,
            post=_heard,
            forms={name: dialect.form for name, dialect in load_dialects().items() if dialect.form},
            default_channel="sandbox",
            wake=wake.set,
            side_by_side=_side_by_side,
        )
        gateway = Gateway(parts)
        if options.deliver:
            rounds = (gateway.recovery.payments, gateway.recovery.refunds, gateway.recovery.notices)
            bells = (Wake(), Wake(), wake)
            workers = [
                asyncio.create_task(work(once, clock, bell, ended, watch=watch))
                for once, bell in zip(rounds, bells, strict=True)
            ]
        yield Application(dialect_routes(gateway, watch), watch=watch)
    finally:
        ended.set()
        await asyncio.gather(*workers)
        await store.close()


def _echo_application(watch: JsonWatch) -> Application:
    async def echo(request: HttpRequest) -> HttpResponse:
        return HttpResponse(200, request.body, "application/json")

    routes: list[tuple[Route, Handler]] = [
        (Route("POST", route.path), echo) for dialect in load_dialects().values() for route in dialect.routes
    ]
    return Application(routes, watch=watch)


async def _heard(url: str, body: bytes, content_type: str, timeout_ms: int) -> HttpResponse:  # noqa: ARG001 - a port
    """A `ports.Post` whose every receiver acknowledges at once."""
    await asyncio.sleep(0)
    return text("success")


async def _side_by_side(items: Sequence[Awaitable[None]]) -> None:
    async def each(item: Awaitable[None]) -> None:
        await item

    await gather_limited([each(item) for item in items], _AT_ONCE)


def _watch() -> JsonWatch:
    return JsonWatch(sys.stderr)


if __name__ == "__main__":
    main()
