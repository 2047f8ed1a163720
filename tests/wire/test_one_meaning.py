"""One joined text, one meaning: the known attacks as vectors, and an exhaustive search as the judge."""

from collections.abc import Iterator, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytill.wire.errors import Ambiguous, BadField
from anytill.wire.one_meaning import refuse_blurring, refuse_separators
from anytill.wire.signing import joined

# An order whose names and values are joined.
ORDER_NAMES = ["agent_id", "attach", "body", "device_info", "goods_tag", "mch_id", "method", "notify_url", "total_fee"]
ORDER_REQUIRED = ["agent_id", "body", "mch_id", "method", "total_fee"]
ORDER_FREE = ["attach", "body", "goods_tag", "notify_url"]
ORDER = {"agent_id": "1", "body": "tea", "mch_id": "2", "method": "pay", "total_fee": "100", "sign": "AB"}


def guard_order(fields: Mapping[str, str]) -> None:
    refuse_separators(fields, ORDER_FREE, ORDER_NAMES, required=ORDER_REQUIRED)


@pytest.mark.parametrize("name", ["key", "Key", "kEY", "KEY", "Sign", "SIGN", "siGn"])
def test_no_field_is_called_like_the_key_or_a_second_signature(name: str) -> None:
    with pytest.raises(BadField) as caught:
        refuse_blurring({**ORDER, name: "1"})
    assert caught.value.field == name


def test_other_names_blur_nothing() -> None:
    refuse_blurring({**ORDER, "keys": "1", "signs": "2", "k": "3", "": "4"})


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"device_info": "till 1", "goods_tag": "spring"},
        {"body": "tea & cake = 2 & more"},
        {"body": "M&M's&Co=1"},
        {"notify_url": "http://shop.example/n?a=1&b=2"},
        {"body": "x&agent_id=2"},
        {"body": "x&body=2"},
        {"attach": "shop=1&mch_id=5"},
        {"body": "x&sign=AB"},
        {"body": "x&unknown=1"},
        {"charset": "UTF-8", "zz_unknown": "a&b=c"},
        {"body": "x&device_info"},
        {"notify_url": "http://shop.example/n?total_fee=5"},
    ],
)
def test_honest_orders_pass(changes: dict[str, str]) -> None:
    guard_order(ORDER | changes)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"body": "tea&device_info=evil"}, {"body": "tea", "device_info": "evil"}),
        ({"attach": "a&body=cheap"}, {"attach": "a", "body": "cheap&body=tea"}),
        ({"body": "tea&device_info=evil&goods_tag=x"}, {"body": "tea", "device_info": "evil", "goods_tag": "x"}),
        ({"notify_url": "http://a/?a=1&total_fee=1"}, {"notify_url": "http://a/?a=1", "total_fee": "1&total_fee=100"}),
    ],
)
def test_of_two_orders_that_share_a_signed_text_one_passes(one: dict[str, str], other: dict[str, str]) -> None:
    fields = [ORDER | one, ORDER | other]
    assert joined(fields[0], keep_empty=False) == joined(fields[1], keep_empty=False)
    assert [passes_order(each) for each in fields].count(True) == 1


def passes_order(fields: Mapping[str, str]) -> bool:
    try:
        guard_order(fields)
    except (Ambiguous, BadField):
        return False
    return True


def test_only_what_nobody_reads_can_move_into_a_free_text() -> None:
    """Unknown names must be accepted, and so must free texts such as `a=1&b=2`; the price is this pair."""
    one = ORDER | {"body": "x&charset=1"}
    other = ORDER | {"body": "x", "charset": "1"}
    assert joined(one, keep_empty=False) == joined(other, keep_empty=False)
    assert passes_order(one)
    assert passes_order(other)
    assert not passes_order(other | {"body": "x&charset=2"})


def test_an_injected_field_is_refused() -> None:
    with pytest.raises(Ambiguous):
        guard_order(ORDER | {"body": "tea&device_info=evil"})
    guard_order(ORDER | {"body": "tea", "device_info": "evil"})


def test_an_ampersand_outside_free_texts_is_refused() -> None:
    with pytest.raises(BadField) as caught:
        guard_order(ORDER | {"mch_id": "2&3"})
    assert caught.value.field == "mch_id"
    refuse_separators(ORDER | {"mch_id": "2&3"}, None, ORDER_NAMES)


def test_a_hidden_field_counts_in_the_order_of_the_signature() -> None:
    fields = {"ShortName": "a&address=b"}
    with pytest.raises(Ambiguous):
        refuse_separators(fields, None, ["ShortName", "address"])
    refuse_separators(fields, None, ["ShortName", "address"], fold_case=True)


def test_an_empty_field_hides_only_where_empty_fields_are_signed() -> None:
    fields = {"a": "1&b="}
    refuse_separators(fields, None, "ab")
    with pytest.raises(Ambiguous):
        refuse_separators(fields, None, "ab", keep_empty=True)


def test_very_many_hidden_fields_are_refused_and_not_searched() -> None:
    refuse_separators({"b": "&a=1" * 250}, None, "ab")
    with pytest.raises(Ambiguous):
        refuse_separators({"b": "&a=1" * 2000}, None, "ab")


# The judge: every reading there is, found by trying everything. Names overlap and are prefixes of each other.
NAMES = ["a", "aa", "ab", "b", "ba", "c"]
Reading = tuple[tuple[str, str], ...]


def readings_joined(text: str, names: list[str], bound: frozenset[str], required: frozenset[str]) -> Iterator[Reading]:
    for at, name in enumerate(names):
        for end in [at for at, character in enumerate(text) if character == "&"] + [len(text)]:
            value = text[len(name) + 1 : end]
            if not text.startswith(f"{name}=") or not value or (name in bound and "&" in value):
                continue
            if end < len(text):
                for rest in readings_joined(text[end + 1 :], names[at + 1 :], bound, required - {name}):
                    yield ((name, value), *rest)
            elif required <= {name}:
                yield ((name, value),)
        if name in required:
            return


def lengths(reading: Reading) -> tuple[int, ...]:
    """Sorts first what splits first: at the first difference the shorter value."""
    return tuple(len(name) + len(value) for name, value in reading)


JOINED = st.dictionaries(
    st.sampled_from(NAMES),
    st.lists(st.sampled_from(["&", "a=", "&b=", "&c=", "&ba=", "&aa=", "1", "x", "&x="]), min_size=1, max_size=4).map(
        "".join
    ),
    min_size=1,
    max_size=4,
)


@given(JOINED, st.frozensets(st.sampled_from(NAMES), max_size=3), st.frozensets(st.sampled_from(NAMES), max_size=2))
def test_of_all_readings_of_a_joined_text_exactly_the_finest_passes(
    fields: dict[str, str], bound: frozenset[str], required: frozenset[str]
) -> None:
    readings = list(readings_joined(joined(fields, keep_empty=False), NAMES, bound, required))
    passed = []
    for reading in readings:
        try:
            refuse_separators(dict(reading), set(NAMES) - bound, NAMES, required=required)
        except Ambiguous:
            continue
        passed.append(reading)
    assert passed == ([min(readings, key=lengths)] if readings else [])
