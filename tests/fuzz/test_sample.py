"""A bounded sample of what `make fuzz` does: nothing forged is believed, nothing breaks, in any dialect."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from anytill.dialects import load_dialects
from fuzz import known
from fuzz.campaign import Campaign, Tries, genuine_of, keep, run_campaign, served, try_again
from fuzz.judges import Kind, Requests, Verdict
from fuzz.processes import run_parts

pytestmark = pytest.mark.timeout(600)

ROOT = Path(__file__).parents[2]
DIALECTS = served()
#: Messages of each kind for each dialect.
SAMPLE = 4_000


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("dialect", DIALECTS)
def test_nothing_forged_is_believed(dialect: str, kind: Kind) -> None:
    score = run_campaign(Campaign(dialect, kind, 1, range(SAMPLE)))
    assert [f"{finding.fault} -- again: {finding.command}" for finding in score.findings] == []
    if kind is Kind.NOTICES and load_dialects()[dialect].form is None:
        assert not score.tried
        return
    assert score.tried == SAMPLE
    # Were nearly all refused at the first look, or nearly none changed, little would be tried.
    assert score.verdicts[Verdict.UNREADABLE] < 0.75 * SAMPLE
    assert 0.05 * SAMPLE < score.verdicts[Verdict.UNCHANGED] < 0.6 * SAMPLE


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_genuine_messages_are_genuine(dialect: str) -> None:
    origins = genuine_of(dialect)
    assert origins.faults == []
    accepted = [seed for seed in origins.requests if seed.meant]
    assert len(accepted) > 50
    assert all(seed.trusted for seed in accepted)
    for judge in (Requests(origins),):
        for number, seed in enumerate(judge.seeds):
            verdict = judge.judge(seed.message, [number], number)
            if seed.meant:
                assert verdict in (Verdict.UNCHANGED, Verdict.WITHOUT_KEY), seed.what


@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_is_known_of_a_vendor_is_so(dialect: str) -> None:
    origins = genuine_of(dialect)
    assert Requests(origins).moves() == known.operations("moved", dialect)
    got = {(path, name) for path, names in known.operations("open", dialect).items() for name in names}
    assert origins.open_calls == got
    assert origins.unsigned == known.unsigned(dialect)


def test_messages_follow_from_seed_and_number() -> None:
    """In another process too, whatever its hashes are salted with: or a finding could not be seen again."""
    script = "import sys; from tests.fuzz.test_sample import fingerprint; sys.stdout.write(fingerprint('semoor'))"
    seen = {
        subprocess.run(
            [sys.executable, "-c", script],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": salt, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for salt in ("1", "2")
    }
    assert seen == {fingerprint("semoor")}


def fingerprint(dialect: str) -> str:
    digest = sha256()
    for kind in Kind:
        tries = Tries(dialect, kind, 7)
        for number in range(200 if tries.possible else 0):
            digest.update(repr(tries.forge(number)).encode())
            message, _ = tries.forge(number)
            digest.update(message.body + b"?" + message.query)
    return digest.hexdigest()


def test_other_seeds_make_other_messages() -> None:
    first, second = (Tries("teegon", Kind.REQUESTS, seed) for seed in (1, 2))
    assert [first.forge(n) for n in range(20)] != [second.forge(n) for n in range(20)]


def test_a_finding_is_kept_and_tried_again(tmp_path: Path) -> None:
    tries = Tries("teegon", Kind.REQUESTS, 1)
    finding = tries.finding(5, "a fault", *tries.forge(5))
    (path,) = keep([finding], tmp_path)
    kept = json.loads(path.read_text(encoding="utf-8"))
    assert kept["fault"] == "a fault"
    assert try_again(kept) in {verdict.value for verdict in Verdict}


def test_the_program_prints_what_became_of_them(tmp_path: Path) -> None:
    arguments = ["--dialect", "teegon", "-n", "40", "--jobs", "2", "--out", str(tmp_path)]
    command = [sys.executable, "-m", "fuzz", *arguments]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True, timeout=280)
    assert "accepted unchanged" in shown.stdout
    one = [sys.executable, "-m", "fuzz", "--dialect", "teegon", "--kind", "requests", "--only", "3"]
    shown = subprocess.run(one, cwd=ROOT, capture_output=True, check=True, text=True, timeout=280)
    assert shown.stdout.startswith("from ")


def test_a_reading_is_the_same_one_at_every_address() -> None:
    """A request whose text holds a field is refused; read as two fields it is one request, wherever it is sent."""
    judge = Requests(genuine_of("chaoying"))
    hidden, read = b"body=tea%26device_info%3D1&", b"body=tea&"
    (parent,) = [number for number, seed in enumerate(judge.seeds) if hidden in seed.message.body and not seed.meant]
    origin = judge.seeds[parent].message
    other = replace(origin, body=origin.body.replace(hidden, read) + b"&device_info=1")
    elsewhere = replace(other, path="/Open/GetMchInfo")
    for number, message in enumerate((other, elsewhere, other)):
        assert judge.judge(message, [parent], number) is Verdict.OTHER_READING
    assert judge.readings.seen[parent][1] == 0


def test_a_part_that_dies_is_not_taken_for_one_that_found_nothing() -> None:
    with pytest.raises(SystemExit, match="nobody: the genuine messages could not be made: the process ended with 1"):
        run_parts("nobody", Kind.REQUESTS, seed=1, count=2, jobs=2)
