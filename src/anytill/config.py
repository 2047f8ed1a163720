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

from anytill.core.merchant import MerchantState
from anytill.core.money import MAX_AMOUNT_FEN

PREFIX = "ANYTILL_"


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
    """`[[merchant]]`: written to the store at start."""

    merchant_id: str
    name: str
    short_name: str = ""
    state: MerchantState = MerchantState.ON
    max_amount_fen: int = MAX_AMOUNT_FEN
    channels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CredentialSettings:
    """`[[credential]]`: written to the store at start, its secret sealed. `secret_env` or `secret_file` names where
    the secret is; it never stands in the settings file itself."""

    dialect: str
    login: str
    secret_env: str = ""
    secret_file: str = ""
    previous_env: str = ""  # while a key is being changed: where the one is that is still accepted
    previous_file: str = ""
    active: bool = True
    merchants: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)


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
    _only(row, {"id", "name", "short_name", "state", "max_amount_fen", "channels"}, where)
    state = _text(row, "state", where, MerchantState.ON.value).upper()
    if state not in MerchantState.__members__:
        raise SettingsError(f"{where} state must be one of {', '.join(MerchantState.__members__)}")
    most = Setting(MAX_AMOUNT_FEN, "", 1, MAX_AMOUNT_FEN).read(
        "max_amount_fen", row.get("max_amount_fen", MAX_AMOUNT_FEN)
    )
    return MerchantSettings(
        _text(row, "id", where),
        _text(row, "name", where),
        _text(row, "short_name", where, ""),
        MerchantState(state),
        int(most),
        _texts(row, "channels", where),
    )


def _credential(row: Mapping[str, object]) -> CredentialSettings:
    where = "[[credential]]"
    places = ("secret_env", "secret_file", "previous_env", "previous_file")
    _only(row, {"dialect", "login", *places, "active", "merchants", "options"}, where)
    secret_env, secret_file, previous_env, previous_file = (_text(row, place, where, "") for place in places)
    if bool(secret_env) == bool(secret_file):
        raise SettingsError(f"{where} needs one of secret_env and secret_file")
    if previous_env and previous_file:
        raise SettingsError(f"{where} takes one of previous_env and previous_file")
    return CredentialSettings(
        _text(row, "dialect", where),
        _text(row, "login", where),
        secret_env,
        secret_file,
        previous_env,
        previous_file,
        _switch(f"{where} active", row.get("active", True)),
        _texts(row, "merchants", where),
        _texts(row, "options", where),
    )
