"""Commands that run a gateway: demo, sandbox, serve."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer

from anytill.cli.process import (
    NOT_THERE,
    SANDBOX_FILE,
    TERMINAL_DIALECT,
    embedded_settings,
    run_gateway,
    write_access,
)
from anytill.cli.sentences import refused_in_a_sentence, say, text_of

if TYPE_CHECKING:
    from anytill.bootstrap import Stand
    from anytill.bootstrap.terminals import Listens
    from anytill.config import Settings

DEMO_DIRECTORY = Path("anytill-demo")


def demo(
    port: Annotated[int, typer.Option(help="The port of all HTTP dialects; 0 takes a free one.")] = 8000,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    data: Annotated[Path, typer.Option(help="Where the demo keeps its data.")] = DEMO_DIRECTORY,
    terminal_http: Annotated[
        int | None, typer.Option(help="The terminal's port for HTTP; -1 none. Default: 9001, or 0 with --port 0.")
    ] = None,
    terminal_tcp: Annotated[
        int | None, typer.Option(help="The terminal's port for TCP; -1 none. Default: 9002, or 0 with --port 0.")
    ] = None,
) -> None:
    """Run everything on embedded storage with the sandbox wallet and published credentials: all HTTP dialects on one
    port, and a payment terminal beside, whose customer acts by himself."""
    with refused_in_a_sentence():
        _demo(host, port, data, terminal_http, terminal_tcp)


def _demo(host: str, port: int, data: Path, terminal_http: int | None, terminal_tcp: int | None) -> None:
    data.mkdir(parents=True, exist_ok=True)
    document = data / SANDBOX_FILE
    settings = embedded_settings(data, {"server.host": host, "server.port": port})
    terminals: dict[str, dict[str, str]] = {}

    def started(real_port: int) -> None:
        base_url = _address(host, real_port)
        access = sandbox_access(base_url) | terminals
        write_access(document, access)
        _show_access(f"anytill demo at {base_url}", base_url, access, document)
        typer.echo("stop: Ctrl-C")

    listens = _ports(host, port, terminal_http, terminal_tcp)
    # Not before the data is ours: a second demo in the same folder is refused and must not harm the first.
    run_gateway(
        settings,
        demo=data,
        opened=lambda: document.unlink(missing_ok=True),
        started=started,
        stands=_demo_stands(settings, data, listens, terminals),
        options={listens.tcp_port: "--terminal-tcp", listens.http_port: "--terminal-http", port: "--port"},
    )


def _ports(host: str, port: int, http: int | None, tcp: int | None) -> Listens:
    """Where the demo's terminal listens: at the vendor's own ports, or at free ones where the gateway takes a free one,
    so that several demos can run beside each other."""
    from anytill.bootstrap.terminals import Listens
    from anytill.dialects import load_dialects

    kind = load_dialects()[TERMINAL_DIALECT].terminal
    assert kind is not None
    usual = (0, 0) if port == 0 else (kind.http_port, kind.tcp_port)
    chosen = [wanted if given is None else given for given, wanted in zip((http, tcp), usual, strict=True)]
    http_port, tcp_port = (None if each == NOT_THERE else each for each in chosen)
    return Listens(host=host, http_port=http_port, tcp_port=tcp_port)


def _demo_stands(settings: Settings, data: Path, listens: Listens, told: dict[str, dict[str, str]]) -> list[Stand]:
    """The demo's terminal, with a customer who acts by himself; `told` gets where it listens."""
    from anytill.cli.machine import Machine, customer_in_front

    if listens.http_port is None and listens.tcp_port is None:
        return []
    machine = Machine(TERMINAL_DIALECT, settings, data, data, listens)

    def started(open_now: Listens) -> None:
        told[machine.dialect] = machine.access(open_now)

    return [machine.stand(customer_in_front, started)]


def sandbox(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, keyed by dialect.")] = False,
    url: Annotated[str, typer.Option(help="Where the demo listens.")] = "",
    data: Annotated[Path, typer.Option(help="The demo's data folder.")] = DEMO_DIRECTORY,
) -> None:
    """Print the demo's addresses and published credentials."""
    document = data / SANDBOX_FILE
    if not url and document.exists():
        access: Mapping[str, Mapping[str, str]] = json.loads(document.read_text())
        url = next(values["base_url"] for values in access.values() if "base_url" in values)
    else:
        url = url or "http://127.0.0.1:8000"
        access = sandbox_access(url)
    if as_json:
        typer.echo(json.dumps(access, indent=2, ensure_ascii=False))
    else:
        title = f"anytill demo at {url}" if _listens(url) else f"a demo would be at {url}; none answers there now"
        _show_access(title, url, access, document)


def serve(
    config: Annotated[Path | None, typer.Option(help="The settings file (TOML).")] = None,
    store: Annotated[str, typer.Option(help="sqlite:///path or postgresql://…")] = "",
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "",
    port: Annotated[int, typer.Option(help="The port of all HTTP dialects.")] = -1,
) -> None:
    """Run a gateway with real settings. Sandbox credentials are refused."""
    from anytill.config import SettingsError, read_settings

    given: dict[str, object] = {}
    given |= {"store.url": store} if store else {}
    given |= {"server.host": host} if host else {}
    given |= {"server.port": port} if port >= 0 else {}
    with refused_in_a_sentence():
        text = text_of("--config", config) if config else ""
        settings = read_settings(text, os.environ, given)
        if not settings.text("store.url"):
            raise SettingsError("store.url is needed: sqlite:///path or postgresql://…")
        if not settings.channels:
            raise SettingsError("at least one [channel.NAME] is needed, or no money can move")
        run_gateway(settings, demo=None, started=lambda real_port: say(_announcement(settings, real_port)))
        say("stopped")


COMMANDS: list[Callable[..., Any]] = [demo, sandbox, serve]


def sandbox_access(base_url: str) -> dict[str, dict[str, str]]:
    """What each dialect's client needs to know of a demo at `base_url`, named as the dialect names it."""
    from anytill.dialects import load_dialects

    return {name: dict(dialect.sandbox_settings(base_url)) for name, dialect in load_dialects().items()}


def _address(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _announcement(settings: Settings, port: int) -> str:
    """Where a gateway listens, and for whom, by its settings file."""
    merchants, credentials = len(settings.merchants), len(settings.credentials)
    channels = [channel.name for channel in settings.channels]
    return (
        f"listening on {_address(settings.text('server.host'), port)}, "
        f"{merchants} merchant{'s' * (merchants != 1)}, {credentials} credential{'s' * (credentials != 1)}, "
        f"channel{'s' * (len(channels) != 1)} {', '.join(channels)}"
    )


def _listens(url: str) -> bool:
    """True when somebody accepts connections there."""
    try:
        parts = urlsplit(url)
        with socket.create_connection((parts.hostname or "", parts.port or 80), timeout=1):
            return True
    except (OSError, ValueError):
        return False


def _show_access(title: str, base_url: str, access: Mapping[str, Mapping[str, str]], document: Path) -> None:
    """One table of addresses and credentials."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    # Without upright lines the longest address can be copied whole from a window of 80 columns.
    table = Table(title=title, title_justify="left", box=box.HORIZONTALS, pad_edge=False)
    for column in ("dialect", "setting", "value"):
        table.add_column(column, overflow="fold")
    for dialect, values in access.items():
        for count, (name, value) in enumerate(values.items(), 1):
            table.add_row(dialect if count == 1 else "", name, str(value), end_section=count == len(values))
    console = Console()
    console.print(table)
    same = f"the same as JSON: {document}" if document.exists() else "the same as JSON: anytill sandbox --json"
    console.print(f"{same}   control calls: {base_url}/sandbox/…", soft_wrap=True)
