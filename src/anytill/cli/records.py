"""Records of the register as the screen and JSON show them: plain facts, never a secret.

A command hands back what it has to show (`Shown`): one record, several, or several kinds of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import typer

from anytill.cli.sentences import say

if TYPE_CHECKING:
    from anytill.core.device import Act, Device, Operator, Shop, Sighting
    from anytill.core.merchant import CredentialSummary, Merchant

Facts = dict[str, object]


class Shown(Protocol):
    """What a command has to show."""

    def show(self, *, as_json: bool) -> None:
        """Print it."""


@dataclass(frozen=True, slots=True)
class One:
    """One record."""

    facts: Facts

    def show(self, *, as_json: bool) -> None:
        """A JSON object, or a line."""
        typer.echo(json.dumps(self.facts, ensure_ascii=False) if as_json else _line(self.facts))


@dataclass(frozen=True, slots=True)
class Several:
    """Records of one kind; `none` is what people are told when there are none, `more` when there may be more."""

    records: Sequence[Facts]
    none: str
    more: str = ""

    def show(self, *, as_json: bool) -> None:
        """A JSON array, or a line for each."""
        if as_json:
            typer.echo(json.dumps(self.records, ensure_ascii=False))
        else:
            for record in self.records:
                typer.echo(_line(record))
            if not self.records:
                say(self.none)
        if self.more:
            say(self.more)


@dataclass(frozen=True, slots=True)
class Parts:
    """Lists of records under their titles."""

    lists: Mapping[str, Sequence[Facts]]

    def show(self, *, as_json: bool) -> None:
        """A JSON object of arrays, or a line for each record, its title first."""
        if as_json:
            typer.echo(json.dumps(self.lists, ensure_ascii=False))
            return
        for title, records in self.lists.items():
            for record in records:
                typer.echo(f"{title}: {_line(record)}")


def _line(facts: Facts) -> str:
    return "  ".join(f"{label}={_text(value)}" for label, value in facts.items() if value not in ("", None, {}, []))


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ",".join(f"{key}:{each}" if key else str(each) for key, each in value.items())
    return str(value)


def moment(at_ms: int | None) -> str:
    """A time as people read it, in Beijing; empty for none."""
    from anytill.core.ids import beijing

    return f"{beijing(at_ms):%Y-%m-%d %H:%M:%S}" if at_ms else ""


def merchant_facts(merchant: Merchant) -> Facts:
    """A merchant, its details left out."""
    from anytill.wire.amounts import format_yuan

    return {
        "merchant_id": merchant.merchant_id,
        "name": merchant.name,
        "short_name": merchant.short_name,
        "state": merchant.state.value,
        "currency": merchant.currency,
        "max_amount": format_yuan(merchant.max_amount_fen),
        "channels": dict(merchant.channels),
        "agent_id": merchant.agent_id,
        "mobile": merchant.mobile,
        "username": merchant.username,
        "password": "set" if merchant.password_hash else "",
    }


def shop_facts(shop: Shop) -> Facts:
    """A shop."""
    return {"shop_id": shop.shop_id, "merchant_id": shop.merchant_id, "name": shop.name}


def operator_facts(operator: Operator) -> Facts:
    """A person at a till."""
    return {
        "operator_id": operator.operator_id,
        "merchant_id": operator.merchant_id,
        "name": operator.name,
        "shop_id": operator.shop_id,
        "active": operator.active,
    }


def device_facts(device: Device, seen: Sighting | None = None) -> Facts:
    """A device, and when and from where it was last heard."""
    return {
        "dialect": device.dialect,
        "device_id": device.device_id,
        "merchant_id": device.merchant_id,
        "name": device.name,
        "shop_id": device.shop_id,
        "active": device.active,
        "enrolled_at": moment(device.enrolled_at_ms),
        "activated_at": moment(device.activated_at_ms),
        "seen_at": moment(seen.at_ms) if seen else "",
        "seen_from": seen.peer if seen else "",
    }


def key_facts(key: CredentialSummary) -> Facts:
    """A credential; `previous_until` is when a former key ends that is still accepted."""
    return {
        "dialect": key.dialect,
        "login": key.login,
        "active": key.active,
        "merchants": dict(key.merchants),
        "previous_until": moment(key.previous_until_ms) if key.has_previous else "",
    }


def act_facts(act: Act) -> Facts:
    """Something that was done."""
    return {
        "at": moment(act.at_ms),
        "actor": act.actor,
        "what": act.what,
        "subject": act.subject,
        "merchant_id": act.merchant_id,
        **{f"about.{name}": text for name, text in act.about.items()},
    }
