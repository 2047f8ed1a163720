"""The parts of a campaign, each in a process of its own, and what is done when one does not come to its end.

A part says through shared memory which message it is about to try, so that one that hangs where no Python runs is
found out from here, named, and its process ended.
"""

from __future__ import annotations

import multiprocessing
import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any, Final

from fuzz.campaign import HANG_S, Campaign, Score, Tries, genuine_of, run_campaign
from fuzz.judges import Kind, Readings, Wrong

#: On the clock on the wall, so generous: a busy machine must not look like a hang.
STUCK_S: Final = 24 * HANG_S
_LOOK_EVERY_S: Final = 0.5


@dataclass
class _Part:
    """A process with its share of a campaign."""

    campaign: Campaign
    process: SpawnProcess
    result: Connection
    number: Any  # shared: the message that is being tried
    seen: int = -1
    since: float = field(default_factory=time.monotonic)

    def is_stuck(self) -> bool:
        """Whether it has been at the same message for too long. Before the first it makes the genuine ones."""
        if self.number.value != self.seen:
            self.seen, self.since = self.number.value, time.monotonic()
        return time.monotonic() - self.since > STUCK_S


def run_parts(dialect: str, kind: Kind, seed: int, count: int, jobs: int) -> Score:
    """A whole campaign of `count` messages."""
    step = -(-count // jobs)
    parts = [
        _start(Campaign(dialect, kind, seed, range(begin, min(begin + step, count)))) for begin in range(0, count, step)
    ]
    total, readings = Score(), Readings()
    for part in parts:
        score = _outcome(part)
        total.add(score)
        for origin, (meant, number) in score.readings.items():
            try:
                readings.check([origin], meant, number)
            except Wrong as fault:
                tries = Tries(dialect, kind, seed)
                total.findings.append(tries.finding(number, str(fault), *tries.forge(number)))
                total.wrong += 1
    return total


def _start(campaign: Campaign) -> _Part:
    context = multiprocessing.get_context("spawn")
    number = context.Value("q", -1, lock=False)
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=_run_part, args=(campaign, number, sending), daemon=True)
    process.start()
    sending.close()
    return _Part(campaign, process, receiving, number)


def _run_part(campaign: Campaign, number: Any, sending: Connection) -> None:
    genuine_of(campaign.dialect)
    before = time.process_time()

    def began(at: int) -> None:
        number.value = at

    score = run_campaign(campaign, began=began)
    score.cpu_s = time.process_time() - before
    sending.send(score)


def _outcome(part: _Part) -> Score:
    """What a part came to; of one that is stuck or has died, the message at which it did."""
    while not part.result.poll(_LOOK_EVERY_S):
        if part.is_stuck():
            part.process.kill()
            return _fault(part, f"took more than {STUCK_S} s")
    try:
        score: Score = part.result.recv()
    except EOFError:
        part.process.join()
        return _fault(part, f"the process ended with {part.process.exitcode}")
    part.process.join()
    return score


def _fault(part: _Part, fault: str) -> Score:
    """The finding that a part without a result leaves, at the message that it was trying."""
    at = part.number.value
    if at < 0:
        raise SystemExit(f"{part.campaign.dialect}: the genuine messages could not be made: {fault}")
    tries = Tries(part.campaign.dialect, part.campaign.kind, part.campaign.seed)
    return Score(findings=[tries.finding(at, fault, *tries.forge(at))], wrong=1)
