"""People's passwords as they may be kept: scrypt, each with a salt of its own.

    scrypt$<salt>$<hex>

The figures are those that OWASP names for scrypt where memory is dear (N = 2^14, r = 8, p = 5); a check takes some
hundred milliseconds of one core, so whoever offers one limits how often it may be asked.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

_N: Final = 2**14
_R: Final = 8
_P: Final = 5
_MOST_BYTES: Final = 64 * 1024 * 1024


def password_hash(password: str, salt: str) -> str:
    """What is kept of a password; `salt` is random and new for each."""
    derived = hashlib.scrypt(password.encode(), salt=salt.encode(), n=_N, r=_R, p=_P, maxmem=_MOST_BYTES, dklen=32)
    return f"scrypt${salt}${derived.hex()}"


def password_fits(password: str, kept: str) -> bool:
    """Whether the password is the one that was kept. As slow when nothing was kept: that must not show."""
    _, _, rest = kept.partition("$")
    salt, _, _ = rest.partition("$")
    return hmac.compare_digest(password_hash(password, salt or "nobody").encode(), kept.encode())
