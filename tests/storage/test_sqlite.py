"""What is peculiar to the store on a file."""

from __future__ import annotations

import asyncio
import stat
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from anytill.core.payment import PaymentRef
from anytill.ports import StoreUnavailable
from anytill.storage import open_store
from anytill.storage.sqlite import InUse
from tests.storage.conftest import VAULT
from tests.storage.samples import SHOP, a_payment

pytestmark = pytest.mark.anyio

#: Opens a store, writes a payment, says so, and is killed while it holds the file.
_DOOMED = """
import asyncio, os, sys
from anytill.storage import open_store
from tests.storage.conftest import VAULT
from tests.storage.samples import a_payment
async def main():
    store = await open_store(sys.argv[1], vault=VAULT)
    assert await store.add_payment(a_payment(1))
    print("written", flush=True)
    sys.stdin.read()
asyncio.run(main())
"""


async def test_one_process_owns_a_file(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    store = await open_store(url, vault=VAULT)
    with pytest.raises(InUse, match=r"store\.db is in use"):
        await open_store(url, vault=VAULT)
    assert await store.add_payment(a_payment(1))
    await store.close()
    await (await open_store(url, vault=VAULT)).close()


async def test_a_killed_owner_leaves_its_writes_and_no_lock(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    child = subprocess.Popen([sys.executable, "-c", _DOOMED, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout
    assert child.stdin
    assert child.stdout.readline() == b"written\n"
    with pytest.raises(InUse):
        await open_store(url, vault=VAULT)
    child.kill()
    child.wait()
    child.stdin.close()
    child.stdout.close()
    store = await open_store(url, vault=VAULT)
    assert await store.payment(SHOP, PaymentRef("T1")) == a_payment(1)
    await store.close()


async def test_the_file_is_durable_and_ours_alone(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = await open_store(f"sqlite:///{path}", vault=VAULT)
    engine = store._engine
    for pragma, value in (("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)):
        assert engine._writer.pragma(pragma) == value  # type: ignore[attr-defined]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    await store.close()
    assert not path.with_name("store.db-wal").exists()


async def test_a_reader_sees_the_last_commit_while_another_is_written(tmp_path: Path) -> None:
    store = await open_store(f"sqlite:///{tmp_path}/store.db", vault=VAULT)
    assert await store.add_payment(a_payment(1))
    outsider = apsw.Connection(str(tmp_path / "store.db"))
    outsider.execute("BEGIN IMMEDIATE")
    writing = asyncio.create_task(store.add_payment(a_payment(2)))
    await asyncio.sleep(0)
    assert await store.payment(SHOP, PaymentRef("T1")) == a_payment(1)
    assert not writing.done()
    outsider.execute("COMMIT")
    assert await writing
    outsider.close()
    await store.close()


async def test_a_file_that_stays_locked_is_unavailable_and_recovers(tmp_path: Path) -> None:
    store = await open_store(f"sqlite:///{tmp_path}/store.db", vault=VAULT)
    store._engine._writer.set_busy_timeout(1)  # type: ignore[attr-defined]
    outsider = apsw.Connection(str(tmp_path / "store.db"))
    outsider.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable):
        await store.add_payment(a_payment(1))
    outsider.execute("COMMIT")
    outsider.close()
    assert await store.add_payment(a_payment(1))
    await store.close()


@pytest.mark.parametrize("url", ["sqlite:///", "sqlite:///:memory:", "mysql://x", "store.db", ""])
async def test_what_is_no_store_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="sqlite:///"):
        await open_store(url, vault=VAULT)
