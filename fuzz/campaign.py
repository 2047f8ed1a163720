"""One campaign: so many messages of one kind for one dialect, what became of each counted, what must not be kept.

A message that does not come to its end is stopped by a watchdog on the processor time that this process uses, so that
a busy machine raises no alarm.
"""

from __future__ import annotations

import json
import signal
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any, Final

from anytill.dialects import load_dialects
from fuzz.changes import Forger
from fuzz.judges import Judge, Kind, Verdict, Wrong, judge_of
from fuzz.messages import Message, of_json
from fuzz.seeds import Genuine, genuine

#: No honest message takes a thousandth of it.
HANG_S: Final[float] = 5
TICK_S: Final[float] = 1
#: Whatever is wrong is usually wrong a hundred times over.
MOST_KEPT: Final = 20


class Hang(BaseException):
    """A message has taken too long. Not an Exception, so that nothing under test catches it."""


@dataclass(frozen=True, slots=True)
class Campaign:
    """Which messages. `numbers` are those to try; each follows from the seed and its number."""

    dialect: str
    kind: Kind
    seed: int
    numbers: range


@dataclass(frozen=True, slots=True)
class Finding:
    """A message that did what no message may do."""

    dialect: str
    kind: Kind
    seed: int
    number: int
    fault: str
    message: Message
    origins: tuple[str, ...]

    @property
    def command(self) -> str:
        """How to see it again."""
        about = f"--dialect {self.dialect} --kind {self.kind} --seed {self.seed} --only {self.number}"
        return f".venv/bin/python -m fuzz {about}"

    @property
    def name(self) -> str:
        """For a file."""
        return f"{self.dialect}-{self.kind}-{self.seed}-{self.number}.json"

    def as_json(self) -> dict[str, Any]:
        """For a file, from which it can be tried again even when the genuine messages are others."""
        about = {"dialect": self.dialect, "kind": self.kind.value, "seed": self.seed, "number": self.number}
        return {**about, "fault": self.fault, "origins": list(self.origins), "message": self.message.as_json()}


@dataclass(slots=True)
class Score:
    """What a campaign came to."""

    verdicts: Counter[Verdict] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    wrong: int = 0
    cpu_s: float = 0.0
    readings: dict[int, tuple[str, int]] = field(default_factory=dict)

    @property
    def tried(self) -> int:
        """How many messages."""
        return sum(self.verdicts.values()) + self.wrong

    def add(self, other: Score) -> None:
        """Take in another part of the same campaign."""
        self.verdicts += other.verdicts
        self.findings += other.findings
        self.wrong += other.wrong
        self.cpu_s += other.cpu_s


def served() -> Sequence[str]:
    """The dialects whose messages are tried: all that answer for themselves. A terminal's answers wait for the people
    in front of it; its messages are tried by the tests of its own dialect, and its line by `frames`."""
    return sorted(name for name, dialect in load_dialects().items() if dialect.handle is not None)


@cache
def genuine_of(dialect: str) -> Genuine:
    """The genuine messages of a dialect, made once in a process."""
    return genuine(load_dialects()[dialect])


class Tries:
    """Forged messages of one kind and their judge."""

    def __init__(self, dialect: str, kind: Kind, seed: int, origins: Genuine | None = None) -> None:
        self._about = (dialect, kind, seed)
        origins = origins or genuine_of(dialect)
        self.judge: Judge = judge_of(kind, origins)
        weights = [each.weight for each in self.judge.seeds]
        self.possible = bool(weights)
        messages = [each.message for each in self.judge.seeds]
        hiding = [each.hiding for each in self.judge.seeds]
        self._forger = Forger(seed, messages, weights, hiding, origins.words) if weights else None
        self._genuine_bodies = {(message.body, message.query): at for at, message in enumerate(messages)}

    def forge(self, number: int) -> tuple[Message, tuple[int, ...]]:
        """See `Forger`. What came out the same as another genuine message, its signature being among the words that are
        put in, was made from that one too."""
        assert self._forger is not None
        message, parents = self._forger.forge(number)
        same = self._genuine_bodies.get((message.body, message.query))
        return message, (parents if same is None or same in parents else (*parents, same))

    def attempt(self, number: int) -> Verdict | Finding:
        """What becomes of the message of this number."""
        message, parents = self.forge(number)
        try:
            return self.judge.judge(message, parents, number)
        except (Wrong, Hang) as fault:
            return self.finding(number, str(fault), message, parents)
        except Exception as fault:  # noqa: BLE001 - that none gets out is what is being tried
            return self.finding(number, f"{type(fault).__name__} got out: {_where(fault)}", message, parents)

    def finding(self, number: int, fault: str, message: Message, parents: Sequence[int]) -> Finding:
        """What is kept of a message that did what it must not."""
        origins = tuple(self.judge.seeds[parent].what for parent in parents)
        return Finding(*self._about, number, fault, message, origins)


def run_campaign(
    campaign: Campaign,
    *,
    began: Callable[[int], None] | None = None,
    origins: Genuine | None = None,
    enough: int | None = None,
) -> Score:
    """Try them all, or until `enough` are wrong. `began` hears each number before it is tried."""
    score = Score()
    tries = Tries(campaign.dialect, campaign.kind, campaign.seed, origins)
    if not tries.possible:
        return score
    with watched() as watch:
        for number in campaign.numbers:
            watch.number = number
            if began is not None:
                began(number)
            result = tries.attempt(number)
            if isinstance(result, Verdict):
                score.verdicts[result] += 1
                continue
            score.wrong += 1
            if len(score.findings) < MOST_KEPT:
                score.findings.append(result)
            if score.wrong == enough:
                break
    readings = getattr(tries.judge, "readings", None)
    score.readings = dict(readings.seen) if readings is not None else {}
    return score


def try_again(kept: Mapping[str, Any]) -> str:
    """The fate of a message from a finding's file. Its origins are looked up by what they are called."""
    origins = genuine_of(kept["dialect"])
    judge = judge_of(Kind(kept["kind"]), origins)
    named = {each.what: at for at, each in enumerate(judge.seeds)}
    parents = [named[what] for what in kept["origins"] if what in named]
    if not parents:
        return "its origins are no longer among the genuine messages"
    with watched():
        try:
            return judge.judge(of_json(kept["message"]), parents, kept["number"]).value
        except (Wrong, Hang) as fault:
            return f"WRONG: {fault}"


def keep(findings: Iterable[Finding], folder: Path) -> Iterator[Path]:
    """Write each to a file of its own."""
    for finding in findings:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / finding.name
        path.write_text(json.dumps(finding.as_json(), indent=1, ensure_ascii=False), encoding="utf-8")
        yield path


@dataclass
class _Watch:
    """Which message is being tried, and for how many ticks it has been the same."""

    number: int = -1
    seen: int = -1
    ticks: int = 0

    def tick(self, _signal: int, _frame: FrameType | None) -> None:
        """Some processor time has passed."""
        self.ticks = self.ticks + 1 if self.number == self.seen else 0
        self.seen = self.number
        if self.ticks * TICK_S >= HANG_S:
            self.ticks = 0
            raise Hang(f"took more than {HANG_S} s")


@contextmanager
def watched() -> Iterator[_Watch]:
    """A watchdog over what happens within: on this process's own time, which nothing else here measures."""
    watch = _Watch()
    before = signal.signal(signal.SIGVTALRM, watch.tick)
    signal.setitimer(signal.ITIMER_VIRTUAL, TICK_S, TICK_S)
    try:
        yield watch
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _where(fault: BaseException) -> str:
    """The place it comes from and what it says."""
    trace = fault.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else "?"
    return f"{place} {fault}"
