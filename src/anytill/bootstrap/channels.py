"""Channels as the settings name them, each with what its kind needs of the world."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from anytill.bootstrap.keys import secret_variable
from anytill.channels import ChannelParts, load_channels
from anytill.channels.sandbox import SandboxChannel
from anytill.config import ChannelSettings, SettingsError
from anytill.dialects import load_dialects
from anytill.ports import Channel, Clock, Journal, Till
from anytill.transports.clock import MovableClock, SystemChance
from anytill.transports.http_client import open_send
from anytill.transports.journal import JournalBusy

UPSTREAM_TIMEOUT_MS: Final = 10_000

#: How a sandbox's book is opened; a file, but for measurements.
OpenJournal = Callable[[Path], Journal]


def open_channel(settings: ChannelSettings, stack: AsyncExitStack, clock: Clock, open_book: OpenJournal) -> Channel:
    """The channel that the settings describe; what it opens is closed with `stack`. Raises SettingsError."""
    kinds = load_channels()
    if settings.kind not in kinds:
        raise SettingsError(f"[channel.{settings.name}] kind must be one of {', '.join(kinds)}")

    def open_journal() -> Journal:
        book = Path(_option(settings, "book"))
        try:
            journal = open_book(book)
        except JournalBusy:
            raise SettingsError(f"[channel.{settings.name}] book: {book} is in use by another process") from None
        stack.push_async_callback(journal.close)
        return journal

    parts = ChannelParts(
        name=settings.name,
        clock=clock,
        chance=SystemChance(),
        options=settings.options,
        open_journal=open_journal,
        open_till=lambda: _open_till(settings, stack),
    )
    return kinds[settings.kind].open(parts)


def restore_clock(clock: MovableClock, channels: Mapping[str, Channel]) -> None:
    """A demo that was moved on and killed goes on where it was: time never runs backwards for an order."""
    moved = [channel.restored_offset_ms for channel in channels.values() if isinstance(channel, SandboxChannel)]
    clock.advance(max(moved, default=0))


def _open_till(settings: ChannelSettings, stack: AsyncExitStack) -> Till:
    """A dialect's client, for a channel that is another gateway."""
    dialects = load_dialects()
    dialect = dialects.get(_option(settings, "dialect"))
    if dialect is None:
        raise SettingsError(f"[channel.{settings.name}] dialect must be one of {', '.join(dialects)}")
    # Lost answers must be asked about and money must find its way back: without these a channel is not safe.
    if lacking := {"query", "cancel", "refund", "query_refund"} - dialect.operations:
        raise SettingsError(f"[channel.{settings.name}] {dialect.name} cannot be a channel: it lacks {min(lacking)}")
    values = dict(settings.options)
    if "secret_env" in values:
        where = f"[channel.{settings.name}]"
        values[_option(settings, "secret_name")] = secret_variable(where, values["secret_env"])
    if missing := [name for name in dialect.client_settings if not values.get(name)]:
        raise SettingsError(f"[channel.{settings.name}] needs {missing[0]}")
    send = open_send(values["base_url"], timeout_ms=UPSTREAM_TIMEOUT_MS)
    stack.push_async_callback(send.aclose)
    return dialect.client(values, send)


def _option(settings: ChannelSettings, name: str) -> str:
    value = settings.options.get(name, "")
    if not value:
        raise SettingsError(f"[channel.{settings.name}] needs {name}")
    return value
