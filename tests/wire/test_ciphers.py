"""AES-CBC, zero filling, base64: against the openssl vectors of NIST, and with every kind of bad input."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytill.wire import ciphers
from anytill.wire.errors import Malformed, WireError

KEY = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")
IV = bytes.fromhex("000102030405060708090a0b0c0d0e0f")
# NIST SP 800-38A, F.2.1: the first two blocks.
PLAIN = bytes.fromhex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51")
CIPHER = bytes.fromhex("7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2")


def test_the_published_vector() -> None:
    assert ciphers.encrypt_cbc(PLAIN, key=KEY, iv=IV) == CIPHER
    assert ciphers.decrypt_cbc(CIPHER, key=KEY, iv=IV) == PLAIN


@pytest.mark.parametrize(("length", "filled"), [(0, 0), (1, 16), (15, 16), (16, 16), (17, 32), (32, 32)])
def test_zero_filling_adds_nothing_to_full_blocks(length: int, filled: int) -> None:
    assert ciphers.zero_filled(b"x" * length) == b"x" * length + b"\0" * (filled - length)


@pytest.mark.parametrize(("length", "added"), [(0, 16), (1, 15), (15, 1), (16, 16), (17, 15)])
def test_pkcs7_always_adds_something_and_says_how_much(length: int, added: int) -> None:
    filled = ciphers.pkcs7_filled(b"x" * length)
    assert filled == b"x" * length + bytes([added]) * added
    assert ciphers.without_pkcs7(filled) == b"x" * length


@pytest.mark.parametrize("tail", [b"", b"\0", b"\x11" * 17, b"\x01\x02", b"\x02\x03\x03", b"x"])
def test_another_filling_is_none(tail: bytes) -> None:
    assert ciphers.without_pkcs7(tail) is None


@given(st.binary(max_size=100), st.binary(min_size=16, max_size=16), st.binary(min_size=16, max_size=16))
def test_what_is_encrypted_is_decrypted_again(data: bytes, key: bytes, iv: bytes) -> None:
    filled = ciphers.zero_filled(data) or bytes(16)
    assert ciphers.decrypt_cbc(ciphers.encrypt_cbc(filled, key=key, iv=iv), key=key, iv=iv) == filled


@given(st.binary(max_size=100))
def test_base64_there_and_back(data: bytes) -> None:
    text = ciphers.encode_base64(data)
    assert ciphers.decode_base64(text) == data
    assert "\n" not in text


@pytest.mark.parametrize(
    "text",
    ["A", "AA", "AAA", "AA=", "A===", "AB==", "AAB=", "AAAA=", "AAAA====", "AA==AAAA", "AA=A", "=AAA", "AA\nAA",
     " AAAA",
     "AAAA ", "AA$A", "AA-_", "ＡAAA", "AAA\x00", "\x80AAA", "茶AAA", "AAAA\n"],
)  # fmt: skip
def test_base64_has_one_form(text: str) -> None:
    with pytest.raises(Malformed):
        ciphers.decode_base64(text)


def test_every_failure_reads_the_same() -> None:
    told = set()
    for data in (b"", b"x", CIPHER[:-1], CIPHER + b"x"):
        with pytest.raises(Malformed) as caught:
            ciphers.decrypt_cbc(data, key=KEY, iv=IV)
        told.add(caught.value.text)
        assert caught.value.__cause__ is None
    for text in ("A", "AB==", "$$$$"):
        with pytest.raises(Malformed) as caught:
            ciphers.decode_base64(text)
        told.add(caught.value.text)
        assert caught.value.__cause__ is None
    assert told == {ciphers.unreadable().text}


def test_a_half_block_of_our_own_is_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="block length"):
        ciphers.encrypt_cbc(b"x", key=KEY, iv=IV)


@given(st.one_of(st.text(max_size=40), st.text("ABab01+/=\n $", max_size=24)))
def test_any_text_is_bytes_or_an_error(text: str) -> None:
    try:
        decoded = ciphers.decode_base64(text)
    except WireError:
        return
    assert ciphers.encode_base64(decoded) == text


@given(st.binary(max_size=80))
def test_any_bytes_are_decrypted_or_refused(data: bytes) -> None:
    try:
        plain = ciphers.decrypt_cbc(data, key=KEY, iv=IV)
    except WireError:
        assert not data or len(data) % 16
        return
    assert len(plain) == len(data)
