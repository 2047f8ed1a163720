"""Where payments are taken: a merchant's shops, the people at the tills, and the tills themselves.

A device that signs for itself has a credential of the same dialect whose login is the device's number. How such a
device comes by its key without anybody typing it is a one-time code: the operator hands out the code, the device sends
it once and is given its number and its key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Shop:
    """One of a merchant's places (门店)."""

    merchant_id: str
    shop_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Operator:
    """A person at a merchant's till (操作员)."""

    merchant_id: str
    operator_id: str
    name: str
    shop_id: str = ""
    active: bool = True


@dataclass(frozen=True, slots=True)
class Device:
    """A till, a terminal or a pay box. Numbers are unique in their dialect."""

    dialect: str
    device_id: str
    merchant_id: str
    name: str = ""
    shop_id: str = ""
    active: bool = True
    enrolled_at_ms: int = 0
    activated_at_ms: int | None = None  # when it last fetched its key with a code
    details: Mapping[str, str] = field(default_factory=dict)  # the dialect's own, not read here
    version: int = field(default=0, compare=False)  # how often it was written; 0: never yet


@dataclass(frozen=True, slots=True)
class OneTimeCode:
    """A code that may be used once: it brings a device its key, or proves that a person holds a mobile. Only a keyed
    digest of it is kept. A holder (a device, a mobile) has one code for a purpose; a new one voids the old."""

    purpose: str
    holder: str
    digest: str
    made_at_ms: int
    expires_at_ms: int | None  # None: until it is used
    tries_left: int = 5


@dataclass(frozen=True, slots=True)
class Sighting:
    """When and from which address a credential was last used with a good signature."""

    dialect: str
    login: str
    at_ms: int
    peer: str


@dataclass(frozen=True, slots=True)
class Act:
    """Something that was done to merchants, devices or keys, and by whom. Acts are only ever added."""

    act_id: str
    at_ms: int
    actor: str  # "cli:root", "chaoying:16850000000000017"
    what: str  # "merchant.add", "device.rotate" …
    subject: str  # the number of what it was done to
    merchant_id: str = ""
    about: Mapping[str, str] = field(default_factory=dict)  # what changed; never a secret
