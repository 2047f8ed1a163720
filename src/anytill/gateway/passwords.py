"""People's passwords: made and checked beside what serves everybody, a few at a time, and not to be guessed.

A check costs a good part of a second of one core on purpose (`core.passwords`), so it is never done where requests are
waited for, and an agent has only so many under way: the rest is refused before anything is done. Wrong ones are counted
for each name, and for each agent too, or one password could be tried on all of its names.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from anytill.core import retry
from anytill.core.errors import Overloaded
from anytill.core.passwords import password_fits, password_hash
from anytill.gateway.tries import Tries, spend_all
from anytill.gateway.under_way import UnderWay
from anytill.ports import Aside, Chance, Clock, Work

WRONG_OF_NAME: Final = 5
WRONG_OF_AGENT: Final = 50
WRONG_WITHIN_MS: Final = 10 * retry.MINUTE
MOST_UNDER_WAY: Final = 40
MOST_OF_AGENT: Final = 10
_SALT_LENGTH: Final = 16

T = TypeVar("T")


async def at_once(work: Work[T]) -> T:
    """An `Aside` for programs that serve nobody meanwhile."""
    return work()


class Passwords:
    """Of the people that agents answer for."""

    def __init__(self, clock: Clock, chance: Chance, aside: Aside) -> None:
        self._clock = clock
        self._chance = chance
        self._aside = aside
        self._wrong_of_name = Tries(WRONG_OF_NAME, WRONG_WITHIN_MS)
        self._wrong_of_agent = Tries(WRONG_OF_AGENT, WRONG_WITHIN_MS)
        self._under_way = UnderWay(MOST_UNDER_WAY, MOST_OF_AGENT)

    async def hashed(self, agent_id: str, password: str) -> str:
        """A password of one of the agent's people, as a merchant keeps it. Raises Overloaded."""
        salt = self._chance.token(_SALT_LENGTH)
        with self._place(agent_id):
            return await self._aside(lambda: password_hash(password, salt))

    async def fits(self, agent_id: str, name: str, password: str, kept: str) -> bool:
        """Whether the agent's person of this name has this password; False, too, when there were too many wrong ones.
        As slow when nothing is kept. Raises Overloaded."""
        now_ms = self._clock.now_ms()
        whole_name = f"{agent_id}/{name}"
        with self._place(agent_id):
            # Whoever repeats one name's wrong password uses up no more than that name's tries.
            if not spend_all(now_ms, (self._wrong_of_name, whole_name), (self._wrong_of_agent, agent_id)):
                return False
            if not await self._aside(lambda: password_fits(password, kept)):
                return False
        self._wrong_of_name.give_back(whole_name)
        self._wrong_of_agent.give_back(agent_id)
        return True

    @contextmanager
    def _place(self, agent_id: str) -> Iterator[None]:
        if not self._under_way.room or agent_id in self._under_way.busy:
            raise Overloaded
        self._under_way.begin(agent_id)
        try:
            yield
        finally:
            self._under_way.end(agent_id)
