"""These tests are about bytes and fields; the law of all dialects is what runs on both stores."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.dialects.semoor.desk import Desk
from tests.world import World


@pytest.fixture
def store_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'world.db'}"


@pytest.fixture
def desk(world: World) -> Desk:
    return Desk(world)
