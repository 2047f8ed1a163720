"""A line to a gateway: a dialect's client, made from settings that people wrote, and whether anything went out on it.

What cannot be a client's settings ends the command with a sentence and exit code 2, before anything is sent.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import httpcore2

from anytill.cli.sentences import stop, text_of
from anytill.dialects import Client, Dialect, load_dialects
from anytill.ports import Unreachable
from anytill.transports.http_client import OriginSend, open_send
from anytill.wire.http import HttpRequest, HttpResponse

DEMO_FILE = Path("anytill-demo/sandbox.json")
_TIMEOUT_MS = 30_000


class Line:
    """A client and what the command line knows of it."""

    def __init__(self, dialect: Dialect, settings: Mapping[str, str], send: OriginSend) -> None:
        self.dialect = dialect.name
        self.base_url = settings["base_url"]
        self.reached = False  # a request may have arrived
        published = settings == dict(dialect.sandbox_settings(self.base_url))
        #: Where a demo hears notices itself; empty at any other gateway.
        self.demo_notices = f"{self.base_url}/sandbox/notify" if published else ""
        self._send = send
        self.client: Client = dialect.client(settings, self._ask)

    @classmethod
    def of(cls, name: str, file: Path | None, url: str) -> Line:
        """The line that the options --dialect, --settings and --url describe."""
        known = load_dialects()
        if name not in known:
            stop(2, f"there is no dialect {name}; there are {', '.join(sorted(known))}")
        dialect = known[name]
        if dialect.terminal is not None:
            stop(2, f"{name} is spoken to a terminal, not to a gateway: `anytill ecr` does")
        path = file or (DEMO_FILE if DEMO_FILE.exists() else None)
        settings = _settings(dialect, path) if path else dict(dialect.sandbox_settings(url))
        try:
            send = open_send(settings["base_url"], timeout_ms=_TIMEOUT_MS)
        except ValueError as fault:
            where = f"--settings {path}: base_url" if path else "--url"
            stop(2, f"{where} {settings['base_url']}: {fault}")
        return cls(dialect, settings, send)

    async def close(self) -> None:
        """Let go of the connection."""
        await self._send.aclose()

    async def _ask(self, request: HttpRequest) -> HttpResponse:
        try:
            response = await self._send(request)
        except Unreachable as fault:
            self.reached |= not isinstance(fault.__cause__, httpcore2.ConnectError | httpcore2.ConnectTimeout)
            raise
        self.reached = True
        return response


def _settings(dialect: Dialect, path: Path) -> dict[str, str]:
    """The dialect's settings in a file that holds them alone, or those of several dialects by name."""
    text = text_of("--settings", path)
    try:
        found = json.loads(text)
    except ValueError as fault:
        stop(2, f"--settings {path}: not JSON: {fault}")
    values = found.get(dialect.name, found) if isinstance(found, dict) else None
    if not isinstance(values, dict):
        stop(2, f"--settings {path}: one JSON object is expected, as `anytill sandbox --json` prints it")
    needed = dict.fromkeys(("base_url", *dialect.client_settings))
    if missing := [name for name in needed if not isinstance(values.get(name), str)]:
        stop(2, f"--settings {path}: {dialect.name} needs {', '.join(missing)}")
    return {name: values[name] for name in needed}
