"""What is peculiar to the store on a server: the server and the line to it may go away, and come back."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from urllib.parse import urlsplit

import asyncpg
import pytest

from anytill.core.answer import RefundAnswer
from anytill.core.device import Act, OneTimeCode
from anytill.core.lifecycle import RefundEvent, RefundState
from anytill.core.merchant import Credential, Merchant
from anytill.core.payment import Payment, PaymentRef, RefundRef
from anytill.core.secret import Secret
from anytill.core.settle import hear_refund
from anytill.ports import RefundPlaced, StoreUnavailable
from anytill.storage import SqlStore, open_store
from tests.storage.conftest import VAULT, Database
from tests.storage.samples import NOW, SHOP, a_notice, a_payment, a_refund, add_paid, fetched, paid

pytestmark = pytest.mark.anyio


class Line:
    """A line to the server that can be cut, and that can lose the server's answer after the server has acted."""

    def __init__(self, dsn: str) -> None:
        self._parts = urlsplit(dsn)
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._lossy: set[asyncio.StreamWriter] = set()
        self.up = True
        self.answers_to_lose = 0
        self._answers_to_pass = 0

    @contextlib.asynccontextmanager
    async def laid(self) -> AsyncIterator[str]:
        """Lay the line; gives the DSN that leads over it."""
        server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        try:
            yield self._parts._replace(netloc=f"postgres@127.0.0.1:{port}").geturl()
        finally:
            self.cut()
            server.close()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """Break all connections and make no more until `up` is set again."""
        self.up = False
        for writer in self._writers:
            writer.transport.abort()

    def lose_an_answer(self, after: int = 0) -> None:
        """Let the server act and cut the connection before it answers: the first answer, or one after that, of those
        connections that are open now."""
        self._lossy = set(self._writers)
        self.answers_to_lose = 1
        self._answers_to_pass = after

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.up:
            writer.transport.abort()
            return
        server_reader, server_writer = await asyncio.open_connection(self._parts.hostname, self._parts.port)
        ends = {writer, server_writer}
        self._writers |= ends
        for task in (
            asyncio.create_task(self._carry(reader, server_writer, ends, answers=False)),
            asyncio.create_task(self._carry(server_reader, writer, ends, answers=True)),
        ):
            self._tasks.add(task)

    def _is_lost(self, to: asyncio.StreamWriter) -> bool:
        if not self.answers_to_lose or to not in self._lossy:
            return False
        if self._answers_to_pass:
            self._answers_to_pass -= 1
            return False
        self.answers_to_lose -= 1
        return True

    async def _carry(
        self, source: asyncio.StreamReader, to: asyncio.StreamWriter, ends: set[asyncio.StreamWriter], *, answers: bool
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65_536):
                if answers and self._is_lost(to):
                    break
                to.write(data)
                await to.drain()
        for end in ends:
            end.transport.abort()


class Heard:
    """A watch that remembers."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def note(self, event: str, **fields: str | int) -> None:
        self.events.append(event)

    def alarm(self, event: str, **fields: str | int) -> None:
        if event != "store_may_forget":  # the test server runs without fsync
            self.events.append(event)

    def fault(self, where: str, fault: Exception, **fields: str | int) -> None:
        self.events.append(where)


@pytest.fixture(params=["grouped", "single"])
def group_commit(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "grouped")


@pytest.fixture
async def line(shared_postgres: str) -> Line:
    await Database(shared_postgres, group_commit=True).meddle("DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    return Line(shared_postgres)


@contextlib.asynccontextmanager
async def opened(line: Line, group_commit: bool, watch: Heard | None = None) -> AsyncIterator[SqlStore]:
    async with line.laid() as dsn:
        store = await open_store(dsn, vault=VAULT, group_commit=group_commit, watch=watch)
        try:
            yield store
            assert await store.audit() == []
        finally:
            await store.close()


async def test_a_server_that_goes_away_is_unavailable_until_it_is_back(line: Line, group_commit: bool) -> None:
    watch = Heard()
    async with opened(line, group_commit, watch) as store:
        payment = await add_paid(store, 1)
        line.cut()
        lost = await asyncio.gather(
            *(store.add_payment(a_payment(number)) for number in range(2, 40)),
            store.move_payment(payment, payment),
            store.add_refund(a_refund(payment)),
            store.claim_payments(1, 1, 1),
            store.payment(SHOP, PaymentRef("T1")),
            store.audit(),
            return_exceptions=True,
        )
        assert {type(failure) for failure in lost} == {StoreUnavailable}
        line.up = True
        assert await fetched(store, payment) == payment
        assert await store.add_payment(a_payment(2))
        assert await store.add_refund(a_refund(payment)) is RefundPlaced.STORED
    # Told once each way, not for every write that fails.
    assert watch.events == ["store_unavailable", "store_available"]


async def test_connections_that_die_unnoticed_are_replaced_without_a_word(
    line: Line, group_commit: bool, shared_postgres: str
) -> None:
    async with opened(line, group_commit) as store:
        payments = [await add_paid(store, number) for number in range(5)]
        await Database(shared_postgres, group_commit).meddle(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'anytill'"
            " AND datname = current_database()"
        )
        assert await asyncio.gather(*(store.add_payment(a_payment(number)) for number in range(5, 50))) == [True] * 45
        assert await asyncio.gather(*(store.move_payment(payment, payment) for payment in payments)) == [True] * 5
        assert (await fetched(store, payments[0])).version == 2


async def test_a_new_payment_whose_confirmation_is_lost_is_recognised(line: Line, group_commit: bool) -> None:
    """The commit went through, its answer did not: the second try must find its own row and not call it another's."""
    async with opened(line, group_commit) as store:
        await _warm(store)
        for number in range(2, 22):
            line.lose_an_answer()
            assert await store.add_payment(a_payment(number))
            assert line.answers_to_lose == 0
            assert not await store.add_payment(a_payment(number + 100, order_no=f"T{number}"))


async def test_a_batch_whose_confirmation_is_lost_is_recognised(line: Line) -> None:
    async with opened(line, True) as store:
        await _warm(store)
        for first in range(2, 202, 20):  # in ten rounds; now and then the lost answer is another than the commit's
            line.lose_an_answer()
            adding = [store.add_payment(a_payment(number)) for number in range(first, first + 20)]
            assert await asyncio.gather(*adding) == [True] * 20
            assert line.answers_to_lose == 0
        anothers = [store.add_payment(a_payment(number + 500, order_no=f"T{number}")) for number in range(2, 202)]
        assert await asyncio.gather(*anothers) == [False] * 200


@pytest.mark.parametrize("after", range(4))  # BEGIN, INSERT, UPDATE, COMMIT
async def test_a_refund_whose_confirmation_is_lost_is_recognised(line: Line, group_commit: bool, after: int) -> None:
    async with opened(line, group_commit) as store:
        payment = await _warm(store)
        for number in range(2, 12):
            line.lose_an_answer(after)
            assert await store.add_refund(a_refund(payment, number, 1)) is RefundPlaced.STORED
            assert line.answers_to_lose == 0
            another = a_refund(payment, number + 50, 1, refund_no=f"R{number}")
            assert await store.add_refund(another) is RefundPlaced.NUMBER_TAKEN
        assert (await fetched(store, payment)).reserved_fen == 10


async def test_a_move_whose_confirmation_is_lost_is_made_once(line: Line, group_commit: bool) -> None:
    """It may be told "no longer so", which is true; it may not be made twice."""
    async with opened(line, group_commit) as store:
        await _warm(store)
        for number in range(2, 12):
            payment = a_payment(number)
            assert await store.add_payment(payment)
            after, sale = paid(payment)
            line.lose_an_answer()
            await store.move_payment(payment, after, [sale])
            assert line.answers_to_lose == 0
            assert (await fetched(store, payment)).version == 1
            assert await store.postings_of(SHOP, payment.payment_id) == [sale]


@pytest.mark.parametrize("after", range(5))  # BEGIN, the refund, the payment, the notice, COMMIT
async def test_a_refund_whose_end_is_lost_is_told_once(line: Line, group_commit: bool, after: int) -> None:
    async with opened(line, group_commit) as store:
        payment = await _warm(store)
        for number in range(2, 8):
            refund = a_refund(payment, number, 1)
            assert await store.add_refund(refund) is RefundPlaced.STORED
            change = hear_refund(payment, refund, RefundAnswer(RefundEvent.DONE, refunded_fen=1), NOW)
            notice = replace(a_notice(payment, number), refund_id=refund.refund_id)
            line.lose_an_answer(after)
            await store.move_refund(refund, change, notice)
            line.answers_to_lose = 0
            ended = await store.refund(SHOP, RefundRef(refund_id=refund.refund_id))
            assert ended
            assert (ended.state, ended.version) == (RefundState.DONE, 1)
        assert len(await store.notices_of(SHOP, payment.payment_id)) == 6


async def test_a_code_whose_use_is_lost_is_told_to_its_user_alone(line: Line) -> None:
    async with opened(line, True) as store:
        await _warm(store)
        for number in range(10):
            code = OneTimeCode("activation", "h", f"digest {number}", NOW, None)
            assert await store.put_code(code)
            line.lose_an_answer()
            assert await store.use_code("activation", code.digest, NOW, "h")
            assert line.answers_to_lose == 0
            line.lose_an_answer()
            assert not await store.use_code("activation", code.digest, NOW, "h"), "it was another's use"
            assert line.answers_to_lose == 0


async def test_a_code_whose_confirmation_is_lost_is_recognised(line: Line) -> None:
    async with opened(line, True) as store:
        await _warm(store)
        for number in range(10):
            code = OneTimeCode("passcode", f"h{number}", f"digest {number}", NOW, None)
            line.lose_an_answer()
            assert await store.put_code(code, not_since_ms=NOW - 1)
            assert line.answers_to_lose == 0
            assert not await store.put_code(replace(code, digest=f"another {number}"), not_since_ms=NOW - 1)


@pytest.mark.parametrize("after", range(9))  # BEGIN, each step prepared and run, COMMIT
async def test_what_is_told_in_an_act_is_done_once(line: Line, after: int) -> None:
    async with opened(line, True) as store:
        await _warm(store)
        await store.put_credential(Credential("chaoying", "agent", Secret("s"), {}))
        for number in range(10):
            merchant = Merchant(f"m{number}", "new")
            acts = [Act(f"{number}{what}", NOW, "cli", what, "", "") for what in ("enrol", "move", "put")]
            line.lose_an_answer(after)
            assert await store.enrol_merchant(merchant, "chaoying", "agent", str(number), acts[0])
            line.lose_an_answer(after)
            assert await store.move_merchant(merchant, replace(merchant, name="moved"), acts[1])
            line.lose_an_answer(after)
            await store.put_merchant(replace(merchant, name="put"), acts[2])
            assert await store.merchant(merchant.merchant_id) == replace(merchant, name="put", version=2)
        assert len(await store.acts(100)) == 30


@pytest.mark.parametrize("after", range(6))  # BEGIN, each of four steps, COMMIT
async def test_a_join_whose_confirmation_is_lost_is_made_once(line: Line, group_commit: bool, after: int) -> None:
    async with opened(line, group_commit) as store:
        await _warm(store)
        await store.put_credential(Credential("chaoying", "agent", Secret("s"), {}))
        for number in range(6):
            lone = Merchant(f"m{number}", "lone")
            await store.put_merchant(lone)
            owned, act = replace(lone, agent_id="agent"), Act(str(number), NOW, "cli", "join", "", "")
            line.lose_an_answer(after)
            assert await store.join_merchant(lone, owned, "chaoying", "agent", str(number), act)
            line.answers_to_lose = 0
            assert await store.merchant(lone.merchant_id) == replace(owned, version=1)
        credential = await store.credential("chaoying", "agent")
        assert credential
        assert credential.merchants == {str(number): f"m{number}" for number in range(6)}
        assert len(await store.acts(100)) == 6


async def test_anothers_act_is_not_taken_for_a_lost_one(line: Line) -> None:
    async with opened(line, True) as store:
        await _warm(store)
        await store.put_merchant(Merchant("m", "first"), Act("1", NOW, "cli", "first", "", ""))
        for number in range(10):
            line.lose_an_answer()
            with pytest.raises(ValueError, match="act 1 is another's"):
                await store.put_merchant(Merchant("m", "late"), Act("1", NOW, "cli", f"late {number}", "", ""))
            assert line.answers_to_lose == 0
        assert await store.merchant("m") == Merchant("m", "first")


async def test_a_server_that_forgets_is_refused(postgres_dsn: str) -> None:
    await Database(postgres_dsn, True).meddle(
        "DO $$ BEGIN EXECUTE 'ALTER DATABASE ' || current_database() || ' SET synchronous_commit = off'; END $$"
    )
    with pytest.raises(StoreUnavailable, match="synchronous_commit is off"):
        await open_store(postgres_dsn, vault=VAULT)


async def test_a_server_that_is_not_there_is_unavailable(shared_postgres: str) -> None:
    line = Line(shared_postgres)
    async with line.laid() as dsn:
        line.cut()
        with pytest.raises(StoreUnavailable):
            await open_store(dsn, vault=VAULT)


async def test_rows_are_found_by_their_key_from_the_first_rush_on(line: Line, shared_postgres: str) -> None:
    """A plan that was made while the table was empty must not be kept: it walks through all rows of a merchant."""
    async with opened(line, True) as store:
        for start in range(0, 2_048, 64):
            batch = [a_payment(number) for number in range(start, start + 64)]
            assert all(await asyncio.gather(*map(store.add_payment, batch)))
            assert all(await asyncio.gather(*(store.move_payment(payment, payment) for payment in batch)))
        # Walking through all rows each time would read a thousand for each of the payments.
        assert await _rows_read(shared_postgres) < 2_048 * 200


async def _rows_read(dsn: str) -> int:
    session = await asyncpg.connect(dsn)
    try:
        await session.execute("SELECT pg_stat_force_next_flush()")
        found = await session.fetchval(
            "SELECT seq_tup_read + COALESCE(idx_tup_fetch, 0) FROM pg_stat_user_tables WHERE relname = 'payment'"
        )
        return int(found or 0)
    finally:
        await session.close()


async def _warm(store: SqlStore) -> Payment:
    """Makes every worker of every lane open its connection and prepare its statements; gives a paid payment."""
    payments = [a_payment(number) for number in range(1_000, 1_064)]
    assert all(await asyncio.gather(*map(store.add_payment, payments)))
    assert all(await asyncio.gather(*(store.move_payment(payment, payment) for payment in payments)))
    await asyncio.gather(*(store.add_refund(a_refund(payment, 1_000)) for payment in payments))
    payment = await add_paid(store, 1)
    assert payment.reserved_fen == 0
    return payment
