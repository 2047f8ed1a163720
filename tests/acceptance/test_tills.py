"""The tests' own cash registers against the vendors' documents: what is printed there must come out of them."""

from __future__ import annotations

from tests.acceptance.semoor_till import semoor_sign, told, yuan
from tests.acceptance.tills import Word
from tests.acceptance.yst_till import BLOCK, children, decrypted, device_number, document, encrypted, notice_sign

SEMOOR_KEY = "8df7975ac2c8eca932a0d2802b27945f5757494b"
SEMOOR_SAMPLE = {
    "action": "micropay",
    "authcode": "287662437041841781",
    "paytype": "alipay",
    "infoaddo": "[被扫支付]授权码:287662437041841781\r\n" + "-" * 20 + "\r\nGS1:6900138600889\r\nGS1:6900138600889\r\n",
    "operator_id": "xiaow",
    "dic_amount": "0.01",
    "info": "GS",
    "total": "0.01",
    "device_id": "57206",
}


def test_semoors_own_sample_is_signed_as_printed() -> None:
    assert semoor_sign(SEMOOR_SAMPLE, SEMOOR_KEY) == "9B7266337715E102A5DD3516F03A77AEB7BC4AE8"
    assert semoor_sign({**SEMOOR_SAMPLE, "total": "0.02"}, SEMOOR_KEY) != semoor_sign(SEMOOR_SAMPLE, SEMOOR_KEY)


def test_semoors_answers_are_read_as_printed() -> None:
    paid = (
        '<dm ok="1" total="0.01" pay_type="4" pay_time="2018-04-22 09:29:39" info="微信收款：0.01元" '
        'dm_id="dm2034085636" remark="4200000056201804223595471958" openid="001mvsyv8t9tkTYYgaAewu8HrM-w" '
        'pay_id="4200000056201804223595471958" no=""></dm>'
    )
    read = told((200, paid.encode()))
    assert (read.word, read.fields["dm_id"], read.fields["total"]) == (Word.YES, "dm2034085636", "0.01")
    bill = (
        '<dm ok="1" dm_id="dm2032972220" pay_type="微信" pay_total="0.02" pay_time="2018-04-21 20:29:21" no="" '
        'refund_total="-0.01"><pay pay_type="4" pay_total="0.02"/><pay pay_type="4" pay_total="-0.01"/></dm>'
    )
    read = told((200, bill.encode()))
    assert (read.fields["refund_total"], read.fields["pay2"]) == ("-0.01", "pay_type=4 pay_total=-0.01")
    assert told((200, b'<dm ok="0" info="no"/>')).word is Word.REFUSED
    assert told((200, b'<dm ok="0" info="no" dm_id="dm1"/>')).word is Word.NO
    assert told((200, b'<dm ok="-1" dm_id="dm1"/>')).word is Word.OPEN
    assert told((500, b"")).word is told(None).word is Word.LOST
    assert [yuan(fen) for fen in (1, 10, 100, 12345)] == ["0.01", "0.10", "1.00", "123.45"]


def test_ysts_envelope() -> None:
    key, account = "0123456789abcdef", "TILL001"
    dsn = device_number(account, "888888", key)
    assert dsn == device_number("till001", "888888", key) != device_number(account, "888887", key)
    assert (len(dsn), dsn) == (32, dsn.upper())
    for text in ("<data/>", "<data>" + "测" * 3 + "</data>", "<d>" + "x" * (BLOCK - 7) + "</d>"):
        data = encrypted(text, key)
        assert decrypted(data, key) == text
    assert len(encrypted("x" * BLOCK, key)) == 24, "nothing is added to whole blocks"
    assert children(document("data", {"a": "1 < 2 & 3", "b": ""}), "data") == {"a": "1 < 2 & 3", "b": ""}
    assert children("<data><receipts><line>x</line><line>y</line></receipts></data>", "data") == {"receipts": "x\ny"}
    assert notice_sign({"b": "2", "a": "1", "sign": "x"}, "k") == "F8F06AFA2E241A36469B9DAC959B3474"
