"""How often something can be tried."""

from __future__ import annotations

from anytill.gateway.tries import MOST_KEYS, Tries, spend_all


def test_tries_slide_and_are_bounded() -> None:
    tries = Tries(2, 100)
    assert [tries.spend("a", 0), tries.spend("a", 50), tries.spend("a", 99), tries.spend("b", 99)] == [
        True,
        True,
        False,
        True,
    ]
    assert tries.spend("a", 100)
    assert not tries.spend("a", 149)
    tries.give_back("a")
    assert tries.spend("a", 149)
    for n in range(MOST_KEYS + 1):
        tries.spend(f"k{n}", 200)
    assert len(tries._at) == MOST_KEYS
    assert tries.spend("late", 300)
    assert list(tries._at) == ["late"], "what does not count any more is not kept"


def test_what_one_limit_refuses_is_not_taken_from_another() -> None:
    whole, each = Tries(3, 100), Tries(1, 100)
    told = [spend_all(0, (each, name), (whole, "all")) for name in "aabcdde"]
    assert told == [True, False, True, True, False, False, False]
    assert set(each._at) == {"a", "b", "c"}
    assert each.spend("d", 0)
