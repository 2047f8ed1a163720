"""What stands on the counter: a payment terminal, and its front, where people are."""

from __future__ import annotations

from typing import Protocol

from anytill.core.panel import Left, Sight, Way
from anytill.core.receipt import Receipt
from anytill.core.secret import Secret
from anytill.wire.http import HttpRequest, HttpResponse


class Panel(Protocol):
    """The front of a payment terminal: screen, card reader, camera, keys and printer, with the people who use them. One
    thing is asked at a time."""

    def show(self, sight: Sight) -> None:
        """Put this on the screen."""

    async def present(self, way: Way, timeout_ms: int) -> Secret | Left:
        """What a person presents, or why nobody did."""

    async def pause(self, ms: int) -> Left | None:
        """Wait that long; sooner when the red key is pressed or the register takes its request back."""

    def withdraw(self) -> None:
        """The register takes its request back: `present` or `pause`, if one is under way, ends as WITHDRAWN."""

    async def print(self, receipt: Receipt) -> None:
        """Put it on paper. Raises OSError when there is none."""

    def go_home(self) -> None:
        """Leave the payment's page, as some registers ask for when it is done."""


class Terminal(Protocol):
    """A machine on the counter that a register drives, and that takes payments on the gateway."""

    async def handle(self, request: HttpRequest) -> HttpResponse:
        """Answer a request that came by HTTP. Any number may be under way at once."""

    async def answer(self, message: bytes) -> bytes:
        """Answer a message that came over another line, without that line's framing; likewise."""

    def is_whole(self, message: bytes) -> bool:
        """Whether bytes from a line that marks no ends are a whole message. False when that cannot be told at once."""

    def stop(self) -> None:
        """It is being switched off: what waits for a person is taken back, as if the register had asked for that, and
        told."""
