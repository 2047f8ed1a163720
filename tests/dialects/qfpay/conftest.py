"""A register's desk on each kind of store."""

from __future__ import annotations

import pytest

from tests.dialects.qfpay.desk import Desk
from tests.world import World


@pytest.fixture
async def desk(world: World) -> Desk:
    return await Desk(world).opened()
