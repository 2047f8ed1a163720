"""What answers at which path: the dialects, the operator's probes, and in demo mode the sandbox's control calls."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from anytill.bootstrap.nodes import NodeHolder
from anytill.channels.sandbox import Outbox, SandboxChannel
from anytill.channels.sandbox.control import SandboxControl
from anytill.dialects import Handle, load_dialects
from anytill.gateway import Gateway
from anytill.ports import Channel, Clock, DueKind, Store
from anytill.transports.clock import MovableClock
from anytill.transports.http_server import Handler, Route
from anytill.transports.watch import JsonWatch
from anytill.wire.http import HttpRequest, HttpResponse, text


def dialect_routes(gateway: Gateway, watch: JsonWatch) -> list[tuple[Route, Handler]]:
    """Every path of every dialect but those whose terminals listen for themselves, with the dialect's own answer when
    the fault is ours."""
    return [
        (
            Route(method, route.path, route.ignore_case, on_error=dialect.system_error, prefix=route.prefix),
            _timed(dialect.name, dialect.handle, gateway, watch),
        )
        for dialect in load_dialects().values()
        if dialect.handle is not None
        for route in dialect.routes
        for method in sorted(route.methods)
    ]


def _timed(dialect: str, answer: Handle, gateway: Gateway, watch: JsonWatch) -> Handler:
    async def handle(request: HttpRequest) -> HttpResponse:
        started = time.perf_counter()
        response = await answer(request, gateway)
        watch.observe_request(dialect, response.status, time.perf_counter() - started)
        return response

    return handle


def operator_routes(store: Store, watch: JsonWatch) -> list[tuple[Route, Handler]]:
    """/healthz: the process answers. /readyz: it can do its work. /metrics: for Prometheus."""

    async def healthz(_request: HttpRequest) -> HttpResponse:
        return text("ok\n")

    async def readyz(_request: HttpRequest) -> HttpResponse:
        try:
            async with asyncio.timeout(5):
                await store.next_due_ms(DueKind.PAYMENT)
        except Exception as fault:  # noqa: BLE001 - whatever it is, the answer is "not now"
            watch.alarm("not ready", fault=type(fault).__name__)
            return text("the store does not answer\n", status=503)
        return text("ready\n")

    async def metrics(_request: HttpRequest) -> HttpResponse:
        return HttpResponse(200, watch.render(), "text/plain; version=0.0.4; charset=utf-8")

    return [(Route("GET", "/healthz"), healthz), (Route("GET", "/readyz"), readyz), (Route("GET", "/metrics"), metrics)]


def control_routes(
    channels: Mapping[str, Channel], clock: Clock, node: NodeHolder, outbox: Outbox | None = None
) -> list[tuple[Route, Handler]]:
    """The payer's hand, the clock, the wallet's own book and the short messages; in demo mode only."""
    assert isinstance(clock, MovableClock)

    def advance(ms: int) -> None:
        node.stretch(ms)
        clock.advance(ms)

    sandboxes = [channel for channel in channels.values() if isinstance(channel, SandboxChannel)]
    routes: list[tuple[Route, Handler]] = [
        (Route(method, path), SandboxControl(sandbox, clock, advance, outbox))
        for sandbox in sandboxes[:1]
        for path in SandboxControl.PATHS
        for method in ("GET", "POST")
    ]
    return [*routes, (Route("POST", "/sandbox/notify"), _heard)]


async def _heard(_request: HttpRequest) -> HttpResponse:
    """A merchant that hears every notice, for tills under test that have no receiver of their own."""
    return text("success")
