"""Settings as frozen values, read from a TOML text and the environment; the later wins: default, file, environment,
command line.

Single values stand in one table, `SETTINGS`, with their meaning; docs/operations lists the same table and a test
compares the two. A setting `section.key` is `ANYTILL_SECTION__KEY` in the environment. What comes in numbers (channels,
merchants, credentials) is written in the file only. Nothing here opens a file: secrets that are kept in files are named
here (`*_file`) and read by `bootstrap`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from anytill.core.merchant import Merchant, MerchantState
from anytill.core.money import CURRENCIES, MAX_AMOUNT_FEN
from anytill.core.records import changed

PREFIX = "ANYTILL_"
T = TypeVar("T")


class SettingsError(ValueError):
    """A setting is missing, unknown or makes no sense; the text names it and says what is expected."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One value that an operator may set."""

    default: str | int | bool
    meaning: str
    least: int = 0
    most: int = 2**31

    def read(self, name: str, value: object) -> str | int | bool:
        """The value in this setting's type; a text is read as the number or switch it writes, as in the environment."""
        if isinstance(self.default, bool):
            return _switch(name, value)
        if isinstance(self.default, int):
            return self._number(name, value)
        if not isinstance(value, str):
            raise SettingsError(f"{name} must be a text")
        return value

    def _number(self, name: str, value: object) -> int:
        digits = str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
        if not (digits.isascii() and digits.isdigit() and self.least <= int(digits) <= self.most):
            raise SettingsError(f"{name} must be a whole number from {self.least} to {self.most}")
        return int(digits)


def _switch(name: str, value: object) -> bool:
    known = {"true": True, "false": False, "on": True, "off": False, "1": True, "0": False}
    text = str(value).lower()
    if text not in known:
        raise SettingsError(f"{name} must be on or off")
    return known[text]


SETTINGS: Mapping[str, Setting] = {
    "server.host": Setting("127.0.0.1", "The address to listen on."),
    "server.port": Setting(8000, "The port of all HTTP dialects.", 0, 65_535),
    "server.max_in_flight": Setting(2_000, "Requests under way at most; more are refused before anything is read.", 1),
    "store.url": Setting("", "sqlite:///path for one process, postgresql://… for several."),
    "store.group_commit": Setting(True, "Writes that wait for a commit share the next one."),
    "keys.master": Setting("", "The master key that secrets are sealed with: 64 hex digits. Not for the command line."),
    "keys.master_file": Setting("", "A file that holds the master key; the first line seals, all lines open."),
    "notices.loopback": Setting(False, "Let notices go to this machine. For tests; never in production."),
    "channels.default": Setting("", "The channel for merchants and wallets that name none."),
    "sms.url": Setting("", "Where short messages are handed over, http:// or https://; without it nobody is sent any."),
    "sms.key": Setting("", "The key that these are signed with. Not for the command line."),
    "sms.key_file": Setting("", "A file that holds that key."),
    "log.requests": Setting(False, "Write a log line for each request."),
}


@dataclass(frozen=True, slots=True)
class ChannelSettings:
    """`[channel.NAME]`: its kind and whatever that kind needs."""

    name: str
    kind: str
    options: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class MerchantSettings:
    """`[[merchant]]`: written to the store at start. None stands for what the file does not say: there a new merchant
    has the usual value, and one that is known keeps its own."""

    merchant_id: str
    name: str
    short_name: str | None = None
    state: MerchantState | None = None
    max_amount_fen: int | None = None
    currency: str | None = None
    channels: Mapping[str, str] | None = None
    agent_id: str | None = None
    trade_code: str | None = None
    mobile: str | None = None
    username: str | None = None

    def merged(self, known: Merchant | None) -> Merchant:
        """The merchant with what the file says of it."""
        before = known or Merchant(self.merchant_id, self.name)
        return changed(
            before,
            name=self.name,
            short_name=_or(self.short_name, before.short_name),
            state=_or(self.state, before.state),
            max_amount_fen=_or(self.max_amount_fen, before.max_amount_fen),
            currency=_or(self.currency, before.currency),
            channels=_or(self.channels, before.channels),
            agent_id=_or(self.agent_id, before.agent_id),
            trade_code=_or(self.trade_code, before.trade_code),
            mobile=_or(self.mobile, before.mobile),
            username=_or(self.username, before.username),
        )


@dataclass(frozen=True, slots=True)
class CredentialSettings:
    """`[[credential]]`: written to the store at start, its secrets sealed. `secret_env` or `secret_file` names where
    the secret is, `password_env` or `password_file` where a till's password is; neither ever stands in the settings
    file itself. None stands for what the file does not say."""

    dialect: str
    login: str
    secret_env: str = ""
    secret_file: str = ""
    previous_env: str = ""  # while a key is being changed: where the one is that is still accepted
    previous_file: str = ""
    password_env: str = ""
    password_file: str = ""
    active: bool | None = None
    merchants: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """All of it."""

    values: Mapping[str, str | int | bool]
    channels: Sequence[ChannelSettings] = ()
    merchants: Sequence[MerchantSettings] = ()
    credentials: Sequence[CredentialSettings] = ()

    def text(self, name: str) -> str:
        """A setting that is a text."""
        value = self.values[name]
        assert isinstance(value, str), name
        return value

    def number(self, name: str) -> int:
        """A setting that is a number."""
        value = self.values[name]
        assert isinstance(value, int), name
        return value

    def switch(self, name: str) -> bool:
        """A setting that is on or off."""
        return self.values[name] is True


def read_settings(toml: str, environ: Mapping[str, str], given: Mapping[str, object] | None = None) -> Settings:
    """Settings from a file's text, the environment, and what the command line gave. Raises SettingsError."""
    try:
        document = tomllib.loads(toml)
    except tomllib.TOMLDecodeError as fault:
        raise SettingsError(f"the settings file is not TOML: {fault}") from None
    channels = _table(document.pop("channel", {}), "[channel]")
    merchants = document.pop("merchant", [])
    credentials = document.pop("credential", [])
    values = _values(document, environ, given or {})
    return Settings(
        values,
        tuple(_channel(name, _table(options, f"[channel.{name}]")) for name, options in channels.items()),
        tuple(_merchant(_table(row, "[[merchant]]")) for row in _rows(merchants, "[[merchant]]")),
        tuple(_credential(_table(row, "[[credential]]")) for row in _rows(credentials, "[[credential]]")),
    )


def environment_name(setting: str) -> str:
    """`section.key` as the environment spells it."""
    return PREFIX + setting.upper().replace(".", "__")


def _values(
    document: Mapping[str, object], environ: Mapping[str, str], given: Mapping[str, object]
) -> Mapping[str, str | int | bool]:
    raw: dict[str, object] = {}
    for section, keys in document.items():
        raw |= {f"{section}.{key}": value for key, value in _table(keys, f"[{section}]").items()}
    names = {environment_name(name): name for name in SETTINGS}
    for variable in environ:
        if variable.startswith(PREFIX) and "__" in variable:
            raw[names.get(variable, variable)] = environ[variable]
    raw |= given
    unknown = sorted(set(raw) - set(SETTINGS))
    if unknown:
        raise SettingsError(f"there is no setting {unknown[0]}")
    return {name: setting.read(name, raw.get(name, setting.default)) for name, setting in SETTINGS.items()}


def _or(written: T | None, known: T) -> T:
    return known if written is None else written


def _table(value: object, where: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise SettingsError(f"{where} must be a table")
    return value


def _rows(value: object, where: str) -> list[object]:
    if not isinstance(value, list):
        raise SettingsError(f"{where} must be written with two pairs of brackets")
    return value


def _texts(row: Mapping[str, object], key: str, where: str) -> dict[str, str]:
    table = _table(row.get(key, {}), f"{where} {key}")
    return {str(name): str(value) for name, value in table.items()}


def _text(row: Mapping[str, object], key: str, where: str, default: str | None = None) -> str:
    value = row.get(key, default)
    if not isinstance(value, str) or (default is None and not value):
        raise SettingsError(f"{where} needs {key}, a text")
    return value


def _only(row: Mapping[str, object], known: set[str], where: str) -> None:
    if unknown := sorted(set(row) - known):
        raise SettingsError(f"{where} has no {unknown[0]}")


def _channel(name: str, row: Mapping[str, object]) -> ChannelSettings:
    options = {key: str(value) for key, value in row.items() if key != "kind"}
    return ChannelSettings(name, _text(row, "kind", f"[channel.{name}]"), options)


def _merchant(row: Mapping[str, object]) -> MerchantSettings:
    where = "[[merchant]]"
    texts = ("short_name", "agent_id", "trade_code", "mobile", "username")
    _only(row, {"id", "name", "state", "max_amount_fen", "currency", "channels", *texts}, where)
    state = _written(row, "state", where)
    if state is not None and state.upper() not in MerchantState.__members__:
        raise SettingsError(f"{where} state must be one of {', '.join(MerchantState.__members__)}")
    currency = _written(row, "currency", where)
    if currency is not None and currency not in CURRENCIES:
        raise SettingsError(f"{where} currency must be one of {', '.join(CURRENCIES)}")
    most = Setting(MAX_AMOUNT_FEN, "", 1, MAX_AMOUNT_FEN)
    return MerchantSettings(
        _text(row, "id", where),
        _text(row, "name", where),
        state=None if state is None else MerchantState(state.upper()),
        max_amount_fen=int(most.read("max_amount_fen", row["max_amount_fen"])) if "max_amount_fen" in row else None,
        currency=currency,
        channels=_texts(row, "channels", where) if "channels" in row else None,
        **{name: _written(row, name, where) for name in texts},
    )


def _written(row: Mapping[str, object], key: str, where: str) -> str | None:
    return _text(row, key, where, "") if key in row else None


def _credential(row: Mapping[str, object]) -> CredentialSettings:
    where = "[[credential]]"
    secrets = ("secret", "previous", "password")
    places = tuple(f"{secret}_{place}" for secret in secrets for place in ("env", "file"))
    _only(row, {"dialect", "login", *places, "active", "merchants", "options"}, where)
    found = {place: _text(row, place, where, "") for place in places}
    if bool(found["secret_env"]) == bool(found["secret_file"]):
        raise SettingsError(f"{where} needs one of secret_env and secret_file")
    for secret in ("previous", "password"):
        if found[f"{secret}_env"] and found[f"{secret}_file"]:
            raise SettingsError(f"{where} takes one of {secret}_env and {secret}_file")
    return CredentialSettings(
        _text(row, "dialect", where),
        _text(row, "login", where),
        **found,
        active=_switch(f"{where} active", row["active"]) if "active" in row else None,
        merchants=_texts(row, "merchants", where),
        options=_texts(row, "options", where) if "options" in row else None,
    )
