"""The few interfaces between what we do (gateway), whom we ask (channels), where it is kept (storage) and how it
travels (transports). Each is owned by its user: `Store` says what the gateway needs of a database, not what SQLite can
do. Who implements it is known to `bootstrap` alone.

`Till` is the shape of both ends: the gateway hands one to each authenticated terminal, and every dialect's client is
one. So the law of a dialect is tested without knowing its format: a client wired to its own server behaves as the
gateway's own till. Whoever pays the same order twice, for instance, gets one payment, in process or over any wire.
"""

from anytill.ports.counter import Panel, Terminal
from anytill.ports.letters import Letter, NeverSent, NoticeForm, Post, Send, Sms, Unreachable
from anytill.ports.machine import LETTERS_AND_DIGITS, Aside, Chance, Clock, Journal, Watch, Work
from anytill.ports.money import Channel, FaceTicket, Payer, Till, WalletSession
from anytill.ports.store import DueKind, RefundPlaced, Register, Store, StoreUnavailable

__all__ = [
    "LETTERS_AND_DIGITS",
    "Aside",
    "Chance",
    "Channel",
    "Clock",
    "DueKind",
    "FaceTicket",
    "Journal",
    "Letter",
    "NeverSent",
    "NoticeForm",
    "Panel",
    "Payer",
    "Post",
    "RefundPlaced",
    "Register",
    "Send",
    "Sms",
    "Store",
    "StoreUnavailable",
    "Terminal",
    "Till",
    "Unreachable",
    "WalletSession",
    "Watch",
    "Work",
]
