"""Whom we ask for money. Each folder here is one kind of channel and says so in its `CHANNEL`; a new one touches
nothing else, because kinds are found by looking.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules

from anytill.ports import Chance, Channel, Clock, Journal, Till


@dataclass(frozen=True, slots=True)
class ChannelParts:
    """What a channel may use of the world."""

    name: str  # as it stands in the settings and in the ledger
    clock: Clock
    chance: Chance
    options: Mapping[str, str]  # what the settings say of this channel
    open_journal: Callable[[], Journal]  # a file of its own
    open_till: Callable[[], Till]  # a client of another gateway


@dataclass(frozen=True, slots=True)
class ChannelKind:
    """One folder: its name, a title for people, and how a channel of this kind is made."""

    name: str
    title: str
    open: Callable[[ChannelParts], Channel]


def load_channels() -> Mapping[str, ChannelKind]:
    """Every kind of channel there is, by name."""
    kinds: dict[str, ChannelKind] = {}
    for folder in sorted(module.name for module in iter_modules(__path__) if module.ispkg):
        kind = getattr(import_module(f"{__name__}.{folder}"), "CHANNEL", None)
        if not isinstance(kind, ChannelKind) or kind.name != folder:
            raise ValueError(f"channels/{folder} must have a CHANNEL of its own name")
        kinds[folder] = kind
    return kinds
