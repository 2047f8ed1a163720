"""A register's desk. Most of these tests are about messages and people, so one kind of store does; those about what
becomes durable when take both (`desk.on_both_stores`)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.dialects.qfpay.desk import Desk
from tests.world import World


@pytest.fixture
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if getattr(request, "param", "sqlite") == "sqlite":
        return f"sqlite:///{tmp_path / 'world.db'}"
    dsn: str = request.getfixturevalue("postgres_dsn")
    return dsn


@pytest.fixture
async def desk(world: World) -> Desk:
    return await Desk(world).opened()
