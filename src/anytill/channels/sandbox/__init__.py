"""The sandbox: an ordinary channel with a wallet behind it, whose payers do what their codes say.

Read `outcomes` for what can happen, `wallet` for how it is decided, `diary` for why nothing told is ever lost.
"""

from __future__ import annotations

from anytill.channels import ChannelKind, ChannelParts
from anytill.channels.sandbox.channel import SandboxChannel
from anytill.channels.sandbox.outbox import Outbox

__all__ = ["CHANNEL", "Outbox", "SandboxChannel"]


def _open(parts: ChannelParts) -> SandboxChannel:
    return SandboxChannel(parts.name, parts.open_journal(), parts.clock, parts.chance)


CHANNEL = ChannelKind(name="sandbox", title="Sandbox wallet", open=_open)
