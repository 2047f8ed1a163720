"""Who is who at the start: merchants, credentials and the keys that seal them, as the settings say."""

from __future__ import annotations

import hmac
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from anytill.config import CredentialSettings, Settings, SettingsError
from anytill.core.merchant import Credential, Merchant
from anytill.core.secret import Secret
from anytill.core.wallet import Wallet
from anytill.dialects import load_dialects
from anytill.ports import Store

DEMO_MERCHANT: Final = Merchant("demo", "演示商户 Demo Shop", "演示 Demo")
LEAST_SECRET: Final = 16
MASTER_KEY_BYTES: Final = 32


async def write_demo_directory(store: Store) -> None:
    """The demo's merchant and the published credential of every dialect."""
    await store.put_merchant(DEMO_MERCHANT)
    for dialect in load_dialects().values():
        access = dialect.sandbox
        merchants = {access.number: DEMO_MERCHANT.merchant_id}
        await store.put_credential(Credential(dialect.name, access.login, Secret(access.secret), merchants))


async def write_directory(settings: Settings, store: Store) -> None:
    """What the settings say of merchants and credentials. Raises SettingsError when they name something that is not
    there, and when a published secret is among them, or in the store already: everybody knows those."""
    _check_channels(settings)
    await _check_merchants(settings, store)
    for row in settings.merchants:
        await store.put_merchant(
            Merchant(row.merchant_id, row.name, row.short_name, row.state, row.max_amount_fen, row.channels)
        )
    for each in settings.credentials:
        secret = _secret(each, each.secret_env, each.secret_file)
        has_previous = each.previous_env or each.previous_file
        previous = _secret(each, each.previous_env, each.previous_file) if has_previous else None
        await store.put_credential(
            Credential(each.dialect, each.login, secret, each.merchants, previous, each.active, each.options)
        )
    for dialect in load_dialects().values():
        known = await store.credential(dialect.name, dialect.sandbox.login)
        if known is not None and known.active and Secret(dialect.sandbox.secret) in (known.secret, known.previous):
            raise SettingsError(f"the store holds the sandbox credential of {dialect.name}: it is a demo's store")


def _check_channels(settings: Settings) -> None:
    """A merchant or a default whose channel is not there would have every payment refused."""
    known = [channel.name for channel in settings.channels]
    default = settings.text("channels.default")
    if default and default not in known:
        raise SettingsError(f"channels.default: there is no channel {default}; there {_are(known)}")
    for row in settings.merchants:
        where = f"[[merchant]] {row.merchant_id}"
        for wallet, channel in row.channels.items():
            if wallet not in {"", *Wallet}:
                raise SettingsError(f"{where}: there is no wallet {wallet}; there {_are(Wallet)}")
            if channel not in known:
                raise SettingsError(f"{where}: there is no channel {channel}; there {_are(known)}")


async def _check_merchants(settings: Settings, store: Store) -> None:
    """A credential may speak for merchants of the settings and for those that the store has from before."""
    in_settings = {row.merchant_id for row in settings.merchants}
    for credential in settings.credentials:
        for merchant_id in credential.merchants.values():
            if merchant_id not in in_settings and await store.merchant(merchant_id) is None:
                raise SettingsError(f"{_title(credential)}: there is no merchant {merchant_id}")


def _are(names: Iterable[str]) -> str:
    listed = list(names)
    return f"{'is' if len(listed) == 1 else 'are'} {', '.join(listed) or 'none'}"


def _title(credential: CredentialSettings) -> str:
    return f"[[credential]] {credential.dialect} {credential.login}"


def _secret(credential: CredentialSettings, variable: str, file: str) -> Secret:
    """A secret from where the settings say it is, if it is good enough."""
    secret = Secret(secret_variable(_title(credential), variable) if variable else _in_file(credential, file))
    _refuse_weak(credential, secret)
    return secret


def secret_variable(where: str, variable: str) -> str:
    """What the environment holds under this name. Raises SettingsError when it holds nothing: that is no short secret,
    but a service that was started without its environment."""
    if variable not in os.environ:
        raise SettingsError(f"{where}: the environment variable {variable} is not set")
    return os.environ[variable]


def _in_file(credential: CredentialSettings, file: str) -> str:
    try:
        return Path(file).read_text().strip()
    except OSError as fault:
        raise SettingsError(f"{_title(credential)}: {file}: {fault.strerror}") from None


def _refuse_weak(credential: CredentialSettings, secret: Secret) -> None:
    name = _title(credential)
    dialects = load_dialects()
    if credential.dialect not in dialects:
        raise SettingsError(f"{name}: dialect must be one of {', '.join(dialects)}")
    if len(secret.reveal()) < LEAST_SECRET:
        raise SettingsError(f"{name}: a secret has at least {LEAST_SECRET} characters")
    published = {dialect.sandbox.secret for dialect in dialects.values()}
    if secret.reveal() in published or credential.login in {each.sandbox.login for each in dialects.values()}:
        raise SettingsError(f"{name}: this is a sandbox credential, and everybody knows it")


def master_keys(settings: Settings) -> Sequence[bytes]:
    text_ = settings.text("keys.master")
    path = settings.text("keys.master_file")
    if path:
        try:
            text_ = Path(path).read_text()
        except OSError as fault:
            raise SettingsError(f"keys.master_file: {fault.strerror}") from None
    try:
        keys = [bytes.fromhex(line) for line in text_.split()]
    except ValueError:
        keys = []
    if not keys or any(len(key) != MASTER_KEY_BYTES for key in keys):
        raise SettingsError("keys.master or keys.master_file must give a key of 64 hex digits")
    return keys


def code_key(settings: Settings) -> bytes:
    """What payers' codes are remembered under. Of the oldest master key, so that a new one makes no order look new."""
    return hmac.digest(master_keys(settings)[-1], b"anytill payers' codes", "sha256")
