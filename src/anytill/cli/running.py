"""Commands that run a gateway: demo, sandbox, serve."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import secrets
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer

from anytill.cli.sentences import refused_in_a_sentence, say, text_of

if TYPE_CHECKING:
    from anytill.config import Settings

DEMO_DIRECTORY = Path("anytill-demo")
SANDBOX_FILE = "sandbox.json"


def demo(
    port: Annotated[int, typer.Option(help="The port of all HTTP dialects; 0 takes a free one.")] = 8000,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    data: Annotated[Path, typer.Option(help="Where the demo keeps its data.")] = DEMO_DIRECTORY,
) -> None:
    """Run everything on embedded storage with the sandbox wallet and published credentials."""
    with refused_in_a_sentence():
        _demo(host, port, data)


def _demo(host: str, port: int, data: Path) -> None:
    from anytill.config import read_settings

    data.mkdir(parents=True, exist_ok=True)
    document = data / SANDBOX_FILE
    given: dict[str, object] = {
        "server.host": host,
        "server.port": port,
        "store.url": f"sqlite:///{data / 'anytill.db'}",
        "keys.master": _kept_key(data / "master.key"),
        "notices.loopback": True,
    }
    book = json.dumps(str(data / "wallet.journal"))
    settings = read_settings(f'[channel.sandbox]\nkind = "sandbox"\nbook = {book}\n', {}, given)

    def started(real_port: int) -> None:
        base_url = _address(host, real_port)
        access = sandbox_access(base_url)
        partial = data / f"{SANDBOX_FILE}.part"
        partial.write_text(json.dumps(access, indent=2, ensure_ascii=False) + "\n")
        partial.replace(document)
        _show_access(f"anytill demo at {base_url}", base_url, access, document)
        typer.echo("stop: Ctrl-C")

    # Not before the data is ours: a second demo in the same folder is refused and must not harm the first.
    _run(settings, demo=data, opened=lambda: document.unlink(missing_ok=True), started=started)


def sandbox(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, keyed by dialect.")] = False,
    url: Annotated[str, typer.Option(help="Where the demo listens.")] = "",
    data: Annotated[Path, typer.Option(help="The demo's data folder.")] = DEMO_DIRECTORY,
) -> None:
    """Print the demo's addresses and published credentials."""
    document = data / SANDBOX_FILE
    if not url and document.exists():
        access: Mapping[str, Mapping[str, str]] = json.loads(document.read_text())
        url = next(iter(access.values()))["base_url"]
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
        _run(settings, demo=None, started=lambda real_port: say(_announcement(settings, real_port)))
        say("stopped")


COMMANDS: list[Callable[..., Any]] = [demo, sandbox, serve]


def sandbox_access(base_url: str) -> dict[str, dict[str, str]]:
    """What each dialect's client needs to know of a demo at `base_url`, named as the dialect names it."""
    from anytill.dialects import load_dialects

    return {name: dict(dialect.sandbox_settings(base_url)) for name, dialect in load_dialects().items()}


def _run(
    settings: Settings,
    *,
    demo: Path | None,
    opened: Callable[[], None] = lambda: None,
    started: Callable[[int], None],
) -> None:
    from anytill.bootstrap import run
    from anytill.config import SettingsError
    from anytill.transports.http_server import new_event_loop

    async def serve_until_told() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await run(settings, sys.stderr, demo=demo, opened=opened, started=started, stop=stop)

    try:
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(serve_until_told())
    except OSError as fault:
        if fault.errno != errno.EADDRINUSE:
            raise
        raise SettingsError(f"port {settings.number('server.port')} is taken: --port 0 takes a free one") from None


def _kept_key(path: Path) -> str:
    """The demo's own master key, made at its first start. Readable by nobody else."""
    if not path.exists():
        partial = path.with_suffix(".part")
        partial.touch(mode=0o600)
        partial.write_text(secrets.token_hex(32))
        partial.replace(path)
    return path.read_text().strip()


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
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left", show_lines=True)
    for column in ("dialect", "setting", "value"):
        table.add_column(column, overflow="fold")
    for dialect, values in access.items():
        table.add_row(dialect, "\n".join(values), "\n".join(map(str, values.values())))
    console = Console()
    console.print(table)
    same = f"the same as JSON: {document}" if document.exists() else "the same as JSON: anytill sandbox --json"
    console.print(f"{same}   control calls: {base_url}/sandbox/…", soft_wrap=True)
