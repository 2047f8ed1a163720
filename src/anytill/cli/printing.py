"""The command that prints receipts out of a store, which a gateway may be using meanwhile.

The store is only read, so a receipt can be printed as often as wished and always tells how things stand now. A picture
needs a font with Chinese characters: `--font` names one, else the first of `FONT_PLACES` that has them is taken.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from anytill.cli.sentences import say, stop
from anytill.cli.stores import ConfigFile, StoreUrl, looked

if TYPE_CHECKING:
    from anytill.core.payment import Payment, Refund
    from anytill.core.receipt import Receipt
    from anytill.core.receipt_text import Copy
    from anytill.ports import Store

#: Where systems keep their fonts with Chinese characters.
FONT_PLACES: Final = tuple(
    map(
        Path,
        (
            "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
            "/usr/share/fonts/wqy-microhei/wqy-microhei.ttc",
            "/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc",
            "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
            "/usr/share/fonts/noto-cjk/NotoSansCJK-Regular.ttc",
            "/usr/share/fonts/google-noto-sans-cjk-fonts/NotoSansCJK-Regular.ttc",
            "/usr/share/fonts/google-noto-cjk/NotoSansCJK-Regular.ttc",
            "/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf",
            "/usr/share/fonts/truetype/arphic/uming.ttc",
            "/System/Library/Fonts/PingFang.ttc",
            "/System/Library/Fonts/Hiragino Sans GB.ttc",
            "/System/Library/Fonts/STHeiti Medium.ttc",
            "/Library/Fonts/Arial Unicode.ttf",
            "C:/Windows/Fonts/msyh.ttc",
            "C:/Windows/Fonts/simhei.ttf",
            "C:/Windows/Fonts/simsun.ttc",
        ),
    )
)


class CopyName(StrEnum):
    """For whom the receipt is; the words of `core.receipt_text.Copy`, which is imported late."""

    MERCHANT = "merchant"
    PAYER = "payer"


class Form(StrEnum):
    """What a receipt can be had as."""

    TEXT = "text"
    ESCPOS = "escpos"
    PNG = "png"


class Columns(StrEnum):
    """`receipts.layout.PAPERS`, as the command line writes them."""

    NARROW = "32"
    MIDDLE = "42"
    WIDE = "48"


def receipt(
    number: Annotated[str, typer.Argument(help="The merchant's order number, or the payment's number.")],
    merchant: Annotated[str, typer.Option(help="The merchant.")],
    refund: Annotated[str, typer.Option(help="The refund's number: its receipt instead of the payment's.")] = "",
    copy: Annotated[CopyName | None, typer.Option(help="Mark it as this copy.")] = None,
    reprint: Annotated[bool, typer.Option("--reprint", help="Mark it as printed again.")] = False,
    qr: Annotated[bool, typer.Option("--qr", help="The payment's number as a QR code at the end.")] = False,
    form: Annotated[Form, typer.Option("--as", help="Text, bytes for a printer, or a picture.")] = Form.TEXT,
    columns: Annotated[Columns, typer.Option(help="Columns: 58 mm has 32, 80 mm has 42 or 48.")] = Columns.NARROW,
    out: Annotated[Path | None, typer.Option(help="Write to this file.")] = None,
    font: Annotated[Path | None, typer.Option(help="The font of a picture, with Chinese characters.")] = None,
    config: ConfigFile = None,
    store: StoreUrl = "",
) -> None:
    """Print the receipt of a payment or refund. Exit code 0 when it is paid (refunded), 1 when the receipt says no."""
    if out is None and form is not Form.TEXT and sys.stdout.isatty():
        stop(2, f"--as {form} is no text for a screen: give --out FILE")

    async def look(opened: Store) -> tuple[str, Payment | None, Refund | None]:
        owner = await opened.merchant(merchant)
        shop = (owner.short_name or owner.name) if owner else ""
        payment = await _payment(opened, merchant, number)
        return shop, payment, await _refund(opened, payment, refund) if payment and refund else None

    shop, payment, found = looked(config, store, look)
    if payment is None:
        stop(2, f"{merchant} has no payment {number}")
    if refund and found is None:
        stop(2, f"payment {number} of {merchant} has no refund {refund}")
    slip = _slip(shop, payment, found, copy, reprint=reprint, qr=qr)
    _write(_formed(slip, form, int(columns), font), out)
    if not _is_done(payment, found):
        say(f"the {'refund' if found else 'payment'} is {(found or payment).state}, and the receipt says so")
        raise typer.Exit(1)


COMMANDS: list[Callable[..., Any]] = [receipt]


async def _payment(opened: Store, merchant_id: str, number: str) -> Payment | None:
    """By the merchant's number, else by ours."""
    from anytill.core.payment import PaymentRef

    by_order = await opened.payment(merchant_id, PaymentRef(order_no=number))
    return by_order or await opened.payment(merchant_id, PaymentRef(payment_id=number))


async def _refund(opened: Store, payment: Payment, number: str) -> Refund | None:
    """The payment's refund by the merchant's number, else by ours."""
    refunds = await opened.refunds_of(payment.merchant_id, payment.payment_id)
    by_number = {each.refund_id: each for each in refunds} | {each.refund_no: each for each in refunds}
    return by_number.get(number)


def _slip(
    shop: str, payment: Payment, refund: Refund | None, copy: CopyName | None, *, reprint: bool, qr: bool
) -> Receipt:
    from anytill.core.receipt import QrCode, Receipt
    from anytill.core.receipt_text import Copy, payment_receipt, refund_receipt

    whose: Copy | None = Copy(copy) if copy else None
    if refund is None:
        slip = payment_receipt(payment, shop=shop, copy=whose, reprint=reprint)
    else:
        slip = refund_receipt(payment, refund, shop=shop, copy=whose, reprint=reprint)
    return Receipt((*slip.elements, QrCode(payment.payment_id))) if qr else slip


def _is_done(payment: Payment, refund: Refund | None) -> bool:
    from anytill.core.lifecycle import RefundState
    from anytill.core.payment import Verdict

    return refund.state is RefundState.DONE if refund else payment.verdict is Verdict.PAID


def _formed(slip: Receipt, form: Form, columns: int, font: Path | None) -> bytes:
    from anytill.receipts.escpos import escpos
    from anytill.receipts.plain import plain_text

    if form is Form.TEXT:
        return plain_text(slip, columns).encode()
    printed = escpos(slip, columns)
    if form is Form.ESCPOS:
        return printed

    from anytill.receipts.paper import read_escpos
    from anytill.receipts.picture import picture

    return picture(read_escpos(printed, columns), given_font(font) if font else found_font())


def given_font(path: Path) -> bytes:
    """The bytes of the font that was named; the command ends with exit code 2 when it cannot write Chinese."""
    from anytill.receipts.picture import BadFont, has_chinese

    try:
        font = path.read_bytes()
        if has_chinese(font):
            return font
    except OSError as fault:
        stop(2, f"--font {path}: {fault.strerror}")
    except BadFont as fault:
        stop(2, f"--font {path}: {fault}")
    else:
        stop(2, f"--font {path}: the font has no Chinese characters")


def found_font(places: Sequence[Path] = FONT_PLACES) -> bytes:
    """The first font there that can write Chinese; the command ends with exit code 2 when there is none."""
    font = next(filter(None, map(_chinese_font_at, places)), None)
    if font is None:
        stop(2, "no font with Chinese characters was found: install one (fonts-wqy-microhei), or give --font FILE")
    return font


def _chinese_font_at(place: Path) -> bytes | None:
    from anytill.receipts.picture import BadFont, has_chinese

    with suppress(OSError, BadFont):
        font = place.read_bytes()
        return font if has_chinese(font) else None
    return None


def _write(data: bytes, out: Path | None) -> None:
    if out is None:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    try:
        out.write_bytes(data)
    except OSError as fault:
        stop(2, f"--out {out}: {fault.strerror}")
