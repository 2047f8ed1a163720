"""Puts the parts together. The only place that knows every concrete one; tests put others together instead.

    settings -> store, channels, clock, watch -> Gateway -> one handler for each route of each dialect -> Application

assembly    opens everything in order and closes it in the opposite one; runs server and workers
routes      what answers at which path
channels    the channels that the settings name
directory   merchants, credentials and keys at the start
"""

from __future__ import annotations

from anytill.bootstrap.assembly import Assembly, assembled, looking, run, seldom_collected
from anytill.bootstrap.directory import DEMO_MERCHANT, write_demo_directory

__all__ = ["DEMO_MERCHANT", "Assembly", "assembled", "looking", "run", "seldom_collected", "write_demo_directory"]
