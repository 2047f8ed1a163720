"""What people write behind the commands over the register, and what of it is refused: each raises BadParameter, or ends
the command with a sentence, before a store is opened. And the number of an order for which they wrote none."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from anytill.cli.sentences import refused_in_a_sentence, stop

if TYPE_CHECKING:
    from anytill.dialects import Dialect, Login, Spelling

MerchantId = Annotated[str, typer.Argument(help="The merchant's number here.")]
AgentId = Annotated[str, typer.Argument(help="The agent's number: its login.")]
DialectOptions = Annotated[
    list[str] | None, typer.Option("--option", help="NAME=VALUE, a switch of the dialect. Again for more.")
]

_NUMBER = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,63}")
_MOBILE = re.compile(r"\+?[0-9]{5,20}")
_LONGEST_NAME = 100
_LEAST_PASSWORD = 8


def new_number(prefix: str) -> str:
    """A number for an order or refund that was given none: a person reads off it when it was made."""
    return f"{prefix}{time.strftime('%y%m%d%H%M%S')}{secrets.token_hex(3)}"


def dialect_of(name: str, *signs: Login) -> Dialect:
    """The dialect of this name, if its keys belong to one of these; else the command ends."""
    from anytill.dialects import load_dialects

    dialects = load_dialects()
    fitting = [each.name for each in dialects.values() if not signs or each.signs in signs]
    if name not in fitting:
        why = f"keys of this dialect are of the kind {dialects[name].signs}; " if name in dialects else ""
        stop(2, f"anytill: {name}: {why}the dialect must be one of {', '.join(fitting)}")
    return dialects[name]


def login(where: str, dialect: Dialect, text: str) -> str:
    """A login that the dialect's tills can have, and that is not the published one of a demo."""
    from anytill.bootstrap.keys import refuse_published

    with refused_in_a_sentence():
        refuse_published(where, text)
    return spelled(where, text, dialect.login, f"a login of {dialect.name}")


def spelled(where: str, text: str, spelling: Spelling, whose: str) -> str:
    """A number as the vendor writes such numbers."""
    from anytill.bootstrap.keys import refuse_misspelt

    with refused_in_a_sentence():
        refuse_misspelt(where, number(text), spelling, whose)
    return text


def number(text: str) -> str:
    """A number or login of ours. Raises BadParameter."""
    if not _NUMBER.fullmatch(text):
        raise typer.BadParameter(f"{text!r}: 1 to 64 letters, digits, dots, hyphens and underscores")
    return text


def name(text: str) -> str:
    """What people call something. Raises BadParameter."""
    if not (text == text.strip() and 0 < len(text) <= _LONGEST_NAME and text.isprintable()):
        raise typer.BadParameter(f"{text!r}: a name has 1 to {_LONGEST_NAME} characters that can be printed")
    return text


def mobile(text: str) -> str:
    """A mobile's number; empty for none. Raises BadParameter."""
    if text and not _MOBILE.fullmatch(text):
        raise typer.BadParameter(f"{text!r}: a mobile has 5 to 20 digits")
    return text


def username(text: str) -> str:
    """A person's log-in name; empty for none. Raises BadParameter."""
    return text and number(text)


def currency(text: str) -> str:
    """A currency that a merchant can keep. Raises BadParameter."""
    from anytill.core.money import CURRENCIES

    if text not in CURRENCIES:
        raise typer.BadParameter(f"{text!r}: one of {', '.join(CURRENCIES)} is expected")
    return text


def fen(yuan: str) -> int:
    """An amount of yuan in fen, or of dollars in cents. Raises BadParameter."""
    from anytill.wire.amounts import parse_yuan
    from anytill.wire.errors import WireError

    try:
        return parse_yuan(yuan)
    except WireError as fault:
        raise typer.BadParameter(str(fault)) from None


def pairs(texts: Sequence[str], option: str) -> dict[str, str]:
    """`NAME=VALUE`, given several times. Raises BadParameter."""
    found = {}
    for text in texts:
        left, sign, right = text.partition("=")
        if not sign:
            raise typer.BadParameter(f"{option} {text!r}: NAME=VALUE is expected")
        found[left] = right
    return found


def options_of(dialect: Dialect, texts: Sequence[str]) -> dict[str, str]:
    """What `--option` was given, if the dialect has such options; else the command ends. Raises BadParameter."""
    from anytill.bootstrap.keys import refuse_unknown_options

    options = pairs(texts, "--option")
    with refused_in_a_sentence():
        refuse_unknown_options("--option", dialect, options)
    return options


def password_in(file: str) -> str:
    """A person's password out of a file; empty where none is named."""
    from anytill.bootstrap.keys import secret_at
    from anytill.config import SettingsError

    with refused_in_a_sentence():
        password = secret_at("--password-file", "", file)
        if password is not None and len(password.reveal()) < _LEAST_PASSWORD:
            raise SettingsError(f"--password-file: a password has at least {_LEAST_PASSWORD} characters")
        return password.reveal() if password is not None else ""
