"""Rows of the register as values and values as rows; as `rows`, for who is who.

Most of these records are a key and little else, so one rule serves them all: the named columns are columns, every
other field travels in `about`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, TypeVar

import orjson

from anytill.core.device import Act, Device, OneTimeCode, Operator, Shop, Sighting
from anytill.core.merchant import Agent, CredentialSummary, Merchant, MerchantState
from anytill.storage.rows import Values, json_text, known
from anytill.storage.writes import Row

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    T = TypeVar("T", bound=DataclassInstance)

_AGENT: Final = ("agent_id",)
_SHOP: Final = ("merchant_id", "shop_id")
_OPERATOR: Final = ("merchant_id", "operator_id")
_DEVICE: Final = ("dialect", "device_id", "merchant_id", "version")
_ACT: Final = ("merchant_id", "act_id", "at_ms")


def _values(record: DataclassInstance, columns: Sequence[str]) -> Values:
    """The columns, and everything else in `about`."""
    about = {}
    for name in record.__dataclass_fields__:
        if name not in columns:
            value = getattr(record, name)
            about[name] = dict(value) if isinstance(value, Mapping) else value
    return {**{name: getattr(record, name) for name in columns}, "about": json_text(about)}


def _record(kind: type[T], columns: Sequence[str], row: Row) -> T:
    """The inverse, from a row of the columns and `about`."""
    return kind(**dict(zip(columns, row, strict=False)), **known(kind, row[len(columns)]))


def merchant_values(merchant: Merchant) -> Values:
    """The values of put_merchant and add_merchant."""
    about = {
        "name": merchant.name,
        "short_name": merchant.short_name,
        "max_amount_fen": merchant.max_amount_fen,
        "channels": {str(wallet): channel for wallet, channel in merchant.channels.items()},
        "trade_code": merchant.trade_code,
        "password_hash": merchant.password_hash,
        "details": dict(merchant.details),
    }
    return {
        "merchant_id": merchant.merchant_id,
        "state": merchant.state.value,
        "about": json_text(about),
        "agent_id": merchant.agent_id,
        "mobile": merchant.mobile,
        "username": merchant.username,
        "currency": merchant.currency,
    }


def moved_merchant(before: Merchant, after: Merchant) -> Values:
    """The values of move_merchant. Raises ValueError if `after` is another merchant."""
    if before.merchant_id != after.merchant_id:
        raise ValueError(f"a move of merchant {before.merchant_id} cannot change merchant_id")
    return merchant_values(after) | {"version": before.version}


def merchant_of(row: Row) -> Merchant:
    """A merchant from {merchant_columns}."""
    return Merchant(
        merchant_id=row[0],
        state=MerchantState(row[1]),
        agent_id=row[3],
        mobile=row[4],
        username=row[5],
        version=row[6],
        currency=row[7],
        **known(Merchant, row[2]),
    )


def mandates_of(rows: Sequence[Row]) -> Mapping[str, str]:
    """The merchants of a credential from its rows, which end in number and merchant; one without any has one row."""
    return {row[-2]: row[-1] for row in rows if row[-1] is not None}


def summary_of(rows: Sequence[Row]) -> CredentialSummary:
    """A credential without its secrets from its rows of credentials."""
    dialect, login, active, has_previous, previous_until_ms, _, _ = rows[0]
    return CredentialSummary(dialect, login, bool(active), mandates_of(rows), bool(has_previous), previous_until_ms)


def agent_values(agent: Agent) -> Values:
    """The values of put_agent and add_agent."""
    return _values(agent, _AGENT)


def agent_of(row: Row) -> Agent:
    """An agent from a row of agents."""
    return _record(Agent, _AGENT, row)


def shop_values(shop: Shop) -> Values:
    """The values of add_shop."""
    return _values(shop, _SHOP)


def shop_of(row: Row) -> Shop:
    """A shop from a row of shops_of."""
    return _record(Shop, _SHOP, row)


def operator_values(operator: Operator) -> Values:
    """The values of add_operator."""
    return _values(operator, _OPERATOR)


def moved_operator(before: Operator, after: Operator) -> Values:
    """The values of move_operator."""
    return {**operator_values(after), "former": operator_values(before)["about"]}


def operator_of(row: Row) -> Operator:
    """An operator from a row of operators_of."""
    return _record(Operator, _OPERATOR, row)


def device_values(device: Device) -> Values:
    """The values of put_device, add_device and move_device."""
    return _values(device, _DEVICE)


def device_of(row: Row) -> Device:
    """A device from {device_columns}."""
    return _record(Device, _DEVICE, row)


def act_values(act: Act) -> Values:
    """The values of add_act."""
    return _values(act, _ACT)


def act_of(row: Row) -> Act:
    """An act from a row of acts."""
    return _record(Act, _ACT, row)


def code_values(code: OneTimeCode) -> Values:
    """The values of put_code, all but not_since_ms."""
    return {
        "purpose": code.purpose,
        "holder": code.holder,
        "digest": code.digest,
        "made_at_ms": code.made_at_ms,
        "expires_at_ms": code.expires_at_ms,
        "tries_left": code.tries_left,
    }


def sighting_values(sighting: Sighting) -> Values:
    """The values of saw."""
    return {"dialect": sighting.dialect, "login": sighting.login, "at_ms": sighting.at_ms, "peer": sighting.peer}


def sighting_of(row: Row) -> Sighting:
    """A sighting from a row of sightings."""
    return Sighting(dialect=row[0], login=row[1], at_ms=row[2], peer=row[3])


def texts_of(text: str) -> Mapping[str, str]:
    """A stored mapping of texts."""
    texts: dict[str, str] = orjson.loads(text)
    return texts
