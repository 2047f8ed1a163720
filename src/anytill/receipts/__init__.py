"""Receipts as something to look at or to print; pure functions, no printer and no file is touched here.

    core.receipt.Receipt -> layout (lines of columns) -> plain   text for a screen
                                                      -> escpos  bytes for a printer
    bytes for a printer  -> paper (what stands where) -> picture a PNG

layout      the lines of a receipt, for a paper of so many columns
plain       those lines as text
escpos      those lines as ESC/POS
paper       what ESC/POS bytes put on the paper: ours, and the codes of Semoor's `printinfo`
picture     a paper drawn with a font that is handed in
"""

from __future__ import annotations
