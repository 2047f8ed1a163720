"""Keeping the register while a gateway runs: both write, neither fails, nothing is lost, each sees the other's."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import apsw
import asyncpg
import pytest

from anytill.core.merchant import Merchant
from anytill.core.payment import PaymentRef
from anytill.core.secret import Secret
from anytill.ports import StoreUnavailable
from anytill.storage import InUse, WrongSchema, open_store, open_to_keep
from tests.storage.conftest import VAULT, Database
from tests.storage.samples import SHOP, a_payment, fetched
from tests.storage.test_register_contract import AGENT_KEY, MERCHANT, an_act

pytestmark = pytest.mark.anyio

ROUNDS = 200

#: A keeper in a process of its own: raises one merchant's version and adds one more merchant, again and again.
_KEEPER = """
import asyncio, sys
from dataclasses import replace
from anytill.core.merchant import Merchant
from anytill.storage import open_to_keep
from tests.storage.conftest import VAULT
async def main():
    keeper = await open_to_keep(sys.argv[1], VAULT)
    for number in range(int(sys.argv[2])):
        while not await keeper.move_merchant(now := await keeper.merchant("m1"), replace(now, name=now.name + "k")):
            pass
        await keeper.put_merchant(Merchant(f"kept {number}", ""))
    await keeper.close()
asyncio.run(main())
"""


async def test_a_gateway_and_a_keeper_write_at_one_time(database: Database) -> None:
    gateway = await database.open()
    keeper = await open_to_keep(database.url, VAULT)
    await gateway.put_merchant(MERCHANT)
    for number in range(ROUNDS):
        payment = a_payment(number)
        kept = replace(MERCHANT, name=f"name {number}")
        added, _, _ = await asyncio.gather(
            gateway.add_payment(payment),
            keeper.put_merchant(kept, an_act(number)),
            keeper.put_credential(replace(AGENT_KEY, secret=Secret(f"key {number}"))),
        )
        assert added
        assert await gateway.merchant("m1") == replace(kept, version=number + 1), "the gateway sees it at once"
        key = await gateway.credential("chaoying", "agent")
        assert key
        assert key.secret == Secret(f"key {number}")
        assert await keeper.payment(SHOP, payment.ref) == payment
    await keeper.close()
    assert len(await gateway.acts(ROUNDS + 1)) == ROUNDS
    assert await gateway.audit() == []
    await gateway.close()


async def test_no_change_is_lost_between_processes(database: Database) -> None:
    gateway = await database.open()
    await gateway.put_merchant(replace(MERCHANT, name=""))
    keeping = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _KEEPER, database.url, str(ROUNDS), stderr=subprocess.PIPE
    )
    ours = payments = 0
    while keeping.returncode is None:
        payment = a_payment(payments)
        now = await gateway.merchant("m1")
        assert now
        moved, added = await asyncio.gather(
            gateway.move_merchant(now, replace(now, name=now.name + "g")), gateway.add_payment(payment)
        )
        assert added
        ours += moved
        payments += 1
    assert (await keeping.communicate())[1] == b""
    assert keeping.returncode == 0
    now = await gateway.merchant("m1")
    assert now
    assert (now.name.count("k"), now.name.count("g"), now.version) == (ROUNDS, ours, ROUNDS + ours)
    assert len(await gateway.merchants(2 * ROUNDS)) == ROUNDS + 1
    for number in range(payments):
        assert await gateway.payment(SHOP, PaymentRef(f"T{number}")) == a_payment(number)
    await gateway.close()


async def test_a_keeper_owns_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    await (await open_store(url, vault=VAULT)).close()
    keeper = await open_to_keep(url, VAULT)
    other = await open_to_keep(url, VAULT)
    gateway = await open_store(url, vault=VAULT)
    with pytest.raises(InUse):
        await open_store(url, vault=VAULT)
    await keeper.put_merchant(MERCHANT)
    await other.put_merchant(Merchant("m2", ""))
    assert await gateway.merchants(9) == [MERCHANT, Merchant("m2", "")]
    await keeper.close()
    await keeper.close()
    with pytest.raises(StoreUnavailable):
        await keeper.put_merchant(MERCHANT)
    with pytest.raises(StoreUnavailable):
        await keeper.merchants(9)
    payment = a_payment(1)
    assert await gateway.add_payment(payment)
    await gateway.close()
    assert await fetched(other, payment) == payment
    await other.close()
    assert not (tmp_path / "store.db-wal").exists()


async def test_what_a_keeper_writes_is_on_disk(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    await (await open_store(url, vault=VAULT)).close()
    keeper = await open_to_keep(url, VAULT)
    for pragma, value in (("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)):
        assert keeper._engine._writer.pragma(pragma) == value  # type: ignore[attr-defined]
    await keeper.close()


async def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"store\.db"):
        await open_to_keep(f"sqlite:///{tmp_path}/store.db", VAULT)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="a store is sqlite:///path"):
        await open_to_keep("store.db", VAULT)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("DELETE FROM migration", "of an older version"),
        ("DELETE FROM migration WHERE number > 1", "of an older version"),
        ("INSERT INTO migration (number, name, checksum) SELECT MAX(number) + 1, 'x', 'x' FROM migration", "has migra"),
        ("UPDATE migration SET checksum = 'x'", "is not the one"),
        ("DROP TABLE migration", "no store of anytill"),
    ],
)
async def test_a_store_of_another_version_is_not_kept(database: Database, change: str, told: str) -> None:
    await (await database.open()).close()
    await database.meddle(change)
    with pytest.raises(WrongSchema, match=told):
        await open_to_keep(database.url, VAULT)


async def test_what_is_no_store_is_told_and_left_as_it_is(tmp_path: Path, shared_postgres: str) -> None:
    path = tmp_path / "diary.db"
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE diary (page TEXT)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(WrongSchema, match="no store of anytill"):
        await open_to_keep(f"sqlite:///{path}", VAULT)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["diary.db"]

    await Database(shared_postgres, group_commit=True).meddle("DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    with pytest.raises(WrongSchema, match="no store of anytill"):
        await open_to_keep(shared_postgres, VAULT)
    session = await asyncpg.connect(shared_postgres)
    assert await session.fetch("SELECT 1 FROM pg_tables WHERE schemaname = 'public'") == []
    await session.close()
