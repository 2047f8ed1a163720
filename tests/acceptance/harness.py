"""Real gateways in processes of their own, to be fed, killed and judged from outside.

`Demo` is `anytill demo` on SQLite with a clock that can be moved; `Serve` is `anytill serve` with a settings file, a
merchant of its own and a sandbox wallet behind it. Both can be killed with SIGKILL and started again over the same
data on the same port. What they print goes to files, and `check_silence` looks there for what must never be printed.
"""

from __future__ import annotations

import http.client
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.acceptance.semoor_till import SemoorTill
from tests.acceptance.shop import Shop
from tests.acceptance.tills import ChaoyingTill, Line, TeegonTill
from tests.acceptance.yst_till import YstTill

#: Guards against a hang and measures nothing: on a busy machine any process may stand still for a while.
HANGS_AFTER_S = 120.0
POLL_S = 0.01
#: The kernel gives away ports from 32768 on to whoever asks for any. One of those that is let go of, if only until its
#: gateway starts again, may be somebody else's then; so ours are below. The workers of a run have some each.
PORTS_EACH = 100
FIRST_PORT = 20_000 + os.getpid() % 120 * PORTS_EACH
OUR_PORTS = range(FIRST_PORT, FIRST_PORT + PORTS_EACH)
SHORTEST_CODE = 16
NOBODY = "http://127.0.0.1:65535/nobody"
ANYTILL = (sys.executable, "-m", "anytill")
#: Only these variables of ours reach a gateway; a developer's ANYTILL_… must not change what is tested.
KEPT_VARIABLES = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV")


def until(condition: Callable[[], bool], what: str, timeout_s: float = HANGS_AFTER_S, poll_s: float = POLL_S) -> None:
    """Return as soon as the condition holds; fail, saying what was waited for, when it does not in time. After that it
    is looked at once more: we may have stood still ourselves."""
    deadline, is_last = time.monotonic() + timeout_s, False
    while not condition():
        assert not is_last, f"{what}: not within {timeout_s} s"
        time.sleep(poll_s)
        is_last = time.monotonic() >= deadline


_next_ports = cycle(OUR_PORTS)


def lasting_port() -> int:
    """A free port that is given to nobody else while its owner is down for a moment."""
    for port in islice(_next_ports, PORTS_EACH):
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError(f"all ports of {OUR_PORTS} are taken")


def command(
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    within_s: float = HANGS_AFTER_S,
) -> subprocess.CompletedProcess[str]:
    """Run `anytill` with these arguments to its end."""
    return subprocess.run(
        (*ANYTILL, *arguments),
        capture_output=True,
        text=True,
        timeout=within_s,
        check=False,
        cwd=cwd,
        env=clean_environment() | dict(environment or {}),
    )


def clean_environment() -> dict[str, str]:
    """What a gateway or a command of ours sees of the environment."""
    kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    return kept | {"COLUMNS": "160"}


@dataclass
class Gateway:
    """A gateway's process and where it lives."""

    folder: Path
    port: int = field(default_factory=lasting_port)
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0
    #: What must not be found in anything that this gateway prints.
    canaries: set[str] = field(default_factory=set)

    @property
    def arguments(self) -> Sequence[str]:
        """What follows `anytill`."""
        raise NotImplementedError

    @property
    def environment(self) -> Mapping[str, str]:
        """Variables beyond the usual ones."""
        return {}

    @property
    def store_url(self) -> str:
        """Where its payments are."""
        raise NotImplementedError

    @property
    def audit_environment(self) -> Mapping[str, str]:
        """What `anytill audit` needs beyond the store's address."""
        raise NotImplementedError

    @property
    def shown(self) -> set[str]:
        """What it prints to stdout on purpose, although it looks like a secret."""
        return set()

    @property
    def journal(self) -> Path:
        """The wallet's own book."""
        return self.folder / "wallet.journal"

    @property
    def log(self) -> Path:
        """What it wrote to stderr over all its lives."""
        return self.folder / "stderr.log"

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def _announced(self, since: int) -> int | None:
        """The port, once this life has told that it accepts requests."""
        raise NotImplementedError

    def launch(self) -> int:
        """Start a process and do not wait for it; returns how long the log was before."""
        assert self.process is None, "it runs already"
        self.folder.mkdir(parents=True, exist_ok=True)
        since = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as stderr, (self.folder / "stdout.log").open("ab") as stdout:
            self.process = subprocess.Popen(
                (*ANYTILL, *self.arguments),
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                env=clean_environment() | dict(self.environment),
                start_new_session=True,  # a Ctrl-C in the terminal is for the tests; they end their gateways
            )
        self.starts += 1
        return since

    def start(self) -> None:
        """Start a process and return when it accepts requests."""
        since = self.launch()

        def accepts() -> bool:
            assert self.process is not None
            code = self.process.poll()
            assert code is None, f"it ended with {code}:\n{self.printed(since)}"
            port = self._announced(since)
            self.port = port or self.port
            return port is not None

        try:
            until(accepts, "start", poll_s=0.005)
        except BaseException:
            self.kill()
            raise

    def kill(self) -> None:
        """SIGKILL: no handler runs, nothing is flushed."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def terminate(self) -> int:
        """SIGTERM, and wait; returns the exit code."""
        self.begin_to_stop()
        return self.ended()

    def begin_to_stop(self) -> None:
        """SIGTERM, once: a second one may come when nobody catches it any more."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)

    def ended(self) -> int:
        """Wait for its end; returns the exit code."""
        assert self.process is not None
        code = self.process.wait(HANGS_AFTER_S)
        self.process = None
        return code

    def printed(self, since: int = 0) -> str:
        """What it wrote to stderr, from a place on."""
        return self.log.read_bytes()[since:].decode(errors="replace")

    def get(self, path: str) -> tuple[int, bytes]:
        """One GET."""
        return exchange(self.port, "GET", path)

    def check_silence(self) -> None:
        """No secret and no payer's code was printed, in any of its lives."""
        for name, allowed in (("stderr.log", set[str]()), ("stdout.log", self.shown)):
            text = (self.folder / name).read_text(errors="replace")
            found = [canary for canary in self.canaries - allowed if canary in text]
            assert not found, f"{name} holds {len(found)} things that must not be printed"

    def audit(self) -> None:
        """`anytill audit` says that the books are right."""
        run = command("audit", "--store", self.store_url, environment=self.audit_environment)
        assert (run.returncode, run.stdout.strip()) == (0, "the books are right"), run.stdout + run.stderr

    def line(self) -> Line:
        """A line to wherever it listens now and after every restart, that notes what must not be printed."""

        def note(text: str) -> None:
            if len(text) >= SHORTEST_CODE:  # what is shorter is no code and stands in any text by chance
                self.canaries.add(text)

        return Line(lambda: self.port, note)


@dataclass
class Demo(Gateway):
    """`anytill demo` over a folder."""

    @property
    def arguments(self) -> Sequence[str]:
        # Beside a port of our own its terminal would be at the vendor's, where other demos' may be.
        free = ("--terminal-http", "0", "--terminal-tcp", "0")
        return ("demo", "--port", str(self.port), "--data", str(self.folder / "data"), *free)

    @property
    def access_file(self) -> Path:
        """Addresses and credentials, as the demo wrote them."""
        return self.folder / "data" / "sandbox.json"

    @property
    def access(self) -> dict[str, dict[str, str]]:
        """The same, read."""
        read: dict[str, dict[str, str]] = json.loads(self.access_file.read_text())
        return read

    @property
    def store_url(self) -> str:
        return f"sqlite:///{self.folder / 'data' / 'anytill.db'}"

    @property
    def audit_environment(self) -> Mapping[str, str]:
        return {"ANYTILL_KEYS__MASTER_FILE": str(self.folder / "data" / "master.key")}

    @property
    def shown(self) -> set[str]:
        # The demo's credentials are published; whoever starts it is shown them.
        return {value for values in self.access.values() for value in values.values()}

    @property
    def journal(self) -> Path:
        return self.folder / "data" / "wallet.journal"

    def launch(self) -> int:
        # Else an earlier life's file would be taken for this one's.
        self.access_file.unlink(missing_ok=True)
        return super().launch()

    def _announced(self, since: int) -> int | None:
        if not self.access_file.exists():
            return None
        return int(self.access["teegon"]["base_url"].rpartition(":")[2])

    def teegon(self, notify_url: str = "") -> TeegonTill:
        """A till of the demo merchant; without an address of its own the demo hears the notices itself."""
        access = self.access["teegon"]
        url = notify_url or f"{self.url}/sandbox/notify"
        return TeegonTill(self.line(), access["client_id"], access["client_secret"], url)

    def chaoying(self) -> ChaoyingTill:
        """Another till of the same merchant."""
        access = self.access["chaoying"]
        return ChaoyingTill(self.line(), access["agent_id"], access["key"], access["mch_id"])

    def semoor(self, method: str = "POST") -> SemoorTill:
        """A device of the same merchant."""
        access = self.access["semoor"]
        return SemoorTill(self.line(), access["device_id"], access["key"], method)

    def yst(self) -> YstTill:
        """A terminal of the same merchant."""
        access = self.access["yst"]
        return YstTill(self.line(), access["url"], access["account"], access["password"], access["private_key"])

    def shop(self, notify_url: str = "") -> Shop:
        """A till of each vendor's."""
        gets = self.semoor("GET")
        return Shop(self.teegon(notify_url), self.chaoying(), self.semoor(), gets, self.yst())

    def control(self, path: str, **fields: object) -> dict[str, Any]:
        """A control call of the sandbox that must succeed."""
        status, body = exchange(self.port, "POST", f"/sandbox/{path}", json.dumps(fields).encode())
        assert status == 200, body.decode()
        answer: dict[str, Any] = json.loads(body)
        return answer

    def advance(self, seconds: int) -> None:
        """Move the clock on."""
        self.control("clock", advance_s=seconds)

    def now_ms(self) -> int:
        """The demo's clock."""
        return int(json.loads(self.get("/sandbox/clock")[1])["now_ms"])

    def book(self, order_no: str) -> list[dict[str, Any]]:
        """The wallet's rows of this order."""
        status, body = self.get("/sandbox/book?" + urlencode({"merchant_order": order_no}))
        assert status == 200, body.decode()
        rows: list[dict[str, Any]] = json.loads(body)["orders"]
        return rows

    def totals(self) -> dict[str, Any]:
        """The wallet's whole book in a few numbers."""
        totals: dict[str, Any] = json.loads(self.get("/sandbox/totals")[1])
        return totals


@dataclass
class Serve(Gateway):
    """`anytill serve` with a settings file, a merchant with a till in each dialect, and a sandbox wallet."""

    store: str = ""
    secrets: Mapping[str, str] = field(
        default_factory=lambda: {
            "TEEGON_SECRET": secrets.token_hex(16),
            "CHAOYING_KEY": secrets.token_hex(16),
            "SEMOOR_KEY": secrets.token_hex(20),
            "YST_KEY": secrets.token_hex(8),
            "YST_PASSWORD": secrets.token_hex(8),
        }
    )
    master_key: str = field(default_factory=lambda: secrets.token_hex(32))

    def __post_init__(self) -> None:
        self.canaries |= {*self.secrets.values(), self.master_key}
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "master.key").write_text(self.master_key)
        self.config.write_text(
            f"""
            [keys]
            master_file = {json.dumps(str(self.folder / "master.key"))}
            [notices]
            loopback = true
            [channel.wallet]
            kind = "sandbox"
            book = {json.dumps(str(self.journal))}
            [[merchant]]
            id = "shop"
            name = "Corner Shop"
            [[credential]]
            dialect = "teegon"
            login = "corner0shop0till0000001"
            secret_env = "TEEGON_SECRET"
            merchants = {{"" = "shop"}}
            [[credential]]
            dialect = "chaoying"
            login = "7700000000000001"
            secret_env = "CHAOYING_KEY"
            merchants = {{"77000001" = "shop"}}
            [[credential]]
            dialect = "semoor"
            login = "770001"
            secret_env = "SEMOOR_KEY"
            merchants = {{"" = "shop"}}
            [[credential]]
            dialect = "yst"
            login = "shop0001"
            secret_env = "YST_KEY"
            password_env = "YST_PASSWORD"
            merchants = {{"" = "shop"}}
            """
        )

    @property
    def config(self) -> Path:
        """The settings file."""
        return self.folder / "anytill.toml"

    @property
    def arguments(self) -> Sequence[str]:
        return ("serve", "--config", str(self.config), "--store", self.store, "--port", str(self.port))

    @property
    def environment(self) -> Mapping[str, str]:
        return self.secrets

    @property
    def store_url(self) -> str:
        return self.store

    @property
    def audit_environment(self) -> Mapping[str, str]:
        return {"ANYTILL_KEYS__MASTER_FILE": str(self.folder / "master.key")}

    def _announced(self, since: int) -> int | None:
        for line in self.printed(since).splitlines():
            if line.startswith("listening on http://"):
                return int(line.partition(",")[0].rpartition(":")[2])
        return None

    def teegon(self, notify_url: str = NOBODY) -> TeegonTill:
        """A till of the shop."""
        return TeegonTill(self.line(), "corner0shop0till0000001", self.secrets["TEEGON_SECRET"], notify_url)

    def chaoying(self) -> ChaoyingTill:
        """Another till of the shop."""
        return ChaoyingTill(self.line(), "7700000000000001", self.secrets["CHAOYING_KEY"], "77000001")

    def semoor(self, method: str = "POST") -> SemoorTill:
        """A device of the shop."""
        return SemoorTill(self.line(), "770001", self.secrets["SEMOOR_KEY"], method)

    def yst(self) -> YstTill:
        """A terminal of the shop; its account is written as a clerk might, in capitals."""
        key, password = self.secrets["YST_KEY"], self.secrets["YST_PASSWORD"]
        return YstTill(self.line(), "http://gateway/ystpay/service/unitive.api", "SHOP0001", password, key)

    def shop(self, notify_url: str = NOBODY) -> Shop:
        """A till of each vendor's."""
        gets = self.semoor("GET")
        return Shop(self.teegon(notify_url), self.chaoying(), self.semoor(), gets, self.yst())


@contextmanager
def running(gateway: Gateway) -> Iterator[Gateway]:
    """A started gateway; at the end it is stopped, its books are audited and its logs searched."""
    gateway.start()
    try:
        yield gateway
        if gateway.process is not None:
            assert gateway.terminate() == 0, gateway.printed()
        gateway.audit()
        gateway.check_silence()
    finally:
        gateway.kill()


def exchange(port: int, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    """One request over a connection of its own: status and body. Raises OSError or HTTPException when none came."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()
