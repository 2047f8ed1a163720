"""QFPay ECR 4.33: the record that the rest of anytill knows. See README.md."""

from __future__ import annotations

from anytill.core.merchant import KeyShape
from anytill.core.payment import Method
from anytill.dialects import Dialect, Login, Route, TerminalKind
from anytill.dialects.qfpay import sandbox, server, words
from anytill.dialects.qfpay.client import Client
from anytill.dialects.qfpay.framing import Frames
from anytill.dialects.qfpay.lines import Lines
from anytill.dialects.qfpay.notices import PaymentNotices
from anytill.dialects.qfpay.terminal import OPTIONS, Terminal

DIALECT = Dialect(
    name=words.NAME,
    title="QFPay ECR 4.33",
    routes=tuple(Route(path, server.METHODS) for path in words.PATHS),
    handle=None,
    system_error=server.system_error,
    refusals=words.REFUSALS,
    operations=frozenset({"pay", "query", "refund", "query_refund"}),
    methods=frozenset({Method.BARCODE, Method.QR, Method.CARD}),
    form=PaymentNotices(),
    client=Client,
    client_settings=sandbox.CLIENT_SETTINGS,
    key=KeyShape(32),
    signs=Login.DEVICE,
    sandbox=sandbox.SANDBOX,
    sandbox_settings=sandbox.sandbox_settings,
    terminal=TerminalKind(
        open=Terminal,
        http_port=sandbox.HTTP_PORT,
        tcp_port=sandbox.TCP_PORT,
        settings=sandbox.terminal_settings,
        tcp_line=Lines,
        serial_line=Frames,
    ),
    options=OPTIONS,
    not_carried=frozenset({"pay_code", "subject", "attach", "notice_url", "refund_no"}),
)
