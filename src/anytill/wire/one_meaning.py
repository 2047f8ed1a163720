"""One signed text, one meaning: refusing requests whose signature would also fit another request.

Two of the ways to build a signed text lose the borders between fields, so that somebody who sees one signed request
can send other fields under the same signature. `S` stands for the secret:

    S k1v1k2v2 S            S metadata Xnotify_urlhttp://evil notify_url http://shop S
    (no delimiters)         S metadata X notify_url http://evilnotify_urlhttp://shop S       the same text
                            S amount 10.00 S   and   S amount1 0.00 S                        the same text

    k1=v1&k2=v2 &key=S      body = "tea&device_info=evil"
    (nothing escaped)       body = "tea", device_info = "evil"                               the same text

A *reading* of such a text is a sequence of fields with rising names (the order in which they are signed), all required
names among them, every value allowed for its name. What the two guards ask differs, because the texts do:

* `concatenation.Concatenation`: the fields must be the **only** reading. Without delimiters any border can be moved, so
  the list of names is closed and each name has a grammar; those leave honest requests a single reading. `amount1` falls
  to the closed list, the moved `notify_url` to the count.

* `refuse_separators`: the fields must be the **finest** reading: none of their values may be split further at an
  `&name=` hidden in it. Asking for the only reading would refuse every `body` that is followed by an optional field,
  since the two could be one longer `body`. As of all readings of a text exactly one is finest, no two requests that
  are accepted share a signed text. A hidden `&name=` does no harm, and is allowed, where no valid reading splits there:
  the name sorts before the field that holds it, or a required field between the two would be missing. A name
  that nobody knows begins no field inside a value, so that `a=1&b=2` may stand in a free text; what is left to a
  forger is to move such a tail between the free text and a field that is never read.

Beside the latter stands `refuse_blurring`: where the key follows as `&key=S`, no field may be called as it is.

Both are exact and bounded: what would take too long to decide is refused.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

from anytill.wire.errors import Ambiguous, BadField
from anytill.wire.signing import NOT_SIGNED, sorted_pairs

#: The most places where a field may begin: as many as a form may have fields, and a good many more.
MOST_BORDERS: Final = 256

# `key` and `sign` in any case of their letters, but for `sign` itself.
_BLURRING = frozenset(
    "".join(letters) for word in ("key", "sign") for letters in product(*zip(word, word.upper(), strict=True))
) - {"sign"}
_BORDER = re.compile(r"(?:^|&)([A-Za-z0-9_.]{1,64})=")
_HIDDEN = re.compile(r"&([A-Za-z0-9_.]{1,64})=")


def refuse_blurring(names: Collection[str]) -> None:
    """Raise BadField for a name that would run into the key's own place in the signed text, and for a second `Sign`,
    which is nobody's honest field."""
    if _BLURRING.isdisjoint(names):
        return
    raise BadField(next(name for name in names if name in _BLURRING), "left out")


def refuse_separators(
    fields: Mapping[str, str],
    free_text: Collection[str] | None,
    known_names: Collection[str],
    *,
    required: Collection[str] = (),
    skip: Collection[str] = NOT_SIGNED,
    keep_empty: bool = False,
    fold_case: bool = False,
) -> None:
    """Raise Ambiguous unless `fields` are the finest reading of `name=value&name=value`.

    `free_text` are the known names whose values may hold `&` (None for all); such a value elsewhere raises BadField.
    Names outside `known_names` are accepted, with any value, and begin a field only where they are fields of this very
    request. `required` are names without which the caller accepts no request. `keep_empty` and `fold_case` must be
    those of the signature.
    """
    if "&" not in "".join(fields.values()):
        return  # nearly always
    pairs = sorted_pairs(fields, keep_empty=keep_empty, skip=skip, fold_case=fold_case)
    with_ampersand = [name for name, value in pairs if "&" in value]
    if not with_ampersand:
        return
    known = set(known_names).difference(skip)
    bound = set() if free_text is None else known.difference(free_text)
    for name in with_ampersand:
        if name in bound:
            raise BadField(name, "without an ampersand")
    # A border never reaches over the end of a value, because what follows there is another ampersand.
    hidden = {match[1] for _, value in pairs for match in _HIDDEN.finditer(value)}
    if hidden.isdisjoint(known) and hidden.isdisjoint(fields):
        return
    names = sorted(known.union(name for name, _ in pairs))
    if fold_case:
        names.sort(key=str.lower)
    if _has_finer_reading(pairs, _Rules(names, frozenset(bound), frozenset(required), keep_empty)):
        raise Ambiguous


def last_possible_next(names: Sequence[str], required: Collection[str]) -> list[int]:
    """For the start and then after each name: the last index in `names` that may come next, skipping nothing required.

    The index past the last name stands for the end of the text.
    """
    last_next = [len(names)] * (len(names) + 1)
    for at in range(len(names) - 1, -1, -1):
        last_next[at] = at if names[at] in required else last_next[at + 1]
    return last_next


@dataclass(frozen=True, slots=True)
class _Rules:
    """What a reading of a joined text must obey: the names in signing order, and which values hold no ampersand."""

    names: Sequence[str]
    bound: frozenset[str]
    required: frozenset[str]
    keep_empty: bool


@dataclass(frozen=True, slots=True)
class _Border:
    """A place where a field may begin: where the value before it ends, its own value begins, its name's rank."""

    previous_end: int
    value_begin: int
    rank: int


def _has_finer_reading(pairs: Sequence[tuple[str, str]], rules: _Rules) -> bool:
    """Whether some value can be split at a hidden border such that the rest of the text can be read too."""
    text = "&".join([f"{name}={value}" for name, value in pairs])
    borders = _borders(text, rules.names)
    if len(borders) > MOST_BORDERS:
        return True
    last_next = last_possible_next(rules.names, rules.required)
    fits = [_longest_value(text, border, rules) for border in borders]

    def leads(one: int, other: int) -> bool:
        here, there = borders[one], borders[other]
        shortest = here.value_begin if rules.keep_empty else here.value_begin + 1
        in_order = here.rank < there.rank <= last_next[here.rank + 1]
        return in_order and shortest <= there.previous_end <= fits[one]

    def readable_from(one: int) -> bool:
        here = borders[one]
        to_the_end = last_next[here.rank + 1] == len(rules.names) and fits[one] == len(text)
        if to_the_end and (rules.keep_empty or here.value_begin < len(text)):
            return True
        return any(readable[other] and leads(one, other) for other in range(one + 1, len(borders)))

    readable = [False] * len(borders)
    for at in range(len(borders) - 1, -1, -1):
        readable[at] = readable_from(at)
    own_begins = _own_begins(pairs)
    current = 0
    for at, border in enumerate(borders):
        if border.previous_end in own_begins:
            current = at
        elif readable[at] and leads(current, at):
            return True
    return False


def _borders(text: str, names: Sequence[str]) -> list[_Border]:
    rank = {name: at for at, name in enumerate(names)}
    return [_Border(match.start(), match.end(), rank[match[1]]) for match in _BORDER.finditer(text) if match[1] in rank]


def _longest_value(text: str, border: _Border, rules: _Rules) -> int:
    """Where the value that begins at the border must end at the latest."""
    if rules.names[border.rank] in rules.bound:
        ampersand = text.find("&", border.value_begin)
        return ampersand if ampersand >= 0 else len(text)
    return len(text)


def _own_begins(pairs: Sequence[tuple[str, str]]) -> set[int]:
    begins: set[int] = set()
    end = 0
    for name, value in pairs:
        begins.add(end)
        # The first field has no ampersand before it.
        end += len(name) + 1 + len(value) + (1 if end else 0)
    return begins
