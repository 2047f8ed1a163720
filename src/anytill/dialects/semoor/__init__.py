"""Semoor 微收银 terminal interface V4.0: the record that the rest of anytill knows. See README.md."""

from __future__ import annotations

from anytill.core.merchant import KeyShape
from anytill.core.payment import Method
from anytill.dialects import Dialect, Login, Route, Spelling
from anytill.dialects.semoor import calls, messages, sandbox, server, words
from anytill.dialects.semoor.client import Client

_BOTH = frozenset({"GET", "POST"})

DIALECT = Dialect(
    name=calls.NAME,
    title="微收银终端对接接口 V4.0",
    routes=(
        Route(messages.OP_PATH, _BOTH),
        Route(messages.ACTIVE_PATH, _BOTH),
        Route(messages.CONFIG_PATH, _BOTH),
        Route(messages.TIME_PATH, _BOTH),
        Route(messages.REPRINT_PATH, frozenset({"GET"})),
    ),
    handle=server.handle,
    system_error=server.system_error,
    refusals=words.REFUSALS,
    operations=frozenset({"pay", "query", "refund"}),
    methods=frozenset({Method.BARCODE}),
    form=None,
    client=Client,
    client_settings=sandbox.CLIENT_SETTINGS,
    key=KeyShape(40),
    signs=Login.DEVICE,
    login=Spelling(messages.DEVICE_ID.takes, "1 to 32 letters, digits, hyphens and underscores"),
    sandbox=sandbox.SANDBOX,
    sandbox_settings=sandbox.sandbox_settings,
    options=sandbox.OPTIONS,
)
