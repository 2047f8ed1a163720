"""AES in CBC mode, the two ways to fill its blocks, and base64 without leniency.

    encrypt:  text -> zero bytes up to a multiple of 16 (none when aligned) -> AES-CBC -> base64
    decrypt:  base64 -> AES-CBC -> bytes, filling and all: where the text ends, its format knows

Whatever is wrong on the way in is one and the same error, whose text names no step: an answer that tells a bad length
from a bad filling, or that shows a piece of what came out, gives the plain text away byte by byte (and, where key and
initial vector are one, the key). For the same reason a caller checks its signature before it decrypts anything.
"""

from __future__ import annotations

from base64 import b64encode
from binascii import Error, a2b_base64
from functools import lru_cache
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from anytill.wire.errors import Malformed

BLOCK: Final = 16


def unreadable() -> Malformed:
    """The one error for whatever cannot be decrypted, or is not what it should be once it was."""
    return Malformed("not readable with this key")


def decode_base64(text: str) -> bytes:
    """The bytes of a canonical base64 text: the standard letters, a length that is a multiple of four, no loose bits.

    Exactly one text stands for each row of bytes. Raises Malformed.
    """
    try:
        decoded = a2b_base64(text, strict_mode=True)
    except (Error, ValueError):
        raise unreadable() from None
    # Strict mode passes over bits that the last letter has to spare.
    if b64encode(decoded).decode() != text:
        raise unreadable()
    return decoded


def encode_base64(data: bytes) -> str:
    """Standard base64 in one line."""
    return b64encode(data).decode()


def decrypt_cbc(data: bytes, *, key: bytes, iv: bytes) -> bytes:
    """The deciphered blocks, filling included. Raises Malformed unless there is at least one block and no half one."""
    if not data or len(data) % BLOCK:
        raise unreadable()
    decryptor = _cipher(key, iv).decryptor()
    return decryptor.update(data) + decryptor.finalize()


def encrypt_cbc(data: bytes, *, key: bytes, iv: bytes) -> bytes:
    """The ciphered blocks of data that fills blocks. Raises ValueError when it does not."""
    encryptor = _cipher(key, iv).encryptor()
    return encryptor.update(data) + encryptor.finalize()


@lru_cache(maxsize=1_024)
def _cipher(key: bytes, iv: bytes) -> Cipher[CBC]:
    """Making it takes as long as using it, and a till has one key for years."""
    return Cipher(AES(key), CBC(iv))


def zero_filled(data: bytes) -> bytes:
    """The data with zero bytes behind it up to the next full block; unchanged when its last block is full."""
    return data + bytes(-len(data) % BLOCK)


def pkcs7_filled(data: bytes) -> bytes:
    """The data with 1 to 16 bytes behind it, each of which says how many they are."""
    count = BLOCK - len(data) % BLOCK
    return data + bytes((count,)) * count


def without_pkcs7(data: bytes) -> bytes | None:
    """The data before its filling; None where the filling is none. That is no error of its own: a caller who cannot
    check a signature first must not let a stranger learn that it was the filling."""
    count = data[-1] if data else 0
    if 0 < count <= BLOCK and data.endswith(bytes((count,)) * count):
        return data[:-count]
    return None
