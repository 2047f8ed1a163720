"""Keys and secrets as the settings and the command line name them: where they are read, and which are good enough."""

from __future__ import annotations

import hmac
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from anytill.config import Settings, SettingsError
from anytill.core.secret import Secret
from anytill.dialects import Dialect, Spelling, load_dialects

LEAST_SECRET: Final = 16
MASTER_KEY_BYTES: Final = 32


def master_keys(settings: Settings) -> Sequence[bytes]:
    """The master keys, that which seals first. Raises SettingsError."""
    text = settings.text("keys.master")
    path = settings.text("keys.master_file")
    if path:
        text = _file_text("keys.master_file", path, name_it=False)
    try:
        keys = [bytes.fromhex(line) for line in text.split()]
    except ValueError:
        keys = []
    if not keys or any(len(key) != MASTER_KEY_BYTES for key in keys):
        raise SettingsError("keys.master or keys.master_file must give a key of 64 hex digits")
    return keys


def code_key(settings: Settings) -> bytes:
    """What payers' codes are remembered under. Of the oldest master key, so that a new one makes no order look new."""
    return hmac.digest(master_keys(settings)[-1], b"anytill payers' codes", "sha256")


def sms_key(settings: Settings) -> Secret:
    """What short messages are signed with. Raises SettingsError."""
    path = settings.text("sms.key_file")
    key = _file_text("sms.key_file", path).strip() if path else settings.text("sms.key")
    if len(key) < LEAST_SECRET:
        raise SettingsError(f"sms.key or sms.key_file must give a key of at least {LEAST_SECRET} characters")
    return Secret(key)


def secret_variable(where: str, variable: str) -> str:
    """What the environment holds under this name. Raises SettingsError when it holds nothing: that is no short secret,
    but a service that was started without its environment."""
    if variable not in os.environ:
        raise SettingsError(f"{where}: the environment variable {variable} is not set")
    return os.environ[variable]


def secret_at(where: str, variable: str, file: str) -> Secret | None:
    """A secret from where it is said to be; None when neither place is named. Raises SettingsError."""
    if not (variable or file):
        return None
    return Secret(secret_variable(where, variable) if variable else _file_text(where, file).strip())


def dialect_named(where: str, name: str) -> Dialect:
    """The dialect of this name. Raises SettingsError."""
    dialects = load_dialects()
    if name not in dialects:
        raise SettingsError(f"{where}: dialect must be one of {', '.join(dialects)}")
    return dialects[name]


def refuse_published(where: str, login: str) -> None:
    """Nobody else may have the login of a demo. Raises SettingsError."""
    if login in {dialect.sandbox.login for dialect in load_dialects().values()}:
        raise SettingsError(f"{where}: this is a sandbox credential, and everybody knows it")


def refuse_misspelt(where: str, text: str, spelling: Spelling, whose: str) -> None:
    """A number that the dialect's codec does not take would be given to a till that nobody ever hears. Raises
    SettingsError."""
    if not spelling.takes(text):
        raise SettingsError(f"{where}: {text!r} cannot be {whose}: it has {spelling.words}")


def refuse_weak(where: str, secret: Secret) -> None:
    """A secret that can be guessed, or that everybody knows. Raises SettingsError."""
    if len(secret.reveal()) < LEAST_SECRET:
        raise SettingsError(f"{where}: a secret has at least {LEAST_SECRET} characters")
    if secret.reveal() in {dialect.sandbox.secret for dialect in load_dialects().values()}:
        raise SettingsError(f"{where}: this is a sandbox credential, and everybody knows it")


def refuse_unknown_options(where: str, dialect: Dialect, options: Mapping[str, str]) -> None:
    """A switch that the dialect does not have would switch nothing, and nobody would notice. Raises SettingsError."""
    for name, value in options.items():
        first, dot, _ = name.partition(".")
        if first + dot not in dialect.options:
            known = ", ".join(f"{each}…" if each.endswith(".") else each for each in dialect.options)
            raise SettingsError(f"{where}: {dialect.name} has no option {name}; it has {known or 'none'}")
        allowed = dialect.options[first + dot]
        if allowed is not None and value not in allowed:
            can_be = " or ".join(each or "''" for each in sorted(allowed, reverse=True))
            raise SettingsError(f"{where}: option {name} is {can_be}, not {value!r}")


def _file_text(where: str, file: str, *, name_it: bool = True) -> str:
    try:
        return Path(file).read_text()
    except (OSError, UnicodeDecodeError) as fault:
        why = fault.strerror if isinstance(fault, OSError) else "not a text"
        raise SettingsError(f"{where}: {file}: {why}" if name_it else f"{where}: {why}") from None
