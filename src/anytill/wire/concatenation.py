"""Fields that are signed run together: refusing those that could be other fields as well.

`one_meaning` says what a reading is, and why these fields must be the only one. Here is how that is found out, in two
ways that give the same verdict:

    client_id x6k7 client_ip 10.0.0.1 notify_url http://shop/ ...      the names stand where their fields begin
               |---------->|                                           (or inside such a name, as `ip` does)
               |------------------->|

* Usually no name stands anywhere else. Then another reading can only pass over some of the names: a field's value would
  have to reach over what follows, up to a later name (the arrows). Where such stretches begin and end is known from the
  names that were sent; it is worked out once for each set of them (`_Shape`). If no grammar allows one of its own, the
  fields are the only reading.
* Whatever that does not settle is counted (`_count_readings`), exactly but more slowly.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from anytill.wire.errors import Ambiguous, BadField, MissingField
from anytill.wire.one_meaning import MOST_BORDERS, last_possible_next
from anytill.wire.signing import NOT_SIGNED

# Characters that grammars may look at while readings are counted. An honest request of ordinary size needs a few
# thousand; only a text stuffed with field names needs more.
_MOST_WORK: Final = 500_000
# Callers choose which fields they send: what is remembered of that is bounded.
_MOST_SHAPES: Final = 256

_Fits: TypeAlias = Callable[[str], object]


class Concatenation:
    """One kind of message whose names and values are signed run together."""

    def __init__(
        self,
        known_names: Collection[str],
        *,
        grammars: Mapping[str, re.Pattern[str]],
        required: Collection[str] = (),
        skip: Collection[str] = NOT_SIGNED,
    ) -> None:
        """`known_names` is the closed list of names, of which those in `skip` are not signed. `grammars` must match a
        value whole, in linear time and without anchors; a name without one takes any text.
        """
        self._known = frozenset(known_names)
        self._signed = sorted(self._known.difference(skip))
        self._grammars = grammars
        self._required = frozenset(required)
        self._skip = frozenset(skip)
        self._shapes: dict[tuple[str, ...], _Shape] = {}

    def check(self, fields: Mapping[str, str]) -> None:
        """Raise Ambiguous unless `fields` are the only reading of their names and values run together.

        Fields that are not a reading at all raise BadField or MissingField. Empty values take part with their bare
        names.
        """
        shape = self._shape_of(tuple(fields))
        values = [fields[name] for name in shape.names]
        for name, fits, value in zip(shape.names, shape.fits, values, strict=True):
            if not fits(value):
                raise BadField(name, "in the form that is laid down for it")
        if not shape.settles(values) and self.count(fields) != 1:
            raise Ambiguous

    def count(self, fields: Mapping[str, str]) -> int:
        """How many readings such fields have, by counting: 1, or 2 for any number above. Raises Ambiguous if unsure."""
        pairs = sorted((name, value) for name, value in fields.items() if name not in self._skip)
        text = "".join([name + value for name, value in pairs])
        # A name that is nowhere in the text is in none of its readings.
        names = [name for name in self._signed if name in text]
        return _count_readings(pairs, text, names, self._grammars, self._required)

    def settles(self, fields: Mapping[str, str]) -> bool:
        """Whether such fields are seen to be the only reading without counting."""
        shape = self._shape_of(tuple(fields))
        return shape.settles([fields[name] for name in shape.names])

    def _shape_of(self, sent: tuple[str, ...]) -> _Shape:
        """What is known of fields with these names, in whatever order. Raises BadField, MissingField."""
        shape = self._shapes.get(sent)
        if shape is None:
            names = sorted(name for name in sent if name not in self._skip)
            for name in sorted(self._required):
                if name not in names:
                    raise MissingField(name)
            for name in names:
                if name not in self._known:
                    raise BadField(name, "left out, as it is no field of this message")
            if len(self._shapes) >= _MOST_SHAPES:
                self._shapes.clear()
            shape = self._shapes[sent] = _shape(names, self._signed, self._grammars, self._required)
        return shape


@dataclass(frozen=True, slots=True)
class _Stretch:
    """A part of the text that would be a value in another reading: from where the value of the field `first` begins to
    where the field `last` begins (or the text ends), and so many characters of that field's name more."""

    first: int
    last: int
    more: int
    fits: _Fits


@dataclass(frozen=True, slots=True)
class _Shape:
    """What follows from the names of a message's fields, whatever their values. `names` are in signing order."""

    names: Sequence[str]
    fits: Sequence[_Fits]
    standing: Sequence[tuple[str, int]]  # known names, and how often they stand in the fields' names
    stretches: Sequence[_Stretch]
    simple: bool  # False: only counting helps

    def settles(self, values: Sequence[str]) -> bool:
        """Whether fields with these values are certainly the only reading."""
        if not self.simple:
            return False
        text = "".join([name + value for name, value in zip(self.names, values, strict=True)])
        for name, times in self.standing:
            if text.count(name) != times:
                return False
        begins = [0]
        for name, value in zip(self.names, values, strict=True):
            begins.append(begins[-1] + len(name) + len(value))
        for stretch in self.stretches:
            begin = begins[stretch.first] + len(self.names[stretch.first])
            if stretch.fits(text[begin : begins[stretch.last] + stretch.more]):
                return False
        return True


def _shape(
    names: Sequence[str], known: Sequence[str], grammars: Mapping[str, re.Pattern[str]], required: Collection[str]
) -> _Shape:
    fits = [grammars[name].fullmatch if name in grammars else _anything for name in names]
    # A field that must be there, and whose name stands at one place, begins at that place in every reading.
    pinned = [name in required and not any(name in other for other in names if other != name) for name in names]
    # A name that begins like another one would be a second field at the same place.
    simple = not any(
        own != name and own.startswith(name)
        for own, is_pinned in zip(names, pinned, strict=True)
        for name in known
        if not is_pinned
    )
    stretches = [
        _Stretch(first, last, more, fits[first])
        for first in range(len(names))
        for last, more in _ends(first, names, pinned, known)
    ]
    standing = [(name, sum(own.count(name) for own in names)) for name in known]
    # Such as `device_idevice_id`, where `count` would find but one of two.
    standing += [
        (name + name[same:], 0) for name in known for same in range(1, len(name)) if name.endswith(name[:same])
    ]
    return _Shape(names, fits, standing, stretches, simple)


def _ends(first: int, names: Sequence[str], pinned: Sequence[bool], known: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Where the value of the field `first` could end instead of before its follower; it cannot reach over a pinned one.

    Each place is a field's index, or the number of fields for the end of the text, and an offset in that field's name.
    """
    for at in range(first + 1, len(names)):
        if at > first + 1:
            yield at, 0
        if pinned[at]:
            return
        for offset in range(1, len(names[at])):
            if names[at].startswith(tuple(known), offset):
                yield at, offset
    if first + 1 < len(names):
        yield len(names), 0


def _anything(_value: str) -> bool:
    return True


def _count_readings(
    pairs: Sequence[tuple[str, str]],
    text: str,
    names: Sequence[str],
    grammars: Mapping[str, re.Pattern[str]],
    required: Collection[str],
) -> int:
    """How many readings `text` has under the sorted names: 1, or 2 for any number above. Raises Ambiguous if unsure.

    `pairs` are one of them. `ways[i]` is the number of ways to read everything before `places[i]`; since fields follow
    each other, all ways to a place are known when it is its turn.
    """
    if not text:
        return 1
    last_next = last_possible_next(names, required)
    places = _places(text, names)
    ways = [1 if begin == 0 and rank <= last_next[0] else 0 for begin, rank in places]
    readings = 0
    meter = _Meter(pairs, text, grammars)
    for at, (begin, rank) in enumerate(places):
        if not ways[at]:
            continue
        name, last = names[rank], last_next[rank + 1]
        value_begin = begin + len(name)
        for following in range(at + 1, len(places)):
            end, next_rank = places[following]
            if rank < next_rank <= last and end >= value_begin and meter.allows(name, value_begin, end):
                ways[following] = min(2, ways[following] + ways[at])
        if last == len(names) and meter.allows(name, value_begin, len(text)):
            readings += ways[at]
    return min(2, readings)


class _Meter:
    """Applies grammars to parts of one text and gives up, with Ambiguous, when that takes too long."""

    __slots__ = ("_grammars", "_own", "_text", "_work")

    def __init__(self, pairs: Sequence[tuple[str, str]], text: str, grammars: Mapping[str, re.Pattern[str]]) -> None:
        self._grammars = grammars
        self._text = text
        self._work = 0
        self._own: dict[str, tuple[int, int]] = {}
        end = 0
        for name, value in pairs:
            begin = end + len(name)
            end = begin + len(value)
            self._own[name] = (begin, end)

    def allows(self, name: str, begin: int, end: int) -> bool:
        """Whether that part of the text may be the field's value."""
        # The fields themselves were checked before.
        if self._own.get(name) == (begin, end):
            return True
        grammar = self._grammars.get(name)
        if grammar is None:
            return True
        self._work += end - begin + 1
        if self._work > _MOST_WORK:
            raise Ambiguous
        return grammar.fullmatch(self._text[begin:end]) is not None


def _places(text: str, names: Sequence[str]) -> list[tuple[int, int]]:
    """All places, overlapping ones included, where a name stands, with its index, from left to right.

    Raises Ambiguous if very many.
    """
    places: list[tuple[int, int]] = []
    for rank, name in enumerate(names):
        at = text.find(name)
        while at >= 0:
            places.append((at, rank))
            if len(places) > MOST_BORDERS:
                raise Ambiguous
            at = text.find(name, at + 1)
    places.sort()
    return places
