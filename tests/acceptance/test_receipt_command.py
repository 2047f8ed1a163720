"""`anytill receipt` beside a running demo: its four forms, its exit codes, its sentences."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from anytill.cli.printing import FONT_PLACES
from anytill.receipts.paper import Code, Run, read_escpos
from tests.acceptance.harness import Demo, command


def receipt(demo: Demo, *arguments: str) -> subprocess.CompletedProcess[str]:
    return command("receipt", *arguments, "--merchant", "demo", "--store", demo.store_url)


def paid(demo: Demo, order_no: str, code: str, amount: str = "5.00") -> str:
    """Pays and gives the payment's number back."""
    run = command("pay", amount, code, "--order-no", order_no, "--no-wait", "--settings", str(demo.access_file))
    (number,) = [word.removeprefix("payment_id=") for word in run.stdout.split() if word.startswith("payment_id=")]
    return number


def test_the_receipt_of_a_payment_by_either_number(demo: Demo) -> None:
    number = paid(demo, "SLIP0001", "135555550000001100")
    run = receipt(demo, "SLIP0001")
    assert (run.returncode, run.stderr) == (0, "")
    lines = run.stdout.splitlines()
    assert lines[0].strip() == "微信支付交易小票"
    assert f"交易流水    {number}" in lines
    assert "交易金额                  5.00元" in lines
    assert "演示" in run.stdout
    assert receipt(demo, number).stdout == run.stdout
    marked = receipt(demo, "SLIP0001", "--copy", "payer", "--reprint", "--columns", "48").stdout.splitlines()
    assert [line.strip() for line in marked[1:4]] == ["【用户联】", "（重打印）", "-" * 48]


def test_the_receipt_of_a_refund(demo: Demo) -> None:
    paid(demo, "SLIP0002", "135555550000001200")
    back = command("refund", "SLIP0002", "0.02", "--refund-no", "SLIP0002R", "--settings", str(demo.access_file))
    assert back.returncode == 0
    run = receipt(demo, "SLIP0002", "--refund", "SLIP0002R")
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.splitlines()[0].strip() == "微信支付退款小票"
    assert "退款金额                  0.02元" in run.stdout.splitlines()
    assert "已退款                    0.02元" in receipt(demo, "SLIP0002").stdout.splitlines()


def test_what_is_not_done_is_printed_with_an_exit_code_of_its_own(demo: Demo) -> None:
    paid(demo, "SLIP0003", "135555550000001304")
    run = receipt(demo, "SLIP0003")
    assert (run.returncode, run.stderr) == (1, "the payment is FAILED, and the receipt says so\n")
    assert run.stdout.splitlines()[0].strip() == "支付失败（未支付）"
    paid(demo, "SLIP0004", "135555550000001403")
    run = receipt(demo, "SLIP0004")
    assert (run.returncode, run.stderr) == (1, "the payment is WAITING, and the receipt says so\n")
    assert "尚未确认收款" in run.stdout
    paid(demo, "SLIP0005", "135555550000001500")
    command("refund", "SLIP0005", "0.92", "--refund-no", "SLIP0005R", "--settings", str(demo.access_file))
    run = receipt(demo, "SLIP0005", "--refund", "SLIP0005R")
    assert (run.returncode, run.stderr) == (1, "the refund is FAILED, and the receipt says so\n")
    assert "退款失败" in run.stdout


def test_bytes_for_a_printer(demo: Demo, tmp_path: Path) -> None:
    number = paid(demo, "SLIP0006", "135555550000001600")
    file = tmp_path / "slip.bin"
    run = receipt(demo, "SLIP0006", "--as", "escpos", "--qr", "--out", str(file))
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
    marks = read_escpos(file.read_bytes()).marks
    assert isinstance(marks[0], Run)
    assert marks[0].text == "微信支付交易小票"
    assert [mark.text for mark in marks if isinstance(mark, Code)] == [number]
    piped = [sys.executable, "-m", "anytill", "receipt", "SLIP0006", "--as", "escpos", "--qr", "--merchant", "demo"]
    again = subprocess.run([*piped, "--store", demo.store_url], capture_output=True, check=True)
    assert again.stdout == file.read_bytes()


def test_a_picture_or_a_sentence(demo: Demo, tmp_path: Path) -> None:
    paid(demo, "SLIP0007", "135555550000001700")
    file = tmp_path / "slip.png"
    run = receipt(demo, "SLIP0007", "--as", "png", "--out", str(file))
    if any(map(Path.exists, FONT_PLACES)):
        assert (run.returncode, run.stderr) == (0, "")
        assert file.read_bytes().startswith(b"\x89PNG\r\n")
    else:
        assert run.returncode == 2
        assert "no font with Chinese characters was found" in run.stderr
        assert not file.exists()
    run = receipt(demo, "SLIP0007", "--as", "png", "--out", str(file), "--font", str(demo.access_file))
    assert (run.returncode, run.stderr) == (2, f"--font {demo.access_file}: not a font that can be drawn with\n")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("NOSUCH", "--merchant", "demo"), "demo has no payment NOSUCH\n"),
        (("SLIP0008", "--merchant", "other"), "other has no payment SLIP0008\n"),
        (("SLIP0008", "--merchant", "demo", "--refund", "R"), "payment SLIP0008 of demo has no refund R\n"),
        (("SLIP0008", "--merchant", "demo", "--out", "/no/such/folder/x"), "--out /no/such/folder/x: No such file"),
        (("SLIP0008", "--merchant", "demo", "--columns", "33"), "33"),
        (("SLIP0008",), "--merchant"),
    ],
)
def test_what_went_wrong_is_told_in_a_sentence(demo: Demo, arguments: tuple[str, ...], sentence: str) -> None:
    paid(demo, "SLIP0008", "135555550000001800")
    run = command("receipt", *arguments, "--store", demo.store_url)
    assert (run.returncode, run.stdout) == (2, "")
    assert sentence in run.stderr
    assert "Traceback" not in run.stderr


def test_the_store_is_only_read(demo: Demo) -> None:
    run = command("receipt", "A1", "--merchant", "demo", "--store", f"sqlite:///{demo.folder / 'nothing.db'}")
    assert run.returncode == 2
    assert not (demo.folder / "nothing.db").exists()
