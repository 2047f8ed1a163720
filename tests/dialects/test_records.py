"""What a dialect's record says of logins and settings is what its own two halves do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from anytill.core.errors import Refusal
from anytill.core.payment import Verdict
from anytill.core.secret import Secret
from anytill.dialects import Dialect, Setting, load_dialects
from anytill.ports import LETTERS_AND_DIGITS
from anytill.wire.errors import WireError
from tests.dialects.law import order_of
from tests.world import BASE_URL, World

pytestmark = pytest.mark.anyio

LOGINS = ("7", "abc", "till-1", "till.1", "a b", "a&b=c", "SHOP0001", "kasse_ä", "1" * 21, "x" * 25, "1" * 33, "y" * 65)

#: A terminal's number is not in what registers send to it.
HEARD_BY_LOGIN = [name for name, dialect in load_dialects().items() if dialect.terminal is None]


@pytest.fixture(params=load_dialects().values(), ids=lambda dialect: str(dialect.name))
def dialect(request: pytest.FixtureRequest) -> Dialect:
    found: Dialect = request.param
    return found


def test_each_part_of_the_demos_access_stands_under_its_name(dialect: Dialect) -> None:
    access = dialect.sandbox
    told = dialect.sandbox_settings(BASE_URL)
    assert list(told) == list(dialect.client_settings)
    for setting, value in {
        Setting.LOGIN: access.login,
        Setting.SECRET: access.secret,
        Setting.PASSWORD: access.password,
        Setting.ACTIVATION_CODE: access.activation_code,
        Setting.NUMBER: access.number,
    }.items():
        assert told.get(dialect.name_of(setting), "") == value, setting
        assert [*dialect.client_settings.values()].count(setting) == bool(value), setting
    addresses = {name for name, setting in dialect.client_settings.items() if setting is Setting.ADDRESS}
    assert addresses == {name for name, value in told.items() if value.startswith(BASE_URL)}


def test_its_own_numbers_are_spelled_as_its_codec_takes_them(dialect: Dialect) -> None:
    assert dialect.login.takes(dialect.sandbox.login)
    for sign in dialect.new_login.alphabet:
        assert dialect.login.takes(sign * dialect.new_login.length)
    assert not dialect.login.takes("")
    assert (dialect.merchant_number is not None) == bool(dialect.sandbox.number)
    if dialect.merchant_number is not None:
        assert dialect.merchant_number.takes(dialect.sandbox.number)


@pytest.mark.parametrize("login", LOGINS)
@pytest.mark.parametrize("name", HEARD_BY_LOGIN)
async def test_who_has_a_login_that_is_taken_is_heard_and_nobody_else(world: World, name: str, login: str) -> None:
    dialect = load_dialects()[name]
    key = replace(await world.credential(dialect.name), login=login, secret=Secret(dialect.key.alphabet[:1] * 40))
    key = replace(key, secret=Secret(key.secret.reveal()[: dialect.key.length]))
    await world.store.put_credential(key)
    changed = {dialect.name_of(Setting.LOGIN): login, dialect.name_of(Setting.SECRET): key.secret.reveal()}
    client = world.client(dialect.name, **changed)
    if dialect.login.takes(login):
        assert (await client.pay(order_of(world, dialect))).verdict is Verdict.PAID
        return
    with pytest.raises((Refusal, WireError)):
        await client.pay(order_of(world, dialect))


def test_new_logins_are_many(dialect: Dialect) -> None:
    assert len(set(dialect.new_login.alphabet)) ** dialect.new_login.length > 10_000_000
    assert set(dialect.new_login.alphabet) <= set(LETTERS_AND_DIGITS)
