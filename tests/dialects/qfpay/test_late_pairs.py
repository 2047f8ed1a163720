"""Every question of a careful register against every late answer of its terminal, and two late ones in a row.

The wallet's book is the judge. Whatever stands in front of a true answer, nothing is told that is not so: no end, no
sum and no number of a refund. And what has an end is not left open, unless the line never comes right again.

A sample runs with the tests; with `ANYTILL_TEST_PAIRS=all` the whole table does, in some minutes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, product
from typing import Final, TypeAlias

import pytest

from tests.dialects.qfpay.desk import Desk
from tests.dialects.qfpay.late import Manner, late_answers, sort_of
from tests.dialects.qfpay.scenes import OF_THE_SALE, SCENES, GivingBack, Scene, Stage, own_answers

WHOLE: Final = os.environ.get("ANYTILL_TEST_PAIRS") == "all"
pytestmark = [pytest.mark.anyio, pytest.mark.timeout(1_200 if WHOLE else 300)]
#: So many of a register's questions: the later ones ask the same again.
QUESTIONS: Final = 4
#: Of so many cases one is in the sample; primes, so that no manner and no question is always left out.
ONE_OF, ONE_OF_DOUBLES = 5, 17

#: Late answers, the question that they stand in front of, and what becomes of the true one.
Case: TypeAlias = tuple[Sequence[str], int, Manner]


def sample(cases: Iterable[Case], one_of: int, first: int) -> Iterator[Case]:
    """The whole table, or one of so many: others in each scene."""
    return iter(cases) if WHOLE else islice(cases, first % one_of, None, one_of)


def may_stay_open(scene: Scene, case: Case) -> bool:
    """Where nobody could find the end: on a line that never comes right again; and when the first look is older than a
    refund that another register made, so that the sums cannot be (`test_late_answers` says what is told then)."""
    names, nth, manner = case
    is_too_old = isinstance(scene, GivingBack) and scene.second and not scene.killed and set(names) & set(OF_THE_SALE)
    return manner is Manner.SHIFTED or (bool(is_too_old) and nth == 0)


async def wrong(stage: Stage, cases: Iterable[Case]) -> list[str]:
    """What was told in these cases and is not so, or was left open."""
    found = []
    for case in cases:
        names, nth, manner = case
        what = f"{' and '.join(names)}, {manner}, before question {nth}"
        try:
            play = await stage.play(names, nth, manner)
        except Exception as fault:
            fault.add_note(what)
            raise
        faults = play.lies or ["left open"] * (play.is_open and not may_stay_open(stage.scene, case))
        found += [f"{what} of {play.asked}: {play.said}: {fault}" for fault in faults]
    return found


async def questions(stage: Stage, most: int) -> range:
    """The places of what a register asks in this scene when nothing is late."""
    undisturbed = await stage.play()
    assert (undisturbed.lies, undisturbed.is_open) == ([], False)
    return range(min(len(undisturbed.asked), most))


@pytest.mark.parametrize("name", SCENES)
async def test_no_late_answer_makes_a_register_tell_what_is_not_so(desk: Desk, name: str) -> None:
    scene, late = SCENES[name], await late_answers(desk)
    stage = Stage(desk, scene, late)
    answers = [(each,) for each in (*late, *own_answers(scene))]
    cases = product(answers, await questions(stage, QUESTIONS), Manner)
    assert await wrong(stage, sample(cases, ONE_OF, list(SCENES).index(name))) == []


@pytest.mark.parametrize("name", ["paid", "declined", "done", "refused", "killed, paid", "killed, done"])
async def test_nor_do_two_late_answers_in_a_row(desk: Desk, name: str) -> None:
    """As two killed commands leave them. One answer of each sort stands for all that a client cannot tell from it."""
    late = await late_answers(desk)
    sorts = {sort_of(body): each for each, body in late.items()}.values()
    stage = Stage(desk, SCENES[name], late)
    cases = product(product(sorts, repeat=2), await questions(stage, 2), [Manner.DROPPED, Manner.KEPT])
    assert await wrong(stage, sample(cases, ONE_OF_DOUBLES, list(SCENES).index(name))) == []
