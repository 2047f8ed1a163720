"""Gateways to test against: a demo and a served one, each started once for all tests that do not kill them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.acceptance.harness import Demo, Gateway, Serve, running


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A running demo. When all tests are done its books are audited and its logs searched."""
    gateway = Demo(tmp_path_factory.mktemp("demo"))
    with running(gateway):
        yield gateway


@pytest.fixture
def own_demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A running demo for one test that stops, kills or fast-forwards it; audited and searched likewise."""
    gateway = Demo(tmp_path_factory.mktemp("own-demo"))
    with running(gateway):
        yield gateway


@pytest.fixture
def served(postgres_dsn: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """A running gateway on PostgreSQL with a shop of its own; audited and searched likewise."""
    gateway = Serve(tmp_path_factory.mktemp("served"), store=postgres_dsn)
    with running(gateway):
        yield gateway


@pytest.fixture(params=["sqlite", "postgres"])
def either(request: pytest.FixtureRequest) -> Gateway:
    """A gateway on each store in turn."""
    gateway: Gateway = request.getfixturevalue("demo" if request.param == "sqlite" else "served")
    return gateway
