"""The terminal as people see it: a screen, keys, a card reader and a camera, in a window of text.

    ┌ screen ─────────────────┐ ┌ paper ────────────┐
    │ title, sum, state, code │ │ what was printed  │
    ├ in the customer's hand ─┤ │                   │
    │ card / code / PIN       │ │                   │
    └─────────────────────────┘ └───────────────────┘

It decides nothing: what the protocol asks is drawn (`shown`, `asked`), what a person does goes to the `Front`. The
keys: Enter presents what is in the hand's field, F2 and F3 take another card or code into it, F4 scans the code on the
screen with the sandbox's wallet, Escape is the red key, Ctrl-Q leaves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

import segno
from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Footer, Input, Static

from anytill.bootstrap.customer import CARDS, CODES, PIN, Payer, card_text, code_text, ending_of
from anytill.core.card import mask_pan
from anytill.core.panel import Sight, Stage, Way
from anytill.core.receipt import Receipt
from anytill.core.secret import Secret
from anytill.ports import Chance
from anytill.receipts.plain import plain_text
from anytill.transports.panel import Front
from anytill.wire.amounts import format_yuan

STAGES: Final = {
    Stage.IDLE: "Ready 就绪",
    Stage.ASKING: "Waiting 请操作",
    Stage.SHOWING: "Scan to pay 请扫码",
    Stage.SENDING: "Please wait 处理中",
    Stage.CONFIRMING: "Confirm on the phone 请在手机上确认",
    Stage.DONE: "Done 成功",
    Stage.REFUSED: "Not done 未成功",
    Stage.UNCERTAIN: "Not known yet 结果未知",
}
WAYS: Final = {
    Way.TAP: "Tap the card 请刷卡",
    Way.SCAN: "Show the code 请出示付款码",
    Way.PIN: "Enter the PIN 请输入密码",
    Way.AMOUNT: "Amount in cents 金额（分）",
}
_SLIPS_KEPT: Final = 20


class Window(App[None]):
    """A `transports.panel.Display` with keys."""

    CSS = """
    #screen { width: 3fr; border: round $primary; padding: 0 1; }
    #paper { width: 2fr; border: round $secondary; padding: 0 1; }
    #sum { text-style: bold; }
    #hand { dock: bottom; height: 5; border: round $accent; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f2", "another('TAP')", "Card"),
        Binding("f3", "another('SCAN')", "Code"),
        Binding("f4", "pay_shown", "Scan the screen"),
        Binding("escape", "red_key", "Cancel", priority=True),
        Binding("ctrl+q", "quit", "Leave", priority=True),
    ]
    ENABLE_COMMAND_PALETTE = False

    def __init__(self, title: str, chance: Chance) -> None:
        super().__init__()
        self.title = title
        self._chance = chance
        self._sight = Sight(Stage.IDLE)
        self._way: Way | None = None
        self._turn = 0  # which card or code is in the hand
        self._held = ("", Secret(""))  # as the field shows it, and what it stands for
        self._slips: list[str] = []
        # Set when they are there, before the window is opened:
        self.front: Front | None = None  # whose window this is
        self.places: Sequence[str] = ()  # where it listens
        self.payer: Payer | None = None  # who pays what a code on the screen asks for, if a sandbox does

    def compose(self) -> ComposeResult:
        """The parts of the window."""
        with Horizontal():
            with Vertical(id="screen"):
                yield Static(self.title, id="name")
                yield Static("\n".join(self.places), id="places")
                yield Static("", id="stage")
                yield Static("", id="sum")
                yield Static("", id="told")
                yield Static("", id="qr")
                with Vertical(id="hand"):
                    yield Static("", id="way")
                    yield Input(id="held")
            with VerticalScroll(id="paper"):
                yield Static("", id="slips")
        yield Footer()

    def on_mount(self) -> None:
        """Draw what is known already."""
        self._draw()

    def shown(self, sight: Sight) -> None:
        """See `Display`."""
        self._sight = sight
        if sight.stage is not Stage.ASKING:
            self._way = None
        self._draw()

    def asked(self, way: Way) -> None:
        """See `Display`."""
        self._way, self._turn = way, 0
        self._take()

    def printed(self, receipt: Receipt) -> None:
        """See `Display`."""
        self._slips = [plain_text(receipt), *self._slips][:_SLIPS_KEPT]
        self._draw()

    def went_home(self) -> None:
        """See `Display`."""
        self.shown(Sight(Stage.IDLE))

    def action_another(self, way: str) -> None:
        """Another card, or another code, into the hand."""
        if self._way is Way(way):
            self._turn += 1
            self._take()

    def action_red_key(self) -> None:
        """The red key."""
        if self.front is not None:
            self.front.red_key()

    async def action_pay_shown(self) -> None:
        """Scan what is on the screen with the sandbox's wallet."""
        if self._sight.qr and self.payer is not None:
            await self.payer.pay(self._sight.qr)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """What is in the hand is presented, or what was written in its place."""
        if self.front is not None and self._way is not None and event.value:
            shown, held = self._held
            self.front.offer(self._way, held if event.value == shown else Secret(event.value.strip()))

    def _take(self) -> None:
        """Something of the sandbox's that fits into the hand, to be presented as it is or written over. With real money
        the hand is empty, and what is scanned into it is not shown."""
        self._held = self._taken() if self.payer is not None else ("", Secret(""))
        if self.is_running:
            field = self.query_one("#held", Input)
            field.password = self._way is Way.PIN or (self.payer is None and self._way is not Way.AMOUNT)
            field.value = self._held[0]
            field.focus()
        self._draw()

    def _taken(self) -> tuple[str, Secret]:
        accepts = [name for name in self._sight.accepts if name in (CARDS if self._way is Way.TAP else CODES)]
        name = accepts[self._turn % len(accepts)] if accepts else ""
        match self._way:
            case Way.TAP if name:
                return f"{name} {mask_pan(CARDS[name])}", card_text(name, self._chance)
            case Way.SCAN if name:
                code = code_text(name, ending_of(self._sight.amount_fen), self._chance)
                return code.reveal(), code
            case Way.PIN:
                return PIN, Secret(PIN)
            case Way.AMOUNT:
                return str(self._sight.amount_fen), Secret(str(self._sight.amount_fen))
        return "", Secret("")

    def _draw(self) -> None:
        if not self.is_running:
            return
        sight = self._sight
        amount = f"{sight.currency} {format_yuan(sight.amount_fen)}" if sight.amount_fen else ""
        camera = "front camera 前置" if sight.front_camera else ""
        told = "\n".join(filter(None, (sight.number, sight.hint, camera)))
        texts = {
            "stage": " · ".join(filter(None, (STAGES[sight.stage], sight.title))),
            "sum": amount,
            "told": told,
            "qr": qr_text(sight.qr) if sight.qr else "",
            "way": WAYS[self._way] if self._way else "",
            "slips": "\n".join(self._slips),
        }
        for name, text in texts.items():
            # Not markup: what a register sends must not colour the screen.
            self.query_one(f"#{name}", Static).update(Text(text))
        self.query_one("#hand").display = self._way is not None


def qr_text(text: str) -> str:
    """A QR code in half blocks, two rows to a line, light on a dark screen and with a light edge."""
    rows = [list(row) for row in segno.make(text, micro=False).matrix_iter(border=2)]
    rows += [[0] * len(rows[0])] * (len(rows) % 2)
    light = {(0, 0): "█", (0, 1): "▀", (1, 0): "▄", (1, 1): " "}
    pairs = zip(rows[::2], rows[1::2], strict=True)
    return "\n".join("".join(light[over, under] for over, under in zip(*pair, strict=True)) for pair in pairs)
