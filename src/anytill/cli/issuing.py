"""Keys that are made here or brought, and how they are told: once, by the vendor's own names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from anytill.cli import arguments
from anytill.cli.records import Facts, One, Shown
from anytill.cli.sentences import refused_in_a_sentence, say, stop
from anytill.cli.stores import Task, actor

if TYPE_CHECKING:
    from anytill.bootstrap import Keeper
    from anytill.core.secret import Secret
    from anytill.dialects import Dialect

SecretEnv = Annotated[str, typer.Option("--secret-env", help="The environment variable that holds a key of yours.")]
SecretFile = Annotated[
    str, typer.Option("--secret-file", help="The file that holds a key of yours. Default: a new key.")
]
Overlap = Annotated[int, typer.Option("--overlap", min=0, max=720, help="Hours for which the old key still counts.")]
Url = Annotated[str, typer.Option("--url", help="The gateway's address, to be told with the key.")]


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """What a till must be told, as far as it is told now; once. With `url`, where the gateway is, too."""

    dialect: Dialect
    login: str
    secret: Secret | None = None
    password: Secret | None = None
    activation_code: str = ""
    url: str = ""

    @property
    def facts(self) -> Facts:
        """As a client's settings file has them."""
        from anytill.dialects import Setting

        parts = {
            Setting.LOGIN: self.login,
            Setting.SECRET: self.secret.reveal() if self.secret else "",
            Setting.PASSWORD: self.password.reveal() if self.password else "",
            Setting.ACTIVATION_CODE: self.activation_code,
        }
        told = {name: parts.get(setting, "") for name, setting in self.dialect.client_settings.items()}
        if self.url:
            at_url = self.dialect.sandbox_settings(self.url)
            places = {name for name, each in self.dialect.client_settings.items() if each is Setting.ADDRESS}
            told |= {name: at_url[name] for name in places}
        return {"dialect": self.dialect.name, **{name: value for name, value in told.items() if value}}

    def show(self, *, as_json: bool) -> None:
        """Print it, once and never again."""
        One(self.facts).show(as_json=as_json)
        if self.secret or self.password or self.activation_code:
            say("keep it now: it is not shown again")
        if self.activation_code:
            say("the code works once, within 15 minutes")


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


def fetches_its_key(dialect: Dialect) -> bool:
    """Whether the dialect's devices fetch their keys with codes, so that nobody types one in."""
    from anytill.dialects import Setting

    return bool(dialect.name_of(Setting.ACTIVATION_CODE))


def rotating(
    dialect: Dialect, where: str, login: str, overlap_h: int, secret_env: str, secret_file: str, url: str
) -> Task:
    """A login's new key, told only if it is made here."""
    from anytill.core.retry import HOUR

    arguments.login(where, dialect, login)
    if fetches_its_key(dialect):
        again = f"`anytill device code {dialect.name} {login}`"
        stop(2, f"anytill: a device of {dialect.name} fetches its new key itself: {again}")
    given = given_secret(secret_env, secret_file)

    async def task(keeper: Keeper) -> Shown:
        new = await keeper.devices.rotate(dialect.name, login, dialect.key, actor(), overlap_h * HOUR, secret=given)
        return IssuedKey(dialect, login, None if given else new.secret, url=url)

    return task
