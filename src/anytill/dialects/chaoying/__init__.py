"""Chaoying 超赢 aggregated payment API v2.9.0: the record that the rest of anytill knows. See README.md."""

from __future__ import annotations

from anytill.core.merchant import KeyShape
from anytill.core.payment import Method
from anytill.dialects import Dialect, Login, Route, Spelling
from anytill.dialects.chaoying import fields, merchant_messages, messages, sandbox, server, words
from anytill.dialects.chaoying.client import Client

DIALECT = Dialect(
    name=server.NAME,
    title="超赢聚合支付 v2.9.0",
    routes=(
        *(Route(path, ignore_case=True) for path in messages.POST_PATHS),
        Route(merchant_messages.BOX_PATH, frozenset({"GET"}), ignore_case=True),
        Route(merchant_messages.QR_PATH, frozenset({"GET"}), ignore_case=True, prefix=True),
    ),
    handle=server.handle,
    system_error=server.system_error,
    refusals=words.REFUSALS,
    operations=frozenset({"pay", "query", "cancel", "refund", "query_refund"}),
    methods=frozenset({Method.BARCODE, Method.FACE, Method.QR, Method.JSAPI, Method.APP}),
    form=server.FORM,
    client=Client,
    client_settings=sandbox.CLIENT_SETTINGS,
    key=KeyShape(32),
    signs=Login.AGENT,
    login=Spelling(fields.AGENT_ID.takes, "1 to 32 digits"),
    box=Spelling(fields.BOX_ID.takes, "1 to 64 letters, digits, hyphens and underscores"),
    merchant_number=Spelling(fields.MCH_ID.takes, "1 to 32 letters and digits"),
    sandbox=sandbox.SANDBOX,
    sandbox_settings=sandbox.sandbox_settings,
    options=sandbox.OPTIONS,
)
