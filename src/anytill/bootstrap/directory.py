"""Who is who at the start: merchants, credentials and the keys that seal them, as the settings say."""

from __future__ import annotations

import hmac
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from anytill.config import CredentialSettings, Settings, SettingsError
from anytill.core.merchant import Credential, Merchant
from anytill.core.secret import Secret
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
    """What the settings say of merchants and credentials. Raises SettingsError when a published secret is among them,
    or in the store already: everybody knows those."""
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


def _secret(credential: CredentialSettings, variable: str, file: str) -> Secret:
    """A secret from where the settings say it is, if it is good enough."""
    if variable:
        text_ = os.environ.get(variable, "")
    else:
        try:
            text_ = Path(file).read_text().strip()
        except OSError as fault:
            raise SettingsError(f"[[credential]] {credential.login}: {file}: {fault.strerror}") from None
    secret = Secret(text_)
    _refuse_weak(credential, secret)
    return secret


def _refuse_weak(credential: CredentialSettings, secret: Secret) -> None:
    name = f"[[credential]] {credential.dialect} {credential.login}"
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
