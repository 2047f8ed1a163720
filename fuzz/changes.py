"""From genuine messages to forged ones: which changes, how often, and how many upon each other.

A forged message follows from the campaign's seed and its own number alone, so that any one can be made again.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from random import Random
from typing import Final

from anytill.wire.http import FORM
from fuzz import bytewise, fieldwise
from fuzz.bytewise import Change
from fuzz.messages import Message
from fuzz.words import Words

_CONTENT_TYPES: Final = (
    "",
    FORM,
    f"{FORM}; charset=gbk",
    f"{FORM}; charset=utf-8",
    f"  {FORM.upper()} ;",
    "application/json",
    "application/xml",
    "text/xml; charset=utf-16",
    "text/plain",
    "multipart/form-data; boundary=a",
    "\xff/\x00",
)
_IN_PLACE: Final = (*bytewise.CHANGES, *fieldwise.CHANGES)
_WEIGHTS: Final = [*accumulate(weight for _, weight in _IN_PLACE)]
#: Of all changes: those to the address and the place of fields, and those that take from another message.
_MOVED: Final = 0.07
_MIXED: Final = 0.09
#: How often a message with hidden fields has a border moved, and how often nothing else is done to it then.
_RESPLIT: Final = 0.8
#: How many changes come upon each other.
_DEPTHS: Final = (1, 1, 1, 1, 1, 1, 2, 2, 2, 3, 3, 5)
_LONGEST: Final = 300_000


class Forger:
    """Makes the messages of one campaign: number n is a change of one or two of `genuine`, by index."""

    def __init__(
        self, seed: int, genuine: Sequence[Message], weights: Sequence[int], hiding: Sequence[bool], words: Words
    ) -> None:
        """`hiding` says which have fields hidden in their texts: most is to be had from them by moving borders."""
        self._seed = seed
        self._hiding = hiding
        self._genuine = genuine
        self._words = words
        self._upto = [*accumulate(weights)]
        self._random = Random()

    def forge(self, number: int) -> tuple[Message, tuple[int, ...]]:
        """The message of this number, and the genuine ones it was made from."""
        random = self._random
        random.seed(self._seed * 1_000_003 + number)
        first = self._draw()
        parents = {first: None}
        message = self._genuine[first]
        if self._hiding[first] and random.random() < _RESPLIT:
            message = self._in_place(message, fieldwise.resplit)
            if random.random() < _RESPLIT:
                return message, (first,)
        for _ in range(random.choice(_DEPTHS)):
            kind = random.random()
            if kind < _MOVED:
                message = self._moved(message)
            elif kind < _MOVED + _MIXED:
                second = self._draw()
                parents[second] = None
                message = self._mixed(message, self._genuine[second])
            else:
                at = bisect(_WEIGHTS, random.random() * _WEIGHTS[-1])
                message = self._in_place(message, _IN_PLACE[min(at, len(_IN_PLACE) - 1)][0])
        return message, tuple(parents)

    def _draw(self) -> int:
        return min(bisect(self._upto, self._random.random() * self._upto[-1]), len(self._genuine) - 1)

    def _in_place(self, message: Message, change: Change) -> Message:
        """A change to where the fields are; now and then to where they are not."""
        in_query = not message.body or (bool(message.query) and self._random.random() < 0.5)
        data = message.query if in_query else message.body
        data = change(self._random, data, self._words)[:_LONGEST]
        return replace(message, query=data) if in_query else replace(message, body=data)

    def _mixed(self, message: Message, other: Message) -> Message:
        random = self._random
        theirs = other.body or other.query
        if random.random() < 0.15:
            # The same fields at another message's address.
            return replace(message, method=other.method, path=other.path, headers=other.headers)
        mix = fieldwise.graft if random.random() < 0.6 else fieldwise.cross
        return self._in_place(message, lambda random, data, words: mix(random, data, words, theirs))

    def _moved(self, message: Message) -> Message:
        random = self._random
        kind = int(random.random() * 7)
        if kind == 0:
            return replace(message, content_type=random.choice(_CONTENT_TYPES))
        if kind == 1 and self._words.routes:
            return self._elsewhere(message)
        if kind == 2:
            return replace(message, query=message.body, body=message.query)
        if kind == 3:
            return replace(message, query=message.body, body=b"", method="GET", content_type="")
        if kind == 4:
            status = random.choice((200, 201, 204, 301, 400, 404, 500, 502))
            return replace(message, status=status, method=random.choice(("GET", "POST", "HEAD", "PUT")))
        return self._some_moved(message, copied=kind == 5)

    def _elsewhere(self, message: Message) -> Message:
        random = self._random
        route = random.choice(self._words.routes)
        path = route.path
        if route.prefix:
            word = random.choice(self._words.values)
            path += "".join(chr(byte) for byte in word if 32 < byte < 127 and byte not in b"/?#")
        if route.ignore_case and random.random() < 0.5:
            path = path.swapcase()
        method = random.choice(sorted(route.methods)) if random.random() < 0.7 else message.method
        return replace(message, path=path, method=method)

    def _some_moved(self, message: Message, *, copied: bool) -> Message:
        """Some fields of the body in the query, or the other way about; also in both."""
        random = self._random
        there, here = (message.query, message.body) if message.body else (message.body, message.query)
        parts = here.split(b"&")
        taken = [part for part in parts if random.random() < 0.3]
        left = parts if copied else [part for part in parts if part not in taken]
        moved = b"&".join(taken)
        if random.random() < 0.5:
            moved = random.choice((fieldwise.revalue, fieldwise.renumber))(random, moved, self._words)
        there = b"&".join([each for each in (there, moved) if each])
        here = b"&".join(left)
        query, body = (there, here) if message.body else (here, there)
        return replace(message, query=query, body=body)
