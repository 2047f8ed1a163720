"""A merchant's settings at WeChat: each written rule, under a clock that is an argument."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytill.core.retry import DAY
from anytill.dialects.chaoying import wxconfig
from anytill.dialects.chaoying.words import CallRefused, Management, Refused
from anytill.dialects.chaoying.wxconfig import MOST_APPIDS, MOST_PATHS, WxConfig
from anytill.wire.errors import BadField, MissingField, WireError

A, B, C = "wx000000000000000a", "wx000000000000000b", "wx000000000000000c"
ONE, TWO, THREE = (f"http://{letter}.com/pay/" for letter in "abc")
NOW = 1_795_000_000_000


def built(*requests: Mapping[str, str], at_ms: int = NOW) -> WxConfig:
    config = WxConfig()
    for fields in requests:
        config = wxconfig.added(config, fields, at_ms)
    return config


def refused(config: WxConfig, fields: Mapping[str, str], at_ms: int = NOW) -> Refused:
    with pytest.raises(CallRefused) as refusal:
        wxconfig.added(config, fields, at_ms)
    return refusal.value.refused


def test_the_documents_three_examples() -> None:
    first = built({"appid": A, "subscribe_appid": A})
    assert {appid: to.appid for appid, to in first.appids.items() if to} == {A: A}
    second = built({"appid": B, "subscribe_appid": A})
    assert {appid: to.appid for appid, to in second.appids.items() if to} == {B: A}
    third = built({"appid": A, "subscribe_appid": A}, {"appid": B, "subscribe_appid": A})
    assert {appid: to.appid for appid, to in third.appids.items() if to} == {A: A, B: A}


def test_at_most_two_directories() -> None:
    config = built({"jsapi_path": f"{ONE};{TWO}"})
    assert config.paths == (ONE, TWO)
    assert wxconfig.added(config, {"jsapi_path": f"{TWO};{ONE};{TWO}"}, NOW) == config
    assert refused(config, {"jsapi_path": THREE}) == Management.WX_PATHS_FULL.refused
    assert refused(WxConfig(), {"jsapi_path": f"{ONE};{TWO};{THREE}"}) == Management.WX_PATHS_FULL.refused
    assert refused(built({"jsapi_path": ONE}), {"jsapi_path": f"{TWO};{THREE}"}) == Management.WX_PATHS_FULL.refused
    # Time does not make room.
    assert refused(config, {"jsapi_path": THREE}, NOW + 365 * DAY) == Management.WX_PATHS_FULL.refused


def test_at_most_two_appids() -> None:
    config = built({"appid": A}, {"appid": B, "receipt_appid": C})
    assert wxconfig.added(config, {"appid": A}, NOW) == config
    assert refused(config, {"appid": C}) == Management.WX_APPIDS_FULL.refused
    assert refused(config, {"appid": C}, NOW + 365 * DAY) == Management.WX_APPIDS_FULL.refused


def test_a_request_that_is_refused_adds_nothing_of_what_it_brings() -> None:
    config = built({"appid": A}, {"appid": B})
    assert refused(config, {"appid": C, "jsapi_path": ONE}) == Management.WX_APPIDS_FULL.refused
    assert config.paths == ()


def test_an_appid_follows_one_for_thirty_days() -> None:
    config = built({"appid": A, "subscribe_appid": A})
    assert wxconfig.added(config, {"appid": A, "subscribe_appid": A}, NOW + DAY) == config
    for other in ({"subscribe_appid": B}, {"receipt_appid": A}):
        assert refused(config, {"appid": A, **other}) == Management.WX_FOLLOWS.refused
        assert refused(config, {"appid": A, **other}, NOW + 30 * DAY - 1) == Management.WX_FOLLOWS.refused
    later = wxconfig.added(config, {"appid": A, "subscribe_appid": B}, NOW + 30 * DAY)
    assert later.appids[A] == wxconfig.Recommended("subscribe_appid", B, NOW + 30 * DAY)
    # And thirty days from then on.
    assert refused(later, {"appid": A, "subscribe_appid": A}, NOW + 60 * DAY - 1) == Management.WX_FOLLOWS.refused
    assert wxconfig.added(later, {"appid": A, "subscribe_appid": A}, NOW + 60 * DAY).appids[A]
    # To repeat what is there is no change, and does not begin the thirty days anew.
    repeated = wxconfig.added(config, {"appid": A, "subscribe_appid": A}, NOW + 29 * DAY)
    assert wxconfig.added(repeated, {"appid": A, "subscribe_appid": B}, NOW + 30 * DAY).appids[A]


def test_a_recommendation_can_be_added_to_an_appid_that_has_none() -> None:
    config = built({"appid": A})
    assert config.appids == {A: None}
    with_one = wxconfig.added(config, {"appid": A, "receipt_appid": B}, NOW + 1)
    assert with_one.appids == {A: wxconfig.Recommended("receipt_appid", B, NOW + 1)}
    # Only added: the appid alone takes nothing away.
    assert wxconfig.added(with_one, {"appid": A}, NOW + 2) == with_one


def test_what_a_request_must_bring() -> None:
    assert refused(WxConfig(), {}) == Management.WX_NOTHING.refused
    assert refused(WxConfig(), {"appid": A, "subscribe_appid": A, "receipt_appid": A}) == Management.WX_BOTH.refused
    for name in ("subscribe_appid", "receipt_appid"):
        with pytest.raises(MissingField) as fault:
            wxconfig.added(WxConfig(), {name: A}, NOW)
        assert fault.value.field == "appid"


@pytest.mark.parametrize(
    "path",
    [
        "http://a.com/pay/",
        "https://shop.example.com:8443/a-b/~c/%E6%94%AF/d.aspx",
        "http://a.com",
        "https://xn--fiq228c.cn/",
    ],
)
def test_directories(path: str) -> None:
    assert built({"jsapi_path": path}).paths == (path,)


@pytest.mark.parametrize(
    "path",
    [
        ";",
        "http://a.com/;",
        ";http://a.com/",
        "ftp://a.com/",
        "a.com/pay/",
        "http:///pay/",
        "http://a.com/?b=c",
        "http://a.com/#b",
        "http://a.com/%zz/",
        "http://a@b.com/",
        "http://a..com/",
        "http://a.com:0/",
        "http://支付.cn/",
        "http://a.com/ b/",
        "http://a.com/" + "x" * 256,
        "javascript:alert(1)",
    ],
)
def test_what_is_no_directory(path: str) -> None:
    with pytest.raises(BadField) as fault:
        wxconfig.added(WxConfig(), {"jsapi_path": path}, NOW)
    assert fault.value.field == "jsapi_path"


APPIDS = st.sampled_from([A, B, C])
REQUESTS = st.fixed_dictionaries(
    {},
    optional={
        "appid": APPIDS,
        "subscribe_appid": APPIDS,
        "receipt_appid": APPIDS,
        "jsapi_path": st.lists(st.sampled_from([ONE, TWO, THREE, "x"]), min_size=1, max_size=3).map(";".join),
    },
)


@given(st.lists(st.tuples(REQUESTS, st.integers(0, 40)), max_size=12))
def test_whatever_is_asked_the_limits_hold_and_nothing_is_lost(requests: list[tuple[dict[str, str], int]]) -> None:
    config, now_ms = WxConfig(), NOW
    for fields, days in requests:
        now_ms += days * DAY
        before = config
        try:
            config = wxconfig.added(config, fields, now_ms)
        except (CallRefused, WireError):
            continue
        assert len(config.paths) <= MOST_PATHS
        assert len(config.appids) <= MOST_APPIDS
        assert set(before.paths) <= set(config.paths)
        for appid, to in before.appids.items():
            after = config.appids[appid]
            assert after == to or to is None or now_ms - to.at_ms >= 30 * DAY
        assert wxconfig.decode(wxconfig.encode(config)) == config
    assert wxconfig.decode("") == WxConfig()
