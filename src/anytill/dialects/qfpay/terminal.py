"""The terminal: opens what a register sends, does what it asks, and seals the answer; over HTTP and over lines alike.

Whatever has to do with keys gets one answer after the same work, and in the open: who has no key could not read it
otherwise. All else is told to those whose digest was right, as they asked, unless the terminal's option `response` says
how. Of a fault of ours the register is told that nothing is known, sealed like every answer, and a person is alarmed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from anytill.core.errors import Refusal
from anytill.core.merchant import Credential
from anytill.core.secret import Secret
from anytill.dialects.qfpay import answers, codec, inquiry, messages, notices, printing, refunds, server, trade, words
from anytill.dialects.qfpay.codec import KeyBytes, Opened, PosKey, Reply, Told
from anytill.dialects.qfpay.counter import Caller, Counter
from anytill.dialects.qfpay.messages import Content
from anytill.dialects.qfpay.words import CallRefused, FuncType, Word
from anytill.gateway import Gateway
from anytill.ports import Panel
from anytill.wire.errors import BadField, BadSignature, MissingField, TooLarge, WireError
from anytill.wire.http import HttpRequest, HttpResponse

#: The credential's options.
OPTION_KEY_BYTES: Final = "key_bytes"  # ascii (the usual) or hex
OPTION_RESPONSE: Final = "response"  # auto (the usual), aes or plain
OPTION_PLAIN: Final = "plain"  # on: unencrypted requests are taken too
OPTIONS: Final[Mapping[str, frozenset[str] | None]] = {
    OPTION_KEY_BYTES: frozenset(KeyBytes),
    OPTION_RESPONSE: frozenset({"auto", *Reply}),
    OPTION_PLAIN: frozenset({"on", "off"}),
    trade.OPTION_NOTIFY_URL: None,
    notices.OPTION_REFUND_NOTIFY_TYPE: frozenset(words.RefundNotifyType),
}

_CALLS: Final[Mapping[type, Callable[[Caller, Any], Awaitable[Told]]]] = {
    messages.Trade: trade.take,
    messages.RefundRequest: refunds.give_back,
    messages.PrintReceipt: printing.print_receipt,
    messages.PrintSummary: lambda caller, _asked: printing.print_summary(caller),
    messages.Inquiry: inquiry.inquire,
    messages.CancelRequest: lambda caller, _asked: trade.cancel_request(caller),
}


class Terminal:
    """Implements `ports.Terminal`. Its number is its credential's login."""

    def __init__(self, gateway: Gateway, number: str, panel: Panel) -> None:
        self._counter = Counter(gateway, number, panel)
        self._keys: Sequence[PosKey] = ()  # those of the last request

    async def handle(self, request: HttpRequest) -> HttpResponse:
        """See `ports.Terminal`."""
        return await server.handle(request, self._answered)

    async def answer(self, message: bytes) -> bytes:
        """See `ports.Terminal`."""
        body, _ = await self._answered(message, None, "")
        return body

    def is_whole(self, message: bytes) -> bool:
        """See `ports.Terminal`. Before the first request no key is known by which to tell."""
        return codec.is_whole(message, self._keys)

    def stop(self) -> None:
        """See `ports.Terminal`. What was sent to the gateway is cancelled there, and what is then true is told."""
        errand = self._counter.errand
        if errand is not None:
            errand.withdraw()
            self._counter.panel.withdraw()

    async def _answered(self, body: bytes, func_type: FuncType | None, peer: str) -> tuple[bytes, Reply]:
        """The sealed answer, and how it travels."""
        gateway = self._counter.gateway
        try:
            credential = await gateway.credential(words.NAME, self._counter.number)
            self._keys = _keys(credential)
            opened = _opened(body, self._keys, plain=credential.options.get(OPTION_PLAIN) == "on")
            reply = _reply(credential, opened)
        except CallRefused as refusal:
            return codec.plain_answer(answers.told(refusal.word)), Reply.PLAIN
        except Refusal as refusal:
            return codec.plain_answer(answers.told(words.REFUSALS[type(refusal)])), Reply.PLAIN
        except Exception as fault:  # noqa: BLE001 - nothing was begun, but a register must not be left without a word
            gateway.fault("terminal", fault)
            return codec.plain_answer(answers.told(words.SYSTEM_ERROR)), Reply.PLAIN
        gateway.seen(credential, peer)
        try:
            told = await self._carried_out(credential, opened.content, func_type)
        except Exception as fault:  # noqa: BLE001 - whatever it is, money may have moved
            gateway.fault("terminal", fault)
            told = answers.told(words.SYSTEM_ERROR)
        return codec.seal_answer(told, opened.key, reply), reply

    async def _carried_out(self, credential: Credential, content: Content, func_type: FuncType | None) -> Told:
        try:
            if func_type not in (None, messages.func_type_of(content)):
                raise CallRefused(words.OTHER_PATH)
            request = messages.read(content)
            return await _CALLS[type(request)](Caller(self._counter, credential), request)
        except CallRefused as refusal:
            return answers.told(refusal.word)
        except Refusal as refusal:
            return answers.told(words.REFUSALS[type(refusal)])
        except WireError as fault:
            return answers.told(_explained(fault))


def pos_key(secret: Secret, options: Mapping[str, str]) -> PosKey:
    """A credential's key as its option `key_bytes` reads it. Raises ValueError for one that no cipher takes."""
    return PosKey(secret, KeyBytes(options.get(OPTION_KEY_BYTES) or KeyBytes.ASCII))


def _keys(credential: Credential) -> list[PosKey]:
    secrets = (credential.secret, credential.previous)
    return [pos_key(secret, credential.options) for secret in secrets if secret is not None]


def _opened(body: bytes, keys: Sequence[PosKey], *, plain: bool) -> Opened:
    """The request, if one of the keys made it. Raises CallRefused."""
    try:
        return codec.open_request(body, keys, plain=plain)
    except BadSignature:
        raise CallRefused(words.KEY_MISMATCH) from None
    except (TooLarge, BadField, MissingField) as fault:
        raise CallRefused(_explained(fault)) from None
    except WireError:
        # No key has anything to do with it: it is no base64, or no object.
        raise CallRefused(words.NOT_DECRYPTED) from None


def _reply(credential: Credential, opened: Opened) -> Reply:
    """How the answer travels. Raises ValueError for an option that means nothing, before anything is done; also for one
    that only a notice would use, later."""
    notices.refund_notify_type(credential.options)
    wanted = credential.options.get(OPTION_RESPONSE) or "auto"
    return opened.reply if wanted == "auto" else Reply(wanted)


def _explained(fault: WireError) -> Word:
    """The word for a fault: which field, and what it must be, but never what it was."""
    return words.TOO_LONG if isinstance(fault, TooLarge) else words.bad_parameter(fault.text)
