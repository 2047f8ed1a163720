"""Fields run together: the known attacks as vectors, an exhaustive search as the judge, both ways to the verdict."""

import re
from collections.abc import Iterator, Mapping
from itertools import permutations

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from anytill.wire.concatenation import Concatenation
from anytill.wire.errors import Ambiguous, BadField, MissingField
from anytill.wire.signing import concatenated

# A barcode charge, signed without delimiters.
CHARGE_GRAMMARS = {
    "amount": re.compile(r"(?:0|[1-9][0-9]{0,7})(?:\.[0-9]{1,2})?"),
    "auth_code": re.compile(r"[0-9]{16,24}"),
    "channel": re.compile(r"barcode_pay"),
    "client_id": re.compile(r"[0-9A-Za-z]{1,24}"),
    "client_ip": re.compile(r"[0-9A-Fa-f.:]{0,20}"),
    "metadata": re.compile(r"(?s:.{0,512})"),
    "notify_url": re.compile(r"https?://[!-~]{1,248}"),
    "order_no": re.compile(r"[0-9A-Za-z_-]{1,64}"),
    "subject": re.compile(r"(?s:.{1,128})"),
}
CHARGE_REQUIRED = CHARGE_GRAMMARS.keys() - {"client_ip", "metadata"}
CHARGE = {
    "amount": "0.01",
    "auth_code": "130258282169498444",
    "channel": "barcode_pay",
    "client_id": "x6k7oaqey98uddkl4r4233aq",
    "notify_url": "http://shop.example/notify",
    "order_no": "2016051232221122",
    "subject": "测试",
    "sign": "73612592281645683425142FAF4A4543",
}


CHARGES = Concatenation(CHARGE_GRAMMARS, grammars=CHARGE_GRAMMARS, required=CHARGE_REQUIRED)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"metadata": "", "client_ip": ""},
        {"client_ip": "127.0.0.1"},
        {"metadata": '{"subject":"tea","amount":"5","order_no":"7"}'},
        {"metadata": "a=1&b=2"},
        {"subject": "amount metadata notify_url order_no"},
        {"notify_url": "http://shop.example/notify?amount=1&order_no=2&subject=3"},
    ],
)
def test_honest_charges_pass(changes: dict[str, str]) -> None:
    CHARGES.check(CHARGE | changes)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(
            {"metadata": "Xnotify_urlhttp://evil.example/", "notify_url": "http://shop.example/"},
            {"metadata": "X", "notify_url": "http://evil.example/notify_urlhttp://shop.example/"},
            id="the notice goes elsewhere",
        ),
        pytest.param(
            {"order_no": "A1subjectB", "subject": "tea"},
            {"order_no": "A1", "subject": "Bsubjecttea"},
            id="another order is paid",
        ),
        pytest.param(
            {"notify_url": "http://shop.example/order_noX1", "order_no": "7"},
            {"notify_url": "http://shop.example/", "order_no": "X1order_no7"},
            id="the order number grows",
        ),
    ],
)
def test_charges_that_share_a_signed_text_are_both_refused(one: dict[str, str], other: dict[str, str]) -> None:
    assert concatenated(CHARGE | one, keep_empty=True) == concatenated(CHARGE | other, keep_empty=True)
    for changes in (one, other):
        with pytest.raises(Ambiguous):
            CHARGES.check(CHARGE | changes)


def test_a_name_outside_the_closed_list_is_refused() -> None:
    honest = CHARGE | {"amount": "10.00"}
    forged = {name: value for name, value in CHARGE.items() if name != "amount"} | {"amount1": "0.00"}
    assert concatenated(honest, keep_empty=True) == concatenated(forged, keep_empty=True)
    CHARGES.check(honest)
    with pytest.raises(MissingField) as missing:
        CHARGES.check(forged)
    assert missing.value.field == "amount"
    with pytest.raises(BadField) as unknown:
        CHARGES.check(CHARGE | {"amount1": "0.00"})
    assert unknown.value.field == "amount1"


def test_a_value_outside_its_grammar_is_refused() -> None:
    with pytest.raises(BadField) as caught:
        CHARGES.check(CHARGE | {"channel": "wap"})
    assert caught.value.field == "channel"


def test_no_fields_have_one_reading() -> None:
    Concatenation(["a"], grammars={}).check({"sign": "x"})


@pytest.mark.parametrize(
    "fields",
    [
        {"a": "b" * 300},
        {"a": "bcdefgh" * 1000},
        {"a": "b" * 80 + "c" * 80 + "d" * 80 + "!" * 8000},
    ],
)
def test_texts_stuffed_with_names_are_refused_and_not_counted(fields: dict[str, str]) -> None:
    slow = {name: re.compile(r"[a-z]*[0-9]|.*") for name in "abcdefgh"}
    with pytest.raises(Ambiguous):
        Concatenation("abcdefgh", grammars=slow, required="a").check(fields)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"client_ip": "127.0.0.1"},
        {"metadata": "a=1&b=2"},
        {"client_ip": "127.0.0.1", "metadata": ""},
    ],
)
def test_usual_charges_are_not_counted(changes: dict[str, str]) -> None:
    assert CHARGES.settles(CHARGE | changes)


def test_the_order_in_which_fields_are_sent_does_not_matter() -> None:
    fields = {"order_no": "A1subjectB", "subject": "tea", "client_ip": "::1"}
    for order in permutations(fields):
        with pytest.raises(Ambiguous):
            CHARGES.check(CHARGE | {name: fields[name] for name in order})


def test_many_sets_of_fields_do_not_fill_the_memory() -> None:
    names = [f"n{number:02}x" for number in range(12)]
    wide = Concatenation(names, grammars={})
    for number in range(2_000):
        wide.count({name: "1" for at, name in enumerate(names) if number >> at & 1})
        wide.settles({name: "1" for at, name in enumerate(names) if number >> at & 1})
    assert len(wide._shapes) <= 256


# The judge: every reading there is, found by trying everything.
Reading = tuple[tuple[str, str], ...]


def readings_concatenated(
    text: str, names: list[str], grammars: Mapping[str, re.Pattern[str]], required: frozenset[str]
) -> Iterator[Reading]:
    if not text and not required:
        yield ()
    for at, name in enumerate(names):
        for end in range(len(name), len(text) + 1):
            value = text[len(name) : end]
            if text.startswith(name) and (name not in grammars or grammars[name].fullmatch(value)):
                for rest in readings_concatenated(text[end:], names[at + 1 :], grammars, required - {name}):
                    yield ((name, value), *rest)
        if name in required:
            return


# Names that overlap and begin alike, for which there is only counting; and names that stand inside others, at their
# ends or overlap themselves, for which there is a shorter way.
NAMES = st.sampled_from(
    [["a", "aa", "ab", "b", "ba", "c"], ["ab", "c", "cad", "dcb", "e", "eb"], ["a", "bab", "c", "d"]]
)
PATTERNS = ["[ab]*", "[b-c]+", "[0-9]*", "1?", ".{2}", "[a-c0-9]{1,3}", "[a-e]*1?", "(?:(?!c).)*", "1*"]


@st.composite
def messages(draw: st.DrawFn) -> tuple[list[str], dict[str, re.Pattern[str]], frozenset[str], dict[str, str]]:
    """Known names, their grammars, the required ones, and fields."""
    names = draw(NAMES)
    some = st.sampled_from(names)
    grammars = {
        name: re.compile(pattern) for name, pattern in draw(st.dictionaries(some, st.sampled_from(PATTERNS))).items()
    }
    required = draw(st.frozensets(some, max_size=4))
    sent = draw(st.sets(some, max_size=5)) | (required if draw(st.booleans()) else set())
    values = st.text("1", max_size=2) | st.text("abcde1", max_size=4)
    return names, grammars, required, {name: draw(values) for name in draw(st.permutations(sorted(sent)))}


@given(messages())
def test_fields_pass_when_they_are_the_only_reading(
    message: tuple[list[str], dict[str, re.Pattern[str]], frozenset[str], dict[str, str]],
) -> None:
    names, grammars, required, fields = message
    readings = list(readings_concatenated(concatenated(fields, keep_empty=True), names, grammars, required))
    own = tuple(sorted(fields.items()))
    try:
        Concatenation(names, grammars=grammars, required=required).check(fields)
    except Ambiguous:
        assert own in readings
        assert len(readings) > 1
    except (BadField, MissingField):
        assert own not in readings
    else:
        assert readings == [own]


@given(messages())
def test_what_is_settled_without_counting_is_counted_as_one_reading(
    message: tuple[list[str], dict[str, re.Pattern[str]], frozenset[str], dict[str, str]],
) -> None:
    names, grammars, required, fields = message
    known = Concatenation(names, grammars=grammars, required=required)
    try:
        settled = known.settles(fields)
    except (BadField, MissingField):
        return
    event(f"settled: {settled}")
    assert not settled or known.count(fields) == 1
