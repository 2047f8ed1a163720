"""Teegon 天工收银, barcode payment at the till (V1104). Start with README.md, then messages, codec, server."""

from __future__ import annotations

from collections.abc import Mapping

from anytill.core.merchant import KeyShape
from anytill.core.payment import Method
from anytill.dialects import Dialect, Login, Route, SandboxAccess, Setting, Spelling
from anytill.dialects.teegon import codec, messages, words
from anytill.dialects.teegon.client import Client
from anytill.dialects.teegon.server import ChargeNotice, handle, system_error
from anytill.ports import LETTERS_AND_DIGITS

_SANDBOX = SandboxAccess(login="sandbox0teegon0till00001", secret="sandbox0teegon0secret00000000001")  # noqa: S106


def _sandbox_settings(base_url: str) -> Mapping[str, str]:
    return {"base_url": base_url, "client_id": _SANDBOX.login, "client_secret": _SANDBOX.secret}


DIALECT = Dialect(
    name=messages.DIALECT,
    title="Teegon 天工收银 V1104",
    routes=tuple(Route(path) for path in (*messages.CHARGE_PATHS, *messages.STATUS_PATHS)),
    handle=handle,
    system_error=system_error,
    refusals=words.REFUSALS,
    operations=frozenset({"pay", "query"}),
    methods=frozenset({Method.BARCODE}),
    form=ChargeNotice(),
    client=Client,
    client_settings={"base_url": Setting.ADDRESS, "client_id": Setting.LOGIN, "client_secret": Setting.SECRET},
    key=KeyShape(32),
    signs=Login.MERCHANT,
    login=Spelling(codec.takes_client_id, "1 to 24 letters and digits, without the word metadata"),
    new_login=KeyShape(24, LETTERS_AND_DIGITS),
    sandbox=_SANDBOX,
    sandbox_settings=_sandbox_settings,
    options=messages.OPTIONS,
)
