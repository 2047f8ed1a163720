"""What the commands over the register share: opening the store beside a gateway, who is at the keyboard, what may be
written as a name or a number, and how records, issued keys and refusals look.

Exit codes: 0 done, 2 refused or a wrong argument, 3 the store did not answer, so that it is not known what was written.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn, TypeVar

import typer

from anytill.cli.sentences import refused_in_a_sentence, say, stop, text_of

if TYPE_CHECKING:
    from anytill.bootstrap import Keeping
    from anytill.core.merchant import Credential
    from anytill.core.secret import Secret
    from anytill.dialects import Dialect, Login

Result = TypeVar("Result")
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of words.")]
SecretEnv = Annotated[str, typer.Option("--secret-env", help="The environment variable that holds a key of yours.")]
SecretFile = Annotated[
    str, typer.Option("--secret-file", help="The file that holds a key of yours. Default: a new key.")
]
Overlap = Annotated[int, typer.Option("--overlap", min=0, max=720, help="Hours for which the old key still counts.")]
Url = Annotated[str, typer.Option("--url", help="The gateway's address, to be told with the key.")]

_NUMBER = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,63}")
_MOBILE = re.compile(r"\+?[0-9]{5,20}")
_LONGEST_NAME = 100
_LEAST_PASSWORD = 8
_LEAST_LOGIN = 8


def kept(
    config: Path | None, store: str, task: Callable[[Keeping], Awaitable[Result]], *, create: bool = False
) -> Result:
    """What comes of a task over the register that the settings name. Whatever people can put right ends the command
    with a sentence. With `create` a store that is not there yet is made."""
    from anytill.bootstrap import keeping
    from anytill.config import read_settings
    from anytill.gateway.office import AlreadyThere, ChangedMeanwhile, NotThere
    from anytill.ports import StoreUnavailable

    async def run() -> Result:
        text = text_of("--config", config) if config else ""
        settings = read_settings(text, os.environ, {"store.url": store} if store else {})
        async with keeping(settings, create=create) as office:
            return await task(office)

    with refused_in_a_sentence():
        try:
            return asyncio.run(run())
        except (AlreadyThere, ChangedMeanwhile, NotThere) as refusal:
            stop(2, f"refused: {refusal}")
        except StoreUnavailable as fault:
            stop(3, f"the store does not answer ({fault}); it is not known whether anything was written: look first")


def actor() -> str:
    """Who is at the keyboard, as the operating system knows it."""
    try:
        import pwd

        return f"cli:{pwd.getpwuid(os.getuid()).pw_name}"
    except (ImportError, KeyError):
        return f"cli:{os.getuid()}"


def dialect_of(name: str, *signs: Login) -> Dialect:
    """The dialect of this name, if its keys belong to one of these; else the command ends."""
    from anytill.dialects import load_dialects

    dialects = load_dialects()
    fitting = [each.name for each in dialects.values() if not signs or each.signs in signs]
    if name not in fitting:
        why = f"keys of this dialect are of the kind {dialects[name].signs}; " if name in dialects else ""
        stop(2, f"anytill: {name}: {why}the dialect must be one of {', '.join(fitting)}")
    return dialects[name]


def stop_for_code(dialect: str, device_id: str) -> NoReturn:
    """A key that the device fetches itself is not made to be typed in."""
    stop(2, f"anytill: a device of {dialect} fetches its new key itself: `anytill device code {dialect} {device_id}`")


def given_secret(variable: str, file: str) -> Secret | None:
    """A key that the caller brings; None when there is none. One that is not good enough ends the command."""
    from anytill.bootstrap.keys import refuse_weak, secret_at

    if variable and file:
        raise typer.BadParameter("give one of --secret-env and --secret-file")
    where = "--secret-env" if variable else "--secret-file"
    with refused_in_a_sentence():
        secret = secret_at(where, variable, file)
        if secret is not None:
            refuse_weak(where, secret)
        return secret


def login(text: str) -> str:
    """A login that is not the published one of a demo; else the command ends. Raises BadParameter."""
    from anytill.bootstrap.keys import refuse_published

    with refused_in_a_sentence():
        refuse_published(text, number(text))
    return text


async def new_login(keeping: Keeping, dialect: Dialect) -> str:
    """A login that nobody has and that looks as the published one does: of digits, or of letters and digits; as long,
    but long enough for a fleet."""
    model = dialect.sandbox.login
    length = max(len(model), _LEAST_LOGIN)
    while True:
        if model.isdigit():
            found = keeping.chance.token(1, "123456789") + keeping.chance.token(length - 1, "0123456789")
        else:
            found = keeping.chance.token(length)
        known = await keeping.store.credential(dialect.name, found)
        if known is None and await keeping.store.device(dialect.name, found) is None:
            return found


async def refuse_known_login(keeping: Keeping, dialect: Dialect, login: str) -> None:
    """Raises AlreadyThere when the login has a key."""
    from anytill.gateway.office import AlreadyThere

    if await keeping.store.credential(dialect.name, login) is not None:
        raise AlreadyThere(f"there is a login {login} of {dialect.name} already")


async def refuse_unknown_shop(keeping: Keeping, merchant_id: str, shop_id: str) -> None:
    """Raises NotThere when the merchant has no such shop; an empty one is none."""
    from anytill.gateway.office import NotThere

    if shop_id and shop_id not in {each.shop_id for each in await keeping.store.shops_of(merchant_id)}:
        raise NotThere(f"there is no shop {shop_id} of {merchant_id}")


async def credential(keeping: Keeping, dialect: str, login: str) -> Credential:
    """The credential of a login. Raises NotThere."""
    from anytill.gateway.office import NotThere

    found = await keeping.store.credential(dialect, login)
    if found is None:
        raise NotThere(f"there is no login {login} of {dialect}")
    return found


def new_secret(keeping: Keeping, dialect: Dialect) -> Secret:
    """A key as the dialect's keys look."""
    from anytill.core.secret import Secret

    return Secret(keeping.chance.token(dialect.key.length, dialect.key.alphabet))


async def rotated(keeping: Keeping, dialect: Dialect, login: str, overlap_h: int, given: Secret | None) -> IssuedKey:
    """A login's new key, told only if it was made here. Raises NotThere."""
    from anytill.core.retry import HOUR

    new = await keeping.office.rotate(dialect.name, login, dialect.key, actor(), overlap_h * HOUR, secret=given)
    return IssuedKey(dialect, login, None if given else new.secret)


def password_in(file: str) -> str:
    """A person's password out of a file. Raises SettingsError."""
    from anytill.bootstrap.keys import secret_at
    from anytill.config import SettingsError

    password = secret_at("--password-file", "", file)
    assert password is not None
    if len(password.reveal()) < _LEAST_PASSWORD:
        raise SettingsError(f"--password-file: a password has at least {_LEAST_PASSWORD} characters")
    return password.reveal()


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


def show(facts: Mapping[str, object], *, as_json: bool) -> None:
    """One record."""
    typer.echo(json.dumps(facts, ensure_ascii=False) if as_json else _line(facts))


def show_all(records: Sequence[Mapping[str, object]], none: str, *, as_json: bool) -> None:
    """Several records: a JSON array, or a line for each."""
    if as_json:
        typer.echo(json.dumps(records, ensure_ascii=False))
        return
    for record in records:
        typer.echo(_line(record))
    if not records:
        say(none)


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """What a till must be told, as far as it is told now; once."""

    dialect: Dialect
    login: str
    secret: Secret | None = None
    password: Secret | None = None
    activation_code: str = ""

    def facts(self, url: str) -> dict[str, object]:
        """By the vendor's own names, as a client's settings file has them; with `url` the addresses too."""
        published = self.dialect.sandbox
        issued = {
            published.login: self.login,
            published.secret: self.secret.reveal() if self.secret else "",
            published.password: self.password.reveal() if self.password else "",
            published.activation_code: self.activation_code,
        }
        facts: dict[str, object] = {"dialect": self.dialect.name}
        for vendors_name, value in self.dialect.sandbox_settings(url).items():
            told = issued.get(value, "") if value in issued else (value if url and value.startswith(url) else "")
            if told:
                facts[vendors_name] = told
        return facts

    def show(self, url: str, *, as_json: bool) -> None:
        """Print it, once and never again."""
        show(self.facts(url), as_json=as_json)
        if self.secret or self.password or self.activation_code:
            say("keep it now: it is not shown again")


def show_parts(parts: Mapping[str, Sequence[Mapping[str, object]]], *, as_json: bool) -> None:
    """Lists of records under their titles."""
    if as_json:
        typer.echo(json.dumps(parts, ensure_ascii=False))
        return
    for title, records in parts.items():
        for record in records:
            typer.echo(f"{title}: {_line(record)}")


def _line(facts: Mapping[str, object]) -> str:
    return "  ".join(f"{label}={_text(value)}" for label, value in facts.items() if value not in ("", None, {}, []))


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ",".join(f"{key}:{each}" if key else str(each) for key, each in value.items())
    return str(value)
