"""What a registration (Mch_Reg) says of a merchant.

The document leaves its fields to a talk with the vendor, so any are taken. Five are understood, by the names that the
document uses for them elsewhere, without regard to case and underscores:

    FullName, mch_full_name -> name          Mobile   -> mobile       Password -> kept as its hash only
    ShortName, mch_short_name -> short name  UserName -> user name    (user name: the mobile, if none is given)

Of the rest, a few that say what the business is and where are kept as they came, in the merchant's details, and the
list of its numbers at WeChat. Nobody here needs the others, and they may be anything: account numbers, identity cards,
scans. So they are kept by name with the end of their value at most, which is enough to see that they were sent and to
compare them with a paper; what looks like a password is not kept at all. Since every field is read, no value may hide
another one: what the agent signed has one meaning (`wire.one_meaning` has the why).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from anytill.core.merchant import Merchant
from anytill.core.payment import fingerprint
from anytill.dialects.chaoying.fields import COMMON, MOBILE, PASSWORD, USERNAME
from anytill.dialects.chaoying.messages import FORMS
from anytill.dialects.chaoying.words import CallRefused, Management
from anytill.wire.errors import Ambiguous, BadField, MissingField, TooLarge
from anytill.wire.fields import Kind, pattern

MOST_FIELDS: Final = 100
MOST_CHARACTERS: Final = 32 * 1024
UNNAMED: Final = "未命名商户"
_FULL_NAME: Final = pattern("不超过128个字符的商户全称", r"[^\r\n\t]+", 128)
_SHORT_NAME: Final = pattern("不超过64个字符的商户简称", r"[^\r\n\t]+")
_UNDERSTOOD: Final[Mapping[str, tuple[str, Kind]]] = {
    "fullname": ("name", _FULL_NAME),
    "mchfullname": ("name", _FULL_NAME),
    "shortname": ("short_name", _SHORT_NAME),
    "mchshortname": ("short_name", _SHORT_NAME),
    "mobile": ("mobile", MOBILE),
    "username": ("username", USERNAME),
    "password": ("password", PASSWORD),
}
#: Kept as they are, by the names of the vendor's older registration.
_KEPT: Final = frozenset(
    ("partnerlist", "dealtype", "industryid", "provinceid", "cityid", "countyid", "address", "flagtype")
)
_SHORTEST_PARTLY_SHOWN: Final = 12
_SHOWN: Final = 4
#: Not of the merchant, but of the request.
_ASIDE: Final = frozenset({row.name for row in COMMON} | {"sign", "nonce_str"})
#: A signature does not say to which address its request was sent. These say that it was not this one.
_ELSEWHERE: Final = frozenset({"method", "mch_id", "valid", "js_code", "op_device_id"})
_OTHER_CALLS: Final = frozenset().union(*(form.names for form in FORMS))
_HIDDEN: Final = re.compile(r"&[A-Za-z0-9_.]{1,64}=")
_SECRET: Final = re.compile(r"passw|pwd|secret")


def read(sent: Mapping[str, str]) -> tuple[Merchant, str]:
    """The merchant that the fields describe, and its person's password, if there is one. Raises WireError, CallRefused.

    The merchant has no id, state and agent yet.
    """
    _check(sent)
    values: dict[str, str] = {}
    details: dict[str, str] = {}
    for name, value in sent.items():
        if name in _ASIDE:
            continue
        folded = name.replace("_", "").lower()
        if folded in _UNDERSTOOD:
            target, kind = _UNDERSTOOD[folded]
            if not kind.takes(value):
                raise BadField(name, kind.expected)
            if values.setdefault(target, value) != value:
                raise BadField(name, "the same by either of its names")
        elif not _is_secret(name):
            details[name] = value if folded in _KEPT else _masked(value)
    password = values.get("password", "")
    username = values.get("username") or (values.get("mobile", "") if password else "")
    if password and not username:
        raise MissingField("UserName")
    merchant = Merchant(
        merchant_id="",
        name=values.get("name") or values.get("short_name") or UNNAMED,
        short_name=values.get("short_name", ""),
        mobile=values.get("mobile", ""),
        username=username,
        details=details,
    )
    return merchant, password


def words_of(sent: Mapping[str, str]) -> str:
    """Equal for registrations that say the same of a merchant. Without the password, which is not for quick digests."""
    said = ((name, value) for name, value in sorted(sent.items()) if name not in _ASIDE and not _is_secret(name))
    return fingerprint(*(part for pair in said for part in pair))


def expected_of(name: str) -> str | None:
    """What one of the fields that are understood must be, for people."""
    understood = _UNDERSTOOD.get(name.replace("_", "").lower())
    return understood[1].expected if understood else None


def _is_secret(name: str) -> bool:
    return _SECRET.search(name.replace("_", "").lower()) is not None


def _masked(value: str) -> str:
    return f"****{value[-_SHOWN:]}" if len(value) >= _SHORTEST_PARTLY_SHOWN else "****"


def _check(sent: Mapping[str, str]) -> None:
    if sent.keys() - _ASIDE <= _OTHER_CALLS:
        raise CallRefused(Management.NOTHING_TO_REGISTER.refused)
    for name in sent:
        if name in _ELSEWHERE:
            raise BadField(name, "left out: this call makes a merchant")
    if len(sent) > MOST_FIELDS or sum(map(len, sent.values())) > MOST_CHARACTERS:
        raise TooLarge(f"more than {MOST_FIELDS} fields or {MOST_CHARACTERS} characters")
    if any(_HIDDEN.search(value) for value in sent.values()):
        raise Ambiguous
