"""A bounded sample of `make fuzz KIND=frames`, and faults of framing, planted, that it must find."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from anytill.dialects.qfpay import framing
from anytill.dialects.qfpay.framing import ANSWER, Frames, encode_frame
from fuzz.frames import BLOCK, Fates, run_block

pytestmark = pytest.mark.timeout(600)

ROOT = Path(__file__).parents[2]
#: Five streams, two talks.
BLOCKS = range(2, 9)
Patch = pytest.MonkeyPatch


def sample(blocks: range = BLOCKS, make: Callable[[], Frames] = Frames) -> Fates:
    fates = Fates()
    for block in blocks:
        fates.add(run_block(1, block, make=make))
    return fates


def test_a_bad_line_does_no_harm() -> None:
    fates = sample()
    assert fates.findings == []
    counted = fates.counted
    assert counted["messages"] == len(BLOCKS) * BLOCK
    # Were nearly all lost, or nearly none damaged, little would be tried.
    assert counted["arrived"] > 0.5 * 5 * BLOCK
    assert all(counted[what] > 20 for what in ("damaged", "packet late", "packet lost", "said twice", "noises", "lost"))
    assert counted["refused by the digest"] > 20
    assert counted["talk: acknowledged"] > 200 < counted["talk: unheard"] + 200


def test_a_block_follows_from_its_seed_and_number() -> None:
    assert run_block(1, 5).counted == run_block(1, 5).counted
    assert run_block(1, 5).counted != run_block(2, 5).counted


def cuts_at_the_mark(patch: Patch) -> None:
    """A frame is what lies between two marks, whatever its lengths say."""
    honest = Frames._cut

    def cut(self: Frames) -> object:
        at = self._buffer.find(b"/n", 9)
        if at > 0 and self._buffer.startswith(b"/n\x01\x10"):
            data = bytes(self._buffer[9:at])
            self._buffer[5:9] = (len(data) + 11).to_bytes(2, "big") + len(data).to_bytes(2, "big")
        return honest(self)

    patch.setattr(Frames, "_cut", cut)


def hands_on_twice(patch: Patch) -> None:
    patch.setattr(framing, "REPEATED_MS", 0)


def believes_every_length(patch: Patch) -> None:
    """A frame that was cut off swallows whatever follows, as much as it had announced."""
    patch.setattr(framing, "_BEGINNING_BYTES", -100_000)


def never_gives_up(patch: Patch) -> None:
    patch.setattr(framing, "TOGETHER_MS", 10**9)


def joins_what_comes_too_late(patch: Patch) -> None:
    def lose(self: Frames, kind: int, part: framing._Part, now_ms: int) -> None:
        part.until_ms = now_ms + 10**9

    patch.setattr(Frames, "_lose", lose)


def acknowledges_before_it_is_whole(patch: Patch) -> None:
    honest = Frames._joined

    def joined(self: Frames, frame: framing._Frame, now_ms: int, events: list[object]) -> bytes | None:
        message = honest(self, frame, now_ms, events)  # type: ignore[arg-type]
        if message is None:
            events.append(self._write(encode_frame(ANSWER, frame.number), now_ms, acknowledges=True))
        return message

    patch.setattr(Frames, "_joined", joined)


def forgets_what_it_awaits(patch: Patch) -> None:
    patch.setattr(framing, "ANSWER_MS", 60_000)


def breaks(patch: Patch) -> None:
    def skip(self: Frames, count: int) -> None:
        raise IndexError(count)

    patch.setattr(Frames, "_skip", skip)


PLANTED: Mapping[Callable[[Patch], None], str] = {
    cuts_at_the_mark: "not heard|was heard as",
    hands_on_twice: "times|twice",
    believes_every_length: "not heard",
    never_gives_up: "awaited|not heard|nobody knows",
    joins_what_comes_too_late: "awaited|without end",
    acknowledges_before_it_is_whole: "acknowledged and never heard",
    forgets_what_it_awaits: "nobody knows",
    breaks: "IndexError got out",
}


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_what_is_planted_is_found(plant: Callable[[Patch], None], monkeypatch: Patch) -> None:
    plant(monkeypatch)
    # Messages are made anew for each block, so a fault shows in some of them only.
    findings = sample(range(3, 24)).findings
    assert any(word in finding for finding in findings for word in PLANTED[plant].split("|")), findings[:3]


def test_the_program_prints_what_became_of_them() -> None:
    command = [sys.executable, "-m", "fuzz", "--kind", "frames", "-n", "2000", "--jobs", "2"]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True, timeout=280)
    assert "arrived" in shown.stdout
    one = [sys.executable, "-m", "fuzz", "--kind", "frames", "--only", "3"]
    shown = subprocess.run(one, cwd=ROOT, capture_output=True, check=True, text=True, timeout=280)
    assert "talk: acknowledged" in shown.stdout
