"""What a payment terminal asks of the people in front of it, and what stands on its screen.

A terminal that a register drives (`dialects`) decides what is asked and when; whoever implements `ports.Panel` shows
it and brings back what was presented: a window with keys, a program that plays the customer, or a test.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Way(StrEnum):
    """What a person is asked to do."""

    TAP = "TAP"  # put a card on the reader: `core.card` says how it is written
    SCAN = "SCAN"  # hold the payer's code before the camera
    PIN = "PIN"  # the payer enters the card's number of four to six digits
    AMOUNT = "AMOUNT"  # the cashier may change the sum to give back: cents, as digits


class Left(StrEnum):
    """Why nothing was presented."""

    CANCELLED = "CANCELLED"  # the red key
    WITHDRAWN = "WITHDRAWN"  # the register took its request back
    TIMED_OUT = "TIMED_OUT"


class Stage(StrEnum):
    """What the terminal is doing."""

    IDLE = "IDLE"
    ASKING = "ASKING"  # a person is asked for something: `way`
    SHOWING = "SHOWING"  # a code is shown for the payer to scan: `qr`
    SENDING = "SENDING"  # the channel is asked; nobody at the terminal can do anything
    CONFIRMING = "CONFIRMING"  # the payer must confirm on the phone
    DONE = "DONE"
    REFUSED = "REFUSED"
    UNCERTAIN = "UNCERTAIN"  # not known: the register must ask


@dataclass(frozen=True, slots=True)
class Sight:
    """What stands on the screen."""

    stage: Stage
    title: str = ""  # the channel's or the task's name
    amount_fen: int = 0
    currency: str = ""
    number: str = ""  # the register's number of the order
    way: Way | None = None
    accepts: tuple[str, ...] = ()  # what may be presented: card schemes, or wallets
    front_camera: bool = False
    qr: str = ""
    hint: str = ""
    until_ms: int | None = None  # when the waiting ends, on the gateway's clock
