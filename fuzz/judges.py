"""Whether a forged message was taken for a genuine one: the three questions the fuzzer asks.

* A **request** to the server, made from genuine ones without the key, may ask the gateway only for what one of those
  asked for. It is answered, below status 500 and not with nothing; no exception leaves the handler.
* A **notice** to the client tells of a payment only if one of those it was made from told of the very same.
* An **answer** to the client gives a value, a refusal, WireError or Unreachable. Where the vendor signs answers, the
  value is the one that the genuine answers gave.

A genuine message that its reader refuses has a signature all the same. Of all messages made from it at most one
meaning may be accepted: that is the reading its signature stands for. It is counted apart (`OTHER_READING`). A message
under a stranger's key may mean nothing at all.

Some vendors do not sign the address, so that a genuine request, whole, can be sent to another one. Where that is so and
cannot be helped it stands in `known.toml`, with the reason, and is counted apart (`ELSEWHERE`); anywhere else it is
wrong. The same holds for what the vendor lets anybody ask without a signature, for answers without one, and for free
texts whose tail can be made a field that nobody reads (`TAIL`, see `wire.one_meaning`).

No entity of an XML document is resolved, and no file read: what would come of it is a text that no message spells out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final, Protocol

from anytill.core.errors import Refusal
from anytill.dialects import Dialect
from anytill.ports import Unreachable
from anytill.wire.errors import BadSignature, WireError
from fuzz import known
from fuzz.desk import Asked, leaves, plain
from fuzz.fieldwise import CANARY
from fuzz.messages import Message
from fuzz.running import run
from fuzz.seeds import Genuine, Seed, replay


class Kind(StrEnum):
    """Who reads the message."""

    REQUESTS = "requests"
    NOTICES = "notices"
    ANSWERS = "answers"


class Verdict(StrEnum):
    """What became of a message."""

    UNREADABLE = "unreadable"  # before anybody's key was looked for
    BAD_SIGNATURE = "bad signature"
    REFUSED_LATER = "refused later"  # the signature was good
    UNCHANGED = "accepted unchanged"
    OTHER_READING = "accepted, its origin refused"
    TAIL = "a text without its tail"
    ELSEWHERE = "genuine, at another address"
    WITHOUT_KEY = "open to all"  # an operation that needs no signature
    CHANGED = "accepted, unsigned"  # an answer that the vendor does not sign
    NO_ROUTE = "no such address"


class Wrong(Exception):
    """What must not happen; its text says what did."""


@dataclass
class Readings:
    """For each genuine message that is refused itself: the meaning that was accepted of it, and where it was seen."""

    seen: dict[int, tuple[str, int]] = field(default_factory=dict)

    def check(self, parents: Iterable[int], meant: str, number: int) -> None:
        """Raises Wrong when the same origin was accepted with another meaning."""
        for parent in parents:
            known, where = self.seen.setdefault(parent, (meant, number))
            if known != meant:
                raise Wrong(f"two readings of one signature were accepted; the other one is number {where}")


class Judge(Protocol):
    """Tries messages of one kind."""

    @property
    def seeds(self) -> Sequence[Seed]:
        """The genuine messages that forged ones are made from."""

    def judge(self, message: Message, parents: Sequence[int], number: int) -> Verdict:
        """What becomes of it. Raises Wrong, and whatever the code under test lets out."""


def judge_of(kind: Kind, genuine: Genuine) -> Judge:
    """The judge for messages of this kind."""
    kinds: Mapping[Kind, type[Requests | Notices | Answers]] = {
        Kind.REQUESTS: Requests,
        Kind.NOTICES: Notices,
        Kind.ANSWERS: Answers,
    }
    return kinds[kind](genuine)


class Requests:
    """To a dialect's server."""

    def __init__(self, genuine: Genuine) -> None:
        handle = genuine.dialect.handle
        assert handle is not None, f"{genuine.dialect.name} is served by terminals"
        self._handle = handle
        self._genuine = genuine
        self._desk = genuine.desk
        self._addresses = _Addresses(genuine.dialect)
        self.seeds = genuine.requests
        self.readings = Readings()

    def judge(self, message: Message, parents: Sequence[int], number: int) -> Verdict:
        """See `Judge`."""
        route = self._addresses.route(message)
        if route is None:
            return Verdict.NO_ROUTE
        desk = self._desk
        desk.fresh()
        response = run(self._handle(message.request(), desk))  # type: ignore[arg-type]
        if response.status >= 500:
            raise Wrong(f"answered with status {response.status}")
        if not response.body:
            raise Wrong("answered with nothing")
        _look_for_canary(response.body, desk.asked)
        if desk.asked:
            return self._accepted(route, message, parents, number)
        if desk.seen_at is not None:
            return Verdict.REFUSED_LATER
        return Verdict.BAD_SIGNATURE if desk.looked_up else Verdict.UNREADABLE

    def _accepted(self, route: str, message: Message, parents: Sequence[int], number: int) -> Verdict:
        unsigned = known.operations("open", self._genuine.dialect.name).get(route, frozenset())
        guarded = [each for each in self._desk.asked if each.name not in unsigned]
        if not guarded:
            return Verdict.WITHOUT_KEY
        origins = [self.seeds[parent] for parent in parents]
        meant = frozenset().union(*(origin.meant for origin in origins))
        new = [each for each in guarded if each.digest not in meant]
        if not new:
            return Verdict.UNCHANGED
        if self._is_moved(route, message, parents, new):
            return Verdict.ELSEWHERE
        if known.tails(self._genuine.dialect.name) and all(_lost_a_tail(each, origins) for each in new):
            return Verdict.TAIL
        silent = [parent for parent in parents if not self.seeds[parent].meant and self.seeds[parent].trusted]
        if not silent:
            raise Wrong(f"changed meaning: the gateway was asked for {_shown(new)}")
        # All of it: what is new depends on what else the message was made from.
        read = self._at_home(route, message, silent, guarded) or guarded
        self.readings.check(silent, " ".join(each.digest for each in read), number)
        return Verdict.OTHER_READING

    def _at_home(self, route: str, message: Message, silent: Sequence[int], asked: Sequence[Asked]) -> Sequence[Asked]:
        """What a reading asks at its origin's own address, where it was sent to one that is known to read it so."""
        moved = known.operations("moved", self._genuine.dialect.name).get(route, frozenset())
        if not {each.name for each in asked} <= moved:
            return ()
        for parent in silent:
            origin = self.seeds[parent].message
            if origin.path != message.path:
                return next((each for each in self._asked_at(message, origin) if each), ())
        return ()

    def _is_moved(self, route: str, message: Message, parents: Sequence[int], new: Sequence[Asked]) -> bool:
        """Whether one of the origins would be read so at this address, just as it is. Raises Wrong where that is not
        known of the vendor."""
        meant = {each.digest for each in new}
        for parent in parents:
            origin = self.seeds[parent]
            if origin.message.path == message.path or not origin.trusted:
                continue
            if any(meant <= {each.digest for each in asked} for asked in self._asked_at(origin.message, message)):
                names = {each.name for each in new}
                if not names <= known.operations("moved", self._genuine.dialect.name).get(route, frozenset()):
                    raise Wrong(f"a genuine request for {origin.message.path}, sent to {route}, does {sorted(names)}")
                return True
        return False

    def _asked_at(self, origin: Message, there: Message) -> Iterator[Sequence[Asked]]:
        """What a message would ask at another address, its fields where they were or where the others are."""
        at = replace(origin, method=there.method, path=there.path)
        for moved in (at, replace(at, query=origin.body, body=b"")):
            self._desk.fresh()
            run(self._handle(moved.request(), self._desk))  # type: ignore[arg-type]
            yield tuple(self._desk.asked)

    def moves(self) -> dict[str, set[str]]:
        """What genuine requests do at addresses that they were not made for: operations by address."""
        found: dict[str, set[str]] = {}
        for seed in self.seeds:
            for route in self._genuine.dialect.routes:
                if not seed.trusted or route.prefix or route.path.lower() == seed.message.path.lower():
                    continue
                for method in sorted(route.methods):
                    for asked in self._asked_at(seed.message, Message(b"", method=method, path=route.path)):
                        new = {each.name for each in asked if each.digest not in seed.meant}
                        new -= known.operations("open", self._genuine.dialect.name).get(route.path, frozenset())
                        if new:
                            found.setdefault(route.path, set()).update(new)
        return found


class Notices:
    """To a merchant's ear."""

    def __init__(self, genuine: Genuine) -> None:
        self._client = genuine.client(replay(()))
        self.seeds = genuine.notices
        self.readings = Readings()

    def judge(self, message: Message, parents: Sequence[int], number: int) -> Verdict:
        """See `Judge`."""
        try:
            payment, answer = self._client.hear(message.request())
        except BadSignature:
            return Verdict.BAD_SIGNATURE
        except WireError:
            return Verdict.UNREADABLE
        _look_for_canary(answer.body, payment)
        if answer.status >= 500:
            raise Wrong(f"acknowledged with status {answer.status}")
        heard = Asked("heard", (), (payment,)).digest
        origins = [self.seeds[parent] for parent in parents]
        if any(heard in origin.meant for origin in origins):
            return Verdict.UNCHANGED
        silent = [parent for parent in parents if not self.seeds[parent].meant and self.seeds[parent].trusted]
        if not silent:
            raise Wrong(f"changed meaning: the client heard of {payment}")
        self.readings.check(silent, heard, number)
        return Verdict.OTHER_READING


class Answers:
    """To a client that asked."""

    def __init__(self, genuine: Genuine) -> None:
        self._genuine = genuine
        self.seeds = genuine.answers
        self._replayed: dict[tuple[int, int, int], object] = {}

    def judge(self, message: Message, parents: Sequence[int], number: int) -> Verdict:
        """See `Judge`. The client is the one that asked for the first of the origins."""
        origin = self.seeds[parents[0]]
        talk = self._genuine.talks[origin.answers]
        try:
            value = self._told(origin, message)
        except BadSignature:
            return Verdict.BAD_SIGNATURE
        except WireError:
            return Verdict.UNREADABLE
        except (Refusal, Unreachable):
            return Verdict.REFUSED_LATER
        if value == talk.value:
            return Verdict.UNCHANGED
        _look_for_canary(b"", value)
        if not talk.signed:
            return Verdict.CHANGED
        if any(value == self._value_of(origin, parent) for parent in parents[1:]):
            # An authentic answer to another question, whole.
            return Verdict.UNCHANGED
        raise Wrong(f"changed meaning: the client was told {value}, and genuinely {talk.value}")

    def _told(self, origin: Seed, answer: Message) -> object:
        talk = self._genuine.talks[origin.answers]
        answers = [*talk.answers]
        answers[origin.turn] = answer
        return run(talk.call(self._genuine.client(replay(answers))))

    def _value_of(self, origin: Seed, parent: int) -> object:
        """What the client makes of another genuine answer as it is."""
        try:
            return self._told(origin, self.seeds[parent].message)
        except (Refusal, Unreachable, WireError):
            return None


class _Addresses:
    """Which addresses reach a dialect at all, as the router sees it."""

    def __init__(self, dialect: Dialect) -> None:
        self._routes = dialect.routes
        self._exact = frozenset(
            (method, route.path) for route in self._routes for method in route.methods if not route.prefix
        )

    def route(self, message: Message) -> str | None:
        """The path that the vendor publishes for where the message goes to; None when it goes nowhere."""
        if (message.method, message.path) in self._exact:
            return message.path
        for route in self._routes:
            leads = _leads_to(message.path, route.path, route.prefix, route.ignore_case)
            if leads and message.method in route.methods:
                return route.path
        return None


def _leads_to(path: str, known: str, prefix: bool, ignore_case: bool) -> bool:
    if ignore_case:
        path, known = path.lower(), known.lower()
    if not prefix:
        return path == known
    name = path[len(known) :]
    return path.startswith(known) and bool(name) and "/" not in name


def _lost_a_tail(asked: Asked, origins: Iterable[Seed]) -> bool:
    """Whether an origin asked for the same, but for a tail of some text that looks like a field nobody knows."""
    said = leaves(asked)
    return any(
        len(said) == len(before) and all(map(_is_beginning, said, before))
        for origin in origins
        for before in map(leaves, origin.asked)
    )


def _is_beginning(said: object, before: object) -> bool:
    if said == before:
        return True
    if not (isinstance(said, str) and isinstance(before, str) and before.startswith(said)):
        return False
    return _TAIL.fullmatch(before[len(said) :]) is not None


_TAIL: Final = re.compile(r"(?:&[A-Za-z0-9_.]{1,64}=.*)", re.DOTALL)


def _look_for_canary(told: bytes, value: object) -> None:
    """Raises Wrong when a text came out that no message spells out: an entity was resolved."""
    if CANARY in told or CANARY.decode() in plain(value):
        raise Wrong("an XML entity was resolved")


def _shown(asked: Sequence[Asked]) -> str:
    return "; ".join(f"{each.name} {each.arguments}" for each in asked)
