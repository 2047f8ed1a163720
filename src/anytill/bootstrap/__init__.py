"""Puts the parts together. The only place that knows every concrete one; tests put others together instead.

    settings -> store, channels, clock, watch -> Gateway -> one handler for each route of each dialect -> Application

assembly    opens everything in order and closes it in the opposite one; runs server and workers
routes      what answers at which path
channels    the channels that the settings name
stores      the store that the settings name: to own, to look at, to keep
directory   merchants and credentials at the start, as the settings file has them
demo        the same for a demo
terminals   a terminal's lines; `stand` sets one up beside the gateway, `customer` plays who is in front of it
keys        where keys and secrets are read, and which are good enough
"""

from __future__ import annotations

from anytill.bootstrap.assembly import Assembly, assembled, run, seldom_collected
from anytill.bootstrap.demo import DEMO_MERCHANT, write_demo_directory
from anytill.bootstrap.stand import Stand
from anytill.bootstrap.stores import Keeper, keeping, looking

__all__ = [
    "DEMO_MERCHANT",
    "Assembly",
    "Keeper",
    "Stand",
    "assembled",
    "keeping",
    "looking",
    "run",
    "seldom_collected",
    "write_demo_directory",
]
