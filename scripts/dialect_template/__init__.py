"""Dialect Template (an example until you write yours). Start with README.md, then messages, codec, server, client."""

from __future__ import annotations

from collections.abc import Mapping

from anytill.core.merchant import KeyShape
from anytill.core.payment import Method
from anytill.dialects import Dialect, Login, Route, SandboxAccess, Setting, Spelling
from anytill.dialects.dialect_template import codec, messages
from anytill.dialects.dialect_template.client import Client
from anytill.dialects.dialect_template.server import PaidNotice, handle, system_error

_SANDBOX = SandboxAccess(login="sandbox-dialect_template", secret="sandbox-key-of-dialect_template")  # noqa: S106


def _sandbox_settings(base_url: str) -> Mapping[str, str]:
    return {"base_url": base_url, "app": _SANDBOX.login, "key": _SANDBOX.secret}


DIALECT = Dialect(
    name=messages.DIALECT,
    title="Dialect Template (example)",
    routes=tuple(Route(path) for path in messages.PATHS),
    handle=handle,
    system_error=system_error,
    refusals=messages.REFUSALS,
    operations=frozenset({"pay", "query", "cancel", "refund", "query_refund"}),
    methods=frozenset({Method.BARCODE}),
    form=PaidNotice(),
    client=Client,
    client_settings={"base_url": Setting.ADDRESS, "app": Setting.LOGIN, "key": Setting.SECRET},
    key=KeyShape(32),
    signs=Login.MERCHANT,
    login=Spelling(lambda text: codec.APP.fullmatch(text) is not None, "1 to 64 visible characters"),
    sandbox=_SANDBOX,
    sandbox_settings=_sandbox_settings,
)
