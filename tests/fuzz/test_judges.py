"""The judge itself: one reading is one reading, whatever else its message was made from."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fuzz.campaign import Tries, genuine_of
from fuzz.changes import Forger
from fuzz.judges import Kind, Verdict, judge_of

HIDDEN = b"info=tea%26infoaddo%3D1"
OPENED = b"info=tea&infoaddo=1"


def test_the_reading_of_a_refused_request_is_one_however_it_was_come_by() -> None:
    judge = judge_of(Kind.REQUESTS, genuine_of("semoor"))
    numbered = list(enumerate(judge.seeds))
    (refused,) = (at for at, seed in numbered if HIDDEN in seed.message.body)
    another = next(at for at, seed in numbered if seed.meant and b"action=micropay" in seed.message.body)
    assert not judge.seeds[refused].meant, "its finest reading is another one, so it is refused itself"
    message = judge.seeds[refused].message
    message = replace(message, body=message.body.replace(HIDDEN, OPENED))
    for number, parents in enumerate([(refused,), (refused, another), (another, refused)]):
        assert judge.judge(message, parents, number) is Verdict.OTHER_READING


def test_a_stranger_who_says_what_the_genuine_one_said_forged_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    tries = Tries("teegon", Kind.NOTICES, seed=1)
    numbered = list(enumerate(tries.judge.seeds))
    stranger = next(at for at, seed in numbered if not seed.trusted)
    genuine = next(at for at, seed in numbered if seed.trusted and seed.meant)
    monkeypatch.setattr(Forger, "forge", lambda _self, _number: (numbered[genuine][1].message, (stranger,)))
    assert tries.forge(0)[1] == (stranger, genuine)
    assert tries.attempt(0) is Verdict.UNCHANGED
