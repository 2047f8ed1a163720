"""Terminals in processes of their own, the cable between two serial ports, and `anytill ecr` as a cashier starts it."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import select
import ssl
import subprocess
import threading
import time
import tty
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from anytill.bootstrap.customer import CARDS
from tests.acceptance.books import Sale
from tests.acceptance.harness import ANYTILL, Gateway, clean_environment, command, lasting_port, until
from tests.acceptance.qfpay_register import Form, Http, Key, Line, QfpayTill, Serial, Tcp

PUBLISHED_KEY: Final = "f46b1f08bec1f39104792cc79ec9aacd"
#: What a sum's last two digits make of it: of a code that is held out, of a card, of a code on the screen. All others
#: are paid at once.
CODES: Final = {f"{ending:02d}" for ending in range(1, 11)}
CARD_ENDINGS: Final = {"04", "05", "06", "07", "08", "09"}
SCREEN_ENDINGS: Final = {"02", "03"}
#: Where a terminal's day begins, and how much of it must be left for a test whose sums are one day's.
HONG_KONG_S: Final = 8 * 3_600
DAY_S: Final = 86_400
LEFT_OF_THE_DAY_S: Final = 120
#: A register whose trade's answer was lost on a serial line asks what became of it only after minutes.
ECR_ENDS_WITHIN_S: Final = 600
NO_ANSWER: Final = 3


@dataclass
class Terminal(Gateway):
    """`anytill terminal --auto` with a gateway of its own, on HTTP, TCP, and a serial port if one is given."""

    options: Sequence[str] = ()
    serial: str = ""
    key: Key = field(default_factory=lambda: Key(PUBLISHED_KEY))
    secure: bool = False
    tcp_port: int = field(default_factory=lasting_port)
    variables: Mapping[str, str] = field(default_factory=dict)
    _spoken_before: int = 0
    _tills: list[QfpayTill] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.canaries |= {self.key.text, *(pan for pan in CARDS.values() if len(pan) > 10)}

    @property
    def arguments(self) -> Sequence[str]:
        serial = ("--serial", self.serial) if self.serial else ()
        where = ("--http", str(self.port), "--tcp", str(self.tcp_port), "--data", str(self.data))
        secure = ("--https",) if self.secure else ()
        return ("terminal", "--auto", *where, *serial, *secure, "--paper", str(self.paper), *self.options)

    @property
    def environment(self) -> Mapping[str, str]:
        own = {"ANYTILL_POS_KEY": self.key.text} if self.key.text != PUBLISHED_KEY else {}
        return {**own, **self.variables}

    @property
    def data(self) -> Path:
        """Where it keeps its store and the wallet's book."""
        return self.folder / "data"

    @property
    def paper(self) -> Path:
        """Where its slips come out."""
        return self.folder / "paper"

    @property
    def settings(self) -> Path:
        """What it tells registers on this machine."""
        return self.data / "sandbox.json"

    @property
    def store_url(self) -> str:
        return f"sqlite:///{self.data / 'anytill.db'}"

    @property
    def audit_environment(self) -> Mapping[str, str]:
        return {"ANYTILL_KEYS__MASTER_FILE": str(self.data / "master.key")}

    @property
    def journal(self) -> Path:
        return self.data / "wallet.journal"

    def launch(self) -> int:
        spoken = self.folder / "stdout.log"
        self._spoken_before = spoken.stat().st_size if spoken.exists() else 0
        return super().launch()

    def spoken(self) -> str:
        """What this life has told on its screen."""
        return (self.folder / "stdout.log").read_bytes()[self._spoken_before :].decode(errors="replace")

    def cut_off(self) -> int:
        """Its exit code, once it has ended by itself."""
        assert self.process is not None
        code = self.process.wait(120)
        self.process = None
        return code

    def slips(self) -> list[str]:
        """What was printed, oldest first."""
        return [path.read_text() for path in sorted(self.paper.glob("*.txt"))] if self.paper.exists() else []

    def _announced(self, since: int) -> int | None:
        title = self.spoken().partition("\n")
        if not title[1]:
            return None
        http, tcp = re.search(r"https?://[^:]+:([0-9]+)", title[0]), re.search(r"tcp://[^:]+:([0-9]+)", title[0])
        assert http is not None
        assert tcp is not None
        self.tcp_port = int(tcp[1])
        return int(http[1])

    def by_http(self, form: Form = Form.RAW) -> QfpayTill:
        """A register; over https it trusts the certificate that the terminal made, and no other."""
        tls = ssl.create_default_context(cafile=str(self.data / "certificate.crt")) if self.secure else None
        return self._till(Http(lambda: self.port, tls), form)

    def by_tcp(self, form: Form = Form.RAW, ending: bytes = b"") -> QfpayTill:
        """A register."""
        return self._till(Tcp(lambda: self.tcp_port, ending), form)

    def by_serial(self, path: str, form: Form = Form.RAW) -> QfpayTill:
        """A register at the other end of the cable."""
        return self._till(Serial(path), form)

    def hang_up(self) -> None:
        """All registers do."""
        for till in self._tills:
            till.close()

    def _till(self, line: Line, form: Form) -> QfpayTill:
        self._tills.append(QfpayTill(line, self.key, form))
        return self._tills[-1]


class Cable:
    """Two serial ports of this machine, joined. What goes through is kept."""

    def __init__(self) -> None:
        pairs = [pty.openpty(), pty.openpty()]
        self._outside = [pair[0] for pair in pairs]
        # Kept open, or whoever lets go of his port would end the other's line.
        self._inside = [pair[1] for pair in pairs]
        for each in self._inside:
            tty.setraw(each)
        self.terminal, self.register = (os.ttyname(each) for each in self._inside)
        self._stop, self._stopping = os.pipe()
        self._thread = threading.Thread(target=self._carry, daemon=True)
        self._thread.start()

    def pull(self) -> None:
        """Take it away."""
        os.write(self._stopping, b".")
        self._thread.join()
        for each in (*self._outside, *self._inside, self._stop, self._stopping):
            with contextlib.suppress(OSError):
                os.close(each)

    def _carry(self) -> None:
        one, other = self._outside
        while True:
            ready = select.select([one, other, self._stop], [], [])[0]
            if self._stop in ready:
                return
            for source in ready:
                data = os.read(source, 65_536)
                target = other if source == one else one
                while data:
                    data = data[os.write(target, data) :]


@contextmanager
def cable() -> Iterator[Cable]:
    """A cable that is taken away at the end."""
    joined = Cable()
    try:
        yield joined
    finally:
        joined.pull()


@contextmanager
def serving(*terminals: Terminal) -> Iterator[None]:
    """Terminals that start together; at the end they are stopped, their books audited, their logs searched."""
    try:
        with ThreadPoolExecutor(len(terminals)) as threads:
            list(threads.map(lambda each: each.start(), terminals))
        yield
        for each in terminals:
            each.hang_up()
            if each.process is not None:
                assert each.terminate() == 0, each.printed()
        for each in terminals:
            each.audit()
            each.check_silence()
    finally:
        for each in terminals:
            each.hang_up()
            each.kill()


@dataclass
class Ecr:
    """`anytill ecr` at one terminal, with a journal of its own."""

    terminal: Terminal
    way: Callable[[], Sequence[str]]
    journal: Path

    def arguments(self, *task: str) -> Sequence[str]:
        """What follows `anytill`."""
        return ("ecr", *self.way(), "--settings", str(self.terminal.settings), "--journal", str(self.journal), *task)

    def run(self, *task: str) -> subprocess.CompletedProcess[str]:
        """A command to its end."""
        return command(*self.arguments(*task), within_s=ECR_ENDS_WITHIN_S)

    def asked(self, *task: str) -> subprocess.CompletedProcess[str]:
        """A command to its end, once it was answered."""
        return answered(lambda: self.run(*task))

    def told(self, *task: str) -> dict[str, Any]:
        """What a command that must succeed prints as JSON."""
        done = self.run(*task, "--json")
        assert done.returncode == 0, done
        told: dict[str, Any] = json.loads(done.stdout)
        return told

    def begun(self, *task: str) -> subprocess.Popen[str]:
        """A command that is not waited for."""
        return subprocess.Popen(
            (*ANYTILL, *self.arguments(*task)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=clean_environment(),
            start_new_session=True,
        )

    def steps(self) -> list[dict[str, Any]]:
        """What it wrote down so far; a line that is being written is left out."""
        text = self.journal.read_bytes() if self.journal.exists() else b""
        return [json.loads(line) for line in text.split(b"\n")[:-1]]


def answered(ask: Callable[[], subprocess.CompletedProcess[str]]) -> subprocess.CompletedProcess[str]:
    """A command of `anytill ecr`, run until it was answered: on a serial line a question counts as unheard after a
    second, which is soon over for who is held up, and is then left to the cashier to ask again."""
    done: list[subprocess.CompletedProcess[str]] = []

    def heard() -> bool:
        done.append(ask())
        return done[-1].returncode != NO_ANSWER

    until(heard, "an answer", 120)
    return done[-1]


def left_of_the_day_s(now_s: float) -> float:
    """How long it is until midnight in Hong Kong."""
    return DAY_S - (now_s + HONG_KONG_S) % DAY_S


def well_before_midnight() -> None:
    """Wait for the next day when this one is nearly over in Hong Kong."""

    def enough_is_left() -> bool:
        return left_of_the_day_s(time.time()) > LEFT_OF_THE_DAY_S

    until(enough_is_left, "midnight in Hong Kong", 2 * LEFT_OF_THE_DAY_S, 1)


def sale(order_no: str, cents: int, channel: str = "wx", **more: Any) -> Sale:
    """An order for the judge. What the payer does is in the sum; of cards and codes on a screen nobody knows a code."""
    told = {"fps": SCREEN_ENDINGS, "octopus": CARD_ENDINGS}.get(channel, CARD_ENDINGS if "card" in channel else CODES)
    ending = f"{cents % 100:02d}"
    return Sale(order_no, cents, f"{channel}{ending if ending in told else '00'}", "qfpay", **more)
