"""Secrets at rest."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytill.core.merchant import Credential
from anytill.core.secret import Secret
from anytill.storage import Vault, open_store
from anytill.storage.vault import Unopenable

KEY, OTHER = b"k" * 32, b"o" * 32
texts = st.text(st.characters(exclude_categories=["Cs"]))


@given(secret=texts, owner=st.lists(texts, max_size=3))
def test_what_is_sealed_opens_for_its_owner(secret: str, owner: list[str]) -> None:
    vault = Vault(KEY)
    assert vault.unseal(vault.seal(Secret(secret), *owner), *owner) == Secret(secret)


def test_the_same_secret_never_looks_the_same() -> None:
    vault = Vault(KEY)
    assert len({vault.seal(Secret("s"), "teegon", "x") for _ in range(100)}) == 100


@pytest.mark.parametrize("owner", [("teegon", "y"), ("chaoying", "x"), ("teegonx", ""), ("teegon",), ()])
def test_moved_to_another_row_it_does_not_open(owner: tuple[str, ...]) -> None:
    sealed = Vault(KEY).seal(Secret("s"), "teegon", "x")
    with pytest.raises(Unopenable):
        Vault(KEY).unseal(sealed, *owner)


def test_no_changed_byte_goes_unnoticed() -> None:
    vault = Vault(KEY)
    sealed = vault.seal(Secret("a secret"), "x")
    for index in range(len(sealed)):
        changed = bytes(byte ^ (1 if at == index else 0) for at, byte in enumerate(sealed))
        with pytest.raises(Unopenable):
            vault.unseal(changed, "x")


@given(sealed=st.binary(max_size=80))
def test_any_bytes_open_or_say_that_they_do_not(sealed: bytes) -> None:
    with pytest.raises(Unopenable):
        Vault(KEY).unseal(b"\x01" + sealed, "x")


def test_a_new_master_key_seals_while_the_older_still_opens() -> None:
    sealed = Vault(OTHER).seal(Secret("s"), "x")
    rotated = Vault(KEY, OTHER)
    assert rotated.unseal(sealed, "x") == Secret("s")
    again = rotated.seal(Secret("s"), "x")
    assert Vault(KEY).unseal(again, "x") == Secret("s")
    with pytest.raises(Unopenable, match="master key"):
        Vault(KEY).unseal(sealed, "x")


@pytest.mark.parametrize("key", [b"", b"k" * 16, b"k" * 33])
def test_a_master_key_has_32_bytes(key: bytes) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Vault(key)
    with pytest.raises(ValueError, match="32 bytes"):
        Vault(KEY, key)


@pytest.mark.anyio
async def test_the_database_never_sees_a_secret(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    store = await open_store(url, vault=Vault(KEY))
    await store.put_credential(
        Credential("teegon", "x", Secret("canary-1"), {}, Secret("canary-2"), password=Secret("canary-3"))
    )
    await store.close()
    assert b"canary" not in b"".join(file.read_bytes() for file in tmp_path.iterdir())

    store = await open_store(url, vault=Vault(OTHER))
    with pytest.raises(Unopenable):
        await store.credential("teegon", "x")
    await store.close()

    with apsw.Connection(str(tmp_path / "store.db")) as connection:
        connection.execute("UPDATE mandate SET login = 'y'; UPDATE credential SET login = 'y'")
    connection.close()
    store = await open_store(url, vault=Vault(KEY))
    with pytest.raises(Unopenable):
        await store.credential("teegon", "y")
    await store.close()
