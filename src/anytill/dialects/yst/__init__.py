"""YST 赢商通 HTTP API 1.3.1: the record that the rest of anytill knows. See README.md."""

from __future__ import annotations

from string import ascii_letters, digits

from anytill.core.merchant import KeyShape
from anytill.core.payment import Method
from anytill.dialects import Dialect, Login, Route, Spelling
from anytill.dialects.yst import codec, messages, sandbox, server, words
from anytill.dialects.yst.calls import OPTION_NOTIFY_URL
from anytill.dialects.yst.client import Client
from anytill.ports import LETTERS_AND_DIGITS


def _takes_account(text: str) -> bool:
    """Whether a terminal can have this account: the vendor compares accounts without case, so that all are known here
    in lower case."""
    return len(text) in server.ACCOUNT_LENGTHS and text == text.lower()


DIALECT = Dialect(
    name=server.NAME,
    title="赢商通支付平台 1.3.1",
    routes=(Route(messages.PATH),),
    handle=server.handle,
    system_error=server.system_error,
    refusals=words.REFUSALS,
    operations=frozenset({"pay", "query", "cancel", "refund", "query_refund"}),
    methods=frozenset({Method.BARCODE, Method.QR, Method.JSAPI, Method.H5}),
    form=server.FORM,
    client=Client,
    client_settings=sandbox.CLIENT_SETTINGS,
    key=KeyShape(codec.KEY_LENGTH, ascii_letters + digits),
    signs=Login.DEVICE,
    login=Spelling(_takes_account, "4 to 20 characters, letters in lower case"),
    new_login=KeyShape(8, LETTERS_AND_DIGITS),
    sandbox=sandbox.SANDBOX,
    sandbox_settings=sandbox.sandbox_settings,
    options={OPTION_NOTIFY_URL: None},
)
