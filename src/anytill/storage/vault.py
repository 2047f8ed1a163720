"""Secrets at rest: what the database keeps of a key is useless without the master key, which is never stored there.

    01 | key id (4) | nonce (12) | AES-256-GCM(secret) with tag (16)      associated data: whose secret it is

The key id is the start of the master key's SHA-256: it says which of several master keys can open a secret, so that
the operator can bring in a new one while older secrets still open. The associated data ties a sealed secret to its
credential: moved to another row it does not open.
"""

from __future__ import annotations

import hashlib
import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from anytill.core.secret import Secret

_FORMAT: Final = b"\x01"
_KEY_ID: Final = slice(1, 5)
_NONCE: Final = slice(5, 17)
_SEALED: Final = slice(17, None)
MASTER_KEY_BYTES: Final = 32


class Unopenable(Exception):
    """The secret cannot be opened: it was sealed with another master key, or changed, or moved to another row."""


class Vault:
    """Seals with the first master key, opens with any of them. A master key is 32 random bytes."""

    __slots__ = ("_first", "_keys")

    def __init__(self, master_key: bytes, *older: bytes) -> None:
        for key in (master_key, *older):
            if len(key) != MASTER_KEY_BYTES:
                raise ValueError(f"a master key has {MASTER_KEY_BYTES} bytes")
        self._first = _key_id(master_key)
        self._keys = {_key_id(key): AESGCM(key) for key in (*older, master_key)}

    def seal(self, secret: Secret, *owner: str) -> bytes:
        """The secret as it may be stored; `owner` names the row it belongs to."""
        nonce = os.urandom(_NONCE.stop - _NONCE.start)
        sealed = self._keys[self._first].encrypt(nonce, secret.reveal().encode(), _owner(owner))
        return _FORMAT + self._first + nonce + sealed

    def unseal(self, sealed: bytes, *owner: str) -> Secret:
        """The inverse for the same owner. Raises Unopenable."""
        key = self._keys.get(sealed[_KEY_ID])
        if sealed[:1] != _FORMAT or key is None:
            raise Unopenable("sealed with a master key that was not given")
        try:
            return Secret(key.decrypt(sealed[_NONCE], sealed[_SEALED], _owner(owner)).decode())
        except (InvalidTag, ValueError):
            raise Unopenable("changed since it was sealed, or of another credential") from None


def _key_id(master_key: bytes) -> bytes:
    return hashlib.sha256(b"anytill master key" + master_key).digest()[: _KEY_ID.stop - _KEY_ID.start]


def _owner(parts: tuple[str, ...]) -> bytes:
    """The parts, each with its length, so that no two lists of parts run together."""
    return b"".join(b"%d:%s" % (len(data), data) for data in (part.encode() for part in parts))
