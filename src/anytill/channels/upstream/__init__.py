"""Another gateway as a channel: any dialect's client in the place of a wallet."""

from __future__ import annotations

from anytill.channels import ChannelKind, ChannelParts
from anytill.channels.upstream.channel import UpstreamChannel

__all__ = ["CHANNEL", "UpstreamChannel"]


def _open(parts: ChannelParts) -> UpstreamChannel:
    return UpstreamChannel(parts.name, parts.open_till(), parts.options.get("notice_url", ""))


CHANNEL = ChannelKind(name="upstream", title="Another gateway", open=_open)
