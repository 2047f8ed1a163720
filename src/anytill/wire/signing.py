"""The text that is signed, its digest, and the comparison of digests.

The vendors sign alike but not identically: all sort the fields by name and leave the signature out; they differ in
whether names and values are joined by `=` and `&` or simply run together, in whether empty values take part, and in the
order of upper and lower case. Each difference is an argument; the key and where it goes is the dialect's.

MD5 and SHA-1 are what the vendors fixed decades ago. They are called only here, marked as not used for security in
the modern sense: what protects the money is the secret in the text, and everything `anytill.wire.one_meaning` checks.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection, Mapping

NOT_SIGNED = ("sign",)


def sorted_pairs(
    fields: Mapping[str, str],
    *,
    keep_empty: bool,
    skip: Collection[str] = NOT_SIGNED,
    fold_case: bool = False,
) -> list[tuple[str, str]]:
    """The fields that are signed, in the order in which they are signed.

    The order is that of code points (so `Z` comes before `a`), or without regard to case when `fold_case` is set; names
    that differ in case alone then keep the order of code points.
    """
    pairs = [(name, value) for name, value in fields.items() if (value or keep_empty) and name not in skip]
    pairs.sort()
    if fold_case:
        pairs.sort(key=lambda pair: pair[0].lower())
    return pairs


def joined(
    fields: Mapping[str, str],
    *,
    keep_empty: bool,
    skip: Collection[str] = NOT_SIGNED,
    fold_case: bool = False,
) -> str:
    """The signed fields as `name=value&name=value`, nothing escaped."""
    pairs = sorted_pairs(fields, keep_empty=keep_empty, skip=skip, fold_case=fold_case)
    return "&".join([f"{name}={value}" for name, value in pairs])


def concatenated(
    fields: Mapping[str, str],
    *,
    keep_empty: bool,
    skip: Collection[str] = NOT_SIGNED,
    fold_case: bool = False,
) -> str:
    """The signed fields run together as `namevaluenamevalue`."""
    pairs = sorted_pairs(fields, keep_empty=keep_empty, skip=skip, fold_case=fold_case)
    return "".join([name + value for name, value in pairs])


def md5_upper(text: str) -> str:
    """MD5 of the text's UTF-8 bytes in upper-case hex."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest().upper()


def sha1_upper(text: str) -> str:
    """SHA-1 of the text's UTF-8 bytes in upper-case hex."""
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest().upper()


def same_digest(one: str, other: str) -> bool:
    """Whether two hex digests are the same, without regard to case and in a time that does not tell where they differ.

    Either may be any text whatever: comparing as bytes keeps text beyond ASCII from raising, which would be an oracle.
    """
    return hmac.compare_digest(_comparable(one), _comparable(other))


def _comparable(digest: str) -> bytes:
    # bytes.lower() folds ASCII alone; str.lower() would make the Kelvin sign equal to a k.
    return digest.encode("utf-8", "surrogatepass").lower()
