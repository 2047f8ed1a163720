"""A register's desk on the command line: its journal, what it says meanwhile, and how a command ends.

Exit codes: 0 done, 1 not paid or not known, 2 refused or a wrong argument, 3 no answer, 4 an answer that cannot be
trusted, 130 left open by the person at the keyboard.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import typer

from anytill.cli.sentences import say, stop

if TYPE_CHECKING:
    from anytill.cli.ecr_line import EcrLine, Wanted
    from anytill.core.payment import Payment, Refund
    from anytill.dialects.qfpay.register import News, Register
    from anytill.dialects.qfpay.steps import Task

#: The register's, whichever terminal it works at.
JOURNAL = Path("anytill-ecr/register.journal")
Result = TypeVar("Result")


@dataclass(slots=True)
class Desk:
    """What the options before the command say, and what lies on the desk."""

    wanted: Wanted
    journal: Path | None
    elsewhere: Sequence[Task] = ()  # what has no end and was sent to other terminals, once the journal was read


#: What the register does meanwhile, in sentences.
_SENTENCES = {
    "LOST": "{number}: no clear answer; asking what became of it",
    "NO_WORD": "{number}: no answer ({detail}); asking again",
    "TAKEN_BACK": "{number}: the terminal does not know it; what waited there was taken back ({detail})",
    "OPEN": "{number}: the end is not known; do nothing of it again before `anytill ecr resume` has found it",
    "CONTRADICTION": "{number}: the terminal contradicts itself ({detail}); a person must look",
}
#: Any other terminal would say that there is no such trade.
_ELSEWHERE = (
    "{number} was sent to {terminal}, which alone knows its end: `anytill ecr resume` there; "
    "if this terminal was there before, `anytill ecr resume --formerly {terminal}`"
)


def with_register(
    ctx: typer.Context,
    task: Callable[[Register], Awaitable[Result]],
    *,
    patience_s: int,
    resumed: bool = True,
    formerly: str | None = None,
) -> Result:
    """What comes of a task of the register, which first finds out what has no end. `formerly` is an address that the
    terminal had before."""
    from anytill.dialects.qfpay.register import Register
    from anytill.dialects.qfpay.steps import DamagedJournal, JournalAt, Steps
    from anytill.transports.clock import SystemClock
    from anytill.transports.journal import FileJournal, JournalBusy

    desk: Desk = ctx.obj

    async def run(line: EcrLine) -> Result:
        path = desk.journal or JOURNAL
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            journal = FileJournal(path)
        except JournalBusy:
            stop(2, f"anytill: another register uses {path}")
        except OSError as fault:
            stop(2, f"anytill: {path}: {fault.strerror}")
        try:
            here, clock = JournalAt(journal, line.terminal, formerly=formerly), SystemClock()
            desk.elsewhere = Steps(here, clock).elsewhere
            for each in desk.elsewhere:
                say(_ELSEWHERE.format(number=each.number, terminal=each.terminal or "''"))
            register = Register(line.client, here, clock, _tell, patience=line.patience)
            if resumed:
                await _resumed(register, desk.elsewhere)
            return await task(register)
        except DamagedJournal as fault:
            stop(2, f"anytill: {path}: {fault}")
        finally:
            await journal.close()

    return with_line(ctx, run, patience_s=patience_s)


def _tell(news: News, number: str, detail: str) -> None:
    say(_SENTENCES[news].format(number=number, detail=detail))


async def _resumed(register: Register, elsewhere: Sequence[Task]) -> None:
    """Everything that was begun before has its end now; else the command stops."""
    for end in await register.resume():
        say(f"from before: {_number_of(end)} is {end.state.value}")
    if without_end := [*register.without_end, *elsewhere]:
        numbers = ", ".join(task.number for task in without_end)
        stop(1, f"the end of {numbers} is not known: nothing new is begun before `anytill ecr resume` has found it")


def with_line(ctx: typer.Context, question: Callable[[EcrLine], Awaitable[Result]], *, patience_s: int = 60) -> Result:
    """Put one question to a terminal. What went wrong is told in a sentence, with an exit code of its own."""
    from anytill.cli.ecr_line import opened
    from anytill.core.errors import Refusal
    from anytill.ports import NeverSent, Unreachable
    from anytill.wire.errors import WireError

    desk: Desk = ctx.obj
    line = opened(desk.wanted, patience_ms=patience_s * 1_000)

    async def run() -> Result:
        try:
            return await question(line)
        finally:
            await line.aclose()

    try:
        return asyncio.run(run())
    except Refusal as refusal:
        stop(2, f"refused: {refusal}")
    except NeverSent:
        stop(3, f"cannot reach a terminal at {line.address}. Nothing was sent.")
    except Unreachable as fault:
        stop(3, f"no answer ({fault})")
    except WireError as fault:
        stop(4, f"the answer cannot be trusted: {fault}")
    except OSError as fault:
        stop(3, f"the journal cannot be written ({fault}): `anytill ecr resume` when it can be")


async def interruptible(register: Register, paying: Awaitable[Payment]) -> Payment:
    """The payment's end. The first Ctrl-C takes it back at the terminal; the second leaves it open."""
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(paying)
    withdrawing: list[asyncio.Future[object]] = []

    def interrupted() -> None:
        if withdrawing:
            task.cancel()
            return
        say("taking it back; once more leaves it open")
        withdrawing.append(asyncio.ensure_future(register.withdraw()))

    loop.add_signal_handler(signal.SIGINT, interrupted)
    try:
        return await task
    except asyncio.CancelledError:
        stop(130, "left open: `anytill ecr resume` finds out what became of it")
    finally:
        loop.remove_signal_handler(signal.SIGINT)
        await asyncio.gather(*withdrawing, return_exceptions=True)


def _number_of(end: Payment | Refund) -> str:
    from anytill.core.payment import Refund

    return f"refund {end.refund_no}" if isinstance(end, Refund) else f"order {end.order_no}"
