"""Fixtures for all tests: the event loop, a PostgreSQL server and databases of one's own, hypothesis' profiles."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from hypothesis import HealthCheck, settings

from tests.postgres import NoServer, Server, fresh_database, server_for_tests

IN_CI = os.environ.get("CI", "").lower() in {"1", "true"}

# CI must say the same about the same commit, so it draws no new examples; at a desk each run looks further.
settings.register_profile("ci", derandomize=True, deadline=None, max_examples=100, print_blob=True)
settings.register_profile("dev", deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if IN_CI else "dev"))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


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
