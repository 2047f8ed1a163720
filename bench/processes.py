"""Processes that are measured: started, listened to, ended; and the CPU time they used, read from /proc."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.load import Load, Score, written

ROOT = Path(__file__).parents[1]
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
#: Where utime, stime, cutime and cstime stand after the name in /proc/<pid>/stat.
_OWN, _OF_ENDED_CHILDREN, _PARENT = slice(11, 13), slice(13, 15), 1
#: user, nice and system in the first line of /proc/stat: what programs took.
_PROGRAMS = slice(1, 4)
_PATIENCE_S = 30


class Failed(Exception):
    """A measurement that cannot be believed; the text says why."""


@dataclass(frozen=True, slots=True)
class Serving:
    """A server that accepts connections."""

    pid: int
    port: int


@contextmanager
def started_server(*arguments: str) -> Iterator[Serving]:
    """`python -m bench.server` with these arguments, for as long as the context lasts. Raises Failed."""
    command = [sys.executable, "-m", "bench.server", *arguments]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        if not line:
            raise Failed(f"the server did not start: {' '.join(arguments)}")
        yield Serving(process.pid, int(line))
        process.stdin.close()
        if process.wait(_PATIENCE_S) != 0:
            raise Failed(f"the server ended with {process.returncode}")
    finally:
        process.stdin.close()
        if process.poll() is None:
            process.kill()
            process.wait()
        process.stdout.close()


def run_load(load: Load) -> Score:
    """Run the tills to their end. Raises Failed when a single answer did not say "paid"."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.load"], cwd=ROOT, input=written(load), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise Failed(f"the load generator failed: {done.stderr[-2000:]}")
    score = _score(done.stdout)
    if score.refused or not score.answered:
        raise Failed(f"{score.refused} answers did not say that the order is paid, first: {score.refusal}")
    return score


def _score(text: str) -> Score:
    return Score(**json.loads(text))


def cpu_s(pid: int) -> float:
    """User and system time that a process used so far."""
    return _seconds(_stat(Path(f"/proc/{pid}/stat")), _OWN)


def cpu_of_family_s(pid: int) -> float:
    """The same for a process with its children, the ended ones included."""
    fields = _stat(Path(f"/proc/{pid}/stat"))
    total = _seconds(fields, _OWN) + _seconds(fields, _OF_ENDED_CHILDREN)
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = _stat(path)
        except OSError:  # it ended while we looked
            continue
        if int(fields[_PARENT]) == pid:
            total += _seconds(fields, _OWN)
    return total


class Others:
    """What all other programs on the machine take meanwhile."""

    def __init__(self, postgres_pid: int | None) -> None:
        """A server that is no child of ours is ours all the same."""
        self._postgres_pid = postgres_pid
        self._began = self._now_s()

    def cores(self) -> float:
        """How many cores they had, on average since the beginning."""
        began, now = self._began, self._now_s()
        whole, ours, clock = (late - early for early, late in zip(began, now, strict=True))
        return max(0.0, whole - ours) / clock if clock > 0 else 0.0

    def _now_s(self) -> tuple[float, float, float]:
        """CPU time of every program, that of ours (ended children included), and the clock."""
        fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()
        ours = sum(os.times()[:4])
        if self._postgres_pid is not None:
            ours += cpu_of_family_s(self._postgres_pid)
        return _seconds(fields, _PROGRAMS), ours, time.monotonic()


def _stat(path: Path) -> list[str]:
    # The name stands in parentheses and may hold anything, parentheses and blanks included.
    return path.read_text().rpartition(")")[2].split()


def _seconds(fields: Sequence[str], which: slice) -> float:
    return sum(map(int, fields[which])) / _TICKS_PER_S
