"""Settings: where they come from, which wins, and what is said of those that make no sense."""

from __future__ import annotations

from dataclasses import replace

import pytest

from anytill.config import SETTINGS, SettingsError, environment_name, read_settings
from anytill.core.merchant import Merchant, MerchantState

TOML = """
[server]
port = 9000
[store]
url = "sqlite:///shop.db"
group_commit = false
[channel.wallet]
kind = "sandbox"
book = "wallet.journal"
[[merchant]]
id = "m1"
name = "一号店"
state = "off"
max_amount_fen = 500
channels = { ALIPAY = "wallet" }
[[credential]]
dialect = "teegon"
login = "till1"
secret_env = "TILL1"
merchants = { "" = "m1" }
[[credential]]
dialect = "yst"
login = "desk1"
secret_file = "desk1.key"
password_file = "desk1.password"
active = false
options = { notify_url = "https://shop.example/heard" }
"""


def test_defaults_file_environment_command_line_in_this_order() -> None:
    assert read_settings("", {}).number("server.port") == 8000
    assert read_settings(TOML, {}).number("server.port") == 9000
    environ = {"ANYTILL_SERVER__PORT": "9001", "OTHER": "x", "ANYTILL_HOME": "not a setting: it has no section"}
    assert read_settings(TOML, environ).number("server.port") == 9001
    assert read_settings(TOML, environ, {"server.port": 9002}).number("server.port") == 9002


def test_everything_in_the_file() -> None:
    settings = read_settings(TOML, {})
    assert settings.text("store.url") == "sqlite:///shop.db"
    assert settings.switch("store.group_commit") is False
    (channel,) = settings.channels
    assert (channel.name, channel.kind, channel.options) == ("wallet", "sandbox", {"book": "wallet.journal"})
    (merchant,) = settings.merchants
    assert (merchant.merchant_id, merchant.state, merchant.max_amount_fen) == ("m1", MerchantState.OFF, 500)
    assert merchant.channels == {"ALIPAY": "wallet"}
    first, second = settings.credentials
    assert (first.login, first.secret_env, first.merchants) == ("till1", "TILL1", {"": "m1"})
    assert (first.active, first.options, first.password_env, first.password_file) == (None, None, "", "")
    assert (second.active, second.merchants, second.password_file) == (False, {}, "desk1.password")
    assert second.options == {"notify_url": "https://shop.example/heard"}


@pytest.mark.parametrize(
    ("toml", "environ", "said"),
    [
        ("port = ", {}, "not TOML"),
        ("[server]\nprot = 1", {}, "no setting server.prot"),
        ("server = 1", {}, "[server] must be a table"),
        ("", {"ANYTILL_SERVER__PROT": "1"}, "no setting ANYTILL_SERVER__PROT"),
        ("[server]\nport = 70000", {}, "server.port must be a whole number from 0 to 65535"),
        ("[server]\nport = true", {}, "server.port must be a whole number"),
        ("[server]\nport = 1.5", {}, "server.port must be a whole number"),
        ("", {"ANYTILL_SERVER__PORT": "８０"}, "server.port must be a whole number"),
        ("[store]\ngroup_commit = 'maybe'", {}, "store.group_commit must be on or off"),
        ("[store]\nurl = 1", {}, "store.url must be a text"),
        ("channel = 1", {}, "[channel] must be a table"),
        ("[channel.x]\nbook = 'b'", {}, "[channel.x] needs kind"),
        ("[merchant]\nid = 'm'", {}, "two pairs of brackets"),
        ("[[merchant]]\nid = 'm'", {}, "[[merchant]] needs name"),
        ("[[merchant]]\nid = 'm'\nname = 'n'\nstate = 'odd'", {}, "state must be one of"),
        ("[[merchant]]\nid = 'm'\nname = 'n'\nmax_amount_fen = 0", {}, "max_amount_fen must be"),
        ("[[merchant]]\nid = 'm'\nname = 'n'\ncurrency = 'USD'", {}, "currency must be one of CNY, HKD"),
        ("[[merchant]]\nid = 'm'\nname = 'n'\nfoo = 1", {}, "[[merchant]] has no foo"),
        ("[[credential]]\ndialect = 'd'\nlogin = 'l'", {}, "one of secret_env and secret_file"),
        ("[[credential]]\ndialect = 'd'\nlogin = 'l'\nsecret = 's'", {}, "[[credential]] has no secret"),
        ("[[credential]]\ndialect = 'd'\nlogin = 'l'\nsecret_env = 's'\nactive = 'x'", {}, "active must be on or off"),
        (
            "[[credential]]\ndialect = 'd'\nlogin = 'l'\nsecret_env = 's'\nprevious_env = 'a'\nprevious_file = 'b'",
            {},
            "one of previous_env and previous_file",
        ),
        (
            "[[credential]]\ndialect = 'd'\nlogin = 'l'\nsecret_env = 's'\npassword_env = 'a'\npassword_file = 'b'",
            {},
            "one of password_env and password_file",
        ),
        ("[[merchant]]\nid = 'm'\nname = 'n'\nmobile = 139", {}, "[[merchant]] needs mobile, a text"),
    ],
)
def test_what_makes_no_sense_is_named(toml: str, environ: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        read_settings(toml, environ)
    assert said in str(refused.value)


def test_what_the_file_says_of_a_merchant_wins_and_the_rest_stays() -> None:
    (row,) = read_settings(TOML, {}).merchants
    assert row.merged(None) == Merchant("m1", "一号店", "", MerchantState.OFF, 500, {"ALIPAY": "wallet"})
    known = Merchant(
        "m1",
        "before",
        "short",
        channels={"WECHAT": "bank"},
        agent_id="agent",
        trade_code="code",
        mobile="13900000000",
        username="tea",
        password_hash="hash",
        details={"a": "b"},
        version=7,
    )
    assert row.merged(known) == replace(
        known, name="一号店", state=MerchantState.OFF, max_amount_fen=500, channels={"ALIPAY": "wallet"}
    )
    (whole,) = read_settings(
        "[[merchant]]\nid = 'm1'\nname = 'n'\nshort_name = ''\nstate = 'waiting'\nagent_id = 'a'\n"
        "trade_code = 't'\nmobile = ''\nusername = 'u'\nchannels = {}",
        {},
    ).merchants
    told = {"name": "n", "short_name": "", "state": MerchantState.WAITING, "agent_id": "a", "trade_code": "t"}
    assert whole.merged(known) == replace(known, **told, mobile="", username="u", channels={})  # type: ignore[arg-type]


def test_every_setting_has_a_meaning_and_a_name_in_the_environment() -> None:
    for name, setting in SETTINGS.items():
        assert setting.meaning.endswith("."), name
        assert read_settings("", {environment_name(name): str(setting.default)}).values[name] == setting.default
