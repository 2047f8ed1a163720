"""Work beside the loop: in another thread, one after the other, its faults brought back."""

from __future__ import annotations

import asyncio
import threading
from functools import partial

import pytest

from anytill.core.passwords import password_fits, password_hash
from anytill.transports.aside import OneThread

pytestmark = pytest.mark.anyio


async def test_the_loop_goes_on_while_work_is_done() -> None:
    aside = OneThread()
    loop_was_here = threading.Event()
    try:
        # Were it done in the loop, nobody could set what it waits for.
        work = asyncio.ensure_future(aside(lambda: loop_was_here.wait(30)))
        await asyncio.sleep(0)
        loop_was_here.set()
        assert await work
    finally:
        loop_was_here.set()
        aside.close()


async def test_one_after_the_other_in_one_thread() -> None:
    aside = OneThread()
    done: list[int] = []

    def work(number: int) -> int:
        done.append(number)
        return threading.get_ident()

    threads = await asyncio.gather(*(aside(partial(work, number)) for number in range(5)))
    assert done == [0, 1, 2, 3, 4]
    assert len(set(threads)) == 1
    assert threads[0] != threading.get_ident()
    aside.close()


async def test_faults_and_values_come_back() -> None:
    aside = OneThread()
    with pytest.raises(ZeroDivisionError):
        await aside(lambda: 1 // 0)
    kept = await aside(lambda: password_hash("p", "salt"))
    assert await aside(lambda: password_fits("p", kept))
    aside.close()
    with pytest.raises(RuntimeError):
        await aside(lambda: None)
