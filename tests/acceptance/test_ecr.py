"""`anytill ecr` against `anytill terminal`, both as processes: over each line, with each kind of key, and killed."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import signal
import ssl
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.books import wallet_book
from tests.acceptance.harness import ANYTILL, clean_environment, command, lasting_port, until
from tests.acceptance.terminals import ECR_ENDS_WITHIN_S, answered
from tests.transports.cables import Cable

pytestmark = pytest.mark.timeout(900)

KEY = "0123456789abcdef0123456789abcdef"
POWER_CUT_STATUS = 86


@dataclass
class Machine:
    """A terminal's process, whose customer acts by himself."""

    folder: Path
    options: Sequence[str] = ()
    http: int = field(default_factory=lasting_port)
    tcp: int = field(default_factory=lasting_port)
    process: subprocess.Popen[bytes] | None = None

    def start(self, *more: str) -> None:
        """Start it where it was before, and return when it listens."""
        self.folder.mkdir(parents=True, exist_ok=True)
        out = self.folder / "stdout.log"
        with out.open("wb") as stdout, (self.folder / "stderr.log").open("ab") as stderr:
            arguments = ("terminal", "--auto", "--http", str(self.http), "--tcp", str(self.tcp))
            self.process = subprocess.Popen(
                (*ANYTILL, *arguments, "--data", str(self.folder / "data"), *self.options, *more),
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                env=clean_environment(),
                start_new_session=True,
            )

        def listens() -> bool:
            assert self.process is not None
            assert self.process.poll() is None, (self.folder / "stderr.log").read_text()
            found = re.search(r"https?://[^:]+:([0-9]+), tcp://[^:]+:([0-9]+)[,\n]", out.read_text())
            if found:
                self.http, self.tcp = int(found[1]), int(found[2])
            return found is not None

        until(listens, "the terminal's start", 120)

    def stop(self) -> None:
        """Switch it off."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def ended(self) -> int:
        """How it ended by itself."""
        assert self.process is not None
        code = self.process.wait(120)
        self.process = None
        return code

    @property
    def settings(self) -> Path:
        """What it left for registers."""
        return self.folder / "data" / "sandbox.json"

    def net_cents(self) -> dict[str, int]:
        """What the wallet's book says each order's payer is poorer by; the terminal must not run."""
        book = wallet_book(self.folder / "data" / "wallet.journal")
        return {order.merchant_order: int(book.amounts(order)["net_fen"]) for order in book.orders.values()}


@contextmanager
def machine(folder: Path, *options: str, starts: bool = True) -> Iterator[Machine]:
    found = Machine(folder, options)
    try:
        if starts:
            found.start()
        yield found
    finally:
        found.stop()


@contextmanager
def cable() -> Iterator[tuple[str, str]]:
    """Two serial ports with a cable between them, carried by a thread of its own."""
    paths: list[tuple[str, str]] = []
    ready, done = threading.Event(), threading.Event()

    async def carry() -> None:
        async with Cable() as between:
            paths.append(between.paths)
            ready.set()
            await asyncio.to_thread(done.wait)

    thread = threading.Thread(target=lambda: asyncio.run(carry()))
    thread.start()
    ready.wait()
    try:
        yield paths[0]
    finally:
        done.set()
        thread.join()


@dataclass
class Till:
    """A register in a folder of its own, on one line."""

    folder: Path
    line: tuple[str, ...]

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """One command to its end."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return command("ecr", *self.line, *arguments, cwd=self.folder, environment=environment)

    def heard(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """One command to its end; on a serial line, once it was answered."""
        return answered(lambda: self.run(*arguments)) if "--serial" in self.line else self.run(*arguments)

    def ask(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        """Exit code and the JSON object that was printed."""
        run = self.heard(*arguments, "--json")
        assert run.stdout, run.stderr
        return run.returncode, json.loads(run.stdout.splitlines()[-1])

    def waits(self, number: str) -> bool:
        """Whether the terminal has this order, and nobody has paid yet."""
        run = self.run("query", number, "--json")
        return run.returncode == 1 and json.loads(run.stdout)["state"] == "UNKNOWN"

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """A command that is still under way."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return subprocess.Popen(
            (*ANYTILL, "ecr", *self.line, *arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder,
            env=clean_environment(),
        )

    def steps(self) -> list[str]:
        """What stands in the journal; a line that is being written is left out."""
        (journal,) = (self.folder / "anytill-ecr").iterdir()
        return [json.loads(line)["step"] for line in journal.read_bytes().split(b"\n")[:-1]]


@pytest.mark.parametrize(("way", "form"), [("http", "plain"), ("tcp", "quoted"), ("serial", "raw")])
def test_a_day_at_the_register(tmp_path: Path, way: str, form: str) -> None:
    with cable() as (there, here), machine(tmp_path / "terminal", "--serial", there) as terminal:
        lines = {"http": f"127.0.0.1:{terminal.http}", "tcp": f"127.0.0.1:{terminal.tcp}", "serial": here}
        till = Till(tmp_path / "till", (f"--{way}", lines[way], "--settings", str(terminal.settings), "--form", form))
        code, paid = till.ask("pay", "12.50", "--channel", "card_payment", "--order-no", "A1")
        assert (code, paid["state"], paid["amount"], paid["order_no"]) == (0, "PAID", "12.50", "A1")
        code, found = till.ask("query", paid["payment_id"], "--syssn")
        assert (code, found["order_no"]) == (0, "A1")
        # The same number again is the same payment.
        assert till.ask("pay", "12.50", "--channel", "card_payment", "--order-no", "A1") == (0, paid)
        assert till.run("pay", "12.51", "-c", "card_payment", "--order-no", "A1").returncode == 2
        assert till.heard("receipt", "A1").stderr.strip() == "printed"
        code, declined = till.ask("pay", "1.05", "--channel", "alipay", "--order-no", "A2")
        assert (code, declined["verdict"]) == (1, "NOT_PAID")
        code, shown = till.ask("pay", "8", "--qr", "--channel", "fps", "--order-no", "A3")
        assert (code, shown["state"]) == (0, "PAID")
        code, back = till.ask("refund", "A3", "3.20", "--refund-no", "R1")
        assert (code, back["state"], back["amount"]) == (0, "DONE", "3.20")
        code, rest = till.ask("refund", "A3")
        assert (code, rest["state"], rest["amount"]) == (0, "DONE", "4.80")
        assert till.heard("refund", "A3", "0.01").returncode == 2
        run = till.heard("cancel")
        assert (run.returncode, run.stderr.strip()) == (1, "nothing waits at the terminal")
        assert till.run("resume").stderr.strip() == "everything has its end"
        terminal.stop()
        assert {number: cents for number, cents in terminal.net_cents().items() if cents} == {"A1": 1250}


@pytest.mark.parametrize("killed", [False, True])
def test_the_power_is_cut_after_the_charge(tmp_path: Path, killed: bool) -> None:
    with machine(tmp_path / "terminal", starts=False) as terminal:
        terminal.start("--fault", "power-cut")
        till = Till(tmp_path / "till", ("--tcp", f"127.0.0.1:{terminal.tcp}"))
        paying = till.start("pay", "3.00", "--order-no", "B1")
        assert terminal.ended() == POWER_CUT_STATUS
        if killed:
            until(lambda: "inquiry" in till.steps(), "the register's question")
            paying.kill()
            paying.communicate()
        terminal.start()
        if killed:
            # What the register does first, whatever it is started for.
            code, paid = till.ask("pay", "4.00", "--order-no", "B2")
            assert (code, paid["order_no"], paid["state"]) == (0, "B2", "PAID")
        else:
            out, err = paying.communicate(timeout=ECR_ENDS_WITHIN_S)
            assert (paying.returncode, "state=PAID" in out) == (0, True), err
        code, found = till.ask("pay", "3.00", "--order-no", "B1")
        assert (code, found["state"]) == (0, "PAID")
        terminal.stop()
        assert terminal.net_cents() == ({"B1": 300, "B2": 400} if killed else {"B1": 300})
        first = ["trade", "inquiry", "inquiry"] if killed else ["trade", "inquiry"]
        assert till.steps() == [*first, "end", *(["trade", "end"] if killed else [])]


def test_a_cashier_takes_it_back_with_ctrl_c(tmp_path: Path) -> None:
    with machine(tmp_path / "terminal") as terminal:
        till = Till(tmp_path / "till", ("--http", f"127.0.0.1:{terminal.http}"))
        # Nobody scans this code.
        paying = till.start("pay", "1.03", "--qr", "--order-no", "C1")
        assert paying.stderr is not None
        assert "C1" in paying.stderr.readline()
        until(lambda: till.waits("C1"), "the code on the screen")
        paying.send_signal(signal.SIGINT)
        out, err = paying.communicate(timeout=ECR_ENDS_WITHIN_S)
        assert (paying.returncode, "verdict=NOT_PAID" in out) == (1, True), err
        assert till.steps() == ["trade", "withdrawal", "end"]
        # Another process may take back too, although the journal is taken.
        paying = till.start("pay", "1.03", "--qr", "--order-no", "C2")
        until(lambda: till.waits("C2"), "the code on the screen")
        run = till.run("pay", "1.00")
        assert (run.returncode, "another register" in run.stderr) == (2, True)
        run = till.run("cancel")
        out, err = paying.communicate(timeout=ECR_ENDS_WITHIN_S)
        assert (paying.returncode, "verdict=NOT_PAID" in out) == (1, True), err
        terminal.stop()
        assert not any(terminal.net_cents().values())


def test_a_second_ctrl_c_leaves_it_open(tmp_path: Path) -> None:
    with machine(tmp_path / "terminal") as terminal:
        assert terminal.process is not None
        till = Till(tmp_path / "till", ("--http", f"127.0.0.1:{terminal.http}"))
        paying = till.start("pay", "1.03", "--qr", "--order-no", "D1")
        assert paying.stderr is not None
        paying.stderr.readline()
        until(lambda: till.waits("D1"), "the code on the screen")
        # A terminal that says nothing any more.
        terminal.process.send_signal(signal.SIGSTOP)
        for _ in range(2):
            paying.send_signal(signal.SIGINT)
            until(lambda: "withdrawal" in till.steps(), "the wish to take it back")
        _, err = paying.communicate(timeout=ECR_ENDS_WITHIN_S)
        assert (paying.returncode, "left open" in err) == (130, True), err
        terminal.process.send_signal(signal.SIGCONT)
        run = till.run("resume", "--json")
        assert (run.returncode, json.loads(run.stdout)["verdict"]) == (1, "NOT_PAID"), run.stderr


def test_a_trade_of_another_terminal_is_left_alone(tmp_path: Path) -> None:
    """The payer was charged at a terminal that then died; another one, of the same number, stands beside it."""
    with machine(tmp_path / "left", starts=False) as left, machine(tmp_path / "right") as right:
        left.start("--fault", "power-cut")
        folder = tmp_path / "till"
        there = Till(folder, ("--tcp", f"127.0.0.1:{left.tcp}", "--settings", str(left.settings)))
        paying = there.start("pay", "3.00", "--order-no", "PC2")
        assert left.ended() == POWER_CUT_STATUS
        until(lambda: "inquiry" in there.steps(), "the register's question")
        paying.kill()
        paying.communicate()
        begun = there.steps()
        here = Till(folder, ("--tcp", f"127.0.0.1:{right.tcp}", "--settings", str(right.settings)))
        for arguments in (("pay", "1.00"), ("pay", "3.00", "--order-no", "PC2"), ("refund", "PC2"), ("resume",)):
            run = here.run(*arguments)
            assert (run.returncode, run.stdout) == (1, ""), run
            assert f"PC2 was sent to tcp://127.0.0.1:{left.tcp}, which alone knows its end" in run.stderr
            assert "FAILED" not in run.stderr
        assert here.steps() == begun
        left.start()
        run = there.run("resume")
        assert (run.returncode, "state=PAID" in run.stdout) == (0, True), run
        code, found = here.ask("pay", "3.00", "--order-no", "PC2")
        assert (code, found["state"]) == (0, "PAID")
        assert here.ask("pay", "1.00")[0] == 0


def test_a_terminal_that_has_another_address_now(tmp_path: Path) -> None:
    with machine(tmp_path / "terminal", starts=False) as terminal:
        terminal.start("--fault", "power-cut")
        folder = tmp_path / "till"
        where = ("--settings", str(terminal.settings))
        before = Till(folder, ("--tcp", f"127.0.0.1:{terminal.tcp}", *where))
        paying = before.start("pay", "3.00", "--order-no", "M1")
        terminal.ended()
        until(lambda: "inquiry" in before.steps(), "the register's question")
        paying.kill()
        paying.communicate()
        address = f"tcp://127.0.0.1:{terminal.tcp}"
        terminal.tcp = lasting_port()
        terminal.start()
        after = Till(folder, ("--http", f"127.0.0.1:{terminal.http}", *where))
        assert after.run("resume").returncode == 1
        run = after.run("resume", "--formerly", address)
        assert (run.returncode, "state=PAID" in run.stdout) == (0, True), run


def test_keys_from_a_file_and_from_the_environment(tmp_path: Path) -> None:
    with machine(tmp_path / "terminal", "--pos-key", KEY, "--key-bytes", "hex") as terminal:
        (tmp_path / "key").write_text(f"{KEY}\n")
        where = ("--http", f"127.0.0.1:{terminal.http}", "--key-bytes", "hex")
        till = Till(tmp_path / "till", (*where, "--pos-key-file", str(tmp_path / "key")))
        assert till.ask("pay", "1.00")[0] == 0
        run = Till(tmp_path / "till", where).run("pay", "1.00", ANYTILL_POS_KEY=KEY)
        assert (run.returncode, "command line" in run.stderr) == (0, False)
        run = Till(tmp_path / "till", (*where, "--pos-key", KEY)).run("pay", "1.00")
        assert (run.returncode, "command line" in run.stderr) == (0, True)
        run = Till(tmp_path / "other", where).run("pay", "1.00", ANYTILL_POS_KEY=KEY[::-1])
        assert (run.returncode, run.stderr.splitlines()[-1].startswith("refused:")) == (2, True)
        assert all(KEY not in path.read_text() for path in tmp_path.rglob("*.journal") if path.is_file())


def test_https_with_a_certificate_that_is_known(tmp_path: Path) -> None:
    with machine(tmp_path / "terminal", "--https") as terminal:
        where = f"https://127.0.0.1:{terminal.http}"
        shown = ssl.get_server_certificate(("127.0.0.1", terminal.http))
        (tmp_path / "ca.pem").write_text(shown)
        fingerprint = hashlib.sha256(ssl.PEM_cert_to_DER_cert(shown)).hexdigest()
        for trusted in (("--ca", str(tmp_path / "ca.pem")), ("--fingerprint", fingerprint)):
            assert Till(tmp_path / "till", ("--http", where, *trusted)).ask("pay", "1.00")[0] == 0
        run = Till(tmp_path / "till", ("--http", where)).run("pay", "1.00")
        assert (run.returncode, "Nothing was sent" in run.stderr) == (3, True)
        run = Till(tmp_path / "till", ("--http", where, "--fingerprint", "0" * 64)).run("pay", "1.00")
        assert (run.returncode, fingerprint in run.stderr) == (2, True)


@pytest.mark.parametrize(
    ("line", "arguments", "code", "sentence"),
    [
        (("--http", "127.0.0.1:1"), ("pay", "1.00"), 3, "Nothing was sent"),
        (("--tcp", "127.0.0.1:1"), ("query", "A1"), 3, "Nothing was sent"),
        (("--serial", "/dev/nobody"), ("cancel",), 3, "Nothing was sent"),
        (("--http", "a", "--tcp", "b"), ("cancel",), 2, "one of"),
        (("--http", "ftp://a"), ("cancel",), 2, "a terminal is at"),
        (("--ca", "x"), ("cancel",), 2, "https"),
        (("--form", "xml"), ("cancel",), 2, "xml"),
        (("--pos-key-file", "nothing"), ("cancel",), 2, "no such file"),
        (("--settings", "nothing"), ("cancel",), 2, "no such file"),
        ((), ("pay", "1.00", "--channel", "cash"), 2, "--channel"),
        ((), ("pay", "1.001"), 2, "two decimals"),
    ],
)
def test_what_people_can_put_right_is_told_in_a_sentence(
    tmp_path: Path, line: tuple[str, ...], arguments: tuple[str, ...], code: int, sentence: str
) -> None:
    run = Till(tmp_path, line).run(*arguments)
    assert (run.returncode, sentence in run.stderr, "Traceback" in run.stderr) == (code, True, False), run.stderr


def test_damage_to_the_journal_is_told(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("not a step\n")
    run = Till(tmp_path, ("--journal", "mine")).run("resume")
    assert (run.returncode, "line 1" in run.stderr) == (2, True)


def test_the_commands_for_gateways_lead_here(tmp_path: Path) -> None:
    run = command("query", "A1", "--dialect", "qfpay", cwd=tmp_path)
    assert (run.returncode, "anytill ecr" in run.stderr) == (2, True)
