"""QFPay ECR 4.33: the record that the rest of anytill knows. See README.md."""

from __future__ import annotations

from anytill.core.merchant import KeyShape
from anytill.core.payment import Method
from anytill.dialects import Dialect, Login, Route, Spelling, TerminalKind
from anytill.dialects.qfpay import sandbox, server, words
from anytill.dialects.qfpay.answers import NUMBER_MARK
from anytill.dialects.qfpay.client import Client
from anytill.dialects.qfpay.framing import Frames
from anytill.dialects.qfpay.lines import Lines
from anytill.dialects.qfpay.notices import TerminalNotices
from anytill.dialects.qfpay.terminal import OPTIONS, Terminal


def _takes_number(text: str) -> bool:
    """Whether a terminal can have this number: where two registers use one order number, the terminal's is put behind
    it and found again."""
    return 0 < len(text) <= 64 and text.isascii() and text.isprintable() and not set(text) & {NUMBER_MARK, " "}


DIALECT = Dialect(
    name=words.NAME,
    title="QFPay ECR 4.33",
    routes=tuple(Route(path, server.METHODS) for path in words.PATHS),
    handle=None,
    system_error=server.system_error,
    refusals=words.REFUSALS,
    operations=frozenset({"pay", "query", "refund", "query_refund"}),
    methods=frozenset({Method.BARCODE, Method.QR, Method.CARD}),
    form=TerminalNotices(),
    client=Client,
    client_settings=sandbox.CLIENT_SETTINGS,
    key=KeyShape(32),
    signs=Login.DEVICE,
    login=Spelling(_takes_number, "1 to 64 visible characters, none of them @"),
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
