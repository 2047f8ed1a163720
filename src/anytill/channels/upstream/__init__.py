"""Another gateway as a channel: any dialect's client in the place of a wallet."""

from anytill.channels.upstream.channel import UpstreamChannel

__all__ = ["UpstreamChannel"]
