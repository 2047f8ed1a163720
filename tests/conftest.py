"""Fixtures for all tests: the event loop, a PostgreSQL server, a gateway on each kind of store, hypothesis."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from anytill.storage import postgres_link
from tests.postgres import NoServer, Server, fresh_database, server_for_tests
from tests.world import World, opened_world

#: What needs a gateway is tested on both.
STORES = ("sqlite", "postgres")
IN_CI = os.environ.get("CI", "").lower() not in {"", "0", "false"}

# What a command prints is compared word for word, and these would colour it or fold its lines otherwise. Typer asks for
# them when it is imported, which nothing above does; processes that tests start inherit what is set here.
for _name in ("FORCE_COLOR", "GITHUB_ACTIONS", "PY_COLORS", "TERMINAL_WIDTH", "TTY_COMPATIBLE"):
    os.environ.pop(_name, None)
os.environ["COLUMNS"] = "80"

# CI must say the same about the same commit, so it draws no new examples; at a desk each run looks further.
settings.register_profile("ci", derandomize=True, deadline=None, max_examples=100, print_blob=True)
settings.register_profile("dev", deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if IN_CI else "dev"))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def patience_with_postgres() -> Iterator[None]:
    """A connection may take longer here than the product lets it: server and test may both have to wait for a core.
    No test is about how long; a server that is not there refuses at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(postgres_link, "_CONNECT_S", 60)
        yield


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """A PostgreSQL server for the session. Without one the test is skipped at a desk and fails in CI."""
    with ExitStack() as stack:
        try:
            server = stack.enter_context(server_for_tests())
        except NoServer as reason:
            if IN_CI:
                pytest.fail(f"no PostgreSQL server: {reason}")
            pytest.skip(f"no PostgreSQL server: {reason}")
        yield server


@pytest.fixture
def postgres_dsn(postgres_server: Server) -> Iterator[str]:
    """The DSN of an empty database that is this test's alone."""
    with fresh_database(postgres_server.dsn) as dsn:
        yield dsn


@pytest.fixture(params=STORES)
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty store of each engine in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'world.db'}"
    dsn: str = request.getfixturevalue("postgres_dsn")
    return dsn


@pytest.fixture
async def world(store_url: str, tmp_path: Path) -> AsyncIterator[World]:
    """A started gateway on an empty store."""
    async with opened_world(store_url, tmp_path) as world:
        yield world
