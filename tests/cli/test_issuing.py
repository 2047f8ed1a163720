"""What a till must be told of a key is told by the vendor's own names, which the dialect's record has."""

from __future__ import annotations

import json

import pytest

from anytill.cli.issuing import IssuedKey
from anytill.core.secret import Secret
from anytill.dialects import Dialect, load_dialects

BASE_URL = "http://gateway.example:8000"
TOLD = {
    "chaoying": {"base_url": BASE_URL, "agent_id": "login", "key": "secret"},
    "qfpay": {"terminal": "login", "pos_key": "secret", "notify_key": "password"},
    "semoor": {"base_url": BASE_URL, "device_id": "login", "key": "secret", "activation_code": "code"},
    "teegon": {"base_url": BASE_URL, "client_id": "login", "client_secret": "secret"},
    "yst": {
        "base_url": BASE_URL,
        "url": f"{BASE_URL}/ystpay/service/unitive.api",
        "account": "login",
        "password": "password",
        "private_key": "secret",
    },
}


def issued(dialect: Dialect, url: str) -> IssuedKey:
    return IssuedKey(dialect, "login", Secret("secret"), Secret("password"), "code", url)


@pytest.mark.parametrize("name", TOLD)
def test_each_part_is_told_by_the_vendors_name(name: str) -> None:
    assert issued(load_dialects()[name], BASE_URL).facts == {"dialect": name, **TOLD[name]}
    without_places = {key: value for key, value in TOLD[name].items() if not value.startswith(BASE_URL)}
    assert issued(load_dialects()[name], "").facts == {"dialect": name, **without_places}


@pytest.mark.parametrize("name", load_dialects())
def test_a_part_that_looks_like_the_demos_is_told_under_its_own_name(name: str) -> None:
    """A login that is another part's published value was once told under that part's name."""
    dialect = load_dialects()[name]
    swapped = IssuedKey(dialect, dialect.sandbox.secret, Secret(dialect.sandbox.login))
    plain = IssuedKey(dialect, "login", Secret("secret"))
    value_of = {"login": dialect.sandbox.secret, "secret": dialect.sandbox.login}
    assert swapped.facts == {key: value_of.get(str(value), value) for key, value in plain.facts.items()}


def test_what_is_not_given_is_not_told(capsys: pytest.CaptureFixture[str]) -> None:
    IssuedKey(load_dialects()["yst"], "login").show(as_json=True)
    printed = capsys.readouterr()
    assert json.loads(printed.out) == {"dialect": "yst", "account": "login"}
    assert printed.err == ""
    IssuedKey(load_dialects()["semoor"], "login", activation_code="123").show(as_json=False)
    printed = capsys.readouterr()
    assert printed.out == "dialect=semoor  device_id=login  activation_code=123\n"
    assert printed.err == "keep it now: it is not shown again\nthe code works once, within 15 minutes\n"
